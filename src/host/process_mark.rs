//! What tells one process of a machine from every other, so that a run can say for certain that
//! another one is gone.

use serde::{Deserialize, Serialize};

/// A process, in its own words. Equal marks are the same process; who has the boot and the
/// namespaces in common with it can look whether it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMark {
    /// The machine since its last start: another for every machine and every start, whatever the
    /// machine is called.
    pub boot: String,
    /// What the process's number and its start are counted in: its namespaces of processes and of
    /// time.
    pub namespaces: String,
    pub pid: u32,
    /// When it was started, so that a later process with its number is another one.
    pub started: u64,
}

/// What is known of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It is certainly running.
    Alive,
    /// It is certainly gone.
    Gone,
    /// It is on another machine or in another container, or the system doesn't tell.
    Unknown,
}
