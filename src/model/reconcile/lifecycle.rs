//! `down`, `stop`, `start`, `restart`: verbs that work on existing containers, without a
//! description.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Failure;
use super::super::cause::Cause;
use super::super::observed_state::{Container, ContainerState, Health, ObservedState, OwnerState};
use super::super::plan::{Action, Anonymous, Plan, Step, StepId, WaitCondition};
use super::super::spec::Condition;
use super::leftover_one_offs::{self, left_behind};
use super::planner::reference;
use super::same_addresses;

/// What `down` removes in addition to containers and networks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DownOptions {
    /// Also the project's volumes, including anonymous ones.
    pub volumes: bool,
    /// Also containers, networks and volumes of Docker Compose that were not adopted before.
    pub adopt: bool,
}

/// Stops and removes the project's containers, those that depend on others first. Then removes its
/// networks and, if requested, its volumes. `adopted`: networks and volumes of Docker Compose that
/// this project adopted.
pub fn down(
    project: &str,
    observed: &ObservedState,
    options: DownOptions,
    adopted: &BTreeSet<String>,
) -> Plan {
    let mut plan = Plan { project: project.to_owned(), ..Plan::default() };
    let (ours, foreign): (Vec<&Container>, Vec<&Container>) =
        observed.containers.iter().partition(|container| container.ours || options.adopt);
    let mut removed = stop_and_remove(&mut plan, &ours, &|_| true, options.volumes);
    // They may use the networks and volumes.
    for one_off in &observed.one_offs {
        let cause =
            if one_off.run == OwnerState::Gone { Cause::Interrupted } else { Cause::OneOff };
        removed.push(leftover_one_offs::remove(&mut plan, one_off, cause));
    }
    for name in &observed.orphaned_secrets {
        plan.add(step(
            None,
            Action::RemoveVolume { name: name.clone() },
            Some(Cause::Interrupted),
            Vec::new(),
        ));
    }
    let is_adopted = |name: &String| options.adopt || adopted.contains(name);
    let others = || {
        observed
            .others
            .iter()
            .filter(|it| !observed.one_offs.iter().any(|one_off| one_off.id == it.id))
    };
    let mut kept: Vec<String> = Vec::new();
    for network in observed.networks.iter().filter(|network| network.ours || network.compose) {
        // The engine does not remove a network that a running container is connected to.
        let user = foreign
            .iter()
            .find(|it| it.networks.contains(&network.id) && (it.is_up() || !network.ours))
            .map(|it| it.name.as_str());
        let other = || {
            others()
                .find(|it| it.addresses.iter().any(|(id, _)| *id == network.id))
                .map(|it| it.name.as_str())
        };
        match user.or_else(other) {
            None if network.ours || is_adopted(&network.name) => {
                let action =
                    Action::RemoveNetwork { name: network.name.clone(), id: network.id.clone() };
                plan.add(step(None, action, None, removed.clone()));
            }
            Some(user) if network.ours || is_adopted(&network.name) => {
                kept.push(kept_in_use("network", &network.name, user))
            }
            user => kept.push(kept_of_compose("network", &network.name, user)),
        }
    }
    for volume in
        observed.volumes.iter().filter(|volume| options.volumes && (volume.ours || volume.compose))
    {
        // The engine does not remove a volume that any container mounts, even a stopped one or
        // read-only.
        let user =
            foreign.iter().find(|it| it.volumes.contains(&volume.name)).map(|it| it.name.as_str());
        let other =
            || others().find(|it| it.volumes.contains(&volume.name)).map(|it| it.name.as_str());
        match user.or_else(other) {
            None if volume.ours || is_adopted(&volume.name) => {
                plan.add(step(
                    None,
                    Action::RemoveVolume { name: volume.name.clone() },
                    None,
                    removed.clone(),
                ));
            }
            Some(user) if volume.ours || is_adopted(&volume.name) => {
                kept.push(kept_in_use("volume", &volume.name, user))
            }
            user => kept.push(kept_of_compose("volume", &volume.name, user)),
        }
    }
    if !foreign.is_empty() {
        let names: Vec<&str> = foreign.iter().map(|container| container.name.as_str()).collect();
        plan.notes.push(format!(
            "kept, because spc did not create them: {}; `down` with --adopt removes them",
            names.join(", ")
        ));
    }
    plan.notes.extend(kept);
    plan
}

/// The note for a network or volume of the project that stays.
fn kept_in_use(kind: &str, name: &str, user: &str) -> String {
    format!(
        "the {kind} {name} is kept: the container {user} uses it; `down` removes it when that container is gone"
    )
}

/// The note for one of Docker Compose that stays, because it was not adopted.
fn kept_of_compose(kind: &str, name: &str, user: Option<&str>) -> String {
    match user {
        Some(user) => format!(
            "the {kind} {name} is kept: Docker Compose created it, and the container {user} uses it"
        ),
        None => format!(
            "the {kind} {name} is kept: Docker Compose created it, and it was not adopted; `down` with --adopt removes it"
        ),
    }
}

/// Stops and removes the containers of `services`, and nothing else.
pub fn remove_containers(
    project: &str,
    observed: &ObservedState,
    services: &BTreeSet<String>,
    volumes: bool,
) -> Plan {
    let mut plan = left_behind(project, observed);
    note_foreign(&mut plan, observed, services);
    stop_and_remove(&mut plan, &ours(observed), &|service| services.contains(service), volumes);
    plan
}

/// Stops the running containers of `services`, those that depend on others first.
pub fn stop(project: &str, observed: &ObservedState, services: &BTreeSet<String>) -> Plan {
    let mut plan = left_behind(project, observed);
    note_foreign(&mut plan, observed, services);
    stop_all(&mut plan, &ours(observed), &|service| services.contains(service));
    plan
}

/// Starts the stopped containers of `services` without changes, dependencies first, and waits until
/// they are ready. `stopped`: ids of those that spc stopped; a job that ended by itself is not
/// started. Fails if another container has an address that one of them needs, or if one of them is
/// paused.
pub fn start(
    project: &str,
    observed: &ObservedState,
    services: &BTreeSet<String>,
    stopped: &BTreeSet<String>,
) -> Result<Plan, Failure> {
    let action = |container: &Container| Action::StartContainer { container: reference(container) };
    start_all(project, observed, services, stopped, &|container| !container.is_up(), &action)
}

/// Restarts the containers of `services`, dependencies first, and waits until they are ready. Jobs
/// are handled as in [`start`].
pub fn restart(
    project: &str,
    observed: &ObservedState,
    services: &BTreeSet<String>,
    stopped: &BTreeSet<String>,
) -> Result<Plan, Failure> {
    let action =
        |container: &Container| Action::RestartContainer { container: reference(container) };
    start_all(project, observed, services, stopped, &|_| true, &action)
}

/// The containers of the project. Includes services that the verb does not cover, because they can
/// determine the order of the services before and after them.
fn ours(observed: &ObservedState) -> Vec<&Container> {
    observed.containers.iter().filter(|container| container.ours).collect()
}

/// Notes which containers of `services` are not changed, because Docker Compose created them.
fn note_foreign(plan: &mut Plan, observed: &ObservedState, services: &BTreeSet<String>) {
    let foreign = observed
        .containers
        .iter()
        .filter(|container| !container.ours && services.contains(&container.service));
    let names: Vec<&str> = foreign.map(|container| container.name.as_str()).collect();
    if !names.is_empty() {
        plan.notes.push(format!(
            "kept, because spc did not create them: {}; `up` with --adopt adopts them",
            names.join(", ")
        ));
    }
}

fn step(service: Option<&str>, action: Action, cause: Option<Cause>, after: Vec<StepId>) -> Step {
    Step { service: service.map(str::to_owned), cause, after, ..Step::alone(action) }
}

/// Stops the `chosen` containers. Returns by service the stops after which it is down: its own, or,
/// if it has none, those of the services that depend on it.
fn stop_all(
    plan: &mut Plan,
    containers: &[&Container],
    chosen: &dyn Fn(&str) -> bool,
) -> BTreeMap<String, Vec<StepId>> {
    let mut stops: BTreeMap<String, Vec<StepId>> = BTreeMap::new();
    for service in dependents_first(containers) {
        let after: Vec<StepId> = dependents(containers, &service)
            .iter()
            .flat_map(|dependent| stops.get(dependent).cloned().unwrap_or_default())
            .collect();
        let running = containers.iter().filter(|container| {
            container.service == service && container.is_up() && chosen(&service)
        });
        let own: Vec<StepId> = running
            .map(|container| {
                plan.add(step(
                    Some(&service),
                    Action::StopContainer { container: reference(container) },
                    None,
                    after.clone(),
                ))
            })
            .collect();
        // A completed job still orders the services that depend on it after its own dependencies.
        stops.insert(service, if own.is_empty() { after } else { own });
    }
    stops
}

/// Returns the removals.
fn stop_and_remove(
    plan: &mut Plan,
    containers: &[&Container],
    chosen: &dyn Fn(&str) -> bool,
    volumes: bool,
) -> Vec<StepId> {
    let stops = stop_all(plan, containers, chosen);
    let volumes = if volumes { Anonymous::All } else { Anonymous::Kept };
    let removed = containers.iter().filter(|container| chosen(&container.service));
    removed
        .map(|container| {
            let after = stops.get(&container.service).cloned().unwrap_or_default();
            plan.add(step(
                Some(&container.service),
                Action::RemoveContainer { container: reference(container), volumes },
                None,
                after,
            ))
        })
        .collect()
}

fn start_all(
    project: &str,
    observed: &ObservedState,
    services: &BTreeSet<String>,
    stopped: &BTreeSet<String>,
    wanted: &dyn Fn(&Container) -> bool,
    action: &dyn Fn(&Container) -> Action,
) -> Result<Plan, Failure> {
    let mut plan = left_behind(project, observed);
    note_foreign(&mut plan, observed, services);
    let containers = ours(observed);
    let is_job = |service: &str| {
        observed
            .containers
            .iter()
            .any(|other| other.ours && other.depends_on.get(service) == Some(&Condition::Completed))
    };
    let mut ready: BTreeMap<String, Vec<StepId>> = BTreeMap::new();
    let mut order = dependents_first(&containers);
    order.reverse();
    for service in order {
        let of_service: Vec<&&Container> =
            containers.iter().filter(|container| container.service == service).collect();
        let needed = of_service.iter().flat_map(|container| container.depends_on.keys());
        let after: Vec<StepId> =
            needed.flat_map(|needed| ready.get(needed).cloned().unwrap_or_default()).collect();
        let until = if is_job(&service) { WaitCondition::Completed } else { WaitCondition::Ready };
        let mut waits = Vec::new();
        for container in of_service.into_iter().filter(|_| services.contains(&service)) {
            let wait = Action::Wait { container: reference(container), until };
            let done = until == WaitCondition::Completed
                && container.exit_code == Some(0)
                && !stopped.contains(&container.id);
            let waited = if container.state == ContainerState::Created {
                // It may lack its secrets and networks, which only the description contains.
                plan.notes.push(format!(
                    "{} was never started: `up` finishes and starts it",
                    container.name
                ));
                continue;
            } else if container.state == ContainerState::Exited && done {
                continue;
            } else if container.state == ContainerState::Paused && !wanted(container) {
                return Err(Failure::paused(&container.name).field("service", service));
            } else if wanted(container) {
                let started =
                    plan.add(step(Some(&service), action(container), None, after.clone()));
                plan.add(step(Some(&service), wait, None, vec![started]))
            } else if container.state == ContainerState::Running
                && container.health == Health::Starting
            {
                plan.add(step(Some(&service), wait, None, Vec::new()))
            } else {
                continue;
            };
            waits.push(waited);
        }
        ready.insert(service, if waits.is_empty() { after } else { waits });
    }
    leftover_one_offs::before_starts(&mut plan, observed);
    same_addresses::arrange(&mut plan, observed)?;
    Ok(plan)
}

/// The services of `containers`, each before its dependencies.
fn dependents_first(containers: &[&Container]) -> Vec<String> {
    fn visit(
        containers: &[&Container],
        service: &str,
        seen: &mut BTreeSet<String>,
        order: &mut Vec<String>,
    ) {
        if !seen.insert(service.to_owned()) {
            return;
        }
        for dependent in dependents(containers, service) {
            visit(containers, &dependent, seen, order);
        }
        order.push(service.to_owned());
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    let services: BTreeSet<&str> =
        containers.iter().map(|container| container.service.as_str()).collect();
    for service in services {
        visit(containers, service, &mut seen, &mut order);
    }
    order
}

fn dependents(containers: &[&Container], service: &str) -> BTreeSet<String> {
    containers
        .iter()
        .filter(|container| container.depends_on.contains_key(service))
        .map(|container| container.service.clone())
        .collect()
}
