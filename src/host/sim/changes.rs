//! Counts the changes of a run on the simulated host, so that the run can be killed at each of
//! them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::executor::{Process, SimTaskExecutor};
use crate::host::{HostError, HostErrorKind, Result};

/// The side of a change on which a run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeSide {
    /// The change does not happen.
    Before,
    /// The change happens, but the run doesn't learn about it.
    After,
}

impl fmt::Display for ChangeSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `write`, `append`, `folder`, `remove`, `rename`, `command`.
    pub method: &'static str,
    /// A path; for a command, its program.
    pub target: PathBuf,
}

/// The changes so far, and the one at which a run is killed.
#[derive(Clone)]
pub(super) struct Changes {
    executor: Arc<SimTaskExecutor>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    made: Vec<Change>,
    /// The number of changes until then, and the side.
    kill: Option<(u64, ChangeSide)>,
}

impl Changes {
    pub(super) fn new(executor: Arc<SimTaskExecutor>) -> Self {
        Self { executor, state: Arc::default() }
    }

    pub(super) fn made(&self) -> Vec<Change> {
        self.state.lock().made.clone()
    }

    pub(super) fn kill_at(&self, kill: Option<(u64, ChangeSide)>) {
        self.state.lock().kill = kill;
    }

    /// Does `work`, unless the run is killed before it, or already dead.
    pub(super) fn make<T>(
        &self,
        method: &'static str,
        target: &Path,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let side = self.begin(method, target)?;
        if side == Some(ChangeSide::Before) {
            self.executor.kill_here(SimTaskExecutor::current_process());
            return Err(dead());
        }
        let result = work();
        if side == Some(ChangeSide::After) {
            self.executor.kill_here(SimTaskExecutor::current_process());
        }
        result
    }

    /// The same for a change that takes time. Returns the side on which the run is killed; the
    /// caller kills it.
    pub(super) fn begin(&self, method: &'static str, target: &Path) -> Result<Option<ChangeSide>> {
        if self.executor.is_killed(SimTaskExecutor::current_process()) {
            return Err(dead());
        }
        let mut state = self.state.lock();
        state.made.push(Change { method, target: target.to_path_buf() });
        let Some((left, side)) = state.kill.as_mut() else { return Ok(None) };
        *left = left.saturating_sub(1);
        let side = (*left == 0).then_some(*side);
        if side.is_some() {
            state.kill = None;
        }
        Ok(side)
    }

    /// The run of `process` is dead from now on.
    pub(super) fn kill(&self, process: Process) {
        self.executor.kill(process);
    }
}

fn dead() -> HostError {
    HostError::new(HostErrorKind::Other, "could not change anything: the run was killed")
}
