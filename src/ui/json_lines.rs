//! JSON output for programs: one JSON object per line on standard output.
//!
//! Every line of every command has the same envelope. Fields without a value are omitted. Texts are
//! exact, except for masked secrets. Invisible and control characters are escaped as `\u…`, so they
//! never reach a terminal. `docs/json.md` documents the output, and the tests compare the output
//! with that page.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, SecondsFormat, Utc};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::Value;

use super::diagnostics::DiagnosticJson;
use super::json_masking::{masked_texts, masked_value};
use super::terminal::Terminal;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::Event;
use crate::model::masking::{Consumer, Masked};
use crate::model::open_verbs::OpenVerbs;
use crate::model::preview::Preview;
use crate::model::verdict::{Summary, Verdict};

/// Returns the time. It is the host's, so that a simulated run shows simulated times.
pub type WallClock = Box<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Writes each event as `{"time": …, "event": …, …}`.
pub struct JsonLines {
    terminal: Arc<Terminal>,
    clock: WallClock,
    /// Held while a line is written.
    verbs: Mutex<OpenVerbs<()>>,
    /// The exit code in the last line, set right before that line is written. No line follows it.
    ended: OnceLock<u8>,
}

/// One line: the time, RFC 3339 in UTC with milliseconds, then the fields of the event.
#[derive(Serialize)]
struct Line<T: Serialize> {
    time: String,
    #[serde(flatten)]
    content: T,
}

/// The last line of a run.
#[derive(Serialize)]
#[serde(tag = "event", rename = "end")]
struct End<'a> {
    ok: bool,
    /// The exit code.
    code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<DiagnosticJson<'a>>,
}

/// What a runbook would do.
#[derive(Serialize)]
#[serde(tag = "event", rename = "plan")]
struct PreviewLine<'a> {
    #[serde(flatten)]
    preview: &'a Masked<Preview>,
}

/// A finding during the run.
#[derive(Serialize)]
#[serde(tag = "event", rename = "diagnostic")]
struct Finding<'a> {
    #[serde(flatten)]
    diagnostic: DiagnosticJson<'a>,
}

/// The result of a check.
#[derive(Serialize)]
#[serde(tag = "event", rename = "checked")]
struct CheckLine {
    files: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
}

/// The result of a test.
#[derive(Serialize)]
#[serde(tag = "event", rename = "test")]
struct TestLine<'a> {
    file: &'a str,
    name: &'a str,
    line: usize,
    ok: bool,
    seed: u64,
    seeds: u64,
    elapsed_ms: u128,
    simulated_ms: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<DiagnosticJson<'a>>,
}

/// A file whose tests can't be run.
#[derive(Serialize)]
#[serde(tag = "event", rename = "broken")]
struct BrokenFileLine<'a> {
    file: &'a str,
    error: DiagnosticJson<'a>,
}

/// The results of all tests.
#[derive(Serialize)]
#[serde(tag = "event", rename = "tests")]
struct TestSummaryLine {
    passed: usize,
    failed: usize,
    broken: usize,
    left_out: usize,
    elapsed_ms: u128,
}

/// A result of a command, one of many: a container, a finding of a crash sweep.
#[derive(Serialize)]
struct ResultLine<'a> {
    event: &'static str,
    #[serde(flatten)]
    fields: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<DiagnosticJson<'a>>,
}

/// A value that a line of the prompt's input gave.
#[derive(Serialize)]
#[serde(tag = "event", rename = "value")]
struct ValueLine<'a> {
    value: &'a serde_json::Value,
}

impl JsonLines {
    /// Lines with the time of `clock`.
    pub fn new(terminal: Arc<Terminal>, clock: WallClock) -> Self {
        Self { terminal, clock, verbs: Mutex::default(), ended: OnceLock::new() }
    }

    /// A warning or an error that does not end the run: `{"event": "diagnostic", …}`.
    pub fn diagnostic(&self, diagnostic: &Diagnostic) {
        self.write(Finding { diagnostic: (&*self.masked(diagnostic)).into() });
    }

    /// The result of a check: `{"event": "checked", "files": …, "errors": …, "warnings": …,
    /// "notes": …}`.
    pub fn checked(&self, files: usize, errors: usize, warnings: usize, notes: usize) {
        self.write(CheckLine { files, errors, warnings, notes });
    }

    /// The value of a statement that was piped to the prompt: `{"event": "value", "value": …}`.
    pub fn value(&self, value: &serde_json::Value) {
        self.write(ValueLine { value: &masked_value(value, self.terminal.secrets()) });
    }

    /// A test: `{"event": "test", "file", "name", "line", "ok", "seed", "seeds", "elapsed_ms",
    /// "simulated_ms", "error"?}`.
    pub fn verdict(&self, verdict: &Verdict) {
        let error = verdict.failure.as_ref().map(|error| self.masked(error));
        let secrets = self.terminal.secrets();
        self.write(TestLine {
            file: &secrets.mask(&verdict.file),
            name: &secrets.mask(&verdict.name),
            line: verdict.line,
            ok: error.is_none(),
            seed: verdict.seed,
            seeds: verdict.seeds,
            elapsed_ms: verdict.took.as_millis(),
            simulated_ms: verdict.simulated.as_millis(),
            error: error.as_deref().map(DiagnosticJson::from),
        });
    }

    /// A file whose tests can't be run: `{"event": "broken", "file", "error"}`.
    pub fn broken(&self, file: &str, error: &Diagnostic) {
        let file = &self.terminal.secrets().mask(file);
        self.write(BrokenFileLine { file, error: (&*self.masked(error)).into() });
    }

    /// All tests: `{"event": "tests", "passed", "failed", "broken", "left_out", "elapsed_ms"}`.
    pub fn summary(&self, summary: &Summary) {
        let Summary { passed, failed, broken, left_out, took } = *summary;
        self.write(TestSummaryLine {
            passed,
            failed,
            broken,
            left_out,
            elapsed_ms: took.as_millis(),
        });
    }

    /// What a runbook would do: `{"event": "plan", "items": […], "summary": {…}, …}`.
    pub fn plan(&self, preview: &Masked<Preview>) {
        self.write(PreviewLine { preview });
    }

    /// A result of a command: `{"event": <event>, …}` with the fields of `fields`, an object. Those
    /// that are `null`, at any depth, are left out.
    pub fn result(&self, event: &'static str, fields: Value, error: Option<&Diagnostic>) {
        let error = error.map(|error| self.masked(error));
        let fields = masked_texts(&without_nulls(fields), self.terminal.secrets());
        let error = error.as_deref().map(DiagnosticJson::from);
        self.write(ResultLine { event, fields: &fields, error });
    }

    /// Writes the last line: the exit code, whether the run succeeded, and the error. If a signal
    /// ends a run that is just ending by itself, only the first call counts. Returns the exit code
    /// in the line.
    pub fn end(&self, code: u8, ok: bool, error: Option<&Diagnostic>) -> u8 {
        let error = error.map(|error| self.masked(error));
        let _writing = self.verbs.lock();
        match self.ended.set(code) {
            Ok(()) => {
                let error = error.as_deref().map(DiagnosticJson::from);
                self.write_line(End { ok, code, error });
                code
            }
            Err(_) => self.exit_code().unwrap_or(code),
        }
    }

    /// The exit code that the last line says, if it is written or about to be. Doesn't wait for
    /// another thread that writes.
    pub fn exit_code(&self) -> Option<u8> {
        self.ended.get().copied()
    }

    fn masked(&self, diagnostic: &Diagnostic) -> Masked<Diagnostic> {
        Masked::new(diagnostic.clone(), self.terminal.secrets())
    }

    /// Writes content that is already masked. Words of spc stay, even if a secret is the same word.
    fn write(&self, content: impl Serialize) {
        let _writing = self.verbs.lock();
        if self.ended.get().is_none() {
            self.write_line(content);
        }
    }

    fn write_line(&self, content: impl Serialize) {
        let time = (self.clock)().to_rfc3339_opts(SecondsFormat::Millis, true);
        match serde_json::to_string(&Line { time, content }) {
            Ok(line) => self.terminal.masked_data(&line),
            Err(error) => {
                self.terminal.err(&format!("An event could not be written as JSON: {error}"))
            }
        }
    }
}

impl Consumer for JsonLines {
    fn event(&self, event: &Masked<Event>) -> Result<(), String> {
        let mut verbs = self.verbs.lock();
        if self.ended.get().is_none() && verbs.admit(event, ()) {
            self.write_line(event);
        }
        Ok(())
    }
}

/// A value without its null fields.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            fields.map(|(name, value)| (name, without_nulls(value))).collect()
        }
        Value::Array(values) => values.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::model::cause::Cause;
    use crate::model::diagnostic::Severity;
    use crate::model::secret::Secrets;
    use crate::model::step::{ActionKind, Object, StepLabel};
    use crate::ui::fixture::CapturedTerminal;
    use similar_asserts::assert_eq;
    use std::time::Duration;

    fn lines(captured: &CapturedTerminal) -> JsonLines {
        JsonLines::new(
            captured.terminal.clone(),
            Box::new(|| DateTime::from_timestamp_millis(1_700_000_000_250).unwrap()),
        )
    }

    #[test]
    fn each_event_is_an_object_with_its_time() {
        let captured = CapturedTerminal::plain();
        let lines = lines(&captured);
        captured.tell(
            &lines,
            &Event::StepDone {
                label: StepLabel {
                    step: Some(3),
                    service: Some("db".to_owned()),
                    action: ActionKind::Start,
                    object: Object::container("spc-db-1"),
                    undo: false,
                },
                elapsed: Duration::from_millis(151),
            },
        );
        captured.tell(
            &lines,
            &Event::Output { from: "build".to_owned(), text: "\u{1b}[32mok".to_owned() },
        );
        assert_eq!(
            captured.stdout(),
            r#"{"time":"2023-11-14T22:13:20.250Z","event":"step_done","step":3,"service":"db","action":"start","object":{"kind":"container","name":"spc-db-1"},"elapsed_ms":151}
{"time":"2023-11-14T22:13:20.250Z","event":"output","from":"build","text":"\u001b[32mok"}
"#
        );
    }

    #[test]
    fn a_word_of_spc_itself_stays_if_a_secret_is_the_same() {
        let captured = CapturedTerminal::plain();
        for (number, word) in ["start", "container", "missing", "failed"].into_iter().enumerate() {
            let token = Secrets::token("key", [u8::try_from(number).unwrap(); 16]);
            captured.secrets.add("key", &token, word);
        }
        let label = StepLabel {
            step: None,
            service: None,
            action: ActionKind::Start,
            object: Object::container("container-1"),
            undo: false,
        };
        let cause = Some(Cause::NotThere);
        captured.tell(&lines(&captured), &Event::StepStarted { label, cause });
        assert_eq!(
            captured.stdout(),
            r#"{"time":"2023-11-14T22:13:20.250Z","event":"step_started","action":"start","object":{"kind":"container","name":"[secret key]-1"},"cause":"missing"}
"#
        );
    }

    #[test]
    fn the_last_line_says_how_it_ended() {
        let captured = CapturedTerminal::plain();
        let error = Diagnostic {
            severity: Severity::Error,
            kind: Kind::Unhealthy,
            message: "The service \"db\" is not ready".to_owned(),
            hint: None,
            place: None,
            trace: Vec::new(),
            details: Vec::new(),
            fields: [("service".to_owned(), "db".into())].into(),
            after_changes: false,
        };
        lines(&captured).end(0, true, None);
        lines(&captured).end(1, false, Some(&error));
        assert_eq!(
            captured.stdout(),
            r#"{"time":"2023-11-14T22:13:20.250Z","event":"end","ok":true,"code":0}
{"time":"2023-11-14T22:13:20.250Z","event":"end","ok":false,"code":1,"error":{"severity":"error","kind":"unhealthy","message":"The service \"db\" is not ready","service":"db"}}
"#
        );
    }

    #[test]
    fn a_result_has_the_envelope_and_nothing_without_a_value() {
        let captured = CapturedTerminal::plain();
        captured.secrets.add("key", &Secrets::token("key", [0; 16]), "name");
        let fields = serde_json::json!({
            "name": "my name", "exit_code": null, "ports": [{ "published": 80, "host_ip": null }]
        });
        lines(&captured).result("container", fields, None);
        assert_eq!(
            captured.stdout(),
            r#"{"time":"2023-11-14T22:13:20.250Z","event":"container","name":"my [secret key]","ports":[{"published":80}]}
"#
        );
    }

    #[test]
    fn nothing_comes_after_the_last_line_and_its_code_counts() {
        let captured = CapturedTerminal::plain();
        let lines = lines(&captured);
        assert_eq!(lines.end(130, false, None), 130);
        let writing = lines.verbs.lock();
        assert_eq!(lines.exit_code(), Some(130), "also while another thread writes");
        drop(writing);
        captured.tell(&lines, &Event::Print { text: "too late".to_owned() });
        assert_eq!(lines.end(0, true, None), 130);
        assert_eq!(
            captured.stdout(),
            "{\"time\":\"2023-11-14T22:13:20.250Z\",\"event\":\"end\",\"ok\":false,\"code\":130}\n"
        );
    }

    #[test]
    fn a_verb_ends_once_whoever_reports_it() {
        let captured = CapturedTerminal::plain();
        let lines = lines(&captured);
        let started = Event::VerbStarted {
            project: "shop".to_owned(),
            verb: "up".to_owned(),
            steps: 1,
            services: Vec::new(),
            unchanged: Vec::new(),
        };
        let done = |ok| Event::VerbDone {
            project: "shop".to_owned(),
            verb: "up".to_owned(),
            ok,
            elapsed: Duration::ZERO,
        };
        for event in [started, done(true), done(false)] {
            captured.tell(&lines, &event);
        }
        let stdout = captured.stdout();
        assert_eq!(stdout.matches("verb_done").count(), 1, "{stdout}");
        assert!(stdout.contains(r#""ok":true"#), "the first end counts: {stdout}");
    }

    #[test]
    fn a_value_of_any_type_is_written_to_its_field() {
        let captured = CapturedTerminal::plain();
        lines(&captured).value(&serde_json::json!({ "event": "x", "list": [1, null] }));
        assert_eq!(
            captured.stdout(),
            "{\"time\":\"2023-11-14T22:13:20.250Z\",\"event\":\"value\",\"value\":{\"event\":\"x\",\"list\":[1,null]}}\n"
        );
    }

    #[test]
    fn a_secret_with_quotes_is_hidden_in_json_too() {
        let captured = CapturedTerminal::plain();
        captured.secrets.add("key", "token", "pa\"ss\\word");
        captured.tell(&lines(&captured), &Event::Print { text: "it is pa\"ss\\word".to_owned() });
        assert!(
            captured.stdout().contains(r#""text":"it is [secret key]""#),
            "{}",
            captured.stdout()
        );
    }
}
