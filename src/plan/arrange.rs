//! Arranges what was recorded: the steps of one function of `parallel` stand together, in the order
//! in which the runbook writes the functions. The record itself is in the order of simulated time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::api::task::Branch;
use crate::model::cause::Cause;
use crate::model::plan_steps::{ImageCondition, PlanStep, PlannedValue, StepImage};
use crate::model::preview::{Assumption, Call, PreviewItem, RunbookLine};

/// One part of the record, and the function of `parallel` that did it.
pub struct Entry {
    pub branch: Branch,
    pub item: RecordedItem,
}

/// What was recorded. Steps are numbered in the order of the record, from 1.
pub enum RecordedItem {
    /// The plan of a verb.
    Verb(Call),
    /// One step of a primitive.
    Step(Option<RunbookLine>, Box<PlanStep>),
    Assumption(Assumption),
}

/// A step, and the function of `parallel` that does it.
type BranchStep<'a> = (&'a Branch, PlanStep);

/// The number of each step in the arranged plan, by its number in the record.
pub struct Numbers(Vec<usize>);

impl Numbers {
    /// The number of a step that the record numbers `recorded`.
    pub fn of(&self, recorded: usize) -> usize {
        self.0.get(recorded).copied().unwrap_or(recorded)
    }

    fn renumber(&self, step: &mut PlanStep) {
        let only_if = step.only_if.iter_mut().map(|only_if| &mut only_if.known_after);
        let image = step.image.iter_mut().filter_map(|image| match &mut image.id {
            PlannedValue::Until(number) => Some(number),
            PlannedValue::Now(_) => None,
        });
        let numbers = step.after.iter_mut().chain(&mut step.tolerates);
        for number in numbers.chain(&mut step.label.step).chain(only_if).chain(image) {
            *number = self.of(*number);
        }
        step.after.sort_unstable();
        step.tolerates.sort_unstable();
    }
}

/// The items of a plan, and the numbers of their steps. `images`: the image of each new container,
/// by the recorded number of the step that creates it.
pub fn arrange(
    entries: &[Entry],
    images: &BTreeMap<usize, StepImage>,
) -> (Vec<PreviewItem>, Numbers) {
    let mut items = merged(&in_written_order(entries));
    let calls = items.iter().filter_map(PreviewItem::as_call);
    let recorded: Vec<usize> = calls.flat_map(|call| &call.steps).map(PlanStep::number).collect();
    let mut numbers = Numbers((0..=recorded.len()).collect());
    for (index, recorded) in recorded.into_iter().enumerate() {
        numbers.0[recorded] = index + 1;
    }
    let mut assumptions = 0;
    for item in &mut items {
        match item {
            PreviewItem::Call(call) => {
                for step in &mut call.steps {
                    step.image = images.get(&step.number()).cloned();
                    step.assumptions = assumptions;
                    numbers.renumber(step);
                }
                mark_doubtful(call);
            }
            PreviewItem::Assumption(assumption) => {
                assumptions += 1;
                assumption.number = assumptions;
                assumption.step = assumption.step.map(|step| numbers.of(step));
            }
        }
    }
    (items, numbers)
}

/// The entries function by function. A call of `parallel` stands where its first entry is.
///
/// Verbs of one project run one after another, and the plan of a later one contains only what the
/// earlier one leaves. So functions with verbs of one project stand in the order of these verbs.
fn in_written_order(entries: &[Entry]) -> Vec<&Entry> {
    let mut first: HashMap<u64, usize> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        for (call, _) in entry.branch.path() {
            first.entry(*call).or_insert(index);
        }
    }
    let places = places(entries);
    let key = |(index, entry): &(usize, &Entry)| -> Vec<(usize, usize)> {
        let calls = entry.branch.path().iter().map(|at| (first[&at.0], places[at]));
        calls.chain([(*index, 0)]).collect()
    };
    let mut ordered: Vec<(usize, &Entry)> = entries.iter().enumerate().collect();
    ordered.sort_by_cached_key(key);
    ordered.into_iter().map(|(_, entry)| entry).collect()
}

/// The place of each function among those of its call of `parallel`.
fn places(entries: &[Entry]) -> HashMap<(u64, usize), usize> {
    let mut places = HashMap::new();
    // The functions with verbs of a project, in the order of their first verbs.
    let mut of_project: BTreeMap<(u64, &str), Vec<usize>> = BTreeMap::new();
    for Entry { branch, item } in entries {
        for &(call, function) in branch.path() {
            places.insert((call, function), function);
            if let RecordedItem::Verb(Call { project: Some(project), .. }) = item {
                let functions = of_project.entry((call, project)).or_default();
                if !functions.contains(&function) {
                    functions.push(function);
                }
            }
        }
    }
    for ((call, _), functions) in of_project {
        let mut taken: Vec<usize> =
            functions.iter().map(|function| places[&(call, *function)]).collect();
        taken.sort_unstable();
        places.extend(functions.into_iter().map(|function| (call, function)).zip(taken));
    }
    places
}

/// The items of a plan: successive steps of primitives in one line form one item. An assumption
/// that several functions make is shown once.
fn merged(entries: &[&Entry]) -> Vec<PreviewItem> {
    let mut items = Vec::new();
    let mut known = BTreeSet::new();
    let mut line: Option<(&Option<RunbookLine>, Vec<BranchStep<'_>>)> = None;
    for entry in entries {
        if let (RecordedItem::Step(at, step), Some((of, steps))) = (&entry.item, &mut line)
            && at == *of
        {
            steps.push((&entry.branch, (**step).clone()));
            continue;
        }
        let is_known = matches!(&entry.item, RecordedItem::Assumption(it)
            if !known.insert((it.at.clone(), it.step, it.answer_of.clone())));
        if is_known {
            continue;
        }
        items.extend(line.take().map(|(at, steps)| primitives(at.clone(), steps)));
        match &entry.item {
            RecordedItem::Verb(call) => items.push(PreviewItem::Call(call.clone())),
            RecordedItem::Step(at, step) => {
                line = Some((at, vec![(&entry.branch, (**step).clone())]))
            }
            RecordedItem::Assumption(it) => items.push(PreviewItem::Assumption(it.clone())),
        }
    }
    items.extend(line.map(|(at, steps)| primitives(at.clone(), steps)));
    items
}

fn primitives(at: Option<RunbookLine>, mut steps: Vec<BranchStep<'_>>) -> PreviewItem {
    set_after(&mut steps, 0, Vec::new());
    let steps = steps.into_iter().map(|(_, step)| step).collect();
    PreviewItem::Call(Call { at, verb: None, project: None, steps })
}

/// Sets the steps that each step of one line comes after: the last ones that don't run beside it.
/// `steps` have the same branch up to `depth`, and come after `before`. Returns the last of them.
fn set_after(mut steps: &mut [BranchStep<'_>], depth: usize, mut before: Vec<usize>) -> Vec<usize> {
    while let Some((branch, _)) = steps.first() {
        let Some((call, _)) = branch.path().get(depth) else {
            let (_, step) = &mut steps[0];
            step.after = std::mem::replace(&mut before, vec![step.number()]);
            steps = &mut steps[1..];
            continue;
        };
        let is_other = |(branch, _): &BranchStep<'_>| {
            branch.path().get(depth).is_none_or(|(other, _)| other != call)
        };
        let end = steps.iter().position(is_other).unwrap_or(steps.len());
        let (of_call, rest) = steps.split_at_mut(end);
        let functions =
            of_call.chunk_by_mut(|(one, _), (next, _)| one.path()[depth] == next.path()[depth]);
        before = functions
            .flat_map(|of_function| set_after(of_function, depth + 1, before.clone()))
            .collect();
        steps = rest;
    }
    before
}

/// Marks the replacements that depend on the image of a new container, which only the execution
/// showed.
fn mark_doubtful(call: &mut Call) {
    let mut doubtful: BTreeMap<usize, ImageCondition> = BTreeMap::new();
    for step in &mut call.steps {
        let changed = matches!(step.cause, Cause::ImageChanged(_)) && step.only_if.is_none();
        if let (true, Some(StepImage { name, id: PlannedValue::Until(known_after) })) =
            (changed, &step.image)
        {
            step.only_if = Some(ImageCondition {
                image: name.clone(),
                known_after: *known_after,
                changed: true,
            });
            // A function of `parallel` that is written later may pull the image.
            if *known_after < step.number() {
                step.after.push(*known_after);
            }
            step.after.sort_unstable();
            step.after.dedup();
        }
        // Steps that complete it have its cause, and come after it.
        if changed && step.only_if.is_none() {
            step.only_if = step.after.iter().find_map(|before| doubtful.get(before).cloned());
        }
        if let Some(only_if) = step.only_if.as_ref().filter(|_| changed) {
            doubtful.insert(step.number(), only_if.clone());
        }
    }
}
