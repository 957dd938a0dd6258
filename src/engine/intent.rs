//! Future calls of an engine, so that they can be rejected before anything is done.

use std::collections::BTreeMap;

use bollard::models;

/// A future call, or an object that it uses. Objects have the same names or ids as in the calls.
#[derive(Debug, Clone, Copy)]
pub enum Intent<'a> {
    /// Anything that changes a project of this name.
    ChangeProject(&'a str),
    /// An action on a service of a stack, on any of its containers. `doing`: `run a command in the
    /// service`.
    UseService {
        doing: &'a str,
        service: &'a str,
        project: &'a str,
    },
    /// A container that would be created. Its networks and volumes are separate intents.
    CreateContainer {
        name: &'a str,
        body: &'a models::ContainerCreateBody,
    },
    /// A start or restart of an existing container: the engine resolves its mounts again.
    StartContainer(&'a str),
    StopContainer(&'a str),
    RemoveContainer(&'a str),
    RenameContainer {
        container: &'a str,
        to: &'a str,
    },
    CreateNetwork(&'a models::NetworkCreateRequest),
    UseNetwork(&'a str),
    RemoveNetwork(&'a str),
    CreateVolume(&'a models::VolumeCreateRequest),
    UseVolume(&'a str),
    RemoveVolume(&'a str),
    BuildImage {
        tags: &'a [String],
        network: Option<&'a str>,
        labels: &'a BTreeMap<String, String>,
    },
    PullImage(&'a str),
    LookIntoContainer(&'a str),
    LookIntoNetwork(&'a str),
    LookIntoVolume(&'a str),
}
