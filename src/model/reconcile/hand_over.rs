//! Resources such as ports and addresses that pass from one container to another within a plan. The
//! taker waits until the holder releases the resource, and both are rolled back together.
//!
//! If the plan does not stop the holder, spc reports a conflict before the first change.

use std::collections::{BTreeMap, BTreeSet};

use super::super::cause::Cause;
use super::super::exclusive_resources::{Resource, taken_at_start};
use super::super::failure::SpecPath;
use super::super::observed_state::{
    Container, Network, ObservedState, OtherContainer, TakenSubnet,
};
use super::super::plan::{Action, GroupId, Plan, Step, StepId};
use super::super::spec::Service;
use super::super::{Failure, Kind};
use super::addresses::{self, ResourceClaim};
use super::desired_state::DesiredState;
use super::merged_groups::MergedGroups;
use super::order;
use super::planner::reference;

/// The container that currently has a resource.
#[derive(Clone, Copy)]
enum Holder<'a> {
    /// A container of the project.
    Own(&'a Container),
    /// Any other container, with its name for display.
    Other { name: &'a str, owner: Option<&'a str> },
}

/// When the containers of the project release their resources.
#[derive(Default)]
struct Releases {
    /// Container id → the step after which it no longer runs.
    stopped: BTreeMap<String, StepId>,
    /// Container id → the step after which its name is free.
    renamed: BTreeMap<String, StepId>,
}

impl Releases {
    fn of(plan: &Plan) -> Self {
        let mut all = Self::default();
        for (step, Step { action, .. }) in plan.steps.iter().enumerate() {
            match action {
                Action::StopContainer { container } => {
                    all.stopped.extend(container.id.clone().map(|id| (id, step)));
                }
                Action::RemoveContainer { container, .. } => {
                    let Some(id) = &container.id else { continue };
                    all.stopped.entry(id.clone()).or_insert(step);
                    all.renamed.entry(id.clone()).or_insert(step);
                }
                Action::RenameContainer { container, .. } => {
                    all.renamed.extend(container.id.clone().map(|id| (id, step)));
                }
                _ => {}
            }
        }
        all
    }

    fn step(&self, resource: &Resource, container: &str) -> Option<StepId> {
        let of = if resource.is_of_running() { &self.stopped } else { &self.renamed };
        of.get(container).copied()
    }
}

/// Orders the steps of a plan by the resources that they release and take. Fails if another
/// container holds a resource and the plan does not stop it. `storages` contains the stops of
/// containers that write to a storage, with the service that will write to it.
pub(super) fn arrange(
    plan: &mut Plan,
    groups: GroupId,
    storages: &[(StepId, String)],
    wanted: &DesiredState<'_>,
    observed: &ObservedState,
) -> Result<(), Failure> {
    let takers = takers(plan, wanted);
    if takers.is_empty() && storages.is_empty() {
        return Ok(());
    }
    check_each_other(&takers, wanted)?;
    let releases = Releases::of(plan);
    let holders = Holders::of(observed, &releases);
    let mut joint = MergedGroups::new(plan, groups);
    let mut edges: Vec<(StepId, StepId)> = Vec::new();
    for taker in &takers {
        if let Resource::Subnet(_) = taker.resource {
            continue;
        }
        for holder in holders.overlapping(&taker.resource) {
            let Holder::Own(container) = holder else {
                return Err(conflict(taker, holder, wanted));
            };
            if is_own(plan, taker.step, container) || is_over_before(taker, container, wanted) {
                continue;
            }
            let release = match releases.step(&taker.resource, &container.id) {
                Some(release) => release,
                // `check_name` reports the owner.
                None if is_name(&taker.resource) && taker.service == Some(&container.service) => {
                    continue;
                }
                None => return Err(conflict(taker, holder, wanted)),
            };
            edges.push((release, taker.step));
            // A container that a killed run left is not restored by a rollback.
            if !container.is_new() {
                joint.join(plan, release, taker.step);
            }
        }
    }
    for (release, service) in storages {
        let starts = |step: &Step| {
            step.service.as_ref() == Some(service)
                && matches!(step.action, Action::StartContainer { .. })
        };
        let starts: Vec<StepId> =
            (0..plan.steps.len()).filter(|&step| starts(&plan.steps[step])).collect();
        for start in starts {
            edges.push((*release, start));
            joint.join(plan, *release, start);
        }
    }
    for taker in &takers {
        subnets(plan, taker, wanted, observed, &releases, &mut joint, &mut edges)?;
    }
    let is_static = |taker: &ResourceClaim<'_>| matches!(taker.resource, Resource::Address { .. });
    if edges.is_empty() && !takers.iter().any(is_static) {
        return Ok(());
    }
    let closing = joint.finish(plan);
    edges.extend(addresses::first(plan, &takers, wanted.project, &edges, &closing));
    if edges.is_empty() {
        return Ok(());
    }
    order::sort(plan, &edges, &closing).map_err(|cycle| circle(plan, &takers, &edges, &cycle))
}

/// The resources that steps take: starting or naming a container, or creating a network.
fn takers<'a>(plan: &Plan, wanted: &DesiredState<'a>) -> Vec<ResourceClaim<'a>> {
    let mut takers = Vec::new();
    for (id, step) in plan.steps.iter().enumerate() {
        let service = step.service.as_ref().and_then(|name| wanted.project.services.get(name));
        let mut take = |service: Option<&'a str>, resource: Resource, keys: Vec<String>| {
            takers.push(ResourceClaim {
                step: id,
                service,
                resource,
                path: SpecPath { keys, on_key: true },
            });
        };
        match (&step.action, service) {
            (Action::StartContainer { .. }, Some(service)) => {
                for (resource, keys) in taken_at_start(service, wanted.project) {
                    let keys = ["services".to_owned(), service.name.clone()]
                        .into_iter()
                        .chain(keys)
                        .collect();
                    take(Some(&service.name), resource, keys);
                }
            }
            (
                Action::CreateContainer { name, .. } | Action::RenameContainer { to: name, .. },
                Some(service),
            ) => {
                let key = if service.container_name.is_some() {
                    vec!["container_name".to_owned()]
                } else {
                    Vec::new()
                };
                let keys =
                    ["services".to_owned(), service.name.clone()].into_iter().chain(key).collect();
                take(Some(&service.name), Resource::ContainerName(name.clone()), keys);
            }
            (Action::CreateNetwork { key, .. }, _) => {
                for net in wanted.project.networks[key].ipam.iter().filter_map(|pool| pool.subnet) {
                    take(
                        None,
                        Resource::Subnet(net),
                        vec!["networks".to_owned(), key.clone(), "ipam".to_owned()],
                    );
                }
            }
            _ => {}
        }
    }
    takers
}

/// Two services that the plan starts can't take the same resource, unless one has ended before the
/// other starts.
fn check_each_other(
    takers: &[ResourceClaim<'_>],
    wanted: &DesiredState<'_>,
) -> Result<(), Failure> {
    let mut by_slot: BTreeMap<(u8, &str, u16), Vec<&ResourceClaim<'_>>> = BTreeMap::new();
    for taker in takers.iter().filter(|taker| taker.resource.is_of_running()) {
        let before = by_slot.entry(taker.resource.slot()).or_default();
        for other in before.iter().filter(|other| {
            other.service != taker.service && other.resource.overlaps(&taker.resource)
        }) {
            let (Some(one), Some(two)) = (other.service, taker.service) else { continue };
            if !wanted.project.never_together(one, two) {
                return Err(Failure::new(
                    Kind::Conflict,
                    format!("The services \"{one}\" and \"{two}\" both take {}", taker.resource),
                )
                .hint("change one of the two, or bring up only one of them")
                .at(taker.path.clone())
                .field("service", two));
            }
        }
        before.push(taker);
    }
    Ok(())
}

/// The current holders.
struct Holders<'a> {
    by_slot: BTreeMap<(u8, String, u16), Vec<(Resource, Holder<'a>)>>,
}

impl<'a> Holders<'a> {
    fn of(observed: &'a ObservedState, releases: &Releases) -> Self {
        let mut all = Self { by_slot: BTreeMap::new() };
        let network = |id: &str| {
            observed
                .networks
                .iter()
                .find(|network| network.id == id)
                .map(|network| network.name.clone())
        };
        for container in &observed.containers {
            let holder = Holder::Own(container);
            all.add(Resource::ContainerName(container.name.clone()), holder);
            container.ports.iter().for_each(|port| all.add(port.resource(), holder));
            for (id, address) in &container.addresses {
                if let Some(network) = network(id) {
                    all.add(Resource::Address { network, address: *address }, holder);
                }
            }
        }
        // The plan removes one-off containers before any start.
        for other in
            observed.others.iter().filter(|other| !releases.stopped.contains_key(&other.id))
        {
            let holder = Holder::Other { name: &other.name, owner: other.owner.as_deref() };
            other.ports.iter().for_each(|port| all.add(port.resource(), holder));
            for (id, address) in &other.addresses {
                if let Some(network) = network(id) {
                    all.add(Resource::Address { network, address: *address }, holder);
                }
            }
        }
        all
    }

    fn add(&mut self, resource: Resource, holder: Holder<'a>) {
        let (kind, name, number) = resource.slot();
        self.by_slot.entry((kind, name.to_owned(), number)).or_default().push((resource, holder));
    }

    fn overlapping(&self, wanted: &Resource) -> Vec<Holder<'a>> {
        let (kind, name, number) = wanted.slot();
        let there = self
            .by_slot
            .get(&(kind, name.to_owned(), number))
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut found: Vec<Holder<'a>> = Vec::new();
        for (_, holder) in there.iter().filter(|(resource, _)| resource.overlaps(wanted)) {
            // A port in both address families counts as one holder.
            if !found.iter().any(|other| other.name() == holder.name()) {
                found.push(*holder);
            }
        }
        found
    }
}

impl Holder<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Own(container) => &container.name,
            Self::Other { name, .. } => name,
        }
    }
}

fn is_name(resource: &Resource) -> bool {
    matches!(resource, Resource::ContainerName(_))
}

/// Whether the step is about this container.
fn is_own(plan: &Plan, step: StepId, container: &Container) -> bool {
    match &plan.steps[step].action {
        Action::StartContainer { container: taker }
        | Action::RenameContainer { container: taker, .. } => {
            taker.id.as_ref() == Some(&container.id)
        }
        _ => false,
    }
}

/// Whether the holder is a job that has completed before the taker starts.
fn is_over_before(
    taker: &ResourceClaim<'_>,
    container: &Container,
    wanted: &DesiredState<'_>,
) -> bool {
    taker.service.is_some_and(|service| wanted.project.ends_before(&container.service, service))
}

/// The failure if the plan does not stop the holder of a resource.
fn conflict(taker: &ResourceClaim<'_>, holder: Holder<'_>, wanted: &DesiredState<'_>) -> Failure {
    let (name, service) = (holder.name(), taker.service.unwrap_or_default());
    let whose = match holder {
        Holder::Other { owner: Some(owner), .. } => {
            format!("the container \"{name}\" of the project \"{owner}\"")
        }
        // The name alone doesn't identify the owner.
        Holder::Own(container) if is_name(&taker.resource) => {
            format!("the container of the service \"{}\"", container.service)
        }
        _ => format!("the container \"{name}\""),
    };
    let message =
        format!("The service \"{service}\" needs {}, which is taken by {whose}", taker.resource);
    let failure = Failure::new(Kind::Conflict, message)
        .hint(way_out(taker, holder, wanted))
        .at(taker.path.clone());
    let failure = if service.is_empty() { failure } else { failure.field("service", service) };
    match taker.resource {
        Resource::HostPort { port, .. } => failure.field("port", u64::from(port)),
        _ => failure,
    }
}

fn way_out(taker: &ResourceClaim<'_>, holder: Holder<'_>, wanted: &DesiredState<'_>) -> String {
    let another = match &taker.resource {
        Resource::HostPort { .. } => "publish another host port",
        Resource::Address { .. } => "choose another address",
        Resource::ContainerName(_) => "choose another `container_name`",
        Resource::Subnet(_) => "choose another `subnet`",
    };
    let Holder::Own(container) = holder else {
        return format!("{another}, or stop that container first");
    };
    let holder = &container.service;
    if let Some(hint) = taker
        .service
        .and_then(|service| addresses::way_out(&taker.resource, container, service, wanted.project))
    {
        return hint;
    }
    match wanted.project.services.get(holder) {
        None if container.ours => format!(
            "it belongs to no described service: `--remove-orphans` removes it first; or {another}"
        ),
        None => format!(
            "it belongs to no described service: `--adopt --remove-orphans` removes it first; or {another}"
        ),
        Some(described) => {
            let keeps = taken_at_start(described, wanted.project)
                .iter()
                .any(|(resource, _)| resource.overlaps(&taker.resource));
            if is_name(&taker.resource)
                && !wanted.services.contains(holder)
                && keeps_name(described, &container.name)
            {
                // A stopped container still has its name.
                let stop = if container.is_up() {
                    format!("`stop([\"{holder}\"])`, then ")
                } else {
                    String::new()
                };
                format!(
                    "{stop}`container(\"{}\").remove()` in a runbook frees the name; or {another}",
                    container.name
                )
            } else if !wanted.services.contains(holder) && !keeps {
                format!(
                    "bring up \"{holder}\" in the same run, which then releases it; or {another}"
                )
            } else {
                format!("{another}, or stop \"{holder}\" first")
            }
        }
    }
}

fn keeps_name(described: &Service, name: &str) -> bool {
    described.container_name.as_deref() == Some(name)
}

/// Handles a new network with addresses that another network uses. Removes the other network if it
/// belongs to the project and is no longer described.
fn subnets(
    plan: &mut Plan,
    taker: &ResourceClaim<'_>,
    wanted: &DesiredState<'_>,
    observed: &ObservedState,
    releases: &Releases,
    joint: &mut MergedGroups,
    edges: &mut Vec<(StepId, StepId)>,
) -> Result<(), Failure> {
    let Resource::Subnet(net) = taker.resource else { return Ok(()) };
    let Action::CreateNetwork { name: fresh, .. } = plan.steps[taker.step].action.clone() else {
        return Ok(());
    };
    let overlapping = observed
        .subnets
        .iter()
        .filter(|taken| Resource::Subnet(taken.net).overlaps(&taker.resource));
    for taken in overlapping {
        let refused = |why: &str, hint: String| {
            let whose = taken
                .owner
                .as_ref()
                .map(|owner| format!(" of the project \"{owner}\""))
                .unwrap_or_default();
            let message = format!(
                "The network \"{fresh}\" needs the subnet {net}, which overlaps {} of the network \"{}\"{whose}{why}",
                taken.net, taken.name
            );
            Failure::new(Kind::Conflict, message).hint(hint).at(taker.path.clone())
        };
        let is_described =
            wanted.project.networks.values().any(|network| network.name == taken.name);
        let Some(old) = observed
            .networks
            .iter()
            .find(|network| network.id == taken.network && network.ours && !is_described)
        else {
            return Err(refused("", "choose another `subnet`".to_owned()));
        };
        let members: Vec<&Container> = observed
            .containers
            .iter()
            .filter(|container| container.networks.contains(&old.id))
            .collect();
        // After an interrupted rollback, a container may still refer to a network by its former id.
        let is_lost = |id: &String| !observed.network_ids.contains(id);
        if members.is_empty()
            && !old.restored
            && !observed.containers.iter().any(|container| container.networks.iter().any(is_lost))
        {
            // A runbook may have created this network for itself.
            return Err(refused(
                ", which no service uses",
                "`down` removes it, then `up`: volumes are kept; or choose another `subnet`"
                    .to_owned(),
            ));
        }
        let mut leaves = Vec::new();
        for container in members.iter().copied().filter(|container| container.is_up()) {
            match releases.stopped.get(&container.id) {
                Some(&step) => leaves.push(step),
                None => {
                    let why = format!(", which \"{}\" keeps using", container.name);
                    return Err(refused(
                        &why,
                        "run `down`, then `up`: volumes are kept; or choose another `subnet`"
                            .to_owned(),
                    ));
                }
            }
        }
        let (leaving, staying): (Vec<&OtherContainer>, Vec<&OtherContainer>) = observed
            .others
            .iter()
            .filter(|other| other.addresses.iter().any(|(id, _)| *id == old.id))
            .partition(|other| releases.stopped.contains_key(&other.id));
        if let Some(other) = staying.first() {
            let why = format!(", which the container \"{}\" uses", other.name);
            return Err(refused(
                &why,
                "stop that container first, or choose another `subnet`".to_owned(),
            ));
        }
        let removed =
            leave(plan, (taken, old), (&members, &leaves), (taker.step, &fresh), joint, edges);
        edges.extend(
            leaving.iter().filter_map(|other| Some((*releases.stopped.get(&other.id)?, removed))),
        );
    }
    Ok(())
}

/// Removes the old network once no running container is connected to it, and restores it in a
/// rollback. Returns the removal.
fn leave(
    plan: &mut Plan,
    (taken, old): (&TakenSubnet, &Network),
    (members, leaves): (&[&Container], &[StepId]),
    (create, fresh): (StepId, &str),
    joint: &mut MergedGroups,
    edges: &mut Vec<(StepId, StepId)>,
) -> StepId {
    let is_removed =
        |step: &Step| matches!(&step.action, Action::RemoveNetwork { id, .. } if *id == old.id);
    let removed = plan.steps.iter().position(is_removed).unwrap_or_else(|| {
        let action = Action::RemoveNetwork { name: old.name.clone(), id: old.id.clone() };
        let cause = Cause::SubnetTaken { by: fresh.to_owned(), subnet: taken.net };
        let step = plan.add(Step { cause: Some(cause), ..Step::alone(action) });
        joint.added(step);
        step
    });
    let users: BTreeSet<StepId> =
        (0..plan.steps.len()).filter(|&step| plan.steps[step].after.contains(&create)).collect();
    joint.join(plan, removed, create);
    for &stop in leaves {
        edges.push((stop, removed));
        joint.join(plan, stop, removed);
    }
    for user in users {
        joint.join(plan, user, removed);
    }
    edges.push((removed, create));
    joint.restores(
        removed,
        old,
        fresh,
        members.iter().map(|container| reference(container)).collect(),
    );
    removed
}

/// The failure if the steps wait for each other, so that no order is possible.
fn circle(
    plan: &Plan,
    takers: &[ResourceClaim<'_>],
    edges: &[(StepId, StepId)],
    cycle: &BTreeSet<StepId>,
) -> Failure {
    let within = edges
        .iter()
        .find(|(release, take)| cycle.contains(release) && cycle.contains(take))
        .or_else(|| edges.first());
    let taker = within
        .and_then(|(_, take)| takers.iter().find(|taker| taker.step == *take))
        .or_else(|| takers.first());
    let steps: Vec<String> = cycle
        .iter()
        .map(|&step| {
            let Step { action, after, .. } = &plan.steps[step];
            let after: Vec<String> = after
                .iter()
                .filter(|before| cycle.contains(before))
                .map(|&before| plan.steps[before].action.object().to_string())
                .collect();
            format!(
                "{} {}, which waits for {}",
                action.kind(),
                action.object(),
                if after.is_empty() { "who has it".to_owned() } else { after.join(", ") }
            )
        })
        .collect();
    let what = taker.map(|taker| taker.resource.to_string()).unwrap_or_default();
    let failure = Failure::new(
        Kind::Conflict,
        format!(
            "{} can't move to another service in one run: the steps would wait for each other",
            capital(&what)
        ),
    )
    .hint("remove the `depends_on` between them, or use two runs: in the first, no service has it")
    .detail("the steps that wait for each other", steps.join("\n"));
    match taker {
        Some(taker) => failure.at(taker.path.clone()),
        None => failure,
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
