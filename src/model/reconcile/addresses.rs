//! Static addresses of a description, and addresses that the engine chooses. The engine chooses the
//! lowest free address, which may be the static address of a service that does not run yet.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::super::exclusive_resources::{Resource, taken_at_start};
use super::super::failure::SpecPath;
use super::super::observed_state::{Container, ObservedState};
use super::super::plan::{Action, Plan, StepId};
use super::super::spec::{Network, NetworkAttachment, Project, Service};
use super::super::{Failure, Kind};

/// Edges (before, after) that start containers with a static address first, unless another
/// dependency requires a different order. In that case, the plan gets a note if the engine is
/// likely to assign the address to another container.
pub(super) fn first(
    plan: &mut Plan,
    takers: &[ResourceClaim<'_>],
    project: &Project,
    edges: &[(StepId, StepId)],
    closing: &[(StepId, StepId)],
) -> Vec<(StepId, StepId)> {
    let mut after: Vec<BTreeSet<StepId>> =
        plan.steps.iter().map(|step| step.after.iter().copied().collect()).collect();
    for &(before, step) in edges.iter().chain(closing) {
        after[step].insert(before);
    }
    let (mut added, mut notes) = (Vec::new(), Vec::new());
    for taker in takers {
        let Resource::Address { network: name, address } = &taker.resource else { continue };
        let Some((key, network)) =
            project.networks.iter().find(|(_, network)| network.name == *name)
        else {
            continue;
        };
        if !may_be_given(network, *address) {
            continue;
        }
        let before = all_before(&after, taker.step);
        let starts = (0..plan.steps.len())
            .filter(|&step| step != taker.step && is_given_one(plan, step, project, key, *address));
        for start in starts.collect::<Vec<_>>() {
            if !before.contains(&start) {
                after[start].insert(taker.step);
                added.push((taker.step, start));
            } else if is_given_soon(project, key, network, *address)
                && let (Some(other), Some(service)) = (&plan.steps[start].service, taker.service)
            {
                notes.push(format!(
                    "{other} starts before {service}, and the engine may give it {address}, the address of {service}: {}",
                    outside(key)
                ));
            }
        }
    }
    notes.dedup();
    plan.notes.extend(notes);
    added
}

/// The fix if a container of the project got the static address of `service`; `None` if this
/// address is its own static one.
pub(super) fn way_out(
    taken: &Resource,
    holder: &Container,
    service: &str,
    project: &Project,
) -> Option<String> {
    let Resource::Address { network: name, address } = taken else { return None };
    let (key, _) = project.networks.iter().find(|(_, network)| network.name == *name)?;
    let described = project.services.get(&holder.service)?;
    attached(described, key).filter(|attachment| is_dynamic(attachment, *address))?;
    let is_needed =
        project.required_by(service).is_ok_and(|required| required.contains(&holder.service));
    Some(if is_needed {
        format!("the engine gave it that address: {}, then run `down` and `up`", outside(key))
    } else {
        format!(
            "the engine gave it that address: `stop([\"{}\"])`, then `up` starts \"{service}\" first; for good, {}",
            holder.service,
            outside(key)
        )
    })
}

/// The failure if the engine refused to start a container of `service` because another container
/// has its static address. The text is that of the next `up`.
pub fn taken_address_of(
    id: &str,
    service: &Service,
    project: &Project,
    observed: &ObservedState,
) -> Option<Failure> {
    let network = |id: &str| {
        observed
            .networks
            .iter()
            .find(|network| network.id == id)
            .map(|network| network.name.clone())
    };
    let has = |addresses: &BTreeSet<(String, IpAddr)>, taken: &Resource| {
        let mut own = addresses.iter().filter_map(|(id, address)| {
            Some(Resource::Address { network: network(id)?, address: *address })
        });
        own.any(|resource| resource.overlaps(taken))
    };
    taken_at_start(service, project)
        .into_iter()
        .filter(|(resource, _)| matches!(resource, Resource::Address { .. }))
        .find_map(|(resource, keys)| {
            let own =
                observed.containers.iter().find(|it| it.id != id && has(&it.addresses, &resource));
            let (holder, hint) = match own {
                Some(own) => {
                    let hint = way_out(&resource, own, &service.name, project);
                    (
                        &own.name,
                        hint.unwrap_or_else(|| {
                            format!("choose another address, or stop \"{}\" first", own.service)
                        }),
                    )
                }
                None => {
                    let other = observed.others.iter().find(|it| has(&it.addresses, &resource))?;
                    (&other.name, "choose another address, or stop that container first".to_owned())
                }
            };
            let message = format!(
                "The service \"{}\" needs {resource}, which is taken by the container \"{holder}\"",
                service.name
            );
            let keys =
                ["services".to_owned(), service.name.clone()].into_iter().chain(keys).collect();
            Some(
                Failure::new(Kind::Conflict, message)
                    .hint(hint)
                    .at(SpecPath { keys, on_key: true }),
            )
        })
}

pub(super) fn outside(key: &str) -> String {
    format!("give the network \"{key}\" an `ip_range` without the addresses that services name")
}

/// Whether the engine can give this address to a container without a static one.
pub(super) fn may_be_given(network: &Network, address: IpAddr) -> bool {
    let pool =
        network.ipam.iter().find(|pool| pool.subnet.is_some_and(|net| net.contains(&address)));
    pool.and_then(|pool| pool.ip_range).is_none_or(|range| range.contains(&address))
}

/// Whether the address is among the first ones, so that the described containers are likely to get
/// it.
fn is_given_soon(project: &Project, key: &str, network: &Network, address: IpAddr) -> bool {
    let attached = project.services.values().filter(|service| service.networks.contains_key(key));
    is_among_first(network, address, attached.map(|service| service.scale as usize).sum())
}

/// Whether the address is among the first ones that the engine gives to this many containers.
pub(super) fn is_among_first(network: &Network, address: IpAddr, containers: usize) -> bool {
    let pool = network
        .ipam
        .iter()
        .filter_map(|pool| pool.ip_range.or(pool.subnet))
        .find(|net| net.contains(&address));
    // One more for the gateway.
    pool.is_none_or(|net: IpNet| net.hosts().take(containers + 1).any(|host| host == address))
}

fn attached<'a>(service: &'a Service, key: &str) -> Option<&'a NetworkAttachment> {
    service.networks.get(key)
}

/// Whether the engine chooses the address of this family.
fn is_dynamic(attachment: &NetworkAttachment, like: IpAddr) -> bool {
    if like.is_ipv4() {
        attachment.ipv4_address.is_none()
    } else {
        attachment.ipv6_address.is_none()
    }
}

/// Whether the step starts a container that gets an address of this kind from the engine.
fn is_given_one(plan: &Plan, step: StepId, project: &Project, key: &str, like: IpAddr) -> bool {
    let step = &plan.steps[step];
    let service = step.service.as_ref().and_then(|name| project.services.get(name));
    matches!(step.action, Action::StartContainer { .. })
        && service
            .and_then(|service| attached(service, key))
            .is_some_and(|attachment| is_dynamic(attachment, like))
}

/// All steps that come before a step.
pub(super) fn all_before(after: &[BTreeSet<StepId>], step: StepId) -> BTreeSet<StepId> {
    let (mut open, mut seen) = (vec![step], BTreeSet::new());
    while let Some(step) = open.pop() {
        open.extend(after[step].iter().filter(|before| seen.insert(**before)));
    }
    seen
}

/// A resource and the step that takes it.
pub(super) struct ResourceClaim<'a> {
    pub(super) step: StepId,
    pub(super) service: Option<&'a str>,
    pub(super) resource: Resource,
    pub(super) path: SpecPath,
}
