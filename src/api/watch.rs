//! Who follows a script as it runs: a plan, and what names a wait in a failure.

use std::sync::Arc;

use crate::model::plan::WaitCondition;
use crate::model::spec::Project;
use crate::value::record::Reader;

/// Follows a script as it runs, for a plan: where it is, and which answers it looks at that nobody
/// can know yet.
pub trait ScriptObserver: Send + Sync {
    /// The task on this thread is at this place.
    fn at(&self, source: &str, line: usize);
    /// Receives what the script reads of an answer that the task on this thread got just
    /// now.
    fn reader(self: Arc<Self>) -> Reader;
    /// The script is about to wait until this container's process has ended.
    fn awaits_end(&self, container: &str);
    /// The script is about to wait until this container is ready.
    fn awaits_readiness(&self, container: &str);
    /// The answer that the task on this thread got just now is this; false if it is the real one.
    fn answers(&self, assumed: &str) -> bool;
    /// The name of a container whose files and log nobody can know yet.
    fn unknown(&self, container: &str) -> Option<String>;
    /// The script goes on with something that nobody can know: what, and what is assumed of it.
    fn assumes(&self, what: &str, assumed: &str);
    /// A call fails with this message, whatever nobody can know yet: a command that really ran, a
    /// name that does not exist.
    fn fails(&self, message: &str);
    /// The script goes a way back: in which line of a source, what it does, because of which error.
    fn goes_back(&self, at: Option<(&str, usize)>, what: &str, because: &str);
    /// The script waited for a condition that does not come true here, and goes on as if it had.
    fn awaits_condition(&self);
    /// From now on the task on this thread repeats itself, or no longer; whether it did before.
    fn repeats(&self, repeats: bool) -> bool;
}

/// Receives what a script waits for. Tests use it to name the wait in a failure.
pub trait WaitObserver: Send + Sync {
    /// A script describes a stack.
    fn describes(&self, project: &Project);
    /// It begins to wait until the containers of a service are so far; the answer is for
    /// [`WaitObserver::ends`].
    fn begins(&self, service: &str, containers: &[String], until: WaitCondition) -> String;
    /// It waits no more.
    fn ends(&self, what: &str);
}
