//! The output of containers.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::containers::{Container, Phase};
use super::errors::refusal;
use super::state::State;
use crate::engine::sim::behaviour::access_log::LoggedAnswer;
use crate::engine::{LOG_PART, LogsRequest, OutputChunk, OutputKind, Result};
use crate::host::sim::{date, epoch};

/// Log drivers whose logs the engine can't read.
const UNREADABLE: [&str; 1] = ["none"];

/// A message of a container's log.
#[derive(Debug, Clone)]
pub(in crate::engine::sim) struct LogLine {
    at: Duration,
    kind: OutputKind,
    /// With its line feed, if there is one.
    text: Bytes,
}

/// Output of a process since its last line feed, and the time of the first part if one was split
/// off.
#[derive(Debug, Clone, Default)]
pub(in crate::engine::sim) struct PartialLine {
    text: Vec<u8>,
    cut_at: Option<Duration>,
}

/// The readers of a growing log.
pub(in crate::engine::sim) struct Follower {
    container: String,
    request: LogsRequest,
    sender: UnboundedSender<Result<OutputChunk>>,
}

impl PartialLine {
    /// Takes output at `now` and returns the resulting messages: whole lines, and parts of long
    /// ones, which have the time of the first part.
    fn push(&mut self, now: Duration, kind: OutputKind, text: &[u8]) -> Vec<LogLine> {
        let mut messages = Vec::new();
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            self.text.extend_from_slice(piece);
            while self.text.len() >= LOG_PART || self.text.ends_with(b"\n") {
                let part: Vec<u8> = self.text.drain(..self.text.len().min(LOG_PART)).collect();
                let at = self.cut_at.unwrap_or(now);
                self.cut_at = (!part.ends_with(b"\n")).then_some(at);
                messages.push(LogLine { at, kind, text: part.into() });
            }
        }
        messages
    }

    /// The last message, if the process ended in the middle of a line.
    fn finish(&mut self, now: Duration, kind: OutputKind) -> Option<LogLine> {
        let at = self.cut_at.take().unwrap_or(now);
        (!self.text.is_empty()).then(|| LogLine {
            at,
            kind,
            text: std::mem::take(&mut self.text).into(),
        })
    }
}

impl LogLine {
    fn chunk(&self, request: &LogsRequest) -> OutputChunk {
        let kind = if request.tty { OutputKind::Stdout } else { self.kind };
        let bytes = if request.timestamps {
            let time = date(self.at).to_rfc3339_opts(SecondsFormat::Nanos, true);
            [time.as_bytes(), b" ", self.text.as_ref()].concat().into()
        } else {
            self.text.clone()
        };
        OutputChunk { kind, bytes }
    }

    fn is_in(&self, request: &LogsRequest) -> bool {
        let at = date(self.at);
        request.since.is_none_or(|since| at >= since)
            && request.until.is_none_or(|until| at <= until)
    }
}

impl State {
    /// A container writes `text`. The log contains it from its line feed on, as the engine reads
    /// it.
    pub fn log(&mut self, id: &str, kind: OutputKind, text: &str) {
        let now = self.now;
        let Ok(container) = self.container_mut(id) else { return };
        for message in container.unfinished[usize::from(kind == OutputKind::Stderr)].push(
            now,
            kind,
            text.as_bytes(),
        ) {
            self.add_message(id, message);
        }
    }

    fn add_message(&mut self, id: &str, message: LogLine) {
        let Ok(container) = self.container_mut(id) else { return };
        container.log.push(message.clone());
        self.followers.retain(|follower| {
            follower.container != id
                || !message.is_in(&follower.request)
                || follower.sender.unbounded_send(Ok(message.chunk(&follower.request))).is_ok()
        });
    }

    /// The output so far and, if requested, what follows until the container ends.
    pub fn read_log(
        &mut self,
        wanted: &str,
        request: LogsRequest,
    ) -> Result<UnboundedReceiver<Result<OutputChunk>>> {
        let container = self.objects.find_container(wanted)?;
        let driver = container
            .host
            .log_config
            .as_ref()
            .and_then(|config| config.typ.as_deref())
            .unwrap_or_default();
        if UNREADABLE.contains(&driver) {
            return Err(refusal(501, "configured logging driver does not support reading"));
        }
        let requests = self.access_log(container, &request);
        let mut messages: Vec<&LogLine> = container.log.iter().chain(&requests).collect();
        messages.sort_by_key(|message| message.at);
        let tail = request.tail.map_or(messages.len(), |tail| {
            usize::try_from(tail).unwrap_or(usize::MAX).min(messages.len())
        });
        let (sender, receiver) = unbounded();
        // The engine first selects the tail, and then applies the times.
        for message in
            messages[messages.len() - tail..].iter().filter(|message| message.is_in(&request))
        {
            // The receiver still exists.
            let _ = sender.unbounded_send(Ok(message.chunk(&request)));
        }
        // The log of a container that is about to restart is not followed.
        if request.follow && container.phase == Phase::Running {
            let container = container.id.clone();
            self.followers.push(Follower { container, request, sender });
        }
        Ok(receiver)
    }

    /// The lines of a proxy about its requests, as far as the call may request them.
    fn access_log(&self, container: &Container, request: &LogsRequest) -> Vec<LogLine> {
        let time = |time: DateTime<Utc>| (time - epoch()).to_std().unwrap_or_default();
        let from = request.since.map_or(Duration::ZERO, time);
        let until = request.until.filter(|_| request.tail.is_none());
        let to = until.map_or(Duration::MAX, |until| time(until) + Duration::from_nanos(1));
        let mut requests = self.requests(container, from, to);
        if let Some(tail) = request.tail.and_then(|tail| usize::try_from(tail).ok()) {
            requests = requests.split_off(requests.len().saturating_sub(tail));
        }
        let line = |request: &LoggedAnswer| LogLine {
            at: request.at,
            kind: OutputKind::Stdout,
            text: request.line().into(),
        };
        requests.iter().map(line).collect()
    }

    /// A container's process has ended, and so have its last line and all followed logs.
    pub(in crate::engine::sim) fn end_log(&mut self, id: &str) {
        let now = self.now;
        for (at, kind) in [OutputKind::Stdout, OutputKind::Stderr].into_iter().enumerate() {
            let last = self
                .container_mut(id)
                .ok()
                .and_then(|container| container.unfinished[at].finish(now, kind));
            if let Some(message) = last {
                self.add_message(id, message);
            }
        }
        self.followers.retain(|follower| follower.container != id);
    }
}
