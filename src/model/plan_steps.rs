//! The steps of a plan in the form for people and programs: in `spc plan`, and in the event
//! `planned` of a run. Both number steps from 1.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};

use super::cause::Cause;
use super::plan::{Action, ContainerRef, Plan, StepId};
use super::step::{ActionKind, StepLabel};

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanStep {
    #[serde(flatten)]
    pub label: StepLabel,
    /// Its own cause, or that of the step that it completes.
    pub cause: Cause,
    /// Steps that end before it starts.
    pub after: Vec<usize>,
    /// The steps in `after` that may fail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerates: Vec<usize>,
    /// From 1. The steps of a group are rolled back together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<usize>,
    /// Whether the step changes anything. A wait doesn't.
    pub changes: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_if: Option<ImageCondition>,
    /// The image of a new container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<StepImage>,
    /// How many of the plan's assumptions it depends on, counted from the first.
    #[serde(skip_serializing_if = "is_zero")]
    pub assumptions: usize,
    /// What the summary counts this step as; `None` if it belongs to another step.
    #[serde(skip)]
    pub counts: Option<SummaryKey>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A condition that is known only after a pull or build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageCondition {
    pub image: String,
    /// The step after which it is known.
    pub known_after: usize,
    /// The step is done if the image changed (true), or if it did not.
    pub changed: bool,
}

/// The image of a new container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepImage {
    pub name: String,
    pub id: PlannedValue<String>,
}

/// A value that may be known only after a pull or build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedValue<T> {
    Now(T),
    /// Unknown until this step is done.
    Until(usize),
}

impl<T: Serialize> Serialize for PlannedValue<T> {
    /// The value, or `{"known_after": 3}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Now(value) => value.serialize(serializer),
            Self::Until(step) => BTreeMap::from([("known_after", step)]).serialize(serializer),
        }
    }
}

/// The keys by which a summary counts steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SummaryKey {
    Action(ActionKind),
    /// A new container instead of an old one.
    Replace,
}

impl SummaryKey {
    /// The word for people: `2 to replace`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Action(action) => action.word(),
            Self::Replace => "replace",
        }
    }
}

impl Serialize for SummaryKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Action(action) => action.serialize(serializer),
            Self::Replace => serializer.serialize_str("replace"),
        }
    }
}

/// The steps, in this order, that undo a group that was started and can't be finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RollbackSteps {
    /// From 1.
    pub group: usize,
    pub undo: Vec<UndoStep>,
    /// Once these steps are done, the group is not rolled back any more.
    pub until: Vec<usize>,
}

/// One step of a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UndoStep {
    #[serde(flatten)]
    pub label: StepLabel,
    /// Only if this step was started; `None` means always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_begun: Option<usize>,
}

impl PlanStep {
    /// A step that waits for nothing and is not counted.
    pub fn alone(label: StepLabel, cause: Cause, changes: bool) -> Self {
        Self {
            label,
            cause,
            after: Vec::new(),
            tolerates: Vec::new(),
            group: None,
            changes,
            only_if: None,
            image: None,
            assumptions: 0,
            counts: None,
        }
    }

    /// Its number in the plan, from 1.
    pub fn number(&self) -> usize {
        self.label.step.unwrap_or_default()
    }

    /// The same step in a plan that has `others` steps before it.
    #[must_use]
    pub fn shifted(mut self, others: usize) -> Self {
        let numbers = self.after.iter_mut().chain(&mut self.tolerates);
        let only_if = self.only_if.iter_mut().map(|only_if| &mut only_if.known_after);
        for number in numbers.chain(&mut self.label.step).chain(only_if) {
            *number += others;
        }
        self
    }
}

/// The steps of a plan that `verb` made.
pub fn steps(plan: &Plan, verb: &str) -> Vec<PlanStep> {
    let number = |id: &StepId| id + 1;
    let removed = removed(plan);
    let mut steps: Vec<PlanStep> = Vec::with_capacity(plan.steps.len());
    for (id, step) in plan.steps.iter().enumerate() {
        let cause = step.cause.clone().unwrap_or_else(|| inherited(plan, id, &steps, verb));
        steps.push(PlanStep {
            after: step.after.iter().map(number).collect(),
            tolerates: step.tolerates.iter().map(number).collect(),
            group: step.group.map(|group| group + 1),
            only_if: step.when.as_ref().map(|when| ImageCondition {
                image: when.image.clone(),
                known_after: number(&when.known_after),
                changed: !when.same,
            }),
            counts: counts(plan, id, &removed),
            ..PlanStep::alone(step.label(id), cause, step.action.changes())
        });
    }
    steps
}

/// The rollbacks of a plan.
pub fn rollbacks(plan: &Plan) -> Vec<RollbackSteps> {
    let number = |id: &StepId| id + 1;
    let of_group = plan.rollbacks.iter().map(|(group, back)| RollbackSteps {
        group: group + 1,
        undo: back
            .undo
            .iter()
            .map(|undo| UndoStep {
                label: StepLabel { undo: false, ..undo.label() },
                if_begun: undo.of.as_ref().map(number),
            })
            .collect(),
        until: back.until.iter().map(number).collect(),
    });
    of_group.collect()
}

/// The cause of a step that has none of its own: that of the step that it completes, or the
/// request.
fn inherited(plan: &Plan, id: StepId, done: &[PlanStep], verb: &str) -> Cause {
    let step = &plan.steps[id];
    let of_same = |before: &&StepId| {
        let other = &plan.steps[**before];
        other.service == step.service && (step.group.is_none() || other.group == step.group)
    };
    let before = step.after.iter().rev().find(of_same);
    before.map_or_else(|| Cause::Verb(verb.to_owned()), |before| done[*before].cause.clone())
}

/// What a step is counted as, unless it is a part of another one.
fn counts(plan: &Plan, id: StepId, removed: &BTreeSet<&str>) -> Option<SummaryKey> {
    let step = &plan.steps[id];
    let is_part = step.group.is_some();
    let counts = match &step.action {
        Action::CreateContainer { replaces: Some(_), .. } => return Some(SummaryKey::Replace),
        Action::CreateContainer { .. }
        | Action::CreateNetwork { .. }
        | Action::CreateVolume { .. }
        | Action::PullImage { .. }
        | Action::BuildImage { .. }
        | Action::RemoveNetwork { .. }
        | Action::RemoveVolume { .. }
        | Action::RestartContainer { .. } => true,
        Action::StartContainer { container } => {
            (!is_part || container.id.is_some()) && !is_new(plan, id, container)
        }
        Action::StopContainer { container } => {
            !is_part && !removed.contains(container.name.as_str())
        }
        Action::RemoveContainer { .. } => !is_part || step.service.is_none(),
        Action::RenameContainer { .. } => !is_part,
        Action::RestoreNetwork { .. }
        | Action::DeliverConfigs { .. }
        | Action::DeliverSecrets { .. }
        | Action::Wait { .. }
        | Action::Verify { .. }
        | Action::Monitor { .. }
        | Action::Delay { .. }
        | Action::Attach { .. } => false,
    };
    counts.then(|| SummaryKey::Action(step.action.kind()))
}

/// Whether the same plan creates the container: its start waits, directly or not, for its creation.
fn is_new(plan: &Plan, id: StepId, container: &ContainerRef) -> bool {
    plan.steps[id].after.iter().any(|before| match &plan.steps[*before].action {
        Action::CreateContainer { name, .. } => *name == container.name,
        Action::DeliverConfigs { container: to } | Action::DeliverSecrets { container: to } => {
            to.name == container.name
        }
        _ => false,
    })
}

/// The names of the containers that a plan removes.
fn removed(plan: &Plan) -> BTreeSet<&str> {
    let removed = plan.steps.iter().filter_map(|step| match &step.action {
        Action::RemoveContainer { container, .. } => Some(container.name.as_str()),
        _ => None,
    });
    removed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{Anonymous, Rollback, RollbackAction, Step, StepCondition};
    use serde_json::json;
    use similar_asserts::assert_eq;

    /// A replacement that is needed only if the image changed.
    fn plan() -> Plan {
        let old = ContainerRef { name: "web-1".to_owned(), id: Some("1".to_owned()) };
        let of_web = |action| Step { service: Some("web".to_owned()), ..Step::alone(action) };
        let mut plan = Plan { project: "shop".to_owned(), ..Plan::default() };
        let pull = plan.add(Step {
            cause: Some(Cause::NotThere),
            ..of_web(Action::PullImage { image: "web:2".to_owned() })
        });
        let when = StepCondition {
            image: "web:2".to_owned(),
            known_after: pull,
            current: "sha256:1".to_owned(),
            same: false,
        };
        let create = plan.add(Step {
            cause: Some(Cause::ImageChanged(None)),
            after: vec![pull],
            tolerates: vec![pull],
            group: Some(0),
            when: Some(when),
            ..of_web(Action::CreateContainer {
                name: "web-1.new".to_owned(),
                number: 1,
                alias: true,
                replaces: Some(old.clone()),
            })
        });
        let remove = Action::RemoveContainer { container: old, volumes: Anonymous::Kept };
        let removed =
            plan.add(Step { after: vec![create], group: Some(0), ..of_web(remove.clone()) });
        let undo =
            RollbackAction { service: Some("web".to_owned()), action: remove, of: Some(create) };
        plan.rollbacks.insert(0, Rollback { undo: vec![undo], until: vec![removed] });
        plan
    }

    #[test]
    fn steps_groups_and_rollbacks_are_numbered_from_one() {
        let steps = serde_json::to_value(steps(&plan(), "up")).unwrap();
        let object = |kind: &str, name: &str| json!({ "kind": kind, "name": name });
        assert_eq!(
            steps,
            json!([
                {
                    "step": 1, "service": "web", "action": "pull", "object": object("image", "web:2"),
                    "cause": "missing", "after": [], "changes": true
                },
                {
                    "step": 2, "service": "web", "action": "create",
                    "object": object("container", "web-1.new"), "cause": "image changed",
                    "after": [1], "tolerates": [1], "group": 1, "changes": true,
                    "only_if": { "image": "web:2", "known_after": 1, "changed": true }
                },
                {
                    "step": 3, "service": "web", "action": "remove",
                    "object": object("container", "web-1"), "cause": "image changed",
                    "after": [2], "group": 1, "changes": true
                }
            ])
        );
        assert_eq!(
            serde_json::to_value(rollbacks(&plan())).unwrap(),
            json!([{
                "group": 1,
                "undo": [{
                    "service": "web", "action": "remove", "object": object("container", "web-1"),
                    "if_begun": 2
                }],
                "until": [3]
            }])
        );
    }

    #[test]
    fn all_numbers_of_a_step_move_behind_the_steps_of_an_earlier_plan() {
        let step = steps(&plan(), "up").remove(1).shifted(10);
        assert_eq!(
            (step.number(), step.after, step.tolerates, step.only_if.unwrap().known_after),
            (12, vec![11], vec![11], 11)
        );
    }

    #[test]
    fn a_replacement_counts_once() {
        let counts: Vec<_> = steps(&plan(), "up").iter().map(|step| step.counts).collect();
        assert_eq!(
            counts,
            [Some(SummaryKey::Action(ActionKind::Pull)), Some(SummaryKey::Replace), None]
        );
    }
}
