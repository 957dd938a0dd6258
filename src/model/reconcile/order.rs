//! Sorts the steps of a plan so that each waits only for earlier ones, with additional
//! dependencies.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::super::plan::{Action, Plan, StepId};

type Predecessors = Vec<BTreeSet<StepId>>;

/// Adds the edges (before, after) to the plan and sorts it. If steps would wait for each other,
/// dependencies that are only desirable are dropped: a replaced container need not run until the
/// conditions of the new one hold, or until the new one is created. `desirable`: edges that are
/// dropped last. Fails with the steps that still wait for each other.
pub(super) fn sort(
    plan: &mut Plan,
    edges: &[(StepId, StepId)],
    desirable: &[(StepId, StepId)],
) -> Result<(), BTreeSet<StepId>> {
    let mut after: Predecessors =
        plan.steps.iter().map(|step| step.after.iter().copied().collect()).collect();
    for &(before, step) in edges.iter().chain(desirable) {
        after[step].insert(before);
    }
    let is_condition = |plan: &Plan, step: StepId| {
        matches!(
            plan.steps[step].action,
            Action::StartContainer { .. } | Action::Wait { .. } | Action::Verify { .. }
        )
    };
    let sorted = topological(&after)
        .or_else(|circle| {
            relax(plan, &mut after, &circle, &|before| is_condition(plan, before));
            topological(&after)
        })
        .or_else(|circle| {
            relax(plan, &mut after, &circle, &|_| true);
            topological(&after)
        })
        .or_else(|circle| {
            for (before, step) in desirable
                .iter()
                .filter(|(before, step)| circle.contains(before) && circle.contains(step))
            {
                if !edges.contains(&(*before, *step)) && !plan.steps[*step].after.contains(before) {
                    after[*step].remove(before);
                }
            }
            topological(&after)
        })?;
    renumber(plan, &after, &sorted);
    Ok(())
}

/// Removes dependencies of stops inside a cycle on those steps of the cycle that `given_up` names.
/// Only for containers that are stopped before their successor starts. The others have to run until
/// their successor is ready.
fn relax(
    plan: &Plan,
    after: &mut Predecessors,
    circle: &BTreeSet<StepId>,
    given_up: &dyn Fn(StepId) -> bool,
) {
    for &stop in circle {
        let Action::StopContainer { .. } = plan.steps[stop].action else { continue };
        let is_start =
            |step: &StepId| matches!(plan.steps[*step].action, Action::StartContainer { .. });
        let group = plan.steps[stop].group;
        // An orphan has no successor.
        let comes_first = plan.steps[stop].service.is_none()
            || (0..plan.steps.len())
                .filter(|step| is_start(step) && plan.steps[*step].group == group)
                .any(|step| {
                    plan.steps[step].service == plan.steps[stop].service
                        && plan.steps[step].after.contains(&stop)
                });
        if comes_first {
            after[stop].retain(|before| !(circle.contains(before) && given_up(*before)));
        }
    }
}

/// The steps in an order in which each comes after its dependencies, otherwise in the original
/// order. On a cycle, the steps that wait for each other.
fn topological(after: &Predecessors) -> Result<Vec<StepId>, BTreeSet<StepId>> {
    let mut dependents: Vec<Vec<StepId>> = vec![Vec::new(); after.len()];
    for (step, before) in after.iter().enumerate() {
        for &before in before {
            dependents[before].push(step);
        }
    }
    let mut open: Vec<usize> = after.iter().map(BTreeSet::len).collect();
    let mut ready: BinaryHeap<Reverse<StepId>> =
        (0..after.len()).filter(|&step| open[step] == 0).map(Reverse).collect();
    let mut sorted = Vec::with_capacity(after.len());
    while let Some(Reverse(step)) = ready.pop() {
        sorted.push(step);
        for &dependent in &dependents[step] {
            open[dependent] -= 1;
            if open[dependent] == 0 {
                ready.push(Reverse(dependent));
            }
        }
    }
    if sorted.len() == after.len() {
        return Ok(sorted);
    }
    let mut circle: BTreeSet<StepId> = (0..after.len()).filter(|&step| open[step] > 0).collect();
    // A step that only waits for the cycle is not part of it.
    while let Some(&end) = circle
        .iter()
        .find(|&&step| !dependents[step].iter().any(|dependent| circle.contains(dependent)))
    {
        circle.remove(&end);
    }
    Err(circle)
}

fn renumber(plan: &mut Plan, after: &Predecessors, sorted: &[StepId]) {
    let mut place = vec![0; sorted.len()];
    for (new, &old) in sorted.iter().enumerate() {
        place[old] = new;
    }
    let mut steps = Vec::with_capacity(sorted.len());
    for &old in sorted {
        let mut step = plan.steps[old].clone();
        step.tolerates.retain(|before| after[old].contains(before));
        step.tolerates.iter_mut().for_each(|before| *before = place[*before]);
        step.after = after[old].iter().map(|&before| place[before]).collect();
        step.after.sort_unstable();
        if let Some(when) = &mut step.when {
            when.known_after = place[when.known_after];
        }
        steps.push(step);
    }
    plan.steps = steps;
    for back in plan.rollbacks.values_mut() {
        back.until.iter_mut().for_each(|step| *step = place[*step]);
        back.undo
            .iter_mut()
            .filter_map(|undo| undo.of.as_mut())
            .for_each(|step| *step = place[*step]);
    }
}
