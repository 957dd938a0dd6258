//! Logs of containers as one stream of lines, in the order of the engine's times.
//!
//! Existing lines are merged exactly ([`merge`]), with one line of each container in memory. New
//! lines are [followed](follow): over restarts, replacements and a restart of the engine, with
//! containers that start later, each line once.

mod clock;
mod container;
mod follow;
mod merge;
mod messages;
mod pending_lines;
mod seen_lines;
mod selection;

use futures::stream::{BoxStream, StreamExt};

pub use self::clock::engine_is_ahead_by;
pub use self::container::last_lines;
use self::container::{OpenLog, Range};
pub use self::selection::{LogLine, LogQuery, LogSource, Selection};
use self::selection::{unreadable, warn};
use super::VerbContext;
use crate::engine::{EngineError, EngineErrorKind};
use crate::model::Failure;
use crate::model::event::Level;

/// Lines in the order of their times. A failure is the last item.
pub type LogStream = BoxStream<'static, Result<LogLine, Failure>>;

/// The lines of the selected containers, by the engine's time. If one log can't be read, it warns
/// and continues with the others.
///
/// # Errors
/// If no log can be read, or the engine can't be reached.
pub async fn read(
    ctx: &VerbContext,
    selection: Selection,
    query: LogQuery,
) -> Result<LogStream, Failure> {
    // Before the list, so that no start is missed between the two.
    let events = if query.follow { Some(follow::subscribe(ctx, &selection).await?) } else { None };
    let containers = selection.list(ctx).await?;
    let range = Range { tail: query.tail, since: query.since, until: query.until };
    let (mut sources, mut refused) = (Vec::new(), Vec::new());
    for logged in containers {
        match container::history(ctx, &logged.id, range).await {
            Ok(opened) => sources.push((logged, opened)),
            // The container was removed meanwhile.
            Err(error) if error.is_not_found() => {}
            Err(error) => refused.push((logged, error)),
        }
    }
    refuse_or_warn(ctx, &refused, sources.is_empty())?;
    let Some(events) = events else { return Ok(history(ctx, sources).boxed()) };
    if sources.is_empty() {
        let name = match &selection {
            Selection::Project { project, .. } => project,
            Selection::Container { name, .. } => name,
        };
        ctx.log(
            Level::Warning,
            format!("There is no container of \"{name}\" whose log could be followed"),
        );
    }
    Ok(follow::follow(ctx.clone(), selection, query, sources, events).await?.boxed())
}

/// Fails with the first of `refused` if no log is left, or if it concerns several logs. Otherwise
/// warns about each.
fn refuse_or_warn(
    ctx: &VerbContext,
    refused: &[(LogSource, EngineError)],
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
        warn(ctx, logged, error.clone());
    }
    Ok(())
}

/// The existing content of the logs. If a log breaks off, it warns and continues with the others.
fn history(
    ctx: &VerbContext,
    sources: Vec<(LogSource, OpenLog)>,
) -> impl futures::Stream<Item = Result<LogLine, Failure>> + Send + use<> {
    let ctx = ctx.clone();
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
                Err(error) => warn(&ctx, &containers[at], error),
            }
        }
    }
}
