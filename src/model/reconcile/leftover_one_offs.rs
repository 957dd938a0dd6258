//! One-off containers of killed runs. They are removed before anything is started, because a start
//! may need their resources.

use std::collections::BTreeSet;

use super::super::cause::Cause;
use super::super::observed_state::{ObservedState, OneOffContainer, OwnerState};
use super::super::plan::{Action, Anonymous, ContainerRef, Plan, Step, StepId};

/// A plan that first removes one-off containers of runs that are certainly gone. If this is
/// unknown, a note names the container.
pub fn left_behind(project: &str, observed: &ObservedState) -> Plan {
    let mut plan = Plan { project: project.to_owned(), ..Plan::default() };
    for one_off in &observed.one_offs {
        match one_off.run {
            OwnerState::Gone => drop(remove(&mut plan, one_off, Cause::Interrupted)),
            OwnerState::Unknown => {
                let name = &one_off.name;
                let why = "spc can't tell from here whether its run still exists";
                plan.notes.push(format!(
                    "the one-off container {name} is kept: {why}; `down` removes it"
                ));
            }
            OwnerState::Running => {}
        }
    }
    plan
}

/// Removes a one-off container. A container that writes to a volume is stopped first; no other step
/// waits for the others. Returns the removal.
pub(super) fn remove(plan: &mut Plan, one_off: &OneOffContainer, cause: Cause) -> StepId {
    let container = ContainerRef { name: one_off.name.clone(), id: Some(one_off.id.clone()) };
    let step = |action, after| Step { cause: Some(cause.clone()), after, ..Step::alone(action) };
    let mut before = Vec::new();
    if one_off.is_up && !one_off.writes.is_empty() {
        before.push(
            plan.add(step(Action::StopContainer { container: container.clone() }, Vec::new())),
        );
    }
    plan.add(step(Action::RemoveContainer { container, volumes: Anonymous::All }, before))
}

/// Puts the removals of one-off containers, at the beginning of the plan, before every start.
pub(super) fn before_starts(plan: &mut Plan, observed: &ObservedState) {
    let one_offs: BTreeSet<&String> = observed.one_offs.iter().map(|one_off| &one_off.id).collect();
    let is_removal = |step: &Step| match &step.action {
        Action::RemoveContainer { container, .. } => {
            container.id.as_ref().is_some_and(|id| one_offs.contains(id))
        }
        _ => false,
    };
    let removals: Vec<StepId> =
        (0..plan.steps.len()).filter(|&step| is_removal(&plan.steps[step])).collect();
    let starts = plan.steps.iter_mut().filter(|step| {
        matches!(step.action, Action::StartContainer { .. } | Action::RestartContainer { .. })
    });
    for step in starts {
        step.after.extend(&removals);
        step.after.sort_unstable();
    }
}
