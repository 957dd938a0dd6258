//! Selects the containers whose logs are read, and the part of each log.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::messages;
use crate::apply::VerbContext;
use crate::apply::failures::of_engine;
use crate::apply::look::look;
use crate::engine::{EngineError, EngineErrorKind, OutputKind};
use crate::model::event::Level;
use crate::model::{Failure, Kind};

/// A line of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The container's name without the project: `backend-1`.
    pub from: String,
    pub service: String,
    /// The engine's time.
    pub time: DateTime<Utc>,
    pub stderr: bool,
    pub text: String,
}

/// A container whose log is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    pub id: String,
    pub service: String,
    pub from: String,
}

/// The containers whose logs are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// The containers of a project's services, or of some of them.
    Project { project: String, services: Option<BTreeSet<String>> },
    /// The container of that name.
    Container { project: String, name: String },
}

/// The part of each log that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogQuery {
    /// Whether to continue with new lines.
    pub follow: bool,
    /// The last lines of each container, up to this number.
    pub tail: Option<u64>,
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

impl Selection {
    /// The project it belongs to.
    pub fn project(&self) -> &str {
        match self {
            Self::Project { project, .. } | Self::Container { project, .. } => project,
        }
    }

    /// The existing containers.
    pub(super) async fn list(&self, ctx: &VerbContext) -> Result<Vec<LogSource>, Failure> {
        let services = match self {
            Self::Project { services, .. } => services,
            Self::Container { name, .. } => {
                let id = match ctx.engine.container_inspect(name).await {
                    Ok(found) => found.id.unwrap_or_default(),
                    Err(error) if error.is_not_found() => return Ok(Vec::new()),
                    Err(error) => {
                        return Err(of_engine(error, &format!("inspect the container \"{name}\"")));
                    }
                };
                return Ok(vec![LogSource { id, service: name.clone(), from: name.clone() }]);
            }
        };
        let containers = look(ctx, self.project()).await?.containers;
        let is_wanted =
            |service: &String| services.as_ref().is_none_or(|names| names.contains(service));
        Ok(containers
            .into_iter()
            .filter(|container| is_wanted(&container.service))
            .map(|container| LogSource {
                from: self.short(&container.name),
                id: container.id,
                service: container.service,
            })
            .collect())
    }

    /// A container's name for its lines: without the project, if the logs of a whole project are
    /// read.
    pub(super) fn short(&self, name: &str) -> String {
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

/// Warns that a container's log can't be read and is missing.
pub(super) fn warn(ctx: &VerbContext, logged: &LogSource, error: EngineError) {
    let failure = unreadable(logged, error);
    let hint = failure.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
    ctx.log(Level::Warning, format!("{}{hint}", failure.message));
}

/// The failure if a container's log can't be read.
pub(super) fn unreadable(logged: &LogSource, error: EngineError) -> Failure {
    let from = &logged.from;
    if error.kind == EngineErrorKind::Unsupported {
        return Failure::new(
            Kind::Engine,
            format!(
                "Could not read the log of \"{from}\": its logging driver does not support reading"
            ),
        )
        .hint(
            "give the service `logging: { driver: local }`, or read it where its driver sends it",
        );
    }
    of_engine(error, &format!("read the log of \"{from}\""))
}

impl LogSource {
    /// A line of this container.
    pub(super) fn line(&self, line: messages::TimedLine) -> LogLine {
        LogLine {
            from: self.from.clone(),
            service: self.service.clone(),
            time: line.time,
            stderr: line.kind == OutputKind::Stderr,
            text: line.text,
        }
    }
}
