//! Executes a plan: each step as soon as the steps that it waits for are done. Makes no decisions.

mod roll_back;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::actions::RunState;
use super::blockers::{Blockers, State};
use super::container_events::{ContainerEvents, ContainerExit};
pub use super::execution::{CreatedContainer, Execution, ExecutionReport};
use super::patience::spoken_of;
use super::readiness::{self, WaitTarget};
use super::running_commands::end_left;
use super::scheduler::Scheduler;
use crate::model::event::{Detail, Event, Level, Sink, StepStatus};
use crate::model::image_reference::canonical;
use crate::model::plan::{Action, GroupId, Step, StepId, WaitCondition};
use crate::model::spec::{FailureAction, Service};
use crate::model::step::StepLabel;
use crate::model::time::readable;
use crate::model::{Failure, Kind};

/// The next step after an interrupt.
pub const GOES_ON: &str = "run the same command again to continue";
/// The title of the list of steps that were done before an interrupt.
pub const DONE: &str = "done";
impl Execution<'_> {
    /// Executes the plan to its end, or as far as possible. Rolls back what was begun and can't be
    /// finished.
    pub async fn run(&self) -> (ExecutionReport, Result<(), Failure>) {
        let container_events = ContainerEvents::new(&self.plan.project);
        // Subscribed before the first start, so that no event is missed.
        let waits = self.plan.steps.iter().any(|step| matches!(step.action, Action::Wait { .. }));
        let events = if waits || !self.kept.is_empty() {
            match container_events.subscribe(self.ctx).await {
                Ok(events) => Some(events),
                Err(failure) => return (ExecutionReport::default(), Err(failure)),
            }
        } else {
            None
        };
        self.kept.iter().for_each(|kept| container_events.rely_on(&kept.id));
        let mut walk = PlanExecutor::new(self, &container_events);
        let dispatch = async {
            match events {
                Some(events) => container_events.dispatch(self.ctx, events).await,
                None => futures::future::pending().await,
            }
        };
        let result = futures::select_biased! {
            result = Box::pin(walk.run()).fuse() => result,
            () = Box::pin(dispatch).fuse() => Ok(()),
        };
        if self.ctx.cancel.is_cancelled() {
            end_left(self.ctx).await;
        }
        let changes = (0..self.plan.steps.len())
            .filter(|&id| walk.states[id] == State::Done && self.plan.steps[id].action.changes())
            .count();
        let known = walk.run_state.with(|known| known.clone());
        (
            ExecutionReport {
                passes: known.passes,
                ready: known.ready,
                startup_histories: known.startup_histories,
                created: walk.created(&known.containers),
                stopped: known.stopped,
                changes,
            },
            result,
        )
    }
}

/// What the failure of a step means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaction {
    /// The run fails.
    Fail,
    /// The group is rolled back alone, and the update of the service goes on.
    GoOn(GroupId),
    /// Another step of the container has failed before.
    Known,
}

struct PlanExecutor<'a> {
    execution: &'a Execution<'a>,
    container_events: &'a ContainerEvents,
    run_state: RunState,
    states: Vec<State>,
    /// Step → the steps that wait for it.
    dependents: Vec<Vec<StepId>>,
    /// For each step, the number of steps before it whose result is still open.
    unsettled: Vec<usize>,
    /// The steps to look at: no open step is left before them, or one of those failed.
    due: BTreeSet<StepId>,
    /// Steps that were started, whatever their result.
    begun: BTreeSet<StepId>,
    begun_groups: BTreeSet<GroupId>,
    /// Groups of which nothing more is done, because they are or will be rolled back.
    broken_groups: BTreeSet<GroupId>,
    /// Groups of updates in which something failed.
    failed_groups: BTreeSet<GroupId>,
    /// Those of them without which their update goes on.
    given_up: BTreeSet<GroupId>,
    /// Their failures.
    tolerated: Vec<Failure>,
    /// Cancels the long steps of the update of a service.
    update_stops: BTreeMap<&'a str, CancellationToken>,
    /// Groups that were rolled back.
    rolled_back: BTreeSet<GroupId>,
    /// The reports about these rollbacks.
    went_back: Vec<String>,
    failures: Vec<Failure>,
    interrupted: bool,
    /// By container id, how often the container ended after it was ready.
    deaths: BTreeMap<String, u32>,
    /// The last report about what each service waits for.
    waits: Blockers,
    /// Cancels long steps outside of started groups at the first failure.
    stop: CancellationToken,
}

impl<'a> PlanExecutor<'a> {
    fn new(execution: &'a Execution<'a>, container_events: &'a ContainerEvents) -> Self {
        let steps = &execution.plan.steps;
        let mut dependents = vec![Vec::new(); steps.len()];
        for (id, step) in steps.iter().enumerate() {
            step.after.iter().for_each(|&before| dependents[before].push(id));
        }
        Self {
            execution,
            container_events,
            run_state: RunState::default(),
            states: vec![State::Waiting; steps.len()],
            dependents,
            unsettled: steps.iter().map(|step| step.after.len()).collect(),
            due: (0..steps.len()).filter(|&id| steps[id].after.is_empty()).collect(),
            begun: BTreeSet::new(),
            begun_groups: BTreeSet::new(),
            broken_groups: BTreeSet::new(),
            failed_groups: BTreeSet::new(),
            given_up: BTreeSet::new(),
            tolerated: Vec::new(),
            update_stops: BTreeMap::new(),
            rolled_back: BTreeSet::new(),
            went_back: Vec::new(),
            failures: Vec::new(),
            interrupted: execution.ctx.cancel.is_cancelled(),
            deaths: BTreeMap::new(),
            waits: Blockers::new(execution.plan),
            stop: execution.ctx.cancel.child_token(),
        }
    }

    async fn run(&mut self) -> Result<(), Failure> {
        let execution = self.execution;
        let container_events = self.container_events;
        let run_state = std::mem::take(&mut self.run_state);
        let mut running = FuturesUnordered::new();
        let (mut deaths, mut ending) = (container_events.deaths(), FuturesUnordered::new());
        let mut restoring = FuturesUnordered::new();
        let mut scheduler = Scheduler::new(execution.plan, &execution.startup_histories);
        loop {
            let ready = self.ready_steps(&run_state);
            let now = execution.ctx.host.monotonic();
            let (begun, again) = scheduler.next(execution.plan, ready, now);
            for id in begun {
                self.enter(id, State::Running);
                let step = &execution.plan.steps[id];
                self.begun.insert(id);
                self.begun_groups.extend(step.group);
                let stop = self.stop_of(step);
                let run_state = &run_state;
                running.push(async move {
                    (id, one_step(execution, container_events, run_state, id, step, &stop).await)
                });
            }
            for event in self.waits.news(execution.plan, &self.states) {
                execution.ctx.events.event(&event);
            }
            if running.is_empty() && ending.is_empty() && restoring.is_empty() {
                match deaths.try_recv() {
                    Ok(death) => ending.push(self.look_at(death, &run_state)),
                    Err(_) => break,
                }
            }
            let interrupt = async {
                if self.interrupted {
                    futures::future::pending().await
                } else {
                    execution.ctx.cancel.cancelled().await
                }
            };
            let again = async {
                match again {
                    Some(time) => execution.ctx.host.sleep(time.saturating_sub(now)).await,
                    None => futures::future::pending().await,
                }
            };
            futures::select_biased! {
                (id, result) = running.select_next_some() => {
                    scheduler.is_over(id);
                    match result {
                        Ok(()) => self.enter(id, State::Done),
                        Err(failure) => {
                            if let Some(group) = self.failed(id, failure) {
                                restoring.push(self.restore_alone(id, group, &run_state));
                            }
                            self.due.extend(scheduler.give_back());
                        }
                    }
                }
                death = deaths.select_next_some() => ending.push(self.look_at(death, &run_state)),
                (id, result) = ending.select_next_some() => if let Err(failure) = result {
                    if let Some((id, group)) = self.broke(id, failure, &run_state) {
                        restoring.push(self.restore_alone(id, group, &run_state));
                    }
                    self.due.extend(scheduler.give_back());
                },
                restored = restoring.select_next_some() => {
                    self.is_restored(restored);
                    self.due.extend(scheduler.give_back());
                }
                () = Box::pin(again).fuse() => {}
                () = Box::pin(interrupt).fuse() => {
                    self.interrupted = true;
                    self.due.extend(scheduler.give_back());
                }
            }
        }
        drop((running, ending, restoring));
        self.run_state = run_state;
        self.failures.append(&mut self.tolerated);
        self.roll_back().await;
        if self.interrupted {
            self.end_jobs().await;
        }
        self.outcome()
    }

    /// Cancels a long step. The steps of a group are finished, unless its update is rolled back.
    fn stop_of(&mut self, step: &Step) -> CancellationToken {
        let Some(group) = step.group else { return self.stop.clone() };
        let cancel = &self.execution.ctx.cancel;
        match self.execution.plan.update_of(group) {
            Some(update) => self
                .update_stops
                .entry(update.service.as_str())
                .or_insert_with(|| cancel.child_token())
                .clone(),
            None => cancel.clone(),
        }
    }

    /// Handles the failure of a step. Returns the group that is rolled back alone, if the update of
    /// its service goes on.
    fn failed(&mut self, id: StepId, failure: Failure) -> Option<GroupId> {
        if failure.kind == Kind::Interrupted {
            // It was cancelled by Ctrl-C, or because another step failed.
            self.enter(id, State::NotDone);
            self.interrupted |= self.execution.ctx.cancel.is_cancelled();
            return None;
        }
        let reaction = self.reaction(self.execution.plan.steps[id].group);
        if let Reaction::GoOn(group) = reaction {
            self.tolerate(id, group, failure);
            // The steps after it come once the old container serves again.
            return Some(group);
        }
        self.enter(id, State::Failed);
        if reaction == Reaction::Known {
            return None;
        }
        if self.execution.plan.tolerates(id) {
            self.warn_of_optional(&failure);
            return None;
        }
        self.failures.push(failure);
        self.stop.cancel();
        None
    }

    fn warn_of_optional(&self, failure: &Failure) {
        self.execution.ctx.log(
            Level::Warning,
            format!("{}: not required, continuing without it", failure.message),
        );
    }

    /// The update goes on without the container of this group.
    fn tolerate(&mut self, id: StepId, group: GroupId, failure: Failure) {
        self.given_up.insert(group);
        self.broken_groups.insert(group);
        if self.execution.plan.tolerates(id) {
            self.warn_of_optional(&failure);
        } else {
            let text = format!("{}: the update continues without this container", failure.message);
            self.execution.ctx.log(Level::Warning, text);
            self.tolerated.push(failure);
        }
    }

    /// Decides what the failure of a container means for the update of its service.
    fn reaction(&mut self, group: Option<GroupId>) -> Reaction {
        let plan = self.execution.plan;
        let Some((group, update)) = group.and_then(|group| Some((group, plan.update_of(group)?)))
        else {
            return Reaction::Fail;
        };
        let is_open = plan.rollbacks.get(&group).is_some_and(|back| !self.is_past(group, back));
        if !is_open {
            return Reaction::Fail;
        }
        if !self.failed_groups.insert(group) {
            return Reaction::Known;
        }
        if self.interrupted || !self.failures.is_empty() {
            return Reaction::Fail;
        }
        let failed = update.groups.intersection(&self.failed_groups).count();
        if failed <= update.tolerated as usize || update.on_failure == FailureAction::Continue {
            return Reaction::GoOn(group);
        }
        match update.on_failure {
            FailureAction::Rollback => {
                self.broken_groups.extend(&update.groups);
                if let Some(stop) = self.update_stops.get(update.service.as_str()) {
                    stop.cancel();
                }
            }
            FailureAction::Pause | FailureAction::Continue => {
                let begun = &self.begun_groups;
                let new = update.groups.iter().filter(|group| !begun.contains(group));
                self.broken_groups.extend(new);
            }
        }
        Reaction::Fail
    }

    /// Handles the exit of a container that was ready. Finds the step that waited for it; `None` if
    /// the plan doesn't change this container.
    fn look_at(
        &mut self,
        death: ContainerExit,
        run_state: &RunState,
    ) -> BoxFuture<'a, (Option<StepId>, Result<(), Failure>)> {
        let (execution, container_events) = (self.execution, self.container_events);
        let times =
            self.deaths.entry(death.container.clone()).and_modify(|times| *times += 1).or_insert(1);
        let times = *times;
        let waited = execution.plan.steps.iter().rposition(|step| match &step.action {
            Action::Wait { container, .. } => run_state.id(container) == death.container,
            _ => false,
        });
        let stop = self.stop.clone();
        let is_monitored = execution.plan.steps.iter().zip(&self.states).any(|(step, state)| {
            matches!(&step.action, Action::Monitor { container, .. } if *state == State::Running && run_state.id(container) == death.container)
        });
        async move {
            if is_monitored {
                // That step fails.
                return (waited, Ok(()));
            }
            let kept = || execution.kept.iter().find(|kept| kept.id == death.container).map(|kept| kept.service.as_str());
            let service = waited.and_then(|step| execution.plan.steps[step].service.as_deref()).or_else(kept);
            let described = service.and_then(|name| execution.project.and_then(|project| project.services.get(name)));
            let waiting = WaitTarget {
                container: &death.container,
                service: service.unwrap_or(&death.container),
                until: WaitCondition::Ready,
                probe: described.map_or_else(Default::default, |service| service.probe),
                may_complete: described.map(Service::looks_like_a_job),
                deadline: execution.deadline,
                startup_history: None,
            };
            let result = futures::select_biased! {
                result = Box::pin(readiness::ended(execution.ctx, container_events, &waiting, death.exit_code, times)).fuse() => result,
                // Another step failed, or the run was interrupted: that is reported instead.
                () = stop.cancelled().fuse() => Ok(()),
            };
            (waited, result)
        }
        .boxed()
    }

    /// A ready container has ended. This counts as a failure of the step that waited for it,
    /// although this step is done. Returns the step and its group as [`Self::failed`] does.
    fn broke(
        &mut self,
        id: Option<StepId>,
        failure: Failure,
        run_state: &RunState,
    ) -> Option<(StepId, GroupId)> {
        if let Some(id) = id {
            match self.reaction(self.execution.plan.steps[id].group) {
                Reaction::GoOn(group) => {
                    self.tolerate(id, group, failure);
                    return Some((id, group));
                }
                Reaction::Known => return None,
                Reaction::Fail => {}
            }
        }
        if let Some(id) = id.filter(|&id| self.execution.plan.tolerates(id)) {
            if let Action::Wait { container, .. } = &self.execution.plan.steps[id].action {
                let container = run_state.id(container);
                run_state.with(|known| known.ready.remove(&container));
            }
            self.warn_of_optional(&failure);
            return None;
        }
        if let Some(id) = id {
            let plan = self.execution.plan;
            let group = plan.steps[id].group.filter(|group| {
                plan.rollbacks.get(group).is_some_and(|back| !self.is_past(*group, back))
            });
            if let Some(group) = group {
                // Other containers of the group are not ready yet, so the whole group is rolled
                // back.
                self.states[id] = State::Failed;
                self.broken_groups.insert(group);
            }
        }
        self.failures.push(failure);
        self.stop.cancel();
        None
    }

    /// Changes the state of a step. If this decides about the steps after it, they are looked at
    /// next.
    fn enter(&mut self, id: StepId, state: State) {
        let steps = &self.execution.plan.steps;
        self.waits.entered(&steps[id], self.states[id], state);
        self.states[id] = state;
        let badly = match state {
            State::Waiting | State::Running => return,
            State::Done | State::Skipped => false,
            State::Failed | State::NotDone => true,
        };
        for &after in &self.dependents[id] {
            self.unsettled[after] -= 1;
            self.waits.look_at(&steps[after]);
            if self.states[after] == State::Waiting
                && (self.unsettled[after] == 0 || badly && !steps[after].tolerates.contains(&id))
            {
                self.due.insert(after);
            }
        }
    }

    /// The steps that can start now, since the last call. Gives up the steps behind a failure.
    fn ready_steps(&mut self, run_state: &RunState) -> Vec<StepId> {
        let plan = self.execution.plan;
        let mut ready = Vec::new();
        while let Some(id) = self.due.pop_first() {
            let step = &plan.steps[id];
            let ended_badly = |before: &StepId| {
                matches!(self.states[*before], State::Failed | State::NotDone)
                    && !step.tolerates.contains(before)
                    && !(self.interrupted && self.is_of_same_update(step, *before))
            };
            if self.states[id] != State::Waiting {
                continue;
            }
            if step.after.iter().any(ended_badly) {
                self.enter(id, State::NotDone);
            } else if self.unsettled[id] > 0 {
                // It is looked at again.
            } else if !holds(step, run_state) {
                self.enter(id, State::Skipped);
            } else if self.may_begin(step) {
                ready.push(id);
            } else {
                self.enter(id, State::NotDone);
            }
        }
        ready
    }

    /// After a failure only groups that were begun continue; after an interrupt only those that
    /// can't be rolled back.
    fn may_begin(&self, step: &Step) -> bool {
        let no_way_back = |group: &GroupId| {
            self.execution.plan.rollbacks.get(group).is_some_and(|back| self.is_past(*group, back))
        };
        if step.group.is_some_and(|group| self.broken_groups.contains(&group)) {
            false
        } else if self.interrupted {
            step.group.as_ref().is_some_and(no_way_back)
        } else {
            self.failures.is_empty()
                || step.group.is_some_and(|group| self.begun_groups.contains(&group))
        }
    }

    /// The containers that were created, replaced no other one, and were not rolled back. `ids`: the
    /// ids of new containers by their names.
    fn created(&self, ids: &BTreeMap<String, String>) -> Vec<CreatedContainer> {
        let steps = self.execution.plan.steps.iter().zip(&self.states);
        let created = steps.filter(|(step, state)| {
            **state == State::Done
                && step.group.is_none_or(|group| !self.rolled_back.contains(&group))
        });
        let created = created.filter_map(|(step, _)| match &step.action {
            Action::CreateContainer { name, replaces: None, .. } => Some(CreatedContainer {
                id: ids.get(name)?.clone(),
                service: step.service.clone()?,
            }),
            _ => None,
        });
        created.collect()
    }

    /// Whether the step `before` replaces another container of the same service. After an
    /// interrupt, a finished replacement doesn't wait for the others.
    fn is_of_same_update(&self, step: &Step, before: StepId) -> bool {
        let plan = self.execution.plan;
        let (Some(group), Some(other)) = (step.group, plan.steps[before].group) else {
            return false;
        };
        group != other && plan.update_of(group).is_some_and(|update| update.groups.contains(&other))
    }

    fn outcome(&mut self) -> Result<(), Failure> {
        let mut failures = std::mem::take(&mut self.failures).into_iter();
        if let Some(mut first) = failures.next() {
            for other in failures {
                first = first.detail("also failed", other.message);
            }
            return Err(first);
        }
        if !self.interrupted {
            return Ok(());
        }
        let list = |state: State| {
            let stays =
                |step: &Step| step.group.is_none_or(|group| !self.rolled_back.contains(&group));
            let steps = self.execution.plan.steps.iter().zip(&self.states);
            let steps = steps
                .filter(|(step, there)| **there == state && step.action.changes() && stays(step));
            steps
                .map(|(step, _)| format!("{} {}", step.action.kind(), step.action.object()))
                .collect::<Vec<_>>()
                .join("\n")
        };
        if self.states.iter().all(|state| matches!(state, State::Done | State::Skipped)) {
            return Ok(());
        }
        let failure = Failure::interrupted()
            .hint(GOES_ON)
            .detail(DONE, list(State::Done))
            .detail("not done", list(State::NotDone));
        Err(failure.detail("rolled back", self.went_back.join("\n")))
    }
}

fn holds(step: &Step, run_state: &RunState) -> bool {
    step.when.as_ref().is_none_or(|when| {
        let id = run_state.with(|known| known.images.get(&canonical(&when.image)).cloned());
        (id.as_deref() == Some(when.current.as_str())) == when.same
    })
}

/// Executes one step and reports it. Long steps end when `stop` is cancelled; short steps are
/// finished.
async fn one_step(
    execution: &Execution<'_>,
    container_events: &ContainerEvents,
    run_state: &RunState,
    id: StepId,
    step: &Step,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let ctx = execution.ctx;
    let begun = ctx.host.monotonic();
    let label = step.label(id);
    ctx.events.event(&Event::StepStarted { label: label.clone(), cause: step.cause.clone() });
    let report = progress_of(&*ctx.events, label.clone());
    let work = execution.perform(
        container_events,
        run_state,
        step.service.as_deref(),
        &step.action,
        &report,
    );
    let result = if matches!(
        step.action,
        Action::PullImage { .. }
            | Action::BuildImage { .. }
            | Action::Wait { .. }
            | Action::Verify { .. }
            | Action::Monitor { .. }
            | Action::Delay { .. }
    ) {
        futures::select_biased! {
            result = Box::pin(work).fuse() => result,
            () = stop.cancelled().fuse() => Err(Failure::interrupted()),
        }
    } else {
        let say = |waited| report(not_done_after(waited));
        spoken_of(&*ctx.host, &say, work).await
    };
    ctx.events.event(&ended(label, &result, ctx.host.monotonic().saturating_sub(begun)));
    result
}

/// The event at the end of a step.
fn ended(label: StepLabel, result: &Result<(), Failure>, elapsed: Duration) -> Event {
    match result {
        Ok(()) => Event::StepDone { label, elapsed },
        Err(failure) if failure.kind == Kind::Interrupted => Event::StepInterrupted { label },
        Err(failure) => Event::StepFailed { label, message: failure.message.clone() },
    }
}

fn not_done_after(waited: Duration) -> StepStatus {
    StepStatus::new(format!("not done after {}", readable(waited)), Detail::Waiting)
}

/// Reports the progress of a step. The same status twice in a row is reported once.
pub(super) fn progress_of(
    events: &dyn Sink,
    label: StepLabel,
) -> impl Fn(StepStatus) + Send + Sync + use<'_> {
    let last = Mutex::new(None);
    move |standing| {
        let mut last = last.lock();
        if last.as_ref() != Some(&standing) {
            *last = Some(standing.clone());
            drop(last);
            events.event(&Event::StepProgress { label: label.clone(), standing });
        }
    }
}
