//! Which images have no health check: beside one, a check's value that is not described is the
//! image's, else it is the engine's default.

use std::collections::BTreeSet;

use super::VerbContext;
use crate::model::hash;
use crate::model::observed_state::ObservedState;
use crate::model::spec::Project;

/// Looks at the images of containers that differ from their services at most in values of a check
/// which are the engine's defaults. Most often there are none. What can't be looked at is taken to
/// have a check: its container is replaced.
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
