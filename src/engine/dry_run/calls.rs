//! The calls of a plan's engine: what reads is answered as found, what changes is done on the
//! simulated one and told.

use std::collections::HashMap;

use bollard::models;
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::download::beginning;
use super::{DryRunEngine, SILENT_SUCCESS, is_lock};
use crate::engine::sim::bases;
use crate::engine::{
    Answer, ApiVersion, BuildEvent, BuildRequest, Call, Engine, EngineError, EngineErrorKind,
    ExecRequest, ExecSession, ExecState, Filters, LogsRequest, OutputChunk, OutputStream,
    RegistryAuth, Result, StatsRequest, StopRequest, TransferEvent, exec_processes,
};
use crate::host::memory::LARGEST_VALUE;
use crate::model::names::{LOCK_IMAGE, is_former_folders_volume};
use crate::model::step::{ActionKind, Object, ObjectKind};

fn stream_of<T: Send + 'static>(items: Vec<Result<T>>) -> BoxStream<'static, Result<T>> {
    stream::iter(items).boxed()
}

/// A log of the live engine, which stands still meanwhile: it is held whole.
async fn whole_log(mut log: OutputStream) -> Result<Vec<OutputChunk>> {
    let (mut chunks, mut bytes) = (Vec::new(), 0);
    while let Some(chunk) = log.try_next().await? {
        bytes += chunk.bytes.len();
        if bytes > LARGEST_VALUE {
            let words =
                format!("it has more than {} MiB, which a plan does not hold", LARGEST_VALUE >> 20);
            return Err(EngineError::new(EngineErrorKind::Invalid, words)
                .with_hint("ask for fewer lines with tail"));
        }
        chunks.push(chunk);
    }
    Ok(chunks)
}

/// A file without content, as an archive.
fn empty_file(path: &str) -> Bytes {
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    let name = path.rsplit('/').find(|name| !name.is_empty()).unwrap_or("file");
    let packed = archive
        .append_data(&mut header, name, std::io::empty())
        .and_then(|()| archive.into_inner());
    packed.unwrap_or_default().into()
}

/// A command in a container.
fn command(line: &str, container: &str) -> Object {
    Object::new(ObjectKind::Command, line).with(format!("in container {container}"))
}

impl DryRunEngine {
    async fn container_list(
        &self,
        all: bool,
        filters: &Filters,
    ) -> Result<Vec<models::ContainerSummary>> {
        let mut list = self.sim.container_list(all, filters).await?;
        let state = self.state.lock();
        for summary in &mut list {
            let Some(id) = summary.id.as_ref().filter(|id| !state.changed.contains(*id)) else {
                continue;
            };
            if let Some(found) = self.found.containers.get(id) {
                summary.clone_from(found);
            }
        }
        Ok(list)
    }

    async fn container_inspect(&self, container: &str) -> Result<models::ContainerInspectResponse> {
        match self.as_found(container) {
            Some(id) => self.meet(&id),
            None => self.sim.container_inspect(container).await,
        }
    }

    async fn container_create(
        &self,
        name: &str,
        platform: Option<&str>,
        body: models::ContainerCreateBody,
    ) -> Result<models::ContainerCreateResponse> {
        let image = body.image.clone().unwrap_or_default();
        self.meet_image(&image)?;
        let created = self.sim.container_create(name, platform, body).await?;
        if !is_lock(name) {
            self.effects.effect(ActionKind::Create, &Object::container(name));
            self.effects.made_from(name, &image, self.sim.image_id(&image));
        }
        Ok(created)
    }

    async fn container_start(&self, container: &str) -> Result<bool> {
        let name = self.touch(container)?;
        let is_one_off = self.is_one_off(container);
        if is_one_off {
            self.sim.expect_end(&self.name_of(container));
        }
        let is_new = self.sim.container_start(container).await?;
        let step = if is_new { self.tell(ActionKind::Start, name) } else { None };
        if is_one_off {
            self.effects.asked(
                step,
                format!("the container {}", self.name_of(container)),
                SILENT_SUCCESS,
            );
        }
        Ok(is_new)
    }

    async fn container_stop(&self, container: &str, request: &StopRequest) -> Result<bool> {
        let name = self.touch(container)?;
        let ran = self.sim.container_stop(container, request).await?;
        if ran {
            self.tell(ActionKind::Stop, name);
        }
        Ok(ran)
    }

    async fn container_logs(&self, container: &str, request: &LogsRequest) -> Result<OutputStream> {
        let Some(id) = self.as_found(container) else {
            let is_one_off = self.is_one_off(container);
            if !is_one_off {
                self.effects.assume(
                    &format!("the log of the container {}", self.name_of(container)),
                    "it is empty",
                );
            }
            return self.sim.container_logs(container, request).await;
        };
        // What will be written is not there to be waited for.
        let request = LogsRequest { follow: false, ..*request };
        let what = format!("the log of the container {}", self.name_of(container));
        let chunks = self.live.read(&what, async {
            whole_log(self.live.engine.container_logs(&id, &request).await?).await
        });
        let chunks = chunks.inspect_err(|error| {
            self.missed(&format!("the container {}", self.name_of(container)), error)
        })?;
        Ok(stream_of(chunks.into_iter().map(Ok).collect()))
    }

    async fn container_stats(
        &self,
        container: &str,
    ) -> Result<BoxStream<'static, Result<models::ContainerStatsResponse>>> {
        // The plan's time stands still: there is nothing to measure a second time.
        let once = StatsRequest { follow: false };
        let Some(id) = self.as_found(container) else {
            return self.sim.container_stats(container, &once).await;
        };
        let name = format!("the container {}", self.name_of(container));
        let reading = self.live.read(&format!("what {name} uses"), async {
            self.live.engine.container_stats(&id, &once).await?.try_collect::<Vec<_>>().await
        });
        let reading = reading.inspect_err(|error| self.missed(&name, error))?;
        Ok(stream_of(reading.into_iter().map(Ok).collect()))
    }

    async fn container_upload(&self, container: &str, path: &str, tar: Bytes) -> Result<()> {
        let name = self.name_of(container);
        if is_lock(&name) {
            return self.sim.container_upload(container, path, tar).await;
        }
        // Which folders are in a container is not known here.
        if self.sim.who_is(container).is_none() {
            return self.sim.container_upload(container, path, tar).await;
        }
        self.effects
            .effect(ActionKind::WriteInto, &Object::container(name).with(format!("at {path}")));
        Ok(())
    }

    async fn container_download(
        &self,
        container: &str,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        if let Some(id) = self.as_found(container) {
            let what = format!("{path} in the container {}", self.name_of(container));
            let chunks = self.live.read(&what, async {
                beginning(self.live.engine.container_download(&id, path).await?).await
            })?;
            return Ok(stream_of(chunks.into_iter().map(Ok).collect()));
        }
        let name = self.name_of(container);
        if is_lock(&name) || self.sim.who_is(container).is_none() {
            return self.sim.container_download(container, path).await;
        }
        self.effects.assume(&format!("{path} in the container {name}"), "it is an empty file");
        Ok(stream_of(vec![Ok(empty_file(path))]))
    }

    async fn exec_start(&self, container: &str, request: &ExecRequest) -> Result<ExecSession> {
        let Some((id, name)) = self.sim.who_is(container) else {
            return self.sim.exec_start(container, request).await;
        };
        if self.found.containers.contains_key(&id) {
            self.meet(&id)?;
        }
        if let Some((mark, _)) = exec_processes::parse(&request.command) {
            // It ends a command of this plan: where that runs, and nothing to tell of.
            let is_live = self.state.lock().live_marks.contains(mark);
            return if is_live {
                self.run_live(&id, &name, request)
            } else {
                self.sim.exec_start(container, request).await
            };
        }
        let line = request.command.join(" ");
        if self.is_run_live(&id, &name, request) {
            // Before: a command that fails or hangs stands in the plan too.
            self.effects.looks(ActionKind::RunReadOnly, &command(&line, &name));
            return self.run_live(&id, &name, request);
        }
        let session = self.sim.exec_start(container, request).await?;
        if self.sim.health_command(container).as_ref() == Some(&request.command) {
            self.effects.asked(
                None,
                format!("the health check of the container {name}"),
                "it passes",
            );
        } else {
            let step = self.effects.effect(ActionKind::Run, &command(&line, &name));
            self.effects.asked(
                step,
                format!("the command \"{line}\" in the container {name}"),
                SILENT_SUCCESS,
            );
        }
        Ok(session)
    }

    async fn exec_inspect(&self, exec: &str) -> Result<ExecState> {
        if let Some(state) = self.state.lock().execs.get(exec) {
            return Ok(*state);
        }
        self.sim.exec_inspect(exec).await
    }

    async fn image_list(&self, filters: &Filters) -> Result<Vec<models::ImageSummary>> {
        let mut list = self.sim.image_list(filters).await?;
        for summary in &mut list {
            if let Some(found) = self.found.images.get(&summary.id) {
                let (tags, digests) = (
                    std::mem::take(&mut summary.repo_tags),
                    std::mem::take(&mut summary.repo_digests),
                );
                *summary = models::ImageSummary {
                    repo_tags: tags,
                    repo_digests: digests,
                    ..found.clone()
                };
            }
        }
        Ok(list)
    }

    async fn image_inspect(&self, image: &str) -> Result<models::ImageInspect> {
        self.meet_image(image)?;
        let seen = self.sim.image_inspect(image).await?;
        let found = seen.id.as_ref().and_then(|id| self.state.lock().images.get(id).cloned());
        Ok(match found {
            Some(found) => models::ImageInspect {
                repo_tags: seen.repo_tags,
                repo_digests: seen.repo_digests,
                ..found
            },
            None => seen,
        })
    }

    fn image_registry_digest(&self, image: &str, auth: Option<&RegistryAuth>) -> Result<String> {
        let what = format!("the image {image} in its registry");
        self.live.ask(&what, self.live.engine.image_registry_digest(image, auth))
    }

    fn image_pull(&self, image: &str) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        let step = self.effects.effect(ActionKind::Pull, &Object::image(image));
        self.sim.arrives(image, HashMap::new())?;
        self.opens(step, image);
        if let Some(id) = self.sim.image_id(image) {
            self.effects.invented(&id, image);
        }
        Ok(stream_of(Vec::new()))
    }

    async fn image_push(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        self.effects.effect(ActionKind::Push, &Object::image(image));
        self.sim.image_push(image, auth).await
    }

    async fn image_build(
        &self,
        request: BuildRequest,
    ) -> Result<BoxStream<'static, Result<BuildEvent>>> {
        let add = |mut all: BytesMut, chunk: Bytes| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        };
        let context = request.context.try_fold(BytesMut::new(), add).await;
        let context = context
            .map_err(|error| {
                EngineError::new(
                    EngineErrorKind::Failed,
                    format!("could not read the build context: {error}"),
                )
            })?
            .freeze();
        let image = request.tags.first().cloned().unwrap_or_default();
        let tags = request.tags.clone();
        let step = self.effects.effect(ActionKind::Build, &Object::image(&image));
        let reports = match bases(&context, &request.dockerfile, &request.args) {
            Ok(bases) => {
                for base in bases {
                    self.meet_image(&base)?;
                }
                let request =
                    BuildRequest { context: stream::iter([Ok(context)]).boxed(), ..request };
                self.sim.image_build(request).await?.collect().await
            }
            // What the simulated builder can't read the live one may well.
            Err(why) => {
                self.effects.unclear(&format!("what the build of the image {image} makes: {why}"));
                self.comes_out(&request.tags, request.labels).await?
            }
        };
        for tag in &tags {
            self.opens(step, tag);
            if let Some(id) = self.sim.image_id(tag) {
                self.effects.invented(&id, tag);
            }
        }
        Ok(stream_of(reports))
    }

    async fn image_import(
        &self,
        tag: &str,
        changes: &[String],
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<String> {
        // The image that locks are made from is spc's own affair.
        if tag == LOCK_IMAGE {
            return self.sim.image_import(tag, changes, tar).await;
        }
        let step = self.effects.effect(ActionKind::Import, &Object::image(tag));
        let id = self.sim.image_import(tag, changes, tar).await?;
        self.opens(step, tag);
        self.effects.invented(&id, tag);
        Ok(id)
    }

    async fn image_tag(&self, image: &str, tag: &str) -> Result<()> {
        let before = self.sim.image_id(tag);
        self.sim.image_tag(image, tag).await?;
        if self.sim.image_id(tag) != before {
            self.effects.effect(ActionKind::Tag, &Object::image(image).with(format!("as {tag}")));
        }
        Ok(())
    }

    async fn image_remove(&self, image: &str, force: bool) -> Result<()> {
        self.sim.image_remove(image, force).await?;
        self.effects.effect(ActionKind::Remove, &Object::image(image));
        Ok(())
    }

    async fn network_list(&self, filters: &Filters) -> Result<Vec<models::Network>> {
        let mut list = self.sim.network_list(filters).await?;
        for network in &mut list {
            if let Some(found) = network.id.as_ref().and_then(|id| self.found.networks.get(id)) {
                network.clone_from(found);
            }
        }
        Ok(list)
    }

    async fn network_create(&self, body: models::NetworkCreateRequest) -> Result<String> {
        let name = body.name.clone();
        let id = self.sim.network_create(body).await?;
        self.effects.effect(ActionKind::Create, &Object::network(name));
        Ok(id)
    }

    async fn network_connect(
        &self,
        network: &str,
        container: &str,
        endpoint: models::EndpointSettings,
    ) -> Result<()> {
        self.touch(container)?;
        self.sim.network_connect(network, container, endpoint).await?;
        let object = Object::container(self.name_of(container))
            .with(format!("to network {}", self.network_name(network)));
        self.effects.effect(ActionKind::Connect, &object);
        Ok(())
    }

    async fn network_disconnect(&self, network: &str, container: &str, force: bool) -> Result<()> {
        self.touch(container)?;
        self.sim.network_disconnect(network, container, force).await?;
        let object = Object::container(self.name_of(container))
            .with(format!("from network {}", self.network_name(network)));
        self.effects.effect(ActionKind::Disconnect, &object);
        Ok(())
    }

    async fn network_remove(&self, network: &str) -> Result<()> {
        self.sim.network_remove(network).await?;
        self.effects.effect(ActionKind::Remove, &Object::network(self.network_name(network)));
        Ok(())
    }

    async fn volume_list(&self, filters: &Filters) -> Result<Vec<models::Volume>> {
        let mut list = self.sim.volume_list(filters).await?;
        let state = self.state.lock();
        for volume in list.iter_mut().filter(|volume| !state.removed.contains(&volume.name)) {
            if let Some(found) = self.found.volumes.get(&volume.name) {
                volume.clone_from(found);
            }
        }
        Ok(list)
    }

    async fn volume_inspect(&self, volume: &str) -> Result<models::Volume> {
        let seen = self.sim.volume_inspect(volume).await?;
        let is_found = !self.state.lock().removed.contains(volume);
        Ok(self.found.volumes.get(volume).filter(|_| is_found).cloned().unwrap_or(seen))
    }

    async fn volume_create(&self, body: models::VolumeCreateRequest) -> Result<models::Volume> {
        let name = body.name.clone().unwrap_or_default();
        let is_new = name.is_empty() || self.sim.volume_inspect(&name).await.is_err();
        // What kinds of volumes the live engine has is not known here.
        let volume =
            self.sim.volume_create(models::VolumeCreateRequest { driver: None, ..body }).await?;
        // Where a project was moved from is spc's own record, as its lock is.
        if is_new && !is_former_folders_volume(&volume.name) {
            self.effects.effect(ActionKind::Create, &Object::volume(&volume.name));
        }
        Ok(volume)
    }

    async fn volume_remove(&self, volume: &str, force: bool) -> Result<()> {
        let is_there = self.sim.volume_inspect(volume).await.is_ok();
        self.sim.volume_remove(volume, force).await?;
        // With force the engine is content with one that is not there.
        if is_there {
            self.state.lock().removed.insert(volume.to_owned());
            if !is_former_folders_volume(volume) {
                self.effects.effect(ActionKind::Remove, &Object::volume(volume));
            }
        }
        Ok(())
    }

    /// What only changes one container, by the action that the call is declared with.
    async fn acted(&self, call: Call<'_>, action: ActionKind) -> Result<Answer> {
        let name = self.touch(call.target())?;
        let answer = self.sim.call(call).await?;
        self.tell(action, name);
        Ok(answer)
    }

    /// What only reads: the live engine's answer, unless it is about a container that the plan made
    /// or changed.
    async fn looked_up(&self, mut call: Call<'_>, about: &str) -> Result<Answer> {
        let target = call.target().to_owned();
        if target.is_empty() {
            return self.live.ask(about, self.live.engine.call(call));
        }
        let Some(id) = self.as_found(&target) else { return self.sim.call(call).await };
        let container = format!("the container {}", self.name_of(&target));
        for owned in call.owned() {
            *owned.name = &id;
        }
        let what = format!("{about} of {container}");
        let answer = self.live.ask(&what, self.live.engine.call(call));
        answer.inspect_err(|error| self.missed(&container, error))
    }
}

impl Engine for DryRunEngine {
    fn api_version(&self) -> ApiVersion {
        self.live.engine.api_version()
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn is_local(&self) -> bool {
        self.live.engine.is_local()
    }

    fn publishes_here(&self) -> bool {
        self.live.engine.publishes_here()
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            Ok(match call {
                Call::ContainerList { all, filters } => {
                    Answer::ContainerList(self.container_list(all, filters).await?)
                }
                Call::ContainerInspect { container } => {
                    Answer::ContainerInspect(self.container_inspect(container).await?)
                }
                Call::ContainerCreate { name, platform, body } => {
                    Answer::ContainerCreate(self.container_create(name, platform, body).await?)
                }
                Call::ContainerStart { container } => {
                    Answer::ContainerStart(self.container_start(container).await?)
                }
                Call::ContainerStop { container, request } => {
                    Answer::ContainerStop(self.container_stop(container, request).await?)
                }
                Call::ContainerLogs { container, request } => {
                    Answer::ContainerLogs(self.container_logs(container, request).await?)
                }
                Call::ContainerStats { container, .. } => {
                    Answer::ContainerStats(self.container_stats(container).await?)
                }
                Call::ContainerUpload { container, path, tar } => {
                    Answer::ContainerUpload(self.container_upload(container, path, tar).await?)
                }
                Call::ContainerDownload { container, path } => {
                    Answer::ContainerDownload(self.container_download(container, path).await?)
                }
                Call::ExecStart { container, request } => {
                    Answer::ExecStart(self.exec_start(container, request).await?)
                }
                Call::ExecInspect { exec } => Answer::ExecInspect(self.exec_inspect(exec).await?),
                Call::ImageList { filters } => Answer::ImageList(self.image_list(filters).await?),
                Call::ImageInspect { image } => {
                    Answer::ImageInspect(self.image_inspect(image).await?)
                }
                Call::ImageRegistryDigest { image, auth } => {
                    Answer::ImageRegistryDigest(self.image_registry_digest(image, auth)?)
                }
                Call::ImagePull { image, .. } => Answer::ImagePull(self.image_pull(image)?),
                Call::ImagePush { image, auth } => {
                    Answer::ImagePush(self.image_push(image, auth).await?)
                }
                Call::ImageBuild { request } => {
                    Answer::ImageBuild(self.image_build(request).await?)
                }
                Call::ImageImport { tag, changes, tar } => {
                    Answer::ImageImport(self.image_import(tag, changes, tar).await?)
                }
                Call::ImageTag { image, tag } => {
                    Answer::ImageTag(self.image_tag(image, tag).await?)
                }
                Call::ImageRemove { image, force } => {
                    Answer::ImageRemove(self.image_remove(image, force).await?)
                }
                Call::NetworkList { filters } => {
                    Answer::NetworkList(self.network_list(filters).await?)
                }
                Call::NetworkCreate { body } => {
                    Answer::NetworkCreate(self.network_create(body).await?)
                }
                Call::NetworkConnect { network, container, endpoint } => {
                    self.network_connect(network, container, endpoint).await?;
                    Answer::NetworkConnect(())
                }
                Call::NetworkDisconnect { network, container, force } => {
                    self.network_disconnect(network, container, force).await?;
                    Answer::NetworkDisconnect(())
                }
                Call::NetworkRemove { network } => {
                    Answer::NetworkRemove(self.network_remove(network).await?)
                }
                Call::VolumeList { filters } => {
                    Answer::VolumeList(self.volume_list(filters).await?)
                }
                Call::VolumeInspect { volume } => {
                    Answer::VolumeInspect(self.volume_inspect(volume).await?)
                }
                Call::VolumeCreate { body } => {
                    Answer::VolumeCreate(self.volume_create(body).await?)
                }
                Call::VolumeRemove { volume, force } => {
                    Answer::VolumeRemove(self.volume_remove(volume, force).await?)
                }
                other => {
                    let (method, facts) = (other.method(), other.method().declaration());
                    match (facts.action, facts.about) {
                        (Some(action), _) => self.acted(other, action).await?,
                        (None, "") if method.changes() => {
                            return Err(EngineError::new(
                                EngineErrorKind::Unsupported,
                                format!("a plan can't follow {method}"),
                            ));
                        }
                        // Of what goes on, and of what the plan begins with, the simulation knows.
                        (None, "") => self.sim.call(other).await?,
                        (None, about) => self.looked_up(other, about).await?,
                    }
                }
            })
        })
    }
}
