//! `network`: one network, by name.

use std::fmt;
use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use super::context::Context;
use super::{Raw, project, secret, task};
use crate::apply::create;
use crate::apply::failures::of_engine;
use crate::apply::observe::{EngineObject, find_container, find_network};
use crate::engine::Intent;
use crate::model::spec;
use crate::model::spec::reader::Field;
use crate::model::spec::tokens::{self, DescriptionKind};
use crate::model::{Failure, Kind, names};
use crate::value::Options;
use crate::value::json::{description_to_json, from_json};

/// A script's handle of a network, which may not exist. Its name is the engine's, or the key of a
/// network of the project.
#[derive(Clone)]
pub struct Network {
    context: Arc<Context>,
    name: String,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "network {}", self.name)
    }
}

impl Network {
    /// By the engine's name as given, else as a key of the project.
    async fn find(&self) -> Result<Option<EngineObject>, Failure> {
        let engine = self.context.engine().await?;
        if let Some(found) = find_network(&*engine, &self.name).await? {
            return Ok(Some(found));
        }
        find_network(&*engine, &names::object(&project::name(&self.context)?, &self.name)).await
    }

    async fn found(&self) -> Result<EngineObject, Failure> {
        self.find().await?.ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("There is no network \"{}\"", self.name))
        })
    }

    fn create(&self, given: &Map) -> Result<(), Failure> {
        let json = description_to_json(given)?;
        tokens::check(&json, DescriptionKind::Object)?;
        let project = project::name(&self.context)?;
        let described = spec::Network::read(&Field::root(&json), &project, &self.name)?;
        self.context
            .policy
            .network(described.driver.as_deref().unwrap_or_default(), &described.driver_opts)?;
        project::finish(&self.context, async {
            if self.find().await?.is_some() {
                return Ok(());
            }
            let engine = self.context.engine().await?;
            let body =
                create::network(&project, &self.context.project.directory, &self.name, &described);
            engine.network_create(body).await.map(drop).map_err(|error| {
                of_engine(error, &format!("create the network \"{}\"", described.name))
            })
        })
    }

    fn remove(&self) -> Result<(), Failure> {
        project::finish(&self.context, async {
            let found = self.found().await?;
            project::check_ours(
                &self.context,
                &format!("network \"{}\"", self.name),
                &found.labels,
            )?;
            let engine = self.context.engine().await?;
            engine
                .network_remove(&found.id)
                .await
                .map_err(|error| of_engine(error, &format!("remove the network \"{}\"", self.name)))
        })
    }

    fn connect(&self, container: &str, given: Map) -> Result<(), Failure> {
        secret::none_in(container, "the name of a container")?;
        let aliases = aliases(given)?;
        project::finish(&self.context, async {
            let found = self.found().await?;
            self.check_container(container).await?;
            let endpoint = create::aliased(aliases);
            let engine = self.context.engine().await?;
            let doing = format!("connect \"{container}\" to the network \"{}\"", self.name);
            engine
                .network_connect(&found.id, container, endpoint)
                .await
                .map_err(|error| of_engine(error, &doing))
        })
    }

    fn disconnect(&self, container: &str) -> Result<(), Failure> {
        secret::none_in(container, "the name of a container")?;
        project::finish(&self.context, async {
            let found = self.found().await?;
            self.check_container(container).await?;
            let engine = self.context.engine().await?;
            let doing = format!("disconnect \"{container}\" from the network \"{}\"", self.name);
            engine
                .network_disconnect(&found.id, container, false)
                .await
                .map_err(|error| of_engine(error, &doing))
        })
    }

    async fn check_container(&self, container: &str) -> Result<(), Failure> {
        let engine = self.context.engine().await?;
        let found = find_container(&*engine, container).await?;
        let found = found.ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("There is no container \"{container}\""))
        })?;
        project::check_ours(&self.context, &format!("container \"{container}\""), &found.labels)
    }
}

/// The options of `connect`.
pub(super) fn aliases(given: Map) -> Result<Option<Vec<String>>, Failure> {
    let mut options = Options::new(given, "options of connect");
    let aliases = options.list_of_text("aliases")?;
    options.finish()?;
    Ok(aliases)
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// The network with this name.
    #[rhai_fn(name = "network", return_raw)]
    pub fn network(context: NativeCallContext, name: &str) -> Raw<Network> {
        secret::none_in(name, "the name of a network")?;
        Ok(Network { context: Context::of(&context)?, name: name.to_owned() })
    }

    /// The network's name as it was requested.
    #[rhai_fn(get = "name", pure)]
    pub fn name(network: &mut Network) -> String {
        network.name.clone()
    }

    /// A network has no tag.
    #[rhai_fn(get = "tag", return_raw, pure)]
    pub fn tag(network: &mut Network) -> Raw<Dynamic> {
        Err(Failure::usage(format!("A network has no \"tag\" (asked of {})", network.name)).into())
    }

    /// Whether the network exists.
    #[rhai_fn(return_raw, pure)]
    pub fn exists(network: &mut Network) -> Raw<bool> {
        Ok(task::wait(&network.context.clone(), async { Ok(network.find().await?.is_some()) })?)
    }

    /// Everything that the engine knows about it. Only for a network of the project, or one that a
    /// stack uses.
    #[rhai_fn(return_raw, pure)]
    pub fn inspect(network: &mut Network) -> Raw<Dynamic> {
        let found = task::wait(&network.context.clone(), async {
            let found = network.found().await?;
            let intent = Intent::LookIntoNetwork(&found.id);
            project::may_look(&network.context, intent, "network", &found.name, &found.labels)
                .await?;
            Ok(found)
        })?;
        Ok(from_json(&found.json))
    }

    /// Create it for the project. An existing one is not changed.
    #[rhai_fn(name = "create", return_raw, pure)]
    pub fn create(network: &mut Network) -> Raw<()> {
        Ok(network.create(&Map::new())?)
    }

    /// Create it with Compose's keys: `name driver driver_opts ipam internal attachable labels`.
    #[rhai_fn(name = "create", return_raw, pure)]
    pub fn create_with(network: &mut Network, spec: Map) -> Raw<()> {
        Ok(network.create(&spec)?)
    }

    /// Remove it. Only a network that the project created can be removed.
    #[rhai_fn(name = "remove", return_raw, pure)]
    pub fn remove(network: &mut Network) -> Raw<()> {
        Ok(network.remove()?)
    }

    /// Connect a container of the project to the network.
    #[rhai_fn(name = "connect", return_raw, pure)]
    pub fn connect(network: &mut Network, container: &str) -> Raw<()> {
        Ok(network.connect(container, Map::new())?)
    }

    /// Connect a container of the project to the network, with `aliases`.
    #[rhai_fn(name = "connect", return_raw, pure)]
    pub fn connect_with(network: &mut Network, container: &str, options: Map) -> Raw<()> {
        Ok(network.connect(container, options)?)
    }

    /// Disconnect a container of the project from the network.
    #[rhai_fn(name = "disconnect", return_raw, pure)]
    pub fn disconnect(network: &mut Network, container: &str) -> Raw<()> {
        Ok(network.disconnect(container)?)
    }

    /// The network as text.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_text(network: &mut Network) -> String {
        network.to_string()
    }
}

/// Registers the type and its functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<Network>("network");
    engine.register_global_module(shared_module!(functions));
}
