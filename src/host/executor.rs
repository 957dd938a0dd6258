//! Who waits, and who runs: the bridge between script threads and futures.
//!
//! Script tasks are threads. A native function hands its future to the executor and gets the
//! result. On a real host that is tokio; in virtual time it is [`SimTaskExecutor`], under which
//! exactly one task runs at a time and time moves only when all of them wait.

use std::future::Future;
use std::sync::Arc;

use super::script_threads::script_threads;
use super::sim::executor::{SimBackground, SimTaskExecutor};
use crate::model::Failure;

pub use super::script_threads::{Job, SCRIPT_STACK_BYTES, broke_off};

/// The executor of a process: one, made by `cli` or by a test.
#[derive(Clone)]
pub enum TaskExecutor {
    Real(tokio::runtime::Handle),
    Sim(Arc<SimTaskExecutor>),
}

/// A future that goes on beside the script (the lock's heartbeat); ended when dropped.
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

    /// Waits for `future` of this world on a thread of another, in which meanwhile no time passes
    /// and nothing happens.
    pub fn block_on_external<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Real(handle) => handle.block_on(future),
            Self::Sim(executor) => executor.block_on_external(future),
        }
    }

    /// Lets `future` go on beside the script until the answer is dropped.
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

    /// Runs `jobs` each on a thread of its own and waits for all; results in the order given.
    /// A job that panicked answers `Err` with the panic's payload.
    ///
    /// # Errors
    /// If the system gives fewer threads: then no job has begun.
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
