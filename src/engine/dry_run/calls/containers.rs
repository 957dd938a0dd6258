//! Containers, their files, their logs, and commands in them.

use bollard::models;
use bytes::Bytes;
use futures::stream::{BoxStream, TryStreamExt};

use super::super::download::beginning;
use super::super::{DryRunEngine, SILENT_SUCCESS, is_lock};
use super::stream_of;
use crate::engine::{
    Engine, EngineError, EngineErrorKind, ExecRequest, ExecSession, ExecState, Filters,
    LogsRequest, OutputChunk, OutputStream, Result, StatsRequest, StopRequest, exec_processes,
};
use crate::host::memory::LARGEST_VALUE;
use crate::model::step::{ActionKind, Object, ObjectKind};

/// A log of the live engine. The plan's virtual time does not advance during the read, so the log
/// is read to its end.
async fn whole_log(mut log: OutputStream) -> Result<Vec<OutputChunk>> {
    let (mut chunks, mut bytes) = (Vec::new(), 0);
    while let Some(chunk) = log.try_next().await? {
        bytes += chunk.bytes.len();
        if bytes > LARGEST_VALUE {
            let words =
                format!("it has more than {} MiB, which a plan does not hold", LARGEST_VALUE >> 20);
            return Err(EngineError::new(EngineErrorKind::Invalid, words)
                .with_hint("request fewer lines with tail"));
        }
        chunks.push(chunk);
    }
    Ok(chunks)
}

/// An empty file, as an archive.
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
    pub(super) async fn container_list(
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

    pub(super) async fn container_inspect(
        &self,
        container: &str,
    ) -> Result<models::ContainerInspectResponse> {
        match self.as_found(container) {
            Some(id) => self.meet(&id),
            None => self.sim.container_inspect(container).await,
        }
    }

    pub(super) async fn container_create(
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
            self.effects.created_from(name, &image, self.sim.image_id(&image));
            self.tell_made_up(&created.id, name).await?;
        }
        Ok(created)
    }

    pub(super) async fn container_start(&self, container: &str) -> Result<bool> {
        let name = self.touch(container)?;
        let is_one_off = self.is_one_off(container);
        if is_one_off {
            self.sim.expect_end(&self.name_of(container));
        }
        let is_new = self.sim.container_start(container).await?;
        let step = if is_new { self.tell(ActionKind::Start, name) } else { None };
        if is_one_off {
            self.effects.answer_unknown(
                step,
                format!("the container {}", self.name_of(container)),
                SILENT_SUCCESS,
            );
        }
        Ok(is_new)
    }

    pub(super) async fn container_stop(
        &self,
        container: &str,
        request: &StopRequest,
    ) -> Result<bool> {
        let name = self.touch(container)?;
        let ran = self.sim.container_stop(container, request).await?;
        if ran {
            self.tell(ActionKind::Stop, name);
        }
        Ok(ran)
    }

    pub(super) async fn container_logs(
        &self,
        container: &str,
        request: &LogsRequest,
    ) -> Result<OutputStream> {
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
        // A wait for future lines would never end.
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

    pub(super) async fn container_stats(
        &self,
        container: &str,
    ) -> Result<BoxStream<'static, Result<models::ContainerStatsResponse>>> {
        // The plan's virtual time does not advance, so a second measurement would be the same.
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

    pub(super) async fn container_upload(
        &self,
        container: &str,
        path: &str,
        tar: Bytes,
    ) -> Result<()> {
        let name = self.name_of(container);
        if is_lock(&name) {
            return self.sim.container_upload(container, path, tar).await;
        }
        // The folders in a container are unknown here.
        if self.sim.who_is(container).is_none() {
            return self.sim.container_upload(container, path, tar).await;
        }
        self.effects
            .effect(ActionKind::WriteInto, &Object::container(name).with(format!("at {path}")));
        Ok(())
    }

    pub(super) async fn container_download(
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

    pub(super) async fn exec_start(
        &self,
        container: &str,
        request: &ExecRequest,
    ) -> Result<ExecSession> {
        let Some((id, name)) = self.sim.who_is(container) else {
            return self.sim.exec_start(container, request).await;
        };
        if self.found.containers.contains_key(&id) {
            self.meet(&id)?;
        }
        if let Some((mark, _)) = exec_processes::parse(&request.command) {
            // It ends a command of this plan, where that command runs. There is nothing to report.
            let is_live = self.state.lock().live_marks.contains(mark);
            return if is_live {
                self.run_live(&id, &name, request)
            } else {
                self.sim.exec_start(container, request).await
            };
        }
        let line = request.command.join(" ");
        if self.is_run_live(&id, &name, request) {
            // Reported first, so that a command that fails or hangs is in the plan too.
            self.effects.answer_known(ActionKind::RunReadOnly, &command(&line, &name));
            return self.run_live(&id, &name, request);
        }
        let session = self.sim.exec_start(container, request).await?;
        if self.sim.health_command(container).as_ref() == Some(&request.command) {
            self.effects.answer_unknown(
                None,
                format!("the health check of the container {name}"),
                "it passes",
            );
        } else {
            let step = self.effects.effect(ActionKind::Run, &command(&line, &name));
            self.effects.answer_unknown(
                step,
                format!("the command \"{line}\" in the container {name}"),
                SILENT_SUCCESS,
            );
        }
        Ok(session)
    }

    pub(super) async fn exec_inspect(&self, exec: &str) -> Result<ExecState> {
        if let Some(state) = self.state.lock().execs.get(exec) {
            return Ok(*state);
        }
        self.sim.exec_inspect(exec).await
    }
}
