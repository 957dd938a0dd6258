//! Logs: lists of lines, or lines as they come.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::lock::Mutex;
use futures::stream::BoxStream;

use rhai::plugin::*;
use rhai::{Array, Dynamic, EvalAltResult, ImmutableString, Map};

use super::context::Context;
use super::project::surroundings;
use super::stack::Stack;
use super::task;
use crate::apply::logs::{LogLine, Logged, lines};
use crate::engine::LogsRequest;
use crate::host::memory;
use crate::model::Failure;
use crate::model::time::parse_duration;
use crate::value::Options;
use crate::value::size::Room;

/// Lines as they are written: what `for line in …` goes through. A clone goes on where the other is.
#[derive(Clone)]
pub struct LogStream {
    context: Arc<Context>,
    lines: Arc<Mutex<BoxStream<'static, Line>>>,
    /// Only lines that hold this.
    grep: Option<String>,
}

/// A line of a log as a script has it; printed as `backend-1 | text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    line: LogLine,
    /// Columns of the longest name, so that the texts stand below each other.
    width: usize,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:width$} | ", self.line.from, width = self.width)?;
        if let Some(time) = &self.line.time {
            write!(f, "{time} ")?;
        }
        f.write_str(&self.line.text)
    }
}

/// The logs of a stack's services: a list, or with `follow` a stream.
pub(super) fn read(stack: &Stack, services: Option<Vec<String>>, given: Map) -> Result<Dynamic, Failure> {
    let (request, follow) = request(&stack.context, given)?;
    let known = stack.service_names()?;
    if let Some(unknown) = services.iter().flatten().find(|name| !known.contains(*name)) {
        return Err(crate::model::spec::project::unknown("service", unknown, known.iter()));
    }
    let containers = stack.observe()?;
    let logged: Vec<Logged> = containers
        .into_iter()
        .filter(|container| services.as_ref().is_none_or(|names| names.contains(&container.service)))
        .map(|container| Logged {
            from: container.name.strip_prefix(&format!("{}-", stack.name)).unwrap_or(&container.name).to_owned(),
            id: container.id,
            service: container.service,
        })
        .collect();
    of(&stack.context, &stack.name, logged, request, follow)
}

/// The logs of some containers.
pub(super) fn of(
    context: &Arc<Context>,
    project: &str,
    logged: Vec<Logged>,
    request: LogsRequest,
    follow: bool,
) -> Result<Dynamic, Failure> {
    let width = logged.iter().map(|container| container.from.chars().count()).max().unwrap_or(0);
    let found = task::wait(context, async {
        let around = surroundings(context, project).await?;
        Ok(lines(&around, &logged, request).await?.map(move |line| Line { line, width }))
    })?;
    if follow {
        return Ok(Dynamic::from(LogStream { context: context.clone(), lines: Arc::new(Mutex::new(found.boxed())), grep: None }));
    }
    let all: Array = task::wait(context, collected(context, found.boxed()))?;
    Ok(all.into())
}

/// All lines as a list, which has the size that a list may have.
async fn collected(context: &Context, mut lines: BoxStream<'static, Line>) -> Result<Array, Failure> {
    let too_many = |failure: Failure| failure.hint("ask for fewer lines with tail or since, or go through them with follow: true");
    let (mut all, mut room, mut asked) = (Array::new(), Room::new(), 0);
    while let Some(line) = lines.next().await {
        room.element().and_then(|()| room.text(line.line.text.len())).map_err(too_many)?;
        if room.taken() > asked + memory::STEP {
            asked = room.taken();
            drop(memory::reserve(|| context.host.memory(), asked)?);
        }
        all.push(Dynamic::from(line));
    }
    Ok(all)
}

/// The options `follow tail since until timestamps`.
pub(super) fn request(context: &Context, given: Map) -> Result<(LogsRequest, bool), Failure> {
    let mut options = Options::new(given, "options of logs");
    let follow = options.bool("follow")?.unwrap_or(false);
    let now = context.host.now();
    let request = LogsRequest {
        follow,
        tail: options.count("tail")?,
        since: options.text("since")?.map(|text| moment(&text, now)).transpose()?,
        until: options.text("until")?.map(|text| moment(&text, now)).transpose()?,
        timestamps: options.bool("timestamps")?.unwrap_or(false),
        tty: false,
    };
    options.finish()?;
    Ok((request, follow))
}

/// `"10m"` ago, or a time in RFC 3339; seconds since the epoch.
fn moment(text: &str, now: DateTime<Utc>) -> Result<i64, Failure> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(now.timestamp() - i64::try_from(ago.as_secs()).unwrap_or(i64::MAX / 2));
    }
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.timestamp())
        .map_err(|_| Failure::usage(format!("\"{text}\" is not a time; write \"10m\" for ten minutes ago, or \"2026-01-02T03:04:05Z\"")))
}

impl Iterator for LogStream {
    type Item = Result<Dynamic, Box<EvalAltResult>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let next = task::wait(&self.context, async { Ok(self.lines.lock().await.next().await) });
            match next {
                Ok(Some(line)) if self.grep.as_ref().is_some_and(|text| !line.line.text.contains(text.as_str())) => {}
                Ok(line) => return line.map(|line| Ok(Dynamic::from(line))),
                Err(failure) => return Some(Err(failure.into())),
            }
        }
    }
}

type Raw<T> = Result<T, Box<EvalAltResult>>;

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// What was written.
    #[rhai_fn(get = "text", pure)]
    pub fn text(line: &mut Line) -> String {
        line.line.text.clone()
    }

    /// The service that wrote it.
    #[rhai_fn(get = "service", pure)]
    pub fn service(line: &mut Line) -> String {
        line.line.service.clone()
    }

    /// The container that wrote it, without the project: `backend-1`.
    #[rhai_fn(get = "from", pure)]
    pub fn from(line: &mut Line) -> String {
        line.line.from.clone()
    }

    /// When it was written, in RFC 3339; `()` unless `timestamps` was given.
    #[rhai_fn(get = "time", pure)]
    pub fn time(line: &mut Line) -> Dynamic {
        line.line.time.clone().map_or(Dynamic::UNIT, Dynamic::from)
    }

    /// Whether it was written to standard error.
    #[rhai_fn(get = "stderr", pure)]
    pub fn stderr(line: &mut Line) -> bool {
        line.line.stderr
    }

    /// A line has no tag.
    #[rhai_fn(get = "tag", return_raw, pure)]
    pub fn tag(line: &mut Line) -> Raw<Dynamic> {
        Err(Failure::usage(format!("A log line has no \"tag\" (asked of a line of {})", line.line.from)).into())
    }

    /// The line with the name of its container.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_text(line: &mut Line) -> String {
        line.to_string()
    }

    /// Only the lines that hold `text`.
    #[rhai_fn(name = "grep", pure)]
    pub fn grep_stream(stream: &mut LogStream, text: &str) -> LogStream {
        LogStream { grep: Some(text.to_owned()), ..stream.clone() }
    }

    /// Only the lines that hold `text`.
    #[rhai_fn(name = "grep", pure)]
    pub fn grep_list(lines: &mut Array, text: &str) -> Array {
        let holds = |item: &&Dynamic| match item.read_lock::<Line>() {
            Some(line) => line.line.text.contains(text),
            None => item.read_lock::<ImmutableString>().is_some_and(|line| line.contains(text)),
        };
        lines.iter().filter(holds).cloned().collect()
    }
}

/// Registers the types and functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<LogStream>("log stream");
    engine.register_type_with_name::<Line>("log line");
    engine.register_iterator_result::<LogStream, Dynamic>();
    engine.register_global_module(shared_module!(functions));
}
