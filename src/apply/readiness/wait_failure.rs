//! Explains why a container did not become ready: its exit, its last probe, its last log lines.

use std::time::Duration;

use super::super::logs::last_lines;
use super::super::observe::{InspectedContainer, inspect};
use super::{ReadinessWait, meaning};
use crate::model::failure::unpause;
use crate::model::observed_state::ContainerState;
use crate::model::plan::WaitCondition;
use crate::model::spec::HealthTest;
use crate::model::symptoms;
use crate::model::time::readable;
use crate::model::{Failure, Kind};

/// Lines of log shown with a failure.
const LOG_LINES: u64 = 20;

/// The hint if a service ended with code 0 and was expected to keep running.
const KEEPS_RUNNING: &str = "its command ended without an error. A service needs a command that keeps running. A job has no ports, no health check and no \
                             `restart`, or another service waits for it with `condition: \"service_completed_successfully\"`";

impl ReadinessWait<'_> {
    /// A remark that a container ended again and again, after the text `before`; empty if it did
    /// not.
    pub(super) fn ends_so_far(&self, before: &str) -> String {
        match self.last_exit {
            Some(code) if self.exits > 1 => {
                format!("{before}it exited {} times, the last time with code {code}", self.exits)
            }
            Some(code) => format!("{before}it exited with code {code}"),
            None => String::new(),
        }
    }

    /// The failure of a wait for the end of a container that the engine always restarts.
    pub(super) async fn never_completes(&self, seen: &InspectedContainer) -> Failure {
        let service = self.waiting.service;
        let message =
            format!("\"{service}\" never completes: the engine starts it again whenever it ends");
        self.failure(seen, message).await.hint(format!(
            "change its restart policy: give \"{service}\" `restart: \"no\"` or \"on-failure\""
        ))
    }

    pub(super) async fn exit_failure(&self, seen: &InspectedContainer, code: i64) -> Failure {
        let times = if self.exits > 1 { format!(" {} times", self.exits) } else { String::new() };
        let message =
            format!("\"{}\" exited{times} with code {code}{}", self.waiting.service, meaning(code));
        self.failure_of_exit(seen, message, code).await
    }

    /// A failure because of an exit. Code 0 gets a hint: the service was expected to keep running.
    pub(super) async fn failure_of_exit(
        &self,
        seen: &InspectedContainer,
        message: String,
        code: i64,
    ) -> Failure {
        let failure = self.failure(seen, message).await.field("code", code);
        if code == 0 && failure.hint.is_none() { failure.hint(KEEPS_RUNNING) } else { failure }
    }

    pub(super) async fn too_late(&self, seen: &InspectedContainer) -> Failure {
        let waited = readable(Duration::from_millis(
            u64::try_from(self.allowed(seen).as_millis()).unwrap_or(u64::MAX),
        ));
        // The engine may know more now than at the last look.
        let now = inspect(&*self.ctx.engine, self.waiting.container).await;
        let seen = now.as_ref().unwrap_or(seen);
        let what = if self.waiting.until == WaitCondition::Completed {
            "has not completed"
        } else {
            "is not ready"
        };
        let paused = if seen.state == ContainerState::Paused { Some(&seen.name) } else { None };
        let why = paused.map_or_else(
            || self.ends_so_far(": "),
            |name| format!(": the container \"{name}\" is paused"),
        );
        let mut failure = self
            .failure(seen, format!("\"{}\" {what} after {waited}{why}", self.waiting.service))
            .await;
        if let Some(name) = paused {
            failure = failure.hint(unpause(name));
        } else if failure.hint.is_none()
            && let Some(limit) = self.origin_of_limit(seen)
        {
            failure = failure.hint(limit);
        }
        failure.kind =
            if self.waiting.deadline.is_some() { Kind::Timeout } else { Kind::Unhealthy };
        failure
    }

    /// Says which setting limits the wait; `None` if none does.
    fn origin_of_limit(&self, seen: &InspectedContainer) -> Option<String> {
        if self.waiting.deadline.is_some() {
            return Some("the call sets this limit, with `timeout`".to_owned());
        }
        let is_checked =
            !matches!(HealthTest::from_engine(&seen.test), None | Some(HealthTest::None));
        (is_checked && self.waiting.until == WaitCondition::Ready).then(|| {
            let start_period = match seen.start_period {
                Duration::ZERO => String::new(),
                time => format!("start_period {} + ", readable(time)),
            };
            format!(
                "its health check sets this limit: {start_period}(interval {} + timeout {}) × (retries {} + 1)",
                readable(seen.interval),
                readable(seen.timeout),
                seen.retries
            )
        })
    }

    /// A failure with the information that explains it: probe output, exit code, out of memory,
    /// last log lines.
    pub(super) async fn failure(&self, seen: &InspectedContainer, message: String) -> Failure {
        let mut failure =
            Failure::new(Kind::Unhealthy, message).field("container", seen.name.clone());
        if seen.oom_killed || self.out_of_memory {
            failure = failure
                .field("oom_killed", true)
                .hint("it ran out of memory: raise its limit, or make it use less");
        } else if !seen.error.is_empty() {
            failure = failure.hint(seen.error.clone());
        }
        let log = self.last_log(seen).await;
        if let Some(probe) = &self.last_probe {
            failure = failure.field("probe_code", probe.code).detail(
                format!("last probe, exit code {}, after {}", probe.code, readable(probe.elapsed)),
                probe.output.clone(),
            );
        } else if let Some((output, code)) = &seen.last_check {
            failure = failure.field("probe_code", *code).detail(
                format!("the engine's last health check, exit code {code}"),
                output.clone(),
            );
        }
        let (title, log) = log;
        let failure = failure.detail(title, log);
        let known = failure.details.iter().find_map(|detail| symptoms::advice(&detail.text));
        match known.filter(|_| failure.hint.is_none()) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// The last lines of the current start. In a crash loop this start may have written nothing
    /// yet; then those of an earlier start.
    pub(super) async fn last_log(&self, seen: &InspectedContainer) -> (&'static str, String) {
        let newest = inspect(&*self.ctx.engine, &seen.id)
            .await
            .map(|now| now.started_at)
            .unwrap_or_default();
        for started_at in [&newest, &seen.started_at] {
            let log = last_lines(self.ctx, &seen.id, seen.tty, Some(started_at), LOG_LINES).await;
            if !log.is_empty() || (started_at == &seen.started_at && self.exits < 2) {
                return ("last log lines", log);
            }
        }
        (
            "last log lines, of an earlier start",
            last_lines(self.ctx, &seen.id, seen.tty, None, LOG_LINES).await,
        )
    }
}
