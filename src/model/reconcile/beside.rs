//! The replacement of a service's containers in parts, for a deployment that decides between them
//! what comes next: start the new ones beside the old ones, attach them, let them take over, or
//! remove them.
//!
//! A new container has the name of the old one with [`NEW_SUFFIX`], as in every replacement. So
//! whatever part a killed run was in, `up` understands what it finds.
//!
//! [`NEW_SUFFIX`]: crate::model::names::NEW_SUFFIX

use std::collections::BTreeSet;

use super::super::cause::Cause;
use super::super::exclusive_resources::taken_at_start;
use super::super::failure::SpecPath;
use super::super::observed_state::{Container, ObservedState};
use super::super::plan::{Action, Anonymous, ContainerRef, Plan, Rollback, RollbackAction, StepId};
use super::super::spec::{MountSource, Service};
use super::super::{Failure, Kind};
use super::desired_state::DesiredState;
use super::leftover_one_offs;
use super::planner::{Difference, Planner, new_name, reference};
use super::replace::remove_new;
use super::up::check_foreign;

/// A part of the replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BesidePart {
    /// Create and start the new containers, and wait until they are ready.
    Start,
    /// Connect the new containers with the service's network alias.
    Attach,
    /// Stop and remove the old containers, and give their names to the new ones.
    TakeOver,
    /// Stop and remove the new containers.
    Remove,
}

/// The two containers of one number.
struct Pair<'a> {
    old: Option<&'a Container>,
    new: Option<&'a Container>,
}

fn pair<'a>(planner: &Planner<'a>, service: &Service, number: u32) -> Pair<'a> {
    let there = planner.of_service.get(service.name.as_str()).cloned().unwrap_or_default();
    let mut pair = Pair { old: None, new: None };
    for container in there.into_iter().filter(|container| container.number == number) {
        let place = if container.is_new() { &mut pair.new } else { &mut pair.old };
        // Of several with one number, a running one: `up` removes the others.
        if place.is_none_or(|known: &Container| !known.is_up() && container.is_up()) {
            *place = Some(container);
        }
    }
    pair
}

/// Rejects a service whose description prevents a second container beside the first.
fn check_can_double(wanted: &DesiredState<'_>, service: &Service) -> Result<(), Failure> {
    let name = &service.name;
    let fail = |what: String, hint: String, keys: Vec<String>| {
        let keys = ["services".to_owned(), name.clone()].into_iter().chain(keys).collect();
        Err(Failure::new(
            Kind::Conflict,
            format!("The service \"{name}\" can't run twice at a time: {what}"),
        )
        .hint(hint)
        .field("service", name.clone())
        .at(SpecPath { keys, on_key: false }))
    };
    if let Some((resource, keys)) = taken_at_start(service, wanted.project).into_iter().next() {
        let hint = "let a proxy publish the port, and reach the service by its name on the network; or replace it with `up`, which stops the old container first";
        return fail(
            format!("its containers need {resource}"),
            if keys.first().is_some_and(|key| key == "ports") {
                hint.to_owned()
            } else {
                "remove the fixed address, or replace it with `up`, which stops the old container first".to_owned()
            },
            keys,
        );
    }
    if let Some(volume) = wanted.project.own_volumes(service).into_iter().next() {
        return fail(
            format!("it writes to the volume \"{volume}\", which only one container may write to"),
            "give the volume the key \"x-spc-shared\": true if that is safe (never for a database), or replace it with `up`".to_owned(),
            vec!["volumes".to_owned()],
        );
    }
    Ok(())
}

/// Creates, starts and waits for a new container for each of `numbers` whose container differs from
/// the description. Nothing else is touched; if one does not become ready, all that this plan
/// created are removed.
pub fn start_beside(
    wanted: &DesiredState<'_>,
    service: &str,
    numbers: &BTreeSet<u32>,
    observed: &ObservedState,
) -> Result<Plan, Failure> {
    check_foreign(wanted, observed)?;
    let service = wanted.project.service(service)?;
    check_can_double(wanted, service)?;
    let mut planner = Planner::new(wanted, observed);
    let mut before: Vec<StepId> = planner.image(service)?.into_iter().collect();
    for key in service.networks.keys() {
        before.extend(planner.network(service, key)?);
    }
    for mount in &service.volumes {
        if let MountSource::Volume { name, .. } = &mount.source {
            before.extend(planner.volume(service, name)?);
        }
    }
    let group = planner.begin_group();
    planner.group = None;
    let (mut undo, mut ready) = (Vec::new(), Vec::new());
    for &number in numbers {
        let Pair { old, new } = pair(&planner, service, number);
        let mut before = before.clone();
        let mut cause = Cause::NotThere;
        if let Some(new) = new {
            if new.is_up() && matches!(planner.difference(service, new), Difference::Same) {
                planner.keep(service, new, &before)?;
                continue;
            }
            before.push(remove(&mut planner, service, new, &before, Some(Cause::Interrupted)));
        }
        if let Some(old) = old {
            cause = match planner.difference(service, old) {
                Difference::Same => continue,
                Difference::Changed(cause) => cause,
                Difference::Image(_) => Cause::ImageChanged(None),
            };
        }
        planner.group = Some(group);
        let new = ContainerRef::new(new_name(&planner.container_name(service, number)));
        let create = Action::CreateContainer {
            name: new.name.clone(),
            number,
            alias: false,
            replaces: old.map(reference),
        };
        let created = planner.add(Some(service), create, Some(cause), &before);
        let made = planner.deliver(service, &new, None, &[created]);
        let (started, waited) = planner.begin(service, &new, None, &made);
        planner.group = None;
        let undone =
            |action, of| RollbackAction { service: Some(service.name.clone()), action, of };
        undo.push(undone(Action::StopContainer { container: new.clone() }, Some(started)));
        undo.push(undone(remove_new(&new), Some(created)));
        ready.push(waited);
    }
    if !ready.is_empty() {
        planner.plan.rollbacks.insert(group, Rollback { undo, until: ready });
    }
    let mut plan = planner.plan;
    leftover_one_offs::before_starts(&mut plan, observed);
    Ok(plan)
}

/// Connects the new containers among `numbers` with the service's network alias. Each gets a new
/// connection, so it may not have requests meanwhile.
pub fn attach(
    wanted: &DesiredState<'_>,
    service: &str,
    numbers: &BTreeSet<u32>,
    observed: &ObservedState,
) -> Result<Plan, Failure> {
    let service = wanted.project.service(service)?;
    let mut planner = Planner::new(wanted, observed);
    for &number in numbers {
        let Some(new) = pair(&planner, service, number).new else { continue };
        check_up(new)?;
        let attach = Action::Attach { container: reference(new) };
        let attached = planner.add(Some(service), attach, None, &[]);
        planner.wait(service, &reference(new), &[attached]);
    }
    Ok(planner.plan)
}

/// Stops and removes the old containers of `numbers` that have a new one, and gives their names to
/// the new ones.
pub fn take_over(
    wanted: &DesiredState<'_>,
    service: &str,
    numbers: &BTreeSet<u32>,
    observed: &ObservedState,
) -> Result<Plan, Failure> {
    let service = wanted.project.service(service)?;
    let mut planner = Planner::new(wanted, observed);
    add_take_over(&mut planner, service, numbers)?;
    Ok(planner.plan)
}

/// The same for all numbers of the description; containers beyond them go too.
pub fn take_over_all(
    wanted: &DesiredState<'_>,
    service: &str,
    numbers: &BTreeSet<u32>,
    observed: &ObservedState,
) -> Result<Plan, Failure> {
    let service = wanted.project.service(service)?;
    let mut planner = Planner::new(wanted, observed);
    add_take_over(&mut planner, service, numbers)?;
    planner.surplus(service, &[]);
    Ok(planner.plan)
}

fn add_take_over(
    planner: &mut Planner<'_>,
    service: &Service,
    numbers: &BTreeSet<u32>,
) -> Result<(), Failure> {
    for &number in numbers {
        let Pair { old, new } = pair(planner, service, number);
        let Some(new) = new else { continue };
        check_up(new)?;
        let mut before = Vec::new();
        if let Some(old) = old {
            if old.is_up() {
                let stop = Action::StopContainer { container: reference(old) };
                before.push(planner.add(Some(service), stop, Some(Cause::Replaced), &[]));
            }
            let remove =
                Action::RemoveContainer { container: reference(old), volumes: Anonymous::Kept };
            before = vec![planner.add(Some(service), remove, Some(Cause::Replaced), &before)];
        }
        let to = planner.container_name(service, number);
        let rename = Action::RenameContainer { container: reference(new), to };
        planner.add(Some(service), rename, None, &before);
    }
    Ok(())
}

/// Stops and removes the new containers of `numbers`.
pub fn remove_new_ones(
    wanted: &DesiredState<'_>,
    service: &str,
    numbers: &BTreeSet<u32>,
    observed: &ObservedState,
) -> Result<Plan, Failure> {
    let service = wanted.project.service(service)?;
    let mut planner = Planner::new(wanted, observed);
    for &number in numbers {
        if let Some(new) = pair(&planner, service, number).new {
            remove(&mut planner, service, new, &[], None);
        }
    }
    Ok(planner.plan)
}

/// The steps that stop and remove a new container; returns the last.
fn remove(
    planner: &mut Planner<'_>,
    service: &Service,
    new: &Container,
    before: &[StepId],
    cause: Option<Cause>,
) -> StepId {
    let mut before = before.to_vec();
    if new.is_up() {
        let stop = Action::StopContainer { container: reference(new) };
        before.push(planner.add(Some(service), stop, cause.clone(), &before));
    }
    planner.add(Some(service), remove_new(&reference(new)), cause, &before)
}

fn check_up(new: &Container) -> Result<(), Failure> {
    if new.is_up() {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Unhealthy,
        format!("The new container \"{}\" does not run: it is {}", new.name, new.state.word()),
    )
    .hint(format!("`docker logs {}` may show why", new.name))
    .field("service", new.service.clone()))
}
