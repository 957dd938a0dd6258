//! One run at a time changes a project. The lock lives with the engine: a labelled container that never starts.
//!
//! Its name is taken atomically. The owner writes a counter into it; who waits and sees the counter
//! stand still by its own clock takes it to be left over, and removes it by id. The owner asks for
//! its id before every change: one call in flight is the window that is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::Surroundings;
use super::create;
use super::failures::of_engine;
use super::name_holder::not_a_lock;
use super::observe::find_container;
use crate::engine::{Engine, EngineErrorKind};
use crate::host::conductor::Background;
use crate::model::event::Event;
use crate::model::names::{LOCK_IMAGE, label, lock_container};
use crate::model::time::format_duration;
use crate::model::{Failure, Kind};

/// How often the owner writes.
const BEAT: Duration = Duration::from_secs(5);
/// A counter that stands still for so long belongs to nobody.
const STALE: Duration = Duration::from_secs(30);
/// How often a waiter looks.
const LOOK: Duration = Duration::from_secs(1);
const HEARTBEAT_FILE: &str = "spc-lock.json";

/// What the owner writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `user@machine`.
    pub who: String,
    pub run: String,
    /// RFC 3339.
    pub since: String,
    pub beat: u64,
}

/// The lock, held; given back by [`Lock::release`].
pub struct Lock {
    engine: Arc<dyn Engine>,
    id: String,
    lost: Arc<AtomicBool>,
    beating: Option<Background>,
}

/// Takes the lock of `project`, waiting for another run at most `patience`.
pub async fn acquire(around: &Surroundings, project: &str, patience: Duration) -> Result<Lock, Failure> {
    let interrupted = || if around.cancel.is_cancelled() { Err(Failure::interrupted()) } else { Ok(()) };
    interrupted()?;
    ensure_empty_image(around).await?;
    let begun = around.host.monotonic();
    let mut seen: Option<(String, Option<Holder>, Duration)> = None;
    let mut told = false;
    loop {
        interrupted()?;
        if let Some(lock) = take(around, project).await? {
            return Ok(lock);
        }
        let now = around.host.monotonic();
        if let Some((id, holder)) = holder(around, project).await? {
            let same = seen.as_ref().filter(|(same_id, same_holder, _)| *same_id == id && *same_holder == holder);
            match same.map(|(_, _, since)| *since) {
                Some(since) if now.saturating_sub(since) >= STALE => {
                    let text = format!("the lock was left by {}: taken over", described(holder.as_ref()));
                    around.events.event(&Event::Waiting { text });
                    remove(&*around.engine, &id).await?;
                    seen = None;
                    continue;
                }
                Some(_) => {}
                None => seen = Some((id, holder.clone(), now)),
            }
            // One that took it a moment ago has not written yet who it is.
            if !told && (holder.is_some() || now > begun + LOOK) {
                told = true;
                around.events.event(&Event::Waiting { text: format!("{} changes this project", described(holder.as_ref())) });
            }
            if now.saturating_sub(begun) >= patience {
                return Err(Failure::new(
                    Kind::Lock,
                    format!("The project \"{project}\" is locked: {} changes it", described(holder.as_ref())),
                )
                .hint("wait for it to end; `spc unlock` removes a lock that nobody holds")
                .field("waited", format_duration(patience)));
            }
        }
        wait_a_little(around).await?;
    }
}

async fn wait_a_little(around: &Surroundings) -> Result<(), Failure> {
    use futures::FutureExt;
    futures::select_biased! {
        () = around.cancel.cancelled().fuse() => Err(Failure::interrupted()),
        () = around.host.sleep(LOOK).fuse() => Ok(()),
    }
}

/// The id and holder of a project's lock, if it is taken.
///
/// # Errors
/// Of kind `conflict` where something else has the lock's name.
pub async fn holder(around: &Surroundings, project: &str) -> Result<Option<(String, Option<Holder>)>, Failure> {
    let engine = &around.engine;
    let Some(found) = find_container(&**engine, &lock_container(project)).await? else { return Ok(None) };
    if found.labels.get(label::LOCK).map(String::as_str) != Some(project) {
        return Err(not_a_lock(&found, project));
    }
    Ok(Some((found.id.clone(), read_holder(&**engine, &found.id).await)))
}

/// Removes a lock by its container's id; one that is gone is fine.
pub async fn remove(engine: &dyn Engine, id: &str) -> Result<(), Failure> {
    match engine.container_remove(id, true, true).await {
        Ok(()) => Ok(()),
        Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
        Err(error) => Err(of_engine(error, "remove the project's lock")),
    }
}

/// `user@machine since 2026-01-02T03:04:05Z`.
pub fn described(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "another run".to_owned(), |holder| format!("{} (run {}, since {})", holder.who, holder.run, holder.since))
}

async fn take(around: &Surroundings, project: &str) -> Result<Option<Lock>, Failure> {
    let body = create::lock(project, &around.run);
    let created = match around.engine.container_create(&lock_container(project), None, body).await {
        Ok(created) => created,
        Err(error) if error.is_conflict() => return Ok(None),
        Err(error) => return Err(of_engine(error, "take the project's lock")),
    };
    let mut holder = Holder {
        who: around.host.identity(),
        run: around.run.clone(),
        since: around.host.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        beat: 0,
    };
    let engine = around.engine.clone();
    if let Err(error) = write_holder(&*engine, &created.id, &holder).await {
        // Without a heartbeat others would take it for left over while it is held.
        remove(&*engine, &created.id).await?;
        return Err(of_engine(error, "write the heartbeat of the project's lock"));
    }
    let lost = Arc::new(AtomicBool::new(false));
    let beating = around.conductor.spawn({
        let (engine, host, id, lost) = (engine.clone(), around.host.clone(), created.id.clone(), lost.clone());
        async move {
            loop {
                host.sleep(BEAT).await;
                holder.beat += 1;
                match write_holder(&*engine, &id, &holder).await {
                    Err(error) if error.is_not_found() => {
                        lost.store(true, Ordering::Release);
                        return;
                    }
                    // Another trouble may pass; the check before each change decides.
                    _ => {}
                }
            }
        }
    });
    Ok(Some(Lock { engine, id: created.id, lost, beating: Some(beating) }))
}

impl Lock {
    /// Fails unless the lock is still held: asked before every change.
    pub async fn verify(&self) -> Result<(), Failure> {
        let gone = || {
            Failure::new(Kind::Lock, "The project's lock was taken away from this run: it stops here")
                .hint("somebody ran `spc unlock` or a container prune, or this machine stood still; run it again")
        };
        if self.lost.load(Ordering::Acquire) {
            return Err(gone());
        }
        match self.engine.container_inspect(&self.id).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => {
                self.lost.store(true, Ordering::Release);
                Err(gone())
            }
            Err(error) => Err(of_engine(error, "look at the project's lock")),
        }
    }

    /// Gives the lock back.
    pub async fn release(mut self) -> Result<(), Failure> {
        self.beating.take();
        if self.lost.load(Ordering::Acquire) { Ok(()) } else { remove(&*self.engine, &self.id).await }
    }
}

async fn ensure_empty_image(around: &Surroundings) -> Result<(), Failure> {
    match around.engine.image_inspect(LOCK_IMAGE).await {
        Ok(_) => return Ok(()),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(of_engine(error, "take the project's lock")),
    }
    let empty = Bytes::from_static(&[0; 1024]);
    let tar = futures::stream::once(async move { Ok(empty) }).boxed();
    around
        .engine
        .image_import(LOCK_IMAGE, &[], tar)
        .await
        .map(drop)
        .map_err(|error| of_engine(error, "make the image of the project's lock"))
}

async fn write_holder(engine: &dyn Engine, id: &str, holder: &Holder) -> crate::engine::Result<()> {
    let text = serde_json::to_vec(holder).unwrap_or_default();
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o444);
    header.set_mtime(0);
    let mut archive = tar::Builder::new(Vec::new());
    let packed = archive.append_data(&mut header, HEARTBEAT_FILE, text.as_slice()).and_then(|()| archive.into_inner());
    let packed = packed.map_err(|error| crate::engine::EngineError::new(EngineErrorKind::Failed, error.to_string()))?;
    engine.container_upload(id, "/", packed.into()).await
}

async fn read_holder(engine: &dyn Engine, id: &str) -> Option<Holder> {
    let mut stream = engine.container_download(id, &format!("/{HEARTBEAT_FILE}")).await.ok()?;
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.ok()?);
    }
    let mut archive = tar::Archive::new(bytes.as_slice());
    let entry = archive.entries().ok()?.next()?.ok()?;
    serde_json::from_reader(entry).ok()
}
