//! The simulated engine through its port, in virtual time.

mod determinism;
mod exec;
mod faults;
mod health;
mod images;
mod invariants;
mod lifecycle;
mod logs;
mod networks;
mod property;
mod requests;
mod restarts;
mod volumes;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig,
    NetworkCreateRequest, NetworkingConfig,
};

use super::*;
use crate::host::TaskExecutor;
use crate::host::sim::executor::SimTaskExecutor;

pub(super) const MODERN: ApiVersion = ApiVersion { major: 1, minor: 51 };

/// An engine and its executor.
pub(super) struct EngineFixture {
    pub executor: Arc<SimTaskExecutor>,
    pub engine: SimEngine,
}

/// An engine with the images `app:1` and `db:1`, and what `setup` adds.
pub(super) fn fixture(setup: impl FnOnce(SimEngineBuilder) -> SimEngineBuilder) -> EngineFixture {
    let executor = SimTaskExecutor::new(1);
    let builder = SimEngine::builder(executor.clone())
        .image("app:1", ImageSpec::command(&["serve"]).with_port("8000/tcp"))
        .image("db:1", ImageSpec::command(&["postgres"]).with_volume("/data"));
    EngineFixture { engine: setup(builder).build(), executor }
}

pub(super) fn plain() -> EngineFixture {
    fixture(|builder| builder)
}

impl EngineFixture {
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        TaskExecutor::Sim(self.executor.clone()).block_on(future)
    }

    /// Lets virtual time pass.
    pub fn pass(&self, seconds: f64) {
        self.run(self.executor.sleep(Duration::from_secs_f64(seconds)));
    }

    /// Creates and starts a container. Returns its id.
    pub fn up(&self, name: &str, body: ContainerCreateBody) -> String {
        self.run(async {
            let id = self.engine.container_create(name, None, body).await.unwrap().id;
            self.engine.container_start(name).await.unwrap();
            id
        })
    }

    /// The text of the list for a container.
    pub fn status(&self, name: &str) -> String {
        let filters = Filters::from([("name".to_owned(), vec![format!("^/{name}$")])]);
        self.run(self.engine.container_list(true, &filters)).unwrap().remove(0).status.unwrap()
    }

    /// The actions of all events of a container, with exit codes.
    pub fn actions(&self, name: &str) -> Vec<String> {
        let about = |event: &models::EventMessage| {
            event
                .actor
                .clone()
                .unwrap()
                .attributes
                .unwrap()
                .get("name")
                .is_some_and(|own| own == name)
        };
        let words = |event: models::EventMessage| {
            let code = event
                .actor
                .unwrap()
                .attributes
                .unwrap()
                .get("exitCode")
                .map(|code| format!(" {code}"))
                .unwrap_or_default();
            format!("{}{code}", event.action.unwrap())
        };
        self.engine.past_events().into_iter().filter(about).map(words).collect()
    }
}

pub(super) fn body(image: &str) -> ContainerCreateBody {
    ContainerCreateBody { image: Some(image.to_owned()), ..ContainerCreateBody::default() }
}

pub(super) fn with_host(image: &str, host: HostConfig) -> ContainerCreateBody {
    ContainerCreateBody { host_config: Some(host), ..body(image) }
}

pub(super) fn with_health(image: &str, health: HealthConfig) -> ContainerCreateBody {
    ContainerCreateBody { healthcheck: Some(health), ..body(image) }
}

/// On one network, with aliases and an optional address.
pub(super) fn on_network(
    image: &str,
    network: &str,
    aliases: &[&str],
    address: Option<&str>,
) -> ContainerCreateBody {
    let settings = EndpointSettings {
        aliases: Some(aliases.iter().map(|alias| (*alias).to_owned()).collect()),
        ipam_config: address.map(|address| EndpointIpamConfig {
            ipv4_address: Some(address.to_owned()),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    };
    let host = HostConfig { network_mode: Some(network.to_owned()), ..HostConfig::default() };
    let networking_config =
        NetworkingConfig { endpoints_config: Some([(network.to_owned(), settings)].into()) };
    ContainerCreateBody { networking_config: Some(networking_config), ..with_host(image, host) }
}

pub(super) fn network(name: &str, subnet: Option<&str>) -> NetworkCreateRequest {
    let config = |subnet: &str| models::IpamConfig {
        subnet: Some(subnet.to_owned()),
        ..models::IpamConfig::default()
    };
    let ipam = subnet.map(|subnet| models::Ipam {
        config: Some(vec![config(subnet)]),
        ..models::Ipam::default()
    });
    NetworkCreateRequest { name: name.to_owned(), ipam, ..NetworkCreateRequest::default() }
}

pub(super) fn command(words: &[&str]) -> ExecRequest {
    ExecRequest {
        command: words.iter().map(|word| (*word).to_owned()).collect(),
        ..ExecRequest::default()
    }
}

/// A shell test with this interval, timeout, start period (in seconds) and number of retries.
pub(super) fn health(interval: f64, timeout: f64, start_period: f64, retries: i64) -> HealthConfig {
    let time = |seconds: f64| i64::try_from(Duration::from_secs_f64(seconds).as_nanos()).ok();
    HealthConfig {
        test: Some(vec!["CMD-SHELL".to_owned(), "check".to_owned()]),
        interval: time(interval),
        timeout: time(timeout),
        start_period: time(start_period),
        retries: Some(retries),
        start_interval: None,
    }
}

/// A tar of files.
pub(super) fn tar(files: &[(&str, &'static str)]) -> Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().into()
}

pub(super) fn stream_of(bytes: Bytes) -> BoxStream<'static, std::io::Result<Bytes>> {
    Box::pin(stream::iter([Ok(bytes)]))
}
