//! Each call of the port, in the file of its object.

use bollard::models;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::{
    DockerEngine, build, containers, errors, events, exec, images, networks, peer, transfer, usage,
    volumes,
};
use crate::engine::calls::Implementation;
use crate::engine::{
    ApiVersion, BuildEvent, BuildRequest, DiskUsage, ExecRequest, ExecSession, ExecState, Filters,
    LogsRequest, Method, OutputStream, ProcessTable, RegistryAuth, Result, StatsRequest,
    StopRequest, TransferEvent,
};

impl Implementation for DockerEngine {
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
        self.client(Method::Version)
            .version()
            .await
            .map_err(|error| errors::from_asking(error, "/version", "the engine's version"))
    }

    async fn info(&self) -> Result<models::SystemInfo> {
        self.client(Method::Info)
            .info()
            .await
            .map_err(|error| errors::from_asking(error, "/info", "the engine's clock"))
    }

    async fn system_df(&self) -> Result<DiskUsage> {
        usage::disk(self).await
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

    async fn container_top(&self, container: &str) -> Result<ProcessTable> {
        containers::top(self, container).await
    }

    async fn container_stats(
        &self,
        container: &str,
        request: &StatsRequest,
    ) -> Result<BoxStream<'static, Result<models::ContainerStatsResponse>>> {
        usage::stats(self, container, request).await
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
