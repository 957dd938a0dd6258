//! After a run that was killed, the engine may still be at the call that it made last.
//!
//! Who takes its lock over at once sees what is not yet done: a container that is about to be
//! created, or is just being stopped.

use std::time::Duration;

use super::VerbContext;
use crate::engine::label_filter;
use crate::model::event::Event;
use crate::model::names::label;
use crate::model::time::format_duration;

/// What the engine takes for calls that don't wait for a process: to create, connect, rename,
/// start.
const SHORT: Duration = Duration::from_secs(1);
/// As long as a lock is waited for whose owner is not known to be gone, so that looking at it never
/// makes a run later.
const LONGEST: Duration = Duration::from_secs(30);
/// How often a container is looked at that is being stopped.
const LOOK: Duration = Duration::from_millis(500);
/// Docker's grace period of a container that doesn't set one, from the signal to the kill.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);
/// What the engine takes to stop a container beside its grace period.
const MARGIN: Duration = Duration::from_secs(2);

/// Waits until the engine is done with what a killed run of `project` asked of it last; less exact
/// where the engine doesn't answer.
pub(super) async fn settle(ctx: &VerbContext, project: &str) {
    let begun = ctx.host.monotonic();
    ctx.host.sleep(SHORT).await;
    // Up to its end that run may have noted more.
    ctx.records(project).read_again();
    let mut longest = Duration::ZERO;
    for id in stopping(ctx, project).await {
        longest = longest.max(grace(ctx, &id).await + MARGIN).min(LONGEST);
    }
    if !longest.is_zero() {
        let text = format!(
            "the engine stops a container for that run, which takes at most {}",
            format_duration(longest)
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

/// Ids of containers that run and that the killed run noted to stop, which every run does before it
/// asks the engine. Killed between the two, it did not ask: then they go on running, and the end of
/// their grace periods says so.
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

/// How long the engine waits for a container to stop before it kills it.
async fn grace(ctx: &VerbContext, id: &str) -> Duration {
    let found = ctx.engine.container_inspect(id).await.ok();
    let seconds = found
        .and_then(|found| found.config?.stop_timeout)
        .and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or(DEFAULT_GRACE, Duration::from_secs)
}
