//! `up`: creates what is missing, replaces what changed, and leaves everything else alone.

use std::collections::{BTreeMap, BTreeSet};

use super::super::cause::Cause;
use super::super::failure::SpecPath;
use super::super::image_reference::{canonical, is_id};
use super::super::observed_state::{Container, ObservedState};
use super::super::plan::{Action, Plan, Step, StepId};
use super::super::spec::{Condition, MountSource, Service};
use super::super::{Failure, Kind};
use super::desired_state::DesiredState;
use super::hand_over;
use super::holders::holders;
use super::images_first;
use super::leftover_one_offs;
use super::orphan_networks::orphan_networks;
use super::planner::{Batches, Planner};

/// The plan that brings up the wanted services and waits until they are ready.
pub fn up(wanted: &DesiredState<'_>, observed: &ObservedState) -> Result<Plan, Failure> {
    check_foreign(wanted, observed)?;
    // A service that was named is active, whatever its profiles.
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

/// Rejects a project that Docker Compose created, unless it is to be adopted. After an adoption,
/// its containers that are no longer described are orphans like any others.
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
        format!("This engine has a project \"{}\" that spc did not create, with the containers {}", wanted.project.name, foreign.join(", ")),
    )
    .hint(format!(
        "use --adopt to let spc manage it (with --project {} if its folder was renamed or moved): spc replaces its containers one by one and keeps its volumes; or choose another --project",
        wanted.project.name
    )))
}

/// The wanted services, in order. Each comes after its dependencies, and after services with a
/// container that writes to a volume that only this service will write to.
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
    // Includes services that are not wanted, because they can be between wanted ones.
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

/// The services that this one waits for until they complete.
fn waits_for_the_end_of(service: &Service) -> impl Iterator<Item = &str> {
    service
        .depends_on
        .iter()
        .filter(|(_, how)| how.condition == Condition::Completed)
        .map(|(name, _)| name.as_str())
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
            batches: Batches::default(),
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
        // Other containers that write to its volumes come first.
        let removals = self.removals(service, &before);
        before.extend(removals);
        // Containers that a killed run left stopped start before any other container stops.
        let mut numbers: Vec<u32> = (1..=service.scale).collect();
        numbers.sort_by_key(|&number| !self.is_down(service, number));
        for number in numbers {
            self.container(service, number, &before)?;
        }
        self.end_batches(service);
        if self.wanted.project.own_volumes(service).is_empty() {
            self.surplus(service, &[]);
        }
        Ok(())
    }

    /// Whether all containers of this number are stopped.
    fn is_down(&self, service: &Service, number: u32) -> bool {
        let there =
            self.of_service.get(service.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut of_number = there.iter().filter(|container| container.number == number).peekable();
        of_number.peek().is_some() && !of_number.any(|container| container.is_up())
    }

    /// The step after which the service's image exists; services with the same image share it. If a
    /// service of the description builds the image, it is built once for all services that name it,
    /// after the images that the build begins with.
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
}
