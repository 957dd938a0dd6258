//! Checks a plan against all containers of the engine: two containers never write to one volume,
//! unless it is marked as shared.
//!
//! The planner puts a start after the stops that have to come first. This module checks the result,
//! for any plan. It is also the only code that knows containers that no plan can stop: those of
//! other projects, one-off containers, and containers without labels.

use std::collections::BTreeSet;

use super::super::names::is_anonymous_volume;
use super::super::observed_state::{Container, EngineContainer, ObservedState};
use super::super::plan::{Action, ContainerRef, Plan, Step, StepId, WaitCondition};
use super::super::spec::Project;
use super::super::storage::{Storages, WriteTarget, WriteTargets, clash};

/// A start that would create a second writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondWriter {
    /// The storage that it would write to.
    pub written: WriteTarget,
    /// The same storage or a part of it, as the holder mounts it.
    pub held: WriteTarget,
    /// The service of the container that would be started.
    pub service: Option<String>,
    /// The container that would be started.
    pub starting: String,
    /// The container that writes to the storage and is not stopped before.
    pub holder: ContainerRef,
}

/// A container that the plan starts, and the storage that it writes to.
struct Start<'p> {
    step: StepId,
    container: &'p ContainerRef,
    writes: Vec<WriteTarget>,
}

/// A plan, and the state of the engine.
pub struct Writers<'a> {
    pub plan: &'a Plan,
    /// The description of new containers; `None` for verbs that create nothing.
    pub project: Option<&'a Project>,
    pub observed: &'a ObservedState,
    /// The locations of volumes and folders.
    pub storages: &'a Storages,
    /// Every container on the engine.
    pub all: &'a [EngineContainer],
    /// Volumes that an earlier description marked as shared.
    pub shared: &'a BTreeSet<String>,
}

impl Writers<'_> {
    /// The first start that would create a second writer.
    pub fn second(&self) -> Option<SecondWriter> {
        let starts = self.starts();
        let second = |start: &Start<'_>,
                      (written, held): (&WriteTarget, &WriteTarget),
                      holder: ContainerRef| SecondWriter {
            written: written.clone(),
            held: held.clone(),
            service: self.plan.steps[start.step].service.clone(),
            starting: start.container.name.clone(),
            holder,
        };
        // The steps before a start are looked up only for a clash: that takes long in a large plan.
        for start in starts.iter().filter(|start| !start.writes.is_empty()) {
            for other in self
                .all
                .iter()
                .filter(|other| self.is_up(other) && start.container.id.as_ref() != Some(&other.id))
            {
                let held = self.writes().of_running(other.writes.iter(), other.folders.iter());
                let Some(both) = clash(&start.writes, &held) else { continue };
                let is_it = |container: &ContainerRef| container.id.as_ref() == Some(&other.id);
                let before = self.plan.before(start.step);
                let is_stopped = before.iter().any(|&step| self.stops(step, is_it))
                    || self.is_awaited(start.step, None, is_it);
                if !is_stopped {
                    return Some(second(
                        start,
                        both,
                        ContainerRef { name: other.name.clone(), id: Some(other.id.clone()) },
                    ));
                }
            }
        }
        for later in &starts {
            for earlier in starts.iter().take_while(|earlier| earlier.step != later.step) {
                let is_other = !is_same(earlier.container, later.container)
                    && !self.exclude_each_other(earlier.step, later.step);
                if !is_other {
                    continue;
                }
                let Some(both) = clash(&later.writes, &earlier.writes) else { continue };
                let is_it = |it: &ContainerRef| is_same(it, earlier.container);
                let before = self.plan.before(later.step);
                let is_stopped =
                    before.iter().any(|&step| step > earlier.step && self.stops(step, is_it))
                        || self.is_awaited(later.step, Some(earlier.step), is_it);
                if !is_stopped {
                    return Some(second(later, both, earlier.container.clone()));
                }
            }
        }
        None
    }

    fn starts(&self) -> Vec<Start<'_>> {
        let steps = self.plan.steps.iter().enumerate();
        let started = steps.filter_map(|(step, it)| match &it.action {
            Action::StartContainer { container } => Some((step, container)),
            // A running container stops first.
            Action::RestartContainer { container } if !self.runs(container) => {
                Some((step, container))
            }
            _ => None,
        });
        started
            .map(|(step, container)| Start {
                step,
                container,
                writes: self.written(step, container),
            })
            .collect()
    }

    fn runs(&self, container: &ContainerRef) -> bool {
        self.all.iter().any(|there| self.is_up(there) && container.id.as_ref() == Some(&there.id))
    }

    /// For the project's own containers, the observation takes precedence over a list, which may be
    /// wrong: see `apply::observe`.
    fn is_up(&self, there: &EngineContainer) -> bool {
        let observed = self.observed.containers.iter().find(|container| container.id == there.id);
        observed.map_or(there.is_up, Container::is_up)
    }

    fn writes(&self) -> WriteTargets<'_> {
        WriteTargets { project: self.project, storages: self.storages, shared: self.shared }
    }

    /// The storage that a container writes to once it is started.
    fn written(&self, step: StepId, container: &ContainerRef) -> Vec<WriteTarget> {
        let there = |id: Option<&String>| self.all.iter().find(|there| id == Some(&there.id));
        if let Some(there) = there(container.id.as_ref()) {
            return self.writes().of_started(there.writes.iter(), there.folders.iter());
        }
        let service = self.plan.steps[step].service.as_ref();
        let described = self.project.and_then(|project| project.services.get(service?));
        let own = described.map(|service| self.writes().of_service(service)).unwrap_or_default();
        let inherited = self.plan.steps.iter().find_map(|made| match &made.action {
            // It has its service's names from its start, so the replaced container is stopped
            // before, and its anonymous volumes are taken over.
            Action::CreateContainer { name, alias: true, replaces: Some(old), .. }
                if *name == container.name =>
            {
                there(old.id.as_ref())
            }
            _ => None,
        });
        let inherited = inherited
            .into_iter()
            .flat_map(|old| &old.writes)
            .filter(|volume| is_anonymous_volume(volume));
        own.into_iter().chain(self.writes().of_started(inherited, std::iter::empty())).collect()
    }

    /// Whether the plan waits for the end of a job before `step` starts, whatever fails. `since`:
    /// the step that started it, or `None` if it runs now.
    fn is_awaited(
        &self,
        step: StepId,
        since: Option<StepId>,
        which: impl Fn(&ContainerRef) -> bool,
    ) -> bool {
        let (mut open, mut seen) = (vec![step], BTreeSet::new());
        while let Some(step) = open.pop() {
            let Step { action, when, after, tolerates, .. } = &self.plan.steps[step];
            let is_wait = matches!(action, Action::Wait { container, until: WaitCondition::Completed } if which(container));
            // If a wait is skipped, the job keeps running, unless its start is skipped for the same
            // reason.
            let is_done =
                when.is_none() || since.is_some_and(|since| self.plan.steps[since].when == *when);
            if is_wait && is_done && since.is_none_or(|since| step > since) {
                return true;
            }
            open.extend(
                after.iter().filter(|before| !tolerates.contains(before) && seen.insert(**before)),
            );
        }
        false
    }

    fn stops(&self, step: StepId, which: impl Fn(&ContainerRef) -> bool) -> bool {
        match &self.plan.steps[step].action {
            Action::StopContainer { container } | Action::RemoveContainer { container, .. } => {
                which(container)
            }
            _ => false,
        }
    }

    /// Whether exactly one of the two steps runs, depending on an image.
    fn exclude_each_other(&self, one: StepId, other: StepId) -> bool {
        let when = |step: StepId| -> &Step { &self.plan.steps[step] };
        match (&when(one).when, &when(other).when) {
            (Some(one), Some(other)) => {
                one.image == other.image && one.current == other.current && one.same != other.same
            }
            _ => false,
        }
    }
}

/// Whether two references denote the same container, which may be renamed in between.
fn is_same(one: &ContainerRef, other: &ContainerRef) -> bool {
    match (&one.id, &other.id) {
        (Some(one), Some(other)) => one == other,
        _ => one.name == other.name,
    }
}
