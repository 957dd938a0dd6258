//! The bridge between script threads and futures: decides who waits and who runs.
//!
//! Each task of a script is a thread. A native function passes its future to the executor and gets
//! the result. On a real host the executor is tokio. In virtual time it is [`SimTaskExecutor`]:
//! exactly one task runs at a time, and time moves only when all of them wait.

use std::future::Future;
use std::sync::Arc;

use super::script_threads::script_threads;
use super::sim::executor::{SimBackground, SimTaskExecutor};
use crate::model::Failure;

pub use super::script_threads::{Job, PANIC_HINT, SCRIPT_STACK_BYTES, broke_off, panic_message};

/// The executor of a process. There is one, made by `cli` or by a test.
#[derive(Clone)]
pub enum TaskExecutor {
    Real(tokio::runtime::Handle),
    Sim(Arc<SimTaskExecutor>),
}

/// A future that runs beside the script (the lock's heartbeat); dropping this ends it.
pub struct Background(Inner);

enum Inner {
    Real(tokio::task::JoinHandle<()>),
    Sim(#[expect(dead_code, reason = "held for its drop")] SimBackground),
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Inner::Real(handle) = &self.0 {
            handle.abort();
        }
    }
}

impl TaskExecutor {
    /// Waits for `future` on this thread, which must be one that runs script code.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Real(handle) => handle.block_on(future),
            Self::Sim(executor) => executor.block_on(future),
        }
    }

    /// Waits for `future` of this executor on a thread of another one. Meanwhile, in the other one,
    /// no time passes and nothing happens.
    pub fn block_on_external<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Real(handle) => handle.block_on(future),
            Self::Sim(executor) => executor.block_on_external(future),
        }
    }

    /// Runs `future` beside the script until the result is dropped.
    #[must_use = "the future ends when this is dropped"]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where something may run beside a script"
    )]
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Background {
        Background(match self {
            Self::Real(handle) => Inner::Real(handle.spawn(future)),
            Self::Sim(executor) => Inner::Sim(SimTaskExecutor::spawn(executor, Box::pin(future))),
        })
    }

    /// Runs each of `jobs` on a thread of its own and waits for all; the results have the same
    /// order. A job that panicked returns `Err` with the panic's payload.
    ///
    /// # Errors
    /// If the system can't start enough threads. Then no job has started.
    pub fn tasks<T: Send>(
        &self,
        jobs: Vec<Job<'_, T>>,
    ) -> Result<Vec<std::thread::Result<T>>, Failure> {
        match self {
            Self::Real(_) => std::thread::scope(|scope| {
                let threads = script_threads(scope, jobs, usize::MAX)?;
                threads.begin();
                Ok(threads.join())
            }),
            Self::Sim(executor) => SimTaskExecutor::tasks(executor, jobs),
        }
    }
}
