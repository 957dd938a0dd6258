//! The engine as a script may use it: every call's arguments are held to the policy before it is
//! made.
//!
//! This is the last look, below everything that a script can reach: what a description asked for
//! was checked where it stands, so that the refusal has a line and a column; what gets past that,
//! or comes another way, ends here and is not sent.
//!
//! The names of images are everybody's, as on any engine: what is built, pulled or tagged is not
//! asked whose it was before. Names that only spc gives, of containers and of the locks' image, are
//! refused in [`names`].

mod bodies;
mod intents;
mod mounted;
mod names;
mod owners;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::models;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use self::owners::{Kind, Owners};
use super::{
    ApiVersion, BuildEvent, BuildRequest, Engine, EngineError, EngineErrorKind, EventStream,
    ExecRequest, ExecSession, ExecState, Filters, Intent, LogsRequest, OutputStream, RegistryAuth,
    Result, StopRequest, Top, TransferEvent,
};
use crate::host::Host;
use crate::host::resolve::resolve;
use crate::model::dockerfile::{SYNTAX_ARGUMENT, possible_downloads};
use crate::model::names::is_reserved_image;
use crate::policy::{Policy, Refusal};

/// An engine behind a policy.
pub struct Guard {
    engine: Arc<dyn Engine>,
    policy: Policy,
    host: Arc<dyn Host>,
    owners: Owners,
}

impl From<Refusal> for EngineError {
    fn from(refusal: Refusal) -> Self {
        Self { kind: EngineErrorKind::Refused, message: refusal.message(), hint: refusal.hint() }
    }
}

/// Labels of a create call, in order.
fn labels_of(labels: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    labels.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl Guard {
    /// `engine` for scripts that may do what `policy` says; `host` is asked what is at a path.
    pub fn new(engine: Arc<dyn Engine>, policy: Policy, host: Arc<dyn Host>) -> Self {
        let policy = match engine.address().strip_prefix("unix://") {
            Some(socket) => {
                policy.with_engine_socket(Path::new(socket), &|path| resolve(&*host, path))
            }
            None => policy,
        };
        Self { engine, policy, host, owners: Owners::default() }
    }

    /// The id of a container that may be changed or looked into.
    async fn container(&self, doing: &str, container: &str) -> Result<String> {
        self.checked(doing, Kind::Container, container).await
    }
}

#[async_trait]
impl Engine for Guard {
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
        Box::pin(self.check_intent(intent))
    }

    async fn version(&self) -> Result<models::SystemVersion> {
        self.engine.version().await
    }

    async fn info(&self) -> Result<models::SystemInfo> {
        self.engine.info().await
    }

    async fn events(&self, filters: &Filters, since: Option<i64>) -> Result<EventStream> {
        self.engine.events(filters, since).await
    }

    async fn container_list(
        &self,
        all: bool,
        filters: &Filters,
    ) -> Result<Vec<models::ContainerSummary>> {
        let listed = self.engine.container_list(all, filters).await?;
        self.owners.saw_containers(all, filters, &listed);
        Ok(listed)
    }

    async fn container_inspect(&self, container: &str) -> Result<models::ContainerInspectResponse> {
        self.engine.container_inspect(container).await
    }

    async fn container_create(
        &self,
        name: &str,
        platform: Option<&str>,
        body: models::ContainerCreateBody,
    ) -> Result<models::ContainerCreateResponse> {
        let body = self.checked_container(name, body).await?;
        let labels = body.labels.clone().unwrap_or_default();
        let created = self.engine.container_create(name, platform, body).await?;
        self.owners.saw(Kind::Container, &created.id, &labels);
        Ok(created)
    }

    async fn container_start(&self, container: &str) -> Result<bool> {
        let container = self.container("start the container", container).await?;
        self.mounts_lead_where_they_did(&container).await?;
        self.engine.container_start(&container).await
    }

    async fn container_stop(&self, container: &str, request: &StopRequest) -> Result<bool> {
        let container = self.container("stop the container", container).await?;
        self.engine.container_stop(&container, request).await
    }

    async fn container_restart(&self, container: &str, request: &StopRequest) -> Result<()> {
        let container = self.container("restart the container", container).await?;
        self.mounts_lead_where_they_did(&container).await?;
        self.engine.container_restart(&container, request).await
    }

    async fn container_kill(&self, container: &str, signal: &str) -> Result<()> {
        let container = self.container("send a signal to the container", container).await?;
        self.engine.container_kill(&container, signal).await
    }

    async fn container_rename(&self, container: &str, name: &str) -> Result<()> {
        let container = self.container("rename the container", container).await?;
        names::may_rename(&container, name)?;
        self.engine.container_rename(&container, name).await
    }

    async fn container_update(
        &self,
        container: &str,
        restart: models::RestartPolicy,
    ) -> Result<()> {
        let container = self.container("change the container", container).await?;
        self.engine.container_update(&container, restart).await
    }

    async fn container_remove(&self, container: &str, force: bool, volumes: bool) -> Result<()> {
        let container = self.container("remove the container", container).await?;
        self.engine.container_remove(&container, force, volumes).await
    }

    async fn container_wait(&self, container: &str) -> Result<i64> {
        self.engine.container_wait(container).await
    }

    async fn container_logs(&self, container: &str, request: &LogsRequest) -> Result<OutputStream> {
        let container = self.container("read the log of the container", container).await?;
        self.engine.container_logs(&container, request).await
    }

    async fn container_top(&self, container: &str) -> Result<Top> {
        let container = self.container("look into the container", container).await?;
        self.engine.container_top(&container).await
    }

    async fn container_upload(&self, container: &str, path: &str, tar: Bytes) -> Result<()> {
        let container = self.container("write into the container", container).await?;
        self.engine.container_upload(&container, path, tar).await
    }

    async fn container_download(
        &self,
        container: &str,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let container = self.container("read from the container", container).await?;
        self.engine.container_download(&container, path).await
    }

    async fn exec_start(&self, container: &str, request: &ExecRequest) -> Result<ExecSession> {
        if request.privileged {
            self.policy.privileged("exec with privileged: true")?;
        }
        let container = self.container("run a command in the container", container).await?;
        self.engine.exec_start(&container, request).await
    }

    async fn exec_inspect(&self, exec: &str) -> Result<ExecState> {
        self.engine.exec_inspect(exec).await
    }

    async fn image_list(&self, filters: &Filters) -> Result<Vec<models::ImageSummary>> {
        let listed = self.engine.image_list(filters).await?;
        self.owners.saw_images(filters, &listed);
        Ok(listed)
    }

    async fn image_inspect(&self, image: &str) -> Result<models::ImageInspect> {
        self.engine.image_inspect(image).await
    }

    async fn image_registry_digest(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<String> {
        self.engine.image_registry_digest(image, auth).await
    }

    async fn image_pull(
        &self,
        image: &str,
        platform: Option<&str>,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        names::may_name_image("pull the image", image)?;
        self.engine.image_pull(image, platform, auth).await
    }

    async fn image_push(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        self.may("push the image", Kind::Image, image).await?;
        self.engine.image_push(image, auth).await
    }

    async fn image_build(
        &self,
        request: BuildRequest,
    ) -> Result<BoxStream<'static, Result<BuildEvent>>> {
        request.args.get(SYNTAX_ARGUMENT).map_or(Ok(()), |image| self.policy.frontend(image))?;
        self.build(&request.tags, request.network.as_deref(), &request.labels).await?;
        self.engine.image_build(request).await
    }

    async fn image_import(
        &self,
        tag: &str,
        changes: &[String],
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<String> {
        self.policy.image_name("import the image", tag)?;
        names::may_label_image(tag, changes)?;
        for download in possible_downloads(&changes.join("\n")) {
            self.policy.download(&download.source)?;
        }
        let tar = if is_reserved_image(tag) {
            names::only_the_locks_image(tag, changes, tar).await?
        } else {
            tar
        };
        self.engine.image_import(tag, changes, tar).await
    }

    async fn image_tag(&self, image: &str, tag: &str) -> Result<()> {
        names::may_name_image("tag an image as", tag)?;
        self.policy.image_name("tag an image as", tag)?;
        self.engine.image_tag(image, tag).await
    }

    async fn image_remove(&self, image: &str, force: bool) -> Result<()> {
        names::may_name_image("remove the image", image)?;
        self.may("remove the image", Kind::Image, image).await?;
        self.engine.image_remove(image, force).await
    }

    async fn network_list(&self, filters: &Filters) -> Result<Vec<models::Network>> {
        let listed = self.engine.network_list(filters).await?;
        self.owners.saw_networks(filters, &listed);
        Ok(listed)
    }

    async fn network_inspect(&self, network: &str) -> Result<models::NetworkInspect> {
        self.engine.network_inspect(network).await
    }

    async fn network_create(&self, body: models::NetworkCreateRequest) -> Result<String> {
        self.network(&body).await?;
        self.engine.network_create(body).await
    }

    async fn network_connect(
        &self,
        network: &str,
        container: &str,
        mut endpoint: models::EndpointSettings,
    ) -> Result<()> {
        self.policy.namespace("network", network)?;
        let network = self.checked("connect to the network", Kind::Network, network).await?;
        let container = self.container("connect to a network the container", container).await?;
        bodies::by_name_only(&mut endpoint);
        self.engine.network_connect(&network, &container, endpoint).await
    }

    async fn network_disconnect(&self, network: &str, container: &str, force: bool) -> Result<()> {
        let container =
            self.container("disconnect from a network the container", container).await?;
        self.engine.network_disconnect(network, &container, force).await
    }

    async fn network_remove(&self, network: &str) -> Result<()> {
        let network = self.checked("remove the network", Kind::Network, network).await?;
        self.engine.network_remove(&network).await
    }

    async fn volume_list(&self, filters: &Filters) -> Result<Vec<models::Volume>> {
        let listed = self.engine.volume_list(filters).await?;
        self.owners.saw_volumes(filters, &listed);
        Ok(listed)
    }

    async fn volume_inspect(&self, volume: &str) -> Result<models::Volume> {
        self.engine.volume_inspect(volume).await
    }

    async fn volume_create(&self, body: models::VolumeCreateRequest) -> Result<models::Volume> {
        let body = self.volume(body).await?;
        self.engine.volume_create(body).await
    }

    async fn volume_remove(&self, volume: &str, force: bool) -> Result<()> {
        self.may("remove the volume", Kind::Volume, volume).await?;
        self.engine.volume_remove(volume, force).await
    }
}

#[cfg(test)]
mod tests;
