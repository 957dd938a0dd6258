//! An engine that begins with the state of another one: for plans.
//!
//! The content of lists is taken over at once. What only an inspect shows about a container or
//! image is loaded when it is needed. So a snapshot takes four calls for any state.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{self, ContainerSummaryStateEnum as Listed, EndpointSettings, MountPoint};
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::engine::sim::SimEngine;
use crate::engine::sim::behaviour::process::Process;
use crate::engine::sim::daemon::containers::{Container, Phase};
use crate::engine::sim::daemon::health::Health;
use crate::engine::sim::daemon::ids::short;
use crate::engine::sim::daemon::images::Image;
use crate::engine::sim::daemon::images::dockerfile::stages;
use crate::engine::sim::daemon::images::reference::Reference;
use crate::engine::sim::daemon::images::spec::ImageSpec;
use crate::engine::sim::daemon::mounts::{ContainerMount, Source};
use crate::engine::sim::daemon::networks::{Endpoint, Network};
use crate::engine::sim::daemon::ports::PortPublication;
use crate::engine::sim::daemon::state::State;
use crate::engine::sim::daemon::tree::Tree;
use crate::engine::sim::daemon::volumes::Volume;
use crate::engine::{ApiVersion, Engine, Filters, Result};
use crate::host::sim::since_epoch;
use crate::model::observed_state::read_status;

/// The state of an engine, from its lists.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub api: ApiVersion,
    pub containers: Vec<models::ContainerSummary>,
    pub networks: Vec<models::Network>,
    pub volumes: Vec<models::Volume>,
    pub images: Vec<models::ImageSummary>,
}

impl Snapshot {
    /// Takes a snapshot: four list calls in parallel.
    pub async fn take(engine: &dyn Engine) -> Result<Self> {
        let none = Filters::new();
        let (containers, networks, volumes, images) = futures::try_join!(
            engine.container_list(true, &none),
            engine.network_list(&none),
            engine.volume_list(&none),
            engine.image_list(&none),
        )?;
        Ok(Self { api: engine.api_version(), containers, networks, volumes, images })
    }
}

/// The images that a build of this context begins with, or why they are unknown if the simulated
/// builder can't read the Dockerfile. Empty without a Dockerfile, which the build will report.
pub fn bases(
    context: &Bytes,
    dockerfile: &str,
    arguments: &BTreeMap<String, String>,
) -> std::result::Result<BTreeSet<String>, String> {
    let mut tree = Tree::default();
    let Some(text) = tree.unpack("/", context).ok().and_then(|()| tree.file(dockerfile)) else {
        return Ok(BTreeSet::new());
    };
    let stages = stages(&String::from_utf8_lossy(&text), arguments)?;
    let mut bases = BTreeSet::new();
    for (at, stage) in stages.iter().enumerate() {
        stage.configure(&mut models::ImageConfig::default(), arguments)?;
        let is_stage = stages[..at]
            .iter()
            .any(|before| before.name.as_deref() == Some(stage.base.to_ascii_lowercase().as_str()));
        if !is_stage && stage.base != "scratch" {
            Reference::parse(&stage.base)
                .map_err(|error| format!("\"{}\": {}", stage.base, error.message))?;
            bases.insert(stage.base.clone());
        }
    }
    Ok(bases)
}

fn seconds_since_epoch(seconds: i64) -> Duration {
    DateTime::from_timestamp(seconds, 0).map(since_epoch).unwrap_or_default()
}

/// A time in an inspect; `None` for one that is not set.
fn moment(text: Option<&String>) -> Option<Duration> {
    let date = DateTime::parse_from_rfc3339(text?).ok()?.with_timezone(&Utc);
    (date.timestamp() > 0).then(|| since_epoch(date))
}

fn sorted(map: Option<&HashMap<String, String>>) -> BTreeMap<String, String> {
    map.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn named(names: &[String]) -> BTreeSet<String> {
    names.iter().filter(|name| !name.contains("<none>")).cloned().collect()
}

fn mounted(point: &MountPoint) -> Option<ContainerMount> {
    let destination = point.destination.clone()?;
    let source = match point.typ.as_deref() {
        Some("volume") => {
            let name = point.name.clone()?;
            let anonymous = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            Source::Volume { name, anonymous }
        }
        Some("tmpfs") => Source::Tmpfs { listed: true },
        _ => Source::Bind(point.source.clone().unwrap_or_default()),
    };
    Some(ContainerMount {
        source,
        destination,
        mode: point.mode.clone().unwrap_or_default(),
        writable: point.rw.unwrap_or(true),
    })
}

fn published(ports: &[models::PortSummary]) -> Vec<PortPublication> {
    let one = |port: &models::PortSummary| {
        let protocol = port.typ.map_or_else(|| "tcp".to_owned(), |protocol| protocol.to_string());
        let inside = format!("{}/{protocol}", port.private_port);
        Some(PortPublication {
            inside,
            address: port.ip.clone().unwrap_or_default(),
            port: port.public_port?,
        })
    };
    ports.iter().filter_map(one).collect()
}

impl State {
    /// Takes over the whole state of another engine.
    pub(in crate::engine::sim) fn seed(&mut self, snapshot: &Snapshot) {
        self.api = snapshot.api;
        for network in &snapshot.networks {
            let serial = self.ids.serial();
            if let Some(network) = Network::found(network, serial) {
                self.objects.networks.insert(network.id.clone(), network);
            }
        }
        for volume in &snapshot.volumes {
            let volume = Volume {
                name: volume.name.clone(),
                created: volume.created_at.map(since_epoch).unwrap_or_default(),
                labels: sorted(Some(&volume.labels)),
                options: sorted(Some(&volume.options)),
                stamp: self.ids.serial(),
                // Its content is unknown, so it is not filled from an image again.
                writes: 1,
                files: Tree::default(),
                most_writers: 0,
            };
            self.objects.volumes.insert(volume.name.clone(), volume);
        }
        let files = Arc::new(Tree::linux());
        let mut images: Vec<_> = snapshot.images.iter().collect();
        images.sort_by_key(|image| image.created);
        for image in images {
            let image = Image {
                id: image.id.clone(),
                serial: self.ids.serial(),
                created: seconds_since_epoch(image.created),
                tags: named(&image.repo_tags),
                digests: named(&image.repo_digests),
                config: models::ImageConfig {
                    labels: Some(image.labels.clone()),
                    ..models::ImageConfig::default()
                },
                comment: String::new(),
                size: image.size,
                files: files.clone(),
            };
            self.objects.images.insert(image.id.clone(), image);
        }
        let mut containers: Vec<_> = snapshot.containers.iter().collect();
        containers.sort_by_key(|container| container.created);
        for container in containers {
            if let Some(container) = self.listed(container, &files) {
                self.objects.containers.insert(container);
            }
        }
    }

    /// A container, as far as a list shows it.
    fn listed(
        &mut self,
        summary: &models::ContainerSummary,
        files: &Arc<Tree>,
    ) -> Option<Container> {
        let id = summary.id.clone()?;
        let status = summary.status.clone().unwrap_or_default();
        let (health, exit_code, up) = read_status(&status);
        let phase = match summary.state {
            Some(Listed::RUNNING | Listed::PAUSED) => Phase::Running,
            Some(Listed::RESTARTING) => Phase::Restarting,
            Some(Listed::EXITED | Listed::DEAD | Listed::REMOVING) => Phase::Exited,
            _ => Phase::Created,
        };
        let networks = summary
            .network_settings
            .clone()
            .and_then(|settings| settings.networks)
            .unwrap_or_default();
        let labels = sorted(summary.labels.as_ref());
        Some(Container {
            serial: self.ids.serial(),
            name: summary.names.iter().flatten().next()?.trim_start_matches('/').to_owned(),
            created: summary.created.map(seconds_since_epoch).unwrap_or_default(),
            image: summary.image.clone().unwrap_or_default(),
            image_id: summary.image_id.clone().unwrap_or_default(),
            image_files: files.clone(),
            config: models::ContainerConfig {
                cmd: summary.command.clone().map(|command| vec![command]),
                labels: summary.labels.clone(),
                ..models::ContainerConfig::default()
            },
            host: models::HostConfig {
                network_mode: summary.host_config.clone().and_then(|host| host.network_mode),
                ..models::HostConfig::default()
            },
            labels,
            mounts: summary.mounts.iter().flatten().filter_map(mounted).collect(),
            endpoints: self.endpoints_found(networks, &id),
            phase,
            starts: u64::from(phase != Phase::Created),
            started: (phase != Phase::Created)
                .then(|| self.now.saturating_sub(up.unwrap_or_default())),
            finished: (phase == Phase::Exited).then_some(self.now),
            exit_code: exit_code.unwrap_or_default(),
            error: String::new(),
            out_of_memory: false,
            restarts: 0,
            backoff: Duration::ZERO,
            is_listed_as_running: false,
            stopped_by_hand: false,
            ends_for_good: false,
            published: published(summary.ports.as_deref().unwrap_or_default()),
            health: Health::found(health),
            process: Arc::default(),
            layer: Tree::default(),
            log: Vec::new(),
            unfinished: Default::default(),
            signals: Vec::new(),
            is_stopping: false,
            id,
        })
    }

    fn endpoints_found(
        &self,
        networks: HashMap<String, EndpointSettings>,
        id: &str,
    ) -> BTreeMap<String, Endpoint> {
        let own = |settings: &EndpointSettings| {
            let network = settings.network_id.as_ref().and_then(|id| self.objects.networks.get(id));
            network.is_none_or(|network| !network.is_predefined())
        };
        networks
            .into_iter()
            .map(|(name, settings)| {
                let own = own(&settings);
                (name, Endpoint::found(settings, short(id), own))
            })
            .collect()
    }

    fn learn_container(&mut self, found: models::ContainerInspectResponse) {
        let Some(id) = found.id else { return };
        let networks =
            found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let endpoints = self.endpoints_found(networks, &id);
        self.objects.containers.change_endpoints(&id, |known| *known = endpoints);
        let Ok(container) = self.container_mut(&id) else { return };
        let state = found.state.unwrap_or_default();
        container.mounts = found.mounts.iter().flatten().filter_map(mounted).collect();
        container.config = found.config.unwrap_or_default();
        container.host = found.host_config.unwrap_or_default();
        container.image = container.config.image.clone().unwrap_or_default();
        container.started = moment(state.started_at.as_ref()).or(container.started);
        container.finished = moment(state.finished_at.as_ref()).or(container.finished);
        container.exit_code = state.exit_code.unwrap_or_default();
        container.error = state.error.unwrap_or_default();
        container.out_of_memory = state.oom_killed.unwrap_or_default();
        container.restarts = found.restart_count.unwrap_or_default();
    }

    fn learn_image(&mut self, found: models::ImageInspect) {
        let Some(image) = found.id.and_then(|id| self.objects.images.get_mut(&id)) else { return };
        image.config = found.config.unwrap_or_default();
    }
}

impl SimEngine {
    /// Adds the result of an inspect to a container of the snapshot.
    pub fn learn_container(&self, found: models::ContainerInspectResponse) {
        self.shared.with(|state| state.learn_container(found));
    }

    /// Adds the result of an inspect to an image of the snapshot.
    pub fn learn_image(&self, found: models::ImageInspect) {
        self.shared.with(|state| state.learn_image(found));
    }

    /// An image from a registry or a builder. Only its labels are known, and that it runs. It
    /// differs from all existing images.
    pub fn arrives(&self, image: &str, labels: HashMap<String, String>) -> Result<()> {
        self.shared.with(|state| {
            let reference = Reference::parse(image)?;
            let name = reference.full();
            let mut spec = ImageSpec::command(&["serve"]);
            spec.labels.insert("unknown".to_owned(), "until it is pulled".to_owned());
            let mut made = state.image_of(&name, &spec);
            made.config.labels.get_or_insert_default().extend(labels);
            let id = made.id.clone();
            let tag = reference.digest.is_none().then_some(name.as_str());
            state.store_image(&id, tag, |_| made);
            if let (None, Some(image)) = (tag, state.objects.images.get_mut(&id)) {
                image.digests.insert(name);
            }
            Ok(())
        })
    }

    /// The id and name of a container.
    pub fn who_is(&self, container: &str) -> Option<(String, String)> {
        self.shared.with(|state| {
            state
                .objects
                .find_container(container)
                .ok()
                .map(|found| (found.id.clone(), found.name.clone()))
        })
    }

    /// The id of an image.
    pub fn image_id(&self, image: &str) -> Option<String> {
        self.shared.with(|state| state.objects.find_image(image).ok().map(|found| found.id.clone()))
    }

    /// The content of a container's labels.
    pub fn label(&self, container: &str, label: &str) -> Option<String> {
        self.shared.with(|state| {
            state
                .objects
                .find_container(container)
                .ok()
                .and_then(|found| found.labels.get(label).cloned())
        })
    }

    /// The command of a container's health check; `None` without a check.
    pub fn health_command(&self, container: &str) -> Option<Vec<String>> {
        self.shared.with(|state| {
            state
                .objects
                .find_container(container)
                .ok()
                .and_then(|found| crate::engine::sim::daemon::health::health_command(&found.config))
        })
    }

    /// Whether a running container is ready; `None` for one that does not run.
    pub fn readiness(&self, container: &str) -> Option<bool> {
        self.shared.with(|state| {
            let found =
                state.objects.find_container(container).ok().filter(|found| found.is_running())?;
            Some(
                found.phase == Phase::Running
                    && found.health.as_ref().is_none_or(Health::is_healthy),
            )
        })
    }

    /// Makes a container run from now on, with a passed health check.
    pub fn expect_ready(&self, container: &str) -> Result<()> {
        self.shared.with(|state| {
            let id = state.container_id(container)?;
            if state.container(&id)?.phase == Phase::Restarting {
                state.run(&id)?;
            }
            if let Some(health) = &mut state.container_mut(&id)?.health {
                health.pass();
            }
            Ok(())
        })
    }

    /// Makes a container's process end well a moment after its start, like a job's.
    pub fn expect_end(&self, container: &str) {
        self.set_process(container, Process::new().exits_after(Duration::from_secs(1), 0));
    }
}
