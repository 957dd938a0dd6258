//! An engine that shows every call before it is made: who watches an engine, counts what is asked
//! of it, or refuses calls, uses this.

use std::fmt;
use std::ops::Deref;

use async_trait::async_trait;
use bollard::models;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use super::{
    ApiVersion, BuildEvent, BuildRequest, Engine, EventStream, ExecRequest, ExecSession, ExecState,
    Filters, Intent, LogsRequest, OutputStream, RegistryAuth, Result, StopRequest, Top,
    TransferEvent,
};

/// A call about to be made.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The port's method.
    pub method: &'static str,
    /// The name or id it is made for; empty for lists.
    pub target: &'a str,
    /// The container that a network is to be connected to.
    pub member: Option<&'a str>,
    /// All else that is sent, in debugging form, but for what may deliver a secret: environments,
    /// archives, credentials, a build's secrets.
    pub arguments: fmt::Arguments<'a>,
    /// What may deliver a secret, but for credentials and what is sent as a stream.
    pub delivered: &'a [&'a [u8]],
}

type Hook = Box<dyn Fn(&Asked<'_>) -> Result<()> + Send + Sync>;

/// Passes every call on that the hook lets pass.
pub struct Tap<P> {
    engine: P,
    hook: Hook,
}

impl<P> Tap<P> {
    /// An engine, and what each call is shown to; a call that it refuses is not made.
    pub fn new(engine: P, hook: impl Fn(&Asked<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        Self { engine, hook: Box::new(hook) }
    }

    fn told(
        &self,
        method: &'static str,
        target: &str,
        arguments: fmt::Arguments<'_>,
    ) -> Result<()> {
        (self.hook)(&Asked { method, target, member: None, arguments, delivered: &[] })
    }

    fn told_of(
        &self,
        method: &'static str,
        target: &str,
        member: &str,
        arguments: fmt::Arguments<'_>,
    ) -> Result<()> {
        (self.hook)(&Asked { method, target, member: Some(member), arguments, delivered: &[] })
    }

    fn delivers<'a>(
        &self,
        method: &'static str,
        target: &str,
        arguments: fmt::Arguments<'_>,
        delivered: impl Iterator<Item = &'a [u8]>,
    ) -> Result<()> {
        let delivered: Vec<&[u8]> = delivered.collect();
        (self.hook)(&Asked { method, target, member: None, arguments, delivered: &delivered })
    }
}

#[async_trait]
impl<P: Deref<Target: Engine> + Send + Sync> Engine for Tap<P> {
    fn api_version(&self) -> ApiVersion {
        self.engine.api_version()
    }

    fn address(&self) -> &str {
        self.engine.address()
    }

    fn publishes_here(&self) -> bool {
        self.engine.publishes_here()
    }

    fn is_local(&self) -> bool {
        self.engine.is_local()
    }

    fn check<'a>(&'a self, intent: Intent<'a>) -> BoxFuture<'a, Result<()>> {
        self.engine.check(intent)
    }

    async fn version(&self) -> Result<models::SystemVersion> {
        self.told("version", "", format_args!(""))?;
        self.engine.version().await
    }

    async fn info(&self) -> Result<models::SystemInfo> {
        self.told("info", "", format_args!(""))?;
        self.engine.info().await
    }

    async fn events(&self, filters: &Filters, since: Option<i64>) -> Result<EventStream> {
        self.told("events", "", format_args!("{filters:?} {since:?}"))?;
        self.engine.events(filters, since).await
    }

    async fn container_list(
        &self,
        all: bool,
        filters: &Filters,
    ) -> Result<Vec<models::ContainerSummary>> {
        self.told("container_list", "", format_args!("{all:?} {filters:?}"))?;
        self.engine.container_list(all, filters).await
    }

    async fn container_inspect(&self, container: &str) -> Result<models::ContainerInspectResponse> {
        self.told("container_inspect", container, format_args!(""))?;
        self.engine.container_inspect(container).await
    }

    async fn container_create(
        &self,
        name: &str,
        platform: Option<&str>,
        body: models::ContainerCreateBody,
    ) -> Result<models::ContainerCreateResponse> {
        let shown = models::ContainerCreateBody { env: None, ..body.clone() };
        let variables = body.env.iter().flatten().map(String::as_bytes);
        self.delivers("container_create", name, format_args!("{platform:?} {shown:?}"), variables)?;
        self.engine.container_create(name, platform, body).await
    }

    async fn container_start(&self, container: &str) -> Result<bool> {
        self.told("container_start", container, format_args!(""))?;
        self.engine.container_start(container).await
    }

    async fn container_stop(&self, container: &str, request: &StopRequest) -> Result<bool> {
        self.told("container_stop", container, format_args!("{request:?}"))?;
        self.engine.container_stop(container, request).await
    }

    async fn container_restart(&self, container: &str, request: &StopRequest) -> Result<()> {
        self.told("container_restart", container, format_args!("{request:?}"))?;
        self.engine.container_restart(container, request).await
    }

    async fn container_kill(&self, container: &str, signal: &str) -> Result<()> {
        self.told("container_kill", container, format_args!("{signal:?}"))?;
        self.engine.container_kill(container, signal).await
    }

    async fn container_rename(&self, container: &str, name: &str) -> Result<()> {
        self.told("container_rename", container, format_args!("{name:?}"))?;
        self.engine.container_rename(container, name).await
    }

    async fn container_update(
        &self,
        container: &str,
        restart: models::RestartPolicy,
    ) -> Result<()> {
        self.told("container_update", container, format_args!("{restart:?}"))?;
        self.engine.container_update(container, restart).await
    }

    async fn container_remove(&self, container: &str, force: bool, volumes: bool) -> Result<()> {
        self.told("container_remove", container, format_args!("{force:?} {volumes:?}"))?;
        self.engine.container_remove(container, force, volumes).await
    }

    async fn container_wait(&self, container: &str) -> Result<i64> {
        self.told("container_wait", container, format_args!(""))?;
        self.engine.container_wait(container).await
    }

    async fn container_logs(&self, container: &str, request: &LogsRequest) -> Result<OutputStream> {
        self.told("container_logs", container, format_args!("{request:?}"))?;
        self.engine.container_logs(container, request).await
    }

    async fn container_top(&self, container: &str) -> Result<Top> {
        self.told("container_top", container, format_args!(""))?;
        self.engine.container_top(container).await
    }

    async fn container_upload(&self, container: &str, path: &str, tar: Bytes) -> Result<()> {
        self.delivers(
            "container_upload",
            container,
            format_args!("{path:?}"),
            std::iter::once(&tar[..]),
        )?;
        self.engine.container_upload(container, path, tar).await
    }

    async fn container_download(
        &self,
        container: &str,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.told("container_download", container, format_args!("{path:?}"))?;
        self.engine.container_download(container, path).await
    }

    async fn exec_start(&self, container: &str, request: &ExecRequest) -> Result<ExecSession> {
        let shown = ExecRequest { environment: Vec::new(), ..request.clone() };
        let variables = request.environment.iter().map(String::as_bytes);
        self.delivers("exec_start", container, format_args!("{shown:?}"), variables)?;
        self.engine.exec_start(container, request).await
    }

    async fn exec_inspect(&self, exec: &str) -> Result<ExecState> {
        self.told("exec_inspect", exec, format_args!(""))?;
        self.engine.exec_inspect(exec).await
    }

    async fn image_list(&self, filters: &Filters) -> Result<Vec<models::ImageSummary>> {
        self.told("image_list", "", format_args!("{filters:?}"))?;
        self.engine.image_list(filters).await
    }

    async fn image_inspect(&self, image: &str) -> Result<models::ImageInspect> {
        self.told("image_inspect", image, format_args!(""))?;
        self.engine.image_inspect(image).await
    }

    async fn image_registry_digest(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<String> {
        self.told("image_registry_digest", image, format_args!(""))?;
        self.engine.image_registry_digest(image, auth).await
    }

    async fn image_pull(
        &self,
        image: &str,
        platform: Option<&str>,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        self.told("image_pull", image, format_args!("{platform:?}"))?;
        self.engine.image_pull(image, platform, auth).await
    }

    async fn image_push(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        self.told("image_push", image, format_args!(""))?;
        self.engine.image_push(image, auth).await
    }

    async fn image_build(
        &self,
        request: BuildRequest,
    ) -> Result<BoxStream<'static, Result<BuildEvent>>> {
        let ids: Vec<&String> = request.secrets.keys().collect();
        let shown = (
            &request.tags,
            &request.dockerfile,
            &request.target,
            &request.args,
            &ids,
            &request.labels,
        );
        let how = (
            &request.network,
            &request.platform,
            if request.no_cache { "no_cache" } else { "cached" },
        );
        let target = request.tags.first().map_or("", String::as_str);
        self.delivers(
            "image_build",
            target,
            format_args!("{shown:?} {how:?}"),
            request.secrets.values().map(|value| &value[..]),
        )?;
        self.engine.image_build(request).await
    }

    async fn image_import(
        &self,
        tag: &str,
        changes: &[String],
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<String> {
        self.told("image_import", tag, format_args!("{changes:?}"))?;
        self.engine.image_import(tag, changes, tar).await
    }

    async fn image_tag(&self, image: &str, tag: &str) -> Result<()> {
        self.told("image_tag", image, format_args!("{tag:?}"))?;
        self.engine.image_tag(image, tag).await
    }

    async fn image_remove(&self, image: &str, force: bool) -> Result<()> {
        self.told("image_remove", image, format_args!("{force:?}"))?;
        self.engine.image_remove(image, force).await
    }

    async fn network_list(&self, filters: &Filters) -> Result<Vec<models::Network>> {
        self.told("network_list", "", format_args!("{filters:?}"))?;
        self.engine.network_list(filters).await
    }

    async fn network_inspect(&self, network: &str) -> Result<models::NetworkInspect> {
        self.told("network_inspect", network, format_args!(""))?;
        self.engine.network_inspect(network).await
    }

    async fn network_create(&self, body: models::NetworkCreateRequest) -> Result<String> {
        self.told("network_create", &body.name, format_args!("{body:?}"))?;
        self.engine.network_create(body).await
    }

    async fn network_connect(
        &self,
        network: &str,
        container: &str,
        endpoint: models::EndpointSettings,
    ) -> Result<()> {
        self.told_of("network_connect", network, container, format_args!("{endpoint:?}"))?;
        self.engine.network_connect(network, container, endpoint).await
    }

    async fn network_disconnect(&self, network: &str, container: &str, force: bool) -> Result<()> {
        self.told_of("network_disconnect", network, container, format_args!("{force:?}"))?;
        self.engine.network_disconnect(network, container, force).await
    }

    async fn network_remove(&self, network: &str) -> Result<()> {
        self.told("network_remove", network, format_args!(""))?;
        self.engine.network_remove(network).await
    }

    async fn volume_list(&self, filters: &Filters) -> Result<Vec<models::Volume>> {
        self.told("volume_list", "", format_args!("{filters:?}"))?;
        self.engine.volume_list(filters).await
    }

    async fn volume_inspect(&self, volume: &str) -> Result<models::Volume> {
        self.told("volume_inspect", volume, format_args!(""))?;
        self.engine.volume_inspect(volume).await
    }

    async fn volume_create(&self, body: models::VolumeCreateRequest) -> Result<models::Volume> {
        self.told(
            "volume_create",
            body.name.as_deref().unwrap_or_default(),
            format_args!("{body:?}"),
        )?;
        self.engine.volume_create(body).await
    }

    async fn volume_remove(&self, volume: &str, force: bool) -> Result<()> {
        self.told("volume_remove", volume, format_args!("{force:?}"))?;
        self.engine.volume_remove(volume, force).await
    }
}
