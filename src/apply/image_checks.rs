//! Which images have no health check. If the description sets no value for a check, the value of
//! the image's check applies, else the engine's default.

use std::collections::BTreeSet;

use super::VerbContext;
use crate::model::hash;
use crate::model::observed_state::ObservedState;
use crate::model::spec::Project;

/// Inspects the images of containers whose check may differ from the description only by the
/// engine's defaults. Usually there are none. An image that can't be inspected is treated as one
/// with a check, so its container is replaced.
pub(super) async fn look_at_image_checks(
    ctx: &VerbContext,
    project: Option<&Project>,
    observed: &mut ObservedState,
) {
    let Some(project) = project else { return };
    let is_open = |hash: &str, service: &str| {
        project.services.get(service).is_some_and(|service| {
            !hash::is_of_service(hash, service, project, &ctx.secrets)
                && hash::is_of_service_by_defaults(hash, service, project, &ctx.secrets)
        })
    };
    let containers = observed
        .containers
        .iter()
        .filter(|it| it.hash.as_deref().is_some_and(|hash| is_open(hash, &it.service)));
    let images: BTreeSet<String> = containers.map(|container| container.image_id.clone()).collect();
    for image in images {
        let Ok(found) = ctx.engine.image_inspect(&image).await else { continue };
        let check = found.config.and_then(|config| config.healthcheck);
        if check
            .is_none_or(|check| check.test.is_none_or(|test| test.is_empty() || test[0] == "NONE"))
        {
            observed.unchecked_images.insert(image);
        }
    }
}
