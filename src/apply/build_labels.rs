//! Whether the labels that spc gave an image at its build are the image's own. An image has the
//! labels of the one that it begins with: where Docker Compose or a person builds on what spc
//! built, spc's labels are still there and speak of the other image.

use super::observe::{EngineObject, find_image};
use crate::engine::Engine;
use crate::model::format::{self, FormatError, USE_NEWER};
use crate::model::image_reference::canonical;
use crate::model::names::label;
use crate::model::{Failure, Kind};

/// The labels that say what an image was built from: together, no two builds of spc have the same
/// ones.
const OF_BUILD: [&str; 5] =
    [label::BUILD, label::BASE, label::ARGUMENTS, label::TARGET, label::BUILD_SECRETS];

/// The value of [`label::IMAGE`] for an image with these names.
pub(super) fn of_names(names: &[String]) -> String {
    names.iter().map(|name| canonical(name)).collect::<Vec<_>>().join(",")
}

/// Whether spc built the image itself, by the names that it gave it then; nothing where the image
/// is from before spc noted them. An image that was given another name since still has one of
/// those, or is not known any more.
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

/// Refuses an image that a newer spc built: whether it is as it would be built now can't be told.
/// One that somebody built on such an image only has its labels.
pub(super) fn check_format(found: &EngineObject, image: &str) -> Result<(), Failure> {
    let format = found.labels.get(label::FORMAT).map(String::as_str);
    match format::check_labels(format) {
        Err(newer @ FormatError::Newer { .. }) if are_of_image(found) == Some(true) => {
            Err(Failure::new(
                Kind::Conflict,
                format!("The labels of the image \"{image}\" can't be read: {newer}"),
            )
            .hint(format!("{USE_NEWER}, or remove the image to have it built again")))
        }
        _ => Ok(()),
    }
}

/// Whether what the labels say was said of the image. `bases`: what its Dockerfile begins with. An
/// image from before spc noted names has inherited its labels if one of those has the very same.
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
        // What can't be looked at has given it nothing, as far as anybody knows.
        if let Ok(Some(base)) = find_image(engine, base).await
            && base.id != found.id
            && has_same(&base)
        {
            return false;
        }
    }
    true
}
