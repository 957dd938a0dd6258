//! The engine's state for assertions: plain data, in a fixed order.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use bollard::models::EventMessage;
use bytes::Bytes;

use crate::engine::sim::daemon::containers::Container;
use crate::engine::sim::daemon::containers::lifecycle::policy;
use crate::engine::sim::daemon::containers::status::state_name;
use crate::engine::sim::daemon::mounts::{ContainerMount, Source};
use crate::engine::sim::daemon::networks::Endpoint;
use crate::engine::sim::daemon::state::State;

/// All objects of the engine at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineState {
    /// In the order of creation.
    pub containers: Vec<ContainerView>,
    /// In the order of creation, without the engine's own (`bridge`, `host`, `none`).
    pub networks: Vec<NetworkView>,
    /// By name.
    pub volumes: Vec<VolumeView>,
    /// In the order of arrival.
    pub images: Vec<ImageView>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerView {
    pub id: String,
    pub name: String,
    /// The image name as requested.
    pub image: String,
    pub image_id: String,
    pub labels: BTreeMap<String, String>,
    /// `created`, `running`, `restarting` or `exited`.
    pub state: &'static str,
    /// `starting`, `healthy` or `unhealthy`; `None` without a health check, or before the first
    /// start.
    pub health: Option<&'static str>,
    /// The exit code of the last exit or failed start.
    pub exit_code: i64,
    /// Why the last start failed.
    pub error: String,
    /// The number of starts.
    pub starts: u64,
    /// Its restart policy: `no`, `always`, `unless-stopped`, `on-failure`.
    pub restart: String,
    /// By the network's name.
    pub networks: BTreeMap<String, EndpointView>,
    pub mounts: Vec<MountView>,
    /// `127.0.0.1:8000->8000/tcp`, without the address if it is all of them.
    pub ports: Vec<String>,
    /// The signals that it got, oldest first.
    pub signals: Vec<String>,
    /// `KEY=value`.
    pub environment: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointView {
    /// While it runs.
    pub address: Option<Ipv4Addr>,
    pub aliases: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountView {
    /// A volume's name, or a path of the machine; empty for tmpfs.
    pub source: String,
    pub destination: String,
    pub read_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkView {
    pub id: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// `172.20.0.0/16`
    pub subnets: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeView {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// The identity of the volume: a recreated one has another.
    pub stamp: u64,
    /// The number of changes of its content.
    pub writes: u64,
    /// The most running containers that had it mounted writable at the same time.
    pub most_writers: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageView {
    pub id: String,
    /// `postgres:15`
    pub tags: Vec<String>,
    /// `postgres@sha256:…`
    pub digests: Vec<String>,
}

/// An event, as in `docker events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// Virtual time since the start.
    pub at: Duration,
    /// `container`, `network`, `volume`, `image`
    pub kind: String,
    /// `start`, `health_status: healthy`
    pub action: String,
    /// The name, or the id of an object without a name.
    pub whom: String,
    /// For a process that ended.
    pub exit_code: Option<String>,
}

impl EventView {
    pub(in crate::engine::sim) fn of(event: &EventMessage) -> Self {
        let actor = event.actor.clone().unwrap_or_default();
        let attributes = actor.attributes.unwrap_or_default();
        let id = actor.id.unwrap_or_default();
        let since = event.time_nano.unwrap_or_default()
            - crate::host::sim::epoch().timestamp_nanos_opt().unwrap_or_default();
        Self {
            at: Duration::from_nanos(u64::try_from(since).unwrap_or_default()),
            kind: event.typ.map(|kind| kind.to_string()).unwrap_or_default(),
            action: event.action.clone().unwrap_or_default(),
            whom: attributes.get("name").cloned().unwrap_or(id),
            exit_code: attributes.get("exitCode").cloned(),
        }
    }
}

impl EngineState {
    /// A container by its name.
    pub fn container(&self, name: &str) -> Option<&ContainerView> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// A network by its name.
    pub fn network(&self, name: &str) -> Option<&NetworkView> {
        self.networks.iter().find(|network| network.name == name)
    }

    /// A volume by its name.
    pub fn volume(&self, name: &str) -> Option<&VolumeView> {
        self.volumes.iter().find(|volume| volume.name == name)
    }

    /// An image by one of its names.
    pub fn image(&self, tag: &str) -> Option<&ImageView> {
        self.images.iter().find(|image| image.tags.iter().any(|own| own == tag))
    }
}

impl State {
    pub(in crate::engine::sim) fn snapshot(&self) -> EngineState {
        let mut containers: Vec<&Container> = self.objects.containers.values().collect();
        containers.sort_by_key(|container| container.serial);
        let mut networks: Vec<_> =
            self.objects.networks.values().filter(|network| !network.is_predefined()).collect();
        networks.sort_by_key(|network| network.serial);
        let mut images: Vec<_> = self.objects.images.values().collect();
        images.sort_by_key(|image| image.serial);
        EngineState {
            containers: containers.into_iter().map(container_view).collect(),
            networks: networks
                .into_iter()
                .map(|network| NetworkView {
                    id: network.id.clone(),
                    name: network.name.clone(),
                    labels: network.labels.clone(),
                    subnets: network.pools.iter().map(|pool| pool.subnet.to_string()).collect(),
                })
                .collect(),
            volumes: self
                .objects
                .volumes
                .values()
                .map(|volume| VolumeView {
                    name: volume.name.clone(),
                    labels: volume.labels.clone(),
                    stamp: volume.stamp,
                    writes: volume.writes,
                    most_writers: volume.most_writers,
                })
                .collect(),
            images: images
                .into_iter()
                .map(|image| ImageView {
                    id: image.id.clone(),
                    tags: image.tags.iter().cloned().collect(),
                    digests: image.digests.iter().cloned().collect(),
                })
                .collect(),
        }
    }

    /// A file as a process in the container sees it.
    pub(in crate::engine::sim) fn seen_file(&self, container: &str, path: &str) -> Option<Bytes> {
        self.visible_files(self.objects.find_container(container).ok()?).file(path)
    }

    /// Every event so far, one line each: time, type, action, object, exit code.
    pub(in crate::engine::sim) fn event_trace(&self) -> Vec<String> {
        self.events.past().iter().map(line).collect()
    }
}

fn container_view(container: &Container) -> ContainerView {
    ContainerView {
        id: container.id.clone(),
        name: container.name.clone(),
        image: container.image.clone(),
        image_id: container.image_id.clone(),
        labels: container.labels.clone(),
        state: state_name(container.phase),
        health: container
            .health
            .as_ref()
            .map(crate::engine::sim::daemon::health::Health::status_name),
        exit_code: container.exit_code,
        error: container.error.clone(),
        starts: container.starts,
        restart: policy(container).to_string(),
        networks: container
            .endpoints
            .iter()
            .map(|(name, endpoint)| (name.clone(), endpoint_view(endpoint)))
            .collect(),
        mounts: container.mounts.iter().map(mount_view).collect(),
        ports: container
            .published
            .iter()
            .map(|published| {
                let address = if published.address.is_empty() {
                    String::new()
                } else {
                    format!("{}:", published.address)
                };
                format!("{address}{}->{}", published.port, published.inside)
            })
            .collect(),
        signals: container.signals.clone(),
        environment: container.config.env.clone().unwrap_or_default(),
    }
}

fn endpoint_view(endpoint: &Endpoint) -> EndpointView {
    let address =
        endpoint.joined.as_ref().and_then(|joined| joined.address).map(|(address, _)| address);
    EndpointView { address, aliases: endpoint.aliases().to_vec() }
}

fn mount_view(mount: &ContainerMount) -> MountView {
    let source = match &mount.source {
        Source::Volume { name, .. } => name.clone(),
        Source::Bind(path) => path.clone(),
        Source::Tmpfs { .. } => String::new(),
    };
    MountView { source, destination: mount.destination.clone(), read_only: !mount.writable }
}

fn line(event: &EventMessage) -> String {
    let EventView { at, kind, action, whom, exit_code } = EventView::of(event);
    let code = exit_code.map(|code| format!(" exitCode={code}")).unwrap_or_default();
    format!("{:.6} {kind} {action} {whom}{code}", at.as_secs_f64())
}
