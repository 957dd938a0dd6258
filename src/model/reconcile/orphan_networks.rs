//! Networks that an earlier description of the project created. They are reported, and removed with
//! the orphans if no container is connected to them.

use super::super::cause::Cause;
use super::super::observed_state::{Network, ObservedState};
use super::super::plan::{Action, Plan, Step, StepId};
use super::desired_state::DesiredState;

/// Reports or removes networks that are no longer described, except those that a runbook created
/// for its own use.
pub(super) fn orphan_networks(
    plan: &mut Plan,
    wanted: &DesiredState<'_>,
    observed: &ObservedState,
) {
    let is_described = |network: &Network| {
        wanted.project.networks.values().any(|described| described.name == network.name)
    };
    for network in observed
        .networks
        .iter()
        .filter(|network| network.ours && network.hash.is_some() && !is_described(network))
    {
        if plan.steps.iter().any(
            |step| matches!(&step.action, Action::RemoveNetwork { id, .. } if *id == network.id),
        ) {
            continue;
        }
        let name = &network.name;
        match leavers(network, plan, observed) {
            Err(user) => plan.notes.push(format!("the network {name} is no longer described, and stays: the container {user} is on it")),
            Ok(after) if wanted.remove_orphans => {
                let action = Action::RemoveNetwork { name: name.clone(), id: network.id.clone() };
                let cause = Some(Cause::NoLongerDescribed);
                plan.add(Step { cause, after, ..Step::alone(action) });
            }
            Ok(_) => plan.notes.push(format!("the network {name} is no longer described; --remove-orphans removes it")),
        }
    }
}

/// The steps after which no container is connected to the network, or the container that stays
/// connected.
fn leavers<'a>(
    network: &Network,
    plan: &Plan,
    observed: &'a ObservedState,
) -> Result<Vec<StepId>, &'a str> {
    // A removal that depends on an image may not happen.
    let removal = |id: &String| {
        plan.steps.iter().position(|step| match &step.action {
            Action::RemoveContainer { container, .. } => {
                step.when.is_none() && container.id.as_ref() == Some(id)
            }
            _ => false,
        })
    };
    let own = observed
        .containers
        .iter()
        .filter(|it| it.networks.contains(&network.id))
        .map(|it| (&it.id, it.name.as_str()));
    let is_on_it = |addresses: &std::collections::BTreeSet<(String, std::net::IpAddr)>| {
        addresses.iter().any(|(id, _)| *id == network.id)
    };
    let others = observed
        .others
        .iter()
        .filter(|it| is_on_it(&it.addresses))
        .map(|it| (&it.id, it.name.as_str()));
    own.chain(others).map(|(id, name)| removal(id).ok_or(name)).collect()
}
