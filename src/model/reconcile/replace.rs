//! Replacing one container: the old one is kept until the new one is ready.

use super::super::Failure;
use super::super::observed::Container;
use super::super::plan::{Action, ContainerRef, Rollback, StepId, Until};
use super::super::spec::{Service, UpdateOrder};
use super::up::{Difference, INTERRUPTED, Planner, new_name, reference};

impl<'a> Planner<'a> {
    /// Replaces `old`; answers the steps after which the next container of the service may be replaced.
    pub(super) fn replace(&mut self, service: &'a Service, old: &Container, cause: &str, before: &[StepId]) -> Vec<StepId> {
        let name = self.container_name(service, old.number);
        let new = ContainerRef::new(new_name(&name));
        let group = self.groups;
        self.groups += 1;
        self.group = Some(group);
        let alias = service.update_order == UpdateOrder::StopFirst;
        let create = Action::CreateContainer { name: new.name.clone(), number: old.number, alias, replaces: Some(reference(old)) };
        let created = self.add(Some(service), create, cause, before);
        let mut rollback = vec![Action::RemoveContainer { container: new.clone(), volumes: false }];
        let ready = match service.update_order {
            UpdateOrder::StopFirst => {
                if old.is_up() {
                    rollback.push(Action::StartContainer { container: reference(old) });
                    rollback.push(Action::Wait { container: reference(old), until: Until::Ready });
                }
                self.stop_then_start(service, old, &new, created)
            }
            UpdateOrder::StartFirst => self.start_beside(service, &new, created),
        };
        self.plan.rollbacks.insert(group, Rollback { actions: rollback, until: ready });
        let last = self.take_over(service, old, &new, &name, ready);
        self.group = None;
        last
    }

    fn stop_then_start(&mut self, service: &Service, old: &Container, new: &ContainerRef, created: StepId) -> StepId {
        // Not before the conditions hold: the old one serves meanwhile.
        let (conditions, _) = self.conditions(service);
        let mut before = vec![created];
        if old.is_up() {
            before.extend(conditions);
            before = vec![created, self.add(Some(service), Action::StopContainer { container: reference(old) }, "", &before)];
        }
        let steps = self.plan.steps.len();
        self.start(service, new, "", &before);
        debug_assert!(self.plan.steps.len() > steps);
        self.plan.steps.len() - 1
    }

    fn start_beside(&mut self, service: &Service, new: &ContainerRef, created: StepId) -> StepId {
        self.start(service, new, "", &[created]);
        let ready = self.plan.steps.len() - 1;
        let attached = self.add(Some(service), Action::Attach { container: new.clone() }, "", &[ready]);
        // Its address changed with the attachment: what depends on it waits for this one.
        self.wait(service, new, &[attached])
    }

    /// The old one goes, the new one gets its name.
    fn take_over(&mut self, service: &Service, old: &Container, new: &ContainerRef, name: &str, ready: StepId) -> Vec<StepId> {
        let mut before = vec![ready];
        if service.update_order == UpdateOrder::StartFirst && old.is_up() {
            before.push(self.add(Some(service), Action::StopContainer { container: reference(old) }, "", &before));
        }
        let removed = self.add(Some(service), Action::RemoveContainer { container: reference(old), volumes: false }, "", &before);
        vec![self.add(Some(service), Action::RenameContainer { container: new.clone(), to: name.to_owned() }, "", &[removed])]
    }

    /// Both the old and the new container are there: a run was killed in between.
    pub(super) fn interrupted_replacement(
        &mut self,
        service: &'a Service,
        old: &'a Container,
        new: &'a Container,
        before: &[StepId],
        previous: Vec<StepId>,
    ) -> Result<Vec<StepId>, Failure> {
        let goes_on = new.is_up() && matches!(self.difference(service, new), Difference::Same);
        if !goes_on {
            let removed = self.add(Some(service), Action::RemoveContainer { container: reference(new), volumes: false }, INTERRUPTED, &[]);
            let before = [before, &[removed]].concat();
            return match self.difference(service, old) {
                Difference::Same => {
                    self.keep(service, old, &before)?;
                    Ok(previous)
                }
                Difference::Changed(cause) => Ok(self.replace(service, old, &cause, &[&before[..], &previous].concat())),
                Difference::Image(_) => Ok(self.replace(service, old, "image changed", &[&before[..], &previous].concat())),
            };
        }
        let name = self.container_name(service, old.number);
        let group = self.groups;
        self.groups += 1;
        self.group = Some(group);
        let new = reference(new);
        let mut rollback = vec![Action::RemoveContainer { container: new.clone(), volumes: false }];
        if service.update_order == UpdateOrder::StopFirst {
            rollback.push(Action::StartContainer { container: reference(old) });
            rollback.push(Action::Wait { container: reference(old), until: Until::Ready });
        }
        let ready = match service.update_order {
            UpdateOrder::StopFirst => self.wait(service, &new, before),
            UpdateOrder::StartFirst => {
                let attached = self.add(Some(service), Action::Attach { container: new.clone() }, INTERRUPTED, before);
                self.wait(service, &new, &[attached])
            }
        };
        self.plan.rollbacks.insert(group, Rollback { actions: rollback, until: ready });
        let last = self.take_over(service, old, &new, &name, ready);
        self.group = None;
        Ok(last)
    }
}
