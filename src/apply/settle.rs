//! After a run that was killed, the engine may still be at the call that it made last.
//!
//! Who takes its lock over at once sees what is not yet done: a container that is about to be created, or is just being stopped.

use std::time::Duration;

use super::Surroundings;
use super::records::Records;
use crate::engine::label_filter;
use crate::model::names::label;

/// What the engine takes for calls that don't wait for a process: to create, connect, rename, start.
const SHORT: Duration = Duration::from_secs(1);
/// As long as a lock is waited for whose owner is not known to be gone, so that looking at it never makes a run later.
const LONGEST: Duration = Duration::from_secs(30);
/// How often a container is looked at that is being stopped.
const LOOK: Duration = Duration::from_millis(500);

/// Waits until the engine is done with what a killed run of `project` asked of it last; less exact where the engine doesn't answer.
pub(super) async fn settle(around: &Surroundings, project: &str) {
    let begun = around.host.monotonic();
    around.host.sleep(SHORT).await;
    while is_stopping(around, project).await && around.host.monotonic().saturating_sub(begun) < LONGEST {
        if around.cancel.is_cancelled() {
            return;
        }
        around.host.sleep(LOOK).await;
    }
}

/// Whether a container runs that the killed run noted to stop, which every run does before it asks the engine.
async fn is_stopping(around: &Surroundings, project: &str) -> bool {
    let stopped = Records::new(&*around.host, &around.policy, project).state().stopped;
    if stopped.is_empty() {
        return false;
    }
    let running = around.engine.container_list(false, &label_filter(label::PROJECT, project)).await.unwrap_or_default();
    running.iter().any(|container| container.id.as_ref().is_some_and(|id| stopped.contains(id)))
}
