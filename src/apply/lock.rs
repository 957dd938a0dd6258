//! The lock: only one run at a time changes a project. It is a labelled container on the engine
//! that never starts.
//!
//! The engine assigns the container's name atomically. The owner writes a counter into the
//! container. A waiting run that sees no change of the counter, by its own clock, treats the lock
//! as left over and removes it by id. If both run on the same machine and the owner's process is
//! gone, it does so without waiting. The owner checks the id before every change, so at most one
//! call in flight can escape the lock.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::VerbContext;
use super::create;
use super::failures::of_engine;
pub use super::held_lock::{Lock, StartGuard, remove};
use super::name_holder::not_a_lock;
use super::observe::find_container;
use super::preflight::may;
use super::settle::settle;
use crate::engine::{Engine, EngineError, EngineErrorKind, Intent};
use crate::host::{Liveness, ProcessMark};
use crate::model::event::Event;
use crate::model::format::{self, FormatError, VersionedContent};
use crate::model::names::{LOCK_IMAGE, label, lock_container};
use crate::model::time::format_duration;
use crate::model::{Failure, Kind};

/// The interval between two heartbeats.
const BEAT: Duration = Duration::from_secs(5);
/// A lock without a heartbeat for this long is left over.
const STALE: Duration = Duration::from_secs(30);
/// The interval between two checks of a waiting run.
const LOOK: Duration = Duration::from_secs(1);
/// How long the lock's name may be in use although no container has it, because another run
/// releases or takes it at this moment.
const NAMELESS: Duration = Duration::from_secs(5);
const HEARTBEAT_FILE: &str = "spc-lock.json";

/// The content that the owner writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `user@machine`.
    pub who: String,
    pub run: String,
    /// RFC 3339.
    pub since: String,
    pub beat: u64,
    /// Its process. Version 0.1.0 doesn't write this, and not every system provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessMark>,
}

/// The reason why the lock was not taken.
enum LockError {
    /// The engine has no space for it, and nobody holds it.
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
            // Someone else may still hold the lock.
            Err(LockError::NoSpace(failure)) => LockError::NoSpace(failure),
            Err(failed) => return Err(failed),
        };
        let now = ctx.host.monotonic();
        let is_over = now.saturating_sub(begun) >= patience;
        match holder(ctx, project).await? {
            // Only a newer spc knows whether its run is active. So don't wait for it and never take
            // it over.
            Some(ExistingLock { content: Err(newer), .. }) => {
                return Err(of_newer_spc(project, &newer).into());
            }
            Some(ExistingLock { id, content: Ok(holder) }) => {
                waiting.nameless_since = None;
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
    /// The engine says that its name is in use: by another run, if a container has it.
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
                text: format!("no run holds the lock, and yet: {}", refused.message),
            });
        }
        Ok(())
    }

    /// Looks at the lock at the time `now`. Returns who left it, if nobody holds it any more.
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
            ctx.events.event(&Event::Waiting {
                text: format!("{} changes this project", described(holder)),
            });
        }
        None
    }
}

fn locked(project: &str, holder: Option<&Holder>, patience: Duration) -> Failure {
    Failure::new(
        Kind::Lock,
        format!("The project \"{project}\" is locked: {} changes it", described(holder)),
    )
    .hint("wait for it to end; `spc unlock` removes a lock that nobody holds")
    .field("waited", format_duration(patience))
}

fn of_newer_spc(project: &str, newer: &FormatError) -> Failure {
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
    /// The holder, if the content can be read; an error if a newer spc wrote it.
    pub content: Result<Option<Holder>, FormatError>,
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
        Err(newer @ FormatError::Newer { .. }) => Err(newer),
        _ => read_holder(&**engine, &found.id).await,
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

/// The most bytes of the archive with a heartbeat. One that spc wrote has a tenth of this.
const LARGEST_HEARTBEAT: usize = 64 << 10;

async fn write_holder(engine: &dyn Engine, id: &str, holder: &Holder) -> crate::engine::Result<()> {
    let text =
        serde_json::to_vec(&VersionedContent::new(format::HEARTBEAT, holder)).unwrap_or_default();
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o444);
    header.set_mtime(0);
    let mut archive = tar::Builder::new(Vec::new());
    let packed = archive
        .append_data(&mut header, HEARTBEAT_FILE, text.as_slice())
        .and_then(|()| archive.into_inner());
    let packed =
        packed.map_err(|error| EngineError::new(EngineErrorKind::Failed, error.to_string()))?;
    engine.container_upload(id, "/", packed.into()).await
}

/// Reads what the owner wrote. `None` if it can't be parsed: a run that took the lock a moment ago
/// has not written yet.
async fn read_holder(engine: &dyn Engine, id: &str) -> Result<Option<Holder>, FormatError> {
    let Some(text) = download_heartbeat(engine, id).await else { return Ok(None) };
    match format::read_json(&text, format::HEARTBEAT) {
        Ok(holder) => Ok(Some(holder)),
        Err(FormatError::Garbage) => Ok(None),
        Err(newer) => Err(newer),
    }
}

async fn download_heartbeat(engine: &dyn Engine, id: &str) -> Option<Vec<u8>> {
    let mut stream = engine.container_download(id, &format!("/{HEARTBEAT_FILE}")).await.ok()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.ok()?);
        if bytes.len() > LARGEST_HEARTBEAT {
            return None;
        }
    }
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    let mut text = Vec::new();
    entry.read_to_end(&mut text).ok()?;
    Some(text)
}
