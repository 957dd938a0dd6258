//! Replaces one container. The old one stays until the new one is ready.

use super::super::Failure;
use super::super::cause::{Cause, OtherImage};
use super::super::observed_state::{Container, ContainerState};
use super::super::plan::{
    Action, Anonymous, ContainerRef, Rollback, RollbackAction, StepId, WaitCondition,
};
use super::super::spec::{Service, UpdateOrder};
use super::planner::{Difference, OldContainer, Planner, new_name, reference};

impl<'a> Planner<'a> {
    /// Replaces `old`, in the current batch or the next one.
    pub(super) fn replace(
        &mut self,
        service: &'a Service,
        old: &Container,
        cause: Cause,
        before: &[StepId],
        found: OldContainer,
    ) {
        let waits = self.enter_batch(service);
        self.replace_now(service, old, cause, &[before, &waits].concat(), found);
    }

    /// Replaces `old` in the current batch.
    fn replace_now(
        &mut self,
        service: &'a Service,
        old: &Container,
        cause: Cause,
        before: &[StepId],
        found: OldContainer,
    ) {
        let name = self.container_name(service, old.number);
        let new = ContainerRef::new(new_name(&name));
        let group = self.begin_group();
        let alias = service.update_order == UpdateOrder::StopFirst;
        let create = Action::CreateContainer {
            name: new.name.clone(),
            number: old.number,
            alias,
            replaces: Some(reference(old)),
        };
        let created = self.add(Some(service), create, Some(cause), before);
        // Before the old one is stopped: if a delivery fails, nothing was stopped.
        let made = self.deliver(service, &new, None, &[created]);
        let (stopped, started, ready) = match service.update_order {
            UpdateOrder::StopFirst => self.stop_then_start(service, old, &new, &made),
            UpdateOrder::StartFirst => {
                let (started, ready) = self.start_beside(service, &new, &made);
                (None, started, ready)
            }
        };
        let proven = self.monitor(service, &new, ready);
        let stopped_last = self.stop_last(service, service.update_order, old, proven);
        let stopped = stopped.or(stopped_last);
        let was_stopped = found == OldContainer::Interrupted && self.was_stopped(service, old);
        let undo = Undo {
            service,
            old,
            new: &new,
            created: Some(created),
            // A new container that only starts beside the old one serves once that is stopped.
            serves: match service.update_order {
                UpdateOrder::StartFirst if !was_stopped => stopped,
                _ => Some(started),
            },
            restart: match stopped {
                Some(stopped) => OldRestart::IfBegun(stopped),
                None if was_stopped => OldRestart::Always,
                None => OldRestart::Never,
            },
        };
        self.plan.rollbacks.insert(group, Rollback { undo: undo.actions(), until: vec![proven] });
        self.replaced(service, old, &new, proven, stopped_last);
    }

    pub(super) fn begin_group(&mut self) -> usize {
        let group = self.groups;
        self.groups += 1;
        self.group = Some(group);
        group
    }

    /// Whether a killed run stopped it. A job that ended by itself is not started again.
    fn was_stopped(&self, service: &Service, old: &Container) -> bool {
        old.state == ContainerState::Exited
            && (self.wanted.stopped.contains(&old.id)
                || !(self.is_job(service) || service.looks_like_a_job()))
    }

    /// The steps of the stop, the start, and the wait after it.
    fn stop_then_start(
        &mut self,
        service: &Service,
        old: &Container,
        new: &ContainerRef,
        made: &[StepId],
    ) -> (Option<StepId>, StepId, StepId) {
        let stopped = old.is_up().then(|| {
            // Not before the conditions hold: until then the old one stays in use.
            let (conditions, tolerated) = self.conditions(service);
            let stop = Action::StopContainer { container: reference(old) };
            let stopped = self.add(Some(service), stop, None, &[made, &conditions].concat());
            self.plan.steps[stopped].tolerates = tolerated;
            stopped
        });
        let before: Vec<StepId> = made.iter().copied().chain(stopped).collect();
        let (started, ready) = self.begin(service, new, None, &before);
        (stopped, started, self.verify(service, new, ready))
    }

    /// The steps of the start, and the last one before the old container is stopped.
    fn start_beside(
        &mut self,
        service: &Service,
        new: &ContainerRef,
        made: &[StepId],
    ) -> (StepId, StepId) {
        let (started, ready) = self.begin(service, new, None, made);
        let ready = self.verify(service, new, ready);
        let attached =
            self.add(Some(service), Action::Attach { container: new.clone() }, None, &[ready]);
        // The attachment changed its address, so the services that depend on it wait for this step.
        (started, self.wait(service, new, &[attached]))
    }

    /// Watches a replacement that is ready. Returns the last step before it counts as proven.
    fn monitor(&mut self, service: &Service, new: &ContainerRef, ready: StepId) -> StepId {
        let time = service.update.monitor;
        if time.is_zero() || self.is_job(service) {
            return ready;
        }
        self.add(Some(service), Action::Monitor { container: new.clone(), time }, None, &[ready])
    }

    /// In the order `start-first`, stops the old container after the new one is proven: until then
    /// a failure leaves no gap.
    fn stop_last(
        &mut self,
        service: &Service,
        order: UpdateOrder,
        old: &Container,
        proven: StepId,
    ) -> Option<StepId> {
        let is_last = order == UpdateOrder::StartFirst && old.is_up();
        is_last.then(|| {
            let stop = Action::StopContainer { container: reference(old) };
            self.add(Some(service), stop, None, &[proven])
        })
    }

    /// Both the old and the new container exist: a run was killed in between.
    pub(super) fn interrupted_replacement(
        &mut self,
        service: &'a Service,
        old: &'a Container,
        new: &'a Container,
        before: &[StepId],
    ) -> Result<(), Failure> {
        let serves = new.is_up() || self.is_completed(service, new);
        if serves && matches!(self.difference(service, new), Difference::Same) {
            self.finish_replacement(service, old, new, before);
            return Ok(());
        }
        // The killed run may have replaced all containers of the service, so one batch after the
        // other goes.
        let waits = self.enter_batch(service);
        let cause = match self.difference(service, old) {
            Difference::Same => {
                return self.call_off(service, old, new, before, &waits);
            }
            Difference::Changed(cause) => cause,
            Difference::Image(_) => Cause::ImageChanged(None),
        };
        let removed = self.remove_interrupted(service, new, &waits);
        let before = [before, &waits, &[removed]].concat();
        self.replace_now(service, old, cause, &before, OldContainer::Interrupted);
        Ok(())
    }

    /// Stops and removes the new container of a killed run. Returns the removal.
    fn remove_interrupted(
        &mut self,
        service: &Service,
        new: &Container,
        before: &[StepId],
    ) -> StepId {
        let mut before = before.to_vec();
        if new.is_up() {
            // It may be writing to a volume that the old one gets back.
            before = vec![self.add(
                Some(service),
                Action::StopContainer { container: reference(new) },
                Some(Cause::Interrupted),
                &before,
            )];
        }
        self.add(Some(service), remove_new(&reference(new)), Some(Cause::Interrupted), &before)
    }

    /// The description is that of the old container again: the new one goes. `waits`: the steps of
    /// the batch before.
    fn call_off(
        &mut self,
        service: &'a Service,
        old: &'a Container,
        new: &'a Container,
        before: &[StepId],
        waits: &[StepId],
    ) -> Result<(), Failure> {
        let all = [before, waits].concat();
        let is_stopped = self.was_stopped(service, old);
        if is_stopped && new.is_up() && service.update_order == UpdateOrder::StartFirst {
            let (_, ready) = self.begin(service, &reference(old), Some(Cause::Interrupted), &all);
            let removed = self.remove_interrupted(service, new, &[ready]);
            self.end_batch_after(&[removed]);
            return Ok(());
        }
        let removed = self.remove_interrupted(service, new, waits);
        let before = [&all[..], &[removed]].concat();
        if is_stopped {
            let (_, ready) =
                self.begin(service, &reference(old), Some(Cause::Interrupted), &before);
            self.end_batch_after(&[ready]);
            return Ok(());
        }
        self.keep(service, old, &before)
    }

    /// The new one runs: continue from there.
    fn finish_replacement(
        &mut self,
        service: &'a Service,
        old: &'a Container,
        new: &Container,
        before: &[StepId],
    ) {
        // Without the service's alias it can't take over yet, whatever the description says now.
        let order = if new.is_beside { UpdateOrder::StartFirst } else { service.update_order };
        let new = &reference(new);
        let group = self.begin_group();
        let mut before = before.to_vec();
        // The engine started both. Stop the old one at once, with its own signal.
        let both = old.is_up() && order == UpdateOrder::StopFirst;
        if both {
            before.push(self.add(
                Some(service),
                Action::StopContainer { container: reference(old) },
                Some(Cause::Interrupted),
                &before,
            ));
        }
        let before = &before[..];
        let ready = match order {
            UpdateOrder::StopFirst => {
                let ready = self.wait(service, new, before);
                self.verify(service, new, ready)
            }
            UpdateOrder::StartFirst => {
                // The killed run may not have come to its verification.
                let mut before = before.to_vec();
                if service.verification.is_some() {
                    let ready = self.wait(service, new, &before);
                    before = vec![self.verify(service, new, ready)];
                }
                let attached = self.add(
                    Some(service),
                    Action::Attach { container: new.clone() },
                    Some(Cause::Interrupted),
                    &before,
                );
                self.wait(service, new, &[attached])
            }
        };
        let proven = self.monitor(service, new, ready);
        let stopped_last = self.stop_last(service, order, old, proven);
        let was_stopped = both || self.was_stopped(service, old);
        let undo = Undo {
            service,
            old,
            new,
            created: None,
            serves: None,
            restart: match stopped_last {
                _ if was_stopped => OldRestart::Always,
                Some(stopped) => OldRestart::IfBegun(stopped),
                None => OldRestart::Never,
            },
        };
        self.plan.rollbacks.insert(group, Rollback { undo: undo.actions(), until: vec![proven] });
        self.replaced(service, old, new, proven, stopped_last);
    }
}

/// How one replacement is undone. Each step is one of the plan: only if it was begun there is
/// something to undo; `None` means always.
struct Undo<'p> {
    service: &'p Service,
    old: &'p Container,
    new: &'p ContainerRef,
    created: Option<StepId>,
    /// From this step on the new container is stopped gently: it serves, or it may have written to
    /// the volumes that the old one gets back.
    serves: Option<StepId>,
    restart: OldRestart,
}

/// Whether a rollback starts the old container.
#[derive(Clone, Copy)]
enum OldRestart {
    /// It runs, or it did not run before.
    Never,
    /// If this step, which stops it, was begun.
    IfBegun(StepId),
    Always,
}

impl Undo<'_> {
    fn actions(&self) -> Vec<RollbackAction> {
        let undone =
            |action, of| RollbackAction { service: Some(self.service.name.clone()), action, of };
        let old = || reference(self.old);
        let order = self.service.rollback.order.unwrap_or(self.service.update_order);
        let stop = undone(Action::StopContainer { container: self.new.clone() }, self.serves);
        let remove = undone(remove_new(self.new), self.created);
        let starts_first = self.service.update_order == UpdateOrder::StartFirst;
        let stopped = match self.restart {
            // A new container beside the old one is not in use: its removal ends it.
            OldRestart::Never if starts_first => return vec![remove],
            OldRestart::Never => return vec![stop, remove],
            OldRestart::IfBegun(stopped) => Some(stopped),
            OldRestart::Always => None,
        };
        let start = undone(Action::StartContainer { container: old() }, stopped);
        let wait = undone(Action::Wait { container: old(), until: WaitCondition::Ready }, stopped);
        // The new container stays until the old one has started: if a run is killed in between, the
        // next one sees which container to restore.
        let mut actions = match order {
            UpdateOrder::StopFirst => vec![stop, start, remove, wait],
            UpdateOrder::StartFirst => vec![start, wait, stop, remove],
        };
        let time = self.service.rollback.monitor;
        if !time.is_zero() {
            actions.push(undone(Action::Monitor { container: old(), time }, stopped));
        }
        actions
    }
}

pub(super) fn remove_new(new: &ContainerRef) -> Action {
    Action::RemoveContainer { container: new.clone(), volumes: Anonymous::Own }
}

/// Both names of the image, if its name changed.
pub(super) fn names_of_images(
    service: &Service,
    container: &Container,
    changed: &[String],
) -> Option<OtherImage> {
    let is_named = !container.image.is_empty()
        && !container.image.starts_with("sha256:")
        && container.image != service.image;
    (is_named && changed.iter().any(|key| key == "image"))
        .then(|| OtherImage { before: container.image.clone(), now: service.image.clone() })
}
