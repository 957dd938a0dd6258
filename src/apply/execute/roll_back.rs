//! Rolls back a plan that failed or was interrupted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::super::actions::RunState;
use super::super::blockers::State;
use super::super::container_events::ContainerEvents;
use super::super::execution::Execution;
use super::super::interrupted_jobs;
use super::super::patience::within;
use super::super::startup_history::StartupHistory;
use super::{PlanExecutor, ended, not_done_after, progress_of};
use crate::model::event::{Event, Level};
use crate::model::plan::{Action, GroupId, Rollback, RollbackAction, StepId};
use crate::model::spec::{FailureAction, RollbackConfig};
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

/// What a rollback reports at its beginning and at its end.
struct RollbackWords {
    /// The services.
    name: String,
    /// How many containers go back.
    count: usize,
    /// Whether old containers start again.
    restarts: bool,
}

impl RollbackWords {
    fn new(name: String, due: &[Vec<&RollbackAction>]) -> Self {
        let starts = |undo: &&RollbackAction| matches!(undo.action, Action::StartContainer { .. });
        Self { name, count: due.len(), restarts: due.iter().flatten().any(starts) }
    }

    fn begun(&self) -> String {
        let Self { name, count, .. } = self;
        match (self.restarts, count) {
            (true, 0..=1) => format!("{name}: rolling back to the previous container"),
            (true, _) => format!("{name}: rolling back to the {count} previous containers"),
            (false, 0..=1) => format!("{name}: removing the new container"),
            (false, _) => format!("{name}: removing the {count} new containers"),
        }
    }

    fn done(&self, results: &[Result<Option<Duration>, Failure>]) -> String {
        let Self { name, count, .. } = self;
        let failed = results.iter().filter_map(|result| result.as_ref().err());
        let failures: Vec<&Failure> = failed.collect();
        let waited = results.iter().filter_map(|result| result.as_ref().ok().copied().flatten());
        let left = count - (results.len() - failures.len()).min(*count);
        match (failures.first(), waited.max(), self.restarts) {
            (Some(failure), _, _) if *count == 1 => {
                format!("{name}: the previous container could not be restored: {failure}")
            }
            (Some(failure), _, _) => format!(
                "{name}: {left} of {count} previous containers could not be restored: {failure}"
            ),
            (None, Some(waited), _) if *count == 1 => format!(
                "{name}: the previous container is running again, but not ready after {}",
                readable(waited)
            ),
            (None, Some(waited), _) => format!(
                "{name}: the {count} previous containers are running again, but not all are ready after {}",
                readable(waited)
            ),
            (None, None, true) if *count == 1 => {
                format!("{name}: the previous container is running again")
            }
            (None, None, true) => {
                format!("{name}: the {count} previous containers are running again")
            }
            (None, None, false) if *count == 1 => {
                format!("{name}: the new container is removed; the previous one is unchanged")
            }
            (None, None, false) => {
                format!("{name}: the new containers are removed; the previous ones are unchanged")
            }
        }
    }
}

/// A container of an update that was rolled back while the update went on.
pub(super) struct RestoredAlone {
    step: StepId,
    group: GroupId,
    words: RollbackWords,
    result: Result<Option<Duration>, Failure>,
}

impl<'a> PlanExecutor<'a> {
    /// Rolls back the groups that were begun and can't be finished; the containers of one update
    /// together, the last ones first, because those before may still be in use. An interrupt
    /// doesn't end this, only a deadline does.
    pub(super) async fn roll_back(&mut self) {
        let plan = self.execution.plan;
        let open: Vec<GroupId> = std::mem::take(&mut self.begun_groups)
            .into_iter()
            .filter(|group| {
                plan.rollbacks.get(group).is_some_and(|back| !self.is_past(*group, back))
            })
            .collect();
        let mut done: BTreeSet<GroupId> = BTreeSet::new();
        for &group in &open {
            if !done.insert(group) {
                continue;
            }
            let update = plan.update_of(group);
            let mut groups: Vec<GroupId> = match update {
                Some(update) => {
                    open.iter().copied().filter(|other| update.groups.contains(other)).collect()
                }
                None => vec![group],
            };
            done.extend(&groups);
            groups.reverse();
            let default = RollbackConfig::default();
            let config = update.map_or(&default, |update| &update.rollback);
            self.roll_back_together(&groups, config).await;
        }
        for line in self.went_back.clone() {
            self.say_after_failure(line);
        }
        self.say_what_stays();
    }

    async fn roll_back_together(&mut self, groups: &[GroupId], config: &RollbackConfig) {
        let mut due = Vec::new();
        for &group in groups {
            let undo = self.undo_run(&self.run_state).of_this_run(self.begun_undo(group)).await;
            if !undo.is_empty() {
                due.push((group, undo));
            }
        }
        if due.is_empty() {
            return;
        }
        let (groups, due): (Vec<GroupId>, Vec<Vec<&RollbackAction>>) = due.into_iter().unzip();
        let words = RollbackWords::new(self.services_of(&groups), &due);
        self.execution.ctx.log(Level::Warning, words.begun());
        let results = self.undo_run(&self.run_state).undo_all(due, config).await;
        for (group, result) in groups.iter().zip(&results) {
            if result.is_ok() {
                self.rolled_back.insert(*group);
            }
        }
        self.went_back(words.done(&results), results.iter().all(Result::is_ok));
    }

    fn went_back(&mut self, line: String, is_ok: bool) {
        let level = if is_ok { Level::Warning } else { Level::Error };
        self.execution.ctx.log(level, line.clone());
        self.went_back.push(line);
    }

    /// The steps that undo what was begun of a group.
    fn begun_undo(&self, group: GroupId) -> Vec<&'a RollbackAction> {
        let back = self.execution.plan.rollbacks.get(&group);
        let undo = back.into_iter().flat_map(|back| &back.undo);
        undo.filter(|undo| undo.of.is_none_or(|step| self.begun.contains(&step))).collect()
    }

    fn services_of(&self, groups: &[GroupId]) -> String {
        let steps = self.execution.plan.steps.iter();
        let services: BTreeSet<&str> = steps
            .filter(|step| step.group.is_some_and(|group| groups.contains(&group)))
            .filter_map(|step| step.service.as_deref())
            .collect();
        services.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// Rolls back one container at once, because the update of its service goes on: until then the
    /// service lacks it. `step` failed.
    pub(super) fn restore_alone<'r>(
        &mut self,
        step: StepId,
        group: GroupId,
        run_state: &'r RunState,
    ) -> BoxFuture<'r, RestoredAlone>
    where
        'a: 'r,
    {
        self.begun_groups.remove(&group);
        let begun = self.begun_undo(group);
        let name = self.services_of(&[group]);
        let run = self.undo_run(run_state);
        async move {
            let due = vec![run.of_this_run(begun).await];
            let words = RollbackWords::new(name, &due);
            run.execution.ctx.log(Level::Warning, words.begun());
            let result = run.undo(due.into_iter().flatten().collect()).await;
            RestoredAlone { step, group, words, result }
        }
        .boxed()
    }

    /// The update goes on, unless the old container could not be restored.
    pub(super) fn is_restored(&mut self, restored: RestoredAlone) {
        let RestoredAlone { step, group, words, result } = restored;
        let is_ok = result.is_ok();
        let results = [result];
        self.went_back(words.done(&results), is_ok);
        let [result] = results;
        match result {
            Ok(_) => drop(self.rolled_back.insert(group)),
            Err(failure) => {
                self.failures.push(failure);
                self.stop.cancel();
            }
        }
        if self.states[step] == State::Running {
            self.enter(step, State::Failed);
        } else {
            self.states[step] = State::Failed;
        }
    }

    fn undo_run<'r>(&self, run_state: &'r RunState) -> UndoRun<'r>
    where
        'a: 'r,
    {
        UndoRun {
            execution: self.execution,
            container_events: self.container_events,
            run_state,
            interrupted: self.interrupted,
        }
    }

    /// Reports which containers stay new, together with the rollbacks: a part of the project has one
    /// release, the rest another.
    fn say_what_stays(&mut self) {
        let plan = self.execution.plan;
        let is_replaced = |back: &Rollback| {
            back.undo.iter().any(|undo| matches!(undo.action, Action::StartContainer { .. }))
        };
        let is_new = |group: &GroupId| {
            !self.given_up.contains(group)
                && !self.rolled_back.contains(group)
                && plan.rollbacks.get(group).is_some_and(|back| self.is_past(*group, back))
        };
        let mut lines = Vec::new();
        let mut mixed: BTreeSet<&str> = BTreeSet::new();
        for update in &plan.updates {
            let (new, all) =
                (update.groups.iter().filter(|group| is_new(group)).count(), update.groups.len());
            if update.groups.is_disjoint(&self.failed_groups) || new == 0 && all == 1 {
                continue;
            }
            mixed.insert(&update.service);
            let name = &update.service;
            match update.on_failure {
                FailureAction::Pause => lines.push(format!(
                    "{name}: the update is paused, {new} of {all} containers are new; the next `up` continues it"
                )),
                FailureAction::Rollback if new == 0 => {}
                FailureAction::Rollback | FailureAction::Continue => {
                    lines.push(format!("{name}: {new} of {all} containers are new"))
                }
            }
        }
        let past = plan
            .rollbacks
            .iter()
            .filter(|(group, back)| is_replaced(back) && self.is_past(**group, back))
            .map(|(group, _)| *group);
        let past: BTreeSet<GroupId> = past.collect();
        let of_past =
            plan.steps.iter().filter(|step| step.group.is_some_and(|group| past.contains(&group)));
        let stay: BTreeSet<&str> = of_past
            .filter_map(|step| step.service.as_deref())
            .filter(|service| !mixed.contains(service))
            .collect();
        if !stay.is_empty() {
            let names = stay.into_iter().collect::<Vec<_>>().join(", ");
            lines.push(format!("{names}: already replaced, not rolled back"));
        }
        for line in lines {
            self.say_after_failure(line);
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
        let run = self.undo_run(&self.run_state);
        let due = run.of_this_run(ends.iter().collect()).await;
        let names: BTreeSet<&str> = due.iter().filter_map(|undo| undo.service.as_deref()).collect();
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        match run.undo(due).await {
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
    /// rollback. A container that its update gave up doesn't count, and after an interrupt only the
    /// group's own steps do.
    pub(super) fn is_past(&self, group: GroupId, back: &Rollback) -> bool {
        let plan = self.execution.plan;
        let counts = |step: &&StepId| match plan.steps[**step].group {
            Some(other) if other != group && plan.update_of(group).is_some() => {
                !self.interrupted && !self.given_up.contains(&other)
            }
            _ => true,
        };
        let mut ends = back.until.iter().filter(counts).map(|&step| self.states[step]);
        ends.clone().any(|state| state == State::Done)
            && ends.all(|state| matches!(state, State::Done | State::Skipped))
    }
}

/// Undoes steps of a plan.
#[derive(Clone, Copy)]
pub(super) struct UndoRun<'r> {
    execution: &'r Execution<'r>,
    container_events: &'r ContainerEvents,
    run_state: &'r RunState,
    interrupted: bool,
}

impl UndoRun<'_> {
    /// Undoes several groups, as `rollback_config` says. If one can't be undone, the rest may stay
    /// as it is; then there are fewer results.
    async fn undo_all(
        &self,
        due: Vec<Vec<&RollbackAction>>,
        config: &RollbackConfig,
    ) -> Vec<Result<Option<Duration>, Failure>> {
        let size = match config.parallelism {
            0 => due.len(),
            most => most as usize,
        };
        let allowed = config.max_failure_ratio.of(u32::try_from(due.len()).unwrap_or(u32::MAX));
        let mut results: Vec<Result<Option<Duration>, Failure>> = Vec::new();
        for batch in due.chunks(size) {
            let failed = results.iter().filter(|result| result.is_err()).count();
            if failed > allowed as usize && !config.goes_on {
                break;
            }
            if !results.is_empty() && !config.delay.is_zero() && !self.interrupted {
                self.execution.ctx.host.sleep(config.delay).await;
            }
            let undone = batch.iter().map(|due| self.undo(due.clone()));
            results.extend(futures::future::join_all(undone).await);
        }
        results
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
                self.run_state,
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
            Action::Monitor { time, .. } => time + UNDO_STEP,
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
                    self.execution.is_of_this_run(self.run_state, container).await
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
