//! Rollback: restores a network after another network took its subnet.

use super::VerbContext;
use super::create;
use super::failures::of_engine;
use super::observe::find_network;
use crate::engine::EngineError;
use crate::model::Failure;
use crate::model::names::label;
use crate::model::plan::ContainerRef;
use crate::model::spec::Network;

/// The network to recreate.
pub(super) struct NetworkRestore<'a> {
    pub project: &'a str,
    pub key: &'a str,
    pub network: &'a Network,
    /// The hash on its label.
    pub hash: Option<&'a str>,
    /// Networks that have its subnet now.
    pub instead: &'a [String],
}

/// Recreates the network, unless it still exists, and reconnects stopped containers with their
/// former settings. This is needed because the engine identifies a container's network by its id,
/// which has changed.
pub(super) async fn restore(
    ctx: &VerbContext,
    restored: &NetworkRestore<'_>,
    containers: &[ContainerRef],
) -> Result<(), Failure> {
    let engine = &*ctx.engine;
    let name = &restored.network.name;
    if find_network(engine, name).await?.is_some() {
        return Ok(());
    }
    for instead in restored.instead {
        tolerate(engine.network_remove(instead).await)
            .map_err(|error| of_engine(error, &format!("remove the network \"{instead}\"")))?;
    }
    let mut body =
        create::network(restored.project, &ctx.project.directory, restored.key, restored.network);
    // The settings now contain values that the engine chose then. The description is still the
    // former one.
    let labels = restored
        .hash
        .map(|hash| (label::HASH, hash))
        .into_iter()
        .chain([(label::RESTORED, "true")]);
    body.labels
        .get_or_insert_default()
        .extend(labels.map(|(key, value)| (key.to_owned(), value.to_owned())));
    engine
        .network_create(body)
        .await
        .map_err(|error| of_engine(error, &format!("create the network \"{name}\" again")))?;
    for ContainerRef { name: container, id } in containers {
        let id = id.as_ref().unwrap_or(container);
        let doing = format!("put \"{container}\" back on the network \"{name}\"");
        let found = engine.container_inspect(id).await.map_err(|error| of_engine(error, &doing))?;
        let networks =
            found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let Some(endpoint) = networks.get(name) else { continue };
        let endpoint = create::reconnected(endpoint, id);
        tolerate(engine.network_disconnect(name, id, true).await)
            .map_err(|error| of_engine(error, &doing))?;
        engine
            .network_connect(name, id, endpoint)
            .await
            .map_err(|error| of_engine(error, &doing))?;
    }
    Ok(())
}

/// An object that is already gone is fine.
fn tolerate(answer: Result<(), EngineError>) -> Result<(), EngineError> {
    match answer {
        Err(error) if error.is_not_found() || error.message.contains("is not connected") => Ok(()),
        answer => answer,
    }
}
