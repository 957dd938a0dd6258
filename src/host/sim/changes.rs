//! What a run changes on the simulated host, counted, so that it can be killed at any of it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::executor::{Process, SimTaskExecutor};
use crate::host::{HostError, HostErrorKind, Result};

/// On which side of what it does a run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeSide {
    /// It never comes about.
    Before,
    /// It has come about, and the run does not learn so.
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

/// One thing that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `write`, `append`, `folder`, `remove`, `rename`, `command`.
    pub method: &'static str,
    /// A path; of a command, its program.
    pub target: PathBuf,
}

/// The changes so far, and which of those to come is a run's last.
#[derive(Clone)]
pub(super) struct Changes {
    executor: Arc<SimTaskExecutor>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    made: Vec<Change>,
    /// How many changes from now, and on which side of it.
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

    /// Does `work`, unless the run is killed before it, or dead already.
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

    /// The same for what takes its time: the side on which the run is killed, which is the caller's
    /// to do.
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

    /// The run of `process` is dead from here on.
    pub(super) fn kill(&self, process: Process) {
        self.executor.kill(process);
    }
}

fn dead() -> HostError {
    HostError::new(HostErrorKind::Other, "could not change anything: the run was killed")
}
