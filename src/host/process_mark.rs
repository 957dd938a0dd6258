//! Distinguishes one process of a machine from every other one, so that a run can be certain that
//! another one is gone.

use serde::{Deserialize, Serialize};

/// The identity of a process. Equal marks denote the same process. A process with the same boot id
/// and namespaces can check whether it is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMark {
    /// The machine since its last start. Every machine and every start has another value, whatever
    /// the machine's name is.
    pub boot: String,
    /// The namespaces of processes and of time, on which the process's number and start time
    /// depend.
    pub namespaces: String,
    pub pid: u32,
    /// Its start time, which distinguishes it from a later process with the same number.
    pub started: u64,
}

/// What is known about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It is certainly running.
    Alive,
    /// It is certainly gone.
    Gone,
    /// It is on another machine or in another container, or the system doesn't show it.
    Unknown,
}
