//! Simulated processes: tasks that are killed together.

use std::sync::Arc;

use super::{
    CURRENT_PROCESS, CURRENT_TASK, IS_BESIDE, OWN_PROCESS, Process, SimTaskExecutor, State, TaskId,
};
use crate::host::executor::Job;
use crate::model::Failure;

/// The panic payload of a killed task's thread.
#[derive(Debug)]
struct KilledTask;

impl SimTaskExecutor {
    /// Runs `work` as a separate process on a new thread. Returns `None` if it was killed before
    /// its end.
    ///
    /// The tasks of a killed process unwind at their next wait, and their values are dropped.
    ///
    /// # Panics
    /// Panics if `work` panics, or if the system can't start a thread.
    pub fn process<T: Send>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send,
    ) -> Result<Option<T>, Failure> {
        let process = {
            let mut state = self.state.lock();
            state.next_process += 1;
            state.next_process - 1
        };
        let job: Job<'_, T> = Box::new(|| {
            CURRENT_PROCESS.set(process);
            self.state.lock().processes.insert(CURRENT_TASK.get(), process);
            work()
        });
        let result = Self::tasks(self, vec![job])?.pop();
        Ok(match result {
            Some(Ok(value)) if !self.state.lock().killed.contains(&process) => Some(value),
            Some(Err(panic)) if !panic.is::<KilledTask>() => std::panic::resume_unwind(panic),
            _ => None,
        })
    }

    /// The process of the caller's task.
    pub fn current_process() -> Process {
        CURRENT_PROCESS.get()
    }

    /// Kills a process as SIGKILL does: at its tasks' next wait. The process that created the
    /// executor continues.
    pub fn kill(&self, process: Process) {
        if process == OWN_PROCESS {
            return;
        }
        let mut state = self.state.lock();
        state.killed.insert(process);
        let tasks: Vec<TaskId> = state
            .processes
            .iter()
            .filter(|(_, own)| **own == process)
            .map(|(task, _)| *task)
            .collect();
        state.ready.extend(tasks);
    }

    /// Whether a process was killed.
    pub fn is_killed(&self, process: Process) -> bool {
        self.state.lock().killed.contains(&process)
    }

    /// Whether a process exists: it was not killed and has not ended.
    pub fn is_alive(&self, process: Process) -> bool {
        let state = self.state.lock();
        process == OWN_PROCESS
            || !state.killed.contains(&process)
                && state.processes.values().any(|own| *own == process)
    }

    /// Kills the calling process at once: nothing after the call runs. Background futures are not
    /// unwound here, because another process's thread may drive them.
    pub fn kill_here(&self, process: Process) {
        self.kill(process);
        if !IS_BESIDE.get() {
            self.die_if_killed();
        }
    }

    /// Unwinds the thread if its process was killed.
    pub(super) fn die_if_killed(&self) {
        let process = CURRENT_PROCESS.get();
        if process != OWN_PROCESS
            && !std::thread::panicking()
            && self.state.lock().killed.contains(&process)
        {
            std::panic::resume_unwind(Box::new(KilledTask));
        }
    }
}

impl State {
    /// Kills every process but the one that created the executor. Returns whether one of them was
    /// not killed yet.
    pub(super) fn kill_all(&mut self) -> bool {
        let doomed: Vec<(TaskId, Process)> = self
            .processes
            .iter()
            .filter(|(_, own)| **own != OWN_PROCESS)
            .map(|(task, own)| (*task, *own))
            .collect();
        let before = self.killed.len();
        self.killed.extend(doomed.iter().map(|(_, process)| *process));
        self.ready.extend(doomed.iter().map(|(task, _)| *task));
        self.killed.len() > before
    }
}
