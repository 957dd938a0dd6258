//! What containers wrote.

use std::time::Duration;

use bytes::Bytes;
use chrono::SecondsFormat;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::containers::Container;
use super::state::State;
use super::traffic::Answered;
use crate::engine::{LogsRequest, OutputChunk, OutputKind, Result};
use crate::host::sim::date;

/// A line of a container's log.
#[derive(Debug, Clone)]
pub(super) struct LogLine {
    at: Duration,
    kind: OutputKind,
    /// With its line feed, if it has one.
    text: Bytes,
}

/// Who reads a log as it grows.
pub(super) struct Follower {
    container: String,
    request: LogsRequest,
    sender: UnboundedSender<Result<OutputChunk>>,
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
        let after = |limit: Option<i64>| limit.is_none_or(|seconds| at.timestamp() >= seconds);
        let before = |limit: Option<i64>| {
            limit.is_none_or(|seconds| at.timestamp() < seconds || at.timestamp() == seconds && at.timestamp_subsec_nanos() == 0)
        };
        after(request.since) && before(request.until)
    }
}

impl State {
    /// A container writes `text`: a line with its line feed, or what has none.
    pub fn log(&mut self, id: &str, kind: OutputKind, text: &str) {
        let now = self.now;
        let Ok(container) = self.container_mut(id) else { return };
        let line = LogLine { at: now, kind, text: text.to_owned().into() };
        container.log.push(line.clone());
        self.followers.retain(|follower| {
            follower.container != id
                || !line.is_in(&follower.request)
                || follower.sender.unbounded_send(Ok(line.chunk(&follower.request))).is_ok()
        });
    }

    /// What was written so far and, where asked for, what comes until the container ends.
    pub fn read_log(&mut self, wanted: &str, request: LogsRequest) -> Result<UnboundedReceiver<Result<OutputChunk>>> {
        let container = self.objects.find_container(wanted)?;
        let requests = self.access_log(container, &request);
        let mut lines: Vec<&LogLine> = container.log.iter().chain(&requests).filter(|line| line.is_in(&request)).collect();
        lines.sort_by_key(|line| line.at);
        let tail = request.tail.map_or(lines.len(), |tail| usize::try_from(tail).unwrap_or(usize::MAX).min(lines.len()));
        let (sender, receiver) = unbounded();
        for line in &lines[lines.len() - tail..] {
            // The receiver is still here.
            let _ = sender.unbounded_send(Ok(line.chunk(&request)));
        }
        if request.follow && container.is_running() {
            let container = container.id.clone();
            self.followers.push(Follower { container, request, sender });
        }
        Ok(receiver)
    }

    /// What a proxy wrote of the requests it passed on, as far as the request may ask for it.
    fn access_log(&self, container: &Container, request: &LogsRequest) -> Vec<LogLine> {
        let time = |seconds: i64| u64::try_from(seconds - date(Duration::ZERO).timestamp()).map_or(Duration::ZERO, Duration::from_secs);
        let from = request.since.map_or(Duration::ZERO, time);
        let to = request.until.map_or(Duration::MAX, |until| time(until) + Duration::from_nanos(1));
        let mut requests = self.requests(container, from, to);
        if let Some(tail) = request.tail.and_then(|tail| usize::try_from(tail).ok()) {
            requests = requests.split_off(requests.len().saturating_sub(tail));
        }
        let line = |request: &Answered| LogLine { at: request.at, kind: OutputKind::Stdout, text: request.line().into() };
        requests.iter().map(line).collect()
    }

    /// A container has ended, and its log with it.
    pub(super) fn end_followers(&mut self, id: &str) {
        self.followers.retain(|follower| follower.container != id);
    }
}
