//! The plan of `up` while it is built.

use std::collections::{BTreeMap, BTreeSet};

use super::desired_state::DesiredState;
use crate::model::cause::Cause;
use crate::model::names::NEW_SUFFIX;
use crate::model::observed_state::{Container, ObservedState};
use crate::model::plan::{ContainerRef, GroupId, Plan, StepCondition, StepId};

/// How a container differs from the desired state.
pub(super) enum Difference {
    Same,
    /// With the cause.
    Changed(Cause),
    /// Only the id of the image is unknown, until this step is done.
    Image(StepId),
}

/// The plan while it is built.
pub(super) struct Planner<'a> {
    pub(super) wanted: &'a DesiredState<'a>,
    pub(super) observed: &'a ObservedState,
    pub(super) plan: Plan,
    /// The existing containers by service.
    pub(super) of_service: BTreeMap<&'a str, Vec<&'a Container>>,
    /// The services that another service waits for until they complete.
    pub(super) jobs: BTreeSet<&'a str>,
    /// By the canonical forms of their names.
    pub(super) images: BTreeMap<String, StepId>,
    pub(super) networks: BTreeMap<String, Option<StepId>>,
    pub(super) volumes: BTreeMap<String, Option<StepId>>,
    /// The steps after which a service's condition holds. Without an entry, it already holds.
    pub(super) started: BTreeMap<String, Vec<StepId>>,
    pub(super) ready: BTreeMap<String, Vec<StepId>>,
    pub(super) completed: BTreeMap<String, Vec<StepId>>,
    pub(super) groups: GroupId,
    /// The replacements of the current service.
    pub(super) batches: Batches,
    /// The stops of removed containers, by their ids, after which others write to their storage.
    pub(super) let_go: BTreeMap<String, StepId>,
    /// Such a stop, and the service that takes over the storage.
    pub(super) handed_over: Vec<(StepId, String)>,
    /// Containers, by their ids, that write to the storage of another service. Their own service
    /// may come only after this one: the two swap storages.
    pub(super) passed_on: Vec<(&'a str, String)>,
    /// Set on every step that is added.
    pub(super) group: Option<GroupId>,
    pub(super) when: Option<StepCondition>,
}

/// The replacements of a service while they are planned.
#[derive(Default)]
pub(super) struct Batches {
    /// The number of the current batch, from 0.
    pub(super) number: usize,
    /// How many containers it replaces so far.
    pub(super) members: u32,
    /// The steps that it waits for.
    pub(super) waits: Vec<StepId>,
    /// The steps after which the next batch can begin.
    pub(super) ends: Vec<StepId>,
    pub(super) replacements: Vec<Replacement>,
}

/// One replacement, until the new container is proven.
pub(super) struct Replacement {
    pub(super) group: GroupId,
    pub(super) old: ContainerRef,
    pub(super) new: ContainerRef,
    /// The final name of the new one.
    pub(super) name: String,
    /// The step after which the new one is ready, verified and monitored.
    pub(super) proven: StepId,
    /// The step that stops the old one after that.
    pub(super) stopped: Option<StepId>,
    pub(super) when: Option<StepCondition>,
}

/// A reference to an existing container.
pub(super) fn reference(container: &Container) -> ContainerRef {
    ContainerRef { name: container.name.clone(), id: Some(container.id.clone()) }
}

/// The name of a replacement until it takes over.
pub(super) fn new_name(name: &str) -> String {
    format!("{name}{NEW_SUFFIX}")
}

/// How the old container was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OldContainer {
    /// If it does not run, it stays stopped.
    AsItIs,
    /// If it does not run, a killed run stopped it.
    Interrupted,
}
