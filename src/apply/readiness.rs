//! Readiness: spc runs a container's health check itself, in addition to the engine. The first
//! check that passes counts.

mod monitor;
mod probe;
mod wait_failure;

use std::time::Duration;

use futures::channel::mpsc::UnboundedReceiver;
use futures::{FutureExt, StreamExt};

pub use self::monitor::monitor;
pub use self::probe::{ContainerCommand, ProbeResult, cannot_run, probe, run_in};
use self::probe::{pause, shown};
use super::container_events::{ContainerEvents, Signal};
use super::observe::{InspectedContainer, inspect};
use super::patience::until_next_word;
use super::recent_restarts::STEADY;
use super::startup_history::StartupHistory;
use super::{OnProgress, VerbContext};
use crate::model::event::{Detail, StepStatus};
use crate::model::observed_state::{ContainerState, Health};
use crate::model::plan::WaitCondition;
use crate::model::spec::{HealthTest, ProbeMode};
use crate::model::time::readable;
use crate::model::{Failure, Kind};
/// A container without a health check is ready once it has run for this time. So a container that
/// exits immediately does not count as ready.
const SETTLE: Duration = Duration::from_millis(300);
/// The longest time between the moment when no command can run in a container and the engine's
/// report of its exit.
const ENDING: Duration = Duration::from_millis(100);
/// A container that exits this often during the wait will not become ready.
const EXITS_TOLERATED: u32 = 3;
/// A job that fails this often will not complete, if its restart policy sets no limit. The engine's
/// pauses, which double from 100 ms on, add up to about 100 s.
const RETRIES_TOLERATED: u32 = 11;
/// If an engine does not answer for this long, it is not just restarting.
const ENGINE_AWAY: Duration = Duration::from_secs(30);
/// The pause between two attempts to reach the engine.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// The container to wait for.
pub struct WaitTarget<'a> {
    pub container: &'a str,
    /// The service for messages, or the container's name if it belongs to no service.
    pub service: &'a str,
    pub until: WaitCondition,
    pub probe: ProbeMode,
    /// Whether an exit with code 0 is a success. `None`: the container's settings decide.
    pub may_complete: Option<bool>,
    /// The time limit; by default from the settings of the check.
    pub deadline: Option<Duration>,
    /// How long earlier starts took, for a container that was just started.
    pub startup_history: Option<&'a StartupHistory>,
}

/// How the container became ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    pub elapsed: Duration,
    /// If spc's own probe passed before the engine's check: the container's start, for the records.
    pub own_pass: Option<String>,
    pub completed: bool,
    /// How long it took, if a check decided that it is ready.
    pub startup_history: Option<StartupHistory>,
}

/// Waits until the container is ready or completed.
///
/// Calls `progress` with the current status whenever it changes.
pub async fn wait(
    ctx: &VerbContext,
    container_events: &ContainerEvents,
    waiting: &WaitTarget<'_>,
    progress: &OnProgress<'_>,
) -> Result<Readiness, Failure> {
    let begun = ctx.host.monotonic();
    // Listen before the inspection, so that no event is missed in between.
    let (_listening, signals) = container_events.listen(waiting.container);
    let mut wait = ReadinessWait::new(ctx, waiting, progress, container_events, signals);
    match wait.run().await {
        Ok(mut ready) => {
            ready.elapsed = ctx.host.monotonic().saturating_sub(begun);
            Ok(ready)
        }
        Err(failure) => Err(failure.field("service", waiting.service.to_owned())),
    }
}

/// Handles a container that exited during the run after it was ready. If it has a health check and
/// the engine restarts it, waits for it again. Fails at the third exit.
///
/// # Errors
/// Fails with the kind `unhealthy`, unless it became ready again, or was a job that completed.
pub async fn ended(
    ctx: &VerbContext,
    container_events: &ContainerEvents,
    waiting: &WaitTarget<'_>,
    exit_code: i64,
    times: u32,
) -> Result<(), Failure> {
    let seen = match inspect(&*ctx.engine, waiting.container).await {
        Ok(seen) => seen,
        Err(failure) if failure.kind == Kind::NotFound => {
            let message = format!(
                "\"{}\" was ready, but another program removed its container",
                waiting.service
            );
            return Err(
                Failure::new(Kind::Unhealthy, message).field("service", waiting.service.to_owned())
            );
        }
        Err(failure) => return Err(failure),
    };
    let is_checked = !matches!(HealthTest::from_engine(&seen.test), None | Some(HealthTest::None));
    // With `on-failure` only after a failure.
    let starts_again = seen.restarts_always || seen.restarts && exit_code != 0;
    if is_checked && starts_again && times < EXITS_TOLERATED {
        return wait(ctx, container_events, waiting, &|_| {}).await.map(drop);
    }
    let (_listening, signals) = container_events.listen(waiting.container);
    let wait = ReadinessWait::new(ctx, waiting, &|_| {}, container_events, signals);
    if exit_code == 0 && !seen.restarts_always && wait.may_complete(&seen) {
        return Ok(());
    }
    let again = if starts_again { ", and the engine starts it again" } else { "" };
    let message = format!(
        "\"{}\" was ready, then exited with code {exit_code}{}{again}",
        waiting.service,
        meaning(exit_code)
    );
    let failure = wait.failure_of_exit(&seen, message, exit_code).await;
    Err(failure.field("service", waiting.service.to_owned()))
}

struct ReadinessWait<'a> {
    ctx: &'a VerbContext,
    waiting: &'a WaitTarget<'a>,
    progress: &'a OnProgress<'a>,
    begun: Duration,
    signals: UnboundedReceiver<Signal>,
    container_events: &'a ContainerEvents,
    /// The last reported status.
    reason: String,
    /// The monotonic time of the last report; initially the start of the wait.
    last_word: Duration,
    exits: u32,
    /// The exit code of its last exit, if known.
    last_exit: Option<i64>,
    out_of_memory: bool,
    last_probe: Option<ProbeResult>,
    /// The monotonic time since which the engine does not answer.
    away_since: Option<Duration>,
    /// Whether the container was inspected.
    is_seen: bool,
    /// Whether the engine had already restarted it before the first inspection.
    is_restarted: bool,
}

fn probed(exit_code: Option<i64>) -> StepStatus {
    let text =
        exit_code.map_or_else(|| "probing".to_owned(), |code| format!("probing, exit code {code}"));
    StepStatus::new(text, Detail::Probing { exit_code })
}

/// What ended one part of the wait.
enum WaitResult {
    Ready(Readiness),
    /// The container's state changed, so it has to be inspected again.
    Look,
}

impl<'a> ReadinessWait<'a> {
    fn new(
        ctx: &'a VerbContext,
        waiting: &'a WaitTarget<'a>,
        progress: &'a OnProgress<'a>,
        container_events: &'a ContainerEvents,
        signals: UnboundedReceiver<Signal>,
    ) -> Self {
        Self {
            ctx,
            waiting,
            progress,
            begun: ctx.host.monotonic(),
            signals,
            container_events,
            reason: String::new(),
            last_word: ctx.host.monotonic(),
            exits: 0,
            last_exit: None,
            out_of_memory: false,
            last_probe: None,
            away_since: None,
            is_seen: false,
            is_restarted: false,
        }
    }

    async fn run(&mut self) -> Result<Readiness, Failure> {
        loop {
            let seen = match inspect(&*self.ctx.engine, self.waiting.container).await {
                Ok(seen) => seen,
                Err(failure) => {
                    self.not_seen(failure).await?;
                    continue;
                }
            };
            self.away_since = None;
            self.look_at_restarts(&seen);
            let turn = match seen.state {
                ContainerState::Running => self.while_running(&seen).await?,
                ContainerState::Exited | ContainerState::Dead => self.exited(&seen).await?,
                ContainerState::Restarting => {
                    self.last_exit = Some(seen.exit_code);
                    self.say(
                        format!("exited with code {}, the engine starts it again", seen.exit_code)
                            .into(),
                    );
                    self.until_signal(&seen).await?
                }
                ContainerState::Paused => {
                    self.say("paused".into());
                    self.until_signal(&seen).await?
                }
                ContainerState::Removing => {
                    self.say("being removed".into());
                    self.until_signal(&seen).await?
                }
                ContainerState::Created => {
                    return Err(self
                        .failure(
                            &seen,
                            format!("\"{}\" was created but not started", self.waiting.service),
                        )
                        .await);
                }
            };
            if let WaitResult::Ready(ready) = turn {
                return Ok(ready);
            }
        }
    }

    /// Handles the first inspection. A container that the engine has just restarted has to keep
    /// running, and its earlier exits count.
    fn look_at_restarts(&mut self, seen: &InspectedContainer) {
        if std::mem::replace(&mut self.is_seen, true) || seen.restart_count == 0 || !seen.restarts {
            return;
        }
        let started = chrono::DateTime::parse_from_rfc3339(&seen.started_at).ok();
        let up = started.map(|started| self.ctx.host.now().signed_duration_since(started));
        let is_steady = seen.state == ContainerState::Running
            && up.and_then(|up| up.to_std().ok()).is_some_and(|up| up >= STEADY);
        if !is_steady {
            self.is_restarted = true;
            self.exits = u32::try_from(seen.restart_count).unwrap_or(u32::MAX);
        }
    }

    /// Handles a failed inspection. A restarting engine is back soon and starts its containers.
    async fn not_seen(&mut self, failure: Failure) -> Result<(), Failure> {
        if failure.kind == Kind::NotFound {
            return Err(Failure::new(
                Kind::Unhealthy,
                format!("\"{}\" was removed while spc waited for it", self.waiting.service),
            ));
        }
        let now = self.ctx.host.monotonic();
        let is_news = self.away_since.is_none();
        if failure.kind != Kind::Engine
            || now.saturating_sub(*self.away_since.get_or_insert(now)) >= ENGINE_AWAY
        {
            return Err(failure);
        }
        if is_news {
            self.say(StepStatus::new("the engine does not answer", Detail::Waiting));
        }
        // The next inspection shows the effect of events in between.
        self.ctx.host.sleep(LOOK_AGAIN).await;
        Ok(())
    }

    async fn while_running(&mut self, seen: &InspectedContainer) -> Result<WaitResult, Failure> {
        if self.waiting.until == WaitCondition::Completed {
            if seen.restarts_always {
                return Err(self.never_completes(seen).await);
            }
            self.say("running".into());
            return self.until_signal(seen).await;
        }
        let Some(HealthTest::Command(_) | HealthTest::Shell(_)) =
            HealthTest::from_engine(&seen.test)
        else {
            return self.settle(seen).await;
        };
        if seen.health == Health::Healthy {
            return Ok(WaitResult::Ready(ready(None)));
        }
        self.probe_and_listen(seen).await
    }

    /// Without a check, a running container is ready, unless it exits at once.
    async fn settle(&mut self, seen: &InspectedContainer) -> Result<WaitResult, Failure> {
        let mut settled =
            self.ctx.host.sleep(if self.is_restarted { STEADY } else { SETTLE }).fuse();
        loop {
            futures::select_biased! {
                signal = self.signals.next() => if self.heard(signal, seen).await? { return Ok(WaitResult::Look) },
                () = settled => return Ok(WaitResult::Ready(ready(None))),
            }
        }
    }

    async fn until_signal(&mut self, seen: &InspectedContainer) -> Result<WaitResult, Failure> {
        let mut deadline = self.deadline(seen);
        let mut next_word = self.until_next_word();
        loop {
            futures::select_biased! {
                signal = self.signals.next() => if self.heard(signal, seen).await? { return Ok(WaitResult::Look) },
                () = deadline => return Err(self.too_late(seen).await),
                () = next_word => {
                    self.say_again();
                    // The inspection detects an engine that disappeared without closing the
                    // connection.
                    return Ok(WaitResult::Look);
                }
            }
        }
    }

    /// Reports the status.
    fn say(&mut self, standing: StepStatus) {
        self.reason.clone_from(&standing.text);
        (self.progress)(standing);
    }

    fn until_next_word(&self) -> futures::future::Fuse<futures::future::BoxFuture<'static, ()>> {
        let pause = until_next_word(self.last_word.saturating_sub(self.begun));
        let since = self.ctx.host.monotonic().saturating_sub(self.last_word);
        self.ctx.host.sleep(pause.saturating_sub(since)).fuse()
    }

    /// Reports that the status has not changed.
    fn say_again(&mut self) {
        self.last_word = self.ctx.host.monotonic();
        let waited = readable(self.last_word.saturating_sub(self.begun));
        (self.progress)(StepStatus::new(
            format!("{}, for {waited}{}", self.reason, self.ends_so_far("; ")),
            Detail::Waiting,
        ));
    }

    async fn probe_and_listen(&mut self, seen: &InspectedContainer) -> Result<WaitResult, Failure> {
        let ctx = self.ctx;
        let own = self.waiting.probe == ProbeMode::Own;
        let mut deadline = self.deadline(seen);
        let probing_since = ctx.host.monotonic();
        let probe_delay = self
            .waiting
            .startup_history
            .map_or(Duration::ZERO, |history| history.probe_delay(&seen.made_of()))
            .saturating_sub(probing_since.saturating_sub(self.begun));
        // One probe of spc at a time. The first one starts immediately if the container may already
        // be ready.
        let (mut probing, mut resting) = match own {
            true if probe_delay.is_zero() => {
                (Box::pin(probe(ctx, seen, None)).fuse(), futures::future::Fuse::terminated())
            }
            true => (futures::future::Fuse::terminated(), ctx.host.sleep(probe_delay).fuse()),
            false => (futures::future::Fuse::terminated(), futures::future::Fuse::terminated()),
        };
        self.say(if own { probed(None) } else { "waiting for the engine's health check".into() });
        let mut next_word = self.until_next_word();
        loop {
            futures::select_biased! {
                signal = self.signals.next() => {
                    if signal == Some(Signal::Healthy) {
                        return Ok(WaitResult::Ready(self.ready_after(seen, None)));
                    }
                    if self.heard(signal, seen).await? {
                        return Ok(WaitResult::Look);
                    }
                }
                result = probing => match result {
                    Err(failure) if failure.kind == Kind::Engine => {
                        ctx.host.sleep(LOOK_AGAIN).await;
                        return Ok(WaitResult::Look);
                    }
                    Err(failure) => return Err(failure),
                    Ok(Some(result)) if result.code == 0 => return Ok(WaitResult::Ready(self.ready_after(seen, Some(seen.started_at.clone())))),
                    Ok(Some(result)) if cannot_run(result.code) => {
                        if self.ends_now(seen).await? {
                            return Ok(WaitResult::Look);
                        }
                        let message = format!("The health check of \"{}\" can't run: exit code {}", self.waiting.service, result.code);
                        self.last_probe = Some(result);
                        let hint = format!("its test is {}: install the program in the image, or use one that it has", shown(&seen.test));
                        return Err(self.failure(seen, message).await.hint(hint));
                    }
                    Ok(Some(result)) => {
                        self.say(probed(Some(result.code)));
                        let waited = ctx.host.monotonic().saturating_sub(probing_since);
                        resting = ctx.host.sleep(pause(waited, result.elapsed, self.container_events.waited_for())).fuse();
                        self.last_probe = Some(result);
                    }
                    // The probe took longer than the health check allows, so spc runs no more
                    // probes.
                    Ok(None) => self.say("the probe timed out; waiting for the engine's health check".into()),
                },
                () = resting => probing = Box::pin(probe(ctx, seen, None)).fuse(),
                () = next_word => {
                    self.say_again();
                    next_word = self.until_next_word();
                }
                () = deadline => return Err(self.too_late(seen).await),
            }
        }
    }

    fn ready_after(&self, seen: &InspectedContainer, own_pass: Option<String>) -> Readiness {
        let elapsed = self.ctx.host.monotonic().saturating_sub(self.begun);
        Readiness {
            startup_history: Some(StartupHistory::new(seen.made_of(), elapsed)),
            ..ready(own_pass)
        }
    }

    /// Whether the container is exiting. Then no command can run in it, and the engine will report
    /// its exit.
    async fn ends_now(&self, seen: &InspectedContainer) -> Result<bool, Failure> {
        self.ctx.host.sleep(ENDING).await;
        let now = inspect(&*self.ctx.engine, self.waiting.container).await?;
        Ok(now.state != ContainerState::Running || now.started_at != seen.started_at)
    }

    /// Handles a signal. Returns whether to look at the container again.
    async fn heard(
        &mut self,
        signal: Option<Signal>,
        seen: &InspectedContainer,
    ) -> Result<bool, Failure> {
        match signal {
            // A temporary "unhealthy" before the deadline is not a failure.
            Some(Signal::Healthy | Signal::Unhealthy) => Ok(false),
            Some(Signal::Died { exit_code }) => {
                self.exits += 1;
                self.last_exit = Some(exit_code);
                if seen.restarts
                    && self.exits >= EXITS_TOLERATED
                    && self.waiting.until == WaitCondition::Ready
                {
                    return Err(self.exit_failure(seen, exit_code).await);
                }
                if self.waiting.until == WaitCondition::Completed
                    && exit_code != 0
                    && self.is_retried_for_ever(seen)
                {
                    return Err(self.exit_failure(seen, exit_code).await);
                }
                Ok(true)
            }
            Some(Signal::Started | Signal::Look) | None => Ok(true),
            Some(Signal::OutOfMemory) => {
                self.out_of_memory = true;
                Ok(false)
            }
            Some(Signal::Removed) => Err(self
                .failure(
                    seen,
                    format!("\"{}\" was removed while spc waited for it", self.waiting.service),
                )
                .await),
        }
    }

    async fn exited(&mut self, seen: &InspectedContainer) -> Result<WaitResult, Failure> {
        let code = seen.exit_code;
        if code == 0 && (self.waiting.until == WaitCondition::Completed || self.may_complete(seen))
        {
            self.say(StepStatus::new("completed", Detail::Completed));
            return Ok(WaitResult::Ready(Readiness { completed: true, ..ready(None) }));
        }
        // It may have exited before spc listened.
        self.exits = self.exits.max(1);
        if seen.restarts && seen.restart_count > 0 {
            // The engine's count is correct even if events were missed.
            self.exits = u32::try_from(seen.restart_count).unwrap_or(u32::MAX).saturating_add(1);
        }
        self.last_exit = Some(code);
        if seen.restarts
            && self.exits < EXITS_TOLERATED
            && self.waiting.until == WaitCondition::Ready
        {
            self.say(format!("exited with code {code}, the engine starts it again").into());
            return self.until_signal(seen).await;
        }
        Err(self.exit_failure(seen, code).await)
    }

    /// Whether the engine has restarted a failing job so often that it will not succeed, and would
    /// continue for ever.
    fn is_retried_for_ever(&mut self, seen: &InspectedContainer) -> bool {
        let exits = u32::try_from(seen.restart_count).unwrap_or(u32::MAX).saturating_add(1);
        self.exits = self.exits.max(exits);
        seen.restarts && seen.restart_limit == 0 && exits >= RETRIES_TOLERATED
    }

    fn may_complete(&self, seen: &InspectedContainer) -> bool {
        let unchecked =
            || matches!(HealthTest::from_engine(&seen.test), None | Some(HealthTest::None));
        self.waiting
            .may_complete
            .unwrap_or_else(|| !seen.restarts_always && !seen.publishes && unchecked())
    }

    /// The time limit of the check, measured from the beginning of the wait.
    fn deadline(
        &self,
        seen: &InspectedContainer,
    ) -> futures::future::Fuse<futures::future::BoxFuture<'static, ()>> {
        let allowed = self.allowed(seen);
        let used = self.ctx.host.monotonic().saturating_sub(self.begun);
        self.ctx.host.sleep(allowed.saturating_sub(used)).fuse()
    }

    fn allowed(&self, seen: &InspectedContainer) -> Duration {
        const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);
        match (self.waiting.deadline, self.waiting.until) {
            (Some(deadline), _) => deadline,
            (None, WaitCondition::Completed) => NEVER,
            (None, WaitCondition::Ready) => {
                seen.start_period + (seen.interval + seen.timeout) * (seen.retries + 1)
            }
        }
    }
}

fn ready(own_pass: Option<String>) -> Readiness {
    Readiness { elapsed: Duration::ZERO, own_pass, completed: false, startup_history: None }
}

/// The usual meaning of an exit code for users of Docker.
fn meaning(code: i64) -> &'static str {
    match code {
        125 => " (the engine could not run it)",
        126 => " (the command can't be executed)",
        127 => " (the command was not found)",
        137 => " (killed)",
        139 => " (segmentation fault)",
        143 => " (terminated)",
        _ => "",
    }
}
