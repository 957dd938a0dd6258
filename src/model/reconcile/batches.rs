//! Replaces the containers of one service in batches, as `deploy.update_config` says.
//!
//! If the whole service is to go back on a failure, an old container stays, stopped, until all new
//! ones are proven, and only then are the old ones removed and the new ones renamed. The
//! alternative is to recreate old containers from their description, but spc has only the new one,
//! and an image may be gone. The old container itself needs no record: wherever a run is killed,
//! the next one finds an old and a new container of one number, as after any killed replacement,
//! and finishes or undoes each number.

use std::collections::BTreeSet;

use super::super::observed_state::Container;
use super::super::plan::{Action, Anonymous, ContainerRef, GroupId, ServiceUpdate, StepId};
use super::super::spec::{FailureAction, Service};
use super::planner::{Batches, Planner, Replacement, reference};

impl Planner<'_> {
    /// Reserves a place in the current batch, or in a new one if that is full. Returns the steps
    /// that have to end first.
    pub(super) fn enter_batch(&mut self, service: &Service) -> Vec<StepId> {
        let most = service.update.parallelism;
        if most > 0 && self.batches.members >= most {
            let ends = std::mem::take(&mut self.batches.ends);
            self.batches.number += 1;
            self.batches.members = 0;
            self.batches.waits = if service.update.delay.is_zero() || ends.is_empty() {
                ends
            } else {
                let batch = self.batches.number + 1;
                let delay = Action::Delay { batch, time: service.update.delay };
                vec![self.add(Some(service), delay, None, &ends)]
            };
        }
        self.batches.members += 1;
        self.batches.waits.clone()
    }

    /// The next batch waits for these steps too.
    pub(super) fn end_batch_after(&mut self, steps: &[StepId]) {
        self.batches.ends.extend(steps);
    }

    /// The new container of the current group is proven after `proven`. Plans what comes after
    /// that: at once, or at the end of the update. `stopped` is the step that stops the old one
    /// after that.
    pub(super) fn replaced(
        &mut self,
        service: &Service,
        old: &Container,
        new: &ContainerRef,
        proven: StepId,
        stopped: Option<StepId>,
    ) {
        let Some(group) = self.group.take() else { return };
        let replacement = Replacement {
            group,
            old: reference(old),
            new: new.clone(),
            name: self.container_name(service, old.number),
            proven,
            stopped,
            when: self.when.clone(),
        };
        if service.update.failure_action == FailureAction::Rollback {
            self.batches.ends.push(stopped.unwrap_or(proven));
        } else {
            let renamed = self.take_over(service, &replacement, &[]);
            self.batches.ends.push(renamed);
        }
        self.batches.replacements.push(replacement);
    }

    /// Ends the replacements of a service: removes the old containers if they stayed, and writes
    /// the rules for a failure into the plan.
    pub(super) fn end_batches(&mut self, service: &Service) {
        let Batches { replacements, .. } = std::mem::take(&mut self.batches);
        let all = u32::try_from(replacements.len()).unwrap_or(u32::MAX);
        let update = ServiceUpdate {
            service: service.name.clone(),
            groups: replacements.iter().map(|replacement| replacement.group).collect(),
            tolerated: service.update.max_failure_ratio.of(all),
            on_failure: service.update.failure_action,
            rollback: service.rollback.clone(),
        };
        if update.on_failure == FailureAction::Rollback {
            let proven: Vec<StepId> = replacements.iter().map(|it| it.proven).collect();
            for replacement in &replacements {
                if let Some(back) = self.plan.rollbacks.get_mut(&replacement.group) {
                    back.until.clone_from(&proven);
                }
                self.take_over(service, replacement, &proven);
            }
        }
        if update.tolerated > 0 || update.on_failure == FailureAction::Continue {
            self.tolerate_each_other(&update.groups);
        }
        let is_plain = update.on_failure != FailureAction::Continue && update.tolerated == 0;
        if all > 1 || all == 1 && !is_plain {
            self.plan.updates.push(update);
        }
    }

    /// Removes the old container and renames the new one.
    fn take_over(
        &mut self,
        service: &Service,
        replacement: &Replacement,
        proven: &[StepId],
    ) -> StepId {
        let Replacement { group, old, new, name, when, .. } = replacement;
        let when_now = std::mem::replace(&mut self.when, when.clone());
        self.group = Some(*group);
        let before: Vec<StepId> = std::iter::once(replacement.proven)
            .chain(replacement.stopped)
            .chain(proven.iter().copied())
            .collect();
        let remove = Action::RemoveContainer { container: old.clone(), volumes: Anonymous::Kept };
        let removed = self.add(Some(service), remove, None, &before);
        let rename = Action::RenameContainer { container: new.clone(), to: name.clone() };
        let renamed = self.add(Some(service), rename, None, &[removed]);
        self.group = None;
        self.when = when_now;
        renamed
    }

    /// A container of the service may fail, so the others don't depend on its success, only on its
    /// end.
    fn tolerate_each_other(&mut self, groups: &BTreeSet<GroupId>) {
        let is_of = |group: Option<GroupId>| group.is_some_and(|group| groups.contains(&group));
        let of: Vec<Option<GroupId>> = self.plan.steps.iter().map(|step| step.group).collect();
        for step in &mut self.plan.steps {
            let is_delay = matches!(step.action, Action::Delay { .. });
            if !is_of(step.group) && !is_delay {
                continue;
            }
            let others = step.after.iter().copied();
            let others = others.filter(|&before| is_of(of[before]) && of[before] != step.group);
            let new: Vec<StepId> =
                others.filter(|before| !step.tolerates.contains(before)).collect();
            step.tolerates.extend(new);
        }
    }
}
