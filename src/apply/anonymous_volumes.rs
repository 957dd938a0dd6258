//! Anonymous volumes of a replaced container: selects those that the new container keeps, and warns
//! about old content.

use std::collections::BTreeMap;

use super::VerbContext;
use super::observe::{image_id, image_volumes, inspect, is_anonymous};
use crate::model::Failure;
use crate::model::event::Level;
use crate::model::names::NEW_SUFFIX;
use crate::model::spec::secret::SECRETS_FOLDER;
use crate::model::spec::{MountSource, Service};

/// Target → volume of the container `old`, for each target where the new container `name` also has
/// an anonymous volume. The data is kept unless `renews` is set. Adds a note if a volume is used
/// with another image, is renewed, or has no target in the new container.
pub(super) async fn inherited(
    ctx: &VerbContext,
    service: &Service,
    name: &str,
    old: &str,
    renews: bool,
) -> Result<BTreeMap<String, String>, Failure> {
    let engine = &*ctx.engine;
    let replaced = inspect(engine, old).await?;
    let mut volumes = replaced.volumes;
    volumes.retain(|target, name| is_anonymous(name) && target != SECRETS_FOLDER);
    if volumes.is_empty() {
        return Ok(volumes);
    }
    let of_image = image_volumes(engine, &service.image).await?;
    let (volumes, left): (BTreeMap<_, _>, BTreeMap<_, _>) =
        volumes.into_iter().partition(|(target, _)| {
            match service.volumes.iter().find(|mount| mount.place() == *target) {
                Some(mount) => mount.source == MountSource::Anonymous,
                None => of_image.contains(target),
            }
        });
    let is_other_image =
        image_id(engine, &service.image).await?.is_some_and(|id| id != replaced.image_id);
    let service = &service.name;
    let warn = |text: String| ctx.log(Level::Warning, format!("{service}: {text}"));
    for (target, volume) in left {
        warn(format!(
            "\"{target}\" has no anonymous volume any more; the old one, \"{volume}\", stays on the engine"
        ));
    }
    for (target, volume) in &volumes {
        if renews {
            warn(format!(
                "the anonymous volume at \"{target}\" is a new one; the old one, \"{volume}\", stays on the engine"
            ));
        } else if is_other_image {
            let text = format!(
                "the image changed, and \"{target}\" still has the anonymous volume of the old container"
            );
            let how = "`up(#{ renew_anonymous_volumes: true })` or --renew-anon-volumes creates a new one";
            warn(format!("{text}, now in {}; {how}", name.trim_end_matches(NEW_SUFFIX)));
        }
    }
    Ok(if renews { BTreeMap::new() } else { volumes })
}
