//! Names that are reserved for spc: of its locks and their image, and of replacements. A call that
//! gives one to another object is rejected.

use std::collections::BTreeMap;
use std::path::Path;

use bollard::models;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};

use super::{EngineError, EngineErrorKind, Result};
use crate::model::dockerfile;
use crate::model::names::{
    LOCK_IMAGE, NEW_SUFFIX, compose_label, is_former_folders_volume, is_like_id, is_reserved_image,
    label, locked_project,
};
use crate::model::ownership::reserved_name;
use crate::policy::Policy;

/// An empty archive: only its two closing blocks.
const EMPTY_ARCHIVE: usize = 1024;

fn refused(doing: &str, object: &str, reason: &str) -> EngineError {
    EngineError::new(
        EngineErrorKind::Refused,
        format!("A script may not {doing} \"{object}\": {reason}"),
    )
}

/// Rejects a name that denotes another object in calls that accept an id.
pub(super) fn is_no_id(doing: &str, name: &str) -> Result<()> {
    if is_like_id(name.trim_start_matches('/')) {
        return Err(refused(
            doing,
            name,
            "the engine would read the name as the id of another object",
        ));
    }
    Ok(())
}

/// Rejects a container with a lock's name that is not the lock, or with a replacement's name that
/// is not a replacement.
pub(super) fn may_create(name: &str, image: &str, labels: &BTreeMap<String, String>) -> Result<()> {
    is_no_id("create the container", name)?;
    let text = |key: &str| labels.get(key).map(String::as_str).filter(|value| !value.is_empty());
    if text(label::LOCK) != locked_project(name)
        || text(label::LOCK).is_some() && image != LOCK_IMAGE
    {
        return Err(refused(
            "create the container",
            name,
            "only the lock of a project has such a name and labels",
        ));
    }
    let is_of_service =
        text(label::SERVICE).is_some() && text(compose_label::ONEOFF) == Some("False");
    if name.ends_with(NEW_SUFFIX) && !is_of_service {
        return Err(refused(
            "create the container",
            name,
            "only the replacement of a service's container has such a name",
        ));
    }
    Ok(())
}

/// Rejects a rename of an existing container to a reserved name.
pub(super) fn may_rename(container: &str, name: &str) -> Result<()> {
    is_no_id("rename a container to", name)?;
    match reserved_name(name) {
        Some(what) => Err(refused(
            "rename the container",
            container,
            &format!("\"{name}\" is how spc names {what}"),
        )),
        None => Ok(()),
    }
}

/// Allows a record of a move only for a project that a person named, and only in its proper form:
/// the folders in the record count as the project directory. A record without a folder makes
/// objects of Docker Compose the project's own; for it `--adopt` is enough.
pub(super) fn may_record_move(
    policy: &Policy,
    volume: &str,
    labels: &BTreeMap<String, String>,
) -> Result<()> {
    let text = |key: &str| labels.get(key).map(String::as_str).unwrap_or_default();
    let is_here = Path::new(text(compose_label::WORKING_DIR)) == policy.project_directory();
    let is_adoption = text(label::FORMER_FOLDERS) == "[]";
    let is_said = policy.is_given_project(text(label::PROJECT)) || (is_adoption && policy.adopts());
    if is_here && is_said && is_former_folders_volume(volume) {
        return Ok(());
    }
    Err(refused(
        "create the volume",
        volume,
        "only spc records that a project was moved or adopted, with --project or --adopt",
    ))
}

/// Rejects a mount that would create a volume with the record of a move.
pub(super) fn is_no_record_of_a_move(mount: &models::Mount) -> Result<()> {
    let labels = mount.volume_options.iter().flat_map(|options| options.labels.iter().flatten());
    if labels.into_iter().any(|(key, _)| key == label::FORMER_FOLDERS) {
        let volume = mount.source.as_deref().unwrap_or_default();
        return Err(refused(
            "create the volume",
            volume,
            "only spc records that a project was moved",
        ));
    }
    Ok(())
}

/// Rejects changes of the image with the name of the locks' image.
pub(super) fn may_name_image(doing: &str, image: &str) -> Result<()> {
    if is_reserved_image(image) {
        return Err(refused(doing, image, "spc makes the locks of all projects from it"));
    }
    Ok(())
}

/// Rejects reserved labels among the instructions of an import.
pub(super) fn may_label_image(image: &str, changes: &[String]) -> Result<()> {
    match dockerfile::reserved_label(&changes.join("\n"), &BTreeMap::new()) {
        Some(found) => Err(refused(
            "import the image",
            image,
            &format!("the label \"{}\" is reserved for spc", found.key),
        )),
        None => Ok(()),
    }
}

/// Allows only an empty archive under the name of the locks' image.
pub(super) async fn only_the_locks_image(
    image: &str,
    changes: &[String],
    mut tar: BoxStream<'static, std::io::Result<Bytes>>,
) -> Result<BoxStream<'static, std::io::Result<Bytes>>> {
    let mut read = BytesMut::new();
    while let Some(chunk) = tar.next().await {
        read.extend_from_slice(
            &chunk.map_err(|error| EngineError::new(EngineErrorKind::Failed, error.to_string()))?,
        );
        if read.len() > EMPTY_ARCHIVE {
            break;
        }
    }
    if image != LOCK_IMAGE || !changes.is_empty() || *read != [0; EMPTY_ARCHIVE] {
        may_name_image("import the image", image)?;
    }
    Ok(stream::iter([Ok(read.freeze())]).boxed())
}
