//! Calls that bypass all checks of a description, on a simulated engine that records whether a call
//! arrived.

mod calls;
mod mounts;
mod moved;
mod names;
mod networks;
mod ownership;
mod projects;
mod settings;

use std::collections::HashMap;
use std::future::Future;
use std::os::unix::ffi::OsStrExt;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointSettings, HostConfig,
    HostConfigLogConfig, Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountType,
    MountVolumeOptions, MountVolumeOptionsDriverConfig, NetworkCreateRequest, NetworkingConfig,
    VolumeCreateRequest,
};
use parking_lot::Mutex;

use super::*;
use crate::engine::observer::Observer;
use crate::engine::sim::{ImageSpec, SimEngine, SimEngineBuilder};
use crate::engine::{BuildRequest, ExecRequest, LogsRequest, StopRequest};
use crate::host::TaskExecutor;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::model::names::{compose_label, label};
use crate::policy::Settings;
use bollard::models;
use bytes::Bytes;
use futures::stream::BoxStream;

const HERE: &str = "/project";

struct GuardFixture {
    executor: Arc<SimTaskExecutor>,
    engine: SimEngine,
    guard: Guard,
}

fn fixture(toml: &str) -> GuardFixture {
    fixture_with(toml, |builder| builder)
}

fn fixture_with(
    toml: &str,
    setup: impl FnOnce(SimEngineBuilder) -> SimEngineBuilder,
) -> GuardFixture {
    let executor = SimTaskExecutor::new(1);
    let engine =
        setup(SimEngine::builder(executor.clone()).image("app:1", ImageSpec::command(&["serve"])))
            .build();
    let host = SimHost::new(executor.clone())
        .with_folder("/project/data")
        .with_symlink("/project/in", "data")
        .with_folder("/elsewhere")
        .with_symlink("/project/out", "/elsewhere");
    let bytes = std::ffi::OsStr::from_bytes(b"/project/\xff");
    let host = host.with_folder(bytes).with_symlink("/project/bytes", bytes);
    let host = host.with_address(std::net::Ipv4Addr::new(10, 9, 8, 7).into());
    let host = Arc::new(host.with_folder("/project/a:b").with_symlink("/project/colon", "a:b"));
    let policy = Policy::new(Path::new(HERE), Settings::parse(toml.as_bytes()).unwrap(), &|path| {
        resolve(&*host, path)
    })
    .unwrap();
    let guard = Guard::new(Arc::new(engine.clone()), policy, host);
    GuardFixture { executor, engine, guard }
}

impl GuardFixture {
    fn run<F: Future>(&self, future: F) -> F::Output {
        TaskExecutor::Sim(self.executor.clone()).block_on(future)
    }

    /// Creates a running container without the guard, with a volume and a network of its project.
    /// Returns its id.
    fn made(&self, project: &str, from: &str) -> String {
        let labels = of(project, from);
        self.run(async {
            let volume = format!("{project}_data");
            let volume = VolumeCreateRequest {
                name: Some(volume),
                labels: Some(labels.clone()),
                ..VolumeCreateRequest::default()
            };
            self.engine.volume_create(volume).await.unwrap();
            let network = NetworkCreateRequest {
                name: format!("{project}_net"),
                labels: Some(labels.clone()),
                ..NetworkCreateRequest::default()
            };
            self.engine.network_create(network).await.unwrap();
            let body = ContainerCreateBody { labels: Some(labels), ..plain() };
            let id = self
                .engine
                .container_create(&format!("{project}-web-1"), None, body)
                .await
                .unwrap()
                .id;
            self.engine.container_start(&id).await.unwrap();
            id
        })
    }

    /// The guard's answer to a container with these host settings; the call must not reach the
    /// engine.
    fn host(&self, host: HostConfig) -> String {
        self.refused(self.guard.container_create(
            "own-web-1",
            None,
            ContainerCreateBody { host_config: Some(host), ..own() },
        ))
    }

    #[track_caller]
    fn refused<T>(&self, call: impl Future<Output = Result<T>>) -> String {
        let before = self.state();
        let error = self.run(call).err().expect("a refusal");
        assert_eq!(error.kind, EngineErrorKind::Refused, "{error}");
        assert_eq!(self.state(), before, "the engine was changed");
        match error.hint {
            Some(hint) => format!(
                "{} [{}]",
                error.message,
                hint.strip_prefix("to allow it, write ").unwrap_or(&hint)
            ),
            None => error.message,
        }
    }

    fn state(&self) -> String {
        format!("{:?}", self.engine.state())
    }
}

fn plain() -> ContainerCreateBody {
    ContainerCreateBody { image: Some("app:1".into()), ..ContainerCreateBody::default() }
}

fn own() -> ContainerCreateBody {
    ContainerCreateBody { labels: Some(of("own", HERE)), ..plain() }
}

/// Labels in the form of spc.
fn of(project: &str, from: &str) -> HashMap<String, String> {
    let labels = [
        (label::PROJECT, project),
        (compose_label::PROJECT, project),
        (compose_label::WORKING_DIR, from),
        (compose_label::SERVICE, "web"),
    ];
    labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn options(options: &[(&str, &str)]) -> HashMap<String, String> {
    options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const PRIVILEGED: &str = "[privileged = true under [allow] in spc.toml]";
