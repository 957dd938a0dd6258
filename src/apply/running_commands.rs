//! The commands in containers that this process is running, so that they can be ended together with
//! a run or the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::join_all;
use parking_lot::Mutex;

use super::VerbContext;
use super::exec_end::end;
use crate::engine::Engine;
use crate::engine::exec_end::{StartedCommand, send};
use crate::engine::exec_processes::EndSignal;

static ALL: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
static NUMBERS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
struct Entry {
    number: u64,
    engine: Arc<dyn Engine>,
    started: StartedCommand,
    /// Whether the run was interrupted and no longer waits for it.
    is_left: bool,
}

fn with_all<T>(work: impl FnOnce(&mut Vec<Entry>) -> T) -> T {
    work(&mut ALL.lock())
}

/// A running command. If it is dropped during an interrupt, [`end_left`] ends it.
pub struct RunningCommand<'a> {
    ctx: &'a VerbContext,
    number: u64,
    is_over: bool,
}

impl<'a> RunningCommand<'a> {
    /// Call this before the command starts.
    pub fn begin(ctx: &'a VerbContext, started: StartedCommand) -> Self {
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        with_all(|all| {
            all.push(Entry { number, engine: ctx.engine.clone(), started, is_left: false })
        });
        Self { ctx, number, is_over: false }
    }

    /// Call this when the engine has started it.
    pub fn has_id(&self, id: &str) {
        with_all(|all| {
            if let Some(entry) = all.iter_mut().find(|entry| entry.number == self.number) {
                entry.started.id = Some(id.to_owned());
            }
        });
    }

    /// Call this when it has ended, or when everything was done to end it.
    pub fn over(mut self) {
        self.is_over = true;
    }
}

impl Drop for RunningCommand<'_> {
    fn drop(&mut self) {
        let is_left = !self.is_over && self.ctx.cancel.is_cancelled();
        with_all(|all| {
            all.retain(|entry| is_left || entry.number != self.number);
            if let Some(entry) = all.iter_mut().find(|entry| entry.number == self.number) {
                entry.is_left = true;
            }
        });
    }
}

/// Ends the commands that an interrupted run has left: health checks in progress.
pub async fn end_left(ctx: &VerbContext) {
    let is_own = |entry: &Entry| entry.is_left && Arc::ptr_eq(&entry.engine, &ctx.engine);
    let left: Vec<Entry> =
        with_all(|all| all.iter().filter(|entry| is_own(entry)).cloned().collect());
    join_all(left.iter().map(|entry| end(ctx, &entry.started))).await;
    with_all(|all| all.retain(|entry| !left.iter().any(|ended| ended.number == entry.number)));
}

/// Kills every running command. For a process that exits at once: the caller waits only briefly.
pub async fn kill_all() {
    kill(with_all(|all| all.clone())).await;
}

/// The same for one engine.
#[cfg(test)]
pub async fn kill_all_of(engine: &Arc<dyn Engine>) {
    kill(with_all(|all| {
        all.iter().filter(|entry| Arc::ptr_eq(&entry.engine, engine)).cloned().collect()
    }))
    .await;
}

async fn kill(all: Vec<Entry>) {
    join_all(all.iter().map(|Entry { engine, started, .. }| async move {
        // Ignores errors, because the process exits and can't report them.
        let _ = send(&**engine, started, EndSignal::Kill).await;
    }))
    .await;
}

/// Whether a command is running.
pub fn is_any() -> bool {
    with_all(|all| !all.is_empty())
}
