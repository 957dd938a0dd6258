//! The live engine for a plan. The plan's virtual time does not advance during a call, so each wait
//! has a real time limit and is reported.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use crate::engine::calls::LONG;
use crate::engine::{Engine, EngineError, EngineErrorKind, ExecRequest, Result};
use crate::host::{Host, TaskExecutor};
use crate::model::time::readable;

/// The time limit of a command, unless it has a `timeout`.
const READ_ONLY_LIMIT: Duration = Duration::from_secs(30);

/// Shorter waits are not reported.
const FIRST_WORD: Duration = Duration::from_secs(2);
/// The longest pause between two reports.
const LAST_PAUSE: Duration = Duration::from_mins(5);

/// Receives a text for the user about what the plan waits for.
pub type OnWait = Arc<dyn Fn(&str) + Send + Sync>;

/// The live engine, and its task executor.
#[derive(Clone)]
pub struct LiveEngine {
    pub engine: Arc<dyn Engine>,
    pub executor: TaskExecutor,
    pub host: Arc<dyn Host>,
    /// Whether read-only commands may run on it.
    pub runs_read_only: bool,
    pub say: OnWait,
}

impl LiveEngine {
    /// Calls the live engine and waits for its response. `what` names the subject in reports, such
    /// as `the container web`.
    pub(super) fn ask<T>(&self, what: &str, question: impl Future<Output = T>) -> T {
        self.executor.block_on_external(spoken_of(
            &*self.host,
            &self.say,
            &|| format!("the engine has not answered about {what}"),
            question,
        ))
    }

    /// The same for bytes that may have no end: `the log of the container web`.
    pub(super) fn read<T>(
        &self,
        what: &str,
        question: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.within(LONG, &|| format!("still reading {what}"), question, || {
            let words =
                format!("{what} was not read within {}: a plan waits no longer", readable(LONG));
            EngineError::new(EngineErrorKind::Timeout, words)
        })
    }

    /// The same for a command, which may never end.
    pub(super) fn run<T>(
        &self,
        name: &str,
        request: &ExecRequest,
        question: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let limit = request.timeout.unwrap_or(READ_ONLY_LIMIT);
        let (line, time) = (request.command.join(" "), readable(limit));
        let waits = || {
            format!(
                "the read-only command \"{line}\" runs in the container {name}, for at most {time}"
            )
        };
        self.within(limit, &waits, question, || {
            let words = format!("the read-only command did not end within {time}: a plan waits no longer");
            EngineError::new(EngineErrorKind::Timeout, words)
                .with_hint("give it more time with `timeout`, or leave out `read_only`: a plan then uses the answer in `assume`")
        })
    }

    fn within<T>(
        &self,
        limit: Duration,
        waits: &(dyn Fn() -> String + Sync),
        question: impl Future<Output = Result<T>>,
        late: impl FnOnce() -> EngineError,
    ) -> Result<T> {
        let over = self.host.sleep(limit);
        let question = spoken_of(&*self.host, &self.say, waits, question);
        self.executor.block_on_external(async {
            futures::select_biased! {
                result = Box::pin(question).fuse() => result,
                () = over.fuse() => Err(late()),
            }
        })
    }
}

/// The live engine and a snapshot of it; reports a long wait.
pub fn connecting<T>(
    executor: &TaskExecutor,
    host: &dyn Host,
    say: &OnWait,
    work: impl Future<Output = T>,
) -> T {
    executor.block_on_external(spoken_of(
        host,
        say,
        &|| "the engine has not reported its state".to_owned(),
        work,
    ))
}

/// Waits for `work`. Reports `waits` and the elapsed time after 2, 4, 8 s and so on.
async fn spoken_of<T>(
    host: &dyn Host,
    say: &OnWait,
    waits: &(dyn Fn() -> String + Sync),
    work: impl Future<Output = T>,
) -> T {
    let begun = host.monotonic();
    let mut work = Box::pin(work).fuse();
    loop {
        let waited = host.monotonic().saturating_sub(begun);
        let mut next_word = host.sleep(waited.clamp(FIRST_WORD, LAST_PAUSE)).fuse();
        futures::select_biased! {
            result = work => return result,
            () = next_word => {
                let waited = host.monotonic().saturating_sub(begun);
                say(&format!("waiting: {} ({} s)", waits(), waited.as_secs()));
            }
        }
    }
}
