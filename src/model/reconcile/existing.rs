//! Handles an existing container: keep it, start it, or say how it differs from the description.

use super::super::cause::{Cause, ChangedKeys, OtherImage};
use super::super::image_reference::canonical;
use super::super::observed_state::{Container, ContainerState};
use super::super::plan::{ContainerRef, StepCondition, StepId};
use super::super::spec::Service;
use super::super::{Failure, Kind, hash};
use super::planner::{Difference, OldContainer, Planner};
use super::replace::names_of_images;
use super::secrets::{SecretsDifference, of_secrets};
use super::settings::is_made_of;

impl<'a> Planner<'a> {
    pub(super) fn existing(
        &mut self,
        service: &'a Service,
        container: &'a Container,
        before: &[StepId],
    ) -> Result<(), Failure> {
        match self.difference(service, container) {
            Difference::Same => self.keep(service, container, before),
            Difference::Changed(cause) => {
                self.replace(service, container, cause, before, OldContainer::AsItIs);
                Ok(())
            }
            Difference::Image(known_after) => {
                let when = StepCondition {
                    image: service.image.clone(),
                    known_after,
                    current: container.image_id.clone(),
                    same: false,
                };
                self.when = Some(when.clone());
                let cause = Cause::ImageChanged(None);
                self.replace(service, container, cause, before, OldContainer::AsItIs);
                self.when = Some(StepCondition { same: true, ..when });
                let kept = self.keep(service, container, before);
                self.when = None;
                kept
            }
        }
    }

    /// Makes an unchanged container run and be ready, if it isn't.
    pub(super) fn keep(
        &mut self,
        service: &'a Service,
        container: &Container,
        before: &[StepId],
    ) -> Result<(), Failure> {
        let reference = self.final_reference(service, container);
        match container.state {
            ContainerState::Running if self.is_job(service) => {
                self.wait(service, &reference, before);
            }
            ContainerState::Running if container.is_ready() => {}
            ContainerState::Running | ContainerState::Restarting => {
                let step = self.wait(service, &reference, before);
                self.plan.steps[step].cause = Some(container.unready());
            }
            ContainerState::Created => {
                self.start(service, &reference, Some(Cause::NeverStarted), before);
            }
            ContainerState::Exited if self.is_completed(service, container) => {
                if self.wanted.asked.contains(&service.name) {
                    self.begin(service, &reference, Some(Cause::AskedForByName), before);
                } else if !self.is_job(service)
                    && !service.restart_is_described
                    && self.when.is_none()
                {
                    // It may also be a worker that someone stopped.
                    self.plan.notes.push(format!(
                        "{} exited with code 0 and counts as a completed job, so spc does not start it: `up([\"{}\"])` starts it, and \
                         `restart: \"unless-stopped\"` is for services that keep running",
                        container.name, service.name
                    ));
                }
            }
            ContainerState::Exited | ContainerState::Dead => {
                let cause = if self.ended_by_stop(container) {
                    Cause::Stopped
                } else {
                    container.exit_code.map_or(Cause::NotRunning, Cause::Exited)
                };
                // It already contains its secrets.
                self.begin(service, &reference, Some(cause), before);
            }
            ContainerState::Paused => {
                return Err(Failure::paused(&container.name).field("service", service.name.clone()));
            }
            ContainerState::Removing => {
                return Err(Failure::new(
                    Kind::Conflict,
                    format!("The container \"{}\" is being removed", container.name),
                )
                .hint("run it again once it is gone")
                .field("service", service.name.clone()));
            }
        }
        Ok(())
    }

    /// Whether it ended because spc stopped it. After that, somebody else may have started it: then
    /// an exit code that no stop causes is of this start.
    fn ended_by_stop(&self, container: &Container) -> bool {
        let of_a_stop = |code| matches!(code, 0 | 130 | 131 | 137 | 143);
        self.wanted.stopped.contains(&container.id) && container.exit_code.is_none_or(of_a_stop)
    }

    /// The name of the container once a pending rename is done.
    pub(super) fn final_reference(&self, service: &Service, container: &Container) -> ContainerRef {
        let name = if container.is_new() {
            self.container_name(service, container.number)
        } else {
            container.name.clone()
        };
        ContainerRef { name, id: Some(container.id.clone()) }
    }

    pub(super) fn difference(&mut self, service: &Service, container: &Container) -> Difference {
        if !container.ours {
            return Difference::Changed(Cause::Adopted);
        }
        if container.state == ContainerState::Dead {
            return Difference::Changed(Cause::Dead);
        }
        if self.wanted.renew_anonymous_volumes && container.has_anonymous_volumes {
            return Difference::Changed(Cause::AnonymousVolumesRenewed);
        }
        let project = self.wanted.project;
        if !is_made_of(container, service, self.wanted, self.observed) {
            let keys = hash::changed_in(
                container.parts.as_deref().unwrap_or(""),
                service,
                project,
                self.wanted.secrets,
            );
            if !self.differs_by_image_name(service, container) {
                let image = names_of_images(service, container, &keys);
                return Difference::Changed(Cause::DescriptionChanged(ChangedKeys { keys, image }));
            }
        }
        if container.networks.iter().any(|id| !self.observed.network_ids.contains(id)) {
            return Difference::Changed(Cause::NetworkRemoved);
        }
        if let Some(network) = self.missing_network(service, container) {
            return Difference::Changed(Cause::NotOnNetwork(network.to_owned()));
        }
        if let Some(wanted) = self.wanted.fingerprints.get(&service.name) {
            match of_secrets(container, wanted, self.observed) {
                SecretsDifference::None => {}
                SecretsDifference::Changed(cause) => return Difference::Changed(cause),
                SecretsDifference::Unknown(note) => self.plan.notes.push(note),
            }
        }
        match (self.observed.image_id(&service.image), self.images.get(&canonical(&service.image)))
        {
            (_, Some(&step)) => Difference::Image(step),
            (Some(id), None) if id == container.image_id => Difference::Same,
            (Some(id), None) => Difference::Changed(Cause::ImageChanged(Some(OtherImage::of_ids(
                &container.image_id,
                id,
            )))),
            (None, None) => Difference::Same,
        }
    }

    /// Whether the description only gives another name to the image that the container is made of.
    /// An image that is pulled or built first counts as another one. The hash decides, with the old
    /// name in the description: the hashes of parts are short and for people.
    fn differs_by_image_name(&self, service: &Service, container: &Container) -> bool {
        let is_same_image = !self.images.contains_key(&canonical(&service.image))
            && self.observed.image_id(&service.image) == Some(&container.image_id);
        let with_old_name = || Service { image: container.image.clone(), ..service.clone() };
        is_same_image && is_made_of(container, &with_old_name(), self.wanted, self.observed)
    }

    /// A network that a running container should be connected to and isn't. The engine's list does
    /// not show this for stopped containers.
    pub(super) fn missing_network(
        &self,
        service: &Service,
        container: &Container,
    ) -> Option<&'a str> {
        let names =
            service.networks.keys().map(|key| self.wanted.project.networks[key].name.as_str());
        let is_on = |name: &str| {
            self.observed
                .networks
                .iter()
                .any(|there| there.name == name && container.networks.contains(&there.id))
        };
        names.filter(|_| container.state == ContainerState::Running).find(|name| !is_on(name))
    }
}
