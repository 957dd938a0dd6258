//! The state that a run wants for a project.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::secret::Secrets;
use crate::model::spec::{Bases, Project};

/// The requested state.
pub struct DesiredState<'a> {
    pub project: &'a Project,
    /// The selected services with all their dependencies: see [`Project::select`].
    pub services: BTreeSet<String>,
    pub secrets: &'a Secrets,
    /// Service → `<key id>:<fingerprint>` of the secrets that would be delivered.
    pub fingerprints: BTreeMap<String, String>,
    /// Services that were named in the call. A job among them runs, even if it has completed
    /// before.
    pub asked: BTreeSet<String>,
    /// Ids of containers that spc stopped. An exit code 0 of these does not mean that they
    /// completed.
    pub stopped: BTreeSet<String>,
    pub remove_orphans: bool,
    /// Adopt what Docker Compose created for a project with this name.
    pub adopt: bool,
    /// Networks and volumes of Compose that were adopted before. Their labels can't be changed.
    pub adopted: BTreeSet<String>,
    /// Build images even if they exist.
    pub build: bool,
    /// The base images of each build. A Dockerfile is read only if its image may be built.
    pub bases: &'a Bases<'a>,
    /// Replace containers that have anonymous volumes, so that they get new ones.
    pub renew_anonymous_volumes: bool,
}
