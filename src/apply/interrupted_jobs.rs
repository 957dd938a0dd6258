//! Jobs that an interrupted run leaves before they are done.
//!
//! A job that replaces another is undone with its replacement. One without a container before it
//! ends the same way: nobody waits for it any more, and what it does would go on beside whatever is
//! done next. The next run runs it again.

use crate::model::plan::{Action, Anonymous, Plan, RollbackAction, WaitCondition};

/// What ends the jobs that were started and not waited for to their end, and have no way back of
/// their own. `is_done`: whether a step is.
pub fn ends(plan: &Plan, is_done: &dyn Fn(usize) -> bool) -> Vec<RollbackAction> {
    let steps = || plan.steps.iter().enumerate();
    let undone = |step: &crate::model::plan::Step| {
        step.group.is_none_or(|group| !plan.rollbacks.contains_key(&group))
    };
    let mut ends = Vec::new();
    for (id, step) in steps().filter(|(_, step)| undone(step)) {
        let Action::Wait { container, until: WaitCondition::Completed } = &step.action else {
            continue;
        };
        let starts = |action: &Action| match action {
            Action::StartContainer { container: other }
            | Action::RestartContainer { container: other } => other == container,
            _ => false,
        };
        let was_started = steps().any(|(before, other)| is_done(before) && starts(&other.action));
        if is_done(id) || !was_started {
            continue;
        }
        let undo = |action| RollbackAction { service: step.service.clone(), action, of: None };
        ends.push(undo(Action::StopContainer { container: container.clone() }));
        let creates = |action: &Action| matches!(action, Action::CreateContainer { name, .. } if *name == container.name);
        if steps().any(|(before, other)| is_done(before) && creates(&other.action)) {
            ends.push(undo(Action::RemoveContainer {
                container: container.clone(),
                volumes: Anonymous::Own,
            }));
        }
    }
    ends
}
