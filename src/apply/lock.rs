//! The lock: only one run at a time changes a project. It is a labelled container on the engine
//! that never starts.
//!
//! The engine assigns the container's name atomically. The owner writes a counter into the
//! container. A waiting run that sees no change of the counter, by its own clock, treats the lock
//! as left over and removes it by id. If both run on the same machine and the owner's process is
//! gone, it does so without waiting. The owner checks the id before every change, so at most one
//! call in flight can escape the lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;

use super::VerbContext;
use super::create;
use super::failures::of_engine;
pub use super::heartbeat::{HeartbeatError, Holder};
use super::heartbeat::{read_holder, write_holder};
pub use super::held_lock::{Lock, StartGuard, remove};
use super::name_holder::not_a_lock;
use super::observe::find_container;
use super::preflight::may;
use super::settle::settle;
use crate::engine::{EngineError, EngineErrorKind, Intent};
use crate::host::Liveness;
use crate::model::event::{Event, Level};
use crate::model::format;
use crate::model::names::{LOCK_IMAGE, label, lock_container};
use crate::model::time::format_duration;
use crate::model::{Failure, Kind};

/// The interval between two heartbeats.
const BEAT: Duration = Duration::from_secs(5);
/// A lock without a heartbeat for this long is left over.
const STALE: Duration = Duration::from_secs(30);
/// The interval between two checks of a waiting run.
const LOOK: Duration = Duration::from_secs(1);
/// How long the lock's name may be in use although no container has it, or its content be
/// unreadable, because another run releases it, takes it or writes into it at this moment.
const NAMELESS: Duration = Duration::from_secs(5);

/// The reason why the lock was not taken.
enum LockError {
    /// The engine's disk is full, and no run holds the lock.
    NoSpace(Failure),
    Failed(Failure),
}

impl LockError {
    fn failure(self) -> Failure {
        match self {
            Self::NoSpace(failure) | Self::Failed(failure) => failure,
        }
    }
}

impl From<Failure> for LockError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// An engine's error while taking the lock: `doing` is the action that failed.
fn not_taken(error: EngineError, doing: &str) -> LockError {
    match error.kind {
        EngineErrorKind::NoSpace => LockError::NoSpace(of_engine(error, doing)),
        _ => LockError::Failed(of_engine(error, doing)),
    }
}

/// Takes the lock of `project`. Waits for another run for at most `patience`.
pub async fn acquire(
    ctx: &VerbContext,
    project: &str,
    patience: Duration,
) -> Result<Lock, Failure> {
    acquire_for(ctx, project, patience).await.map_err(LockError::failure)
}

/// The same, for work that frees space: `None` if the engine has no space for a lock.
pub async fn acquire_if_there_is_space(
    ctx: &VerbContext,
    project: &str,
    patience: Duration,
) -> Result<Option<Lock>, Failure> {
    match acquire_for(ctx, project, patience).await {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::NoSpace(_)) => Ok(None),
        Err(LockError::Failed(failure)) => Err(failure),
    }
}

/// The end of the message that a lock is taken over.
pub const TAKEN_OVER: &str = ": taken over";

async fn acquire_for(
    ctx: &VerbContext,
    project: &str,
    patience: Duration,
) -> Result<Lock, LockError> {
    // The failure should name the project, not a container that the user didn't mention.
    may(&*ctx.engine, Intent::ChangeProject(project)).await?;
    let begun = ctx.host.monotonic();
    let mut waiting = LockWaiter::default();
    loop {
        let refused = match waiting.take(ctx, project).await {
            Ok(LockAttempt::Taken(lock)) => {
                if waiting.has_taken_over {
                    settle(ctx, project).await;
                }
                return Ok(lock);
            }
            Ok(LockAttempt::Refused(failure)) => LockError::Failed(failure),
            // Another run may still hold the lock.
            Err(LockError::NoSpace(failure)) => LockError::NoSpace(failure),
            Err(failed) => return Err(failed),
        };
        let now = ctx.host.monotonic();
        let is_over = now.saturating_sub(begun) >= patience;
        match holder(ctx, project).await? {
            // Only a newer spc knows whether its run is active. So don't wait for it and never take
            // it over.
            Some(ExistingLock { content: Err(error), .. }) if error.is_newer() => {
                return Err(of_newer_spc(project, &error).into());
            }
            Some(ExistingLock { id, content: Err(error) }) => {
                waiting.nameless_since = None;
                // An engine that is busy may give it out later.
                let is_answered = !matches!(error, HeartbeatError::Engine(_));
                if is_answered && waiting.is_unreadable_for_good(&id, now) || is_over {
                    return Err(unreadable(project, &error).into());
                }
            }
            Some(ExistingLock { id, content: Ok(holder) }) => {
                (waiting.nameless_since, waiting.unreadable_since) = (None, None);
                match waiting.look(ctx, &id, holder.as_ref(), now, begun) {
                    Some(left) if !is_over => {
                        ctx.events.event(&Event::Waiting {
                            text: format!("the lock was left by {left}{TAKEN_OVER}"),
                        });
                        remove(&*ctx.engine, &id).await?;
                        // The engine may only claim that the container is removed; look again a
                        // little later.
                        if !std::mem::replace(&mut waiting.has_taken_over, true) {
                            continue;
                        }
                    }
                    _ if is_over => return Err(locked(project, holder.as_ref(), patience).into()),
                    _ => {}
                }
            }
            None => match refused {
                LockError::Failed(failure) => waiting.nobody_has_it(ctx, failure, now)?,
                no_space @ LockError::NoSpace(_) => return Err(no_space),
            },
        }
        wait_a_little(ctx).await?;
    }
}

/// The action in failures to take the lock.
const TAKE: &str = "take the project's lock";

/// An attempt to take the lock.
enum LockAttempt {
    Taken(Lock),
    /// The engine reports that the name is in use. If a container has it, another run holds the
    /// lock.
    Refused(Failure),
}

/// A run that wants the lock, and what it knows about the holder.
#[derive(Default)]
struct LockWaiter {
    /// Whether the image of the lock's container exists.
    has_image: bool,
    /// The lock's id, its content, and since when this content has not changed.
    seen: Option<(String, Option<Holder>, Duration)>,
    is_reported: bool,
    has_taken_over: bool,
    /// Since when the lock's name is in use although no container has it.
    nameless_since: Option<Duration>,
    /// The lock whose content can't be read, and since when.
    unreadable_since: Option<(String, Duration)>,
}

impl LockWaiter {
    async fn take(&mut self, ctx: &VerbContext, project: &str) -> Result<LockAttempt, LockError> {
        let interrupted =
            || if ctx.cancel.is_cancelled() { Err(Failure::interrupted()) } else { Ok(()) };
        interrupted()?;
        if !self.has_image {
            ensure_empty_image(ctx).await?;
            self.has_image = true;
            interrupted()?;
        }
        take(ctx, project).await
    }

    /// The engine refuses the lock's name, but has no container with it. Either this passes soon,
    /// or something else is wrong.
    fn nobody_has_it(
        &mut self,
        ctx: &VerbContext,
        refused: Failure,
        now: Duration,
    ) -> Result<(), LockError> {
        let since = *self.nameless_since.get_or_insert(now);
        if now.saturating_sub(since) >= NAMELESS {
            return Err(LockError::Failed(refused));
        }
        // A run that is just releasing it needs no message.
        if since < now && !std::mem::replace(&mut self.is_reported, true) {
            ctx.events.event(&Event::Waiting {
                text: format!(
                    "no run holds the lock; spc tries again after this error: {}",
                    refused.message
                ),
            });
        }
        Ok(())
    }

    /// Notes that the content of the lock `id` can't be read at the time `now`. Returns whether
    /// that lasts too long for an owner that just writes into it.
    fn is_unreadable_for_good(&mut self, id: &str, now: Duration) -> bool {
        let known = self.unreadable_since.take().filter(|(seen, _)| seen == id);
        let (id, since) = known.unwrap_or_else(|| (id.to_owned(), now));
        self.unreadable_since = Some((id, since));
        now.saturating_sub(since) >= NAMELESS
    }

    /// Inspects the lock at the time `now`. Returns its former owner if the lock is abandoned.
    fn look(
        &mut self,
        ctx: &VerbContext,
        id: &str,
        holder: Option<&Holder>,
        now: Duration,
        begun: Duration,
    ) -> Option<String> {
        if liveness(ctx, holder) == Liveness::Gone {
            self.seen = None;
            return Some(format!("{}, whose process is gone", described(holder)));
        }
        let same = self
            .seen
            .as_ref()
            .filter(|(same_id, same_holder, _)| *same_id == id && same_holder.as_ref() == holder);
        match same.map(|(_, _, since)| *since) {
            Some(since) if now.saturating_sub(since) >= STALE => {
                self.seen = None;
                return Some(described(holder));
            }
            Some(_) => {}
            None => self.seen = Some((id.to_owned(), holder.cloned(), now)),
        }
        // A run that took it a moment ago has not written its identity yet.
        if !self.is_reported && (holder.is_some() || now > begun + LOOK) {
            self.is_reported = true;
            if holder.is_some_and(|holder| holder.run == ctx.run.id) {
                let text = "waiting for another function of this run, which changes this project";
                ctx.log(Level::Info, text);
            } else {
                ctx.events.event(&Event::Waiting {
                    text: format!("{} changes this project", described(holder)),
                });
            }
        }
        None
    }
}

fn locked(project: &str, holder: Option<&Holder>, patience: Duration) -> Failure {
    Failure::new(
        Kind::Lock,
        format!("The project \"{project}\" is locked: {} changes it", described(holder)),
    )
    .hint("wait for it to end, with --wait-lock for longer; `spc unlock` removes a lock that nobody holds")
    .field("waited", format_duration(patience))
}

fn unreadable(project: &str, error: &HeartbeatError) -> Failure {
    Failure::new(
        Kind::Lock,
        format!(
            "The project \"{project}\" is locked, but the owner of the lock \"{}\" can't be read: {error}",
            lock_container(project)
        ),
    )
    .hint("wait until no other run changes the project, then remove the lock with `spc unlock`")
}

fn of_newer_spc(project: &str, newer: &HeartbeatError) -> Failure {
    Failure::new(
        Kind::Lock,
        format!("The project \"{project}\" is locked by a newer version of spc: {newer}"),
    )
    .hint("wait for that run to end, or use that version of spc; `spc unlock` removes a lock that nobody holds")
}

/// What is known about the process of the lock's holder.
pub fn liveness(ctx: &VerbContext, holder: Option<&Holder>) -> Liveness {
    holder
        .and_then(|holder| holder.process.as_ref())
        .map_or(Liveness::Unknown, |process| ctx.host.liveness(process))
}

async fn wait_a_little(ctx: &VerbContext) -> Result<(), Failure> {
    use futures::FutureExt;
    futures::select_biased! {
        () = ctx.cancel.cancelled().fuse() => Err(Failure::interrupted()),
        () = ctx.host.sleep(LOOK).fuse() => Ok(()),
    }
}

/// A lock that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingLock {
    /// The container's id.
    pub id: String,
    /// The holder. `None` if nothing was written into it yet, an error if the content can't be
    /// read.
    pub content: Result<Option<Holder>, HeartbeatError>,
}

/// A project's lock, if it exists.
///
/// # Errors
/// Fails with the kind `conflict` if another object has the lock's name.
pub async fn holder(ctx: &VerbContext, project: &str) -> Result<Option<ExistingLock>, Failure> {
    let engine = &ctx.engine;
    let Some(found) = find_container(&**engine, &lock_container(project)).await? else {
        return Ok(None);
    };
    if found.labels.get(label::LOCK).map(String::as_str) != Some(project) {
        return Err(not_a_lock(&found, project));
    }
    let labels = format::check_labels(found.labels.get(label::FORMAT).map(String::as_str));
    let content = match labels {
        Err(error) => Err(error.into()),
        Ok(()) => read_holder(&**engine, &found.id).await,
    };
    Ok(Some(ExistingLock { id: found.id.clone(), content }))
}

/// `user@machine since 2026-01-02T03:04:05Z`.
pub fn described(holder: Option<&Holder>) -> String {
    holder.map_or_else(
        || "another run".to_owned(),
        |holder| format!("{} (run {}, since {})", holder.who, holder.run, holder.since),
    )
}

async fn take(ctx: &VerbContext, project: &str) -> Result<LockAttempt, LockError> {
    let body = create::lock(project, &ctx.run.id);
    let created = match ctx.engine.container_create(&lock_container(project), None, body).await {
        Ok(created) => created,
        Err(error) if error.is_conflict() => {
            return Ok(LockAttempt::Refused(of_engine(error, TAKE)));
        }
        Err(error) => return Err(not_taken(error, TAKE)),
    };
    let mut holder = Holder {
        who: ctx.host.identity(),
        run: ctx.run.id.clone(),
        since: ctx.host.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        beat: 0,
        process: ctx.host.process_mark(),
    };
    let engine = ctx.engine.clone();
    if let Err(error) = write_holder(&*engine, &created.id, &holder).await {
        // Without a heartbeat, other runs would treat the lock as left over.
        remove(&*engine, &created.id).await?;
        return Err(not_taken(error, "write the heartbeat of the project's lock"));
    }
    let lost = Arc::new(AtomicBool::new(false));
    let beating = ctx.executor.spawn({
        let (engine, host, id, lost) =
            (engine.clone(), ctx.host.clone(), created.id.clone(), lost.clone());
        async move {
            loop {
                host.sleep(BEAT).await;
                holder.beat += 1;
                match write_holder(&*engine, &id, &holder).await {
                    Err(error) if error.is_not_found() => {
                        lost.store(true, Ordering::Release);
                        return;
                    }
                    // Other errors may pass; the check before each change decides.
                    _ => {}
                }
            }
        }
    });
    Ok(LockAttempt::Taken(Lock {
        engine,
        id: created.id,
        lost,
        beating: Some(beating),
        turn: futures::lock::Mutex::new(()),
    }))
}

async fn ensure_empty_image(ctx: &VerbContext) -> Result<(), LockError> {
    match ctx.engine.image_inspect(LOCK_IMAGE).await {
        Ok(_) => return Ok(()),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(not_taken(error, TAKE)),
    }
    let empty = Bytes::from_static(&[0; 1024]);
    let tar = futures::stream::once(async move { Ok(empty) }).boxed();
    let imported = ctx.engine.image_import(LOCK_IMAGE, &[], tar).await;
    imported.map(drop).map_err(|error| not_taken(error, "make the image of the project's lock"))
}
