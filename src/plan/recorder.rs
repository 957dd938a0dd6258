//! Records what a runbook would do while it runs in a simulation: by line, with causes.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::arrange::{Entry, RecordedItem, arrange};
use super::invented_ids::InventedIds;
use crate::api::task::{self, Branch};
use crate::engine::dry_run::Effects;
use crate::model::cause::Cause;
use crate::model::diagnostic::Diagnostic;
use crate::model::masking::Masked;
use crate::model::plan_steps::{PlanStep, PlannedValue, StepImage, SummaryKey};
use crate::model::preview::{Assumption, Call, HandledError, PlanEnd, Preview, RunbookLine};
use crate::model::secret::Secrets;
use crate::model::step::{ActionKind, Object, StepLabel};
use crate::value::record::Reader;

thread_local! {
    /// The current line of the script task on this thread.
    static LINE: RefCell<Option<(Arc<str>, usize)>> = const { RefCell::new(None) };
    /// Whether the task executes the plan of a verb: its actions are then steps of that plan.
    static EXECUTES_PLAN: Cell<bool> = const { Cell::new(false) };
    /// Whether the task repeats itself: the plan then shows each step once.
    static REPEATS: Cell<bool> = const { Cell::new(false) };
    /// The last question of the task to something outside.
    static QUESTION: RefCell<ExternalQuestion> = const { RefCell::new(ExternalQuestion {
        at: None, step: None, source: String::new(), assumed: String::new(), is_from_runbook: false,
    }) };
}

/// A question to something outside.
#[derive(Clone, Default)]
struct ExternalQuestion {
    /// The line that asked.
    at: Option<RunbookLine>,
    step: Option<usize>,
    /// The source of the answer; empty if the answer is known.
    source: String,
    assumed: String,
    /// Whether the runbook itself sets the assumed answer.
    is_from_runbook: bool,
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
    /// In the order of simulated time.
    entries: Vec<Entry>,
    /// The number of recorded steps.
    steps: usize,
    /// The first step with each action and object in a line.
    known_steps: BTreeMap<(Option<RunbookLine>, ActionKind, Object), usize>,
    /// The assumptions of each branch: line, step and source of the answer.
    assumptions: BTreeSet<(Branch, Option<RunbookLine>, Option<usize>, String)>,
    /// The images of new containers, by the steps that create them.
    images: BTreeMap<usize, StepImage>,
    invented: InventedIds,
    notes: Vec<String>,
    handled_errors: Vec<HandledError>,
    /// The last unknown answer that the script read.
    last_answer: Option<UnknownAnswer>,
    /// Whether the script read an answer without an `assume` of the runbook.
    has_default: bool,
    /// Messages of failures that depend on no answer.
    certain: BTreeSet<String>,
}

/// An unknown answer that the script read.
struct UnknownAnswer {
    at: Option<RunbookLine>,
    source: String,
    is_from_runbook: bool,
}

impl State {
    fn add(&mut self, item: RecordedItem) {
        let (at, steps) = match &item {
            RecordedItem::Verb(call) => (&call.at, call.steps.as_slice()),
            RecordedItem::Step(at, step) => (at, std::slice::from_ref(&**step)),
            RecordedItem::Assumption(_) => (&None, [].as_slice()),
        };
        for step in steps {
            self.invented.add_step(step);
            let StepLabel { action, object, .. } = &step.label;
            let key = (at.clone(), *action, object.clone());
            self.known_steps.entry(key).or_insert_with(|| step.number());
        }
        self.steps += steps.len();
        self.entries.push(Entry { branch: task::branch(), item });
    }

    fn add_assumption(&mut self, question: &ExternalQuestion, assumed: &str) {
        let at = current_line();
        let source = question.source.clone();
        let key = (task::branch(), at.clone(), question.step, source.clone());
        if self.assumptions.insert(key) {
            self.add(RecordedItem::Assumption(Assumption {
                number: 0,
                at,
                answer_of: source,
                step: question.step,
                assumed: assumed.to_owned(),
            }));
        }
    }
}

impl Recorder {
    /// The task on this thread begins, or ends, to execute the plan of a verb.
    pub fn set_executes_plan(executes: bool) {
        EXECUTES_PLAN.set(executes);
    }

    /// The task on this thread begins, or ends, to repeat itself. Returns whether it did so before.
    pub fn set_repeats(repeats: bool) -> bool {
        REPEATS.replace(repeats)
    }

    /// A verb is about to execute its plan.
    pub fn add_plan(&self, verb: &str, project: &str, steps: &[PlanStep]) {
        let mut state = self.state.lock();
        let before = state.steps;
        let steps: Vec<PlanStep> = steps.iter().map(|step| step.clone().shifted(before)).collect();
        for step in &steps {
            if matches!(step.label.action, ActionKind::Pull | ActionKind::Build) {
                state.invented.add_unknown_image(&step.label.object.name, step.number());
            }
        }
        state.add(RecordedItem::Verb(Call {
            at: current_line(),
            verb: Some(verb.to_owned()),
            project: Some(project.to_owned()),
            steps,
        }));
    }

    /// Records one action of a primitive. Returns its number.
    pub fn add_change(&self, action: ActionKind, object: &Object) -> usize {
        self.add_step(action, object, true)
    }

    fn add_step(&self, action: ActionKind, object: &Object, changes: bool) -> usize {
        let at = current_line();
        let mut state = self.state.lock();
        if REPEATS.get()
            && let Some(known) = state.known_steps.get(&(at.clone(), action, object.clone()))
        {
            return *known;
        }
        let number = state.steps + 1;
        let object = object.clone();
        let label = StepLabel { step: Some(number), service: None, action, object, undo: false };
        let cause = at.as_ref().map_or(Cause::AskedFor, |at| Cause::AskedForInLine(at.line));
        let step = PlanStep {
            counts: changes.then_some(SummaryKey::Action(action)),
            ..PlanStep::alone(label, cause, changes)
        };
        state.add(RecordedItem::Step(at, Box::new(step)));
        number
    }

    /// The same for an action that something outside answers. `source`: `command date in container
    /// web`.
    pub fn add_question(
        &self,
        action: ActionKind,
        object: &Object,
        source: String,
        assumed: &'static str,
    ) {
        let step = self.add_change(action, object);
        self.answer_unknown(Some(step), source, assumed);
    }

    /// The same for a request. One that is `read_only` changes nothing.
    pub fn add_request(
        &self,
        request: &Object,
        source: String,
        is_read_only: bool,
        assumed: &'static str,
    ) {
        let step = self.add_step(ActionKind::Request, request, !is_read_only);
        self.answer_unknown(Some(step), source, assumed);
    }

    /// The script reads the answer to `question`.
    fn assume_answer(&self, question: &ExternalQuestion, assumed: &str) {
        if question.source.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        state.has_default |= !question.is_from_runbook;
        state.last_answer = Some(UnknownAnswer {
            at: question.at.clone().or_else(current_line),
            source: question.source.clone(),
            is_from_runbook: question.is_from_runbook,
        });
        state.add_assumption(question, assumed);
    }

    /// Adds a note.
    pub fn add_note(&self, text: &str) {
        let notes = &mut self.state.lock().notes;
        if !notes.iter().any(|note| note == text) {
            notes.push(text.to_owned());
        }
    }

    /// The script handles an error: it undoes something, or continues.
    pub fn handles_error(&self, at: Option<(&str, usize)>, what: &str, error: &str) {
        let own = at
            .filter(|(file, _)| !file.starts_with(STANDARD))
            .map(|(file, line)| RunbookLine { file: file.to_owned(), line });
        let handled = HandledError {
            at: own.or_else(current_line),
            what: what.to_owned(),
            error: error.to_owned(),
        };
        let all = &mut self.state.lock().handled_errors;
        if !all.iter().any(|known| known.at == handled.at && known.what == handled.what) {
            all.push(handled);
        }
    }

    /// The next step if the plan ends at an unknown answer.
    pub fn advice(&self) -> Option<String> {
        let state = self.state.lock();
        let UnknownAnswer { at, source, is_from_runbook } = state.last_answer.as_ref()?;
        let at = at.as_ref().map_or_else(String::new, |at| format!(" at {at}"));
        Some(if *is_from_runbook {
            format!("this may depend on the assumed answer of {source}: change `assume`{at}")
        } else {
            format!("give the call{at} the option `assume`: plans use it as the answer of {source}")
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
    pub fn assume_wait(&self, what: &str, assumed: &str) {
        if !EXECUTES_PLAN.get() {
            let question =
                ExternalQuestion { source: what.to_owned(), ..ExternalQuestion::default() };
            self.state.lock().add_assumption(&question, assumed);
        }
    }

    /// The script continues with the answer of its own `assume`.
    pub fn assume_of_runbook(&self, source: &str, assumed: &str) {
        let question = ExternalQuestion {
            source: source.to_owned(),
            is_from_runbook: true,
            ..ExternalQuestion::default()
        };
        self.assume_answer(&question, assumed);
    }

    /// Whether the plan has assumed anything so far.
    pub fn has_assumed(&self) -> bool {
        !self.state.lock().assumptions.is_empty()
    }

    /// The same error without ids that the simulation invented.
    pub fn without_invented(&self, diagnostic: Diagnostic) -> Diagnostic {
        let state = self.state.lock();
        let (_, numbers) = arrange(&state.entries, &state.images);
        state.invented.replaced_in(diagnostic, &numbers)
    }

    /// The whole record, with `secrets` masked.
    pub fn finish(&self, ends: Option<PlanEnd>, secrets: &Secrets) -> Masked<Preview> {
        let state = self.state.lock();
        let (items, numbers) = arrange(&state.entries, &state.images);
        let mut preview = Preview {
            handled_errors: state.handled_errors.clone(),
            items,
            summary: BTreeMap::new(),
            conditional: 0,
            notes: state.notes.clone(),
            ends,
        };
        let mut summary: BTreeMap<SummaryKey, usize> = BTreeMap::new();
        for kind in preview.steps().filter_map(|step| step.counts) {
            *summary.entry(kind).or_default() += 1;
        }
        preview.summary = summary;
        preview.conditional =
            preview.steps().filter(|step| step.only_if.is_some() && step.changes).count();
        Masked::new(state.invented.replaced_in(preview, &numbers), secrets)
    }
}

impl Effects for Recorder {
    fn effect(&self, action: ActionKind, object: &Object) -> Option<usize> {
        (!EXECUTES_PLAN.get()).then(|| self.add_change(action, object))
    }

    fn answer_unknown(&self, step: Option<usize>, source: String, assumed: &'static str) {
        QUESTION.set(ExternalQuestion {
            at: current_line(),
            step,
            source,
            assumed: assumed.to_owned(),
            is_from_runbook: false,
        });
    }

    fn assume(&self, source: &str, assumed: &str) {
        if !EXECUTES_PLAN.get() {
            let question =
                ExternalQuestion { source: source.to_owned(), ..ExternalQuestion::default() };
            self.assume_answer(&question, assumed);
        }
    }

    fn answer_known(&self, action: ActionKind, object: &Object) {
        if !EXECUTES_PLAN.get() {
            self.add_step(action, object, false);
        }
        QUESTION.take();
    }

    fn note(&self, text: &str) {
        self.add_note(text);
    }

    fn unclear(&self, what: &str) {
        self.add_note(&format!("a plan can't know {what}"));
    }

    fn image_unknown(&self, image: &str, step: usize) {
        self.state.lock().invented.add_unknown_image(image, step);
    }

    fn invented_image(&self, id: &str, image: &str) {
        self.state.lock().invented.add_image(id, image);
    }

    fn invented(&self, id: &str, object: &Object) {
        self.state.lock().invented.add_object(id, object);
    }

    fn created_from(&self, container: &str, image: &str, id: Option<String>) {
        let mut state = self.state.lock();
        let id = match (state.invented.unknown_until(image), id) {
            (Some(step), _) => PlannedValue::Until(step),
            (None, Some(id)) => PlannedValue::Now(id),
            (None, None) => return,
        };
        // The last one: a rollback creates a container with the same name from another image.
        if let Some(step) = state.invented.creation(&Object::container(container)) {
            state.images.insert(step, StepImage { name: image.to_owned(), id });
        }
    }
}

impl Recorder {
    /// Sets the current line of the task on this thread.
    pub fn set_line(source: &str, line: usize) {
        LINE.with_borrow_mut(|current| match current {
            Some((file, at)) if **file == *source => *at = line,
            Some(_) if source.starts_with(STANDARD) => {}
            _ => *current = Some((source.into(), line)),
        });
    }

    /// Sets the assumed value of the last answer; false if the answer is known.
    pub fn set_assumed(assumed: &str) -> bool {
        QUESTION.with_borrow_mut(|question| {
            assumed.clone_into(&mut question.assumed);
            question.is_from_runbook = true;
            !question.source.is_empty()
        })
    }

    /// Returns a callback for what the script reads of the last answer.
    pub fn reader(self: &Arc<Self>) -> Reader {
        let (question, recorder) = (QUESTION.with_borrow(Clone::clone), self.clone());
        Arc::new(move |_| recorder.assume_answer(&question, &question.assumed))
    }
}

/// The current line of the task on this thread.
fn current_line() -> Option<RunbookLine> {
    LINE.with_borrow(|current| {
        current.as_ref().map(|(file, line)| RunbookLine { file: file.to_string(), line: *line })
    })
}
