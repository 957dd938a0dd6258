//! The plan of `up` while it is made.

use std::collections::{BTreeMap, BTreeSet};

use super::desired_state::DesiredState;
use crate::model::cause::Cause;
use crate::model::names::NEW_SUFFIX;
use crate::model::observed_state::{Container, ObservedState};
use crate::model::plan::{ContainerRef, GroupId, Plan, StepCondition, StepId};

/// How a container compares with what is wanted.
pub(super) enum Difference {
    Same,
    /// And why.
    Changed(Cause),
    /// Only the image's id is open, until that step is done.
    Image(StepId),
}

/// The plan under construction.
pub(super) struct Planner<'a> {
    pub(super) wanted: &'a DesiredState<'a>,
    pub(super) observed: &'a ObservedState,
    pub(super) plan: Plan,
    /// The containers there are, by their service.
    pub(super) of_service: BTreeMap<&'a str, Vec<&'a Container>>,
    /// The services whose end somebody waits for.
    pub(super) jobs: BTreeSet<&'a str>,
    /// By their names in one spelling.
    pub(super) images: BTreeMap<String, StepId>,
    pub(super) networks: BTreeMap<String, Option<StepId>>,
    pub(super) volumes: BTreeMap<String, Option<StepId>>,
    /// Steps after which a service's condition holds; a service without an entry holds already.
    pub(super) started: BTreeMap<String, Vec<StepId>>,
    pub(super) ready: BTreeMap<String, Vec<StepId>>,
    pub(super) completed: BTreeMap<String, Vec<StepId>>,
    pub(super) groups: GroupId,
    /// The stops of containers that are removed, by their ids, after which others write to what
    /// they wrote to.
    pub(super) let_go: BTreeMap<String, StepId>,
    /// Such a stop, and the service that it is for.
    pub(super) handed_over: Vec<(StepId, String)>,
    /// Containers, by their ids, that write to what a service is to write to. Their own service
    /// may come only after it: the two swap.
    pub(super) passed_on: Vec<(&'a str, String)>,
    /// Put on every step that is added.
    pub(super) group: Option<GroupId>,
    pub(super) when: Option<StepCondition>,
}

/// A reference to a container that is there.
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
    /// If it does not run, nobody wants it to.
    AsItIs,
    /// If it does not run, a run that was killed stopped it.
    Interrupted,
}
