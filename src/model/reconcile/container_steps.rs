//! The steps that bring up one container: create, deliver, start, and wait.

use super::super::Failure;
use super::super::cause::Cause;
use super::super::names;
use super::super::observed_state::Container;
use super::super::plan::{Action, Anonymous, ContainerRef, StepId, WaitCondition};
use super::super::spec::Service;
use super::planner::{Difference, Planner, new_name, reference};

/// Chooses between several containers with one number. A running one comes before a stopped one,
/// then spc's own, then the one with the right name, then the newest.
fn rightful<'a>(candidates: &[&'a Container], name: &str) -> Option<&'a Container> {
    candidates
        .iter()
        .copied()
        .max_by_key(|it| (it.is_up(), it.ours, it.name == name, it.created, &it.id))
}

impl<'a> Planner<'a> {
    /// Container `number` of `service`.
    pub(super) fn container(
        &mut self,
        service: &'a Service,
        number: u32,
        before: &[StepId],
    ) -> Result<(), Failure> {
        let there =
            self.of_service.get(service.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let of_number = there.iter().copied().filter(|container| container.number == number);
        let (news, olds): (Vec<&Container>, Vec<&Container>) =
            of_number.partition(|container| container.is_new());
        let name = self.container_name(service, number);
        let (old, new) = (rightful(&olds, &name), rightful(&news, &new_name(&name)));
        // They use its volumes, so they come before any start of this number.
        let mut before = before.to_vec();
        for double in olds
            .into_iter()
            .chain(news)
            .filter(|double| ![old, new].iter().flatten().any(|one| one.id == double.id))
        {
            let removal =
                self.stop_and_remove(Some(service), double, Cause::SecondOfNumber, &before);
            before.push(removal);
        }
        match (old, new) {
            (None, None) => {
                self.create(service, number, &before);
                Ok(())
            }
            (Some(old), None) => self.existing(service, old, &before),
            // The old container was removed, but the new one was not renamed yet: continue from
            // there.
            (None, Some(new)) => {
                if self.is_held(&name) {
                    return self.unfinished(service, new, name, &before);
                }
                let rename = Action::RenameContainer { container: reference(new), to: name };
                let rename = self.add(Some(service), rename, Some(Cause::Interrupted), &before);
                let mut before = [&before[..], &[rename]].concat();
                if new.is_beside && new.is_up() {
                    let attach = Action::Attach { container: self.final_reference(service, new) };
                    before.push(self.add(
                        Some(service),
                        attach,
                        Some(Cause::Interrupted),
                        &[rename],
                    ));
                }
                self.existing(service, new, &before)
            }
            (Some(old), Some(new)) => self.interrupted_replacement(service, old, new, &before),
        }
    }

    pub(super) fn container_name(&self, service: &Service, number: u32) -> String {
        service
            .container_name
            .clone()
            .unwrap_or_else(|| names::container(&self.wanted.project.name, &service.name, number))
    }

    pub(super) fn create(&mut self, service: &Service, number: u32, before: &[StepId]) {
        let name = self.container_name(service, number);
        // The container with this name stays in use until this one is ready.
        let is_taken = self.is_held(&name);
        let first_name = if is_taken { new_name(&name) } else { name.clone() };
        let action = Action::CreateContainer {
            name: first_name.clone(),
            number,
            alias: true,
            replaces: None,
        };
        let created = self.add(Some(service), action, Some(Cause::NotThere), before);
        let container = ContainerRef::new(first_name);
        let ready = self.start(service, &container, None, &[created]);
        if is_taken {
            self.add(
                Some(service),
                Action::RenameContainer { container, to: name },
                None,
                &[ready],
            );
        }
    }

    pub(super) fn is_held(&self, name: &str) -> bool {
        self.observed.containers.iter().any(|container| container.name == name)
    }

    /// Finishes a container that a killed run created under its temporary name, because another
    /// container had, and still has, the final one.
    pub(super) fn unfinished(
        &mut self,
        service: &'a Service,
        new: &Container,
        to: String,
        before: &[StepId],
    ) -> Result<(), Failure> {
        if matches!(self.difference(service, new), Difference::Same) {
            let first = self.plan.steps.len();
            self.keep(service, new, before)?;
            let own: Vec<StepId> = (first..self.plan.steps.len()).collect();
            self.add(
                Some(service),
                Action::RenameContainer { container: reference(new), to },
                Some(Cause::Interrupted),
                &own,
            );
        } else {
            let remove =
                Action::RemoveContainer { container: reference(new), volumes: Anonymous::Own };
            // It may be writing to a volume.
            let stop = Action::StopContainer { container: reference(new) };
            let stopped: Vec<StepId> = new
                .is_up()
                .then(|| self.add(Some(service), stop, Some(Cause::Interrupted), &[]))
                .into_iter()
                .collect();
            let removed = self.add(Some(service), remove, Some(Cause::Interrupted), &stopped);
            self.create(service, new.number, &[before, &[removed]].concat());
        }
        Ok(())
    }

    /// Secrets, start, wait and verification of a container that exists once `before` is done.
    /// Returns the last step.
    pub(super) fn start(
        &mut self,
        service: &Service,
        container: &ContainerRef,
        cause: Option<Cause>,
        before: &[StepId],
    ) -> StepId {
        let before = self.deliver(service, container, cause.clone(), before);
        let ready = self.begin(service, container, cause, &before).1;
        self.verify(service, container, ready)
    }

    /// Verifies a new container that is ready, if the service says how. Returns the last step.
    pub(super) fn verify(
        &mut self,
        service: &Service,
        container: &ContainerRef,
        ready: StepId,
    ) -> StepId {
        if service.verification.is_none() || self.is_job(service) {
            return ready;
        }
        let verify = Action::Verify { container: container.clone() };
        let step = self.add(Some(service), verify, None, &[ready]);
        self.ready.entry(service.name.clone()).or_default().push(step);
        step
    }

    /// Delivers configs and secrets, if there are any. Returns the steps after which the container
    /// has them.
    pub(super) fn deliver(
        &mut self,
        service: &Service,
        container: &ContainerRef,
        cause: Option<Cause>,
        before: &[StepId],
    ) -> Vec<StepId> {
        let mut before = before.to_vec();
        if !service.configs.is_empty() {
            before.push(self.add(
                Some(service),
                Action::DeliverConfigs { container: container.clone() },
                cause.clone(),
                &before,
            ));
        }
        if !service.secrets.is_empty() {
            before.push(self.add(
                Some(service),
                Action::DeliverSecrets { container: container.clone() },
                cause,
                &before,
            ));
        }
        before
    }

    /// Starts a container that has its secrets, once its conditions hold, and waits for it. Returns
    /// both steps.
    pub(super) fn begin(
        &mut self,
        service: &Service,
        container: &ContainerRef,
        cause: Option<Cause>,
        before: &[StepId],
    ) -> (StepId, StepId) {
        let (conditions, tolerated) = self.conditions(service);
        let started = self.add(
            Some(service),
            Action::StartContainer { container: container.clone() },
            cause,
            &[before, &conditions].concat(),
        );
        self.plan.steps[started].tolerates = tolerated;
        self.started.entry(service.name.clone()).or_default().push(started);
        (started, self.wait(service, container, &[started]))
    }

    /// Waits until the container is ready or completed, depending on what other services wait for.
    pub(super) fn wait(
        &mut self,
        service: &Service,
        container: &ContainerRef,
        before: &[StepId],
    ) -> StepId {
        let job = self.is_job(service);
        let until = if job { WaitCondition::Completed } else { WaitCondition::Ready };
        let step = self.add(
            Some(service),
            Action::Wait { container: container.clone(), until },
            None,
            before,
        );
        if job {
            self.completed.entry(service.name.clone()).or_default().push(step);
        }
        self.ready.entry(service.name.clone()).or_default().push(step);
        step
    }
}
