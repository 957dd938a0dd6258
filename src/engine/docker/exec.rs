//! Processes that are started in a running container.

use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::models;
use bytes::Bytes;
use futures::stream::{Stream, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, ReadHalf, WriteHalf};
use tokio_util::io::ReaderStream;

use super::reference::segment;
use super::{DockerEngine, errors, streams};
use crate::engine::{ExecInput, ExecRequest, ExecSession, ExecState, Method, Result};

/// Bytes of one read of output: the engine's own chunk size.
const PIECE: usize = 32 * 1024;
/// The first pause before checking again whether a process has ended after its output has ended.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(100);

type Connection = TokioIo<Upgraded>;

pub(super) async fn start(
    engine: &DockerEngine,
    container: &str,
    request: &ExecRequest,
) -> Result<ExecSession> {
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let config = models::ExecConfig {
        attach_stdin: Some(request.stdin),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(request.tty),
        cmd: some(&request.command),
        env: some(&request.environment),
        user: request.user.clone(),
        working_dir: request.working_dir.clone(),
        privileged: Some(request.privileged),
        ..Default::default()
    };
    let id = engine
        .client(Method::ExecStart)
        .create_exec(&segment("container", container)?, config)
        .await
        .map_err(errors::from_client)?
        .id;

    let body = serde_json::to_vec(&models::ExecStartConfig {
        detach: Some(false),
        tty: Some(request.tty),
        ..Default::default()
    });
    let body = body.map_err(errors::unreadable)?;
    let connection = engine.wire.upgrade(&format!("/exec/{id}/start"), body.into()).await?;
    let (read, write) = tokio::io::split(connection);
    let output = streams::output(
        until_ended(engine.client(Method::ExecInspect), id.clone(), read),
        request.tty,
    );
    let input = request.stdin.then(|| Box::new(Input(write)) as Box<dyn ExecInput>);
    Ok(ExecSession { id, output, input })
}

/// Everything the process wrote; ends when the process has ended.
///
/// The engine closes the output a moment before it records the exit. So an inspect right after the
/// last byte may still say "running", without an exit code. The stream lasts until the exit is
/// recorded.
fn until_ended(
    client: Docker,
    exec: String,
    read: ReadHalf<Connection>,
) -> impl Stream<Item = Result<Bytes>> + Send {
    async_stream::try_stream! {
        let mut bytes = ReaderStream::with_capacity(read, PIECE);
        while let Some(piece) = bytes.next().await {
            yield piece.map_err(|error| errors::from_io(&error))?;
        }
        let mut look = FIRST_LOOK;
        while client.inspect_exec(&exec).await.is_ok_and(|state| state.running == Some(true)) {
            #[allow(clippy::disallowed_methods, reason = "between two looks at the real engine, in real time")]
            tokio::time::sleep(look).await;
            look = (look * 2).min(LAST_LOOK);
        }
    }
}

pub(super) async fn inspect(engine: &DockerEngine, exec: &str) -> Result<ExecState> {
    let state = engine
        .client(Method::ExecInspect)
        .inspect_exec(&segment("exec instance", exec)?)
        .await
        .map_err(errors::from_client)?;
    let running = state.running.unwrap_or_default();
    Ok(ExecState { running, exit_code: state.exit_code.filter(|_| !running) })
}

struct Input(WriteHalf<Connection>);

#[async_trait]
impl ExecInput for Input {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.0.write_all(&bytes).await.map_err(|error| errors::from_io(&error))?;
        self.0.flush().await.map_err(|error| errors::from_io(&error))
    }

    async fn close(&mut self) -> Result<()> {
        self.0.shutdown().await.map_err(|error| errors::from_io(&error))
    }
}
