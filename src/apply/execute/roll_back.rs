//! Rolls back a plan that failed or was interrupted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::blockers::State;
use super::super::interrupted_jobs;
use super::super::patience::within;
use super::super::startup_history::StartupHistory;
use super::{PlanExecutor, ended, not_done_after, progress_of};
use crate::model::event::{Event, Level};
use crate::model::plan::{Action, GroupId, Rollback, RollbackAction};
use crate::model::time::readable;
use crate::model::{Failure, Kind};

/// The time limit of one rollback step; a stop also gets its grace period.
const UNDO_STEP: Duration = Duration::from_secs(30);

/// The limits for the wait until a restored container is ready. In between, the limit is twice the
/// time that the last start took. The container may need something that the caller of this run
/// undoes only afterwards, so the limit is short if the run is interrupted.
const UNDO_READY: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(120);

const UNDO_READY_INTERRUPTED: RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_secs(30);

impl PlanExecutor<'_> {
    /// Rolls back the groups that were begun and can't be finished. An interrupt doesn't end this,
    /// only a deadline does.
    pub(super) async fn roll_back(&mut self) {
        let plan = self.execution.plan;
        for group in std::mem::take(&mut self.begun_groups) {
            let Some(back) = plan.rollbacks.get(&group).filter(|back| !self.is_past(back)) else {
                continue;
            };
            let services: BTreeSet<&str> = plan
                .steps
                .iter()
                .filter(|step| step.group == Some(group))
                .filter_map(|step| step.service.as_deref())
                .collect();
            let name = services.iter().copied().collect::<Vec<_>>().join(", ");
            let begun = back
                .undo
                .iter()
                .filter(|undo| undo.of.is_none_or(|step| self.begun.contains(&step)))
                .collect();
            let due = self.of_this_run(begun).await;
            if due.is_empty() {
                continue;
            }
            let restarts =
                due.iter().any(|undo| matches!(undo.action, Action::StartContainer { .. }));
            let (begun, done) = if restarts {
                (
                    "rolling back to the previous container",
                    "the previous container is running again",
                )
            } else {
                (
                    "removing the new container",
                    "the new container is removed; the previous one is unchanged",
                )
            };
            self.execution.ctx.log(Level::Warning, format!("{name}: {begun}"));
            let result = self.undo(due).await;
            let line = match &result {
                Ok(None) => format!("{name}: {done}"),
                Ok(Some(waited)) => format!(
                    "{name}: the previous container is running again, but not ready after {}",
                    readable(*waited)
                ),
                Err(failure) => {
                    format!("{name}: the previous container could not be restored: {failure}")
                }
            };
            self.execution
                .ctx
                .log(if result.is_ok() { Level::Warning } else { Level::Error }, line.clone());
            if result.is_ok() {
                self.rolled_back.insert(group);
            }
            self.went_back.push(line);
        }
        for line in self.went_back.clone() {
            self.say_after_failure(line);
        }
        // Reported together with the rollbacks: a part of the project has one release, the rest
        // another.
        let is_replaced = |back: &Rollback| {
            back.undo.iter().any(|undo| matches!(undo.action, Action::StartContainer { .. }))
        };
        let past = plan
            .rollbacks
            .iter()
            .filter(|(_, back)| is_replaced(back) && self.is_past(back))
            .map(|(group, _)| *group);
        let past: BTreeSet<GroupId> = past.collect();
        let of_past =
            plan.steps.iter().filter(|step| step.group.is_some_and(|group| past.contains(&group)));
        let stay: BTreeSet<&str> = of_past.filter_map(|step| step.service.as_deref()).collect();
        if !stay.is_empty() {
            let names = stay.into_iter().collect::<Vec<_>>().join(", ");
            self.say_after_failure(format!("{names}: already replaced, not rolled back"));
        }
    }

    pub(super) fn say_after_failure(&mut self, line: String) {
        if let Some(failure) = self.failures.first_mut() {
            *failure = failure.clone().detail("after the failure", line);
        }
    }

    /// Ends the jobs that this run started and no longer waits for.
    pub(super) async fn end_jobs(&mut self) {
        let ends =
            interrupted_jobs::ends(self.execution.plan, &|step| self.states[step] == State::Done);
        let due = self.of_this_run(ends.iter().collect()).await;
        let names: BTreeSet<&str> = due.iter().filter_map(|undo| undo.service.as_deref()).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        match self.undo(due).await {
            Ok(_) if names.is_empty() => {}
            Ok(_) => self.execution.ctx.log(
                Level::Warning,
                format!("{names}: stopped before it completed; the next run starts it again"),
            ),
            Err(failure) => self
                .execution
                .ctx
                .log(Level::Error, format!("{names}: could not be ended: {failure}")),
        }
    }

    /// Whether a group is past the point until which it can be rolled back. Then it needs no
    /// rollback.
    pub(super) fn is_past(&self, back: &Rollback) -> bool {
        let mut ends = back.until.iter().map(|&step| self.states[step]);
        ends.clone().any(|state| state == State::Done)
            && ends.all(|state| matches!(state, State::Done | State::Skipped))
    }

    /// If a step can't be undone, the rest of that service stays as it is; other services are still
    /// rolled back. Each step has its own time limit. Returns how long it waited for a container
    /// that is not ready, if there is one.
    pub(super) async fn undo(
        &self,
        due: Vec<&RollbackAction>,
    ) -> Result<Option<Duration>, Failure> {
        let ctx = self.execution.ctx;
        let mut failed: BTreeMap<Option<&str>, Failure> = BTreeMap::new();
        let mut not_ready = None;
        for undo in due {
            let RollbackAction { service, action, .. } = undo;
            let service = service.as_deref();
            if failed.contains_key(&service) {
                continue;
            }
            let limit = self.undo_limit(undo);
            let (label, begun) = (undo.label(), ctx.host.monotonic());
            ctx.events.event(&Event::StepStarted { label: label.clone(), cause: None });
            let report = progress_of(&*ctx.events, label.clone());
            let waits = matches!(action, Action::Wait { .. });
            let what = format!(
                "{}: {} {}",
                service.unwrap_or(&self.execution.plan.project),
                action.kind(),
                action.object()
            );
            if waits {
                ctx.log(Level::Info, format!("{what}, at most {}", readable(limit)));
            }
            let say = |waited| {
                // A wait reports by itself.
                if waited < limit && !waits {
                    report(not_done_after(waited));
                }
            };
            let work = self.execution.perform(
                self.container_events,
                &self.run_state,
                service,
                action,
                &report,
            );
            let result = match within(&*ctx.host, limit, &say, work).await {
                Some(result) => result,
                None if waits => {
                    not_ready = Some(limit);
                    ctx.events.event(&Event::StepInterrupted { label });
                    continue;
                }
                None => {
                    let message = format!(
                        "Could not {} {} within {}",
                        action.kind(),
                        action.object(),
                        readable(limit)
                    );
                    Err(Failure::new(Kind::Timeout, message))
                }
            };
            ctx.events.event(&ended(label, &result, ctx.host.monotonic().saturating_sub(begun)));
            if let Err(failure) = result {
                failed.insert(service, failure);
            }
        }
        failed.into_values().next().map_or(Ok(not_ready), Err)
    }

    /// The time limit of one rollback step.
    pub(super) fn undo_limit(&self, undo: &RollbackAction) -> Duration {
        let service = undo.service.as_deref();
        match undo.action {
            Action::Wait { .. } => {
                let range = if self.interrupted { UNDO_READY_INTERRUPTED } else { UNDO_READY };
                let last = service
                    .and_then(|service| self.execution.startup_histories.get(service))
                    .and_then(StartupHistory::last);
                (last.unwrap_or_default() * 2).clamp(*range.start(), *range.end())
            }
            Action::StopContainer { .. } => self.execution.grace(service) + UNDO_STEP,
            _ => UNDO_STEP,
        }
    }

    /// Omits steps for a container that this run should have created and did not: its name may
    /// belong to another container.
    pub(super) async fn of_this_run<'u>(
        &self,
        undo: Vec<&'u RollbackAction>,
    ) -> Vec<&'u RollbackAction> {
        let mut due = Vec::new();
        for undo in undo {
            let is_ours = match &undo.action {
                Action::StopContainer { container } | Action::RemoveContainer { container, .. } => {
                    self.execution.is_of_this_run(&self.run_state, container).await
                }
                _ => true,
            };
            if is_ours {
                due.push(undo);
            }
        }
        due
    }
}
