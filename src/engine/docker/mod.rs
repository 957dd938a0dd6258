//! The Docker Engine API over bollard.
//!
//! [`connect()`] finds the engine. The nouns' files hold one function per call; `wire` is the
//! connection below bollard, which they use directly where bollard tells too little.

mod address;
mod bounded;
mod build;
pub mod build_progress;
mod connect;
mod containers;
mod contexts;
mod credentials;
mod endpoint;
mod errors;
mod events;
mod exec;
mod failure;
mod images;
mod kept;
mod known;
mod networks;
mod peer;
mod reference;
mod session;
mod ssh;
mod streams;
mod tls;
mod transfer;
mod volumes;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::{Docker, models};
use bytes::Bytes;
use futures::stream::BoxStream;

pub use address::{Address, Malformed, SshAddress};
pub use connect::{ConnectOptions, connect};
pub use endpoint::{ContextBy, Endpoint, EngineChoice, Source};
pub use known::known_engines;
pub use tls::TlsFiles;

use super::{
    ApiVersion, BuildEvent, BuildRequest, Engine, ExecRequest, ExecSession, ExecState, Filters,
    LogsRequest, OutputStream, RegistryAuth, Result, StopRequest, Top, TransferEvent,
};
use crate::host::Host;

/// A Docker Engine that answered. Calls may go on at the same time.
#[derive(Clone)]
pub struct DockerEngine {
    client: Docker,
    wire: Arc<wire::Wire>,
    api: ApiVersion,
    windows: bool,
    address: String,
    local: bool,
    /// Whose registries' credentials are sent; nobody's if not given.
    credentials: Option<credentials::Credentials>,
}

impl DockerEngine {
    /// The same engine, asked with the registries' credentials of the person who runs spc on this
    /// host.
    #[must_use]
    pub fn with_credentials_of(mut self, host: Arc<dyn Host>) -> Self {
        self.credentials = Some(credentials::Credentials::new(host));
        self
    }

    /// The client for calls whose answer may take so long.
    fn client_within(&self, limit: Duration) -> Docker {
        self.client.clone().with_timeout(limit.min(wire::PATIENT))
    }
}

/// The port's filters as bollard takes them.
fn filters(filters: &Filters) -> Option<HashMap<String, Vec<String>>> {
    (!filters.is_empty()).then(|| filters.clone().into_iter().collect())
}

#[async_trait]
impl Engine for DockerEngine {
    fn api_version(&self) -> ApiVersion {
        self.api
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn publishes_here(&self) -> bool {
        self.address.strip_prefix("unix://").is_some_and(peer::is_engine_here)
    }

    fn is_local(&self) -> bool {
        self.local
    }

    async fn version(&self) -> Result<models::SystemVersion> {
        self.client
            .version()
            .await
            .map_err(|error| errors::from_asking(error, "/version", "the engine's version"))
    }

    async fn info(&self) -> Result<models::SystemInfo> {
        self.client
            .info()
            .await
            .map_err(|error| errors::from_asking(error, "/info", "the engine's clock"))
    }

    async fn events(
        &self,
        filters: &Filters,
        since: Option<i64>,
    ) -> Result<BoxStream<'static, Result<models::EventMessage>>> {
        events::subscribe(self, filters, since).await
    }

    async fn container_list(
        &self,
        all: bool,
        filters: &Filters,
    ) -> Result<Vec<models::ContainerSummary>> {
        containers::list(self, all, filters).await
    }

    async fn container_inspect(&self, container: &str) -> Result<models::ContainerInspectResponse> {
        containers::inspect(self, container).await
    }

    async fn container_create(
        &self,
        name: &str,
        platform: Option<&str>,
        body: models::ContainerCreateBody,
    ) -> Result<models::ContainerCreateResponse> {
        containers::create(self, name, platform, body).await
    }

    async fn container_start(&self, container: &str) -> Result<bool> {
        containers::start(self, container).await
    }

    async fn container_stop(&self, container: &str, request: &StopRequest) -> Result<bool> {
        containers::stop(self, container, request).await
    }

    async fn container_restart(&self, container: &str, request: &StopRequest) -> Result<()> {
        containers::restart(self, container, request).await
    }

    async fn container_kill(&self, container: &str, signal: &str) -> Result<()> {
        containers::kill(self, container, signal).await
    }

    async fn container_rename(&self, container: &str, name: &str) -> Result<()> {
        containers::rename(self, container, name).await
    }

    async fn container_update(
        &self,
        container: &str,
        restart: models::RestartPolicy,
    ) -> Result<()> {
        containers::update(self, container, restart).await
    }

    async fn container_remove(&self, container: &str, force: bool, volumes: bool) -> Result<()> {
        containers::remove(self, container, force, volumes).await
    }

    async fn container_wait(&self, container: &str) -> Result<i64> {
        containers::wait(self, container).await
    }

    async fn container_logs(&self, container: &str, request: &LogsRequest) -> Result<OutputStream> {
        containers::logs(self, container, request).await
    }

    async fn container_top(&self, container: &str) -> Result<Top> {
        containers::top(self, container).await
    }

    async fn container_upload(&self, container: &str, path: &str, tar: Bytes) -> Result<()> {
        containers::upload(self, container, path, tar).await
    }

    async fn container_download(
        &self,
        container: &str,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        containers::download(self, container, path).await
    }

    async fn exec_start(&self, container: &str, request: &ExecRequest) -> Result<ExecSession> {
        exec::start(self, container, request).await
    }

    async fn exec_inspect(&self, exec: &str) -> Result<ExecState> {
        exec::inspect(self, exec).await
    }

    async fn image_list(&self, filters: &Filters) -> Result<Vec<models::ImageSummary>> {
        images::list(self, filters).await
    }

    async fn image_inspect(&self, image: &str) -> Result<models::ImageInspect> {
        images::inspect(self, image).await
    }

    async fn image_registry_digest(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<String> {
        transfer::registry_digest(self, image, auth).await
    }

    async fn image_pull(
        &self,
        image: &str,
        platform: Option<&str>,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        transfer::pull(self, image, platform, auth).await
    }

    async fn image_push(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        transfer::push(self, image, auth).await
    }

    async fn image_build(
        &self,
        request: BuildRequest,
    ) -> Result<BoxStream<'static, Result<BuildEvent>>> {
        build::build(self, request).await
    }

    async fn image_import(
        &self,
        tag: &str,
        changes: &[String],
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<String> {
        transfer::import(self, tag, changes, tar).await
    }

    async fn image_tag(&self, image: &str, tag: &str) -> Result<()> {
        images::tag(self, image, tag).await
    }

    async fn image_remove(&self, image: &str, force: bool) -> Result<()> {
        images::remove(self, image, force).await
    }

    async fn network_list(&self, filters: &Filters) -> Result<Vec<models::Network>> {
        networks::list(self, filters).await
    }

    async fn network_inspect(&self, network: &str) -> Result<models::NetworkInspect> {
        networks::inspect(self, network).await
    }

    async fn network_create(&self, body: models::NetworkCreateRequest) -> Result<String> {
        networks::create(self, body).await
    }

    async fn network_connect(
        &self,
        network: &str,
        container: &str,
        endpoint: models::EndpointSettings,
    ) -> Result<()> {
        networks::connect(self, network, container, endpoint).await
    }

    async fn network_disconnect(&self, network: &str, container: &str, force: bool) -> Result<()> {
        networks::disconnect(self, network, container, force).await
    }

    async fn network_remove(&self, network: &str) -> Result<()> {
        networks::remove(self, network).await
    }

    async fn volume_list(&self, filters: &Filters) -> Result<Vec<models::Volume>> {
        volumes::list(self, filters).await
    }

    async fn volume_inspect(&self, volume: &str) -> Result<models::Volume> {
        volumes::inspect(self, volume).await
    }

    async fn volume_create(&self, body: models::VolumeCreateRequest) -> Result<models::Volume> {
        volumes::create(self, body).await
    }

    async fn volume_remove(&self, volume: &str, force: bool) -> Result<()> {
        volumes::remove(self, volume, force).await
    }
}
