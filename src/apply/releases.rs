//! The records of releases on the engine: one empty volume for each, whose labels are the record.
//!
//! Volumes outlive containers and `down`, and every machine that uses the engine sees them. What
//! removes unused volumes removes the records, and nothing else of a release. The image of a
//! release has a name of its own, so that it stays when its tag moves on.

use std::collections::{BTreeSet, HashMap};

use super::VerbContext;
use super::create;
use super::failures::of_engine;
use super::lock::{self, Lock};
use super::look::look;
use super::observe::image_id;
use crate::engine::{Filters, label_filter};
use crate::model::event::Level;
use crate::model::names::{
    HOLDS_RELEASE, LABEL_FORMAT, compose_label, is_release_volume, label, release_volume,
};
use crate::model::observed_state::ObservedState;
use crate::model::release::{self, FORMAT, Release, ReleasedService, is_kept_image, kept_image};
use crate::model::spec::Project;
use crate::model::{Failure, Kind};

/// Scripts get ids as integers.
const MOST_ID: u64 = i64::MAX as u64;

/// How many ids are tried for a record, if volumes with other content have their names.
const MOST_TAKEN: usize = 100;

/// The most characters of a reason in a record.
const LONGEST_REASON: usize = 500;

/// The records of a project.
#[derive(Debug, Default)]
pub struct RecordedReleases {
    /// The oldest first.
    pub releases: Vec<Release>,
    /// The volumes of records that can't be read, with the reason.
    pub unreadable: Vec<(String, String)>,
}

impl RecordedReleases {
    /// The next free id.
    fn next(&self, project: &str) -> u64 {
        let unreadable = self.unreadable.iter().filter_map(|(volume, _)| id_of(volume, project));
        self.releases.iter().map(|it| it.id).chain(unreadable).max().unwrap_or(0).saturating_add(1)
    }
}

/// What a runbook adds to a record.
#[derive(Debug, Clone, Default)]
pub struct ReleaseDetails {
    pub strategy: String,
    pub by: Option<String>,
    pub commit: Option<String>,
    /// Why a deployment of these services failed.
    pub failed: Option<(BTreeSet<String>, String)>,
    /// The release that a rollback restored.
    pub restores: Option<u64>,
    /// The record that is removed once this one is written.
    pub replaces: Option<u64>,
    /// The good releases to keep; [`release::KEPT`] by default.
    pub keep: Option<usize>,
}

fn id_of(volume: &str, project: &str) -> Option<u64> {
    let id: u64 = volume.rsplit('.').next()?.parse().ok()?;
    (release_volume(project, id) == volume).then_some(id)
}

/// The records of `project` on the engine.
pub async fn read(ctx: &VerbContext, project: &str) -> Result<RecordedReleases, Failure> {
    let volumes = ctx
        .engine
        .volume_list(&label_filter(label::PROJECT, project))
        .await
        .map_err(|error| of_engine(error, "list the volumes"))?;
    let mut recorded = RecordedReleases::default();
    for volume in volumes {
        let is_record = volume.labels.get(label::HOLDS).is_some_and(|held| held == HOLDS_RELEASE)
            && is_release_volume(&volume.name, project);
        if !is_record {
            continue;
        }
        match parse(&volume.name, &volume.labels, project) {
            Ok(release) => recorded.releases.push(release),
            Err(reason) => recorded.unreadable.push((volume.name, reason)),
        }
    }
    recorded.releases.sort_by_key(|release| release.id);
    recorded.unreadable.sort();
    Ok(recorded)
}

fn parse(volume: &str, labels: &HashMap<String, String>, project: &str) -> Result<Release, String> {
    let text = labels.get(label::RECORD).map(String::as_str).unwrap_or_default();
    let content: serde_json::Value =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    let format =
        content.get("format").and_then(serde_json::Value::as_u64).ok_or("it has no format")?;
    if format > FORMAT.into() {
        return Err(format!("it has the format {format}: a newer version of spc wrote it"));
    }
    let release: Release = serde_json::from_value(content).map_err(|error| error.to_string())?;
    if id_of(volume, project) != Some(release.id) {
        return Err("the volume has the name of another release".to_owned());
    }
    if release.id > MOST_ID {
        return Err("its number is too large".to_owned());
    }
    let is_id = |it: &ReleasedService| it.image_id.is_empty() || is_image_id(&it.image_id);
    if let Some((name, service)) = release.services.iter().find(|(_, it)| !is_id(it)) {
        return Err(format!("\"{}\" of \"{name}\" is no id of an image", service.image_id));
    }
    let at = labels.get(label::RECORDED).cloned().unwrap_or_default();
    Ok(Release { at, ..release })
}

/// Whether it is an id, and not a name, which may denote any image.
fn is_image_id(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| {
        digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Records what runs as a release, gives its images the names that keep them, and removes the
/// oldest records. Returns `None` if the newest record says the same.
pub async fn record(
    ctx: &VerbContext,
    project: &Project,
    details: ReleaseDetails,
) -> Result<Option<Release>, Failure> {
    let observed = look(ctx, &project.name).await?;
    let recorded = read(ctx, &project.name).await?;
    if release_of(ctx, project, &observed, &recorded, &details).is_none()
        && surplus(&recorded, &observed, &details).is_empty()
        && details.replaces.is_none()
    {
        return Ok(None);
    }
    under_lock(ctx, &project.name, async |lock| {
        let observed = look(ctx, &project.name).await?;
        let mut recorded = read(ctx, &project.name).await?;
        let mut release = release_of(ctx, project, &observed, &recorded, &details);
        if let Some(release) = &mut release {
            lock.verify().await?;
            keep_images(ctx, &project.name, release).await?;
            write(ctx, &project.name, release).await?;
            recorded.releases.push(release.clone());
        }
        let old = surplus(&recorded, &observed, &details).into_iter().map(|release| release.id);
        for id in old.chain(details.replaces).collect::<BTreeSet<u64>>() {
            lock.verify().await?;
            remove(ctx, &project.name, id).await?;
            recorded.releases.retain(|release| release.id != id);
        }
        drop_images(ctx, &project.name, &recorded).await?;
        Ok(release)
    })
    .await
}

/// The record to write; `None` if there is nothing new to say.
fn release_of(
    ctx: &VerbContext,
    project: &Project,
    observed: &ObservedState,
    recorded: &RecordedReleases,
    details: &ReleaseDetails,
) -> Option<Release> {
    let newest = recorded.releases.iter().rev().find(|release| release.is_good());
    let services = match &details.failed {
        None => release::running(project, observed, &recorded.releases, &ctx.secrets),
        Some((services, _)) => {
            let restored = recorded.releases.iter().find(|it| Some(it.id) == details.restores);
            let described = services.iter().filter_map(|name| project.services.get(name));
            restored.map_or_else(
                || described.map(|it| (it.name.clone(), release::tried(it))).collect(),
                release::tried_again,
            )
        }
    };
    let is_new = details.failed.is_some()
        || newest.is_none_or(|newest| newest.services != services)
        || details.restores.is_some_and(|restores| {
            newest.is_some_and(|newest| newest.restores.unwrap_or(newest.id) != restores)
        });
    if services.is_empty() || !is_new {
        return None;
    }
    let failed = details.failed.as_ref().map(|(_, reason)| {
        ctx.secrets.mask(reason).chars().take(LONGEST_REASON).collect::<String>()
    });
    let left = details.restores.and_then(|restores| {
        let left = newest?;
        (left.restores.unwrap_or(left.id) != restores).then_some(left.id)
    });
    Some(Release {
        format: FORMAT,
        id: recorded.next(&project.name),
        at: ctx.host.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        strategy: details.strategy.clone(),
        by: details.by.clone(),
        commit: details.commit.clone(),
        failed,
        restores: details.restores,
        left,
        services,
    })
}

fn surplus<'a>(
    recorded: &'a RecordedReleases,
    observed: &ObservedState,
    details: &ReleaseDetails,
) -> Vec<&'a Release> {
    release::surplus(&recorded.releases, observed, details.keep.unwrap_or(release::KEPT))
}

/// Runs `work` while this run has the project's lock.
async fn under_lock<T>(
    ctx: &VerbContext,
    project: &str,
    work: impl AsyncFnOnce(&Lock) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(lock) = &ctx.lock {
        return work(lock).await;
    }
    let lock = lock::acquire(ctx, project, ctx.lock_patience()).await?;
    let done = work(&lock).await;
    let released = lock.release().await;
    done.and_then(|done| released.map(|()| done))
}

/// Writes a record under its id, or under the next one whose volume does not exist with another
/// content.
async fn write(ctx: &VerbContext, project: &str, release: &mut Release) -> Result<(), Failure> {
    for _ in 0..MOST_TAKEN {
        if write_as(ctx, project, release).await? {
            return Ok(());
        }
        release.id = release.id.saturating_add(1);
    }
    let name = release_volume(project, release.id);
    let message = format!("the volume \"{name}\" already exists, with another content");
    Err(Failure::new(Kind::Conflict, format!("Could not record the release: {message}"))
        .hint(format!("remove it with `docker volume rm {name}`, if nothing else needs it")))
}

/// Returns whether the volume has the record.
async fn write_as(ctx: &VerbContext, project: &str, release: &Release) -> Result<bool, Failure> {
    let name = release_volume(project, release.id);
    let content = serde_json::to_string(release)
        .map_err(|error| Failure::usage(format!("The release can't be recorded: {error}")))?;
    // Without Compose's project label: its tools would treat it as one of the project's volumes.
    let labels = [
        (label::FORMAT, LABEL_FORMAT.to_owned()),
        (label::PROJECT, project.to_owned()),
        (label::HOLDS, HOLDS_RELEASE.to_owned()),
        (label::RECORD, content.clone()),
        (label::RECORDED, release.at.clone()),
        (compose_label::WORKING_DIR, ctx.project.directory.to_string_lossy().into_owned()),
    ];
    let created = ctx
        .engine
        .volume_create(create::record(&name, labels))
        .await
        .map_err(|error| of_engine(error, "record the release"))?;
    Ok(created.labels.get(label::RECORD) == Some(&content))
}

async fn remove(ctx: &VerbContext, project: &str, id: u64) -> Result<(), Failure> {
    let name = release_volume(project, id);
    match ctx.engine.volume_remove(&name, false).await {
        Err(error) if !error.is_not_found() => {
            Err(of_engine(error, &format!("remove the volume \"{name}\"")))
        }
        _ => Ok(()),
    }
}

/// Gives the images of a release the names that keep them.
async fn keep_images(ctx: &VerbContext, project: &str, release: &Release) -> Result<(), Failure> {
    for id in image_ids(release) {
        let name = kept_image(project, &id);
        if image_id(&*ctx.engine, &name).await?.as_ref() == Some(&id) {
            continue;
        }
        let tagged = ctx.engine.image_tag(&id, &name).await;
        tagged
            .map_err(|error| of_engine(error, &format!("tag the image \"{id}\" as \"{name}\"")))?;
    }
    Ok(())
}

fn image_ids(release: &Release) -> BTreeSet<String> {
    release
        .services
        .values()
        .map(|service| service.image_id.clone())
        .filter(|id| !id.is_empty())
        .collect()
}

/// Removes the names that keep images of releases whose records are gone, as after `down` with
/// `volumes`.
pub(super) async fn drop_images_without_record(
    ctx: &VerbContext,
    project: &str,
) -> Result<(), Failure> {
    if unneeded_names(ctx, project, &read(ctx, project).await?).await?.is_empty() {
        return Ok(());
    }
    under_lock(ctx, project, async |lock| {
        let recorded = read(ctx, project).await?;
        lock.verify().await?;
        drop_images(ctx, project, &recorded).await
    })
    .await
}

/// The names that keep images of releases without a record. None, if a record can't be read: it may
/// be one of a newer version.
async fn unneeded_names(
    ctx: &VerbContext,
    project: &str,
    recorded: &RecordedReleases,
) -> Result<Vec<String>, Failure> {
    if !recorded.unreadable.is_empty() {
        return Ok(Vec::new());
    }
    let needed: BTreeSet<String> =
        recorded.releases.iter().flat_map(image_ids).map(|id| kept_image(project, &id)).collect();
    let images = ctx.engine.image_list(&Filters::new()).await;
    let images = images.map_err(|error| of_engine(error, "list the images"))?;
    Ok(images
        .into_iter()
        .flat_map(|image| image.repo_tags)
        .filter(|name| is_kept_image(name, project) && !needed.contains(name))
        .collect())
}

/// Removes the names that keep images of releases without a record. An image that a container or
/// another name needs stays.
async fn drop_images(
    ctx: &VerbContext,
    project: &str,
    recorded: &RecordedReleases,
) -> Result<(), Failure> {
    for name in unneeded_names(ctx, project, recorded).await? {
        if let Err(error) = ctx.engine.image_remove(&name, false).await
            && !error.is_not_found()
        {
            // A container uses it under this name: the next record tries again.
            ctx.log(Level::Warning, format!("The image {name} stays: {}", error.message));
        }
    }
    Ok(())
}

/// Whether the engine still has the image of a released service.
pub async fn has_image(ctx: &VerbContext, service: &ReleasedService) -> Result<bool, Failure> {
    Ok(image_id(&*ctx.engine, &service.image_id).await?.is_some())
}

/// Makes the image names of a release denote its images again. Fails before the first change if the
/// engine no longer has one of them.
pub async fn restore_images(
    ctx: &VerbContext,
    project: &str,
    release: &Release,
) -> Result<(), Failure> {
    for (name, service) in &release.services {
        if !has_image(ctx, service).await? {
            let message = format!(
                "The image \"{}\" of the service \"{name}\" in release {} is no longer on the engine",
                service.image, release.id
            );
            return Err(Failure::new(Kind::Image, message)
                .hint("`docker image prune --all` removes unused images: build or pull it again, and deploy it by its tag"));
        }
    }
    let is_right = async |service: &ReleasedService| -> Result<bool, Failure> {
        Ok(image_id(&*ctx.engine, &service.image).await?.as_ref() == Some(&service.image_id))
    };
    let mut is_restored = true;
    for service in release.services.values() {
        is_restored = is_restored && is_right(service).await?;
    }
    if is_restored {
        return Ok(());
    }
    under_lock(ctx, project, async |lock| {
        for service in release.services.values() {
            if is_right(service).await? {
                continue;
            }
            lock.verify().await?;
            let name = &service.image;
            let tagged = ctx.engine.image_tag(&service.image_id, name).await;
            tagged.map_err(|error| of_engine(error, &format!("tag the image \"{name}\"")))?;
            ctx.log(Level::Notice, format!("{name} is the image of release {} again", release.id));
        }
        Ok(())
    })
    .await
}

/// The records of `project`, with the one that runs and the one that a rollback goes to.
pub struct Overview {
    pub recorded: RecordedReleases,
    pub observed: ObservedState,
}

/// Reads the records and what runs.
pub async fn overview(ctx: &VerbContext, project: &str) -> Result<Overview, Failure> {
    let observed = look(ctx, project).await?;
    Ok(Overview { recorded: read(ctx, project).await?, observed })
}
