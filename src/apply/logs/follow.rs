//! Follows logs across restarts, replacements and a restart of the engine. Includes containers that
//! start later.
//!
//! The engine ends the log of a container each time the container's process ends. spc opens it
//! again at the next start and continues after the last returned line. Following ends when no more
//! lines can come: [`RETURN`] after the last container was stopped from outside, or soon after the
//! last container exited by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Fuse, FuturesUnordered, SelectAll, StreamExt};
use futures::{FutureExt, Stream};

use super::clock::engine_time;
use super::container::{self, OpenLog};
use super::messages::TimedLine;
use super::pending_lines::{PendingLines, WINDOW};
use super::seen_lines::SeenLines;
use super::{LogLine, LogQuery, LogSource, Selection, merge, unreadable, warn};
use crate::apply::VerbContext;
use crate::apply::failures::of_engine;
use crate::apply::observe::{LIFE_EVENTS, LifeChange, LifeEvent, container_state, life_event};
use crate::engine::{EngineError, EngineErrorKind, Filters, label_filter};
use crate::model::event::Level;
use crate::model::names::compose_label;
use crate::model::observed_state::ContainerState;
use crate::model::time::readable;
use crate::model::{Failure, Kind};

/// The time in which a container that was stopped from outside may be started again, or replaced.
const RETURN: Duration = Duration::from_secs(10);
/// The time in which the event about a stop from outside may arrive after the end of the log.
const SETTLE: Duration = Duration::from_millis(300);
/// The pause between two attempts to continue a log that the engine ended although the container
/// runs.
const READ_ON: Duration = Duration::from_secs(1);
/// The maximum number of these attempts without a new line.
const MOST_TRIES: u32 = 5;
/// In place of a number of attempts: the log is broken, and is not opened again before the next
/// start of its container.
const NO_TRY: u32 = u32::MAX - 1;
/// How long to wait for an unreachable engine.
const ENGINE_AWAY: Duration = Duration::from_mins(5);
/// The most lines of one log that are handled before other events.
const AT_ONCE: usize = 256;

/// A container whose log is followed.
struct FollowedContainer {
    logged: LogSource,
    seen: SeenLines,
    /// Whether its log is open, or about to be opened.
    is_open: bool,
    /// Whether it was started again before its log was read to the end.
    is_started_again: bool,
    /// Whether it got a signal from outside since its start.
    is_signalled: bool,
    awaited: RestartWait,
    /// The start time of the container when its log was last opened.
    started_at: String,
    /// How often the log was opened since this start without returning a new line.
    tries: u32,
    /// Whether it was removed.
    is_gone: bool,
}

/// What a container with an ended log waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RestartWait {
    No,
    Until(Duration),
    /// Its log is opened again at this time, because the container still runs.
    ReadOn(Duration),
    /// The engine restarts it.
    Restart,
}

/// An item from the log of one container.
enum LogEvent {
    Line(TimedLine),
    Broken(EngineError),
    End,
}

/// The next event.
enum NextEvent {
    Event(Option<Result<LifeEvent, EngineError>>),
    Answer(Answer),
    /// The engine is reachable again.
    Back(Events, Vec<LogSource>),
    Heard((String, LogEvent)),
    Time,
}

/// A response of the engine.
enum Answer {
    Opened(String, Result<OpenLog, EngineError>),
    /// The state of a container with an ended log.
    State(String, Result<(ContainerState, String), EngineError>),
    /// The existing containers, after the start of an unknown one.
    Listed(String, Result<Vec<LogSource>, Failure>),
}

/// Events of containers; the stream ends when the engine goes away.
pub type Events = BoxStream<'static, Result<LifeEvent, EngineError>>;

/// Ready when the engine is reachable again, with its events and the existing containers.
type Reconnection = BoxFuture<'static, (Events, Vec<LogSource>)>;

/// Subscribes to the events of containers. Active once the future is ready.
pub async fn subscribe(ctx: &VerbContext, selection: &Selection) -> Result<Events, Failure> {
    let mut filters = match selection {
        Selection::Project { project, .. } => label_filter(compose_label::PROJECT, project),
        Selection::Container { .. } => Filters::new(),
    };
    filters.insert("type".into(), vec!["container".into()]);
    filters.insert("event".into(), LIFE_EVENTS.map(str::to_owned).to_vec());
    let events = ctx
        .engine
        .events(&filters, None)
        .await
        .map_err(|error| of_engine(error, "listen to the engine's events"))?;
    let read = |event: Result<_, EngineError>| {
        std::future::ready(event.map(|event| life_event(&event)).transpose())
    };
    Ok(events.filter_map(read).boxed())
}

/// The existing lines of `sources`, and later lines.
pub async fn follow(
    ctx: VerbContext,
    selection: Selection,
    query: LogQuery,
    sources: Vec<(LogSource, OpenLog)>,
    events: Events,
) -> Result<impl Stream<Item = Result<LogLine, Failure>> + Send + use<>, Failure> {
    let engine_now = match query.tail {
        Some(0) => engine_time(&ctx).await?,
        _ => None,
    };
    let mut following = FollowState::new(ctx, selection, query, engine_now, events);
    Ok(async_stream::try_stream! {
        let (containers, lines): (Vec<_>, Vec<_>) = sources.into_iter().map(|(logged, opened)| (logged, opened.lines)).unzip();
        for logged in &containers {
            following.know(logged.clone());
        }
        let mut history = Box::pin(merge::merged(lines));
        while let Some((at, line)) = history.next().await {
            let id = &containers[at].id;
            match line {
                Ok(line) => if let Some(line) = following.passed(id, line) {
                    yield line;
                },
                Err(error) => following.broken(id, error),
            }
        }
        drop(history);
        for logged in &containers {
            following.open(&logged.id);
        }
        loop {
            while let Some(line) = following.pending.take(following.ctx.host.monotonic()) {
                yield line;
            }
            if let Some(failure) = following.failure.take() {
                Err(failure)?;
            }
            if following.is_over() {
                break;
            }
            following.step().await;
        }
        while let Some(line) = following.pending.take_first() {
            yield line;
        }
    })
}

struct FollowState {
    ctx: VerbContext,
    selection: Selection,
    query: LogQuery,
    /// The time from which a log is read, for containers that existed at the beginning and have no
    /// returned line yet.
    since: Option<DateTime<Utc>>,
    containers: BTreeMap<String, FollowedContainer>,
    events: Fuse<Events>,
    logs: SelectAll<BoxStream<'static, (String, LogEvent)>>,
    asked: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// While the engine is away: since when, and the reconnection.
    away: Option<(Duration, Reconnection)>,
    pending: PendingLines,
    until: Option<Duration>,
    failure: Option<Failure>,
}

impl FollowState {
    fn new(
        ctx: VerbContext,
        selection: Selection,
        query: LogQuery,
        engine_now: Option<DateTime<Utc>>,
        events: Events,
    ) -> Self {
        let left = query.until.map(|until| (until - ctx.host.now()).to_std().unwrap_or_default());
        Self {
            until: left.map(|left| ctx.host.monotonic() + left),
            since: engine_now.or(query.since),
            ctx,
            selection,
            query,
            containers: BTreeMap::new(),
            events: events.fuse(),
            logs: SelectAll::new(),
            asked: FuturesUnordered::new(),
            away: None,
            pending: PendingLines::default(),
            failure: None,
        }
    }

    fn know(&mut self, logged: LogSource) {
        // Forget containers that were replaced by the new ones.
        self.containers.retain(|_, followed| followed.is_open || !followed.is_gone);
        let followed = FollowedContainer {
            seen: SeenLines::default(),
            is_open: false,
            is_started_again: false,
            is_signalled: false,
            awaited: RestartWait::No,
            started_at: String::new(),
            tries: 0,
            is_gone: false,
            logged,
        };
        self.containers.insert(followed.logged.id.clone(), followed);
    }

    /// Returns the line if it was not returned before.
    fn passed(&mut self, id: &str, line: TimedLine) -> Option<LogLine> {
        let followed = self.containers.get_mut(id)?;
        if self.query.until.is_some_and(|until| line.time > until) || !followed.seen.is_new(&line) {
            return None;
        }
        followed.tries = 0;
        Some(followed.logged.line(line))
    }

    /// Whether no line can come any more.
    fn is_over(&self) -> bool {
        let now = self.ctx.host.monotonic();
        if self.until.is_some_and(|until| until <= now) {
            return true;
        }
        let is_awaited = |followed: &FollowedContainer| match followed.awaited {
            RestartWait::No => followed.is_open,
            RestartWait::Until(time) => followed.is_open || time > now,
            RestartWait::ReadOn(_) | RestartWait::Restart => true,
        };
        self.away.is_none() && self.asked.is_empty() && !self.containers.values().any(is_awaited)
    }

    /// The time of the next timed action.
    fn next_time(&self) -> Option<Duration> {
        let of = |followed: &FollowedContainer| match followed.awaited {
            RestartWait::Until(time) | RestartWait::ReadOn(time) if !followed.is_open => Some(time),
            _ => None,
        };
        let away = self.away.as_ref().map(|(since, _)| *since + ENGINE_AWAY);
        let now = self.ctx.host.monotonic();
        let times = self.containers.values().filter_map(of).filter(|time| *time > now);
        times.chain(self.pending.due()).chain(self.until).chain(away).min()
    }

    /// Waits for one event, and handles it.
    async fn step(&mut self) {
        let now = self.ctx.host.monotonic();
        let mut timer = match self.next_time() {
            Some(time) => self.ctx.host.sleep(time.saturating_sub(now)).fuse(),
            None => futures::future::Fuse::terminated(),
        };
        let next = {
            let mut back = match &mut self.away {
                Some((_, back)) => back.fuse(),
                None => futures::future::Fuse::terminated(),
            };
            futures::select_biased! {
                event = self.events.next() => NextEvent::Event(event),
                answer = self.asked.select_next_some() => NextEvent::Answer(answer),
                (events, containers) = back => NextEvent::Back(events, containers),
                heard = self.logs.select_next_some() => NextEvent::Heard(heard),
                () = timer => NextEvent::Time,
            }
        };
        match next {
            NextEvent::Event(Some(Ok(event))) => self.event(event),
            NextEvent::Event(Some(Err(_)) | None) => self.lost(),
            NextEvent::Answer(answer) => self.answered(answer),
            NextEvent::Back(events, containers) => self.back(events, containers),
            NextEvent::Heard(heard) => self.heard(heard),
            NextEvent::Time => self.time(),
        }
        for _ in 0..AT_ONCE {
            if self.pending.is_full() {
                break;
            }
            match self.logs.next().now_or_never() {
                Some(Some(heard)) => self.heard(heard),
                _ => break,
            }
        }
    }

    fn heard(&mut self, (id, heard): (String, LogEvent)) {
        match heard {
            LogEvent::Line(line) => {
                let is_alone = self.logs.len() <= 1 && self.asked.is_empty();
                let now = self.ctx.host.monotonic();
                if let Some(line) = self.passed(&id, line) {
                    self.pending.hold(if is_alone { now } else { now + WINDOW }, line);
                }
            }
            LogEvent::Broken(error) => self.broken(&id, error),
            LogEvent::End => self.ended(&id),
        }
    }

    /// Handles a log that can't be read to its end.
    fn broken(&mut self, id: &str, error: EngineError) {
        match error.kind {
            EngineErrorKind::Unreachable => self.lost(),
            // The container was removed, or it does not really belong to this project.
            EngineErrorKind::NotFound | EngineErrorKind::Refused => {}
            _ if self.containers.len() == 1 => {
                self.failure =
                    self.containers.get(id).map(|followed| unreadable(&followed.logged, error));
            }
            _ => {
                if let Some(followed) = self.containers.get_mut(id) {
                    warn(&self.ctx, &followed.logged, error);
                    followed.tries = NO_TRY;
                }
            }
        }
    }

    /// Opens a log after the last returned lines.
    fn open(&mut self, id: &str) {
        if self.away.is_some() {
            return;
        }
        let Some(followed) = self.containers.get_mut(id).filter(|followed| !followed.is_open)
        else {
            return;
        };
        (followed.is_open, followed.is_started_again, followed.awaited) =
            (true, false, RestartWait::No);
        let since = followed.seen.since().or(self.since);
        let (ctx, id) = (self.ctx.clone(), id.to_owned());
        self.asked.push(Box::pin(async move {
            let opened = container::follow(&ctx, &id, since).await;
            Answer::Opened(id, opened)
        }));
    }

    fn ended(&mut self, id: &str) {
        let Some(followed) = self.containers.get_mut(id) else { return };
        followed.is_open = false;
        if followed.is_started_again {
            return self.open(id);
        }
        let (ctx, id) = (self.ctx.clone(), id.to_owned());
        self.asked.push(Box::pin(async move {
            let found = ctx.engine.container_inspect(&id).await.map(|found| {
                let state = found.state.unwrap_or_default();
                (container_state(state.status), state.started_at.unwrap_or_default())
            });
            Answer::State(id, found)
        }));
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Opened(id, Ok(opened)) => self.opened(id, opened),
            Answer::Opened(id, Err(error)) => {
                self.close(&id);
                self.broken(&id, error);
            }
            Answer::State(id, Ok((state, started_at))) => self.state(&id, state, &started_at),
            Answer::State(id, Err(error)) if error.is_not_found() => self.await_return(&id),
            Answer::State(id, Err(error)) => self.broken(&id, error),
            Answer::Listed(id, Ok(listed)) => {
                if let Some(logged) = listed.into_iter().find(|logged| logged.id == id) {
                    self.know(logged);
                    self.open(&id);
                }
            }
            // The reconnection lists them again; otherwise the container is gone.
            Answer::Listed(_, Err(failure)) => {
                if failure.kind == Kind::Engine {
                    self.lost();
                }
            }
        }
    }

    fn opened(&mut self, id: String, opened: OpenLog) {
        let Some(followed) = self.containers.get_mut(&id) else { return };
        followed.tries =
            if followed.started_at == opened.started_at { followed.tries + 1 } else { 0 };
        followed.started_at = opened.started_at;
        followed.seen.reopen();
        let own = id.clone();
        let lines = opened
            .lines
            .map(|line| line.map_or_else(LogEvent::Broken, LogEvent::Line))
            .chain(futures::stream::iter([LogEvent::End]));
        self.logs.push(lines.map(move |heard| (own.clone(), heard)).boxed());
    }

    /// Handles the state of a container with an ended log.
    fn state(&mut self, id: &str, state: ContainerState, started_at: &str) {
        let now = self.ctx.host.monotonic();
        let Some(followed) = self.containers.get_mut(id).filter(|followed| !followed.is_open)
        else {
            return;
        };
        match state {
            ContainerState::Running | ContainerState::Paused
                if followed.started_at != started_at =>
            {
                self.open(id)
            }
            ContainerState::Running | ContainerState::Paused if followed.tries < MOST_TRIES => {
                followed.awaited = RestartWait::ReadOn(now + READ_ON);
            }
            ContainerState::Running | ContainerState::Paused if followed.tries >= NO_TRY => {}
            ContainerState::Running | ContainerState::Paused => {
                let text = format!(
                    "The engine keeps ending the log of \"{}\" although the container runs: spc stopped following it",
                    followed.logged.from
                );
                self.ctx.log(Level::Warning, text);
            }
            ContainerState::Restarting => followed.awaited = RestartWait::Restart,
            _ => self.await_return(id),
        }
    }

    fn await_return(&mut self, id: &str) {
        let now = self.ctx.host.monotonic();
        let Some(followed) = self.containers.get_mut(id).filter(|followed| !followed.is_open)
        else {
            return;
        };
        followed.awaited =
            RestartWait::Until(now + if followed.is_signalled { RETURN } else { SETTLE });
    }

    fn close(&mut self, id: &str) {
        if let Some(followed) = self.containers.get_mut(id) {
            followed.is_open = false;
        }
        self.await_return(id);
    }

    fn event(&mut self, event: LifeEvent) {
        let LifeEvent { id, name, service, change } = event;
        if !self.containers.contains_key(&id) {
            let is_wanted = match &self.selection {
                Selection::Project { services, .. } => {
                    !service.is_empty()
                        && services.as_ref().is_none_or(|names| names.contains(&service))
                }
                Selection::Container { name: wanted, .. } => name == *wanted,
            };
            // A replacement starts under a temporary name. Then it is renamed.
            if is_wanted && matches!(change, LifeChange::Started | LifeChange::Renamed) {
                self.look_at(id);
            }
            return;
        }
        let now = self.ctx.host.monotonic();
        let Some(followed) = self.containers.get_mut(&id) else { return };
        match change {
            LifeChange::Started => {
                followed.is_signalled = false;
                followed.is_started_again = followed.is_open;
                self.open(&id);
            }
            LifeChange::Signalled => {
                followed.is_signalled = true;
                if matches!(followed.awaited, RestartWait::Until(_)) {
                    followed.awaited = RestartWait::Until(now + RETURN);
                }
            }
            LifeChange::Renamed => {
                if matches!(self.selection, Selection::Project { .. }) {
                    followed.logged.from = self.selection.short(&name);
                }
            }
            LifeChange::Removed => {
                followed.is_gone = true;
                // A replacement may follow soon.
                if followed.awaited == RestartWait::Restart {
                    self.await_return(&id);
                }
            }
        }
    }

    /// Handles the start of an unknown container.
    fn look_at(&mut self, id: String) {
        let (ctx, selection) = (self.ctx.clone(), self.selection.clone());
        self.asked.push(Box::pin(async move {
            let listed = selection.list(&ctx).await;
            Answer::Listed(id, listed)
        }));
    }

    /// Handles waits that are over.
    fn time(&mut self) {
        let now = self.ctx.host.monotonic();
        if self.away.as_ref().is_some_and(|(since, _)| *since + ENGINE_AWAY <= now) {
            let waited = readable(ENGINE_AWAY);
            let failure = Failure::new(
                Kind::Engine,
                format!(
                    "The Docker Engine did not come back within {waited}: spc stopped following its logs"
                ),
            );
            self.failure = Some(failure.hint("check whether it is running: `docker version`"));
        }
        let is_due = |followed: &&FollowedContainer| matches!(followed.awaited, RestartWait::ReadOn(time) if time <= now);
        let due: Vec<String> = self
            .containers
            .values()
            .filter(is_due)
            .map(|followed| followed.logged.id.clone())
            .collect();
        for id in due {
            self.open(&id);
        }
    }

    /// The connection to the engine is lost. Everything is opened again when the engine is back.
    fn lost(&mut self) {
        if self.away.is_some() {
            return;
        }
        self.ctx.log(Level::Warning, "The connection to the Docker Engine was lost: spc continues to follow the logs when it is back");
        self.logs.clear();
        self.asked.clear();
        self.events = futures::stream::pending().boxed().fuse();
        for followed in self.containers.values_mut() {
            (followed.is_open, followed.is_started_again, followed.awaited) =
                (false, false, RestartWait::No);
        }
        let (ctx, selection) = (self.ctx.clone(), self.selection.clone());
        let back = async move {
            let mut pause = Duration::from_millis(100);
            loop {
                ctx.host.sleep(pause).await;
                if let Ok(events) = subscribe(&ctx, &selection).await
                    && let Ok(containers) = selection.list(&ctx).await
                {
                    return (events, containers);
                }
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        };
        self.away = Some((self.ctx.host.monotonic(), Box::pin(back)));
    }

    fn back(&mut self, events: Events, containers: Vec<LogSource>) {
        self.away = None;
        self.events = events.fuse();
        for logged in containers {
            let id = logged.id.clone();
            if !self.containers.contains_key(&id) {
                self.know(logged);
            }
            // Also opens the log of an exited container, because its last lines are still missing.
            self.open(&id);
        }
    }
}
