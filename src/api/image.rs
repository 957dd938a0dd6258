//! `image`: one image, by name and tag.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use futures::FutureExt;

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use super::context::Context;
use super::fs::File;
use super::project::{self, verb_context};
use super::{Raw, secret, task};
use crate::apply::build_labels::are_of_image;
use crate::apply::builds::reported;
use crate::apply::failures::of_engine;
use crate::apply::images::{self, ImageBuild};
use crate::apply::observe::{EngineObject, find_image, image_id};
use crate::host::resolve::resolve;
use crate::model::image_reference::{fault, how_to_name};
use crate::model::names::{compose_label, label};
use crate::model::spec::reader::Field;
use crate::model::spec::tokens::{self, DescriptionKind};
use crate::model::spec::{Build, Secret};
use crate::model::step::ActionKind;
use crate::model::time::readable;
use crate::model::{Failure, Kind};
use crate::value::Options;
use crate::value::json::{description_to_json, from_json};

/// A script's handle of an image, which may not exist.
#[derive(Clone)]
pub struct Image {
    context: Arc<Context>,
    name: String,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image {}", self.name)
    }
}

impl Image {
    fn missing(&self) -> Failure {
        let failure = Failure::new(
            Kind::NotFound,
            format!("The image \"{}\" is not on the engine", self.name),
        );
        let failure =
            failure.hint("pull it, build it or import it").field("image", self.name.clone());
        project::with_builder_of_image(&self.context, failure)
    }

    fn id(&self) -> Result<Option<String>, Failure> {
        task::wait(&self.context, async {
            image_id(&*self.context.engine().await?, &self.name).await
        })
    }

    fn inspect(&self) -> Result<EngineObject, Failure> {
        task::wait(&self.context, async {
            find_image(&*self.context.engine().await?, &self.name)
                .await?
                .ok_or_else(|| self.missing())
        })
    }

    fn build(&self, given: &Map) -> Result<String, Failure> {
        let build = described(&self.context, given)?;
        self.context
            .policy
            .read_path(&build.context, &|path| resolve(&*self.context.host, path))?;
        self.context.policy.namespace("network", build.network.as_deref().unwrap_or_default())?;
        let secrets = build_secrets(&self.context, &build)?;
        let project = project::name(&self.context)?;
        task::wait(&self.context, async {
            let ctx = verb_context(&self.context, &project).await?;
            let building = ImageBuild {
                image: &self.name,
                build: &build,
                of: None,
                project: &project,
                secrets: &secrets,
            };
            reported(&ctx, &self.name, ActionKind::Build, &self.name, async |report| {
                images::build(&ctx, &building, report).await
            })
            .await
        })
    }

    fn pull(&self) -> Result<String, Failure> {
        let project = project::name(&self.context)?;
        let pulled = task::wait(&self.context, async {
            let ctx = verb_context(&self.context, &project).await?;
            reported(&ctx, &self.name, ActionKind::Pull, &self.name, async |report| {
                images::pull(&ctx, &self.name, None, report).await
            })
            .await
        });
        pulled.map_err(|failure| project::with_builder_of_image(&self.context, failure))
    }

    fn import(&self, file: &File, given: Map) -> Result<String, Failure> {
        let changes = changes(given)?;
        let tar = file.open(&self.context)?;
        task::wait(&self.context, async {
            let engine = self.context.engine().await?;
            engine
                .image_import(&self.name, &changes, tar)
                .await
                .map_err(|error| of_engine(error, &format!("import the image \"{}\"", self.name)))
        })
    }

    fn tag(&self, tag: &str) -> Result<(), Failure> {
        check_name(tag)?;
        task::wait(&self.context, async {
            let engine = self.context.engine().await?;
            engine.image_tag(&self.name, tag).await.map_err(|error| {
                of_engine(error, &format!("tag the image \"{}\" as \"{tag}\"", self.name))
            })
        })
    }

    fn registry_digest(&self, given: Map) -> Result<String, Failure> {
        let timeout = patience(given)?;
        task::wait(&self.context, async {
            let engine = self.context.engine().await?;
            futures::select_biased! {
                digest = engine.image_registry_digest(&self.name, None).fuse() => {
                    digest.map_err(|error| Failure::new(Kind::Image, format!("The registry of \"{}\" did not answer: {}", self.name, error.message)))
                }
                () = self.context.host.sleep(timeout).fuse() => {
                    Err(Failure::new(Kind::Timeout, format!("The registry of \"{}\" did not answer within {}", self.name, readable(timeout))))
                }
            }
        })
    }

    fn remove(&self) -> Result<(), Failure> {
        let mut found = self.inspect()?;
        if are_of_image(&found) == Some(false)
            && let Some(of_base) = found.labels.remove(label::PROJECT)
        {
            // Someone may have built this image on one of the project's. Labels that come from the
            // base image say nothing about it.
            found.labels.retain(|key, owner| key != compose_label::PROJECT || *owner != of_base);
        }
        project::check_ours(&self.context, &format!("image \"{}\"", self.name), &found.labels)?;
        task::wait(&self.context, async {
            let engine = self.context.engine().await?;
            engine
                .image_remove(&self.name, false)
                .await
                .map_err(|error| of_engine(error, &format!("remove the image \"{}\"", self.name)))
        })
    }
}

/// The build in the options of a script.
pub(super) fn described(context: &Context, given: &Map) -> Result<Build, Failure> {
    let json = description_to_json(given)?;
    tokens::check(&json, DescriptionKind::Build)?;
    let lookup = |name: &str| context.variable(name).map(str::to_owned);
    Build::read(&Field::root(&json), &context.project.directory, &lookup)
}

/// Rejects names that Docker does not accept for an image.
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    secret::none_in(name, "the name of an image")?;
    if name.trim().is_empty() {
        return Err(Failure::usage("An image needs a name"));
    }
    match fault(name) {
        Some(reason) => Err(Failure::usage(format!("\"{name}\" is not an image name: {reason}"))
            .hint(how_to_name(name))),
        None => Ok(()),
    }
}

/// The secrets that a build lists, by name.
fn build_secrets(context: &Context, build: &Build) -> Result<BTreeMap<String, Secret>, Failure> {
    let found = build
        .secrets
        .iter()
        .map(|secret| Ok((secret.source.clone(), secret::described(context, &secret.source)?)));
    found.collect()
}

/// The options of `import_tar`.
pub(super) fn changes(given: Map) -> Result<Vec<String>, Failure> {
    let mut options = Options::new(given, "options of import_tar");
    let changes = options.list_of_text("changes")?.unwrap_or_default();
    options.finish()?;
    Ok(changes)
}

/// The options of `registry_digest`.
pub(super) fn patience(given: Map) -> Result<std::time::Duration, Failure> {
    let mut options = Options::new(given, "options of registry_digest");
    let timeout = options.duration("timeout")?.unwrap_or(std::time::Duration::from_secs(30));
    options.finish()?;
    Ok(timeout)
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// The image with this name and tag.
    #[rhai_fn(name = "image", return_raw)]
    pub fn image(context: NativeCallContext, name: &str) -> Raw<Image> {
        check_name(name)?;
        Ok(Image { context: Context::of(&context)?, name: name.to_owned() })
    }

    /// The image's name as it was requested.
    #[rhai_fn(get = "name", pure)]
    pub fn name(image: &mut Image) -> String {
        image.name.clone()
    }

    /// Whether the engine has the image.
    #[rhai_fn(return_raw, pure)]
    pub fn exists(image: &mut Image) -> Raw<bool> {
        Ok(image.id()?.is_some())
    }

    /// The image's id, `sha256:…`.
    #[rhai_fn(get = "id", return_raw, pure)]
    pub fn id(image: &mut Image) -> Raw<String> {
        Ok(image.id()?.ok_or_else(|| image.missing())?)
    }

    /// The digest of its pull or push; `()` for an image that was only built.
    #[rhai_fn(get = "digest", return_raw, pure)]
    pub fn digest(image: &mut Image) -> Raw<Dynamic> {
        Ok(image.inspect()?.json["RepoDigests"][0]
            .as_str()
            .map_or(Dynamic::UNIT, |digest| digest.to_owned().into()))
    }

    /// Everything that the engine knows about it.
    #[rhai_fn(return_raw, pure)]
    pub fn inspect(image: &mut Image) -> Raw<Dynamic> {
        Ok(from_json(&image.inspect()?.json))
    }

    /// Build it. Returns its id. Keys are those of Compose's `build`: `context dockerfile target
    /// args labels no_cache pull network tags secrets`.
    ///
    /// `secrets` lists names of secrets as for `secret`. A step `RUN --mount=type=secret,id=<name>`
    /// reads a secret as a file, and the image does not contain it. If the value of a secret
    /// changed, the image is built again.
    ///
    /// ```rhai,no_run
    /// image("local/app:dev").build(#{ context: "app", secrets: ["npm_token", #{ source: "ca", target: "ca.pem" }] });
    /// ```
    #[rhai_fn(name = "build", return_raw, pure)]
    pub fn build(image: &mut Image, options: Map) -> Raw<String> {
        Ok(image.build(&options)?)
    }

    /// Pull it from its registry, even if a stack builds an image with this name. Returns its id.
    #[rhai_fn(name = "pull", return_raw, pure)]
    pub fn pull(image: &mut Image) -> Raw<String> {
        Ok(image.pull()?)
    }

    /// Make it from the tar archive of a root file system. Returns its id.
    #[rhai_fn(name = "import_tar", return_raw, pure)]
    pub fn import(image: &mut Image, archive: File) -> Raw<String> {
        Ok(image.import(&archive, Map::new())?)
    }

    /// Make it from an archive, with Dockerfile instructions in `changes`.
    #[rhai_fn(name = "import_tar", return_raw, pure)]
    pub fn import_with(image: &mut Image, archive: File, options: Map) -> Raw<String> {
        Ok(image.import(&archive, options)?)
    }

    /// Give it an additional name.
    #[rhai_fn(name = "tag", return_raw, pure)]
    pub fn tag(image: &mut Image, tag: &str) -> Raw<()> {
        Ok(image.tag(tag)?)
    }

    /// Ask its registry for the digest without a pull; `timeout` (30 s).
    #[rhai_fn(name = "registry_digest", return_raw, pure)]
    pub fn registry_digest(image: &mut Image) -> Raw<String> {
        Ok(image.registry_digest(Map::new())?)
    }

    /// The same, with `timeout`.
    #[rhai_fn(name = "registry_digest", return_raw, pure)]
    pub fn registry_digest_with(image: &mut Image, options: Map) -> Raw<String> {
        Ok(image.registry_digest(options)?)
    }

    /// Remove it. Only an image that was built for the project can be removed.
    #[rhai_fn(name = "remove", return_raw, pure)]
    pub fn remove(image: &mut Image) -> Raw<()> {
        Ok(image.remove()?)
    }

    /// The image as text.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_text(image: &mut Image) -> String {
        image.to_string()
    }
}

/// Registers the type and its functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<Image>("image");
    engine.register_global_module(shared_module!(functions));
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use super::*;
    use crate::engine::sim::{ImageSpec, SimEngine};
    use crate::host::sim::executor::SimTaskExecutor;

    #[test]
    fn a_foreign_image_built_on_an_image_of_the_project_can_not_be_removed() {
        let sim = SimTaskExecutor::new(1);
        let labelled = |labels: &[(&str, &str)]| ImageSpec {
            labels: labels
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..ImageSpec::command(&["serve"])
        };
        let own = [
            (label::PROJECT, "project"),
            (compose_label::PROJECT, "project"),
            (label::IMAGE, "base:1"),
        ];
        let by_compose = [
            (label::PROJECT, "project"),
            (compose_label::PROJECT, "other"),
            (label::IMAGE, "base:1"),
        ];
        let engine = SimEngine::builder(sim.clone())
            .image("base:1", labelled(&own))
            .image("theirs:1", labelled(&own))
            .image("composed:1", labelled(&by_compose))
            // From before spc recorded names.
            .image("old:1", labelled(&own[..2]))
            .build();
        let trial = Harness::on_engine(&sim, Arc::new(engine), |host| host, "");
        let fails = |name: &str| trial.fails(&format!("image(\"{name}\").remove()")).message;
        assert!(fails("theirs:1").ends_with("no project created it"), "{}", fails("theirs:1"));
        assert!(
            fails("composed:1").ends_with("Docker Compose created it, for the project \"other\""),
            "{}",
            fails("composed:1")
        );
        trial.text(
            "image(\"base:1\").tag(\"again:1\"); image(\"again:1\").remove(); image(\"base:1\").remove(); image(\"old:1\").remove();",
        );
        assert_eq!(
            trial.text("`${image(\"base:1\").exists()} ${image(\"old:1\").exists()} ${image(\"theirs:1\").exists()}`"),
            "false false true"
        );
    }
}
