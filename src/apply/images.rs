//! Builds images and reports their progress.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;

use super::build_labels;
use super::context::{self, BuildContext, Instructions};
use super::failures::{FREE_SPACE, of_engine};
use super::observe::{EngineObject, find_image};
use super::patience::within;
pub use super::pull::pull;
use super::{OnProgress, VerbContext};
use crate::engine::{BuildEvent, BuildRequest, EngineErrorKind, Intent, OUTPUT_FOLLOWS};
use crate::model::dockerfile::possible_downloads;
use crate::model::event::{Detail, Event, StepStatus};
use crate::model::names::{LABEL_FORMAT, compose_label, is_reserved_label, label};
use crate::model::ownership::SPC_LABELS;
use crate::model::spec::{Build, BuildSecret, Secret};
use crate::model::time::readable;
use crate::model::{Failure, Kind, hash};

/// The beginning of the builder's message, which the failure repeats otherwise.
const BUILD_FAILED: &str = "the build failed: ";
/// A build that reports nothing for this long is cancelled.
const STALLED: Duration = Duration::from_hours(1);

/// A build and its inputs.
pub struct ImageBuild<'a> {
    pub image: &'a str,
    pub build: &'a Build,
    /// The service of the image; `None` for an image outside of a stack, which gets no labels of
    /// the project.
    pub of: Option<&'a str>,
    /// The project whose records contain the key of the fingerprints.
    pub project: &'a str,
    /// The secrets that `build` lists, by name.
    pub secrets: &'a BTreeMap<String, Secret>,
}

impl ImageBuild<'_> {
    /// All names that the image gets.
    fn tags(&self) -> Vec<String> {
        std::iter::once(self.image.to_owned()).chain(self.build.tags.iter().cloned()).collect()
    }

    /// The labels with the owner of the image; empty for an image outside of a stack.
    fn project_labels(&self) -> BTreeMap<String, String> {
        let Some(service) = self.of else { return BTreeMap::new() };
        let labels = [
            (compose_label::PROJECT, self.project),
            (compose_label::SERVICE, service),
            (label::PROJECT, self.project),
        ];
        labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    /// The secrets for the builder: id → value.
    fn secret_values(&self, ctx: &VerbContext) -> Result<BTreeMap<String, String>, Failure> {
        let value = |secret: &BuildSecret| {
            let described = self.secrets.get(&secret.source).ok_or_else(|| {
                Failure::new(
                    Kind::NotFound,
                    format!(
                        "There is no secret \"{}\" for the build of \"{}\"",
                        secret.source, self.image
                    ),
                )
            })?;
            Ok((secret.id.clone(), super::secrets::value(ctx, &secret.source, described)?))
        };
        self.build.secrets.iter().map(value).collect()
    }

    /// The keyed fingerprint of those values; empty for none.
    fn fingerprint(
        &self,
        ctx: &VerbContext,
        values: &BTreeMap<String, String>,
    ) -> Result<String, Failure> {
        if values.is_empty() {
            return Ok(String::new());
        }
        let failed = |error| {
            Failure::new(
                Kind::Failed,
                format!(
                    "The secrets of the build of \"{}\" can't be fingerprinted: {error}",
                    self.image
                ),
            )
        };
        ctx.records(self.project).fingerprint(values).map_err(failed)
    }
}

/// The value of the label for build settings outside of the context.
pub(super) fn arguments_hash(build: &Build, dockerfile: &str) -> String {
    let inputs = serde_json::json!([build.args, build.labels, dockerfile, build.network]);
    hash::sha256(inputs.to_string().as_bytes())
}

/// What an image is built from, as labels. No two different builds have the same labels.
async fn origin(
    ctx: &VerbContext,
    building: &ImageBuild<'_>,
    context: &BuildContext,
    progress: &OnProgress<'_>,
) -> Result<BTreeMap<String, String>, Failure> {
    let build = building.build;
    let mut origin = BTreeMap::from([
        (label::BUILD.to_owned(), context.digest.clone()),
        (label::ARGUMENTS.to_owned(), arguments_hash(build, &context.instructions.dockerfile)),
        (label::TARGET.to_owned(), build.target.clone().unwrap_or_default()),
    ]);
    let mut bases = Vec::new();
    for base in context.instructions.bases.iter().flatten() {
        if build.pull || super::observe::image_id(&*ctx.engine, base).await?.is_none() {
            // The builder would pull it too, but then its id would be unknown here. If the pull
            // fails, the builder reports it.
            let _ = pull(ctx, base, None, progress).await;
        }
        bases.push((base, super::observe::image_id(&*ctx.engine, base).await?));
    }
    if context.instructions.bases.is_some()
        && let Some(ids) = bases
            .into_iter()
            .map(|(base, id)| Some(format!("{base}={}", id?)))
            .collect::<Option<Vec<_>>>()
    {
        origin.insert(label::BASE.to_owned(), ids.join(","));
    }
    Ok(origin)
}

/// Empty values for reserved labels that would come from a base image or from the Dockerfile.
async fn overwritten(
    ctx: &VerbContext,
    context: &BuildContext,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut labels: BTreeMap<String, String> =
        SPC_LABELS.iter().map(|key| ((*key).to_owned(), String::new())).collect();
    for base in context.instructions.bases.iter().flatten() {
        let found = find_image(&*ctx.engine, base).await?;
        let reserved = found
            .into_iter()
            .flat_map(|found| found.labels.into_keys())
            .filter(|key| is_reserved_label(key));
        labels.extend(reserved.map(|key| (key, String::new())));
    }
    Ok(labels)
}

/// The fingerprint of the secrets that an image was built with; empty for none, and for images that
/// are older than build secrets.
fn fingerprint_of(image: &EngineObject) -> &str {
    image.labels.get(label::BUILD_SECRETS).map_or("", String::as_str)
}

/// Whether an image was built from exactly this, and has all its names.
async fn is_as_built(
    ctx: &VerbContext,
    building: &ImageBuild<'_>,
    origin: &BTreeMap<String, String>,
    fingerprint: &str,
    found: &EngineObject,
) -> Result<bool, Failure> {
    let has = |label: &str| found.labels.get(label).map_or("", String::as_str);
    let is_same =
        origin.contains_key(label::BASE) && origin.iter().all(|(label, value)| has(label) == value);
    // A fingerprint with an unknown key can't be compared: the value may have changed.
    if !is_same || fingerprint_of(found) != fingerprint {
        return Ok(false);
    }
    for tag in &building.build.tags {
        if super::observe::image_id(&*ctx.engine, tag).await?.as_ref() != Some(&found.id) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Rejects base images whose triggers (`ONBUILD`) would make the engine download something that the
/// Dockerfile may not download.
async fn no_trigger_downloads(
    ctx: &VerbContext,
    instructions: &Instructions,
) -> Result<(), Failure> {
    if ctx.policy.engines().is_empty() {
        return Ok(());
    }
    for base in instructions.bases.iter().flatten().chain(&instructions.possible_bases) {
        // A name with a variable is not a name. If the variable has a known value, the name is in
        // the list too.
        let Some(found) =
            (if base.contains('$') { None } else { find_image(&*ctx.engine, base).await? })
        else {
            continue;
        };
        let triggers = found.json["Config"]["OnBuild"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(serde_json::Value::as_str);
        for download in triggers.flat_map(possible_downloads) {
            let place = format!("ONBUILD of the base image \"{base}\"");
            ctx.policy
                .download(&download.source)
                .map_err(|refusal| Failure::from(refusal).detail("where", place))?;
        }
    }
    Ok(())
}

/// Checks what a build downloads, as seen from the engine's machine, and what reads its Dockerfile.
fn check_instructions(
    ctx: &VerbContext,
    image: &str,
    build: &Build,
    instructions: &Instructions,
) -> Result<(), Failure> {
    for name in build.tags.iter().map(String::as_str).chain([image]) {
        ctx.policy.image_name("build the image", name)?;
    }
    for download in &instructions.downloads {
        let place = format!(
            "line {} of \"{}\"",
            download.line,
            build.context.join(&instructions.dockerfile).display()
        );
        ctx.policy
            .download(&download.source)
            .map_err(|refusal| Failure::from(refusal).detail("where", place))?;
    }
    instructions.frontends.iter().try_for_each(|frontend| Ok(ctx.policy.frontend(frontend)?))
}

/// The images that a build begins with and copies from; empty if the Dockerfile can't be read,
/// which the build will report.
pub fn bases(ctx: &VerbContext, build: &Build) -> BTreeSet<String> {
    let Ok(instructions) = context::check(&*ctx.host, &ctx.policy, build) else {
        return BTreeSet::new();
    };
    instructions.bases.unwrap_or(instructions.possible_bases)
}

/// Checks a build before it starts: its context, its Dockerfile, its secrets, its names.
pub async fn check(ctx: &VerbContext, building: &ImageBuild<'_>) -> Result<(), Failure> {
    let ImageBuild { image, build, of, .. } = building;
    let instructions =
        context::check(&*ctx.host, &ctx.policy, build).map_err(|failure| match of {
            Some(service) => failure.field("service", *service),
            None => failure,
        })?;
    check_instructions(ctx, image, build, &instructions)?;
    // Checks base images that the engine has. The others are checked after their pull.
    no_trigger_downloads(ctx, &instructions).await?;
    building.secret_values(ctx)?;
    let labels = building.project_labels();
    let intent = Intent::BuildImage {
        tags: &building.tags(),
        network: build.network.as_deref(),
        labels: &labels,
    };
    ctx.engine
        .check(intent)
        .await
        .map_err(|error| of_engine(error, &format!("build the image \"{image}\"")))
}

/// Builds an image, unless it exists and was built from exactly this. Returns its id.
pub async fn build(
    ctx: &VerbContext,
    building: &ImageBuild<'_>,
    progress: &OnProgress<'_>,
) -> Result<String, Failure> {
    let ImageBuild { image, build, of, .. } = building;
    let name = of.unwrap_or(*image);
    progress("reading the build context".into());
    let context = context::collect(&*ctx.host, &ctx.policy, build)
        .await
        .map_err(|failure| failure.field("service", name))?;
    check_instructions(ctx, image, build, &context.instructions)?;
    for note in &context.notes {
        ctx.log(crate::model::event::Level::Warning, note.clone());
    }
    let secrets = building.secret_values(ctx)?;
    let fingerprint = building.fingerprint(ctx, &secrets)?;
    let origin = origin(ctx, building, &context, progress).await?;
    no_trigger_downloads(ctx, &context.instructions).await?;
    let is_compared = origin.contains_key(label::BASE) || !secrets.is_empty();
    let found =
        if build.no_cache || !is_compared { None } else { find_image(&*ctx.engine, image).await? };
    if let Some(found) = &found {
        build_labels::check_format(found, image)?;
    }
    if let Some(found) = &found
        && is_as_built(ctx, building, &origin, &fingerprint, found).await?
    {
        progress("unchanged since it was built".into());
        return Ok(found.id.clone());
    }
    // The builder's cache ignores secrets: it would reuse a step that used another value. And an
    // image does not show that it was built on one with the same secrets.
    let is_cache_stale = !secrets.is_empty()
        && match &found {
            Some(found) => {
                let bases = context.instructions.bases.iter().flatten();
                fingerprint_of(found) != fingerprint
                    || !build_labels::are_own(&*ctx.engine, found, bases).await
            }
            None => true,
        };
    let mut labels = overwritten(ctx, &context).await?;
    labels.extend(build.labels.clone());
    labels.insert(label::FORMAT.into(), LABEL_FORMAT.into());
    labels.insert(label::BUILD_SECRETS.into(), fingerprint);
    labels.insert(label::IMAGE.into(), build_labels::of_names(&building.tags()));
    labels.extend(origin);
    labels.extend(building.project_labels());
    let request = BuildRequest {
        tags: building.tags(),
        dockerfile: context.instructions.dockerfile.clone(),
        target: build.target.clone(),
        args: build.args.clone(),
        secrets: secrets.into_iter().map(|(id, value)| (id, value.into())).collect(),
        labels,
        no_cache: build.no_cache || is_cache_stale,
        pull: build.pull,
        network: build.network.clone(),
        platform: None,
        context_digest: context.digest.clone(),
        context: context.stream(&ctx.host),
    };
    let failed = |error: crate::engine::EngineError| match error.kind {
        EngineErrorKind::Unreachable
        | EngineErrorKind::PermissionDenied
        | EngineErrorKind::Refused => of_engine(error, &format!("build the image \"{image}\"")),
        _ => {
            let (first, rest) = error.message.split_once('\n').unwrap_or((&error.message, ""));
            // The output follows as a separate block.
            let first = first.strip_suffix(OUTPUT_FOLLOWS).unwrap_or(first);
            let first = first.strip_prefix(BUILD_FAILED).unwrap_or(first);
            let failure =
                Failure::new(Kind::Build, format!("The build of \"{image}\" failed: {first}"))
                    .detail("the step's last output", rest);
            let failure = failure.field("image", (*image).to_owned()).field("service", name);
            match (error.hint, error.kind) {
                (Some(hint), _) => failure.hint(hint),
                (None, EngineErrorKind::NoSpace) => failure.hint(FREE_SPACE),
                (None, _) => failure,
            }
        }
    };
    let host = &*ctx.host;
    let say = |silent| {
        progress(StepStatus::new(format!("no output for {}", readable(silent)), Detail::Waiting))
    };
    let stalled = || {
        let silence = readable(STALLED);
        Failure::new(
            Kind::Timeout,
            format!("The build of \"{image}\" stalled: the engine reported nothing for {silence}"),
        )
        .hint("a step that takes so long has to print something now and then")
        .field("image", image.to_owned())
    };
    let mut stream = within(host, STALLED, &say, ctx.engine.image_build(request))
        .await
        .ok_or_else(stalled)?
        .map_err(failed)?;
    let mut id = None;
    while let Some(event) = within(host, STALLED, &say, stream.next()).await.ok_or_else(stalled)? {
        match event.map_err(failed)? {
            BuildEvent::Step(step) => {
                progress(StepStatus::new(step, Detail::Building { cached: false }))
            }
            BuildEvent::Cached(step) => progress(StepStatus::new(
                format!("{step} (cached)"),
                Detail::Building { cached: true },
            )),
            BuildEvent::Output(bytes) => {
                for line in String::from_utf8_lossy(&bytes).lines() {
                    ctx.events
                        .event(&Event::Output { from: name.to_owned(), text: line.to_owned() });
                }
            }
            BuildEvent::Image(image_id) => id = Some(image_id),
        }
    }
    match id {
        Some(id) => Ok(id),
        None => super::observe::image_id(&*ctx.engine, image).await?.ok_or_else(|| {
            Failure::new(Kind::Build, format!("The build of \"{image}\" ended without an image"))
        }),
    }
}
