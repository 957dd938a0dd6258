//! Networks.

use bollard::models;
use bollard::query_parameters as query;

use super::reference::segment;
use super::{DockerEngine, errors, filters};
use crate::engine::{Filters, Result};

pub(super) async fn list(engine: &DockerEngine, filter: &Filters) -> Result<Vec<models::Network>> {
    let options = query::ListNetworksOptions { filters: filters(filter) };
    engine.client.list_networks(Some(options)).await.map_err(errors::from_client)
}

pub(super) async fn inspect(
    engine: &DockerEngine,
    network: &str,
) -> Result<models::NetworkInspect> {
    let options = None::<query::InspectNetworkOptions>;
    engine
        .client
        .inspect_network(&segment("network", network)?, options)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn create(
    engine: &DockerEngine,
    body: models::NetworkCreateRequest,
) -> Result<String> {
    Ok(engine.client.create_network(body).await.map_err(errors::from_client)?.id)
}

pub(super) async fn connect(
    engine: &DockerEngine,
    network: &str,
    container: &str,
    endpoint: models::EndpointSettings,
) -> Result<()> {
    let request = models::NetworkConnectRequest {
        container: container.to_owned(),
        endpoint_config: Some(endpoint),
    };
    engine
        .client
        .connect_network(&segment("network", network)?, request)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn disconnect(
    engine: &DockerEngine,
    network: &str,
    container: &str,
    force: bool,
) -> Result<()> {
    let request =
        models::NetworkDisconnectRequest { container: container.to_owned(), force: Some(force) };
    engine
        .client
        .disconnect_network(&segment("network", network)?, request)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn remove(engine: &DockerEngine, network: &str) -> Result<()> {
    engine.client.remove_network(&segment("network", network)?).await.map_err(errors::from_client)
}
