//! The log of one container: its existing lines, and its last lines.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use futures::stream::StreamExt;

use super::super::VerbContext;
use super::merge::{Lines, in_order};
use super::messages::{Reader, TimedLine, timed_lines};
use crate::engine::{Engine, EngineError, EngineErrorKind, LogsRequest, Result};
use crate::host::memory::LARGEST_VALUE;
use crate::model::lines::CUT;

/// The log of a container.
pub struct OpenLog {
    pub lines: Lines,
    /// When the container was last started, in the engine's form.
    pub started_at: String,
}

/// Which part of a log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Range {
    /// The last lines of the rest, up to this number.
    pub tail: Option<u64>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

/// Bytes of a log that are read before the next log is opened. Most logs are shorter, so they keep
/// no connection open.
const READ_AHEAD: usize = 64 << 10;

/// The existing lines of a container's log, in the order of their times.
pub async fn history(ctx: &VerbContext, id: &str, range: Range) -> Result<OpenLog> {
    let state = State::of(&*ctx.engine, id).await?;
    let lines = match range.tail {
        Some(count) => {
            futures::stream::iter(tail(ctx, id, state.tty, range, count).await?.into_iter().map(Ok))
                .boxed()
        }
        None => {
            let request = LogsRequest {
                since: range.since,
                until: range.until,
                timestamps: true,
                tty: state.tty,
                ..LogsRequest::default()
            };
            let stream = ctx.engine.container_logs(id, &request).await?;
            read_ahead(timed_lines(stream, state.tty, ctx.secrets.clone()).boxed()).await
        }
    };
    Ok(OpenLog { lines: in_order(lines).boxed(), started_at: state.started_at })
}

/// The output of the container from `since` on, until its process ends.
pub async fn follow(ctx: &VerbContext, id: &str, since: Option<DateTime<Utc>>) -> Result<OpenLog> {
    let state = State::of(&*ctx.engine, id).await?;
    let request = LogsRequest {
        follow: true,
        since,
        timestamps: true,
        tty: state.tty,
        ..LogsRequest::default()
    };
    let stream = ctx.engine.container_logs(id, &request).await?;
    Ok(OpenLog {
        lines: timed_lines(stream, state.tty, ctx.secrets.clone()).boxed(),
        started_at: state.started_at,
    })
}

/// The state of a container that is needed to read its log.
struct State {
    tty: bool,
    started_at: String,
}

impl State {
    async fn of(engine: &dyn Engine, id: &str) -> Result<Self> {
        let found = engine.container_inspect(id).await?;
        let tty = found.config.and_then(|config| config.tty).unwrap_or(false);
        Ok(Self {
            tty,
            started_at: found.state.and_then(|state| state.started_at).unwrap_or_default(),
        })
    }
}

async fn read_ahead(mut lines: Lines) -> Lines {
    let (mut ready, mut bytes) = (Vec::new(), 0);
    while bytes < READ_AHEAD {
        match lines.next().await {
            Some(line) => {
                bytes += line.as_ref().map_or(0, |line| line.text.len()) + size_of::<TimedLine>();
                ready.push(line);
            }
            None => return futures::stream::iter(ready).boxed(),
        }
    }
    futures::stream::iter(ready).chain(lines).boxed()
}

/// The last `count` lines.
///
/// The engine counts messages, of which a long line has several, and it counts them before it
/// applies `until`.
async fn tail(
    ctx: &VerbContext,
    id: &str,
    tty: bool,
    range: Range,
    count: u64,
) -> Result<VecDeque<TimedLine>> {
    let mut request = LogsRequest {
        since: range.since,
        until: range.until,
        timestamps: true,
        tty,
        ..LogsRequest::default()
    };
    if range.until.is_some() {
        return Ok(LastLines::read(ctx, id, &request, count).await?.lines);
    }
    // One more, because the first may be the end of an earlier line.
    let mut more = 1;
    loop {
        let asked = count.saturating_add(more);
        request.tail = Some(asked);
        let read = LastLines::read(ctx, id, &request, count).await?;
        let is_whole = read.messages < asked;
        if is_whole || read.all > count {
            return Ok(read.lines);
        }
        more = more.saturating_mul(8);
    }
}

/// The last lines of a log.
struct LastLines {
    lines: VecDeque<TimedLine>,
    /// The total number of lines.
    all: u64,
    messages: u64,
}

impl LastLines {
    async fn read(ctx: &VerbContext, id: &str, request: &LogsRequest, count: u64) -> Result<Self> {
        let mut stream = ctx.engine.container_logs(id, request).await?;
        let mut reader = Reader::new(request.tty, ctx.secrets.clone());
        let (mut last, mut bytes) = (Self { lines: VecDeque::new(), all: 0, messages: 0 }, 0);
        loop {
            let chunk = stream.next().await.transpose()?;
            let lines = match &chunk {
                Some(chunk) => reader.push(chunk),
                None => reader.finish(),
            };
            for line in lines {
                bytes += line.text.len() + size_of::<TimedLine>();
                last.all += 1;
                last.lines.push_back(line);
                while last.lines.len() as u64 > count {
                    bytes -= last
                        .lines
                        .pop_front()
                        .map_or(0, |line| line.text.len() + size_of::<TimedLine>());
                }
            }
            if bytes > LARGEST_VALUE {
                let words =
                    format!("its last {count} lines take more than {} MiB", LARGEST_VALUE >> 20);
                return Err(EngineError::new(EngineErrorKind::Invalid, words)
                    .with_hint("request fewer lines with tail or since"));
            }
            if chunk.is_none() {
                last.messages = reader.messages();
                return Ok(last);
            }
        }
    }
}

/// The output may begin a little before the time that the engine records as the start (2.3 ms
/// measured on an idle machine). Output of an earlier start is older than this: the engine needs
/// more than 300 ms from an exit to the next start.
const BEFORE_START: TimeDelta = TimeDelta::milliseconds(100);

/// The most bytes of the last lines.
const TEXT: usize = 64 << 10;

/// The last `count` lines that a container wrote since its start at `started_at`, as text; empty if
/// they can't be read.
pub async fn last_lines(
    ctx: &VerbContext,
    id: &str,
    tty: bool,
    started_at: Option<&str>,
    count: u64,
) -> String {
    let started = started_at.and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    let since = started.map(|time| time.to_utc() - BEFORE_START);
    let range = Range { tail: Some(count), since, until: None };
    let Ok(lines) = tail(ctx, id, tty, range, count).await else { return String::new() };
    let lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
    let text = lines.join("\n");
    // A few lines can be very long.
    let from = (text.len().saturating_sub(TEXT)..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default();
    let mark = if from > 0 { CUT } else { "" };
    format!("{mark}{}", text[from..].trim_end())
}
