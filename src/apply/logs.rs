//! Logs of containers as one stream of lines, in the order of the engine's times.
//!
//! What is in the logs already is merged exactly ([`merge`]), with one line of each container at
//! hand. What comes from then on is [followed](follow): over restarts, replacements and an engine
//! that goes away, with containers that appear later, each line once.

mod container;
mod follow;
mod merge;
mod messages;
mod pending;
mod seen;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt};

pub use self::container::last_lines;
use self::container::{Opened, Range};
use super::Surroundings;
use super::failures::of_engine;
use super::verbs::look;
use crate::engine::{EngineError, EngineErrorKind, OutputKind};
use crate::model::event::Level;
use crate::model::{Failure, Kind};

/// A line of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The container's name without the project: `backend-1`.
    pub from: String,
    pub service: String,
    /// The engine's.
    pub time: DateTime<Utc>,
    pub stderr: bool,
    pub text: String,
}

/// A container whose log is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub id: String,
    pub service: String,
    pub from: String,
}

/// Whose logs are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The containers of a project's services, or of some of them.
    Project { project: String, services: Option<BTreeSet<String>> },
    /// The container of that name.
    Container { project: String, name: String },
}

/// What of the logs is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogQuery {
    /// Whether to go on with what is written from now on.
    pub follow: bool,
    /// The last so many lines of each container.
    pub tail: Option<u64>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

/// Lines in the order of their times. A failure is the last item.
pub type LogStream = BoxStream<'static, Result<LogLine, Failure>>;

impl Selection {
    /// The project it belongs to.
    pub fn project(&self) -> &str {
        match self {
            Self::Project { project, .. } | Self::Container { project, .. } => project,
        }
    }

    /// The containers that are there.
    async fn list(&self, around: &Surroundings) -> Result<Vec<Logged>, Failure> {
        let services = match self {
            Self::Project { services, .. } => services,
            Self::Container { name, .. } => {
                let id = match around.engine.container_inspect(name).await {
                    Ok(found) => found.id.unwrap_or_default(),
                    Err(error) if error.is_not_found() => return Ok(Vec::new()),
                    Err(error) => {
                        return Err(of_engine(error, &format!("inspect the container \"{name}\"")));
                    }
                };
                return Ok(vec![Logged { id, service: name.clone(), from: name.clone() }]);
            }
        };
        let containers = look(around, self.project()).await?.containers;
        let is_wanted =
            |service: &String| services.as_ref().is_none_or(|names| names.contains(service));
        Ok(containers
            .into_iter()
            .filter(|container| is_wanted(&container.service))
            .map(|container| Logged {
                from: self.short(&container.name),
                id: container.id,
                service: container.service,
            })
            .collect())
    }

    /// A container's name as its lines show it: without the project, where a whole project is read.
    fn short(&self, name: &str) -> String {
        match self {
            Self::Project { project, .. } => name
                .strip_prefix(project.as_str())
                .and_then(|rest| rest.strip_prefix('-'))
                .unwrap_or(name),
            Self::Container { .. } => name,
        }
        .to_owned()
    }
}

/// The lines of the selected containers, by the engine's time. A log that can't be read is warned
/// of where there are others.
///
/// # Errors
/// If no log can be read, or the engine can't be asked.
pub async fn read(
    around: &Surroundings,
    selection: Selection,
    query: LogQuery,
) -> Result<LogStream, Failure> {
    // Before the list, so that no start falls between the two.
    let events =
        if query.follow { Some(follow::subscribe(around, &selection).await?) } else { None };
    let containers = selection.list(around).await?;
    let range = Range { tail: query.tail, since: query.since, until: query.until };
    let (mut sources, mut refused) = (Vec::new(), Vec::new());
    for logged in containers {
        match container::history(around, &logged.id, range).await {
            Ok(opened) => sources.push((logged, opened)),
            // Removed meanwhile.
            Err(error) if error.is_not_found() => {}
            Err(error) => refused.push((logged, error)),
        }
    }
    refuse_or_warn(around, &refused, sources.is_empty())?;
    let Some(events) = events else { return Ok(history(around, sources).boxed()) };
    if sources.is_empty() {
        let name = match &selection {
            Selection::Project { project, .. } => project,
            Selection::Container { name, .. } => name,
        };
        around.log(
            Level::Warning,
            format!("There is no container of \"{name}\" whose log could be followed"),
        );
    }
    Ok(follow::follow(around.clone(), selection, query, sources, events).await?.boxed())
}

/// Fails with the first of `refused` if nothing else is left, or if it is about more than one log;
/// else warns of each.
fn refuse_or_warn(
    around: &Surroundings,
    refused: &[(Logged, EngineError)],
    is_all: bool,
) -> Result<(), Failure> {
    let concerns_all = |error: &EngineError| {
        matches!(error.kind, EngineErrorKind::Unreachable | EngineErrorKind::Refused)
    };
    let fatal = refused.iter().find(|(_, error)| is_all || concerns_all(error));
    if let Some((logged, error)) = fatal {
        return Err(unreadable(logged, error.clone()));
    }
    for (logged, error) in refused {
        warn(around, logged, error.clone());
    }
    Ok(())
}

/// Says that a container's log is not among the lines.
fn warn(around: &Surroundings, logged: &Logged, error: EngineError) {
    let failure = unreadable(logged, error);
    let hint = failure.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    around.log(Level::Warning, format!("{}{hint}", failure.message));
}

/// Why a container's log can't be read.
fn unreadable(logged: &Logged, error: EngineError) -> Failure {
    let from = &logged.from;
    if error.kind == EngineErrorKind::Unsupported {
        return Failure::new(
            Kind::Engine,
            format!("Could not read the log of \"{from}\": its logging driver keeps nothing that can be read"),
        )
        .hint("give the service `logging: { driver: local }`, or read it where its driver sends it");
    }
    of_engine(error, &format!("read the log of \"{from}\""))
}

/// What is in the logs by now. A log that breaks off is warned of, and the others go on.
fn history(
    around: &Surroundings,
    sources: Vec<(Logged, Opened)>,
) -> impl futures::Stream<Item = Result<LogLine, Failure>> + Send + use<> {
    let around = around.clone();
    let (containers, lines): (Vec<_>, Vec<_>) =
        sources.into_iter().map(|(logged, opened)| (logged, opened.lines)).unzip();
    let is_single = containers.len() == 1;
    async_stream::try_stream! {
        let merged = merge::merged(lines);
        futures::pin_mut!(merged);
        while let Some((at, line)) = merged.next().await {
            match line {
                Ok(line) => yield containers[at].line(line),
                Err(error) if is_single || error.kind == EngineErrorKind::Unreachable => Err(unreadable(&containers[at], error))?,
                Err(error) => warn(&around, &containers[at], error),
            }
        }
    }
}

impl Logged {
    /// A line of this container's.
    fn line(&self, line: messages::TimedLine) -> LogLine {
        LogLine {
            from: self.from.clone(),
            service: self.service.clone(),
            time: line.time,
            stderr: line.kind == OutputKind::Stderr,
            text: line.text,
        }
    }
}
