//! Converts the engine's models to `model::observed_state`, with four list calls for a project of
//! any size.

mod container_life;
mod container_list;
mod engine_object;
mod inspection;

use std::collections::{BTreeMap, BTreeSet};

use bollard::models;

pub(super) use self::container_life::signal;
pub use self::container_life::{LIFE_EVENTS, LifeChange, LifeEvent, life_event};
pub(super) use self::container_list::container_state;
use self::container_list::{
    container, is_lock, labels_of, name_of, one_off, other, written_folders, written_volumes,
};
pub use self::container_list::{published_ports, uses_host_network};
pub use self::engine_object::{
    EngineObject, find_container, find_image, find_network, find_volume,
};
pub use self::inspection::{InspectedContainer, inspect};
use super::failures::of_engine;
use super::former_folders;
use super::records::State;
use crate::engine::{Engine, Filters, image_labels, label_filter};
use crate::host::{Host, Liveness, ProcessMark};
use crate::model::Failure;
use crate::model::format::{self, FormatError};
use crate::model::image_reference::canonical;
pub use crate::model::names::is_anonymous_volume as is_anonymous;
use crate::model::names::{HOLDS_SECRETS, compose_label, is_reserved_label, label};
use crate::model::observed_state::{
    ContainerState, EngineContainer, Health, Network, ObservedState, OwnerState, TakenSubnet,
    Volume,
};
use crate::model::spec;
use crate::model::storage::{Storages, StoredVolume};

/// The containers to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObserveScope {
    Project,
    /// Those of others too: for a plan that creates containers, because they may hold a resource
    /// that it needs.
    Engine,
}

/// The state of `project`. Includes the networks and volumes in `wanted_names`, even if others
/// created them.
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
    // Before the labels are read, because an image may claim that its containers belong to this
    // project.
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

/// Finds out which runs with one-off containers are still active, if this machine can tell.
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

/// Every container on the engine, of any owner.
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

/// Corrects the state of stopped containers. If the disk was full when a container stopped, Docker
/// 20.10 still lists it as running. Only an inspection shows the real state.
async fn look_at_stopped(engine: &dyn Engine, observed: &mut ObservedState, state: &State) {
    let doubtful = observed
        .containers
        .iter_mut()
        .filter(|container| container.is_up() && state.stopped.contains(&container.id));
    futures::future::join_all(doubtful.map(|container| async {
        // If a container is gone by now, the step that needs it will notice.
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

/// While the engine still says `starting`, a pass of spc's own probe counts if the container was
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
        // If a container is gone by now, the step that needs it will notice.
        if let Ok(inspect) = engine.container_inspect(&container.id).await
            && inspect.state.and_then(|state| state.started_at).as_ref() == Some(started)
        {
            container.health = Health::Healthy;
        }
    }))
    .await;
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

/// A network in the form of a description. It contains address pools that the engine chose, because
/// the list does not distinguish them.
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

/// The locations of all volumes, including those of others.
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

/// The first object of `project` whose labels can't be read, and the reason. The lock is handled
/// where it is taken.
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
/// An image's id; `None` if the engine doesn't have it.
pub async fn image_id(engine: &dyn Engine, image: &str) -> Result<Option<String>, Failure> {
    match engine.image_inspect(image).await {
        Ok(found) => Ok(found.id),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(of_engine(error, &format!("inspect the image \"{image}\""))),
    }
}

/// The targets of an image's volumes; empty if the engine doesn't have it.
pub async fn image_volumes(engine: &dyn Engine, image: &str) -> Result<BTreeSet<String>, Failure> {
    match engine.image_inspect(image).await {
        Ok(found) => {
            Ok(found.config.and_then(|config| config.volumes).into_iter().flatten().collect())
        }
        Err(error) if error.is_not_found() => Ok(BTreeSet::new()),
        Err(error) => Err(of_engine(error, &format!("inspect the image \"{image}\""))),
    }
}

/// The names of networks and volumes in a project's description.
pub fn wanted_names(project: &crate::model::spec::Project) -> BTreeSet<String> {
    project
        .networks
        .values()
        .map(|network| network.name.clone())
        .chain(project.volumes.values().map(|volume| volume.name.clone()))
        .collect()
}

/// The name of the container that publishes `port` on the host, by the engine's list.
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
