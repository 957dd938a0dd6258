//! `volume`: one volume, by name.

use std::fmt;
use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use super::context::Context;
use super::{Raw, project, secret, task};
use crate::apply::create;
use crate::apply::failures::of_engine;
use crate::apply::observe::{EngineObject, find_volume};
use crate::engine::Intent;
use crate::host::resolve::resolve;
use crate::model::driver_options::without_passwords;
use crate::model::spec;
use crate::model::spec::reader::Field;
use crate::model::spec::tokens::{self, DescriptionKind};
use crate::model::{Failure, Kind, names};
use crate::value::json::{description_to_json, from_json};

/// A script's handle of a volume, which may not exist. Its name is the engine's, or the key of a
/// volume of the project.
#[derive(Clone)]
pub struct Volume {
    context: Arc<Context>,
    name: String,
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "volume {}", self.name)
    }
}

impl Volume {
    /// By the engine's name as given, else as a key of the project.
    async fn find(&self) -> Result<Option<EngineObject>, Failure> {
        let engine = self.context.engine().await?;
        if let Some(found) = find_volume(&*engine, &self.name).await? {
            return Ok(Some(found));
        }
        find_volume(&*engine, &names::object(&project::name(&self.context)?, &self.name)).await
    }

    fn missing(&self) -> Failure {
        Failure::new(Kind::NotFound, format!("There is no volume \"{}\"", self.name))
    }

    fn create(&self, given: &Map) -> Result<(), Failure> {
        let json = description_to_json(given)?;
        tokens::check(&json, DescriptionKind::Object)?;
        let project = project::name(&self.context)?;
        let described = spec::Volume::read(
            &Field::root(&json),
            &project,
            &self.name,
            &self.context.project.directory,
        )?;
        self.context.policy.volume_options(
            described.driver.as_deref(),
            &described.driver_opts,
            &|path| resolve(&*self.context.host, path),
        )?;
        project::finish(&self.context, async {
            let engine = self.context.engine().await?;
            let body =
                create::volume(&project, &self.context.project.directory, &self.name, &described);
            engine.volume_create(body).await.map(drop).map_err(|error| {
                of_engine(error, &format!("create the volume \"{}\"", described.name))
            })
        })
    }

    /// Everything that the engine knows about it, without passwords.
    fn look(&self) -> Result<serde_json::Value, Failure> {
        let mut found = task::wait(&self.context, async {
            let found = self.find().await?.ok_or_else(|| self.missing())?;
            let intent = Intent::LookIntoVolume(&found.name);
            project::may_look(&self.context, intent, "volume", &found.name, &found.labels).await?;
            Ok(found)
        })?;
        for (key, value) in found
            .json
            .get_mut("Options")
            .and_then(serde_json::Value::as_object_mut)
            .into_iter()
            .flatten()
        {
            if let Some(text) = value.as_str() {
                *value = without_passwords(key, text).into();
            }
        }
        Ok(found.json)
    }

    fn remove(&self) -> Result<(), Failure> {
        project::finish(&self.context, async {
            let found = self.find().await?.ok_or_else(|| self.missing())?;
            project::check_ours(
                &self.context,
                &format!("volume \"{}\"", found.name),
                &found.labels,
            )?;
            let engine = self.context.engine().await?;
            engine
                .volume_remove(&found.name, false)
                .await
                .map_err(|error| of_engine(error, &format!("remove the volume \"{}\"", found.name)))
        })
    }
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// The volume with this name.
    #[rhai_fn(name = "volume", return_raw)]
    pub fn volume(context: NativeCallContext, name: &str) -> Raw<Volume> {
        secret::none_in(name, "the name of a volume")?;
        Ok(Volume { context: Context::of(&context)?, name: name.to_owned() })
    }

    /// The volume's name as it was requested.
    #[rhai_fn(get = "name", pure)]
    pub fn name(volume: &mut Volume) -> String {
        volume.name.clone()
    }

    /// A volume has no tag.
    #[rhai_fn(get = "tag", return_raw, pure)]
    pub fn tag(volume: &mut Volume) -> Raw<Dynamic> {
        Err(Failure::usage(format!("A volume has no \"tag\" (asked of {})", volume.name)).into())
    }

    /// Whether the volume exists.
    #[rhai_fn(return_raw, pure)]
    pub fn exists(volume: &mut Volume) -> Raw<bool> {
        Ok(task::wait(&volume.context.clone(), async { Ok(volume.find().await?.is_some()) })?)
    }

    /// Everything that the engine knows about it; passwords in its options are hidden. Only for a
    /// volume of the project, or one that a stack uses.
    #[rhai_fn(return_raw, pure)]
    pub fn inspect(volume: &mut Volume) -> Raw<Dynamic> {
        Ok(from_json(&volume.look()?))
    }

    /// Create it for the project. An existing one is not changed.
    #[rhai_fn(name = "create", return_raw, pure)]
    pub fn create(volume: &mut Volume) -> Raw<()> {
        Ok(volume.create(&Map::new())?)
    }

    /// Create it with Compose's keys: `name driver driver_opts labels`.
    #[rhai_fn(name = "create", return_raw, pure)]
    pub fn create_with(volume: &mut Volume, spec: Map) -> Raw<()> {
        Ok(volume.create(&spec)?)
    }

    /// Remove it with its data. Only a volume that the project created can be removed.
    #[rhai_fn(name = "remove", return_raw, pure)]
    pub fn remove(volume: &mut Volume) -> Raw<()> {
        Ok(volume.remove()?)
    }

    /// The volume as text.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_text(volume: &mut Volume) -> String {
        volume.to_string()
    }
}

/// Registers the type and its functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<Volume>("volume");
    engine.register_global_module(shared_module!(functions));
}
