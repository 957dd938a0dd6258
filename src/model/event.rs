//! What a run reports while it goes on, and what it asks: data that `ui` shows and run records
//! keep.
//!
//! With `--json` each is an object on a line of its own, `{"time": …, "event": "step_done", …}`.
//! The names are those of [`Event`]'s cases in snake case, the fields those that stand here; more
//! may come, none goes or changes its meaning. `docs/json.md` describes them, and the fields of
//! steps. What ends the run is `{"event": "end", "ok", "code", "error"?}`, always the last line; a
//! finding on the way is `{"event": "diagnostic", …}`.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::cause::Cause;
use super::plan_steps::{PlanStep, RollbackSteps};
use super::step::StepLabel;

/// Takes events as they happen. `cli` chooses the implementation; nobody below it prints.
pub trait Sink: Send + Sync {
    /// Takes one event; must not block for long.
    fn event(&self, event: &Event);
}

impl<S: Sink + ?Sized> Sink for Arc<S> {
    fn event(&self, event: &Event) {
        (**self).event(event);
    }
}

/// A sink that forgets everything: for tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl Sink for NoSink {
    fn event(&self, _: &Event) {}
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Debug,
    Info,
    /// As [`Self::Info`], of what the run found or decides by itself: a plan says it too.
    #[serde(rename = "info")]
    Notice,
    Warning,
    Error,
}

/// Where a running step is: in words, and what of it a program may want to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepStatus {
    /// `probing, exit code 2`, `[3/5] RUN pip install`.
    pub text: String,
    #[serde(flatten)]
    pub detail: Option<Detail>,
}

/// The kinds of standing, by their field `state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Detail {
    /// The container's health check is run, again and again; how it ended the last time.
    Probing {
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<i64>,
    },
    /// A step of a build: `cached` if it was answered from the cache.
    Building { cached: bool },
    /// It goes on: a wait that is longer than four seconds is spoken of now and then.
    Waiting,
    /// Bytes so far and in all, of the layers that the engine has told of.
    Transferring { current: u64, total: u64 },
}

impl StepStatus {
    /// Words with what stands behind them.
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
    /// What a verb is about to do.
    Planned {
        verb: String,
        project: String,
        steps: Vec<PlanStep>,
        /// The way back of each group that has one.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        rollbacks: Vec<RollbackSteps>,
        /// What is found and left alone.
        notes: Vec<String>,
    },
    /// A verb begins to walk its plan of `steps` steps.
    VerbStarted {
        project: String,
        verb: String,
        steps: usize,
        /// Services with something to do, in the order of the description.
        services: Vec<String>,
        /// Services that were meant as well and are as they should be.
        unchanged: Vec<String>,
    },
    /// It ended, well or not. Always comes, and once.
    VerbDone {
        project: String,
        verb: String,
        ok: bool,
        #[serde(rename = "elapsed_ms", serialize_with = "milliseconds")]
        elapsed: Duration,
    },
    /// The next step of a service can't begin yet. Said once for each cause.
    StepWaiting {
        #[serde(flatten)]
        label: StepLabel,
        /// `db and redis to be ready`.
        waits_for: String,
        /// Numbers of the steps that have to be done first.
        after: Vec<usize>,
    },
    /// A step of a plan began.
    StepStarted {
        #[serde(flatten)]
        label: StepLabel,
        /// Why; none for what only completes an earlier step.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
    },
    /// Where a running step is.
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
    /// A step was cancelled before it was done: by Ctrl-C, or because another one failed.
    StepInterrupted {
        #[serde(flatten)]
        label: StepLabel,
    },
    /// Nothing has to be done; said once per verb, in the place of its beginning and end.
    Unchanged { project: String, verb: String },
    /// A line that the runbook printed.
    Print { text: String },
    /// A line of `log::`, or a notice of spc's own.
    Log { level: Level, text: String },
    /// A line that a build or a host command wrote. Foreign text.
    Output { from: String, text: String },
    /// Another run holds the lock.
    Waiting { text: String },
    /// Somebody is asked at the terminal.
    Question { text: String },
    /// The question is answered, or withdrawn.
    Answer {
        text: String,
        /// Nothing if it was withdrawn.
        answer: Option<bool>,
    },
}

fn milliseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
