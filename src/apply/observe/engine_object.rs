//! Containers, volumes, networks and images as scripts look them up, with Docker's own keys.

use std::collections::BTreeMap;

use super::super::failures::of_engine;
use crate::engine::{Engine, image_labels};
use crate::model::Failure;
use crate::model::names::is_reserved_label;

/// A container, volume, network or image of the engine, for scripts.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineObject {
    pub id: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// The complete object, with Docker's own keys.
    pub json: serde_json::Value,
}

/// A create or build also sets unused labels, to an empty value.
fn is_set(key: &str, value: &str) -> bool {
    !(is_reserved_label(key) && value.is_empty())
}

impl EngineObject {
    fn of<T: serde::Serialize>(
        model: &T,
        id: Option<&String>,
        name: Option<&String>,
        labels: Option<&std::collections::HashMap<String, String>>,
    ) -> Self {
        let name = name.map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default();
        Self {
            id: id.cloned().unwrap_or_else(|| name.clone()),
            name,
            labels: labels
                .into_iter()
                .flatten()
                .filter(|(key, value)| is_set(key, value))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            json: serde_json::to_value(model).unwrap_or_default(),
        }
    }
}

/// The container with this name, if it exists; with the labels that were set when it was created,
/// not those of its image.
pub async fn find_container(
    engine: &dyn Engine,
    name: &str,
) -> Result<Option<EngineObject>, Failure> {
    let Some(found) = there(engine.container_inspect(name).await, "container", name)? else {
        return Ok(None);
    };
    let labels = image_labels::of_inspected(engine, &found).await;
    let labels = labels.map_err(|error| {
        of_engine(error, &format!("tell the labels of the container \"{name}\" from its image's"))
    })?;
    Ok(Some(EngineObject {
        labels,
        ..EngineObject::of(&found, found.id.as_ref(), found.name.as_ref(), None)
    }))
}

/// The volume with this name, if it exists.
pub async fn find_volume(engine: &dyn Engine, name: &str) -> Result<Option<EngineObject>, Failure> {
    let found = there(engine.volume_inspect(name).await, "volume", name)?;
    Ok(found.map(|it| EngineObject::of(&it, None, Some(&it.name), Some(&it.labels))))
}

/// The network with this name, if it exists.
pub async fn find_network(
    engine: &dyn Engine,
    name: &str,
) -> Result<Option<EngineObject>, Failure> {
    let found = there(engine.network_inspect(name).await, "network", name)?;
    Ok(found.map(|it| EngineObject::of(&it, it.id.as_ref(), it.name.as_ref(), it.labels.as_ref())))
}

/// The image with this name, if it exists.
pub async fn find_image(engine: &dyn Engine, name: &str) -> Result<Option<EngineObject>, Failure> {
    let found = there(engine.image_inspect(name).await, "image", name)?;
    Ok(found.map(|it| {
        EngineObject::of(
            &it,
            it.id.as_ref(),
            None,
            it.config.as_ref().and_then(|config| config.labels.as_ref()),
        )
    }))
}

fn there<T>(
    answer: crate::engine::Result<T>,
    what: &str,
    name: &str,
) -> Result<Option<T>, Failure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(of_engine(error, &format!("inspect the {what} \"{name}\""))),
    }
}
