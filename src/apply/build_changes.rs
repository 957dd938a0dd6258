//! What has changed since an image was built. `up` builds only missing images, so it reports such
//! changes.

use chrono::DateTime;

use super::VerbContext;
use super::build_labels;
use super::context;
use super::images::{ImageBuild, arguments_hash};
use super::observe::find_image;
use crate::model::image_reference::canonical;
use crate::model::names::label;
use crate::model::plan::{Action, Plan};
use crate::model::spec::{Build, Project};

/// An image whose description has changed since it was built.
pub struct ChangedBuild {
    /// The canonical name.
    image: String,
    /// See [`changes`].
    changed: Vec<&'static str>,
    note: String,
}

/// The changed builds of `services` whose images exist. If something can't be read, the build
/// reports it when it is requested.
pub async fn find<'a>(
    ctx: &VerbContext,
    project: &Project,
    services: impl Iterator<Item = &'a String>,
) -> Vec<ChangedBuild> {
    let mut found = Vec::new();
    for service in services.map(|name| &project.services[name]) {
        let Some(build) = &service.build else { continue };
        let of = Some(service.name.as_str());
        let building = ImageBuild {
            image: &service.image,
            build,
            of,
            project: &project.name,
            secrets: &project.secrets,
        };
        let changed = changes(ctx, &building).await;
        // Two services may build one image and spell its name differently.
        let is_known = |there: &ChangedBuild| {
            there.image == canonical(&service.image) && there.changed == changed
        };
        if !changed.is_empty() && !found.iter().any(is_known) {
            let note = format!(
                "the description of the image \"{}\" changed since it was built ({}); `build()` or `up(#{{ build: true }})` builds it again",
                service.image,
                changed.join(", ")
            );
            found.push(ChangedBuild { image: canonical(&service.image), changed, note });
        }
    }
    found
}

/// Adds notes about the images that the plan doesn't build.
pub fn note(found: &[ChangedBuild], plan: &mut Plan) {
    let is_built = |image: &str| {
        plan.steps.iter().any(|step| matches!(&step.action, Action::BuildImage { image: built, .. } if canonical(built) == image))
    };
    let notes: Vec<String> = found
        .iter()
        .filter(|changed| !is_built(&changed.image))
        .map(|changed| changed.note.clone())
        .collect();
    for note in notes {
        if !plan.notes.contains(&note) {
            plan.notes.push(note);
        }
    }
}

/// The changes, in Compose's words; empty if the image doesn't exist or was not built by spc.
async fn changes(ctx: &VerbContext, building: &ImageBuild<'_>) -> Vec<&'static str> {
    let Ok(Some(image)) = find_image(&*ctx.engine, building.image).await else {
        return Vec::new();
    };
    let has = |label: &str| image.labels.get(label).map_or("", String::as_str);
    if has(label::BUILD).is_empty() || build_labels::check_format(&image, building.image).is_err() {
        return Vec::new();
    }
    let build = building.build;
    let Ok(instructions) = context::check(&*ctx.host, &ctx.policy, build) else {
        return Vec::new();
    };
    let bases = instructions.bases.iter().flatten().chain(&instructions.possible_bases);
    if !build_labels::are_own(&*ctx.engine, &image, bases).await {
        return Vec::new();
    }
    let mut changed = Vec::new();
    if has(label::TARGET) != build.target.as_deref().unwrap_or_default() {
        changed.push("target");
    }
    if has(label::ARGUMENTS) != arguments_hash(build, &instructions.dockerfile) {
        changed.push("arguments");
    }
    let created =
        image.json["Created"].as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    if has_other_context(
        ctx,
        build,
        has(label::BUILD),
        created.map_or(0, |created| created.timestamp()),
    )
    .await
    {
        changed.push("context");
    }
    changed
}

/// Whether the context differs from the one with this digest. Reads the files only if one is newer
/// than the image.
async fn has_other_context(ctx: &VerbContext, build: &Build, digest: &str, created: i64) -> bool {
    match context::last_modified(&*ctx.host, &ctx.policy, build) {
        Ok(modified) if modified >= u64::try_from(created).unwrap_or(0) => {}
        _ => return false,
    }
    let context = context::collect(&*ctx.host, &ctx.policy, build).await;
    context.is_ok_and(|context| context.digest != digest)
}
