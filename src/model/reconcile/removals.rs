//! Stops and removes surplus containers, orphans, and secrets of containers that no longer exist.

use super::super::cause::Cause;
use super::super::names;
use super::super::observed_state::Container;
use super::super::plan::{Action, Anonymous, Step, StepId};
use super::super::spec::Service;
use super::holders::holders;
use super::planner::{Planner, reference};

impl Planner<'_> {
    /// The steps after which no other container of the project writes to the volumes that only
    /// `service` may write to. `ready`: once these are done, its containers can be created.
    pub(super) fn removals(&mut self, service: &Service, ready: &[StepId]) -> Vec<StepId> {
        let mut removals = Vec::new();
        for holder in holders(self.wanted.project, service, self.observed) {
            if let Some(&stop) = self.let_go.get(&holder.id) {
                removals.push(stop);
                self.handed_over.push((stop, service.name.clone()));
            } else if let Some(removal) = self.removal(holder).filter(|_| !holder.is_up()) {
                removals.push(removal);
            } else if self.is_removable_orphan(holder) {
                let removal = self.stop_and_remove(None, holder, Cause::NoLongerDescribed, ready);
                // It stays until the new one is ready, and is started again if that fails.
                let stop =
                    self.plan.steps[removal].after.last().copied().filter(|_| holder.is_up());
                if let Some(stop) = stop {
                    self.let_go.insert(holder.id.clone(), stop);
                    self.handed_over.push((stop, service.name.clone()));
                }
                removals.push(stop.unwrap_or(removal));
            } else {
                self.passed_on.push((&holder.id, service.name.clone()));
            }
        }
        if !self.wanted.project.own_volumes(service).is_empty() {
            removals.extend(self.surplus(service, ready));
        }
        removals
    }

    /// If a service writes to a storage that a container of another service writes to now, it
    /// starts once that container is stopped. Both are rolled back together.
    pub(super) fn pass_on(&mut self) {
        for (id, service) in std::mem::take(&mut self.passed_on) {
            let is_stop = |step: &Step| matches!(&step.action, Action::StopContainer { container } if container.id.as_deref() == Some(id));
            let stops = (0..self.plan.steps.len()).filter(|&step| is_stop(&self.plan.steps[step]));
            self.handed_over.extend(stops.map(|stop| (stop, service.clone())));
        }
    }

    /// The step that removes an existing container.
    pub(super) fn removal(&self, there: &Container) -> Option<StepId> {
        self.plan.steps.iter().position(|step| match &step.action {
            Action::RemoveContainer { container, .. } => container.id.as_ref() == Some(&there.id),
            _ => false,
        })
    }

    pub(super) fn is_removable_orphan(&self, container: &Container) -> bool {
        let is_described = self.wanted.project.services.contains_key(&container.service);
        !is_described && self.wanted.remove_orphans && (container.ours || self.wanted.adopt)
    }

    /// Removes containers beyond the scale; returns these steps.
    pub(super) fn surplus(&mut self, service: &Service, before: &[StepId]) -> Vec<StepId> {
        let there = self.of_service.get(service.name.as_str()).cloned().unwrap_or_default();
        let surplus = there.into_iter().filter(|container| container.number > service.scale);
        surplus
            .map(|container| {
                self.stop_and_remove(Some(service), container, Cause::Scale(service.scale), before)
            })
            .collect()
    }

    /// Containers of services that are no longer described.
    pub(super) fn orphans(&mut self) {
        let observed = self.observed;
        for container in &observed.containers {
            if self.wanted.project.services.contains_key(&container.service) {
                continue;
            }
            if self.is_removable_orphan(container) {
                if self.removal(container).is_none() {
                    self.stop_and_remove(None, container, Cause::NoLongerDescribed, &[]);
                }
            } else {
                let how = if container.ours {
                    "--remove-orphans removes it"
                } else {
                    "--adopt --remove-orphans removes it"
                };
                self.plan
                    .notes
                    .push(format!("{} belongs to no described service; {how}", container.name));
            }
        }
    }

    /// Removes volumes with secrets of containers that no longer exist.
    pub(super) fn orphaned_secrets(&mut self) {
        let observed = self.observed;
        for name in &observed.orphaned_secrets {
            let remove = Action::RemoveVolume { name: name.clone() };
            self.add(None, remove, Some(Cause::Interrupted), &[]);
        }
    }

    /// Returns the removal.
    pub(super) fn stop_and_remove(
        &mut self,
        service: Option<&Service>,
        container: &Container,
        cause: Cause,
        before: &[StepId],
    ) -> StepId {
        let mut before = before.to_vec();
        if container.is_up() {
            before.push(self.add(
                service,
                Action::StopContainer { container: reference(container) },
                Some(cause.clone()),
                &before,
            ));
        }
        let left: Vec<&str> = container
            .volumes
            .iter()
            .map(String::as_str)
            .filter(|volume| names::is_anonymous_volume(volume))
            .collect();
        if !left.is_empty() {
            self.plan.notes.push(format!(
                "{} is removed: {}",
                container.name,
                names::anonymous_volumes_stay(&left)
            ));
        }
        self.add(
            service,
            Action::RemoveContainer { container: reference(container), volumes: Anonymous::Kept },
            Some(cause),
            &before,
        )
    }
}
