//! The simulated engine: Docker's semantics in memory, in virtual time.
//!
//! [`SimEngine`] answers every call of the port as Docker 20.10 (API 1.41) or 28.5 (API 1.44 and
//! later) does. Nothing runs in its containers: a [`Process`] says how each behaves. Faults and
//! kills can be set for any call. Everything follows from the executor's seed.

mod behaviour;
mod control;
mod daemon;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bollard::models;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, TryStreamExt};

use crate::engine::calls::Implementation;
use crate::engine::{
    ApiVersion, BuildEvent, BuildRequest, DiskUsage, EngineError, EngineErrorKind, ExecInput,
    ExecRequest, ExecSession, ExecState, Filters, LogsRequest, Method, OutputStream, ProcessTable,
    RegistryAuth, Result, StatsRequest, StopRequest, TransferEvent,
};
use crate::host::executor::Background;
use behaviour::build;
pub use behaviour::build::BuildScript;
pub use behaviour::process::{ExecAnswer, MountedVolume, Process, ProcessView};
pub use behaviour::processes::{UnusedBehaviour, matches};
pub use behaviour::requests::clients::{Clients, LostRequest, ReleaseAnswers, RequestReport};
pub use behaviour::requests::proxy_fault::{ProxyFault, ProxyFaultEffect};
pub use behaviour::traffic::{Traffic, TrafficStats};
pub use control::builder::SimEngineBuilder;
use control::call;
pub use control::call::Call;
use control::call::{Control, Request};
pub use control::fault::{CallSide, Fault, FaultEffect, FaultPoint};
pub use control::invariants::Violation;
pub use control::seed::{Snapshot, bases};
pub use control::snapshot::{
    ContainerView, EndpointView, EngineState, EventView, ImageView, MountView, NetworkView,
    VolumeView,
};
pub use daemon::images::spec::ImageSpec;
use daemon::state::SharedState;
use daemon::{exec, state};

/// From this API version on the engine behaves as Docker 25 and later.
const MODERN_API: ApiVersion = ApiVersion { major: 1, minor: 44 };

/// The size of the pieces of a download.
const CHUNK_BYTES: usize = 64 << 10;

/// A simulated engine; clones are handles to the same one.
#[derive(Clone)]
pub struct SimEngine {
    shared: Arc<SharedState>,
    control: Arc<Control>,
    local: bool,
    /// Drives the engine's timetable while everyone waits.
    _background: Arc<Background>,
}

impl Implementation for SimEngine {
    fn api_version(&self) -> ApiVersion {
        self.shared.lock().api
    }

    fn address(&self) -> &'static str {
        "sim://engine"
    }

    fn publishes_here(&self) -> bool {
        self.local
    }

    fn is_local(&self) -> bool {
        self.local
    }

    async fn version(&self) -> Result<models::SystemVersion> {
        self.call(Request::new(Method::Version, "", 140), |state| Ok(state.system_version())).await
    }

    async fn info(&self) -> Result<models::SystemInfo> {
        self.call(Request::new(Method::Info, "", 2_000), |state| Ok(state.system_info())).await
    }

    async fn system_df(&self) -> Result<DiskUsage> {
        self.call(Request::new(Method::SystemDf, "", 20_000), |state| Ok(state.disk_usage())).await
    }

    async fn events(
        &self,
        filters: &Filters,
        since: Option<i64>,
    ) -> Result<BoxStream<'static, Result<models::EventMessage>>> {
        let filters = filters.clone();
        let listen = move |state: &mut state::State| Ok(state.events.listen(filters, since));
        self.streamed(Request::new(Method::Events, "", 300), listen).await
    }

    async fn container_list(
        &self,
        all: bool,
        filters: &Filters,
    ) -> Result<Vec<models::ContainerSummary>> {
        let filters = filters.clone();
        let list = Request::new(Method::ContainerList, "", 600);
        self.list_call(list, move |state, objects| {
            objects.list_containers(all, &filters, state.api, state.now)
        })
        .await
    }

    async fn container_inspect(&self, container: &str) -> Result<models::ContainerInspectResponse> {
        let name = container.to_owned();
        self.call(Request::new(Method::ContainerInspect, container, 330), move |state| {
            state.inspect_container(&name)
        })
        .await
    }

    async fn container_create(
        &self,
        name: &str,
        _platform: Option<&str>,
        body: models::ContainerCreateBody,
    ) -> Result<models::ContainerCreateResponse> {
        let own = name.to_owned();
        self.call(Request::new(Method::ContainerCreate, name, 5_000), move |state| {
            state.create_container(&own, body)
        })
        .await
    }

    async fn container_start(&self, container: &str) -> Result<bool> {
        let name = container.to_owned();
        let start = move |state: &mut state::State| {
            state.container_id(&name).and_then(|id| state.start_container(&id))
        };
        self.call(Request::new(Method::ContainerStart, container, 130_000), start).await
    }

    async fn container_stop(&self, container: &str, request: &StopRequest) -> Result<bool> {
        let (name, request) = (container.to_owned(), request.clone());
        let grace = self.shared.lock().grace_of(container, &request);
        self.long_call(
            Request::ending(Method::ContainerStop, container, grace),
            move |state, reply| {
                state.stop_container(&name, &request, reply.sending());
                None
            },
        )
        .await
    }

    async fn container_restart(&self, container: &str, request: &StopRequest) -> Result<()> {
        let (name, request) = (container.to_owned(), request.clone());
        let grace = self.shared.lock().grace_of(container, &request);
        self.long_call(
            Request::ending(Method::ContainerRestart, container, grace),
            move |state, reply| {
                state.restart_container(&name, &request, reply.sending());
                None
            },
        )
        .await
    }

    async fn container_kill(&self, container: &str, signal: &str) -> Result<()> {
        let (name, signal) = (container.to_owned(), signal.to_owned());
        self.call(Request::new(Method::ContainerKill, container, 6_000), move |state| {
            state.kill_container(&name, &signal)
        })
        .await
    }

    async fn container_rename(&self, container: &str, name: &str) -> Result<()> {
        let (old, new) = (container.to_owned(), name.to_owned());
        self.call(Request::new(Method::ContainerRename, container, 800), move |state| {
            state.rename_container(&old, &new)
        })
        .await
    }

    async fn container_update(
        &self,
        container: &str,
        restart: models::RestartPolicy,
    ) -> Result<()> {
        let name = container.to_owned();
        self.call(Request::new(Method::ContainerUpdate, container, 1_000), move |state| {
            state.update_container(&name, restart)
        })
        .await
    }

    async fn container_remove(&self, container: &str, force: bool, volumes: bool) -> Result<()> {
        let name = container.to_owned();
        let takes = if force { 60_000 } else { 4_000 };
        self.call(Request::new(Method::ContainerRemove, container, takes), move |state| {
            state.remove_container(&name, force, volumes)
        })
        .await
    }

    async fn container_wait(&self, container: &str) -> Result<i64> {
        let name = container.to_owned();
        self.long_call(Request::new(Method::ContainerWait, container, 300), move |state, reply| {
            state.wait_container(&name, reply.sending());
            None
        })
        .await
    }

    async fn container_logs(&self, container: &str, request: &LogsRequest) -> Result<OutputStream> {
        let (name, request) = (container.to_owned(), *request);
        self.streamed(Request::new(Method::ContainerLogs, container, 400), move |state| {
            state.read_log(&name, request)
        })
        .await
    }

    async fn container_top(&self, container: &str) -> Result<ProcessTable> {
        let name = container.to_owned();
        self.call(Request::new(Method::ContainerTop, container, 10_000), move |state| {
            state.top(&name)
        })
        .await
    }

    async fn container_stats(
        &self,
        container: &str,
        request: &StatsRequest,
    ) -> Result<BoxStream<'static, Result<models::ContainerStatsResponse>>> {
        let (name, follow) = (container.to_owned(), request.follow);
        let shared = self.shared.clone();
        self.streamed(Request::new(Method::ContainerStats, container, 1_000), move |state| {
            Ok(daemon::usage::readings(shared, state.container_id(&name)?, follow))
        })
        .await
    }

    async fn container_upload(&self, container: &str, path: &str, tar: Bytes) -> Result<()> {
        let (name, path) = (container.to_owned(), path.to_owned());
        self.call(Request::new(Method::ContainerUpload, container, 30_000), move |state| {
            state.upload(&name, &path, &tar)
        })
        .await
    }

    async fn container_download(
        &self,
        container: &str,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let (name, path) = (container.to_owned(), path.to_owned());
        let chunks = move |state: &mut state::State| {
            let mut tar = state.download(&name, &path)?;
            Ok(stream::iter(std::iter::from_fn(move || {
                let chunk = tar.split_to(tar.len().min(CHUNK_BYTES));
                (!chunk.is_empty()).then_some(Ok(chunk))
            })))
        };
        self.streamed(Request::new(Method::ContainerDownload, container, 30_000), chunks).await
    }

    async fn exec_start(&self, container: &str, request: &ExecRequest) -> Result<ExecSession> {
        let (name, own) = (container.to_owned(), request.clone());
        let begin = move |state: &mut state::State, reply: call::Reply<_>| match state
            .open_exec(&name, &own)
        {
            Err(error) => {
                reply.send(state, Err(error));
                None
            }
            Ok((id, output)) => {
                reply.send(state, Ok((id.clone(), output)));
                let stdin = if own.stdin { None } else { Some(Bytes::new()) };
                state.run_exec(&id, own, stdin)
            }
        };
        let ((id, output), extent) =
            self.streaming_call(Request::new(Method::ExecStart, container, 1_000), begin).await?;
        let input = request.stdin.then(|| {
            let (shared, exec, request) = (self.shared.clone(), id.clone(), Some(request.clone()));
            Box::new(exec::SimInput { shared, exec, request, written: BytesMut::new() })
                as Box<dyn ExecInput>
        });
        Ok(ExecSession { id, output: self.stream(output, extent), input })
    }

    async fn exec_inspect(&self, exec: &str) -> Result<ExecState> {
        let id = exec.to_owned();
        self.call(Request::new(Method::ExecInspect, exec, 300), move |state| state.exec_state(&id))
            .await
    }

    async fn image_list(&self, filters: &Filters) -> Result<Vec<models::ImageSummary>> {
        let filters = filters.clone();
        self.list_call(Request::new(Method::ImageList, "", 1_000), move |state, objects| {
            objects.list_images(&filters, state.api)
        })
        .await
    }

    async fn image_inspect(&self, image: &str) -> Result<models::ImageInspect> {
        let name = image.to_owned();
        self.call(Request::new(Method::ImageInspect, image, 400), move |state| {
            state.objects.inspect_image(&name, state.api)
        })
        .await
    }

    async fn image_registry_digest(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<String> {
        let (name, auth) = (image.to_owned(), auth.cloned());
        self.call(Request::new(Method::ImageRegistryDigest, image, 300_000), move |state| {
            state.registry_digest(&name, auth.as_ref())
        })
        .await
    }

    async fn image_pull(
        &self,
        image: &str,
        _platform: Option<&str>,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        let (name, auth) = (image.to_owned(), auth.cloned());
        self.streamed(Request::new(Method::ImagePull, image, 3_500), move |state| {
            state.pull(&name, auth.as_ref())
        })
        .await
    }

    async fn image_push(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        let (name, auth) = (image.to_owned(), auth.cloned());
        self.streamed(Request::new(Method::ImagePush, image, 3_500), move |state| {
            state.push(&name, auth.as_ref())
        })
        .await
    }

    async fn image_build(
        &self,
        request: BuildRequest,
    ) -> Result<BoxStream<'static, Result<BuildEvent>>> {
        let target = request.tags.first().cloned().unwrap_or_default();
        let context = read(request.context, "the build context").await?;
        let order = build::BuildOrder {
            tags: request.tags,
            dockerfile: request.dockerfile,
            target: request.target,
            args: request.args,
            secrets: request.secrets.into_keys().collect(),
            labels: request.labels,
            no_cache: request.no_cache,
            context_digest: request.context_digest,
            context,
        };
        self.streamed(Request::new(Method::ImageBuild, &target, 50_000), move |state| {
            Ok(state.build(order))
        })
        .await
    }

    async fn image_import(
        &self,
        tag: &str,
        changes: &[String],
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<String> {
        let (name, changes) = (tag.to_owned(), changes.to_vec());
        let tar = read(tar, "the archive").await?;
        self.call(Request::new(Method::ImageImport, tag, 36_000), move |state| {
            state.import_image(&name, &changes, &tar)
        })
        .await
    }

    async fn image_tag(&self, image: &str, tag: &str) -> Result<()> {
        let (name, tag) = (image.to_owned(), tag.to_owned());
        self.call(Request::new(Method::ImageTag, image, 1_600), move |state| {
            state.tag_image(&name, &tag)
        })
        .await
    }

    async fn image_remove(&self, image: &str, force: bool) -> Result<()> {
        let name = image.to_owned();
        self.call(Request::new(Method::ImageRemove, image, 2_000), move |state| {
            state.remove_image(&name, force)
        })
        .await
    }

    async fn network_list(&self, filters: &Filters) -> Result<Vec<models::Network>> {
        let filters = filters.clone();
        self.list_call(Request::new(Method::NetworkList, "", 500), move |_, objects| {
            objects.list_networks(&filters)
        })
        .await
    }

    async fn network_inspect(&self, network: &str) -> Result<models::NetworkInspect> {
        let name = network.to_owned();
        self.call(Request::new(Method::NetworkInspect, network, 400), move |state| {
            state.objects.inspect_network(&name)
        })
        .await
    }

    async fn network_create(&self, body: models::NetworkCreateRequest) -> Result<String> {
        let name = body.name.clone();
        self.call(Request::new(Method::NetworkCreate, &name, 50_000), move |state| {
            state.create_network(body)
        })
        .await
    }

    async fn network_connect(
        &self,
        network: &str,
        container: &str,
        endpoint: models::EndpointSettings,
    ) -> Result<()> {
        let (name, member) = (network.to_owned(), container.to_owned());
        self.call(Request::new(Method::NetworkConnect, network, 25_000), move |state| {
            state.connect_network(&name, &member, endpoint)
        })
        .await
    }

    async fn network_disconnect(&self, network: &str, container: &str, force: bool) -> Result<()> {
        let (name, member) = (network.to_owned(), container.to_owned());
        self.call(Request::new(Method::NetworkDisconnect, network, 50_000), move |state| {
            state.disconnect_network(&name, &member, force)
        })
        .await
    }

    async fn network_remove(&self, network: &str) -> Result<()> {
        let name = network.to_owned();
        self.call(Request::new(Method::NetworkRemove, network, 140_000), move |state| {
            state.remove_network(&name)
        })
        .await
    }

    async fn volume_list(&self, filters: &Filters) -> Result<Vec<models::Volume>> {
        let filters = filters.clone();
        self.list_call(Request::new(Method::VolumeList, "", 400), move |_, objects| {
            objects.list_volumes(&filters)
        })
        .await
    }

    async fn volume_inspect(&self, volume: &str) -> Result<models::Volume> {
        let name = volume.to_owned();
        self.call(Request::new(Method::VolumeInspect, volume, 300), move |state| {
            state.objects.inspect_volume(&name)
        })
        .await
    }

    async fn volume_create(&self, body: models::VolumeCreateRequest) -> Result<models::Volume> {
        let name = body.name.clone().unwrap_or_default();
        self.call(Request::new(Method::VolumeCreate, &name, 1_000), move |state| {
            state.create_volume(body)
        })
        .await
    }

    async fn volume_remove(&self, volume: &str, force: bool) -> Result<()> {
        let name = volume.to_owned();
        self.call(Request::new(Method::VolumeRemove, volume, 1_000), move |state| {
            state.remove_volume(&name, force)
        })
        .await
    }
}

/// The whole stream of the caller.
async fn read(stream: BoxStream<'static, std::io::Result<Bytes>>, what: &str) -> Result<Bytes> {
    let add = |mut all: BytesMut, chunk: Bytes| async move {
        all.extend_from_slice(&chunk);
        Ok(all)
    };
    let all = stream.try_fold(BytesMut::new(), add).await;
    all.map(BytesMut::freeze).map_err(|error| {
        EngineError::new(EngineErrorKind::Failed, format!("could not read {what}: {error}"))
    })
}
