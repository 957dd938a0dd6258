//! Records what a runbook would do while it runs in a simulation: by line, with causes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::api::task::{self, Branch};
use crate::engine::dry_run::Effects;
use crate::model::cause::Cause;
use crate::model::diagnostic::Diagnostic;
use crate::model::image_reference::canonical;
use crate::model::masking::Masked;
use crate::model::plan_steps::{ImageCondition, PlanStep, PlannedValue, StepImage, SummaryKey};
use crate::model::preview::{
    Assumption, Call, HandledError, PlanEnd, Preview, PreviewItem, RunbookLine,
};
use crate::model::secret::Secrets;
use crate::model::step::{ActionKind, Object, StepLabel};
use crate::model::texts::Texts;
use crate::value::record::Reader;

thread_local! {
    /// The current position of the script task on this thread.
    static PLACE: RefCell<Option<(Arc<str>, usize)>> = const { RefCell::new(None) };
    /// Whether the task executes a plan: its actions are then steps of that plan.
    static WALKING: Cell<bool> = const { Cell::new(false) };
    /// Whether the task repeats itself: the plan then shows each step once.
    static REPEATING: Cell<bool> = const { Cell::new(false) };
    /// The last question of the task to something outside.
    static ASKED: RefCell<ExternalQuestion> = const { RefCell::new(ExternalQuestion {
        at: None, step: None, whose: String::new(), assumed: String::new(), is_given: false,
    }) };
}

/// A question to something outside.
#[derive(Clone, Default)]
struct ExternalQuestion {
    /// The line that asked.
    at: Option<RunbookLine>,
    step: Option<usize>,
    /// The source of the answer; empty if the answer is known.
    whose: String,
    assumed: String,
    /// Whether the runbook itself sets the assumed answer.
    is_given: bool,
}

/// Modules of the standard library are not lines of the user. The call that led there is shown
/// instead.
const STANDARD: &str = "std/";

/// Records what would be done. Secrets are masked when the record is complete.
#[derive(Default)]
pub struct Recorder {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    preview: Preview,
    steps: usize,
    assumptions: usize,
    /// Image → the step after which its id is known, by the canonical form of the name.
    unknown: BTreeMap<String, usize>,
    /// Ids of images that the simulation invented → the step that would provide the real one.
    invented: BTreeMap<String, usize>,
    /// Ids, and names of volumes, that it invented → the container or network they belong to.
    made: BTreeMap<String, Object>,
    /// Step → the branch of the runbook that does it, for steps outside the plans of verbs.
    branches: BTreeMap<usize, Branch>,
    /// The last answer that the script read.
    last_asked: Option<UnknownAnswer>,
    /// Whether the script read an answer without an `assume` of the runbook.
    has_default: bool,
    /// Messages of failures that depend on no answer.
    certain: BTreeSet<String>,
}

/// An unknown answer that the script read.
struct UnknownAnswer {
    at: Option<RunbookLine>,
    answer_of: String,
    is_given: bool,
}

impl Recorder {
    /// The task on this thread begins, or ends, to execute a plan.
    pub fn set_walking(walking: bool) {
        WALKING.set(walking);
    }

    /// The task on this thread begins, or ends, to repeat itself. Returns whether it did so before.
    pub fn set_repeating(repeating: bool) -> bool {
        REPEATING.replace(repeating)
    }

    /// A verb is about to execute its plan.
    pub fn planned(&self, verb: &str, project: &str, steps: &[PlanStep]) {
        let mut state = self.state.lock();
        let (before, assumptions) = (state.steps, state.assumptions);
        let steps: Vec<PlanStep> = steps
            .iter()
            .map(|step| PlanStep { assumptions, ..step.clone().shifted(before) })
            .collect();
        for step in &steps {
            if matches!(step.label.action, ActionKind::Pull | ActionKind::Build) {
                state.unknown.insert(canonical(&step.label.object.name), step.number());
            }
        }
        state.steps += steps.len();
        let call = Call {
            at: place(),
            verb: Some(verb.to_owned()),
            project: Some(project.to_owned()),
            steps,
        };
        state.preview.items.push(PreviewItem::Call(call));
    }

    /// Records one action of a primitive. Returns its number.
    pub fn write(&self, action: ActionKind, object: &Object) -> usize {
        self.step(action, object, true)
    }

    fn step(&self, action: ActionKind, object: &Object, changes: bool) -> usize {
        let at = place();
        let mut state = self.state.lock();
        if let Some(known) = REPEATING
            .get()
            .then(|| known_step(&state.preview, at.as_ref(), action, object))
            .flatten()
        {
            return known;
        }
        state.steps += 1;
        let number = state.steps;
        let label = StepLabel { step: Some(number), service: None, action, object: object.clone() };
        let cause = at.as_ref().map_or(Cause::AskedFor, |at| Cause::AskedForInLine(at.line));
        let step = PlanStep {
            assumptions: state.assumptions,
            counts: changes.then_some(SummaryKey::Action(action)),
            ..PlanStep::alone(label, cause, changes)
        };
        let branch = task::branch();
        let State { preview, branches, .. } = &mut *state;
        match preview.items.last_mut() {
            // Successive actions of one line form one item.
            Some(PreviewItem::Call(call)) if call.verb.is_none() && call.at == at => {
                let after = steps_before(&branch, &call.steps, branches);
                call.steps.push(PlanStep { after, ..step });
            }
            _ => state.preview.items.push(PreviewItem::Call(Call {
                at,
                verb: None,
                project: None,
                steps: vec![step],
            })),
        }
        state.branches.insert(number, branch);
        number
    }

    /// The same for an action that something outside answers. `whose`: `command date in container
    /// web`.
    pub fn question(
        &self,
        action: ActionKind,
        object: &Object,
        whose: String,
        assumed: &'static str,
    ) {
        let step = self.write(action, object);
        self.asked(Some(step), whose, assumed);
    }

    fn assume_of(&self, asked: &ExternalQuestion, assumed: &str) {
        if asked.whose.is_empty() {
            return;
        }
        let at = place();
        let answer_of = asked.whose.clone();
        let mut state = self.state.lock();
        state.has_default |= !asked.is_given;
        let asked_at = asked.at.clone().or_else(|| at.clone());
        state.last_asked = Some(UnknownAnswer {
            at: asked_at,
            answer_of: answer_of.clone(),
            is_given: asked.is_given,
        });
        let is_known = |item: &PreviewItem| matches!(item, PreviewItem::Assumption(known) if known.at == at && known.step == asked.step && known.answer_of == answer_of);
        if state.preview.items.iter().any(is_known) {
            return;
        }
        state.assumptions += 1;
        let number = state.assumptions;
        state.preview.items.push(PreviewItem::Assumption(Assumption {
            number,
            at,
            answer_of,
            step: asked.step,
            assumed: assumed.to_owned(),
        }));
    }

    /// Adds a note.
    pub fn note(&self, text: &str) {
        let notes = &mut self.state.lock().preview.notes;
        if !notes.iter().any(|note| note == text) {
            notes.push(text.to_owned());
        }
    }

    /// The script undoes something or handles an error.
    pub fn way_back(&self, at: Option<(&str, usize)>, what: &str, because: &str) {
        let own = at
            .filter(|(file, _)| !file.starts_with(STANDARD))
            .map(|(file, line)| RunbookLine { file: file.to_owned(), line });
        let way_back = HandledError {
            at: own.or_else(place),
            what: what.to_owned(),
            because: because.to_owned(),
        };
        let mut state = self.state.lock();
        if !state
            .preview
            .ways_back
            .iter()
            .any(|known| known.at == way_back.at && known.what == way_back.what)
        {
            state.preview.ways_back.push(way_back);
        }
    }

    /// The next step if the plan ends at an unknown answer.
    pub fn advice(&self) -> Option<String> {
        let state = self.state.lock();
        let UnknownAnswer { at, answer_of, is_given } = state.last_asked.as_ref()?;
        let at = at.as_ref().map_or_else(String::new, |at| format!(" at {at}"));
        Some(if *is_given {
            format!("it may depend on {answer_of}: change what `assume` says{at}")
        } else {
            format!(
                "say what a plan is to take {answer_of} to answer: give the call{at} the option `assume`"
            )
        })
    }

    /// Whether the script read an answer that is only a default.
    pub fn has_default(&self) -> bool {
        self.state.lock().has_default
    }

    /// Marks a failure with this message as independent of answers.
    pub fn fails(&self, message: &str) {
        self.state.lock().certain.insert(message.to_owned());
    }

    /// Whether the failure with this message was marked so.
    pub fn is_certain(&self, message: &str) -> bool {
        self.state.lock().certain.contains(message)
    }

    /// The plan assumes that a wait of the script succeeds. It has no answer that the script could
    /// read.
    pub fn wait(&self, what: &str, assumed: &str) {
        let mut state = self.state.lock();
        let last_asked = state.last_asked.take();
        let has_default = state.has_default;
        drop(state);
        self.assume(what, assumed);
        let mut state = self.state.lock();
        (state.last_asked, state.has_default) = (last_asked, has_default);
    }

    /// The script continues with the answer of its own `assume`.
    pub fn given(&self, what: &str, assumed: &str) {
        self.assume_of(
            &ExternalQuestion {
                whose: what.to_owned(),
                is_given: true,
                ..ExternalQuestion::default()
            },
            assumed,
        );
    }

    /// Whether the plan has assumed anything so far.
    pub fn has_assumed(&self) -> bool {
        self.state.lock().assumptions > 0
    }

    /// The same error without ids that the simulation invented.
    pub fn without_invented(&self, diagnostic: Diagnostic) -> Diagnostic {
        let state = self.state.lock();
        without(&state.invented_in(&state.preview), diagnostic)
    }

    /// The whole record, with `secrets` masked.
    pub fn finish(&self, ends: Option<PlanEnd>, secrets: &Secrets) -> Masked<Preview> {
        let state = self.state.lock();
        let mut preview = state.preview.clone();
        for item in &mut preview.items {
            if let PreviewItem::Call(call) = item {
                complete(call);
            }
        }
        for step in preview
            .items
            .iter()
            .filter_map(
                |item| if let PreviewItem::Call(call) = item { Some(&call.steps) } else { None },
            )
            .flatten()
        {
            preview.conditional += usize::from(step.only_if.is_some() && step.changes);
            if let Some(kind) = step.counts {
                *preview.summary.entry(kind).or_default() += 1;
            }
        }
        preview.ends = ends;
        let preview = without(&state.invented_in(&preview), preview);
        Masked::new(preview, secrets)
    }
}

impl Effects for Recorder {
    fn effect(&self, action: ActionKind, object: &Object) -> Option<usize> {
        (!WALKING.get()).then(|| self.write(action, object))
    }

    fn asked(&self, step: Option<usize>, whose: String, assumed: &'static str) {
        ASKED.set(ExternalQuestion {
            at: place(),
            step,
            whose,
            assumed: assumed.to_owned(),
            is_given: false,
        });
    }

    fn assume(&self, whose: &str, assumed: &str) {
        if !WALKING.get() {
            self.assume_of(
                &ExternalQuestion { whose: whose.to_owned(), ..ExternalQuestion::default() },
                assumed,
            );
        }
    }

    fn looks(&self, action: ActionKind, object: &Object) {
        if !WALKING.get() {
            self.step(action, object, false);
        }
        ASKED.take();
    }

    fn note(&self, text: &str) {
        Self::note(self, text);
    }

    fn unclear(&self, what: &str) {
        self.note(&format!("a plan can't know {what}"));
    }

    fn unknown(&self, image: &str, step: usize) {
        self.state.lock().unknown.insert(canonical(image), step);
    }

    fn invented(&self, id: &str, image: &str) {
        let mut state = self.state.lock();
        if let Some(step) = state.unknown.get(&canonical(image)).copied() {
            state.invented.insert(id.to_owned(), step);
        }
    }

    fn made(&self, id: &str, with: &Object) {
        self.state.lock().made.insert(id.to_owned(), with.clone());
    }

    fn made_from(&self, container: &str, image: &str, id: Option<String>) {
        let object = Object::container(container);
        let mut state = self.state.lock();
        let id = match (state.unknown.get(&canonical(image)), id) {
            (Some(step), _) => PlannedValue::Until(*step),
            (None, Some(id)) => PlannedValue::Now(id),
            (None, None) => return,
        };
        // A rollback creates a container with the same name from another image.
        let calls =
            state.preview.items.iter_mut().rev().filter_map(|item| {
                if let PreviewItem::Call(call) = item { Some(call) } else { None }
            });
        let mut steps = calls.flat_map(|call| call.steps.iter_mut().rev());
        if let Some(step) = steps
            .find(|step| step.label.action == ActionKind::Create && step.label.object == object)
        {
            step.image = Some(StepImage { name: image.to_owned(), id });
        }
    }
}

impl Recorder {
    /// Sets the current position of the task on this thread.
    pub fn at(source: &str, line: usize) {
        PLACE.with_borrow_mut(|place| match place {
            Some((file, at)) if **file == *source => *at = line,
            Some(_) if source.starts_with(STANDARD) => {}
            _ => *place = Some((source.into(), line)),
        });
    }

    /// Sets the assumed value of the last answer; false if the answer is known.
    pub fn answers(assumed: &str) -> bool {
        ASKED.with_borrow_mut(|asked| {
            assumed.clone_into(&mut asked.assumed);
            asked.is_given = true;
            !asked.whose.is_empty()
        })
    }

    /// Returns a callback for what the script reads of the last answer.
    pub fn reader(self: &Arc<Self>) -> Reader {
        let (asked, recorder) = (ASKED.with_borrow(Clone::clone), self.clone());
        Arc::new(move |_| recorder.assume_of(&asked, &asked.assumed))
    }
}

impl State {
    /// What the simulation made up, and what is shown for it.
    fn invented_in(&self, preview: &Preview) -> Vec<(String, String)> {
        let until = |step: usize| format!("(unknown until step {step})");
        let made_by = |object: &Object| {
            let mut steps = preview.steps().filter(|step| step.label.object == *object);
            steps.find(|step| step.label.action == ActionKind::Create).map(PlanStep::number)
        };
        let images = self.invented.iter().map(|(id, step)| (id.clone(), until(*step)));
        let made = self.made.iter().map(|(id, with)| {
            (id.clone(), made_by(with).map_or_else(|| "(unknown)".to_owned(), until))
        });
        images.chain(made).collect()
    }
}

/// The same data without what the simulation made up; ids are shown short, too.
fn without<T: Texts>(invented: &[(String, String)], data: T) -> T {
    const SHORT: usize = 12;
    data.with_texts(|text| {
        let mut text = text.to_owned();
        for (id, shown) in invented {
            let hex = id.strip_prefix("sha256:").unwrap_or(id);
            for id in [id, hex, hex.get(..SHORT).unwrap_or(hex)] {
                if text.contains(id) {
                    text = text.replace(id, shown);
                }
            }
        }
        text
    })
}

/// The steps that a next one of `branch` comes after: the last ones of those that are not done
/// beside it.
fn steps_before(
    branch: &Branch,
    steps: &[PlanStep],
    branches: &BTreeMap<usize, Branch>,
) -> Vec<usize> {
    let mut last: Vec<(usize, &Branch)> = Vec::new();
    for number in steps.iter().rev().map(PlanStep::number) {
        let Some(other) = branches.get(&number) else { continue };
        if !other.is_beside(branch) && last.iter().all(|(_, later)| other.is_beside(later)) {
            last.push((number, other));
        }
    }
    last.iter().rev().map(|(number, _)| *number).collect()
}

/// The number of the same step of the same line, if it was recorded.
fn known_step(
    preview: &Preview,
    at: Option<&RunbookLine>,
    action: ActionKind,
    object: &Object,
) -> Option<usize> {
    let of_line = preview
        .items
        .iter()
        .filter_map(|item| if let PreviewItem::Call(call) = item { Some(call) } else { None });
    let mut steps = of_line.filter(|call| call.at.as_ref() == at).flat_map(|call| &call.steps);
    steps
        .find(|step| step.label.action == action && step.label.object == *object)
        .map(PlanStep::number)
}

/// The current position of the task on this thread.
fn place() -> Option<RunbookLine> {
    PLACE.with_borrow(|place| {
        place.as_ref().map(|(file, line)| RunbookLine { file: file.to_string(), line: *line })
    })
}

/// Marks the replacements that depend on the image of a new container, which only the execution
/// showed.
fn complete(call: &mut Call) {
    let mut doubtful: BTreeMap<usize, ImageCondition> = BTreeMap::new();
    for step in &mut call.steps {
        let changed = step.cause == Cause::ImageChanged && step.only_if.is_none();
        if let (true, Some(StepImage { name, id: PlannedValue::Until(known_after) })) =
            (changed, &step.image)
        {
            step.only_if = Some(ImageCondition {
                image: name.clone(),
                known_after: *known_after,
                changed: true,
            });
            step.after.push(*known_after);
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
