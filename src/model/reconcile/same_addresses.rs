//! Static addresses of containers that are started without changes. Each has to get its own address
//! before the engine gives it to another container.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::observed_state::{Container, Network, ObservedState};
use super::super::plan::{Action, Plan, StepId};
use super::super::{Failure, Kind};
use super::addresses::{all_before, is_among_first, may_be_given, outside};
use super::order;

/// The static address of a container when it runs.
struct StaticAddress<'a> {
    container: &'a Container,
    network: &'a Network,
    address: IpAddr,
}

/// Starts containers with a static address before those that get one from the engine, if no other
/// dependency orders the two differently. Notes where the engine may give such an address away;
/// fails if it has.
pub(super) fn arrange(plan: &mut Plan, observed: &ObservedState) -> Result<(), Failure> {
    let statics: Vec<StaticAddress<'_>> =
        observed.containers.iter().flat_map(|container| statics_of(container, observed)).collect();
    if statics.is_empty() {
        return Ok(());
    }
    let mut after: Vec<BTreeSet<StepId>> =
        plan.steps.iter().map(|step| step.after.iter().copied().collect()).collect();
    let (mut edges, mut notes) = (Vec::new(), Vec::new());
    let starts: Vec<(StepId, &Container)> = (0..plan.steps.len())
        .filter_map(|step| Some((step, started(plan, step, observed)?)))
        .collect();
    for own in statics {
        let start = starts
            .iter()
            .find(|(_, container)| container.id == own.container.id)
            .map(|&(step, _)| step);
        if start.is_some() {
            check_free(&own, observed)?;
        }
        // A running container keeps its address while others restart.
        let runs = own.container.is_up();
        if !may_be_given(&own.network.settings, own.address) || (start.is_none() && runs) {
            continue;
        }
        let before = start.map(|start| all_before(&after, start)).unwrap_or_default();
        for &(other, container) in
            starts.iter().filter(|(_, container)| is_given_one(container, &own))
        {
            match start {
                Some(start) if !before.contains(&other) => {
                    after[other].insert(start);
                    edges.push((start, other));
                }
                _ if !runs && is_given_soon(&own, observed) => notes.push(format!(
                    "{} starts before {}, and the engine may give it {}, which is that one's: {}",
                    container.name,
                    own.container.name,
                    own.address,
                    outside(&own.network.key)
                )),
                _ => {}
            }
        }
    }
    notes.dedup();
    plan.notes.extend(notes);
    // No cycle: an edge is added only between steps that have no order yet.
    order::sort(plan, &edges, &[])
        .map_err(|_| Failure::new(Kind::Failed, "The containers wait for each other"))
}

fn statics_of<'a>(container: &'a Container, observed: &'a ObservedState) -> Vec<StaticAddress<'a>> {
    let of = |(id, address): &(String, IpAddr)| {
        let network = observed.networks.iter().find(|network| network.id == *id)?;
        Some(StaticAddress { container, network, address: *address })
    };
    container.static_addresses.iter().filter_map(of).collect()
}

/// The container that the step starts.
fn started<'a>(plan: &Plan, step: StepId, observed: &'a ObservedState) -> Option<&'a Container> {
    let (Action::StartContainer { container } | Action::RestartContainer { container }) =
        &plan.steps[step].action
    else {
        return None;
    };
    observed.containers.iter().find(|there| Some(&there.id) == container.id.as_ref())
}

/// Whether the engine chooses an address for the container that might be this one.
fn is_given_one(container: &Container, own: &StaticAddress<'_>) -> bool {
    let is_asked = |(network, address): &(String, IpAddr)| {
        *network == own.network.id && address.is_ipv4() == own.address.is_ipv4()
    };
    container.id != own.container.id
        && container.networks.contains(&own.network.id)
        && !container.static_addresses.iter().any(is_asked)
}

fn is_given_soon(own: &StaticAddress<'_>, observed: &ObservedState) -> bool {
    let attached =
        observed.containers.iter().filter(|container| container.networks.contains(&own.network.id));
    is_among_first(&own.network.settings, own.address, attached.count())
}

/// The failure if the engine refused to start the container because another one has its static
/// address.
pub fn taken_address(container: &str, observed: &ObservedState) -> Option<Failure> {
    let container = observed.containers.iter().find(|there| there.id == container)?;
    statics_of(container, observed).iter().find_map(|own| check_free(own, observed).err())
}

/// Fails if another container has the address.
fn check_free(own: &StaticAddress<'_>, observed: &ObservedState) -> Result<(), Failure> {
    let taken = (own.network.id.clone(), own.address);
    let of_project = observed
        .containers
        .iter()
        .find(|it| it.id != own.container.id && it.addresses.contains(&taken));
    let foreign =
        observed.others.iter().find(|it| it.addresses.contains(&taken)).map(|it| &it.name);
    let Some(holder) = of_project.map(|it| &it.name).or(foreign) else { return Ok(()) };
    let message = format!(
        "The container \"{}\" needs the address {} on the network \"{}\", which is taken by the container \"{holder}\"",
        own.container.name, own.address, own.network.name
    );
    let ip_range = outside(&own.network.key);
    let hint = match of_project.filter(|holder| is_given_one(holder, own)) {
        Some(holder) if needs(&own.container.service, &holder.service, observed) => {
            format!("the engine gave it that address: {ip_range}, then run `down` and `up`")
        }
        Some(_) => {
            format!(
                "the engine gave it that address: `stop()`, then `start()` gives it to \"{}\" first; for good, {ip_range}",
                own.container.service
            )
        }
        _ => "stop that container first, or give one of the two another address and run `up`"
            .to_owned(),
    };
    Err(Failure::new(Kind::Conflict, message)
        .hint(hint)
        .field("service", own.container.service.clone()))
}

/// Whether `service` depends on `other`, directly or not.
fn needs(service: &str, other: &str, observed: &ObservedState) -> bool {
    let (mut open, mut seen) = (vec![service], BTreeSet::new());
    while let Some(service) = open.pop() {
        let of_service =
            observed.containers.iter().filter(|container| container.service == service);
        let needed = of_service.flat_map(|container| container.depends_on.keys());
        open.extend(needed.map(String::as_str).filter(|needed| seen.insert(*needed)));
    }
    seen.contains(other)
}
