//! Projects that were moved: to a renamed folder, to another folder, or to the folder of another
//! release.
//!
//! An object belongs to the folder in its label, and labels can't be changed: a volume keeps the
//! name of the folder that created it. In another folder a person has to name the project, with
//! `--project`. The next verb records this on the engine, in an empty volume ([`MoveRecord`]), so
//! that later runs in this folder don't need the option. The record is not in `.spc/`, because
//! scripts and containers can write that folder and could take another folder's project. It is not
//! on the project's containers, because `down` removes them while volumes stay.
//!
//! The record names the current folder of the project. In any other folder, also a former one, a
//! person has to name the project.
//!
//! Docker Compose records no folder on the volumes and networks that it creates. Once a person
//! adopted them with `--adopt`, the same record, without a former folder, says that they belong to
//! this folder.
//!
//! The record is removed once no object on the engine names a former folder or belongs to Docker
//! Compose.

use std::collections::BTreeSet;
use std::path::Path;

use bollard::models;
use sha2::{Digest, Sha256};

use super::VerbContext;
use super::create;
use super::failures::of_engine;
use super::held_lock::Lock;
use super::look::look;
use crate::host::resolve::resolve;
use crate::model::Failure;
use crate::model::event::Level;
use crate::model::hash::hex;
use crate::model::names::{
    HOLDS_FORMER_FOLDERS, LABEL_FORMAT, compose_label, former_folders_volume, label,
};
use crate::model::observed_state::{MoveRecord, ObservedState};

/// The folders, other than the project directory, that created existing objects of `project`.
pub async fn former_folders(ctx: &VerbContext, project: &str) -> Result<Vec<String>, Failure> {
    let observed = look(ctx, project).await?;
    let is_here =
        |folder: &str| ctx.policy.is_project_directory(folder, &|path| resolve(&*ctx.host, path));
    Ok(observed.folders.into_iter().filter(|folder| !is_here(folder)).collect())
}

/// The changes that make the record true.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    /// The former folders of a new record; empty if only objects of Docker Compose are adopted;
    /// `None` for no new record.
    record: Option<BTreeSet<String>>,
    /// Records that are no longer true.
    remove: Vec<String>,
    /// The last folder of the project: the folders in those records, or else in the labels of its
    /// objects.
    from: BTreeSet<String>,
}

impl Change {
    fn is_empty(&self) -> bool {
        self.record.is_none() && self.remove.is_empty()
    }
}

fn change(ctx: &VerbContext, project: &str, observed: &ObservedState, takes_over: bool) -> Change {
    let is_here =
        |folder: &str| ctx.policy.is_project_directory(folder, &|path| resolve(&*ctx.host, path));
    let is_given = ctx.policy.is_given_project(project);
    // A record for another folder belongs to that folder, unless a person named the project.
    if !is_given && observed.moves.iter().any(|there| !is_here(&there.to)) {
        return Change::default();
    }
    let former: BTreeSet<String> =
        observed.folders.iter().filter(|folder| !is_here(folder)).cloned().collect();
    let is_needed = !former.is_empty() || has_folderless(observed);
    let is_true =
        |there: &&MoveRecord| is_needed && is_here(&there.to) && former.is_subset(&there.former);
    let kept = observed.moves.iter().find(is_true);
    let may_record = if former.is_empty() { takes_over && ctx.policy.adopts() } else { is_given };
    if kept.is_none() && is_needed && !may_record {
        return Change::default();
    }
    let last: BTreeSet<String> =
        observed.moves.iter().map(|there| there.to.clone()).filter(|to| !is_here(to)).collect();
    Change {
        from: if last.is_empty() { former.clone() } else { last },
        record: (kept.is_none() && is_needed).then_some(former),
        remove: observed
            .moves
            .iter()
            .filter(|there| Some(*there) != kept)
            .map(|there| there.name.clone())
            .collect(),
    }
}

/// Whether an object of Docker Compose exists without a recorded folder.
fn has_folderless(observed: &ObservedState) -> bool {
    observed.volumes.iter().any(|volume| volume.compose && !volume.ours)
        || observed.networks.iter().any(|network| network.compose && !network.ours)
}

/// Networks and volumes that the project adopted from Docker Compose: those recorded in `.spc/`, or
/// all of them if the record on the engine assigns them to this folder.
pub(super) fn adopted(
    ctx: &VerbContext,
    observed: &ObservedState,
    recorded: BTreeSet<String>,
) -> BTreeSet<String> {
    let is_here =
        |folder: &str| ctx.policy.is_project_directory(folder, &|path| resolve(&*ctx.host, path));
    let mut adopted = recorded;
    if observed.moves.iter().any(|there| is_here(&there.to)) {
        let networks = observed
            .networks
            .iter()
            .filter(|network| network.compose && !network.ours)
            .map(|network| network.name.clone());
        let volumes = observed
            .volumes
            .iter()
            .filter(|volume| volume.compose && !volume.ours)
            .map(|volume| volume.name.clone());
        adopted.extend(networks.chain(volumes));
    }
    adopted
}

/// Whether the engine's records of moves are wrong or incomplete, and this run may correct them.
/// `takes_over`: whether `--adopt` has an effect on this verb.
pub(super) fn is_outdated(
    ctx: &VerbContext,
    project: &str,
    observed: &ObservedState,
    takes_over: bool,
) -> bool {
    !change(ctx, project, observed, takes_over).is_empty()
}

/// Records where the project was moved from, and removes records that are no longer true. If that
/// fails, it only warns.
pub(super) async fn settle(
    ctx: &VerbContext,
    project: &str,
    observed: &ObservedState,
    lock: Option<&Lock>,
    takes_over: bool,
) -> Result<(), Failure> {
    let change = change(ctx, project, observed, takes_over);
    if change.is_empty() {
        return Ok(());
    }
    if let Some(lock) = lock {
        lock.verify().await?;
    }
    if let Err(failure) = apply(ctx, project, change).await {
        ctx.log(
            Level::Warning,
            format!(
                "Could not record that the project \"{project}\" was moved: {}",
                failure.message
            ),
        );
    }
    Ok(())
}

async fn apply(ctx: &VerbContext, project: &str, change: Change) -> Result<(), Failure> {
    if let Some(former) = change.record {
        let body = body(project, &ctx.project.directory, &former);
        let name = body.name.clone().unwrap_or_default();
        let labels = body.labels.clone().unwrap_or_default();
        let created = ctx
            .engine
            .volume_create(body)
            .await
            .map_err(|error| of_engine(error, "record the move"))?;
        if created.labels != labels {
            let message = format!("the volume \"{name}\" already exists, with other labels");
            return Err(Failure::new(crate::model::Kind::Conflict, message));
        }
        let from = change
            .from
            .iter()
            .map(|folder| format!("\"{folder}\""))
            .collect::<Vec<_>>()
            .join(" and ");
        let here = ctx.project.directory.display();
        ctx.log(
            Level::Notice,
            if former.is_empty() {
                format!(
                    "The networks and volumes that Docker Compose created for the project \"{project}\" belong to \"{here}\" from now on: --adopt is not needed again"
                )
            } else {
                format!("The project \"{project}\" is in \"{here}\" from now on, not in {from}: --project is not needed here again")
            },
        );
    }
    for name in change.remove {
        match ctx.engine.volume_remove(&name, false).await {
            Err(error) if !error.is_not_found() => {
                return Err(of_engine(error, &format!("remove the volume \"{name}\"")));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The name of the volume for this record.
pub(super) fn name_of_record(project: &str, to: &Path, former: &BTreeSet<String>) -> String {
    let text = format!("{}\n{}", to.display(), serde_json::to_string(former).unwrap_or_default());
    former_folders_volume(project, &hex(&Sha256::digest(text))[..12])
}

/// The create call of the record that `project` was moved to `to`.
fn body(project: &str, to: &Path, former: &BTreeSet<String>) -> models::VolumeCreateRequest {
    let name = name_of_record(project, to, former);
    let (to, former) =
        (to.to_string_lossy().into_owned(), serde_json::to_string(former).unwrap_or_default());
    // Without Compose's project label: its tools would treat it as one of the project's volumes.
    let labels = [
        (label::FORMAT, LABEL_FORMAT.to_owned()),
        (label::PROJECT, project.to_owned()),
        (label::HOLDS, HOLDS_FORMER_FOLDERS.to_owned()),
        (label::FORMER_FOLDERS, former),
        (compose_label::WORKING_DIR, to),
    ];
    create::record(&name, labels)
}
