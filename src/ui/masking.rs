//! Secrets hidden in events and diagnostics.

use std::sync::Arc;

use crate::model::cause::Cause;
use crate::model::diagnostic::{Diagnostic, Source, SourceSpan};
use crate::model::event::{Event, Sink, StepStatus};
use crate::model::failure::Detail;
use crate::model::secret::Secrets;
use crate::model::step::StepLabel;
use crate::model::url_credentials::without_credentials;

/// Passes every event on with its secrets hidden. Stands before every other sink: what is shown,
/// and what is kept.
///
/// Each event is masked by itself: whoever cuts output into events cuts no secret
/// ([`crate::model::lines`]).
pub struct MaskingSink<S: Sink> {
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

/// A text of spc's own as it is shown: without secrets, and without the credentials of URLs, which
/// a script's own texts keep.
fn shown(text: &str, secrets: &Secrets) -> String {
    without_credentials(&secrets.mask(text)).into_owned()
}

fn masked_event(event: &Event, secrets: &Secrets) -> Event {
    let mask = |text: &String| shown(text, secrets);
    let data = |text: &String| secrets.mask(text);
    let text = |text: &str| shown(text, secrets);
    let masked = |label: &StepLabel| label.map(text);
    let why = |cause: &Cause| cause.map(text);
    let all = |texts: &[String]| texts.iter().map(mask).collect();
    match event {
        Event::Planned { verb, project, steps, rollbacks, notes } => Event::Planned {
            verb: mask(verb),
            project: mask(project),
            steps: steps.iter().map(|step| step.clone().map(text)).collect(),
            rollbacks: rollbacks.iter().map(|back| back.clone().map(text)).collect(),
            notes: all(notes),
        },
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
        Event::StepWaiting { label, waits_for, after } => Event::StepWaiting {
            label: masked(label),
            waits_for: mask(waits_for),
            after: after.clone(),
        },
        Event::StepStarted { label, cause } => {
            Event::StepStarted { label: masked(label), cause: cause.as_ref().map(why) }
        }
        Event::StepProgress { label, standing } => Event::StepProgress {
            label: masked(label),
            standing: StepStatus { text: mask(&standing.text), detail: standing.detail },
        },
        Event::StepDone { label, elapsed } => {
            Event::StepDone { label: masked(label), elapsed: *elapsed }
        }
        Event::StepFailed { label, message } => {
            Event::StepFailed { label: masked(label), message: mask(message) }
        }
        Event::StepInterrupted { label } => Event::StepInterrupted { label: masked(label) },
        Event::Unchanged { project, verb } => {
            Event::Unchanged { project: mask(project), verb: mask(verb) }
        }
        Event::Print { text } => Event::Print { text: data(text) },
        Event::Log { level, text } => Event::Log { level: *level, text: mask(text) },
        Event::Output { from, text } => Event::Output { from: mask(from), text: data(text) },
        Event::Waiting { text } => Event::Waiting { text: mask(text) },
        Event::Question { text } => Event::Question { text: mask(text) },
        Event::Answer { text, answer } => Event::Answer { text: mask(text), answer: *answer },
    }
}

/// A diagnostic with its secrets hidden, also one that stands in the source text itself.
pub fn masked_diagnostic(diagnostic: &Diagnostic, secrets: &Secrets) -> Diagnostic {
    let mut masked = diagnostic.clone();
    masked.message = shown(&masked.message, secrets);
    masked.hint = masked.hint.map(|hint| shown(&hint, secrets));
    for Detail { title, text } in &mut masked.details {
        *title = shown(title, secrets);
        *text = shown(text, secrets);
    }
    for value in masked.fields.values_mut() {
        change_texts(value, &|text| shown(text, secrets));
    }
    let places =
        masked.place.iter_mut().chain(masked.trace.iter_mut().map(|frame| &mut frame.place));
    places.for_each(|place| mask_place(place, secrets));
    masked
}

/// A line of JSON with its secrets hidden in texts. Keys are spc's own words, as are the values
/// that say what a line is: a secret that is the same word must not take it from the programs that
/// read it. A foreign key is masked where it becomes one.
pub fn masked_json(line: &str, secrets: &Secrets) -> String {
    /// Their values are never foreign.
    const OWN: [&str; 4] = ["\"event\"", "\"level\"", "\"severity\"", "\"time\""];
    let mut masked = String::with_capacity(line.len());
    let (mut rest, mut key) = (line, "");
    while let Some(begin) = rest.find('"') {
        let end = begin + string_length(&rest[begin..]);
        let literal = &rest[begin..end];
        masked.push_str(&rest[..begin]);
        let is_key = rest[end..].starts_with(':');
        if is_key {
            key = literal;
        }
        let hidden =
            (!is_key && !OWN.contains(&key)).then(|| masked_literal(literal, secrets)).flatten();
        masked.push_str(hidden.as_deref().unwrap_or(literal));
        rest = &rest[end..];
    }
    masked + rest
}

/// The length of the string of JSON at the beginning of `text`, its quotes counted.
fn string_length(text: &str) -> usize {
    let mut is_escaped = true;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A string of JSON with its secrets hidden; nothing if it has none.
fn masked_literal(literal: &str, secrets: &Secrets) -> Option<String> {
    let text: String = serde_json::from_str(literal).ok()?;
    let masked = secrets.mask(&text);
    (masked != text).then(|| serde_json::Value::from(masked).to_string())
}

/// The same for a value and all that is in it.
pub fn mask_value(value: &mut serde_json::Value, secrets: &Secrets) {
    change_texts(value, &|text| secrets.mask(text));
}

fn change_texts(value: &mut serde_json::Value, change: &dyn Fn(&str) -> String) {
    match value {
        serde_json::Value::String(text) => *text = change(text),
        serde_json::Value::Array(values) => {
            for value in values {
                change_texts(value, change);
            }
        }
        serde_json::Value::Object(map) => {
            let fields = std::mem::take(map).into_iter().map(|(key, mut value)| {
                change_texts(&mut value, change);
                (change(&key), value)
            });
            *map = fields.collect();
        }
        _ => {}
    }
}

/// Masks line by line, so that a secret of several lines leaves the line numbers as they are.
fn mask_place(place: &mut SourceSpan, secrets: &Secrets) {
    let text: String =
        place.source.text.split_inclusive('\n').map(|line| shown(line, secrets)).collect();
    if text != place.source.text {
        place.source = Arc::new(Source { name: place.source.name.clone(), text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::model::diagnostic::Severity;
    use crate::model::step::{ActionKind, Object};
    use parking_lot::Mutex;

    #[derive(Default)]
    struct EventRecorder(Mutex<Vec<Event>>);

    impl Sink for EventRecorder {
        fn event(&self, event: &Event) {
            self.0.lock().push(event.clone());
        }
    }

    #[test]
    fn json_is_masked_in_its_texts_and_stays_json_whatever_the_secret_is() {
        let secrets = Secrets::new();
        for (index, value) in
            ["event", "text", "rin", "\":\"", "a\"b", "c\\d"].into_iter().enumerate()
        {
            secrets.add("key", &Secrets::token("key", [u8::try_from(index).unwrap(); 16]), value);
        }
        let line = serde_json::json!({ "event": "print", "text": "the text, a\"b c\\d", "all": ["print", { "more": "x\":\"y" }], "n": 1 })
            .to_string();
        let masked: serde_json::Value =
            serde_json::from_str(&masked_json(&line, &secrets)).unwrap();
        let expected = serde_json::json!({
            "event": "print", "text": "the [secret key], [secret key] [secret key]", "all": ["p[secret key]t", { "more": "x[secret key]y" }], "n": 1
        });
        assert_eq!(masked, expected);
        let mut value = serde_json::json!({ "a text": ["text"] });
        mask_value(&mut value, &secrets);
        assert_eq!(value, serde_json::json!({ "a [secret key]": ["[secret key]"] }));
    }

    fn secrets() -> Arc<Secrets> {
        let secrets = Secrets::new();
        secrets.add("key", "token", "hunter2hunter2");
        Arc::new(secrets)
    }

    #[test]
    fn no_event_tells_a_secret_that_became_known_after_the_sink_was_made() {
        let kept = Arc::new(EventRecorder::default());
        let known = Arc::new(Secrets::new());
        let sink = MaskingSink::new(known.clone(), kept.clone());
        known.add("key", "token", "hunter2hunter2");
        let text = || "a hunter2hunter2 b".to_owned();
        let label = StepLabel {
            step: Some(1),
            service: Some(text()),
            action: ActionKind::Pull,
            object: Object::image(text()),
        };
        let all = || vec![text()];
        let elapsed = std::time::Duration::ZERO;
        let events = [
            Event::VerbStarted {
                project: text(),
                verb: text(),
                steps: 1,
                services: all(),
                unchanged: all(),
            },
            Event::VerbDone { project: text(), verb: text(), ok: true, elapsed },
            Event::StepWaiting { label: label.clone(), waits_for: text(), after: vec![1] },
            Event::StepStarted { label: label.clone(), cause: Some(Cause::NotOnNetwork(text())) },
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
        for event in kept.0.lock().iter() {
            let shown = serde_json::to_string(event).unwrap();
            assert!(shown.contains("a [secret key] b") && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn what_spc_says_shows_no_credentials_of_a_url_and_what_others_wrote_stays() {
        let kept = Arc::new(EventRecorder::default());
        let sink = MaskingSink::new(secrets(), kept.clone());
        let text = || "see https://me:pass@host/".to_owned();
        let label = StepLabel {
            step: Some(1),
            service: None,
            action: ActionKind::Pull,
            object: Object::image(text()),
        };
        sink.event(&Event::StepFailed { label, message: text() });
        sink.event(&Event::Question { text: text() });
        sink.event(&Event::Log { level: crate::model::event::Level::Info, text: text() });
        sink.event(&Event::Print { text: text() });
        sink.event(&Event::Output { from: "git".to_owned(), text: text() });
        let shown: Vec<bool> =
            kept.0.lock().iter().map(|event| format!("{event:?}").contains("pass")).collect();
        assert_eq!(shown, [false, false, false, true, true]);
    }

    #[test]
    fn a_diagnostic_hides_a_secret_in_every_part() {
        let source = Arc::new(Source {
            name: "a.rhai".to_owned(),
            text: "let k =\n  \"hunter2hunter2 https://me:pass@host\";\n".to_owned(),
        });
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            kind: Kind::Failed,
            message: "hunter2hunter2 https://me:pass@host/".to_owned(),
            hint: Some("hunter2hunter2 https://pass@host/".to_owned()),
            place: Some(SourceSpan { source, line: 2, column: 3, width: 1 }),
            trace: Vec::new(),
            details: vec![Detail {
                title: "log".to_owned(),
                text: "hunter2hunter2 db://me:pass@host/".to_owned(),
            }],
            fields: [("stderr".to_owned(), serde_json::json!(["hunter2hunter2 me:pass@host/"]))]
                .into(),
        };
        let masked = masked_diagnostic(&diagnostic, &secrets());
        let text = format!("{masked:?}");
        assert!(!text.contains("hunter2") && !text.contains("pass"), "{text}");
        assert_eq!(masked.place.unwrap().source.text.lines().count(), 2);
    }
}
