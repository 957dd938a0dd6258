//! Threads with a stack that is large enough for scripts.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use crate::model::url_credentials::without_credentials;
use crate::model::{Failure, Kind};

/// The stack of a thread that runs script code: a script call needs about 20 KB.
pub const SCRIPT_STACK_BYTES: usize = 256 << 20;

/// A task of [`TaskExecutor::tasks`].
pub type Job<'a, T> = Box<dyn FnOnce() -> T + Send + 'a>;

/// Threads that exist and wait for the signal to start.
pub(super) struct WaitingThreads<'scope, T> {
    threads: Vec<std::thread::ScopedJoinHandle<'scope, Option<T>>>,
    begin: Arc<OnceLock<bool>>,
}

impl<T> WaitingThreads<'_, T> {
    /// Starts all jobs.
    pub(super) fn begin(&self) {
        let _ = self.begin.set(true);
    }

    /// Waits for all of them.
    pub(super) fn join(self) -> Vec<std::thread::Result<T>> {
        // Threads that were dismissed are joined by their scope; here all have started.
        self.threads.into_iter().filter_map(|thread| thread.join().transpose()).collect()
    }
}

/// A thread for each job, with the stack for script code. None starts before all of them exist.
/// `most`: the limit of threads.
pub(super) fn script_threads<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    jobs: Vec<impl FnOnce() -> T + Send + 'scope>,
    most: usize,
) -> Result<WaitingThreads<'scope, T>, Failure> {
    let (count, begin) = (jobs.len(), Arc::new(OnceLock::<bool>::new()));
    let mut threads = Vec::with_capacity(count);
    for job in jobs {
        let wait = begin.clone();
        let thread = || std::thread::Builder::new().stack_size(SCRIPT_STACK_BYTES);
        let started = if threads.len() < most {
            thread().spawn_scoped(scope, move || wait.wait().then(job))
        } else {
            Err(std::io::ErrorKind::WouldBlock.into())
        };
        match started {
            Ok(started) => threads.push(started),
            Err(error) => {
                let _ = begin.set(false);
                return Err(no_threads(count, &error));
            }
        }
    }
    Ok(WaitingThreads { threads, begin })
}

/// The failure if the system can't start a thread.
fn no_threads(count: usize, error: &std::io::Error) -> Failure {
    let what = if count == 1 { "a task".to_owned() } else { format!("{count} tasks at once") };
    let why = match error.kind() {
        std::io::ErrorKind::OutOfMemory => "the system gives no more memory",
        _ => "the system can't create more threads",
    };
    Failure::new(Kind::Failed, format!("Could not start {what}: {why}")).hint(
        "run fewer at once, or raise the limit on processes (ulimit -u, or that of the container)",
    )
}

/// What to do if spc panics.
pub const PANIC_HINT: &str = "this is a bug in spc, not in the script; please report it";

/// The message for a panic, `text` if it has one.
pub fn panic_message(text: Option<&str>) -> String {
    format!("spc panicked: {}", without_credentials(text.unwrap_or("without a message")))
}

/// The failure of a job that panicked.
pub fn broke_off(panic: &(dyn Any + Send)) -> Failure {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    Failure::new(Kind::Failed, panic_message(text)).hint(PANIC_HINT)
}
