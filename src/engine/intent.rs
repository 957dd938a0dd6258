//! What is going to be asked of an engine, so that a refusal comes before anything is done.

use std::collections::BTreeMap;

use bollard::models;

/// One call, or what it uses, that a caller is going to make. Objects are named as in the calls, by
/// name or id.
#[derive(Debug, Clone, Copy)]
pub enum Intent<'a> {
    /// Anything that changes a project of this name.
    ChangeProject(&'a str),
    /// Something with a service of a stack, whichever container it comes to. `doing`: `run a
    /// command in the service`.
    UseService {
        doing: &'a str,
        service: &'a str,
        project: &'a str,
    },
    /// A container as it would be created. The networks and volumes it uses are intents of their
    /// own.
    CreateContainer {
        name: &'a str,
        body: &'a models::ContainerCreateBody,
    },
    /// A start or restart of a container that exists: the engine looks up what it mounts again.
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
