//! A plan with everything needed to execute it, and the report of the execution.

use std::collections::BTreeMap;
use std::time::Duration;

use super::VerbContext;
use super::held_lock::Lock;
use super::startup_history::StartupHistory;
use crate::model::plan::Plan;
use crate::model::spec::Project;
use crate::model::storage::Storages;

/// A plan with everything needed to execute it.
pub struct Execution<'a> {
    pub ctx: &'a VerbContext,
    /// The description of new containers; `None` for verbs that create nothing.
    pub project: Option<&'a Project>,
    pub plan: &'a Plan,
    /// Verified before every change.
    pub lock: Option<&'a Lock>,
    /// Service → `<key id>:<fingerprint>` of its secrets.
    pub fingerprints: &'a BTreeMap<String, String>,
    /// The time that a container may need to become ready; by default, the limits of its health
    /// check.
    pub deadline: Option<Duration>,
    /// Replaced containers get new anonymous volumes.
    pub renew_anonymous_volumes: bool,
    /// Service → the time that its containers needed to become ready before.
    pub startup_histories: BTreeMap<String, StartupHistory>,
    /// The locations of volumes and folders.
    pub storages: &'a Storages,
    /// Containers that the plan doesn't change and that have to keep running.
    pub kept: &'a [UnchangedContainer],
}

/// The findings of an execution, also if it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecutionReport {
    /// Container id → its start, if spc's own probe passed before the engine's.
    pub passes: BTreeMap<String, String>,
    /// Container id → time from the beginning of its start until it was ready.
    pub ready: BTreeMap<String, Duration>,
    /// Service → the time that one of its containers needed.
    pub startup_histories: BTreeMap<String, StartupHistory>,
    /// Ids of containers that were stopped and not removed.
    pub stopped: Vec<String>,
    /// The containers that the run created in addition to the existing ones, and did not roll back.
    pub created: Vec<CreatedContainer>,
    /// The number of steps that changed something.
    pub changes: usize,
}

/// A container that the run created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedContainer {
    pub id: String,
    pub service: String,
}

/// A container that was ready when the plan was made, and that no step changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnchangedContainer {
    pub id: String,
    pub service: String,
}
