//! Logs: lists of lines, or lines as they arrive.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures::lock::Mutex;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};

use rhai::plugin::*;
use rhai::{Array, Dynamic, EvalAltResult, ImmutableString, Map};

use super::context::Context;
use super::project::verb_context;
use super::stack::Stack;
use super::{Raw, assume_option, task};
use crate::apply::logs::{LogLine, LogQuery, Selection, read as lines};
use crate::host::memory;
use crate::model::Failure;
use crate::model::time::parse_duration;
use crate::value::Options;
use crate::value::size::SizeBudget;

static FOLLOWED: AtomicUsize = AtomicUsize::new(0);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether a script is following a log. An interrupt is the normal way to end that, and not an
/// error.
pub fn is_followed() -> bool {
    FOLLOWED.load(Ordering::Relaxed) > 0
}

/// Call this when the run is interrupted. Returns whether it follows a log, so that it has nothing
/// to finish.
pub fn interrupt() -> bool {
    INTERRUPTED.store(is_followed(), Ordering::Relaxed);
    is_followed()
}

/// Whether the run was interrupted while it followed a log.
pub fn was_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// The same, once: for a session that goes on afterwards.
pub fn take_interrupt() -> bool {
    INTERRUPTED.swap(false, Ordering::Relaxed)
}

/// A log that a script is following.
struct FollowedLog;

impl FollowedLog {
    fn begin() -> Self {
        FOLLOWED.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Clone for FollowedLog {
    fn clone(&self) -> Self {
        Self::begin()
    }
}

impl Drop for FollowedLog {
    fn drop(&mut self) {
        FOLLOWED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream of lines for `for line in …`. A clone continues at the same position.
#[derive(Clone)]
pub struct LogStream {
    context: Arc<Context>,
    lines: Arc<Mutex<Lines>>,
    /// Only lines that contain this text.
    grep: Option<String>,
    /// Set once a script follows it.
    followed: Option<FollowedLog>,
}

type Lines = BoxStream<'static, Result<Line, Failure>>;

/// A line of a log, for scripts; printed as `backend-1 | text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    of: LogLine,
    /// The width of the longest name so far, so that the texts are aligned.
    width: usize,
    /// Whether its time is printed.
    timestamps: bool,
}

impl Line {
    fn time(&self) -> String {
        self.of.time.to_rfc3339_opts(SecondsFormat::Nanos, true)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:width$} | ", self.of.from, width = self.width)?;
        if self.timestamps {
            write!(f, "{} ", self.time())?;
        }
        f.write_str(&self.of.text)
    }
}

/// A script's request for logs.
pub(super) struct Request {
    query: LogQuery,
    timestamps: bool,
    /// The lines with which a plan continues.
    assumed: Option<Vec<String>>,
}

impl Request {
    /// The lines that are requested.
    pub(super) fn query(self) -> LogQuery {
        self.query
    }
}

/// The logs of a stack's services: a list, or a stream with `follow`.
pub(super) fn read(
    stack: &Stack,
    services: Option<Vec<String>>,
    given: Map,
) -> Result<Dynamic, Failure> {
    let request = request(&stack.context, given)?;
    let known = stack.service_names()?;
    if let Some(unknown) = services.iter().flatten().find(|name| !known.contains(*name)) {
        return Err(crate::model::spec::project::unknown("service", unknown, known.iter()));
    }
    of_services(stack, services.map(|names| names.into_iter().collect()), &request)
}

/// The logs of the containers of some or all services.
pub(super) fn of_services(
    stack: &Stack,
    services: Option<BTreeSet<String>>,
    request: &Request,
) -> Result<Dynamic, Failure> {
    let containers = stack.observe()?;
    let chosen = || {
        containers.iter().filter(|container| {
            services.as_ref().is_none_or(|names| names.contains(&container.service))
        })
    };
    let ids: Vec<String> = chosen().map(|container| container.id.clone()).collect();
    let width = chosen()
        .map(|container| {
            container
                .name
                .strip_prefix(&format!("{}-", stack.name))
                .unwrap_or(&container.name)
                .chars()
                .count()
        })
        .max()
        .unwrap_or(0);
    of(
        &stack.context,
        Selection::Project { project: stack.name.clone(), services },
        width,
        request,
        &ids,
    )
}

/// The logs of the given `containers`.
pub(super) fn of(
    context: &Arc<Context>,
    selection: Selection,
    width: usize,
    request: &Request,
    containers: &[String],
) -> Result<Dynamic, Failure> {
    let Request { query, timestamps, ref assumed } = *request;
    let lines_of = |id: &String| {
        assume_option::assumed_content(context, id, "the log of", assumed.as_ref())
            .map(|lines| (id.clone(), lines))
    };
    if let Some((id, lines)) = containers.iter().find_map(lines_of) {
        let from = context.watch.as_ref().and_then(|watch| watch.unknown(&id)).unwrap_or(id);
        let lines = lines.iter().map(|text| {
            let of = LogLine {
                from: from.clone(),
                service: String::new(),
                time: context.host.now(),
                stderr: false,
                text: text.clone(),
            };
            Line { of, width, timestamps }
        });
        return Ok(if query.follow {
            let lines = stream::iter(lines.map(Ok).collect::<Vec<_>>()).boxed();
            Dynamic::from(LogStream {
                context: context.clone(),
                lines: Arc::new(Mutex::new(lines)),
                grep: None,
                followed: None,
            })
        } else {
            lines.map(Dynamic::from).collect::<Array>().into()
        });
    }
    // Nothing is written while a plan is made.
    let read = LogQuery { follow: query.follow && context.watch.is_none(), ..query };
    let project = selection.project().to_owned();
    let found = task::wait(context, async {
        lines(&verb_context(context, &project).await?, selection, read).await
    })?;
    let mut width = width;
    let found = found.map(move |line| {
        let line = line?;
        width = width.max(line.from.chars().count());
        Ok(Line { of: line, width, timestamps })
    });
    if query.follow {
        return Ok(Dynamic::from(LogStream {
            context: context.clone(),
            lines: Arc::new(Mutex::new(found.boxed())),
            grep: None,
            followed: None,
        }));
    }
    let all: Array = task::wait(context, collected(context, found.boxed()))?;
    Ok(all.into())
}

/// All lines as a list, with the size limit of a list.
async fn collected(context: &Context, mut lines: Lines) -> Result<Array, Failure> {
    let too_many = |failure: Failure| {
        failure.hint("request fewer lines with tail or since, or read them with follow: true")
    };
    let (mut all, mut budget, mut asked) = (Array::new(), SizeBudget::new(), 0);
    while let Some(line) = lines.next().await {
        let line = line?;
        budget.element().and_then(|()| budget.text(line.of.text.len())).map_err(too_many)?;
        if budget.taken() > asked + memory::STEP {
            asked = budget.taken();
            drop(memory::reserve(|| context.host.memory(), asked)?);
        }
        all.push(Dynamic::from(line));
    }
    Ok(all)
}

/// The options `follow tail since until timestamps assume`.
pub(super) fn request(context: &Context, given: Map) -> Result<Request, Failure> {
    let mut options = Options::new(given, "options of logs");
    let now = context.host.now();
    let query = LogQuery {
        follow: options.bool("follow")?.unwrap_or(false),
        tail: options.count("tail")?,
        since: options.text("since")?.map(|text| moment(&text, now)).transpose()?,
        until: options.text("until")?.map(|text| moment(&text, now)).transpose()?,
    };
    let timestamps = options.bool("timestamps")?.unwrap_or(false);
    let assumed = assume_option::lines(&mut options)?;
    options.finish()?;
    Ok(Request { query, timestamps, assumed })
}

/// `"10m"` ago, or a time in RFC 3339; to the nanosecond.
fn moment(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(TimeDelta::from_std(ago)
            .ok()
            .and_then(|ago| now.checked_sub_signed(ago))
            .unwrap_or(DateTime::UNIX_EPOCH));
    }
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.to_utc())
        .map_err(|_| Failure::usage(format!("\"{text}\" is not a time; write \"10m\" for ten minutes ago, or \"2026-01-02T03:04:05Z\"")))
}

impl Iterator for LogStream {
    type Item = Result<Dynamic, Box<EvalAltResult>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.followed.get_or_insert_with(FollowedLog::begin);
            let next = task::wait(&self.context, async {
                self.lines.lock().await.next().await.transpose()
            });
            match next {
                Ok(Some(line))
                    if self
                        .grep
                        .as_ref()
                        .is_some_and(|text| !line.of.text.contains(text.as_str())) => {}
                Ok(line) => return line.map(|line| Ok(Dynamic::from(line))),
                Err(failure) => return Some(Err(failure.into())),
            }
        }
    }
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// The text of the line.
    #[rhai_fn(get = "text", pure)]
    pub fn text(line: &mut Line) -> String {
        line.of.text.clone()
    }

    /// The service that wrote the line.
    #[rhai_fn(get = "service", pure)]
    pub fn service(line: &mut Line) -> String {
        line.of.service.clone()
    }

    /// The container that wrote the line, without the project: `backend-1`.
    #[rhai_fn(get = "from", pure)]
    pub fn from(line: &mut Line) -> String {
        line.of.from.clone()
    }

    /// The time of the line by the engine's clock: RFC 3339 with nanoseconds, as `since` and
    /// `"until"` accept it.
    #[rhai_fn(get = "time", pure)]
    pub fn time(line: &mut Line) -> String {
        Line::time(line)
    }

    /// Whether the line was written to standard error.
    #[rhai_fn(get = "stderr", pure)]
    pub fn stderr(line: &mut Line) -> bool {
        line.of.stderr
    }

    /// A line has no tag.
    #[rhai_fn(get = "tag", return_raw, pure)]
    pub fn tag(line: &mut Line) -> Raw<Dynamic> {
        Err(Failure::usage(format!(
            "A log line has no \"tag\" (asked of a line of {})",
            line.of.from
        ))
        .into())
    }

    /// The line with the name of its container.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_text(line: &mut Line) -> String {
        line.to_string()
    }

    /// Only the lines that contain `text`.
    #[rhai_fn(name = "grep", pure)]
    pub fn grep_stream(stream: &mut LogStream, text: &str) -> LogStream {
        LogStream { grep: Some(text.to_owned()), ..stream.clone() }
    }

    /// Only the lines that contain `text`.
    #[rhai_fn(name = "grep", pure)]
    pub fn grep_list(lines: &mut Array, text: &str) -> Array {
        let holds = |item: &&Dynamic| match item.read_lock::<Line>() {
            Some(line) => line.of.text.contains(text),
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
