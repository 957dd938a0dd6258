//! Watches a replacement for some time after it is ready: `monitor` of `deploy.update_config`.

use std::time::Duration;

use futures::{FutureExt, StreamExt};

use super::super::VerbContext;
use super::super::container_events::{ContainerEvents, Signal};
use super::super::observe::{InspectedContainer, inspect};
use super::probe::probe;
use super::{LOOK_AGAIN, ReadinessWait, WaitTarget, meaning};
use crate::model::observed_state::{ContainerState, Health};
use crate::model::spec::{HealthTest, ProbeMode};
use crate::model::time::readable;
use crate::model::{Failure, Kind};

/// The pause between two probes at the end.
const BETWEEN_PROBES: Duration = Duration::from_secs(1);

/// Watches a ready container for `time`. Its exit is a failure, also if the engine restarts it, and
/// so is a failed health check.
///
/// The engine may run its check less often than that. So spc runs it too when the time is over, up
/// to `retries` times.
pub async fn monitor(
    ctx: &VerbContext,
    container_events: &ContainerEvents,
    waiting: &WaitTarget<'_>,
    time: Duration,
) -> Result<(), Failure> {
    let (_listening, signals) = container_events.listen(waiting.container);
    let wait = ReadinessWait::new(ctx, waiting, &|_| {}, container_events, signals);
    let result = Monitor { wait, time }.run().await;
    result.map_err(|failure| failure.field("service", waiting.service.to_owned()))
}

struct Monitor<'a> {
    wait: ReadinessWait<'a>,
    time: Duration,
}

impl Monitor<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        let mut over = self.wait.ctx.host.sleep(self.time).fuse();
        loop {
            // Not its health: the engine may not know yet that the container became healthy.
            if let Some(seen) = self.look().await?
                && seen.state != ContainerState::Running
            {
                return self.ended(&seen, seen.exit_code).await;
            }
            loop {
                futures::select_biased! {
                    signal = self.wait.signals.next() => match signal {
                        Some(Signal::Died { exit_code }) => {
                            let seen = inspect(&*self.wait.ctx.engine, self.wait.waiting.container).await?;
                            return self.ended(&seen, exit_code).await;
                        }
                        Some(Signal::Unhealthy) => {
                            let seen = inspect(&*self.wait.ctx.engine, self.wait.waiting.container).await?;
                            return Err(self.unhealthy(&seen).await);
                        }
                        Some(Signal::OutOfMemory) => self.wait.out_of_memory = true,
                        Some(Signal::Started | Signal::Healthy) => {}
                        Some(Signal::Removed | Signal::Look) | None => break,
                    },
                    () = over => return self.last_probes().await,
                }
            }
        }
    }

    /// `None` if the engine does not answer: if it restarts, its events come again after that.
    async fn look(&self) -> Result<Option<InspectedContainer>, Failure> {
        match inspect(&*self.wait.ctx.engine, self.wait.waiting.container).await {
            Ok(seen) => Ok(Some(seen)),
            Err(failure) if failure.kind == Kind::NotFound => Err(Failure::new(
                Kind::Unhealthy,
                format!(
                    "\"{}\" was ready, but another program removed its container",
                    self.service()
                ),
            )),
            Err(failure) if failure.kind == Kind::Engine => {
                self.wait.ctx.host.sleep(LOOK_AGAIN).await;
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn last_probes(&mut self) -> Result<(), Failure> {
        let Some(seen) = self.look().await? else { return Ok(()) };
        let is_checked =
            !matches!(HealthTest::from_engine(&seen.test), None | Some(HealthTest::None));
        if !is_checked || self.wait.waiting.probe == ProbeMode::Engine {
            let is_bad = is_checked && seen.health == Health::Unhealthy;
            return if is_bad { Err(self.unhealthy(&seen).await) } else { Ok(()) };
        }
        for attempt in 0..seen.retries.max(1) {
            if attempt > 0 {
                self.wait.ctx.host.sleep(BETWEEN_PROBES.min(seen.interval)).await;
            }
            match probe(self.wait.ctx, &seen, None).await? {
                Some(result) if result.code == 0 => return Ok(()),
                result => self.wait.last_probe = result,
            }
        }
        // It may have exited meanwhile.
        match self.look().await? {
            Some(now) if now.state != ContainerState::Running => {
                self.ended(&now, now.exit_code).await
            }
            _ => Err(self.unhealthy(&seen).await),
        }
    }

    async fn ended(&self, seen: &InspectedContainer, code: i64) -> Result<(), Failure> {
        if code == 0 && !seen.restarts_always && self.wait.may_complete(seen) {
            return Ok(());
        }
        let what = format!("exited with code {code}{}", meaning(code));
        Err(self.failure(seen, &what).await.field("code", code))
    }

    async fn unhealthy(&self, seen: &InspectedContainer) -> Failure {
        self.failure(seen, "its health check fails").await
    }

    async fn failure(&self, seen: &InspectedContainer, what: &str) -> Failure {
        let message = format!(
            "\"{}\" was ready, then {what} while its update was monitored for {}",
            self.service(),
            readable(self.time)
        );
        self.wait.failure(seen, message).await
    }

    fn service(&self) -> &str {
        self.wait.waiting.service
    }
}
