//! Containers that pass resources to each other are rolled back together. If only one of them went
//! back, its resource would still be taken.

use std::collections::{BTreeMap, BTreeSet};

use super::super::observed_state::Network;
use super::super::plan::{
    Action, Anonymous, ContainerRef, GroupId, Plan, Rollback, RollbackAction, StepId, WaitCondition,
};
use super::super::spec::FailureAction;

/// The groups of a plan while they are joined.
pub(super) struct MergedGroups {
    /// The group of each step. A container without a group gets one when it is joined.
    of: Vec<Option<GroupId>>,
    next: GroupId,
    /// Group → the group that it was joined to.
    parent: BTreeMap<GroupId, GroupId>,
    /// The groups that were joined.
    touched: BTreeSet<GroupId>,
    restores: Vec<(StepId, RollbackAction)>,
}

/// The container of an action.
#[derive(Clone, Copy)]
struct Subject<'a> {
    name: &'a str,
    id: Option<&'a str>,
}

impl Subject<'_> {
    /// An existing container is known by its id, because its name may change; a new one by its
    /// name.
    fn is(self, other: Self) -> bool {
        if self.id.is_some() || other.id.is_some() {
            self.id == other.id
        } else {
            self.name == other.name
        }
    }
}

fn subject(action: &Action) -> Option<Subject<'_>> {
    match action {
        Action::CreateContainer { name, .. } => Some(Subject { name, id: None }),
        Action::DeliverConfigs { container }
        | Action::DeliverSecrets { container }
        | Action::StartContainer { container }
        | Action::Wait { container, .. }
        | Action::Verify { container }
        | Action::Monitor { container, .. }
        | Action::Attach { container }
        | Action::StopContainer { container }
        | Action::RestartContainer { container }
        | Action::RemoveContainer { container, .. }
        | Action::RenameContainer { container, .. } => {
            Some(Subject { name: &container.name, id: container.id.as_deref() })
        }
        _ => None,
    }
}

/// Whether both actions are about the same container.
fn same_subject(one: &Action, other: &Action) -> bool {
    subject(one).zip(subject(other)).is_some_and(|(one, other)| one.is(other))
}

impl MergedGroups {
    pub(super) fn new(plan: &Plan, next: GroupId) -> Self {
        let of = plan.steps.iter().map(|step| step.group).collect();
        Self { of, next, parent: BTreeMap::new(), touched: BTreeSet::new(), restores: Vec::new() }
    }

    /// Call this for each step that is added to the plan.
    pub(super) fn added(&mut self, step: StepId) {
        self.of.resize(step + 1, None);
    }

    fn root(&self, mut group: GroupId) -> GroupId {
        while let Some(&parent) = self.parent.get(&group) {
            group = parent;
        }
        group
    }

    fn group(&mut self, plan: &Plan, step: StepId) -> GroupId {
        if let Some(group) = self.of[step] {
            return self.root(group);
        }
        let group = self.next;
        self.next += 1;
        for (other, there) in plan.steps.iter().enumerate() {
            let is_same = other == step || same_subject(&there.action, &plan.steps[step].action);
            if is_same && self.of[other].is_none() {
                self.of[other] = Some(group);
            }
        }
        group
    }

    /// Joins the groups of the two steps, so that their containers are rolled back together.
    pub(super) fn join(&mut self, plan: &Plan, one: StepId, other: StepId) {
        let (one, other) = (self.group(plan, one), self.group(plan, other));
        if one != other {
            self.touched.extend([one, other]);
            self.parent.insert(one.max(other), one.min(other));
        }
    }

    /// In a rollback, the network `old` is recreated in place of `fresh`.
    pub(super) fn restores(
        &mut self,
        removed: StepId,
        old: &Network,
        fresh: &str,
        containers: Vec<ContainerRef>,
    ) {
        let is_same = |undo: &RollbackAction| matches!(&undo.action, Action::RestoreNetwork { network, .. } if network.name == old.name);
        if let Some((_, undo)) = self.restores.iter_mut().find(|(_, undo)| is_same(undo)) {
            if let Action::RestoreNetwork { instead, .. } = &mut undo.action {
                instead.push(fresh.to_owned());
            }
            return;
        }
        let network = old.settings.clone();
        let action = Action::RestoreNetwork {
            key: old.key.clone(),
            network,
            hash: old.hash.clone(),
            instead: vec![fresh.to_owned()],
            containers,
        };
        self.restores.push((removed, RollbackAction { service: None, action, of: Some(removed) }));
    }

    /// Writes the groups and their rollbacks into the plan. Returns the additional order of steps:
    /// the group can be rolled back until all its containers are ready.
    pub(super) fn finish(mut self, plan: &mut Plan) -> Vec<(StepId, StepId)> {
        let mut closing = Vec::new();
        let roots: BTreeSet<GroupId> =
            std::mem::take(&mut self.touched).into_iter().map(|group| self.root(group)).collect();
        for update in &mut plan.updates {
            let groups: BTreeSet<GroupId> =
                update.groups.iter().map(|&group| self.root(group)).collect();
            // A resource that one of its containers passes on can't be in two places. So if one
            // container fails, all of them go back.
            if groups.iter().any(|group| roots.contains(group)) {
                (update.tolerated, update.on_failure) = (0, FailureAction::Rollback);
            }
            update.groups = groups;
        }
        for root in roots {
            let steps: Vec<StepId> = (0..plan.steps.len())
                .filter(|&step| self.of[step].is_some_and(|group| self.root(group) == root))
                .collect();
            let members: BTreeSet<GroupId> =
                steps.iter().filter_map(|&step| self.of[step]).collect();
            let mut joint = Rollback { undo: Vec::new(), until: Vec::new() };
            for member in members {
                if let Some(back) = plan.rollbacks.remove(&member) {
                    joint.undo.extend(back.undo);
                    joint.until.extend(back.until);
                }
            }
            for &step in &steps {
                plan.steps[step].group = Some(root);
            }
            Self::add_missing(plan, &steps, &mut joint);
            joint.undo.extend(
                self.restores
                    .iter()
                    .filter(|(step, _)| steps.contains(step))
                    .map(|(_, undo)| undo.clone()),
            );
            in_phases(&mut joint.undo);
            // A removed container can't be restored, so removals come after everything is ready.
            for &step in &steps {
                if let Action::RemoveContainer {
                    container: ContainerRef { id: Some(_), .. }, ..
                } = plan.steps[step].action
                {
                    closing.extend(joint.until.iter().map(|&ready| (ready, step)));
                }
            }
            plan.rollbacks.insert(root, joint);
        }
        closing
    }

    /// The rollbacks of containers that had none: those that were only created, started or stopped.
    fn add_missing(plan: &Plan, steps: &[StepId], joint: &mut Rollback) {
        for &id in steps {
            let step = &plan.steps[id];
            let undone: Vec<Action> = match &step.action {
                Action::CreateContainer { name, .. } => {
                    vec![Action::RemoveContainer {
                        container: ContainerRef::new(name.clone()),
                        volumes: Anonymous::Own,
                    }]
                }
                Action::StartContainer { container } => {
                    vec![Action::StopContainer { container: container.clone() }]
                }
                Action::StopContainer { container } => vec![
                    Action::StartContainer { container: container.clone() },
                    Action::Wait { container: container.clone(), until: WaitCondition::Ready },
                ],
                Action::Wait { .. } => {
                    let waits =
                        |other: StepId| matches!(plan.steps[other].action, Action::Wait { .. });
                    let later = steps.iter().any(|&other| {
                        other > id
                            && waits(other)
                            && same_subject(&plan.steps[other].action, &step.action)
                    });
                    if !later && !joint.until.contains(&id) {
                        joint.until.push(id);
                    }
                    continue;
                }
                _ => continue,
            };
            for action in undone {
                let is_there = |undo: &RollbackAction| {
                    undo.action.kind() == action.kind() && same_subject(&undo.action, &step.action)
                };
                if !joint.undo.iter().any(is_there) {
                    joint.undo.push(RollbackAction {
                        service: step.service.clone(),
                        action,
                        of: Some(id),
                    });
                }
            }
        }
    }
}

/// All new containers are stopped before an old one starts, so that its resources are free. A new
/// container exists until the old one has started: if a run is killed in between, the next one sees
/// which container to restore.
fn in_phases(undo: &mut [RollbackAction]) {
    undo.sort_by_key(|undo| match undo.action {
        Action::StopContainer { .. } => 0,
        Action::RestoreNetwork { .. } => 1,
        Action::StartContainer { .. } => 2,
        Action::RemoveContainer { .. } => 3,
        _ => 4,
    });
}
