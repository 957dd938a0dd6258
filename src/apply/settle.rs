//! Waits for the engine after a killed run, because it may still be executing the last call of that
//! run.
//!
//! Without this wait, a run that takes over the lock immediately could see an unfinished state,
//! such as a container that is being created or stopped.

use std::time::Duration;

use super::VerbContext;
use crate::engine::label_filter;
use crate::model::event::Event;
use crate::model::names::label;
use crate::model::time::readable;

/// The longest time of calls that don't wait for a process: create, connect, rename, start.
const SHORT: Duration = Duration::from_secs(1);
/// The longest wait. It equals the wait for a lock with an unknown owner, so this check never makes
/// a run slower.
const LONGEST: Duration = Duration::from_secs(30);
/// The pause between two looks at a container that is being stopped.
const LOOK: Duration = Duration::from_millis(500);
/// Docker's default grace period, from the signal to the kill.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);
/// The time that the engine needs for a stop in addition to the grace period.
const MARGIN: Duration = Duration::from_secs(2);

/// Waits until the engine has finished the last calls of a killed run of `project`; less exact if
/// the engine doesn't answer.
pub(super) async fn settle(ctx: &VerbContext, project: &str) {
    let begun = ctx.host.monotonic();
    ctx.host.sleep(SHORT).await;
    // The killed run may have written records until its end.
    ctx.records(project).read_again();
    let mut longest = Duration::ZERO;
    for id in stopping(ctx, project).await {
        longest = longest.max(grace(ctx, &id).await + MARGIN).min(LONGEST);
    }
    if !longest.is_zero() {
        let text = format!(
            "the engine stops a container for that run, which takes at most {}",
            readable(longest)
        );
        ctx.events.event(&Event::Waiting { text });
    }
    while ctx.host.monotonic().saturating_sub(begun) < longest
        && !stopping(ctx, project).await.is_empty()
    {
        if ctx.cancel.is_cancelled() {
            return;
        }
        ctx.host.sleep(LOOK).await;
    }
}

/// Ids of running containers that the killed run recorded as to be stopped. Every run records this
/// before it calls the engine. If it was killed in between, it did not call: then the containers
/// still run when their grace periods end.
async fn stopping(ctx: &VerbContext, project: &str) -> Vec<String> {
    let remembered = ctx.records(project).state();
    if remembered.stopped.is_empty() {
        return Vec::new();
    }
    let running = ctx
        .engine
        .container_list(false, &label_filter(label::PROJECT, project))
        .await
        .unwrap_or_default();
    running
        .into_iter()
        .filter_map(|container| container.id)
        .filter(|id| remembered.stopped.contains(id))
        .collect()
}

/// The time that the engine waits for a container to stop before it kills it.
async fn grace(ctx: &VerbContext, id: &str) -> Duration {
    let found = ctx.engine.container_inspect(id).await.ok();
    let seconds = found
        .and_then(|found| found.config?.stop_timeout)
        .and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or(DEFAULT_GRACE, Duration::from_secs)
}
