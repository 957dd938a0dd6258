//! Data with the same text in every field that can contain one.

use super::*;
use crate::model::Kind;
use crate::model::diagnostic::Severity;
use crate::model::event::Level;
use crate::model::step::{ActionKind, ObjectKind};
use std::fmt::Debug;
use std::time::Duration;
use strum::VariantNames;

fn label(text: &str) -> StepLabel {
    let object =
        Object { kind: ObjectKind::Image, name: text.to_owned(), relation: text.to_owned() };
    let service = Some(text.to_owned());
    StepLabel { step: Some(1), service, action: ActionKind::Pull, object, undo: true }
}

/// One cause of each kind.
pub fn causes(text: &str) -> Vec<Cause> {
    let text = || text.to_owned();
    vec![
        Cause::NotThere,
        Cause::AskedFor,
        Cause::AskedForInLine(1),
        Cause::AskedForByName,
        Cause::Verb(text()),
        Cause::Interrupted,
        Cause::SecondOfNumber,
        Cause::ImageChanged(None),
        Cause::DescriptionChanged(ChangedKeys {
            keys: vec![text()],
            image: Some(OtherImage { before: text(), now: text() }),
        }),
        Cause::Adopted,
        Cause::Dead,
        Cause::AnonymousVolumesRenewed,
        Cause::NetworkRemoved,
        Cause::NotOnNetwork(text()),
        Cause::SecretChanged,
        Cause::SecretsChanged([text()].into()),
        Cause::NeverStarted,
        Cause::Stopped,
        Cause::Exited(1),
        Cause::NotRunning,
        Cause::RestartsAgain(Some(1)),
        Cause::Unhealthy,
        Cause::StartedAgain(1),
        Cause::NotReady,
        Cause::Scale(1),
        Cause::NoLongerDescribed,
        Cause::Replaced,
        Cause::SubnetTaken { by: text(), subnet: "10.1.0.0/24".parse().unwrap() },
        Cause::OneOff,
    ]
}

fn plan_step(text: &str, cause: Cause) -> PlanStep {
    PlanStep {
        only_if: Some(ImageCondition { image: text.to_owned(), known_after: 1, changed: true }),
        image: Some(StepImage { name: text.to_owned(), id: PlannedValue::Now(text.to_owned()) }),
        ..PlanStep::alone(label(text), cause, true)
    }
}

/// Each event; events with a cause once for each cause.
pub fn events(text: &str) -> Vec<Event> {
    let label = || label(text);
    let causes = || causes(text).into_iter();
    let steps = causes().map(|cause| plan_step(text, cause)).collect();
    let text = || text.to_owned();
    let elapsed = Duration::from_millis(1);
    let mut events = vec![
        Event::Planned {
            verb: text(),
            project: text(),
            steps,
            rollbacks: vec![RollbackSteps {
                group: 1,
                undo: vec![UndoStep { label: label(), if_begun: None }],
                until: vec![1],
            }],
            notes: vec![text()],
        },
        Event::VerbStarted {
            project: text(),
            verb: text(),
            steps: 1,
            services: vec![text()],
            unchanged: vec![text()],
        },
        Event::StepWaiting { label: label(), waits_for: text(), after: vec![1] },
        Event::StepStarted { label: label(), cause: None },
        Event::StepProgress { label: label(), standing: StepStatus { text: text(), detail: None } },
        Event::StepDone { label: label(), elapsed },
        Event::StepFailed { label: label(), message: text() },
        Event::StepInterrupted { label: label() },
        Event::Unchanged { project: text(), verb: text() },
        Event::Print { text: text() },
        Event::Log { level: Level::Error, text: text() },
        Event::Output { from: text(), text: text() },
        Event::Waiting { text: text() },
        Event::Question { text: text() },
        Event::Answer { text: text(), answer: None },
    ];
    events.extend(causes().map(|cause| Event::StepStarted { label: label(), cause: Some(cause) }));
    events.push(Event::VerbDone { project: text(), verb: text(), ok: true, elapsed });
    events
}

/// The preview of a plan.
pub fn preview(text: &str) -> Preview {
    let at = || Some(RunbookLine { file: text.to_owned(), line: 1 });
    let steps = causes(text).into_iter().map(|cause| plan_step(text, cause)).collect();
    let text = || text.to_owned();
    Preview {
        handled_errors: vec![HandledError { at: at(), what: text(), error: text() }],
        items: vec![
            PreviewItem::Call(Call { at: at(), verb: Some(text()), project: Some(text()), steps }),
            PreviewItem::Assumption(Assumption {
                number: 1,
                at: at(),
                answer_of: text(),
                step: None,
                assumed: text(),
            }),
        ],
        summary: BTreeMap::new(),
        conditional: 0,
        notes: vec![text()],
        ends: Some(PlanEnd { at: at(), message: text(), help: Some(text()), refused: false }),
    }
}

/// A diagnostic with an excerpt and a trace.
pub fn diagnostic(text: &str) -> Diagnostic {
    let text = || text.to_owned();
    let source = Arc::new(Source { name: text(), text: text() });
    let place = || SourceSpan { source: source.clone(), line: 1, column: 1, width: 1 };
    Diagnostic {
        severity: Severity::Error,
        kind: Kind::Failed,
        message: text(),
        hint: Some(text()),
        place: Some(place()),
        trace: vec![Frame { function: text(), place: place() }],
        details: vec![Detail { title: text(), text: text() }],
        fields: [(text(), serde_json::json!([text(), { (text()): text() }]))].into(),
        after_changes: false,
    }
}

/// The names of the variants in the form of `{:?}`.
fn names<T: Debug>(all: &[T]) -> BTreeSet<String> {
    let name = |one: &T| {
        let written = format!("{one:?}");
        written[..written.find(|c: char| !c.is_alphanumeric()).unwrap_or(written.len())].to_owned()
    };
    all.iter().map(name).collect()
}

#[test]
fn there_is_a_sample_of_every_event_and_cause() {
    let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(names(&events("x")), all(Event::VARIANTS));
    assert_eq!(names(&causes("x")), all(Cause::VARIANTS));
}

const TEXT: &str = "Hamlet";
const OTHER: &str = "Ophelia";

/// `{:?}` prints all fields, whatever JSON omits or renames: each string in it has to be the
/// sample's text, and to be changed.
fn every_string_is_visited<T: Texts + Debug>(mut sample: T) {
    let before = format!("{sample:?}");
    let strings: Vec<&str> = before.split('"').skip(1).step_by(2).collect();
    assert!(strings.iter().all(|text| *text == TEXT), "another text in the sample: {before}");
    let mut visits = 0;
    sample.visit(&mut |_, text| {
        visits += 1;
        assert_eq!(text, TEXT, "visited twice");
        OTHER.clone_into(text);
    });
    let after = format!("{sample:?}");
    assert_eq!(after, before.replace(TEXT, OTHER));
    assert_eq!(visits, strings.len(), "{before}");
}

#[test]
fn the_visitor_reaches_every_text_once() {
    events(TEXT).into_iter().for_each(every_string_is_visited);
    every_string_is_visited(preview(TEXT));
    every_string_is_visited(diagnostic(TEXT));
}

#[test]
fn a_changed_source_keeps_its_lines() {
    let source =
        Arc::new(Source { name: "a.rhai".to_owned(), text: "one\ntwo words\n".to_owned() });
    let place = SourceSpan { source: source.clone(), line: 2, column: 1, width: 3 };
    assert!(Arc::ptr_eq(&place.clone().with_texts(str::to_owned).source, &source));
    let changed = place.with_texts(|text| text.replace("two\n", "").replace("two", "2"));
    assert_eq!(changed.source.text, "one\n2 words\n");
}
