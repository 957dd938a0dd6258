//! Observers of a running script: a plan, and tests that name a wait in a failure.

use std::sync::Arc;

use crate::model::plan::WaitCondition;
use crate::model::spec::Project;
use crate::value::record::Reader;

/// Observes a running script for a plan: its current line, and the unknown answers that it reads.
pub trait ScriptObserver: Send + Sync {
    /// The current position of the task on this thread.
    fn at(&self, source: &str, line: usize);
    /// Returns a callback for each field that the script reads from the last answer of the task on
    /// this thread.
    fn reader(self: Arc<Self>) -> Reader;
    /// The script is about to wait until this container's process has ended.
    fn awaits_end(&self, container: &str);
    /// The script is about to wait until this container is ready.
    fn awaits_readiness(&self, container: &str);
    /// Sets the assumed value of the answer that the task on this thread has just got; false if it
    /// is the real answer.
    fn answers(&self, assumed: &str) -> bool;
    /// The name of a container whose files and log are unknown in a plan.
    fn unknown(&self, container: &str) -> Option<String>;
    /// The script continues with the assumption `assumed` about the result of `what`.
    fn assumes(&self, what: &str, assumed: &str);
    /// A call fails with this message, independent of unknown answers: a command that really ran, a
    /// name that does not exist.
    fn fails(&self, message: &str);
    /// The script undoes something or handles an error. `at` is the line of a source, `what` the
    /// action, and `error` the reason.
    fn handles_error(&self, at: Option<(&str, usize)>, what: &str, error: &str);
    /// The script waited for a condition that can't become true in a plan, and continues as if it
    /// had.
    fn awaits_condition(&self);
    /// From now on the task on this thread repeats itself, or no longer does. Returns whether it
    /// did before.
    fn repeats(&self, repeats: bool) -> bool;
}

/// Receives what a script waits for. Tests use it to name the wait in a failure.
pub trait WaitObserver: Send + Sync {
    /// A script describes a stack.
    fn describes(&self, project: &Project);
    /// It begins to wait until the containers of a service reach a state; the result is for
    /// [`WaitObserver::ends`].
    fn begins(&self, service: &str, containers: &[String], until: WaitCondition) -> String;
    /// It no longer waits.
    fn ends(&self, what: &str);
}
