//! What has to be done, as data: steps with causes, and which waits for which.
//!
//! Printed by [`Plan`]'s `Display`; walked by `apply::execute`, which decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::cause::Cause;
use super::spec::Network;
use super::step::{ActionKind, Object, StepLabel};

/// Steps that bring the engine from what is there to what is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub project: String,
    /// A step's id is its place here; it waits only for steps before it.
    pub steps: Vec<Step>,
    /// The way back of each group.
    pub rollbacks: BTreeMap<GroupId, Rollback>,
    /// What is found and left alone.
    pub notes: Vec<String>,
}

/// What is done, in this order, when a group that was begun can't be finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    pub undo: Vec<RollbackAction>,
    /// Once these steps are done there is no way back, and none is needed: the new containers
    /// serve.
    pub until: Vec<StepId>,
}

/// One thing done on the way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackAction {
    pub service: Option<String>,
    pub action: Action,
    /// Only if this step was begun; in any case without one.
    pub of: Option<StepId>,
}

/// Place of a step in [`Plan::steps`].
pub type StepId = usize;

/// The steps that replace one container belong together; and those of all containers that hand
/// something over to each other.
pub type GroupId = usize;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub service: Option<String>,
    pub action: Action,
    /// Why; none for what only completes an earlier step.
    pub cause: Option<Cause>,
    /// Steps that have to be done before.
    pub after: Vec<StepId>,
    /// Those of `after` whose failure is no obstacle (`required: false`).
    pub tolerates: Vec<StepId>,
    pub group: Option<GroupId>,
    /// Done only if this holds once the steps before are done.
    pub when: Option<StepCondition>,
}

/// A condition on what only a pull or build can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepCondition {
    /// The image whose id is unknown until `known_after`.
    pub image: String,
    pub known_after: StepId,
    /// The id a container has now.
    pub current: String,
    /// Hold if it is (true) or is not (false) that one.
    pub same: bool,
}

/// A container by name, and by id where it is there already.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerRef {
    pub name: String,
    pub id: Option<String>,
}

impl ContainerRef {
    /// A container that an earlier step creates.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), id: None }
    }
}

/// What a wait waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitCondition {
    /// Running, and its health check passes.
    Ready,
    /// Exited with code 0.
    Completed,
}

/// Which of a container's anonymous volumes go with it. That of its secrets always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anonymous {
    Kept,
    /// Those made for it; what it took over from another one stays.
    Own,
    All,
}

/// The effects there are. What a container is made of stands in the description, by service name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    PullImage {
        image: String,
    },
    /// Builds the image of a service; others that share it wait for the same step.
    BuildImage {
        image: String,
        service: String,
    },
    CreateNetwork {
        key: String,
        name: String,
    },
    RemoveNetwork {
        name: String,
        id: String,
    },
    /// Makes a network again that was removed, and puts the containers back on it. Only on the way
    /// back.
    RestoreNetwork {
        /// Its key in the description of then.
        key: String,
        network: Network,
        /// The hash on its label.
        hash: Option<String>,
        /// What has its addresses meanwhile and goes.
        instead: Vec<String>,
        containers: Vec<ContainerRef>,
    },
    CreateVolume {
        key: String,
        name: String,
    },
    RemoveVolume {
        name: String,
    },
    /// Makes a container of the service; `alias`: reachable under the service's name from its
    /// start. `replaces`: the container whose anonymous volumes it takes over.
    CreateContainer {
        name: String,
        number: u32,
        alias: bool,
        replaces: Option<ContainerRef>,
    },
    /// Writes its configs into a container that was never started.
    DeliverConfigs {
        container: ContainerRef,
    },
    /// Writes its secrets into a container that was never started.
    DeliverSecrets {
        container: ContainerRef,
    },
    StartContainer {
        container: ContainerRef,
    },
    Wait {
        container: ContainerRef,
        until: WaitCondition,
    },
    /// Attaches a container to its networks anew, with the service's alias.
    Attach {
        container: ContainerRef,
    },
    StopContainer {
        container: ContainerRef,
    },
    RestartContainer {
        container: ContainerRef,
    },
    RemoveContainer {
        container: ContainerRef,
        volumes: Anonymous,
    },
    RenameContainer {
        container: ContainerRef,
        to: String,
    },
}

impl Action {
    /// What is done.
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::PullImage { .. } => ActionKind::Pull,
            Self::BuildImage { .. } => ActionKind::Build,
            Self::CreateNetwork { .. }
            | Self::CreateVolume { .. }
            | Self::CreateContainer { .. } => ActionKind::Create,
            Self::DeliverConfigs { .. } => ActionKind::DeliverConfigs,
            Self::DeliverSecrets { .. } => ActionKind::DeliverSecrets,
            Self::StartContainer { .. } => ActionKind::Start,
            Self::Wait { until: WaitCondition::Ready, .. } => ActionKind::WaitUntilReady,
            Self::Wait { until: WaitCondition::Completed, .. } => ActionKind::WaitUntilCompleted,
            Self::Attach { .. } => ActionKind::Attach,
            Self::StopContainer { .. } => ActionKind::Stop,
            Self::RestartContainer { .. } => ActionKind::Restart,
            Self::RestoreNetwork { .. } => ActionKind::Restore,
            Self::RemoveNetwork { .. }
            | Self::RemoveVolume { .. }
            | Self::RemoveContainer { .. } => ActionKind::Remove,
            Self::RenameContainer { .. } => ActionKind::Rename,
        }
    }

    /// What it is done to.
    pub fn object(&self) -> Object {
        match self {
            Self::PullImage { image } | Self::BuildImage { image, .. } => Object::image(image),
            Self::CreateNetwork { name, .. } | Self::RemoveNetwork { name, .. } => {
                Object::network(name)
            }
            Self::RestoreNetwork { network, .. } => Object::network(&network.name),
            Self::CreateVolume { name, .. } | Self::RemoveVolume { name } => Object::volume(name),
            Self::CreateContainer { name, .. } => Object::container(name),
            Self::RenameContainer { container, to } => {
                Object::container(&container.name).with(format!("to {to}"))
            }
            Self::DeliverConfigs { container }
            | Self::DeliverSecrets { container }
            | Self::StartContainer { container }
            | Self::Wait { container, .. }
            | Self::Attach { container }
            | Self::StopContainer { container }
            | Self::RestartContainer { container }
            | Self::RemoveContainer { container, .. } => Object::container(&container.name),
        }
    }

    /// Whether the engine is another after it. A wait only looks.
    pub fn changes(&self) -> bool {
        !matches!(self, Self::Wait { .. })
    }
}

impl Step {
    /// A step that waits for none and is part of nothing.
    pub fn alone(action: Action) -> Self {
        Self {
            service: None,
            action,
            cause: None,
            after: Vec::new(),
            tolerates: Vec::new(),
            group: None,
            when: None,
        }
    }

    /// What events call it; `id` is its place in the plan.
    pub fn label(&self, id: StepId) -> StepLabel {
        StepLabel {
            step: Some(id + 1),
            service: self.service.clone(),
            action: self.action.kind(),
            object: self.action.object(),
        }
    }
}

impl Plan {
    /// Whether walking it changes anything.
    pub fn changes(&self) -> bool {
        self.steps.iter().any(|step| step.action.changes())
    }

    /// All steps that are done before `step` begins.
    pub fn before(&self, step: StepId) -> BTreeSet<StepId> {
        let mut before = BTreeSet::new();
        let mut open = vec![step];
        while let Some(step) = open.pop() {
            open.extend(self.steps[step].after.iter().filter(|&&earlier| before.insert(earlier)));
        }
        before
    }

    /// Whether the failure of a step is no failure of the whole: all that depends on its service
    /// does so with `required: false`.
    pub fn tolerates(&self, failed: StepId) -> bool {
        let service = &self.steps[failed].service;
        let mut lost = BTreeSet::from([failed]);
        let mut tolerated = false;
        // A step waits only for earlier ones, so that one pass finds all that can't be done any
        // more.
        for (id, step) in self.steps.iter().enumerate() {
            let required = |before: &&StepId| !step.tolerates.contains(before);
            let loses = step
                .after
                .iter()
                .filter(|before| lost.contains(before))
                .any(|before| required(&before));
            if step.service == *service {
                if loses {
                    lost.insert(id);
                }
                continue;
            }
            let mut conditions = step.after.iter().filter(|&&before| {
                self.steps[before].service == *service && self.is_condition(before)
            });
            if loses || conditions.clone().any(|before| required(&before)) {
                return false;
            }
            tolerated |= conditions.next().is_some();
        }
        tolerated
    }

    /// Whether a step is what a condition on its service waits for.
    fn is_condition(&self, step: StepId) -> bool {
        matches!(self.steps[step].action, Action::StartContainer { .. } | Action::Wait { .. })
    }

    /// Adds a step and answers its id. Each step that it waits for is kept once, in their order.
    pub fn add(&mut self, mut step: Step) -> StepId {
        step.after.sort_unstable();
        step.after.dedup();
        debug_assert!(
            step.after.iter().all(|&before| before < self.steps.len()),
            "a step waits only for earlier ones"
        );
        self.steps.push(step);
        self.steps.len() - 1
    }
}

impl fmt::Display for Plan {
    /// One line a step: number, verb and object, cause, and what it waits for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            writeln!(f, "{}: nothing to do", self.project)?;
        }
        for (id, step) in self.steps.iter().enumerate() {
            write!(f, "{:>3}  {} {}", id + 1, step.action.kind(), step.action.object())?;
            if let Some(cause) = &step.cause {
                write!(f, "  ({cause})")?;
            }
            if let Some(when) = &step.when {
                let is = if when.same { "is unchanged" } else { "changed" };
                write!(
                    f,
                    "  if image {} {is}, unknown until step {}",
                    when.image,
                    when.known_after + 1
                )?;
            }
            if !step.after.is_empty() {
                let after: Vec<String> =
                    step.after.iter().map(|before| (before + 1).to_string()).collect();
                write!(f, "  after {}", after.join(", "))?;
            }
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}
