//! Read-only commands that a plan is running, so that they can be ended together with the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::join_all;
use parking_lot::Mutex;

use crate::engine::Engine;
use crate::engine::exec_end::{StartedCommand, send};
use crate::engine::exec_processes::EndSignal;

static ALL: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
static NUMBERS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone)]
struct Entry {
    number: u64,
    engine: Arc<dyn Engine>,
    command: StartedCommand,
}

fn with_all<T>(work: impl FnOnce(&mut Vec<Entry>) -> T) -> T {
    work(&mut ALL.lock())
}

/// A command that runs on the live engine until this is dropped.
pub(super) struct LiveCommand(u64);

impl LiveCommand {
    /// Call this before the command starts.
    pub(super) fn begin(engine: &Arc<dyn Engine>, command: StartedCommand) -> Self {
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        with_all(|all| all.push(Entry { number, engine: engine.clone(), command }));
        Self(number)
    }
}

impl Drop for LiveCommand {
    fn drop(&mut self) {
        with_all(|all| all.retain(|entry| entry.number != self.0));
    }
}

/// Whether a command is running.
pub fn is_any_running() -> bool {
    with_all(|all| !all.is_empty())
}

/// Kills all running commands. For a process that exits at once: the caller waits only briefly.
pub async fn kill_running() {
    let all = with_all(|all| all.clone());
    join_all(all.iter().map(|Entry { engine, command, .. }| async move {
        // Ignores errors, because the process exits and can't report them.
        let _ = send(&**engine, command, EndSignal::Kill).await;
    }))
    .await;
}
