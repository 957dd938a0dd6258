//! What a run reports while it goes on, and what it asks: data that `ui` shows and run records keep.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

/// Takes events as they happen. `cli` puts the inhabitant in; nobody below it prints.
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
    Warning,
    Error,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A step of a plan began. `object` is what it is about: `container spc-db-1`.
    StepStarted {
        step: usize,
        service: Option<String>,
        action: String,
        object: String,
        cause: String,
    },
    /// Where a running step is: `probing, exit code 2`, `[3/5] RUN pip install`.
    StepProgress {
        step: usize,
        service: Option<String>,
        text: String,
    },
    StepDone {
        step: usize,
        service: Option<String>,
        action: String,
        object: String,
        #[serde(rename = "elapsed_ms", serialize_with = "milliseconds")]
        elapsed: Duration,
    },
    StepFailed {
        step: usize,
        service: Option<String>,
        action: String,
        object: String,
        message: String,
    },
    /// Nothing has to be done; said once per verb.
    Unchanged {
        project: String,
        verb: String,
    },
    /// A line that the runbook printed.
    Print {
        text: String,
    },
    /// A line of `log::`, or a notice of spc's own.
    Log {
        level: Level,
        text: String,
    },
    /// A line that a container, a build or a host command wrote. Foreign text.
    Output {
        from: String,
        text: String,
    },
    /// Another run holds the lock.
    Waiting {
        text: String,
    },
}

fn milliseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
