//! `up`: what is missing is made, what changed is replaced, what is unchanged is left alone.

use std::collections::{BTreeMap, BTreeSet};

use super::super::cause::{Cause, ChangedKeys};
use super::super::failure::SpecPath;
use super::super::image_reference::{canonical, is_id};
use super::super::names::{self};
use super::super::observed_state::{Container, ContainerState, ObservedState};
use super::super::plan::{
    Action, Anonymous, ContainerRef, Plan, Step, StepCondition, StepId, WaitCondition,
};
use super::super::spec::{Condition, MountSource, Service};
use super::super::{Failure, Kind, hash};
use super::desired_state::DesiredState;
use super::hand_over;
use super::holders::holders;
use super::images_first;
use super::leftover_one_offs;
use super::orphan_networks::orphan_networks;
use super::planner::{Difference, OldContainer, Planner, new_name, reference};
use super::replace::names_of_images;
use super::secrets::{SecretsDifference, of_secrets};
use super::settings::{self, is_made_of};

/// The plan that brings the wanted services up, ready.
pub fn up(wanted: &DesiredState<'_>, observed: &ObservedState) -> Result<Plan, Failure> {
    check_foreign(wanted, observed)?;
    // A service that is named is active, whatever its profiles.
    let is_wanted = |service: &Service| wanted.services.contains(&service.name);
    wanted.project.check_built_names(&is_wanted)?;
    wanted.project.check_writers(&is_wanted)?;
    let mut planner = Planner::new(wanted, observed);
    for name in in_order(wanted, observed) {
        planner.service(&wanted.project.services[&name])?;
    }
    planner.pass_on();
    planner.orphans();
    planner.orphaned_secrets();
    let Planner { mut plan, groups, handed_over, .. } = planner;
    leftover_one_offs::before_starts(&mut plan, observed);
    hand_over::arrange(&mut plan, groups, &handed_over, wanted, observed)?;
    orphan_networks(&mut plan, wanted, observed);
    images_first::arrange(&mut plan);
    Ok(plan)
}

/// Refuses a project that Docker Compose made, unless it is to be adopted. Where it was, what is
/// left of it and no longer described is an orphan like any other.
pub(super) fn check_foreign(
    wanted: &DesiredState<'_>,
    observed: &ObservedState,
) -> Result<(), Failure> {
    let anything_ours = observed.containers.iter().any(|container| container.ours);
    let is_orphan = |container: &Container| {
        anything_ours && !wanted.project.services.contains_key(&container.service)
    };
    let foreign: Vec<&str> = observed
        .containers
        .iter()
        .filter(|container| !container.ours && !is_orphan(container))
        .map(|container| container.name.as_str())
        .collect();
    if foreign.is_empty() || wanted.adopt {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Conflict,
        format!("A project \"{}\" that spc did not make is on this engine: {}", wanted.project.name, foreign.join(", ")),
    )
    .hint(format!(
        "--adopt takes it over (with --project {} where its folder was renamed or moved): its containers are replaced one by one, its \
         volumes used in place; or choose another --project",
        wanted.project.name
    )))
}

/// The services wanted, each after those that it depends on and those whose container writes to a
/// volume that it alone is to write to from now on.
pub(super) fn in_order(wanted: &DesiredState<'_>, observed: &ObservedState) -> Vec<String> {
    fn visit<'a>(
        name: &'a str,
        first: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        seen: &mut BTreeSet<&'a str>,
        order: &mut Vec<String>,
    ) {
        if !first.contains_key(name) || !seen.insert(name) {
            return;
        }
        for before in &first[name] {
            visit(before, first, seen, order);
        }
        order.push(name.to_owned());
    }
    // Also those that are not wanted: they stand between others that are.
    let first = wanted.project.services.iter().map(|(name, service)| {
        let holders =
            holders(wanted.project, service, observed).map(|holder| holder.service.as_str());
        (name.as_str(), service.depends_on.keys().map(String::as_str).chain(holders).collect())
    });
    let first: BTreeMap<&str, BTreeSet<&str>> = first.collect();
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for name in &wanted.services {
        visit(name, &first, &mut seen, &mut order);
    }
    order.retain(|name| wanted.services.contains(name));
    order
}

/// The services that one waits for to complete.
fn waits_for_the_end_of(service: &Service) -> impl Iterator<Item = &str> {
    service
        .depends_on
        .iter()
        .filter(|(_, how)| how.condition == Condition::Completed)
        .map(|(name, _)| name.as_str())
}

/// The one of several containers of one number that goes on as it: the one that runs before one
/// that doesn't, spc's own before another, the one that has its name, the newest.
fn rightful<'a>(candidates: &[&'a Container], name: &str) -> Option<&'a Container> {
    candidates
        .iter()
        .copied()
        .max_by_key(|it| (it.is_up(), it.ours, it.name == name, it.created, &it.id))
}

impl<'a> Planner<'a> {
    pub(super) fn new(wanted: &'a DesiredState<'a>, observed: &'a ObservedState) -> Self {
        let mut of_service: BTreeMap<&str, Vec<&Container>> = BTreeMap::new();
        for container in &observed.containers {
            of_service.entry(&container.service).or_default().push(container);
        }
        Self {
            wanted,
            observed,
            of_service,
            jobs: wanted.project.services.values().flat_map(waits_for_the_end_of).collect(),
            plan: leftover_one_offs::left_behind(&wanted.project.name, observed),
            images: BTreeMap::new(),
            networks: BTreeMap::new(),
            volumes: BTreeMap::new(),
            started: BTreeMap::new(),
            ready: BTreeMap::new(),
            completed: BTreeMap::new(),
            groups: 0,
            let_go: BTreeMap::new(),
            handed_over: Vec::new(),
            passed_on: Vec::new(),
            group: None,
            when: None,
        }
    }

    pub(super) fn add(
        &mut self,
        service: Option<&Service>,
        action: Action,
        cause: Option<Cause>,
        after: &[StepId],
    ) -> StepId {
        self.plan.add(Step {
            service: service.map(|service| service.name.clone()),
            action,
            cause,
            after: after.to_vec(),
            tolerates: Vec::new(),
            group: self.group,
            when: self.when.clone(),
        })
    }

    pub(super) fn service(&mut self, service: &'a Service) -> Result<(), Failure> {
        let mut before: Vec<StepId> = self.image(service)?.into_iter().collect();
        for key in service.networks.keys() {
            before.extend(self.network(service, key)?);
        }
        for mount in &service.volumes {
            if let MountSource::Volume { name, .. } = &mount.source {
                before.extend(self.volume(service, name)?);
            }
        }
        // What else writes to its volumes lets go first.
        let removals = self.removals(service, &before);
        before.extend(removals);
        let mut previous: Vec<StepId> = Vec::new();
        for number in 1..=service.scale {
            previous = self.container(service, number, &before, previous)?;
        }
        if self.wanted.project.own_volumes(service).is_empty() {
            self.surplus(service, &[]);
        }
        Ok(())
    }

    /// The steps after which nothing else of the project writes to the volumes that only `service`
    /// is to write to. `ready`: once these are done, its containers can be made.
    fn removals(&mut self, service: &Service, ready: &[StepId]) -> Vec<StepId> {
        let mut removals = Vec::new();
        for holder in holders(self.wanted.project, service, self.observed) {
            if let Some(&stop) = self.let_go.get(&holder.id) {
                removals.push(stop);
                self.handed_over.push((stop, service.name.clone()));
            } else if let Some(removal) = self.removal(holder).filter(|_| !holder.is_up()) {
                removals.push(removal);
            } else if self.is_removable_orphan(holder) {
                let removal = self.stop_and_remove(None, holder, Cause::NoLongerDescribed, ready);
                // It is kept until the new one is ready, and serves again if that fails.
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

    /// A service that writes to what a container of another one writes to now is started once that
    /// is stopped; both go back together.
    fn pass_on(&mut self) {
        for (id, service) in std::mem::take(&mut self.passed_on) {
            let is_stop = |step: &Step| matches!(&step.action, Action::StopContainer { container } if container.id.as_deref() == Some(id));
            let stops = (0..self.plan.steps.len()).filter(|&step| is_stop(&self.plan.steps[step]));
            self.handed_over.extend(stops.map(|stop| (stop, service.clone())));
        }
    }

    /// The step that removes a container that is there.
    fn removal(&self, there: &Container) -> Option<StepId> {
        self.plan.steps.iter().position(|step| match &step.action {
            Action::RemoveContainer { container, .. } => container.id.as_ref() == Some(&there.id),
            _ => false,
        })
    }

    fn is_removable_orphan(&self, container: &Container) -> bool {
        let is_described = self.wanted.project.services.contains_key(&container.service);
        !is_described && self.wanted.remove_orphans && (container.ours || self.wanted.adopt)
    }

    /// The step after which the service's image is there; services that share an image share it. An
    /// image that a service of the description builds is built for all that name it, after the
    /// images that the build begins with.
    pub(super) fn image(&mut self, service: &Service) -> Result<Option<StepId>, Failure> {
        let (wanted, observed) = (self.wanted, self.observed);
        let is_there = |image: &str| observed.image_id(image).is_some();
        let is_needed = |image: &str| wanted.build || !is_there(image);
        let builds = wanted.project.builds_of(
            [service.image.as_str()].into_iter(),
            &wanted.services,
            &is_needed,
            wanted.bases,
        )?;
        let mut steps: Vec<StepId> = Vec::new();
        for build in builds {
            let builder = &wanted.project.services[&build.service];
            let known =
                builder.built_names().find_map(|name| self.images.get(&canonical(name)).copied());
            let step = known.unwrap_or_else(|| {
                let action = Action::BuildImage {
                    image: builder.image.clone(),
                    service: builder.name.clone(),
                };
                let cause =
                    if is_there(&builder.image) { Cause::AskedFor } else { Cause::NotThere };
                let after: Vec<StepId> = build.after.iter().map(|&place| steps[place]).collect();
                let step = self.add(Some(service), action, Some(cause), &after);
                self.images.extend(builder.built_names().map(|name| (canonical(name), step)));
                step
            });
            steps.push(step);
        }
        if let Some(&last) = steps.last() {
            return Ok(Some(last));
        }
        if is_there(&service.image) {
            return Ok(None);
        }
        if let Some(&step) = self.images.get(&canonical(&service.image)) {
            return Ok(Some(step));
        }
        if is_id(&service.image) {
            let keys = vec!["services".into(), service.name.clone(), "image".into()];
            return Err(Failure::new(Kind::Image, format!("The image \"{}\" is not on this engine", service.image))
                .hint("no registry knows an image by its id: name it by its repository and tag, or by its repository and digest")
                .field("service", service.name.clone())
                .at(SpecPath { keys, on_key: false }));
        }
        let step = self.add(
            Some(service),
            Action::PullImage { image: service.image.clone() },
            Some(Cause::NotThere),
            &[],
        );
        self.images.insert(canonical(&service.image), step);
        Ok(Some(step))
    }

    pub(super) fn network(
        &mut self,
        service: &Service,
        key: &str,
    ) -> Result<Option<StepId>, Failure> {
        if let Some(&known) = self.networks.get(key) {
            return Ok(known);
        }
        let network = &self.wanted.project.networks[key];
        let name = &network.name;
        let at = |failure: Failure| {
            failure.at(SpecPath { keys: vec!["networks".into(), key.into()], on_key: true })
        };
        let there = self
            .observed
            .networks
            .iter()
            .filter(|there| there.name == *name)
            .min_by_key(|there| (!there.ours, there.created));
        let step = match there {
            Some(_) if network.external => None,
            None if network.external => {
                return Err(at(Failure::new(
                    Kind::NotFound,
                    format!("The external network \"{name}\" is not on this engine"),
                )
                .hint(format!(
                    "make it with `docker network create {name}`, or leave `external` out"
                ))));
            }
            Some(there) if there.ours => {
                if let Some(differences) = settings::of_network(there, network) {
                    return Err(at(Failure::new(
                        Kind::Conflict,
                        format!("The network \"{name}\" was made with other settings than these: {differences}"),
                    )
                    .hint("a network can't be changed while containers are on it: run `down`, then `up`; volumes are kept")));
                }
                None
            }
            Some(there) if there.compose && self.is_adopted(name) => None,
            Some(there) => {
                return Err(at(taken(
                    "network",
                    name,
                    there.owner.as_deref(),
                    &self.wanted.project.name,
                )));
            }
            None => {
                let action = Action::CreateNetwork { key: key.to_owned(), name: name.clone() };
                Some(self.add(Some(service), action, Some(Cause::NotThere), &[]))
            }
        };
        self.networks.insert(key.to_owned(), step);
        Ok(step)
    }

    fn is_adopted(&self, name: &str) -> bool {
        self.wanted.adopt || self.wanted.adopted.contains(name)
    }

    pub(super) fn volume(
        &mut self,
        service: &Service,
        key: &str,
    ) -> Result<Option<StepId>, Failure> {
        if let Some(&known) = self.volumes.get(key) {
            return Ok(known);
        }
        let volume = &self.wanted.project.volumes[key];
        let name = &volume.name;
        let at = |failure: Failure| {
            failure.at(SpecPath { keys: vec!["volumes".into(), key.into()], on_key: true })
        };
        let step = match self.observed.volumes.iter().find(|there| there.name == *name) {
            Some(_) if volume.external => None,
            None if volume.external => {
                return Err(at(Failure::new(
                    Kind::NotFound,
                    format!("The external volume \"{name}\" is not on this engine"),
                )
                .hint(format!(
                    "make it with `docker volume create {name}`, or leave `external` out"
                ))));
            }
            Some(there) if there.ours => {
                if let Some(differences) = settings::of_volume(there, volume) {
                    let message = format!(
                        "The volume \"{name}\" was made with other settings than these: {differences}"
                    );
                    return Err(at(Failure::new(Kind::Conflict, message)
                        .hint("a volume can't be changed without losing its data: put the settings back, or choose another `name`")));
                }
                None
            }
            Some(there) if there.compose && self.is_adopted(name) => None,
            Some(there) => {
                return Err(at(taken(
                    "volume",
                    name,
                    there.owner.as_deref(),
                    &self.wanted.project.name,
                )));
            }
            None => {
                let action = Action::CreateVolume { key: key.to_owned(), name: name.clone() };
                Some(self.add(Some(service), action, Some(Cause::NotThere), &[]))
            }
        };
        self.volumes.insert(key.to_owned(), step);
        Ok(step)
    }

    /// Container `number` of `service`. `previous`: the steps of the one before, which is replaced
    /// first.
    fn container(
        &mut self,
        service: &'a Service,
        number: u32,
        before: &[StepId],
        previous: Vec<StepId>,
    ) -> Result<Vec<StepId>, Failure> {
        let there =
            self.of_service.get(service.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let of_number = there.iter().copied().filter(|container| container.number == number);
        let (news, olds): (Vec<&Container>, Vec<&Container>) =
            of_number.partition(|container| container.is_new());
        let name = self.container_name(service, number);
        let (old, new) = (rightful(&olds, &name), rightful(&news, &new_name(&name)));
        // Before anything of this number is started: they have its volumes.
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
                Ok(previous)
            }
            (Some(old), None) => self.existing(service, old, &before, previous),
            // The old one was removed, the rename did not come: it goes on from there.
            (None, Some(new)) => {
                if self.is_held(&name) {
                    self.unfinished(service, new, name, &before)?;
                    return Ok(previous);
                }
                let rename = Action::RenameContainer { container: reference(new), to: name };
                let rename = self.add(Some(service), rename, Some(Cause::Interrupted), &before);
                self.existing(service, new, &[&before[..], &[rename]].concat(), previous)
            }
            (Some(old), Some(new)) => {
                self.interrupted_replacement(service, old, new, &before, previous)
            }
        }
    }

    pub(super) fn container_name(&self, service: &Service, number: u32) -> String {
        service
            .container_name
            .clone()
            .unwrap_or_else(|| names::container(&self.wanted.project.name, &service.name, number))
    }

    fn create(&mut self, service: &Service, number: u32, before: &[StepId]) {
        let name = self.container_name(service, number);
        // Who has the name now serves until this one is ready.
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

    fn is_held(&self, name: &str) -> bool {
        self.observed.containers.iter().any(|container| container.name == name)
    }

    /// A run that was killed made it under its first name, as another container had the final one,
    /// and still has.
    fn unfinished(
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
            // It may be in the middle of writing to a volume.
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

    /// Secrets, start and wait of a container that exists once `before` is done.
    /// Answers the wait.
    fn start(
        &mut self,
        service: &Service,
        container: &ContainerRef,
        cause: Option<Cause>,
        before: &[StepId],
    ) -> StepId {
        let before = self.deliver(service, container, cause.clone(), before);
        self.begin(service, container, cause, &before).1
    }

    /// Its configs and secrets, if it gets any; answers the steps after which it has them.
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

    /// Starts a container that has its secrets, once its conditions hold, and waits for it; answers
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

    /// Waits until the container is ready or completed, whichever its dependents ask for.
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

    /// The steps after which the conditions of `service` hold, and those of them whose failure is
    /// no obstacle.
    pub(super) fn conditions(&self, service: &Service) -> (Vec<StepId>, Vec<StepId>) {
        let (mut needed, mut all) = (Vec::new(), Vec::new());
        self.add_conditions(service, true, &mut BTreeSet::new(), &mut needed);
        self.add_conditions(service, false, &mut BTreeSet::new(), &mut all);
        let tolerated = all.iter().filter(|step| !needed.contains(step)).copied().collect();
        (all, tolerated)
    }

    /// Adds those steps once. A dependency of which nothing is started passes on its own
    /// conditions: a job that is done stands between the service that awaits it and the
    /// database that the job needed. `required`: without those whose failure is no obstacle.
    fn add_conditions<'s>(
        &'s self,
        service: &'s Service,
        required: bool,
        seen: &mut BTreeSet<&'s str>,
        steps: &mut Vec<StepId>,
    ) {
        for (dependency, how) in
            service.depends_on.iter().filter(|(_, how)| how.required || !required)
        {
            let own = match how.condition {
                Condition::Started => self.started.get(dependency),
                Condition::Healthy => self.ready.get(dependency),
                Condition::Completed => self.completed.get(dependency),
            };
            for step in own.into_iter().flatten() {
                if !steps.contains(step) {
                    steps.push(*step);
                }
            }
            if !self.started.contains_key(dependency)
                && seen.insert(dependency)
                && let Some(dependency) = self.wanted.project.services.get(dependency)
            {
                self.add_conditions(dependency, required, seen, steps);
            }
        }
    }

    /// Whether somebody waits for the service's end.
    pub(super) fn is_job(&self, service: &Service) -> bool {
        self.jobs.contains(service.name.as_str())
    }

    fn existing(
        &mut self,
        service: &'a Service,
        container: &'a Container,
        before: &[StepId],
        previous: Vec<StepId>,
    ) -> Result<Vec<StepId>, Failure> {
        match self.difference(service, container) {
            Difference::Same => {
                self.keep(service, container, before)?;
                Ok(previous)
            }
            Difference::Changed(cause) => Ok(self.replace(
                service,
                container,
                cause,
                &[before, &previous].concat(),
                OldContainer::AsItIs,
            )),
            Difference::Image(known_after) => {
                let when = StepCondition {
                    image: service.image.clone(),
                    known_after,
                    current: container.image_id.clone(),
                    same: false,
                };
                self.when = Some(when.clone());
                let last = self.replace(
                    service,
                    container,
                    Cause::ImageChanged,
                    &[before, &previous].concat(),
                    OldContainer::AsItIs,
                );
                self.when = Some(StepCondition { same: true, ..when });
                self.keep(service, container, before)?;
                self.when = None;
                Ok(last)
            }
        }
    }

    /// Brings an unchanged container to run and be ready, where it is not.
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
                } else if !self.is_job(service) && self.when.is_none() {
                    // It may as well be a worker that somebody stopped.
                    self.plan.notes.push(format!(
                        "{} exited with code 0 and is taken for a job that is done, so it stays as it is: `up([\"{}\"])` starts it, and \
                         `restart: \"unless-stopped\"` is for what runs on",
                        container.name, service.name
                    ));
                }
            }
            ContainerState::Exited | ContainerState::Dead => {
                let cause = container.exit_code.map_or(Cause::NotRunning, Cause::Exited);
                // Its secrets are in it already.
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

    /// A one-shot service whose work is done: it exited with 0, and nobody stopped it.
    pub(super) fn is_completed(&self, service: &Service, container: &Container) -> bool {
        container.exit_code == Some(0)
            && (self.is_job(service) || service.looks_like_a_job())
            && !self.wanted.stopped.contains(&container.id)
    }

    /// The name it has once a pending rename is done.
    fn final_reference(&self, service: &Service, container: &Container) -> ContainerRef {
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
            let image = names_of_images(service, container, &keys);
            return Difference::Changed(Cause::DescriptionChanged(ChangedKeys { keys, image }));
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
            (Some(_), None) => Difference::Changed(Cause::ImageChanged),
            (None, None) => Difference::Same,
        }
    }

    /// A network that a running container should hang on and doesn't. Of others the engine's list
    /// does not say it.
    fn missing_network(&self, service: &Service, container: &Container) -> Option<&'a str> {
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

    /// Removes containers beyond the scale; the steps that do.
    fn surplus(&mut self, service: &Service, before: &[StepId]) -> Vec<StepId> {
        let there = self.of_service.get(service.name.as_str()).cloned().unwrap_or_default();
        let surplus = there.into_iter().filter(|container| container.number > service.scale);
        surplus
            .map(|container| {
                self.stop_and_remove(Some(service), container, Cause::Scale(service.scale), before)
            })
            .collect()
    }

    /// Containers of services that are no longer described.
    fn orphans(&mut self) {
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

    /// Secrets of containers that are gone lie nowhere.
    fn orphaned_secrets(&mut self) {
        let observed = self.observed;
        for name in &observed.orphaned_secrets {
            let remove = Action::RemoveVolume { name: name.clone() };
            self.add(None, remove, Some(Cause::Interrupted), &[]);
        }
    }

    /// Answers the removal.
    fn stop_and_remove(
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

/// The name of a network or volume is taken by one that this project did not make. The hint leads
/// to no other refusal: what another project made needs its name in `spc.toml` too.
fn taken(kind: &str, name: &str, owner: Option<&str>, project: &str) -> Failure {
    let conflict = |message: String| Failure::new(Kind::Conflict, message);
    match owner {
        Some(owner) if owner == project => conflict(format!("The {kind} \"{name}\" was made by Docker Compose, for a project of this name"))
            .hint("--adopt takes it over as it is, with what is in it; or choose another `name`"),
        Some(owner) => conflict(format!("The {kind} \"{name}\" belongs to the project \"{owner}\"")).hint(format!(
            "choose another `name`; or, to use it as it is, mark it `external: true` and name \"{owner}\" in `projects` under [allow] in spc.toml"
        )),
        None => conflict(format!("A {kind} \"{name}\" that spc did not make is on this engine"))
            .hint("mark it `external: true` to use it, or choose another `name`"),
    }
}
