//! What a run wants of a project.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::secret::Secrets;
use crate::model::spec::{Bases, Project};

/// What is asked for.
pub struct DesiredState<'a> {
    pub project: &'a Project,
    /// The services meant, with all they need: see [`Project::select`].
    pub services: BTreeSet<String>,
    pub secrets: &'a Secrets,
    /// Service → `<key id>:<fingerprint>` of the secrets that would be delivered.
    pub fingerprints: BTreeMap<String, String>,
    /// Services that were asked for by name: a job among them is run, also where it was done
    /// before.
    pub asked: BTreeSet<String>,
    /// Ids of containers that spc stopped: an exit code 0 does not mean that their work is done.
    pub stopped: BTreeSet<String>,
    pub remove_orphans: bool,
    /// Take over what Docker Compose made for a project of this name.
    pub adopt: bool,
    /// Networks and volumes of Compose's that were taken over before: their labels can't be
    /// changed.
    pub adopted: BTreeSet<String>,
    /// Build what is built, also where an image of the name is there.
    pub build: bool,
    /// What a build begins with: its Dockerfile is read only where it is to be built.
    pub bases: &'a Bases<'a>,
    /// Replace containers that have anonymous volumes, so that they get new ones.
    pub renew_anonymous_volumes: bool,
}
