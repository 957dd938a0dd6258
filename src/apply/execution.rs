//! A plan and what it is walked with, and what is found on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use super::VerbContext;
use super::held_lock::Lock;
use super::startup_history::StartupHistory;
use crate::model::plan::Plan;
use crate::model::spec::Project;
use crate::model::storage::Storages;

/// A plan and what it is walked with.
pub struct Execution<'a> {
    pub ctx: &'a VerbContext,
    /// What containers are made of; none for verbs that make nothing.
    pub project: Option<&'a Project>,
    pub plan: &'a Plan,
    /// Verified before every change.
    pub lock: Option<&'a Lock>,
    /// Service → `<key id>:<fingerprint>` of its secrets.
    pub fingerprints: &'a BTreeMap<String, String>,
    /// How long a container may take to get ready; by its check's own figures if not given.
    pub deadline: Option<Duration>,
    /// Replaced containers get new anonymous volumes.
    pub renew_anonymous_volumes: bool,
    /// Service → how long its containers took to get ready before.
    pub startup_histories: BTreeMap<String, StartupHistory>,
    /// Where volumes and folders are kept.
    pub storages: &'a Storages,
    /// Containers that the plan leaves alone and that have to run on.
    pub kept: &'a [UnchangedContainer],
}

/// What was found on the way, also when it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionReport {
    /// Container id → its start, where spc's own probe passed before the engine's.
    pub passes: BTreeMap<String, String>,
    /// Container id → time from the begin of its start until it was ready.
    pub ready: BTreeMap<String, Duration>,
    /// Service → how long a container of it took that was started.
    pub startup_histories: BTreeMap<String, StartupHistory>,
    /// Ids of containers that were stopped and not removed.
    pub stopped: Vec<String>,
    /// Steps that changed something.
    pub changes: usize,
}

/// A container that was ready when the plan was made, and that no step is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnchangedContainer {
    pub id: String,
    pub service: String,
}
