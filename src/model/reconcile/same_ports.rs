//! Host ports of containers that are started without changes. If another container has one and
//! keeps it, the verb fails before its first change, and names it.

use std::collections::{BTreeMap, BTreeSet};

use super::super::exclusive_resources::Resource;
use super::super::observed_state::{ObservedState, PublishedPort};
use super::super::plan::{Action, ContainerRef, Plan, StepId, WaitCondition};
use super::super::{Failure, Kind};
use super::addresses::all_before;

/// A start, and a host port that its container takes.
struct PortClaim<'a> {
    step: StepId,
    container: &'a ContainerRef,
    resource: Resource,
}

/// A running container that has a port.
struct Holder<'a> {
    id: &'a str,
    /// For display: `the container "a"`.
    shown: String,
    /// The service of the project that it belongs to.
    service: Option<&'a str>,
}

/// Fails if the plan starts an existing container that needs a host port, and another container has
/// that port at that time. `ports`: the ports that each container publishes when it runs, by its
/// id.
pub fn check_ports(
    plan: &Plan,
    observed: &ObservedState,
    ports: &BTreeMap<String, Vec<PublishedPort>>,
) -> Result<(), Failure> {
    let after: Vec<BTreeSet<StepId>> =
        plan.steps.iter().map(|step| step.after.iter().copied().collect()).collect();
    let mut earlier: Vec<PortClaim<'_>> = Vec::new();
    for taker in takers(plan, ports) {
        let before = all_before(&after, taker.step);
        let holders = holders(&taker, observed);
        if let Some(holder) = holders.iter().find(|holder| !lets_go(plan, &before, holder.id)) {
            return Err(taken(plan, &taker, holder));
        }
        let other = earlier.iter().find(|other| {
            other.container.id != taker.container.id
                && other.resource.overlaps(&taker.resource)
                && !other.container.id.as_deref().is_some_and(|id| lets_go(plan, &before, id))
                && !taker
                    .container
                    .id
                    .as_deref()
                    .is_some_and(|id| lets_go(plan, &all_before(&after, other.step), id))
        });
        if let Some(other) = other {
            let mut names = [&other.container.name, &taker.container.name];
            names.sort();
            let message = format!(
                "The containers \"{}\" and \"{}\" both need {}",
                names[0], names[1], taker.resource
            );
            let hint =
                "start only one of the two, or publish another host port for one and run `up`";
            return Err(of_taker(plan, &taker, message, hint.to_owned()));
        }
        earlier.push(taker);
    }
    Ok(())
}

fn takers<'a>(
    plan: &'a Plan,
    ports: &'a BTreeMap<String, Vec<PublishedPort>>,
) -> impl Iterator<Item = PortClaim<'a>> {
    plan.steps.iter().enumerate().flat_map(|(step, it)| {
        let (Action::StartContainer { container } | Action::RestartContainer { container }) =
            &it.action
        else {
            return Vec::new();
        };
        let own = container.id.as_ref().and_then(|id| ports.get(id)).into_iter().flatten();
        own.map(|port| PortClaim { step, container, resource: port.resource() }).collect()
    })
}

fn holders<'a>(taker: &PortClaim<'_>, observed: &'a ObservedState) -> Vec<Holder<'a>> {
    let has = |ports: &[PublishedPort]| {
        ports.iter().any(|port| port.resource().overlaps(&taker.resource))
    };
    let is_other = |id: &String| taker.container.id.as_ref() != Some(id);
    let own = observed.containers.iter().filter(|it| is_other(&it.id) && has(&it.ports));
    let own = own.map(|it| Holder {
        id: &it.id,
        shown: format!("the container \"{}\"", it.name),
        service: Some(&it.service),
    });
    let others = observed.others.iter().filter(|it| is_other(&it.id) && has(&it.ports)).map(|it| {
        let of = it
            .owner
            .as_ref()
            .map(|owner| format!(" of the project \"{owner}\""))
            .unwrap_or_default();
        Holder { id: &it.id, shown: format!("the container \"{}\"{of}", it.name), service: None }
    });
    own.chain(others).collect()
}

/// Whether a container has ended once these steps are done.
fn lets_go(plan: &Plan, done: &BTreeSet<StepId>, id: &str) -> bool {
    let is_it = |container: &ContainerRef| container.id.as_deref() == Some(id);
    done.iter().any(|&step| match &plan.steps[step].action {
        Action::StopContainer { container } | Action::RemoveContainer { container, .. } => {
            is_it(container)
        }
        Action::Wait { container, until: WaitCondition::Completed } => is_it(container),
        _ => false,
    })
}

fn taken(plan: &Plan, taker: &PortClaim<'_>, holder: &Holder<'_>) -> Failure {
    let message = format!(
        "The container \"{}\" needs {}, which is taken by {}",
        taker.container.name, taker.resource, holder.shown
    );
    let stop = holder.service.map_or_else(
        || "stop that container first".to_owned(),
        |service| format!("`stop([\"{service}\"])` first"),
    );
    of_taker(plan, taker, message, format!("{stop}, or publish another host port and run `up`"))
}

fn of_taker(plan: &Plan, taker: &PortClaim<'_>, message: String, hint: String) -> Failure {
    let failure = Failure::new(Kind::Conflict, message).hint(hint);
    let failure = match taker.resource {
        Resource::HostPort { port, .. } => failure.field("port", u64::from(port)),
        _ => failure,
    };
    match &plan.steps[taker.step].service {
        Some(service) => failure.field("service", service.clone()),
        None => failure,
    }
}
