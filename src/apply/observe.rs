//! The engine's models → `model::observed_state`. Four list calls, whatever the project's size.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bollard::models;

use super::container_signal::Signal;
use super::failures::of_engine;
use super::former_folders;
use super::records::State;
use crate::engine::{Engine, Filters, image_labels, label_filter};
use crate::host::{Host, Liveness, ProcessMark};
use crate::model::Failure;
use crate::model::format::{self, FormatError};
use crate::model::image_reference::canonical;
pub use crate::model::names::is_anonymous_volume as is_anonymous;
use crate::model::names::{HOLDS_SECRETS, compose_label, is_reserved_label, label, lock_container};
use crate::model::observed_state::{
    Container, ContainerState, EngineContainer, Health, Network, ObservedState, OneOffContainer,
    OtherContainer, OwnerState, PublishedPort, TakenSubnet, Volume, read_depends_on, read_status,
};
use crate::model::spec;
use crate::model::spec::secret::SECRETS_FOLDER;
use crate::model::storage::{Storages, StoredVolume};

/// Whose containers are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObserveScope {
    Project,
    /// Those of others too, for a plan that makes containers: they may have what is wanted.
    Engine,
}

/// What there is of `project`. `wanted_names`: networks and volumes of these names too, whoever
/// made them.
pub async fn observe(
    engine: &dyn Engine,
    project: &str,
    scope: ObserveScope,
    wanted_names: &BTreeSet<String>,
    state: &State,
) -> Result<ObservedState, Failure> {
    let none = Filters::new();
    let listed = match scope {
        ObserveScope::Project => label_filter(compose_label::PROJECT, project),
        ObserveScope::Engine => Filters::new(),
    };
    let (containers, networks, volumes, images) = futures::join!(
        engine.container_list(true, &listed),
        engine.network_list(&none),
        engine.volume_list(&none),
        engine.image_list(&none),
    );
    let containers = containers.map_err(|error| of_engine(error, "list the containers"))?;
    let is_labelled =
        |it: &models::ContainerSummary| labels_of(it).get(compose_label::PROJECT) == Some(&project);
    let (mut containers, others): (Vec<_>, Vec<_>) = containers.into_iter().partition(is_labelled);
    let networks = networks.map_err(|error| of_engine(error, "list the networks"))?;
    let volumes = volumes.map_err(|error| of_engine(error, "list the volumes"))?;
    let images = images.map_err(|error| of_engine(error, "list the images"))?;
    // Before its labels are read: an image may claim that its containers are of this project.
    let kept = image_labels::keep_own(engine, &mut containers, &images).await;
    kept.map_err(|error| of_engine(error, "tell a container's labels from its image's"))?;
    let mut observed = ObservedState {
        others: others
            .iter()
            .chain(containers.iter().filter(|it| container(it, project).is_none()))
            .filter_map(other)
            .collect(),
        subnets: networks.iter().flat_map(taken_subnets).collect(),
        network_ids: networks.iter().filter_map(|network| network.id.clone()).collect(),
        networks: networks
            .iter()
            .filter_map(|it| network(it, project))
            .filter(|it| it.ours || it.compose || wanted_names.contains(&it.name))
            .collect(),
        volumes: volumes
            .iter()
            .filter(|it| !holds_secrets(it) && former_folders::record(it).is_none())
            .map(|it| volume(it, project))
            .filter(|it| it.ours || it.compose || wanted_names.contains(&it.name))
            .collect(),
        storages: storages(&volumes),
        folders: former_folders::folders(project, &containers, &networks, &volumes),
        moves: volumes
            .iter()
            .filter(|it| it.labels.get(label::PROJECT).is_some_and(|of| of == project))
            .filter_map(former_folders::record)
            .collect(),
        unreadable: unreadable_labels(&containers, &networks, &volumes, project),
        orphaned_secrets: orphaned_secrets(&volumes, &containers, project),
        delivered_secrets: BTreeMap::new(),
        locked: containers.iter().any(|it| is_lock(it, project)),
        one_offs: containers.iter().filter_map(|it| one_off(it, project)).collect(),
        images: images.iter().flat_map(image_names).collect(),
        unchecked_images: BTreeSet::new(),
        containers: containers.iter().filter_map(|it| container(it, project)).collect(),
    };
    observed
        .containers
        .sort_by(|a, b| (&a.service, a.number, &a.name).cmp(&(&b.service, b.number, &b.name)));
    look_at_stopped(engine, &mut observed, state).await;
    count_own_passes(engine, &mut observed, state).await;
    Ok(observed)
}

/// Finds out which runs that made one-off containers still go on, as far as this machine can tell.
pub fn look_at_owners(host: &dyn Host, observed: &mut ObservedState) {
    for one_off in &mut observed.one_offs {
        let mark = serde_json::from_str::<ProcessMark>(&one_off.owner).ok();
        one_off.run = match mark.map_or(Liveness::Unknown, |mark| host.liveness(&mark)) {
            Liveness::Alive => OwnerState::Running,
            Liveness::Gone => OwnerState::Gone,
            Liveness::Unknown => OwnerState::Unknown,
        };
    }
}

/// Every container on the engine, whosever it is.
pub async fn bystanders(engine: &dyn Engine) -> Result<Vec<EngineContainer>, Failure> {
    let all = engine
        .container_list(true, &Filters::new())
        .await
        .map_err(|error| of_engine(error, "list the containers"))?;
    let bystander = |it: &models::ContainerSummary| {
        let is_up = container_state(it.state).is_up();
        let project = labels_of(it).get(label::PROJECT).map(|&project| project.to_owned());
        Some(EngineContainer {
            id: it.id.clone()?,
            name: name_of(it)?,
            project,
            is_up,
            writes: written_volumes(it),
            folders: written_folders(it),
        })
    };
    Ok(all.iter().filter_map(bystander).collect())
}

fn written_volumes(summary: &models::ContainerSummary) -> BTreeSet<String> {
    let mounts = summary.mounts.iter().flatten().filter(|mount| mount.rw == Some(true));
    mounts.filter_map(|mount| mount.name.clone()).filter(|name| !name.is_empty()).collect()
}

fn written_folders(summary: &models::ContainerSummary) -> BTreeSet<String> {
    let is_bind = |mount: &&models::MountPoint| {
        mount.rw == Some(true) && mount.name.as_deref().is_none_or(str::is_empty)
    };
    let mounts = summary.mounts.iter().flatten().filter(is_bind);
    mounts
        .filter_map(|mount| mount.source.clone())
        .filter(|source| source.starts_with('/'))
        .collect()
}

/// An engine whose disk was full when a container was stopped lists it as running (20.10);
/// inspecting it tells what it is.
async fn look_at_stopped(engine: &dyn Engine, observed: &mut ObservedState, state: &State) {
    let doubtful = observed
        .containers
        .iter_mut()
        .filter(|container| container.is_up() && state.stopped.contains(&container.id));
    futures::future::join_all(doubtful.map(|container| async {
        // A container that is gone by now is found gone by the step that needs it.
        if let Ok(found) = inspect(engine, &container.id).await
            && found.state != container.state
        {
            container.state = found.state;
            container.health = Health::None;
            container.exit_code =
                Some(found.exit_code).filter(|_| found.state == ContainerState::Exited);
            found.state.word().clone_into(&mut container.status);
        }
    }))
    .await;
}

/// While the engine still says `starting`, a pass of spc's own probe counts, if the container was
/// not restarted since.
async fn count_own_passes(engine: &dyn Engine, observed: &mut ObservedState, state: &State) {
    let passed = observed
        .containers
        .iter_mut()
        .filter(|container| container.health == Health::Starting)
        .filter_map(|container| {
            state.passes.get(&container.id).map(|started| (container, started))
        });
    futures::future::join_all(passed.map(|(container, started)| async move {
        // A container that is gone by now is found gone by the step that needs it.
        if let Ok(inspect) = engine.container_inspect(&container.id).await
            && inspect.state.and_then(|state| state.started_at).as_ref() == Some(started)
        {
            container.health = Health::Healthy;
        }
    }))
    .await;
}

fn labels_of(summary: &models::ContainerSummary) -> BTreeMap<&str, &str> {
    summary.labels.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

fn is_one_off(labels: &BTreeMap<&str, &str>) -> bool {
    labels.get(compose_label::ONEOFF).is_some_and(|oneoff| oneoff.eq_ignore_ascii_case("true"))
}

/// Whether it is the lock of the project.
fn is_lock(summary: &models::ContainerSummary, project: &str) -> bool {
    labels_of(summary).get(label::LOCK) == Some(&project)
        && name_of(summary).is_some_and(|name| name == lock_container(project))
}

fn name_of(summary: &models::ContainerSummary) -> Option<String> {
    Some(summary.names.iter().flatten().next()?.trim_start_matches('/').to_owned())
}

fn one_off(summary: &models::ContainerSummary, project: &str) -> Option<OneOffContainer> {
    let labels = labels_of(summary);
    let ours = labels.get(label::PROJECT) == Some(&project) && is_one_off(&labels);
    ours.then(|| {
        Some(OneOffContainer {
            id: summary.id.clone()?,
            name: name_of(summary)?,
            is_up: container_state(summary.state).is_up(),
            writes: written_volumes(summary),
            owner: labels.get(label::PROCESS).map(|&owner| owner.to_owned()).unwrap_or_default(),
            run: OwnerState::Unknown,
        })
    })?
}

fn container(summary: &models::ContainerSummary, project: &str) -> Option<Container> {
    let labels = labels_of(summary);
    let text = |key: &str| labels.get(key).map(|&value| value.to_owned());
    let is_of_project = labels.get(compose_label::PROJECT) == Some(&project);
    if !is_of_project || labels.contains_key(label::LOCK) || is_one_off(&labels) {
        return None;
    }
    let status = summary.status.clone().unwrap_or_default();
    let (health, exit_code, _) = read_status(&status);
    Some(Container {
        id: summary.id.clone()?,
        name: name_of(summary)?,
        service: text(compose_label::SERVICE)?,
        number: labels
            .get(compose_label::CONTAINER_NUMBER)
            .and_then(|number| number.parse().ok())
            .unwrap_or(1),
        ours: labels.get(label::PROJECT) == Some(&project),
        hash: text(label::HASH),
        parts: text(label::PARTS),
        secrets: text(label::SECRETS),
        image_id: summary.image_id.clone().unwrap_or_default(),
        image: summary.image.clone().unwrap_or_default(),
        state: container_state(summary.state),
        health,
        exit_code,
        networks: endpoints(summary)
            .filter_map(|endpoint| endpoint.network_id.clone())
            .filter(|id| !id.is_empty())
            .collect(),
        addresses: addresses(summary),
        static_addresses: static_addresses(summary),
        depends_on: labels
            .get(compose_label::DEPENDS_ON)
            .map(|label| read_depends_on(label))
            .unwrap_or_default(),
        ports: ports(summary),
        writes: written_volumes(summary),
        folders: written_folders(summary),
        volumes: mounted_volumes(summary),
        has_anonymous_volumes: summary.mounts.iter().flatten().any(|mount| {
            let is_of_secrets = mount.destination.as_deref() == Some(SECRETS_FOLDER);
            mount.name.as_deref().is_some_and(is_anonymous) && !is_of_secrets
        }),
        created: summary.created.unwrap_or(0),
        status,
        restarts: 0,
    })
}

/// A container that is nobody's concern but for what it has.
fn other(summary: &models::ContainerSummary) -> Option<OtherContainer> {
    let labels = labels_of(summary);
    let owner = [label::PROJECT, compose_label::PROJECT]
        .iter()
        .find_map(|key| labels.get(key))
        .filter(|owner| !owner.is_empty());
    Some(OtherContainer {
        id: summary.id.clone()?,
        name: name_of(summary)?,
        owner: owner.map(|&owner| owner.to_owned()),
        ports: ports(summary),
        addresses: addresses(summary),
        volumes: mounted_volumes(summary),
    })
}

fn mounted_volumes(summary: &models::ContainerSummary) -> BTreeSet<String> {
    let mounts = summary.mounts.iter().flatten();
    mounts.filter_map(|mount| mount.name.clone()).filter(|name| !name.is_empty()).collect()
}

fn endpoints(
    summary: &models::ContainerSummary,
) -> impl Iterator<Item = &models::EndpointSettings> {
    summary
        .network_settings
        .iter()
        .flat_map(|settings| settings.networks.iter().flatten())
        .map(|(_, endpoint)| endpoint)
}

/// Its addresses now, with the ids of their networks; empty while it does not run.
fn addresses(summary: &models::ContainerSummary) -> BTreeSet<(String, IpAddr)> {
    endpoints(summary)
        .flat_map(|endpoint| {
            of_endpoint(endpoint, [&endpoint.ip_address, &endpoint.global_ipv6_address])
        })
        .collect()
}

/// The addresses that were asked for, with the ids of their networks.
fn static_addresses(summary: &models::ContainerSummary) -> BTreeSet<(String, IpAddr)> {
    let asked =
        endpoints(summary).filter_map(|endpoint| Some((endpoint, endpoint.ipam_config.as_ref()?)));
    asked
        .flat_map(|(endpoint, ipam)| {
            of_endpoint(endpoint, [&ipam.ipv4_address, &ipam.ipv6_address])
        })
        .collect()
}

fn of_endpoint(
    endpoint: &models::EndpointSettings,
    texts: [&Option<String>; 2],
) -> Vec<(String, IpAddr)> {
    let network = endpoint.network_id.clone().unwrap_or_default();
    texts
        .into_iter()
        .flatten()
        .filter_map(|text| text.parse().ok())
        .map(|address| (network.clone(), address))
        .collect()
}

fn taken_subnets(network: &models::Network) -> Vec<TakenSubnet> {
    let (Some(id), Some(name)) = (&network.id, &network.name) else { return Vec::new() };
    let of = |key: &str| network.labels.as_ref().and_then(|labels| labels.get(key)).cloned();
    let owner = of(label::PROJECT).or_else(|| of(compose_label::PROJECT));
    let pools = network.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    let nets = pools.filter_map(|pool| pool.subnet.as_ref()?.parse().ok());
    nets.map(|net| TakenSubnet {
        net,
        network: id.clone(),
        name: name.clone(),
        owner: owner.clone(),
    })
    .collect()
}

/// A network as it would be described. Pools that the engine chose are there too: the list does not
/// tell them apart.
fn network_settings(network: &models::Network) -> spec::Network {
    let pool = |pool: &models::IpamConfig| spec::IpamConfig {
        subnet: pool.subnet.as_ref().and_then(|text| text.parse().ok()),
        gateway: pool.gateway.as_ref().and_then(|text| text.parse().ok()),
        ip_range: pool.ip_range.as_ref().and_then(|text| text.parse().ok()),
    };
    let described = |key: &String| !is_reserved_label(key);
    spec::Network {
        name: network.name.clone().unwrap_or_default(),
        external: false,
        driver: network.driver.clone(),
        driver_opts: network.options.clone().unwrap_or_default().into_iter().collect(),
        ipam: network.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten()).map(pool).collect(),
        internal: network.internal.unwrap_or(false),
        attachable: network.attachable.unwrap_or(false),
        enable_ipv6: network.enable_ipv6.unwrap_or(false),
        labels: network
            .labels
            .clone()
            .unwrap_or_default()
            .into_iter()
            .filter(|(key, _)| described(key))
            .collect(),
    }
}

fn container_state(state: Option<models::ContainerSummaryStateEnum>) -> ContainerState {
    use models::ContainerSummaryStateEnum as Docker;
    match state {
        Some(Docker::RUNNING) => ContainerState::Running,
        Some(Docker::PAUSED) => ContainerState::Paused,
        Some(Docker::RESTARTING) => ContainerState::Restarting,
        Some(Docker::REMOVING) => ContainerState::Removing,
        Some(Docker::EXITED) => ContainerState::Exited,
        Some(Docker::DEAD) => ContainerState::Dead,
        _ => ContainerState::Created,
    }
}

/// Whether it has no network of its own, but the machine's.
pub fn uses_host_network(summary: &models::ContainerSummary) -> bool {
    summary
        .network_settings
        .iter()
        .flat_map(|settings| settings.networks.iter().flatten())
        .any(|(name, _)| name == "host")
}

/// The ports that a container publishes; none while it does not run.
pub fn published_ports(summary: &models::ContainerSummary) -> Vec<PublishedPort> {
    ports(summary)
}

fn ports(summary: &models::ContainerSummary) -> Vec<PublishedPort> {
    let mut ports: Vec<PublishedPort> = summary
        .ports
        .iter()
        .flatten()
        .filter_map(|port| {
            Some(PublishedPort {
                host_ip: port.ip.clone().unwrap_or_default(),
                published: port.public_port?,
                target: port.private_port,
                protocol: port.typ.map_or_else(|| "tcp".into(), |typ| typ.to_string()),
            })
        })
        .collect();
    ports.sort();
    ports
}

fn network(network: &models::Network, project: &str) -> Option<Network> {
    let labels = network.labels.as_ref();
    let of = |key: &str| labels.and_then(|labels| labels.get(key));
    Some(Network {
        id: network.id.clone()?,
        name: network.name.clone()?,
        ours: of(label::PROJECT).is_some_and(|value| value == project),
        compose: of(compose_label::NETWORK).is_some()
            && of(compose_label::PROJECT).is_some_and(|value| value == project),
        owner: of(label::PROJECT).or_else(|| of(compose_label::PROJECT)).cloned(),
        hash: of(label::HASH).cloned(),
        restored: of(label::RESTORED).is_some(),
        key: of(compose_label::NETWORK).cloned().unwrap_or_default(),
        settings: network_settings(network),
        created: network.created.map_or(0, |created| created.timestamp()),
    })
}

fn volume(volume: &models::Volume, project: &str) -> Volume {
    let of = |key: &str| volume.labels.get(key);
    Volume {
        name: volume.name.clone(),
        ours: of(label::PROJECT).is_some_and(|value| value == project),
        compose: of(compose_label::VOLUME).is_some()
            && of(compose_label::PROJECT).is_some_and(|value| value == project),
        owner: of(label::PROJECT).or_else(|| of(compose_label::PROJECT)).cloned(),
        hash: of(label::HASH).cloned(),
        shared: of(label::SHARED).is_some_and(|value| !value.is_empty()),
        settings: spec::Volume {
            name: volume.name.clone(),
            driver: Some(volume.driver.clone()),
            driver_opts: volume.options.clone().into_iter().collect(),
            labels: volume
                .labels
                .clone()
                .into_iter()
                .filter(|(key, _)| !is_reserved_label(key))
                .collect(),
            ..spec::Volume::default()
        },
    }
}

/// Where all volumes are kept, those of others included.
fn storages(volumes: &[models::Volume]) -> Storages {
    let stored = |it: &models::Volume| StoredVolume {
        settings: volume(it, "").settings,
        mountpoint: it.mountpoint.clone(),
        shared: it.labels.get(label::SHARED).is_some_and(|value| !value.is_empty()),
        labelled: it.labels.contains_key(label::PROJECT),
    };
    Storages {
        volumes: volumes.iter().map(|it| (it.name.clone(), stored(it))).collect(),
        ..Storages::default()
    }
}

fn holds_secrets(volume: &models::Volume) -> bool {
    volume.labels.get(label::HOLDS).is_some_and(|held| held == HOLDS_SECRETS)
}

/// The first object of `project` whose labels can't be read, and why. Not the lock, which is
/// refused where it is taken.
fn unreadable_labels(
    containers: &[models::ContainerSummary],
    networks: &[models::Network],
    volumes: &[models::Volume],
    project: &str,
) -> Option<(String, FormatError)> {
    let containers = containers.iter().map(|it| ("container", name_of(it), it.labels.as_ref()));
    let networks = networks.iter().map(|it| ("network", it.name.clone(), it.labels.as_ref()));
    let volumes = volumes.iter().map(|it| ("volume", Some(it.name.clone()), Some(&it.labels)));
    let unreadable =
        containers.chain(networks).chain(volumes).filter_map(|(kind, name, labels)| {
            let labels = labels?;
            let is_ours = labels.get(label::PROJECT).is_some_and(|of| of == project);
            let why = format::check_labels(labels.get(label::FORMAT).map(String::as_str)).err()?;
            (is_ours && !labels.contains_key(label::LOCK))
                .then(|| (format!("{kind} \"{}\"", name.unwrap_or_default()), why))
        });
    unreadable.min_by(|one, other| one.0.cmp(&other.0))
}

fn orphaned_secrets(
    volumes: &[models::Volume],
    containers: &[models::ContainerSummary],
    project: &str,
) -> BTreeSet<String> {
    let mounted: BTreeSet<&str> = containers
        .iter()
        .flat_map(|container| container.mounts.iter().flatten())
        .filter_map(|mount| mount.name.as_deref())
        .collect();
    let of_project = |volume: &&models::Volume| {
        volume.labels.get(label::PROJECT).is_some_and(|value| value == project)
    };
    let orphaned = volumes
        .iter()
        .filter(of_project)
        .filter(|volume| holds_secrets(volume) && !mounted.contains(volume.name.as_str()));
    orphaned.map(|volume| volume.name.clone()).collect()
}

fn image_names(image: &models::ImageSummary) -> Vec<(String, String)> {
    image
        .repo_tags
        .iter()
        .chain(&image.repo_digests)
        .filter(|name| !name.contains("<none>"))
        .map(|name| canonical(name))
        .chain([image.id.clone()])
        .map(|name| (name, image.id.clone()))
        .collect()
}

/// A container's state as `container inspect` has it.
pub struct InspectedContainer {
    pub id: String,
    pub name: String,
    pub state: ContainerState,
    pub exit_code: i64,
    pub oom_killed: bool,
    /// The engine's own words on a start that failed.
    pub error: String,
    pub started_at: String,
    pub health: Health,
    /// Output and exit code of the engine's last check since the container was started: the engine
    /// keeps those of earlier starts too.
    pub last_check: Option<(String, i64)>,
    /// The effective check in Docker's form; empty where there is none.
    pub test: Vec<String>,
    pub interval: std::time::Duration,
    pub timeout: std::time::Duration,
    pub start_period: std::time::Duration,
    pub retries: u32,
    /// What `CMD-SHELL` runs in.
    pub shell: Vec<String>,
    pub user: String,
    pub tty: bool,
    /// Whether the engine starts it again when it exits.
    pub restarts: bool,
    /// Whether that is so after an exit with code 0 too.
    pub restarts_always: bool,
    /// How often the engine did.
    pub restart_count: i64,
    /// How often it would; 0 for no limit.
    pub restart_limit: i64,
    /// Whether an engine that restarts starts it, even one that was stopped by hand.
    pub restarts_with_engine: bool,
    /// Whether it publishes ports.
    pub publishes: bool,
    /// Target → name of the volumes mounted.
    pub volumes: BTreeMap<String, String>,
    pub image_id: String,
    /// Our label: the hash of what was described.
    pub hash: String,
}

impl InspectedContainer {
    /// What was described, and the image: containers of the same behave alike.
    pub fn made_of(&self) -> String {
        format!("{} {}", self.hash, self.image_id)
    }
}

/// What happened to a container, as far as who follows its log has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifeChange {
    Started,
    /// Somebody sent it a signal: it is stopped, restarted or killed.
    Signalled,
    Renamed,
    Removed,
}

/// A change in a container's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeEvent {
    pub id: String,
    pub name: String,
    /// Compose's label; empty without one.
    pub service: String,
    pub change: LifeChange,
}

/// The events that [`life_event`] reads.
pub const LIFE_EVENTS: [&str; 4] = ["start", "kill", "rename", "destroy"];

/// A change in a container's life; nothing for any other event.
pub fn life_event(event: &models::EventMessage) -> Option<LifeEvent> {
    let actor = event.actor.as_ref()?;
    let attribute = |key: &str| {
        actor
            .attributes
            .as_ref()
            .and_then(|attributes| attributes.get(key))
            .cloned()
            .unwrap_or_default()
    };
    let change = match event.action.as_deref()? {
        "start" => LifeChange::Started,
        "kill" => LifeChange::Signalled,
        "rename" => LifeChange::Renamed,
        "destroy" => LifeChange::Removed,
        _ => return None,
    };
    Some(LifeEvent {
        id: actor.id.clone()?,
        name: attribute("name"),
        service: attribute(compose_label::SERVICE),
        change,
    })
}

/// Docker's defaults for a check that leaves them out.
const DEFAULT_INTERVAL: std::time::Duration = std::time::Duration::from_secs(30);
const DEFAULT_RETRIES: u32 = 3;

/// Inspects one container.
pub async fn inspect(engine: &dyn Engine, container: &str) -> Result<InspectedContainer, Failure> {
    let found = engine
        .container_inspect(container)
        .await
        .map_err(|error| of_engine(error, &format!("inspect the container \"{container}\"")))?;
    let state = found.state.unwrap_or_default();
    let config = found.config.unwrap_or_default();
    let check = config.healthcheck.unwrap_or_default();
    let health = state.health.as_ref();
    let started = state
        .started_at
        .as_deref()
        .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok())
        .map(|time| time.to_utc());
    let time = |nanos: Option<i64>, default: std::time::Duration| match nanos
        .and_then(|nanos| u64::try_from(nanos).ok())
    {
        Some(nanos) if nanos > 0 => std::time::Duration::from_nanos(nanos),
        _ => default,
    };
    let host = found.host_config.unwrap_or_default();
    let restart_limit =
        host.restart_policy.as_ref().and_then(|policy| policy.maximum_retry_count).unwrap_or(0);
    let policy = host.restart_policy.and_then(|policy| policy.name);
    Ok(InspectedContainer {
        id: found.id.unwrap_or_default(),
        name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        state: inspect_state(state.status),
        exit_code: state.exit_code.unwrap_or(0),
        oom_killed: state.oom_killed.unwrap_or(false),
        error: state.error.unwrap_or_default(),
        started_at: state.started_at.unwrap_or_default(),
        health: health.and_then(|health| health.status).map_or(Health::None, health_status),
        last_check: health
            .and_then(|health| health.log.as_ref())
            .and_then(|log| log.last())
            .filter(|last| {
                last.start.zip(started).is_none_or(|(checked, started)| checked >= started)
            })
            .map(|last| (last.output.clone().unwrap_or_default(), last.exit_code.unwrap_or(0))),
        test: check.test.unwrap_or_default(),
        interval: time(check.interval, DEFAULT_INTERVAL),
        timeout: time(check.timeout, DEFAULT_INTERVAL),
        start_period: time(check.start_period, std::time::Duration::ZERO),
        retries: check
            .retries
            .and_then(|retries| u32::try_from(retries).ok())
            .filter(|&retries| retries > 0)
            .unwrap_or(DEFAULT_RETRIES),
        shell: config
            .shell
            .filter(|shell| !shell.is_empty())
            .unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into()]),
        user: config.user.unwrap_or_default(),
        tty: config.tty.unwrap_or(false),
        restarts_always: matches!(
            policy,
            Some(
                models::RestartPolicyNameEnum::ALWAYS
                    | models::RestartPolicyNameEnum::UNLESS_STOPPED
            )
        ),
        restart_count: found.restart_count.unwrap_or(0),
        restart_limit,
        restarts_with_engine: policy == Some(models::RestartPolicyNameEnum::ALWAYS),
        restarts: policy.is_some_and(|name| {
            !matches!(
                name,
                models::RestartPolicyNameEnum::NO | models::RestartPolicyNameEnum::EMPTY
            )
        }),
        publishes: host.port_bindings.is_some_and(|bindings| !bindings.is_empty()),
        volumes: found
            .mounts
            .unwrap_or_default()
            .into_iter()
            .filter(|mount| mount.typ.as_deref() == Some("volume"))
            .filter_map(|mount| Some((mount.destination?, mount.name?)))
            .collect(),
        image_id: found.image.unwrap_or_default(),
        hash: config.labels.and_then(|mut labels| labels.remove(label::HASH)).unwrap_or_default(),
    })
}

pub(super) fn inspect_state(status: Option<models::ContainerStateStatusEnum>) -> ContainerState {
    use models::ContainerStateStatusEnum as Docker;
    match status {
        Some(Docker::RUNNING) => ContainerState::Running,
        Some(Docker::PAUSED) => ContainerState::Paused,
        Some(Docker::RESTARTING) => ContainerState::Restarting,
        Some(Docker::REMOVING) => ContainerState::Removing,
        Some(Docker::EXITED) => ContainerState::Exited,
        Some(Docker::DEAD) => ContainerState::Dead,
        _ => ContainerState::Created,
    }
}

fn health_status(status: models::HealthStatusEnum) -> Health {
    match status {
        models::HealthStatusEnum::STARTING => Health::Starting,
        models::HealthStatusEnum::HEALTHY => Health::Healthy,
        models::HealthStatusEnum::UNHEALTHY => Health::Unhealthy,
        _ => Health::None,
    }
}

/// An image's id; none if it is not on the engine.
pub async fn image_id(engine: &dyn Engine, image: &str) -> Result<Option<String>, Failure> {
    match engine.image_inspect(image).await {
        Ok(found) => Ok(found.id),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(of_engine(error, &format!("inspect the image \"{image}\""))),
    }
}

/// Where an image wants volumes; nowhere if it is not on the engine.
pub async fn image_volumes(engine: &dyn Engine, image: &str) -> Result<BTreeSet<String>, Failure> {
    match engine.image_inspect(image).await {
        Ok(found) => {
            Ok(found.config.and_then(|config| config.volumes).into_iter().flatten().collect())
        }
        Err(error) if error.is_not_found() => Ok(BTreeSet::new()),
        Err(error) => Err(of_engine(error, &format!("inspect the image \"{image}\""))),
    }
}

/// The names that a project's description gives to networks and volumes.
pub fn wanted_names(project: &crate::model::spec::Project) -> BTreeSet<String> {
    project
        .networks
        .values()
        .map(|network| network.name.clone())
        .chain(project.volumes.values().map(|volume| volume.name.clone()))
        .collect()
}

/// Who publishes `port` on the host, by the engine's list: a container's name.
pub async fn publisher(engine: &dyn Engine, port: u16) -> Option<String> {
    let containers = engine.container_list(false, &Filters::new()).await.ok()?;
    containers
        .iter()
        .find(|container| {
            container.ports.iter().flatten().any(|published| published.public_port == Some(port))
        })
        .and_then(|container| container.names.iter().flatten().next())
        .map(|name| name.trim_start_matches('/').to_owned())
}

/// A container, volume, network or image as the engine knows it, for scripts.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineObject {
    pub id: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    /// All of it, with Docker's own keys.
    pub json: serde_json::Value,
}

/// A create or build sets the labels that it has no use for, too: empty.
fn is_set(key: &str, value: &str) -> bool {
    !(is_reserved_label(key) && value.is_empty())
}

impl EngineObject {
    fn of<T: serde::Serialize>(
        model: &T,
        id: Option<&String>,
        name: Option<&String>,
        labels: Option<&std::collections::HashMap<String, String>>,
    ) -> Self {
        let name = name.map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default();
        Self {
            id: id.cloned().unwrap_or_else(|| name.clone()),
            name,
            labels: labels
                .into_iter()
                .flatten()
                .filter(|(key, value)| is_set(key, value))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            json: serde_json::to_value(model).unwrap_or_default(),
        }
    }
}

/// The container called so, if it is there; with the labels that it was created with, not those of
/// its image.
pub async fn find_container(
    engine: &dyn Engine,
    name: &str,
) -> Result<Option<EngineObject>, Failure> {
    let Some(found) = there(engine.container_inspect(name).await, "container", name)? else {
        return Ok(None);
    };
    let labels = image_labels::of_inspected(engine, &found).await;
    let labels = labels.map_err(|error| {
        of_engine(error, &format!("tell the labels of the container \"{name}\" from its image's"))
    })?;
    Ok(Some(EngineObject {
        labels,
        ..EngineObject::of(&found, found.id.as_ref(), found.name.as_ref(), None)
    }))
}

/// The volume called so, if it is there.
pub async fn find_volume(engine: &dyn Engine, name: &str) -> Result<Option<EngineObject>, Failure> {
    let found = there(engine.volume_inspect(name).await, "volume", name)?;
    Ok(found.map(|it| EngineObject::of(&it, None, Some(&it.name), Some(&it.labels))))
}

/// The network called so, if it is there.
pub async fn find_network(
    engine: &dyn Engine,
    name: &str,
) -> Result<Option<EngineObject>, Failure> {
    let found = there(engine.network_inspect(name).await, "network", name)?;
    Ok(found.map(|it| EngineObject::of(&it, it.id.as_ref(), it.name.as_ref(), it.labels.as_ref())))
}

/// The image called so, if it is there.
pub async fn find_image(engine: &dyn Engine, name: &str) -> Result<Option<EngineObject>, Failure> {
    let found = there(engine.image_inspect(name).await, "image", name)?;
    Ok(found.map(|it| {
        EngineObject::of(
            &it,
            it.id.as_ref(),
            None,
            it.config.as_ref().and_then(|config| config.labels.as_ref()),
        )
    }))
}

fn there<T>(
    answer: crate::engine::Result<T>,
    what: &str,
    name: &str,
) -> Result<Option<T>, Failure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(of_engine(error, &format!("inspect the {what} \"{name}\""))),
    }
}

/// What an event of the engine says of a container: its id and the signal; nothing for what nobody
/// waits for.
pub(super) fn signal(message: &models::EventMessage) -> Option<(String, Signal)> {
    let actor = message.actor.as_ref()?;
    let attribute =
        |name: &str| actor.attributes.as_ref().and_then(|attributes| attributes.get(name));
    let signal = match message.action.as_deref()? {
        "start" => Signal::Started,
        "die" => Signal::Died {
            exit_code: attribute("exitCode").and_then(|code| code.parse().ok()).unwrap_or(-1),
        },
        "oom" => Signal::OutOfMemory,
        "destroy" => Signal::Removed,
        // Whole words: "unhealthy" holds "healthy".
        "health_status: healthy" => Signal::Healthy,
        "health_status: unhealthy" => Signal::Unhealthy,
        _ => return None,
    };
    Some((actor.id.clone()?, signal))
}
