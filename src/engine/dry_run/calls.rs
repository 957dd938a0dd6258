//! The calls of a plan's engine: reads are answered from the snapshot, changes are made on the
//! simulated engine and reported.

mod containers;
mod images;
mod networks_and_volumes;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};

use super::DryRunEngine;
use crate::engine::{Answer, ApiVersion, Call, Engine, EngineError, EngineErrorKind, Result};
use crate::model::step::ActionKind;

fn stream_of<T: Send + 'static>(items: Vec<Result<T>>) -> BoxStream<'static, Result<T>> {
    stream::iter(items).boxed()
}

impl DryRunEngine {
    /// Calls that only change one container, by the action in their declaration.
    async fn acted(&self, call: Call<'_>, action: ActionKind) -> Result<Answer> {
        let name = self.touch(call.target())?;
        let answer = self.sim.call(call).await?;
        self.tell(action, name);
        Ok(answer)
    }

    /// Calls that only read: the live engine answers, unless the plan created or changed the
    /// container.
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
                        // The simulation knows the processes, and the state at the beginning of the
                        // plan.
                        (None, "") => self.sim.call(other).await?,
                        (None, about) => self.looked_up(other, about).await?,
                    }
                }
            })
        })
    }
}
