//! A plan as data: steps with causes and dependencies.
//!
//! [`Plan`]'s `Display` prints it. `apply::execute` executes it and makes no decisions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::cause::Cause;
use super::spec::{FailureAction, Network, RollbackConfig};
use super::step::{ActionKind, Object, ObjectKind, StepLabel};
use super::time::format_duration;

/// Steps that lead from the current state of the engine to the described one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub project: String,
    /// A step's id is its index. It waits only for earlier steps.
    pub steps: Vec<Step>,
    /// The rollback of each group.
    pub rollbacks: BTreeMap<GroupId, Rollback>,
    /// Replacements that belong together.
    pub updates: Vec<ServiceUpdate>,
    /// Findings that the plan does not change.
    pub notes: Vec<String>,
}

/// The steps, in this order, that undo a group that was started and can't be finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    pub undo: Vec<RollbackAction>,
    /// Once these steps are done, the group is not rolled back any more: the new containers are in
    /// use.
    pub until: Vec<StepId>,
}

/// The replacements of all changed containers of one service, if a failure of one concerns the
/// others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUpdate {
    pub service: String,
    /// One for each container.
    pub groups: BTreeSet<GroupId>,
    /// How many containers may fail. Each of them is rolled back alone, and the update goes on.
    pub tolerated: u32,
    /// What happens if more of them fail.
    pub on_failure: FailureAction,
    /// How the old containers are restored.
    pub rollback: RollbackConfig,
}

/// One step of a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackAction {
    pub service: Option<String>,
    pub action: Action,
    /// Only if this step was started; `None` means always.
    pub of: Option<StepId>,
}

impl RollbackAction {
    /// Its label in events.
    pub fn label(&self) -> StepLabel {
        StepLabel {
            step: None,
            service: self.service.clone(),
            action: self.action.kind(),
            object: self.action.object(),
            undo: true,
        }
    }
}

/// The index of a step in [`Plan::steps`].
pub type StepId = usize;

/// The steps that replace one container form a group. Containers that pass resources to each other
/// share one group.
pub type GroupId = usize;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub service: Option<String>,
    pub action: Action,
    /// The cause; `None` if the step only completes an earlier one.
    pub cause: Option<Cause>,
    /// Steps that have to end first.
    pub after: Vec<StepId>,
    /// The steps in `after` that may fail (`required: false`).
    pub tolerates: Vec<StepId>,
    pub group: Option<GroupId>,
    /// The step runs only if this holds once the steps before it are done.
    pub when: Option<StepCondition>,
}

/// A condition that is known only after a pull or build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepCondition {
    /// The image whose id is unknown until `known_after`.
    pub image: String,
    pub known_after: StepId,
    /// The id of the container's current image.
    pub current: String,
    /// Whether the two ids have to be equal (true) or different (false).
    pub same: bool,
}

/// A container by name, and by id if it already exists.
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

/// Which of a container's anonymous volumes are removed with it. The volume of its secrets always
/// is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anonymous {
    Kept,
    /// Those created for it. Volumes that it took over from another container stay.
    Own,
    All,
}

/// All effects of a plan. The description contains the settings of a container, by service name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    PullImage {
        image: String,
    },
    /// Builds the image of a service. Services that share the image wait for the same step.
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
    /// Recreates a network that was removed, and reconnects the containers. Only in rollbacks.
    RestoreNetwork {
        /// Its key in the former description.
        key: String,
        network: Network,
        /// The hash on its label.
        hash: Option<String>,
        /// Networks that have its addresses now, and that have to be removed.
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
    /// Creates a container of the service. `alias`: it has the service's name as alias from its
    /// start. `replaces`: the container whose anonymous volumes it takes over.
    CreateContainer {
        name: String,
        number: u32,
        alias: bool,
        replaces: Option<ContainerRef>,
    },
    /// Writes configs into a container that was never started.
    DeliverConfigs {
        container: ContainerRef,
    },
    /// Writes secrets into a container that was never started.
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
    /// Asks a ready container what `x-spc-verify` of its service says.
    Verify {
        container: ContainerRef,
    },
    /// Watches a ready container for this time: it has to stay up and healthy.
    Monitor {
        container: ContainerRef,
        time: Duration,
    },
    /// The pause before a batch of replacements, numbered from 1.
    Delay {
        batch: usize,
        time: Duration,
    },
    /// Reconnects a container to its networks, with the service's alias.
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
    /// The kind of the action.
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
            Self::Verify { .. } => ActionKind::Verify,
            Self::Monitor { .. } => ActionKind::Monitor,
            Self::Delay { .. } => ActionKind::Delay,
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

    /// The object of the action.
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
            Self::Monitor { container, time } => {
                Object::container(&container.name).with(format!("for {}", format_duration(*time)))
            }
            Self::Delay { batch, time } => Object::new(ObjectKind::Batch, batch.to_string())
                .with(format!("by {}", format_duration(*time))),
            Self::DeliverConfigs { container }
            | Self::DeliverSecrets { container }
            | Self::StartContainer { container }
            | Self::Wait { container, .. }
            | Self::Verify { container }
            | Self::Attach { container }
            | Self::StopContainer { container }
            | Self::RestartContainer { container }
            | Self::RemoveContainer { container, .. } => Object::container(&container.name),
        }
    }

    /// Whether this action changes the engine's state. A wait doesn't.
    pub fn changes(&self) -> bool {
        !matches!(
            self,
            Self::Wait { .. } | Self::Verify { .. } | Self::Monitor { .. } | Self::Delay { .. }
        )
    }
}

impl Step {
    /// A step without dependencies and group.
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

    /// Its label in events; `id` is its index in the plan.
    pub fn label(&self, id: StepId) -> StepLabel {
        StepLabel {
            step: Some(id + 1),
            service: self.service.clone(),
            action: self.action.kind(),
            object: self.action.object(),
            undo: false,
        }
    }
}

impl Plan {
    /// Whether executing the plan changes anything.
    pub fn changes(&self) -> bool {
        self.steps.iter().any(|step| step.action.changes())
    }

    /// The update that the group belongs to.
    pub fn update_of(&self, group: GroupId) -> Option<&ServiceUpdate> {
        self.updates.iter().find(|update| update.groups.contains(&group))
    }

    /// All steps that end before `step` starts.
    pub fn before(&self, step: StepId) -> BTreeSet<StepId> {
        let mut before = BTreeSet::new();
        let mut open = vec![step];
        while let Some(step) = open.pop() {
            open.extend(self.steps[step].after.iter().filter(|&&earlier| before.insert(earlier)));
        }
        before
    }

    /// Whether the plan can succeed although this step failed: everything that depends on its
    /// service does so with `required: false`.
    pub fn tolerates(&self, failed: StepId) -> bool {
        let service = &self.steps[failed].service;
        let mut lost = BTreeSet::from([failed]);
        let mut tolerated = false;
        // A step waits only for earlier steps, so one pass finds all steps that can't run any more.
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

    /// Whether a condition on the step's service waits for this step.
    fn is_condition(&self, step: StepId) -> bool {
        matches!(
            self.steps[step].action,
            Action::StartContainer { .. } | Action::Wait { .. } | Action::Verify { .. }
        )
    }

    /// Adds a step and returns its id. Duplicate dependencies are removed, and the others are
    /// sorted.
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
    /// One line per step: number, verb and object, cause, and dependencies.
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
