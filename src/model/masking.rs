//! Masks secrets in everything that a run reports, before it is shown or stored.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::event::{Event, Level, Sink};
use super::secret::Secrets;
use super::texts::{Author, Texts};
use super::url_credentials::without_credentials;

/// Data without secrets in its texts. Only the mask can create this type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Masked<T>(T);

impl<T: Texts> Masked<T> {
    /// Masks `secrets` in every text. Also masks credentials in URLs, except in texts that a
    /// runbook or another program wrote.
    pub fn new(mut data: T, secrets: &Secrets) -> Self {
        data.visit(&mut |author, text| {
            if let Some(masked) = secrets.masked(text) {
                *text = masked;
            }
            if author == Author::Spc
                && let Cow::Owned(shown) = without_credentials(text)
            {
                *text = shown;
            }
        });
        Self(data)
    }
}

impl<T> Masked<T> {
    /// The data, to be changed or stored.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Masked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize> Serialize for Masked<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Shows or stores the events of a run: a terminal, JSON lines, the journal.
pub trait Consumer: Send + Sync {
    /// Takes one event; must not block for long. Returns an error if the event can't be shown or
    /// stored and the user should know: the other consumers report it.
    fn event(&self, event: &Masked<Event>) -> Result<(), String>;
}

/// Masks the secrets of each event once and passes it to every consumer.
///
/// Each event is masked by itself, because code that splits output into events never splits a
/// secret ([`super::lines`]).
pub struct MaskingSink {
    secrets: Arc<Secrets>,
    consumers: Vec<Arc<dyn Consumer>>,
}

impl MaskingSink {
    /// Masks `secrets`, also those that are added later. The `consumers` get each event in this
    /// order.
    pub fn new(
        secrets: Arc<Secrets>,
        consumers: impl IntoIterator<Item = Arc<dyn Consumer>>,
    ) -> Self {
        Self { secrets, consumers: consumers.into_iter().collect() }
    }

    fn hand_on(&self, event: &Event) -> Vec<String> {
        let event = Masked::new(event.clone(), &self.secrets);
        self.consumers.iter().filter_map(|consumer| consumer.event(&event).err()).collect()
    }
}

impl Sink for MaskingSink {
    fn event(&self, event: &Event) {
        for text in self.hand_on(event) {
            // A consumer that can't take this event either has already reported why.
            self.hand_on(&Event::Log { level: Level::Warning, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::model::diagnostic::{Diagnostic, Severity, Source, SourceSpan};
    use crate::model::failure::{Detail, sentence};
    use crate::model::step::{ActionKind, Object, StepLabel};
    use crate::model::texts::tests as samples;
    use parking_lot::Mutex;

    #[derive(Default)]
    struct Kept(Mutex<Vec<Event>>);

    impl Consumer for Kept {
        fn event(&self, event: &Masked<Event>) -> Result<(), String> {
            self.0.lock().push(Event::clone(event));
            Ok(())
        }
    }

    /// A sink with one consumer.
    fn sink(secrets: Arc<Secrets>) -> (Arc<Kept>, MaskingSink) {
        let kept = Arc::new(Kept::default());
        let consumer: Arc<dyn Consumer> = kept.clone();
        (kept, MaskingSink::new(secrets, [consumer]))
    }

    fn secrets() -> Arc<Secrets> {
        let secrets = Secrets::new();
        secrets.add("key", "token", "hunter2hunter2");
        Arc::new(secrets)
    }

    #[test]
    fn no_event_tells_a_secret_that_became_known_after_the_sink_was_made() {
        let known = Arc::new(Secrets::new());
        let (kept, sink) = sink(known.clone());
        known.add("key", "token", "hunter2hunter2");
        for event in samples::events("a hunter2hunter2 b") {
            sink.event(&event);
        }
        for event in kept.0.lock().iter() {
            let shown = format!("{event:?}");
            assert!(shown.contains("a [secret key] b") && !shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn messages_of_spc_hide_url_credentials_and_other_output_stays_unchanged() {
        let (kept, sink) = sink(secrets());
        let text = || "see https://me:pass@host/".to_owned();
        let label = StepLabel {
            step: Some(1),
            service: None,
            action: ActionKind::Pull,
            object: Object::image(text()),
            undo: false,
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
            after_changes: false,
            fields: [("stderr".to_owned(), serde_json::json!(["hunter2hunter2 me:pass@host/"]))]
                .into(),
        };
        let masked = Masked::new(diagnostic, &secrets()).into_inner();
        let text = format!("{masked:?}");
        assert!(!text.contains("hunter2") && !text.contains("pass"), "{text}");
        assert_eq!(masked.place.unwrap().source.text.lines().count(), 2);
    }

    #[test]
    fn a_diagnostic_hides_a_secret_that_is_a_number_and_one_that_was_given_a_capital() {
        let known = secrets();
        known.add("pin", "pin token", "48151623");
        let diagnostic = Diagnostic {
            message: sentence("hunter2hunter2 is wrong"),
            fields: [("pin".to_owned(), serde_json::json!([{ "of": 48_151_623 }, 4815]))].into(),
            ..samples::diagnostic("x")
        };
        let masked = Masked::new(diagnostic, &known);
        assert_eq!(masked.message, "[secret key] is wrong");
        assert_eq!(masked.fields["pin"], serde_json::json!([{ "of": "[secret pin]" }, 4815]));
    }

    #[test]
    fn no_part_of_a_preview_or_a_diagnostic_shows_a_secret() {
        let text = "hunter2hunter2 https://me:pass@host/";
        let preview = Masked::new(samples::preview(text), &secrets());
        let diagnostic = Masked::new(samples::diagnostic(text), &secrets());
        for shown in [format!("{preview:?}"), format!("{diagnostic:?}")] {
            assert!(!shown.contains("hunter2") && !shown.contains("pass"), "{shown}");
        }
    }

    /// A consumer that always fails.
    struct Full;

    impl Consumer for Full {
        fn event(&self, _: &Masked<Event>) -> Result<(), String> {
            Err("not kept: hunter2hunter2".to_owned())
        }
    }

    #[test]
    fn a_failing_consumer_is_reported_masked_to_the_others() {
        let kept = Arc::new(Kept::default());
        let consumers: [Arc<dyn Consumer>; 2] = [Arc::new(Full), kept.clone()];
        let sink = MaskingSink::new(secrets(), consumers);
        sink.event(&Event::Print { text: "one".to_owned() });
        assert_eq!(
            *kept.0.lock(),
            [
                Event::Print { text: "one".to_owned() },
                Event::Log { level: Level::Warning, text: "not kept: [secret key]".to_owned() }
            ]
        );
    }
}
