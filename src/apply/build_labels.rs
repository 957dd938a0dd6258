//! Finds out whether the build labels of an image belong to this image or to its base image. The
//! engine copies the labels of a base image. If Docker Compose or a person builds an image on one
//! of spc's, the new image has spc's labels, but they describe the base.

use super::observe::{EngineObject, find_image};
use crate::engine::Engine;
use crate::model::format::{self, USE_NEWER};
use crate::model::image_reference::canonical;
use crate::model::names::label;
use crate::model::{Failure, Kind};

/// The labels that say what an image was built from. No two builds of spc have the same values in
/// all of them.
const OF_BUILD: [&str; 5] =
    [label::BUILD, label::BASE, label::ARGUMENTS, label::TARGET, label::BUILD_SECRETS];

/// The value of [`label::IMAGE`] for an image with these names.
pub(super) fn of_names(names: &[String]) -> String {
    names.iter().map(|name| canonical(name)).collect::<Vec<_>>().join(",")
}

/// Whether spc built this image itself, by the names that it gave the image. `None` if the image is
/// older than this label. An image that got another name later still has one of those names, or no
/// name at all.
pub fn are_of_image(found: &EngineObject) -> Option<bool> {
    let noted = found.labels.get(label::IMAGE)?;
    let tags = found.json["RepoTags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str);
    let mut names = tags.map(canonical).peekable();
    Some(names.peek().is_none() || names.any(|name| noted.split(',').any(|noted| noted == name)))
}

/// Rejects an image that a newer spc built: this version can't tell whether it is up to date. An
/// image that someone built on such an image only inherited its labels.
pub(super) fn check_format(found: &EngineObject, image: &str) -> Result<(), Failure> {
    let format = found.labels.get(label::FORMAT).map(String::as_str);
    match format::check_labels(format) {
        Err(why) if are_of_image(found) == Some(true) => {
            let hint = "remove the image to have it built again";
            Err(Failure::new(
                Kind::Conflict,
                format!("The labels of the image \"{image}\" can't be read: {why}"),
            )
            .hint(if why.is_newer() {
                format!("{USE_NEWER}, or {hint}")
            } else {
                hint.to_owned()
            }))
        }
        _ => Ok(()),
    }
}

/// Whether the labels describe this image. `bases` are the images that its Dockerfile begins with.
/// An image without recorded names inherited its labels if one of its bases has exactly the same
/// ones.
pub(super) async fn are_own(
    engine: &dyn Engine,
    found: &EngineObject,
    bases: impl Iterator<Item = &String>,
) -> bool {
    if let Some(are_own) = are_of_image(found) {
        return are_own;
    }
    let has_same = |base: &EngineObject| {
        OF_BUILD.iter().all(|key| base.labels.get(*key) == found.labels.get(*key))
    };
    for base in bases {
        // A base image that can't be inspected is treated as one without labels.
        if let Ok(Some(base)) = find_image(engine, base).await
            && base.id != found.id
            && has_same(&base)
        {
            return false;
        }
    }
    true
}
