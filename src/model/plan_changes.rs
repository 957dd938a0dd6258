//! The changes of a plan for people: one for each service or object, without the steps in between.

use std::collections::{BTreeMap, BTreeSet};

use super::cause::{Cause, OtherImage};
use super::names::NEW_SUFFIX;
use super::plan_steps::{ImageCondition, PlanStep, PlannedValue, StepImage, SummaryKey};
use super::preview::{Call, Preview};
use super::short_id::short_id;
use super::spec::UpdateOrder;
use super::step::{ActionKind, Object, ObjectKind};

/// The change of one service or object by one call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanChange {
    pub sign: ChangeSign,
    /// `backend`, `network shop_default`.
    pub subject: String,
    /// `replace`; `create, remove` if a line does both with one object.
    pub actions: String,
    /// `environment RELEASE`; empty if the call is the whole reason.
    pub cause: String,
    /// `only if the image web:2 changes`, or empty.
    pub condition: String,
    /// How a replacement is done.
    pub order: Option<&'static str>,
}

/// The kind of a change to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeSign {
    Create,
    Change,
    Remove,
    /// It stays the same object: start, stop, run.
    None,
}

impl ChangeSign {
    /// The sign before the line.
    pub const fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Change => '~',
            Self::Remove => '-',
            Self::None => ' ',
        }
    }

    const fn of(kind: SummaryKey) -> Self {
        let SummaryKey::Action(action) = kind else { return Self::Change };
        match action {
            ActionKind::Build
            | ActionKind::Create
            | ActionKind::Import
            | ActionKind::Make
            | ActionKind::Pull => Self::Create,
            ActionKind::AppendTo
            | ActionKind::Attach
            | ActionKind::Connect
            | ActionKind::DeliverConfigs
            | ActionKind::DeliverSecrets
            | ActionKind::Disconnect
            | ActionKind::Rename
            | ActionKind::Restore
            | ActionKind::Tag
            | ActionKind::Update
            | ActionKind::Write
            | ActionKind::WriteInto => Self::Change,
            ActionKind::Remove => Self::Remove,
            ActionKind::Delay
            | ActionKind::Monitor
            | ActionKind::Push
            | ActionKind::Request
            | ActionKind::Restart
            | ActionKind::Run
            | ActionKind::RunReadOnly
            | ActionKind::Signal
            | ActionKind::Start
            | ActionKind::Stop
            | ActionKind::Verify
            | ActionKind::WaitUntilCompleted
            | ActionKind::WaitUntilReady => Self::None,
        }
    }
}

/// Finds the changes of the calls of one preview.
pub struct ChangeFinder {
    /// The steps that bring images.
    image_steps: BTreeMap<usize, ActionKind>,
    /// Whether the preview changes nothing: then its waits are shown.
    waits_only: bool,
}

impl ChangeFinder {
    /// For the calls of `preview`.
    pub fn new(preview: &Preview) -> Self {
        let images = preview.steps().filter(|step| step.label.object.kind == ObjectKind::Image);
        Self {
            image_steps: images.map(|step| (step.number(), step.label.action)).collect(),
            waits_only: !preview.changes(),
        }
    }

    /// The changes of a call with their numbers (of containers), in the order of their first steps.
    pub fn changes(&self, call: &Call) -> Vec<(PlanChange, usize)> {
        if self.waits_only {
            let waits = call.steps.iter().filter(|step| step.label.action.waits());
            return counted(waits.map(|step| self.change(step, &call.steps)));
        }
        let steps = || call.steps.iter().filter(|step| step.changes);
        if call.verb.is_none() {
            return self.of_primitives(steps());
        }
        // A step that belongs to another one is shown only if that one is not in the plan: the rest
        // of what an interrupted run began.
        let whole = |step: &PlanStep| (step.group, subject(step));
        let complete: BTreeSet<(Option<usize>, String)> =
            steps().filter(|step| step.counts.is_some()).map(whole).collect();
        let (mut changes, mut rest) = (Vec::new(), BTreeMap::new());
        let mut begun_replacements = BTreeSet::new();
        for step in steps() {
            let whole = whole(step);
            if step.counts.is_some() {
                changes.push(self.change(step, &call.steps));
            } else if !complete.contains(&whole) {
                let known = *rest.entry(whole).or_insert(changes.len());
                self.add(step, known, &mut changes);
                // The new container gets the name of the old one last.
                if step.label.action == ActionKind::Rename {
                    begun_replacements.insert(known);
                }
            }
        }
        for at in begun_replacements {
            changes[at].sign = ChangeSign::Change;
            "finish the replacement".clone_into(&mut changes[at].actions);
        }
        counted(
            changes.into_iter().map(|change| PlanChange {
                // Before the service, not after it: `deliver secrets to`.
                actions: format!("{},", change.actions)
                    .replace(" to,", ",")
                    .trim_end_matches(',')
                    .to_owned(),
                ..change
            }),
        )
    }

    /// Each command, request and file has a change of its own; the actions on other objects are
    /// joined.
    fn of_primitives<'a>(
        &self,
        steps: impl Iterator<Item = &'a PlanStep>,
    ) -> Vec<(PlanChange, usize)> {
        let (mut changes, mut known) = (Vec::new(), BTreeMap::new());
        for step in steps {
            let object = &step.label.object;
            let at = if is_joined(object) {
                *known.entry(object).or_insert(changes.len())
            } else {
                changes.len()
            };
            self.add(step, at, &mut changes);
        }
        changes.into_iter().map(|change| (change, 1)).collect()
    }

    /// Adds the action of `step` to the change at `at`, or a new one.
    fn add(&self, step: &PlanStep, at: usize, changes: &mut Vec<PlanChange>) {
        let change = self.change(step, &[]);
        match changes.get_mut(at) {
            Some(known) => {
                if !known.actions.split(", ").any(|action| action == change.actions) {
                    known.actions = format!("{}, {}", known.actions, change.actions);
                }
                if known.condition.is_empty() {
                    known.condition = change.condition;
                }
                if known.sign == ChangeSign::None {
                    known.sign = change.sign;
                }
            }
            None => changes.push(change),
        }
    }

    /// The change of one step among the `steps` of its call.
    fn change(&self, step: &PlanStep, steps: &[PlanStep]) -> PlanChange {
        let kind = step.counts.unwrap_or(SummaryKey::Action(step.label.action));
        let is_replaced = kind == SummaryKey::Replace;
        PlanChange {
            sign: ChangeSign::of(kind),
            subject: subject(step),
            actions: kind.word().to_owned(),
            cause: cause(step),
            condition: self.condition(step),
            order: is_replaced.then(|| order(step, steps)).flatten().map(UpdateOrder::word),
        }
    }

    fn condition(&self, step: &PlanStep) -> String {
        if let Some(ImageCondition { image, changed, known_after: _ }) = &step.only_if {
            let how = if *changed { "changes" } else { "does not change" };
            return format!("only if the image {image} {how}");
        }
        let Some(PlannedValue::Until(until)) = step.image.as_ref().map(|image| &image.id) else {
            return String::new();
        };
        let known = match self.image_steps.get(until) {
            Some(ActionKind::Build) => "until it is built",
            Some(ActionKind::Import) => "until it is imported",
            _ => "until it is pulled",
        };
        format!("its image is unknown {known}")
    }
}

/// Equal changes once, with their number.
fn counted(changes: impl Iterator<Item = PlanChange>) -> Vec<(PlanChange, usize)> {
    let mut counts: Vec<(PlanChange, usize)> = Vec::new();
    let mut known: BTreeMap<PlanChange, usize> = BTreeMap::new();
    for change in changes {
        let at = *known.entry(change.clone()).or_insert(counts.len());
        match counts.get_mut(at) {
            Some((_, count)) => *count += 1,
            None => counts.push((change, 1)),
        }
    }
    counts
}

/// The service of a container, or the object.
fn subject(step: &PlanStep) -> String {
    match &step.label.service {
        Some(service) if step.label.object.kind == ObjectKind::Container => service.clone(),
        _ => step.label.object.to_string(),
    }
}

/// Whether the actions of a line on this object are shown together.
fn is_joined(object: &Object) -> bool {
    match object.kind {
        ObjectKind::Container | ObjectKind::Image | ObjectKind::Network | ObjectKind::Volume => {
            object.relation.is_empty()
        }
        ObjectKind::Batch
        | ObjectKind::Command
        | ObjectKind::File
        | ObjectKind::Folder
        | ObjectKind::Request => false,
    }
}

/// The cause beside the action. It is empty if the line above says as much.
fn cause(step: &PlanStep) -> String {
    match &step.cause {
        Cause::AskedFor | Cause::AskedForInLine(_) | Cause::Verb(_) => String::new(),
        Cause::DescriptionChanged(changed) if !changed.keys.is_empty() => {
            let mut keys: Vec<String> = changed.keys.clone();
            if let (Some(image), Some(at)) =
                (&changed.image, keys.iter().position(|key| key == "image"))
            {
                // The release of a service comes first.
                keys.remove(at);
                keys.insert(0, format!("image {}{}", other_image(image), new_id(step)));
            }
            keys.join(", ")
        }
        // The condition says it.
        Cause::ImageChanged(_) if step.only_if.is_some() => String::new(),
        Cause::ImageChanged(None) => format!("image changed{}", new_id(step)),
        Cause::ImageChanged(Some(OtherImage { before, now })) => format!("image {before} → {now}"),
        cause => cause.to_string(),
    }
}

/// `dev → v2` for two tags of one image, else both names.
fn other_image(image: &OtherImage) -> String {
    let OtherImage { before, now } = image;
    match (tag(before), tag(now)) {
        (Some((name, before)), Some((same, now))) if name == same => format!("{before} → {now}"),
        _ => format!("{before} → {now}"),
    }
}

/// A name without its tag, and the tag.
fn tag(image: &str) -> Option<(&str, &str)> {
    image.rsplit_once(':').filter(|(name, tag)| !tag.contains('/') && !name.contains('@'))
}

/// ` (id 0123456789ab)` if the new image is known.
fn new_id(step: &PlanStep) -> String {
    let Some(StepImage { id: PlannedValue::Now(id), .. }) = &step.image else {
        return String::new();
    };
    format!(" (id {})", short_id(id))
}

/// Whether the old container stops before or after the start of the new one, which `step` creates;
/// `None` if the old one does not run.
fn order(step: &PlanStep, steps: &[PlanStep]) -> Option<UpdateOrder> {
    let of_group = || {
        steps
            .iter()
            .filter(|other| other.group == step.group && other.label.service == step.label.service)
    };
    // A group may replace several containers of a service.
    let is_only = of_group().filter(|other| other.counts == step.counts).count() == 1;
    let old = step.label.object.name.trim_end_matches(NEW_SUFFIX);
    let stop = of_group().find(|other| {
        other.label.action == ActionKind::Stop && (is_only || other.label.object.name == old)
    })?;
    let start = of_group().find(|other| {
        other.label.action == ActionKind::Start && other.label.object == step.label.object
    })?;
    Some(if stop.number() < start.number() {
        UpdateOrder::StopFirst
    } else {
        UpdateOrder::StartFirst
    })
}
