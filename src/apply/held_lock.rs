//! The project's lock while it is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::failures::of_engine;
use crate::engine::Engine;
use crate::host::executor::Background;
use crate::model::{Failure, Kind};

/// The project's lock while this run holds it; [`Lock::release`] releases it.
pub struct Lock {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) id: String,
    pub(super) lost: Arc<AtomicBool>,
    pub(super) beating: Option<Background>,
    pub(super) turn: futures::lock::Mutex<()>,
}

/// The tasks of a `guarded` function hold one lock together. The task with this guard may start
/// containers, until it drops the guard.
pub type StartGuard<'a> = futures::lock::MutexGuard<'a, ()>;

/// Removes a lock by the id of its container. It is fine if the container no longer exists.
pub async fn remove(engine: &dyn Engine, id: &str) -> Result<(), Failure> {
    match engine.container_remove(id, true, true).await {
        Ok(()) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        // Another client is removing it at this moment.
        Err(error) if error.is_conflict() && error.message.contains("already in progress") => {
            Ok(())
        }
        Err(error) => Err(of_engine(error, "remove the project's lock")),
    }
}

impl Lock {
    /// Fails unless the lock is still held. Called before every change.
    pub async fn verify(&self) -> Result<(), Failure> {
        let gone = || {
            Failure::new(Kind::Lock, "This run lost the project's lock and stops here")
                .hint("someone ran `spc unlock` or `docker container prune`, or this machine was suspended; run the same command again")
        };
        if self.lost.load(Ordering::Acquire) {
            return Err(gone());
        }
        match self.engine.container_inspect(&self.id).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => {
                self.lost.store(true, Ordering::Release);
                Err(gone())
            }
            Err(error) => Err(of_engine(error, "look at the project's lock")),
        }
    }

    /// Waits until no other task of the `guarded` function starts containers.
    pub async fn turn(&self) -> StartGuard<'_> {
        self.turn.lock().await
    }

    /// The same without waiting; `None` if another task does.
    pub fn free_turn(&self) -> Option<StartGuard<'_>> {
        self.turn.try_lock()
    }

    /// Releases the lock.
    pub async fn release(mut self) -> Result<(), Failure> {
        self.beating.take();
        if self.lost.load(Ordering::Acquire) {
            Ok(())
        } else {
            remove(&*self.engine, &self.id).await
        }
    }
}
