//! Networks.

use bollard::models;
use bollard::query_parameters as query;

use super::client::filters;
use super::reference::segment;
use super::{DockerEngine, errors};
use crate::engine::{Filters, Method, Result};

pub(super) async fn list(engine: &DockerEngine, filter: &Filters) -> Result<Vec<models::Network>> {
    let options = query::ListNetworksOptions { filters: filters(filter) };
    engine
        .client(Method::NetworkList)
        .list_networks(Some(options))
        .await
        .map_err(errors::from_client)
}

pub(super) async fn inspect(
    engine: &DockerEngine,
    network: &str,
) -> Result<models::NetworkInspect> {
    let options = None::<query::InspectNetworkOptions>;
    engine
        .client(Method::NetworkInspect)
        .inspect_network(&segment("network", network)?, options)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn create(
    engine: &DockerEngine,
    body: models::NetworkCreateRequest,
) -> Result<String> {
    Ok(engine
        .client(Method::NetworkCreate)
        .create_network(body)
        .await
        .map_err(errors::from_client)?
        .id)
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
        .client(Method::NetworkConnect)
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
        .client(Method::NetworkDisconnect)
        .disconnect_network(&segment("network", network)?, request)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn remove(engine: &DockerEngine, network: &str) -> Result<()> {
    engine
        .client(Method::NetworkRemove)
        .remove_network(&segment("network", network)?)
        .await
        .map_err(errors::from_client)
}
