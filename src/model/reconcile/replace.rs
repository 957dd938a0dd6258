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
    /// Replaces `old`. Returns the steps after which the next container of the service may be
    /// replaced.
    pub(super) fn replace(
        &mut self,
        service: &'a Service,
        old: &Container,
        cause: Cause,
        before: &[StepId],
        found: OldContainer,
    ) -> Vec<StepId> {
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
            UpdateOrder::StartFirst => self.start_beside(service, &new, &made),
        };
        let mut undo = Vec::new();
        let undone =
            |action, of| RollbackAction { service: Some(service.name.clone()), action, of };
        if service.update_order == UpdateOrder::StopFirst {
            // A gentle stop: it may have written to the volumes that the old one gets back.
            undo.push(undone(Action::StopContainer { container: new.clone() }, Some(started)));
        }
        // The new container stays until the old one has started: if a run is killed in between, the
        // next one sees which container to restore.
        let restore = stopped.is_some()
            || found == OldContainer::Interrupted && self.was_stopped(service, old);
        if restore {
            undo.push(undone(Action::StartContainer { container: reference(old) }, stopped));
        }
        undo.push(undone(remove_new(&new), Some(created)));
        if restore {
            undo.push(undone(
                Action::Wait { container: reference(old), until: WaitCondition::Ready },
                stopped,
            ));
        }
        self.plan.rollbacks.insert(group, Rollback { undo, until: vec![ready] });
        let last = self.take_over(service, old, &new, &name, ready);
        self.group = None;
        last
    }

    fn begin_group(&mut self) -> usize {
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
        (stopped, started, ready)
    }

    fn start_beside(
        &mut self,
        service: &Service,
        new: &ContainerRef,
        made: &[StepId],
    ) -> (Option<StepId>, StepId, StepId) {
        let (started, ready) = self.begin(service, new, None, made);
        let attached =
            self.add(Some(service), Action::Attach { container: new.clone() }, None, &[ready]);
        // The attachment changed its address, so the services that depend on it wait for this step.
        (None, started, self.wait(service, new, &[attached]))
    }

    /// Removes the old container and renames the new one.
    fn take_over(
        &mut self,
        service: &Service,
        old: &Container,
        new: &ContainerRef,
        name: &str,
        ready: StepId,
    ) -> Vec<StepId> {
        let mut before = vec![ready];
        if service.update_order == UpdateOrder::StartFirst && old.is_up() {
            before.push(self.add(
                Some(service),
                Action::StopContainer { container: reference(old) },
                None,
                &before,
            ));
        }
        let remove =
            Action::RemoveContainer { container: reference(old), volumes: Anonymous::Kept };
        let removed = self.add(Some(service), remove, None, &before);
        vec![self.add(
            Some(service),
            Action::RenameContainer { container: new.clone(), to: name.to_owned() },
            None,
            &[removed],
        )]
    }

    /// Both the old and the new container exist: a run was killed in between.
    pub(super) fn interrupted_replacement(
        &mut self,
        service: &'a Service,
        old: &'a Container,
        new: &'a Container,
        before: &[StepId],
        previous: Vec<StepId>,
    ) -> Result<Vec<StepId>, Failure> {
        let serves = new.is_up() || self.is_completed(service, new);
        if serves && matches!(self.difference(service, new), Difference::Same) {
            return Ok(self.finish_replacement(service, old, &reference(new), before));
        }
        let mut gone = Vec::new();
        if new.is_up() {
            // It may be writing to a volume that the old one gets back.
            gone.push(self.add(
                Some(service),
                Action::StopContainer { container: reference(new) },
                Some(Cause::Interrupted),
                &[],
            ));
        }
        gone = vec![self.add(
            Some(service),
            remove_new(&reference(new)),
            Some(Cause::Interrupted),
            &gone,
        )];
        let before = [before, &gone[..]].concat();
        let cause = match self.difference(service, old) {
            Difference::Same => {
                if self.was_stopped(service, old) {
                    self.begin(service, &reference(old), Some(Cause::Interrupted), &before);
                } else {
                    self.keep(service, old, &before)?;
                }
                return Ok(previous);
            }
            Difference::Changed(cause) => cause,
            Difference::Image(_) => Cause::ImageChanged(None),
        };
        Ok(self.replace(
            service,
            old,
            cause,
            &[before, previous].concat(),
            OldContainer::Interrupted,
        ))
    }

    /// The new one runs: continue from there.
    fn finish_replacement(
        &mut self,
        service: &'a Service,
        old: &'a Container,
        new: &ContainerRef,
        before: &[StepId],
    ) -> Vec<StepId> {
        let name = self.container_name(service, old.number);
        let group = self.begin_group();
        let always =
            |action| RollbackAction { service: Some(service.name.clone()), action, of: None };
        let mut undo = Vec::new();
        let mut before = before.to_vec();
        // The engine started both. Stop the old one at once, with its own signal.
        let both = old.is_up() && service.update_order == UpdateOrder::StopFirst;
        if both {
            before.push(self.add(
                Some(service),
                Action::StopContainer { container: reference(old) },
                Some(Cause::Interrupted),
                &before,
            ));
        }
        let before = &before[..];
        if service.update_order == UpdateOrder::StopFirst {
            undo.push(always(Action::StopContainer { container: new.clone() }));
        }
        let restore = both || self.was_stopped(service, old);
        if restore {
            undo.push(always(Action::StartContainer { container: reference(old) }));
        }
        undo.push(always(remove_new(new)));
        if restore {
            undo.push(always(Action::Wait {
                container: reference(old),
                until: WaitCondition::Ready,
            }));
        }
        let ready = match service.update_order {
            UpdateOrder::StopFirst => self.wait(service, new, before),
            UpdateOrder::StartFirst => {
                let attached = self.add(
                    Some(service),
                    Action::Attach { container: new.clone() },
                    Some(Cause::Interrupted),
                    before,
                );
                self.wait(service, new, &[attached])
            }
        };
        self.plan.rollbacks.insert(group, Rollback { undo, until: vec![ready] });
        let last = self.take_over(service, old, new, &name, ready);
        self.group = None;
        last
    }
}

fn remove_new(new: &ContainerRef) -> Action {
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
