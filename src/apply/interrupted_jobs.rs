//! Unfinished jobs of an interrupted run.
//!
//! A job that replaces another container is rolled back with the replacement. A job without an old
//! container is stopped too, because no run waits for it any more and it could run at the same time
//! as the next run. The next run starts it again.

use crate::model::plan::{Action, Anonymous, Plan, RollbackAction, WaitCondition};

/// The steps that stop jobs which were started, are not done, and belong to no rollback. `is_done`
/// says whether a step is done.
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
