//! Secrets hidden in events and diagnostics.

use std::sync::Arc;

use crate::model::diagnostic::{Diagnostic, Place, Source};
use crate::model::event::{Event, Sink, Standing, StepLabel};
use crate::model::failure::Detail;
use crate::model::plan::Plan;
use crate::model::secret::Secrets;

/// Passes every event on with its secrets hidden. Stands before every other sink: what is shown, and what is kept.
pub struct MaskingSink<S> {
    secrets: Arc<Secrets>,
    inner: S,
}

impl<S: Sink> MaskingSink<S> {
    /// Hides `secrets`, those added later too, from `inner`.
    pub fn new(secrets: Arc<Secrets>, inner: S) -> Self {
        Self { secrets, inner }
    }
}

impl<S: Sink> Sink for MaskingSink<S> {
    fn event(&self, event: &Event) {
        self.inner.event(&masked_event(event, &self.secrets));
    }
}

fn masked_event(event: &Event, secrets: &Secrets) -> Event {
    let mask = |text: &String| secrets.mask(text);
    let masked = |label: &StepLabel| StepLabel {
        step: label.step,
        service: label.service.as_ref().map(mask),
        action: mask(&label.action),
        object: mask(&label.object),
    };
    let all = |texts: &[String]| texts.iter().map(mask).collect();
    match event {
        Event::Planned { verb, plan } => Event::Planned { verb: mask(verb), plan: Box::new(masked_plan(plan, secrets)) },
        Event::VerbStarted { project, verb, steps, services, unchanged } => Event::VerbStarted {
            project: mask(project),
            verb: mask(verb),
            steps: *steps,
            services: all(services),
            unchanged: all(unchanged),
        },
        Event::VerbDone { project, verb, ok, elapsed } => {
            Event::VerbDone { project: mask(project), verb: mask(verb), ok: *ok, elapsed: *elapsed }
        }
        Event::StepWaiting { label, waits_for, after } => {
            Event::StepWaiting { label: masked(label), waits_for: mask(waits_for), after: after.clone() }
        }
        Event::StepStarted { label, cause } => Event::StepStarted { label: masked(label), cause: mask(cause) },
        Event::StepProgress { label, standing } => {
            Event::StepProgress { label: masked(label), standing: Standing { text: mask(&standing.text), detail: standing.detail } }
        }
        Event::StepDone { label, elapsed } => Event::StepDone { label: masked(label), elapsed: *elapsed },
        Event::StepFailed { label, message } => Event::StepFailed { label: masked(label), message: mask(message) },
        Event::StepInterrupted { label } => Event::StepInterrupted { label: masked(label) },
        Event::Unchanged { project, verb } => Event::Unchanged { project: mask(project), verb: mask(verb) },
        Event::Print { text } => Event::Print { text: mask(text) },
        Event::Log { level, text } => Event::Log { level: *level, text: mask(text) },
        Event::Output { from, text } => Event::Output { from: mask(from), text: mask(text) },
        Event::Waiting { text } => Event::Waiting { text: mask(text) },
        Event::Question { text } => Event::Question { text: mask(text) },
        Event::Answer { text, answer } => Event::Answer { text: mask(text), answer: *answer },
    }
}

/// Causes and notes are the only free texts of a plan.
fn masked_plan(plan: &Plan, secrets: &Secrets) -> Plan {
    let mut plan = plan.clone();
    plan.steps.iter_mut().for_each(|step| step.cause = secrets.mask(&step.cause));
    plan.notes.iter_mut().for_each(|note| *note = secrets.mask(note));
    plan
}

/// A diagnostic with its secrets hidden, also one that stands in the source text itself.
pub fn masked_diagnostic(diagnostic: &Diagnostic, secrets: &Secrets) -> Diagnostic {
    let mut masked = diagnostic.clone();
    masked.message = secrets.mask(&masked.message);
    masked.hint = masked.hint.map(|hint| secrets.mask(&hint));
    for Detail { title, text } in &mut masked.details {
        *title = secrets.mask(title);
        *text = secrets.mask(text);
    }
    for value in masked.fields.values_mut() {
        mask_value(value, secrets);
    }
    let places = masked.place.iter_mut().chain(masked.trace.iter_mut().map(|frame| &mut frame.place));
    places.for_each(|place| mask_place(place, secrets));
    masked
}

fn mask_value(value: &mut serde_json::Value, secrets: &Secrets) {
    match value {
        serde_json::Value::String(text) => *text = secrets.mask(text),
        serde_json::Value::Array(values) => values.iter_mut().for_each(|value| mask_value(value, secrets)),
        serde_json::Value::Object(map) => map.values_mut().for_each(|value| mask_value(value, secrets)),
        _ => {}
    }
}

/// Masks line by line, so that a secret of several lines leaves the line numbers as they are.
fn mask_place(place: &mut Place, secrets: &Secrets) {
    let text: String = place.source.text.split_inclusive('\n').map(|line| secrets.mask(line)).collect();
    if text != place.source.text {
        place.source = Arc::new(Source { name: place.source.name.clone(), text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::model::diagnostic::Severity;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Kept(Mutex<Vec<Event>>);

    impl Sink for Kept {
        fn event(&self, event: &Event) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    fn secrets() -> Arc<Secrets> {
        let secrets = Secrets::new();
        secrets.add("key", "token", "hunter2hunter2");
        Arc::new(secrets)
    }

    #[test]
    fn no_event_tells_a_secret_that_became_known_after_the_sink_was_made() {
        let kept = Arc::new(Kept::default());
        let known = Arc::new(Secrets::new());
        let sink = MaskingSink::new(known.clone(), kept.clone());
        known.add("key", "token", "hunter2hunter2");
        let text = || "a hunter2hunter2 b".to_owned();
        let label = StepLabel { step: 1, service: Some(text()), action: text(), object: text() };
        let all = || vec![text()];
        let elapsed = std::time::Duration::ZERO;
        let events = [
            Event::VerbStarted { project: text(), verb: text(), steps: 1, services: all(), unchanged: all() },
            Event::VerbDone { project: text(), verb: text(), ok: true, elapsed },
            Event::StepWaiting { label: label.clone(), waits_for: text(), after: vec![1] },
            Event::StepStarted { label: label.clone(), cause: text() },
            Event::StepProgress { label: label.clone(), standing: text().into() },
            Event::StepDone { label: label.clone(), elapsed },
            Event::StepFailed { label: label.clone(), message: text() },
            Event::StepInterrupted { label },
            Event::Unchanged { project: text(), verb: text() },
            Event::Print { text: text() },
            Event::Log { level: crate::model::event::Level::Info, text: text() },
            Event::Output { from: text(), text: text() },
            Event::Waiting { text: text() },
            Event::Question { text: text() },
            Event::Answer { text: text(), answer: None },
        ];
        for event in &events {
            sink.event(event);
        }
        for event in kept.0.lock().unwrap().iter() {
            let shown = serde_json::to_string(event).unwrap();
            assert!(shown.contains("a [secret key] b") && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_diagnostic_hides_a_secret_in_every_part() {
        let source = Arc::new(Source { name: "a.rhai".to_owned(), text: "let k =\n  \"hunter2hunter2\";\n".to_owned() });
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            kind: Kind::Failed,
            message: "hunter2hunter2".to_owned(),
            hint: Some("hunter2hunter2".to_owned()),
            place: Some(Place { source, line: 2, column: 3, width: 1 }),
            trace: Vec::new(),
            details: vec![Detail { title: "log".to_owned(), text: "hunter2hunter2".to_owned() }],
            fields: [("stderr".to_owned(), serde_json::json!(["hunter2hunter2"]))].into(),
        };
        let masked = masked_diagnostic(&diagnostic, &secrets());
        assert!(!format!("{masked:?}").contains("hunter2"));
        assert_eq!(masked.place.unwrap().source.text.lines().count(), 2);
    }
}
