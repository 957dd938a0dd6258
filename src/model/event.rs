//! What a run reports and asks, as data: `ui` shows it and the journal stores it.
//!
//! With `--json` each event is an object on its own line, `{"time": …, "event": "step_done", …}`.
//! The names are those of [`Event`]'s variants in snake case, and the fields have the names used
//! here. Later versions may add fields, but don't remove one or change its meaning. `docs/json.md`
//! describes the events, and the fields of steps. The last line is always the end of the run,
//! `{"event": "end", "ok", "code", "error"?}`. A finding during the run is `{"event": "diagnostic",
//! …}`.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::cause::Cause;
use super::plan_steps::{PlanStep, RollbackSteps};
use super::step::StepLabel;

/// Receives events as they happen. `cli` chooses the implementation; no module below it prints.
pub trait Sink: Send + Sync {
    /// Receives one event; must not block for long.
    fn event(&self, event: &Event);
}

impl<S: Sink + ?Sized> Sink for Arc<S> {
    fn event(&self, event: &Event) {
        (**self).event(event);
    }
}

/// A sink for tests that drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn event(&self, _: &Event) {}
}

/// The importance of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Debug,
    Info,
    /// Like [`Self::Info`], for things that the run found or decides by itself. A plan reports them
    /// too.
    #[serde(rename = "info")]
    Notice,
    Warning,
    Error,
}

/// The progress of a running step: as text, and as fields for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepStatus {
    /// `probing, exit code 2`, `[3/5] RUN pip install`.
    pub text: String,
    #[serde(flatten)]
    pub detail: Option<Detail>,
}

/// The kinds of progress, by their field `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Detail {
    /// The container's health check runs repeatedly; with the exit code of the last probe.
    Probing {
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i64>,
    },
    /// A step of a build; `cached` if its result comes from the cache.
    Building { cached: bool },
    /// The step continues. Waits longer than four seconds report this now and then.
    Waiting,
    /// The container that the step waits for has exited with code 0.
    Completed,
    /// Bytes so far and in all, for the layers that the engine has reported.
    Transferring { current: u64, total: u64 },
}

impl StepStatus {
    /// A text with its details.
    pub fn new(text: impl Into<String>, detail: Detail) -> Self {
        Self { text: text.into(), detail: Some(detail) }
    }
}

impl From<&str> for StepStatus {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), detail: None }
    }
}

impl From<String> for StepStatus {
    fn from(text: String) -> Self {
        Self { text, detail: None }
    }
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(strum::VariantNames))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The plan of a verb.
    Planned {
        verb: String,
        project: String,
        steps: Vec<PlanStep>,
        /// The rollback of each group that has one.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        rollbacks: Vec<RollbackSteps>,
        /// Findings that the verb does not change.
        notes: Vec<String>,
    },
    /// A verb starts to execute its plan of `steps` steps.
    VerbStarted {
        project: String,
        verb: String,
        steps: usize,
        /// Services with something to do, in the order of the description.
        services: Vec<String>,
        /// Services that the verb covers and that need no change.
        unchanged: Vec<String>,
    },
    /// The verb ended, successfully or not. Always sent, and exactly once.
    VerbDone {
        project: String,
        verb: String,
        ok: bool,
        #[serde(rename = "elapsed_ms", serialize_with = "milliseconds")]
        elapsed: Duration,
    },
    /// The next step of a service can't start yet. Sent once for each cause.
    StepWaiting {
        #[serde(flatten)]
        label: StepLabel,
        /// `db and redis to be ready`.
        waits_for: String,
        /// Numbers of the steps that have to end first.
        after: Vec<usize>,
    },
    /// A step of a plan started.
    StepStarted {
        #[serde(flatten)]
        label: StepLabel,
        /// The cause; `None` if the step only completes an earlier one.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
    },
    /// The progress of a running step.
    StepProgress {
        #[serde(flatten)]
        label: StepLabel,
        #[serde(flatten)]
        standing: StepStatus,
    },
    StepDone {
        #[serde(flatten)]
        label: StepLabel,
        #[serde(rename = "elapsed_ms", serialize_with = "milliseconds")]
        elapsed: Duration,
    },
    StepFailed {
        #[serde(flatten)]
        label: StepLabel,
        message: String,
    },
    /// A step was cancelled before its end, by Ctrl-C or because another step failed.
    StepInterrupted {
        #[serde(flatten)]
        label: StepLabel,
    },
    /// The verb has nothing to do. Sent once per verb, instead of its start and end.
    Unchanged { project: String, verb: String },
    /// A line that the runbook printed.
    Print { text: String },
    /// A line of `log::`, or a notice of spc.
    Log { level: Level, text: String },
    /// A line that a build or a host command wrote. The text comes from outside.
    Output { from: String, text: String },
    /// Another run holds the lock.
    Waiting { text: String },
    /// A person is asked at the terminal.
    Question { text: String },
    /// The question was answered, or cancelled.
    Answer {
        text: String,
        /// `None` if the question was cancelled.
        #[serde(skip_serializing_if = "Option::is_none")]
        answer: Option<bool>,
    },
}

fn milliseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
