//! Volumes.

use bollard::models;
use bollard::query_parameters as query;

use super::client::filters;
use super::reference::segment;
use super::{DockerEngine, errors};
use crate::engine::{Filters, Method, Result};

pub(super) async fn list(engine: &DockerEngine, filter: &Filters) -> Result<Vec<models::Volume>> {
    let options = query::ListVolumesOptions { filters: filters(filter) };
    Ok(engine
        .client(Method::VolumeList)
        .list_volumes(Some(options))
        .await
        .map_err(errors::from_client)?
        .volumes
        .unwrap_or_default())
}

pub(super) async fn inspect(engine: &DockerEngine, volume: &str) -> Result<models::Volume> {
    engine
        .client(Method::VolumeInspect)
        .inspect_volume(&segment("volume", volume)?)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn create(
    engine: &DockerEngine,
    body: models::VolumeCreateRequest,
) -> Result<models::Volume> {
    engine.client(Method::VolumeCreate).create_volume(body).await.map_err(errors::from_client)
}

pub(super) async fn remove(engine: &DockerEngine, volume: &str, force: bool) -> Result<()> {
    let options = query::RemoveVolumeOptions { force };
    // The call takes as long as the deletion of the volume's files.
    engine
        .client(Method::VolumeRemove)
        .remove_volume(&segment("volume", volume)?, Some(options))
        .await
        .map_err(errors::from_client)
}
