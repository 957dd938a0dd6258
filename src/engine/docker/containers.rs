//! Containers: their life, their log, their files.

use std::fmt::Write as _;
use std::time::Duration;

use bollard::errors::Error as ClientError;
use bollard::models;
use bollard::query_parameters as query;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use hyper::Request;

use super::client::filters;
use super::events::decimal_seconds;
use super::reference::{query_value, segment};
use super::{DockerEngine, errors, streams, wire};
use crate::engine::{
    ApiVersion, EngineError, EngineErrorKind, Filters, LogsRequest, Method, OutputStream,
    ProcessTable, Result, StopRequest,
};

/// Docker's default grace period.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// `stop` and `restart` accept a signal from this version on; older engines silently ignore it.
const STOP_SIGNAL: ApiVersion = ApiVersion { major: 1, minor: 42 };

fn path_name(container: &str) -> Result<String> {
    segment("container", container)
}

pub(super) async fn list(
    engine: &DockerEngine,
    all: bool,
    filter: &Filters,
) -> Result<Vec<models::ContainerSummary>> {
    let options =
        query::ListContainersOptions { all, filters: filters(filter), ..Default::default() };
    engine
        .client(Method::ContainerList)
        .list_containers(Some(options))
        .await
        .map_err(errors::from_client)
}

pub(super) async fn inspect(
    engine: &DockerEngine,
    container: &str,
) -> Result<models::ContainerInspectResponse> {
    let options = None::<query::InspectContainerOptions>;
    engine
        .client(Method::ContainerInspect)
        .inspect_container(&path_name(container)?, options)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn create(
    engine: &DockerEngine,
    name: &str,
    platform: Option<&str>,
    body: models::ContainerCreateBody,
) -> Result<models::ContainerCreateResponse> {
    let options = query::CreateContainerOptions {
        name: Some(name.to_owned()),
        platform: platform.unwrap_or_default().to_owned(),
    };
    engine
        .client(Method::ContainerCreate)
        .create_container(Some(options), body)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn start(engine: &DockerEngine, container: &str) -> Result<bool> {
    let options = None::<query::StartContainerOptions>;
    changed(
        engine
            .client(Method::ContainerStart)
            .start_container(&path_name(container)?, options)
            .await,
    )
}

pub(super) async fn stop(
    engine: &DockerEngine,
    container: &str,
    request: &StopRequest,
) -> Result<bool> {
    check_signal(engine, request)?;
    let options = query::StopContainerOptions {
        signal: request.signal.clone(),
        t: request.grace.map(seconds),
    };
    let client =
        engine.client_with_grace(Method::ContainerStop, grace(engine, container, request).await);
    changed(client.stop_container(&path_name(container)?, Some(options)).await)
}

/// The grace period of the container that a call ends.
async fn grace(engine: &DockerEngine, container: &str, request: &StopRequest) -> Duration {
    let own = async {
        let config = inspect(engine, container).await.ok()?.config?;
        config.stop_timeout.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs)
    };
    match request.grace {
        Some(grace) => grace,
        None => own.await.unwrap_or(DEFAULT_GRACE),
    }
}

pub(super) async fn restart(
    engine: &DockerEngine,
    container: &str,
    request: &StopRequest,
) -> Result<()> {
    check_signal(engine, request)?;
    let options = query::RestartContainerOptions {
        signal: request.signal.clone(),
        t: request.grace.map(seconds),
    };
    let client =
        engine.client_with_grace(Method::ContainerRestart, grace(engine, container, request).await);
    client
        .restart_container(&path_name(container)?, Some(options))
        .await
        .map_err(errors::from_client)
}

pub(super) async fn kill(engine: &DockerEngine, container: &str, signal: &str) -> Result<()> {
    let options = query::KillContainerOptions { signal: signal.to_owned() };
    engine
        .client(Method::ContainerKill)
        .kill_container(&path_name(container)?, Some(options))
        .await
        .map_err(errors::from_client)
}

pub(super) async fn rename(engine: &DockerEngine, container: &str, name: &str) -> Result<()> {
    let options = query::RenameContainerOptions { name: name.to_owned() };
    engine
        .client(Method::ContainerRename)
        .rename_container(&path_name(container)?, options)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn update(
    engine: &DockerEngine,
    container: &str,
    restart: models::RestartPolicy,
) -> Result<()> {
    let body = models::ContainerUpdateBody {
        restart_policy: Some(restart),
        ..models::ContainerUpdateBody::default()
    };
    engine
        .client(Method::ContainerUpdate)
        .update_container(&path_name(container)?, body)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn remove(
    engine: &DockerEngine,
    container: &str,
    force: bool,
    volumes: bool,
) -> Result<()> {
    let options = query::RemoveContainerOptions { force, v: volumes, link: false };
    // It takes as long as the deletion of the container's files.
    engine
        .client(Method::ContainerRemove)
        .remove_container(&path_name(container)?, Some(options))
        .await
        .map_err(errors::from_client)
}

pub(super) async fn wait(engine: &DockerEngine, container: &str) -> Result<i64> {
    let options = query::WaitContainerOptions { condition: "not-running".to_owned() };
    let client = engine.client(Method::ContainerWait);
    let mut answers = std::pin::pin!(client.wait_container(&path_name(container)?, Some(options)));
    match answers.next().await {
        Some(Ok(answer)) => Ok(answer.status_code),
        // bollard's error for an exit code other than 0.
        Some(Err(ClientError::DockerContainerWaitError { code, .. })) => Ok(code),
        Some(Err(error)) => Err(errors::from_client(error)),
        None => Err(errors::cut_off(&format!("container \"{container}\" did"))),
    }
}

pub(super) async fn logs(
    engine: &DockerEngine,
    container: &str,
    request: &LogsRequest,
) -> Result<OutputStream> {
    let mut path = format!("/containers/{}/logs?stdout=1&stderr=1", path_name(container)?);
    let flag = |path: &mut String, name: &str, set: bool| {
        if set {
            let _ = write!(path, "&{name}=1");
        }
    };
    flag(&mut path, "follow", request.follow);
    flag(&mut path, "timestamps", request.timestamps);
    let values = [
        ("tail", request.tail.map(|count| count.to_string())),
        ("since", request.since.map(decimal_seconds)),
        ("until", request.until.map(decimal_seconds)),
    ];
    for (name, value) in values {
        if let Some(value) = value {
            let _ = write!(path, "&{name}={value}");
        }
    }
    let response = engine
        .wire
        .exchange(
            wire::request(Request::get(path), Bytes::new())?,
            wire::limit(Method::ContainerLogs),
        )
        .await?;
    Ok(streams::messages(streams::body(response), request.tty))
}

pub(super) async fn top(engine: &DockerEngine, container: &str) -> Result<ProcessTable> {
    engine
        .client(Method::ContainerTop)
        .top_processes(&path_name(container)?, None::<query::TopOptions>)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn upload(
    engine: &DockerEngine,
    container: &str,
    path: &str,
    tar: Bytes,
) -> Result<()> {
    let options = query::UploadToContainerOptions { path: path.to_owned(), ..Default::default() };
    // The answer comes when everything is unpacked.
    let client = engine.client(Method::ContainerUpload);
    client
        .upload_to_container(&path_name(container)?, Some(options), bollard::body_full(tar))
        .await
        .map_err(errors::from_client)
}

pub(super) async fn download(
    engine: &DockerEngine,
    container: &str,
    path: &str,
) -> Result<BoxStream<'static, Result<Bytes>>> {
    let address =
        format!("/containers/{}/archive?path={}", path_name(container)?, query_value(path));
    let request = wire::request(Request::get(address), Bytes::new())?;
    streams::begun(streams::body(
        engine.wire.exchange(request, wire::limit(Method::ContainerDownload)).await?,
    ))
    .await
}

/// Whether the call did something: 304 means that there was nothing to do.
fn changed(answer: std::result::Result<(), ClientError>) -> Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(ClientError::DockerResponseServerError { status_code: 304, .. }) => Ok(false),
        Err(error) => Err(errors::from_client(error)),
    }
}

fn check_signal(engine: &DockerEngine, request: &StopRequest) -> Result<()> {
    match &request.signal {
        Some(signal) if engine.api < STOP_SIGNAL => Err(EngineError::new(
            EngineErrorKind::Invalid,
            format!("could not stop with the signal \"{signal}\": this engine has API {}, and that needs {STOP_SIGNAL}", engine.api),
        )
        .with_hint("set the container's `stop_signal` instead")),
        _ => Ok(()),
    }
}

/// Whole seconds, as the engine requires; never less than requested.
fn seconds(grace: Duration) -> i32 {
    i32::try_from(grace.as_millis().div_ceil(1000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_is_rounded_up_to_the_engines_seconds() {
        assert_eq!(seconds(Duration::ZERO), 0);
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_millis(2500)), 3);
        assert_eq!(seconds(Duration::MAX), i32::MAX);
    }

    #[test]
    fn not_modified_means_nothing_was_done() {
        let answered = |status_code| ClientError::DockerResponseServerError {
            status_code,
            message: String::new(),
        };
        assert_eq!(changed(Ok(())), Ok(true));
        assert_eq!(changed(Err(answered(304))), Ok(false));
        assert!(changed(Err(answered(404))).unwrap_err().is_not_found());
    }
}
