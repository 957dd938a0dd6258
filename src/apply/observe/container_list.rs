//! Containers as the engine's list of containers shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bollard::models;

use crate::model::names::is_anonymous_volume as is_anonymous;
use crate::model::names::{compose_label, label, lock_container};
use crate::model::observed_state::{
    Container, ContainerState, OneOffContainer, OtherContainer, OwnerState, PublishedPort,
    read_depends_on, read_status,
};
use crate::model::spec::secret::SECRETS_FOLDER;

pub(super) fn written_volumes(summary: &models::ContainerSummary) -> BTreeSet<String> {
    let mounts = summary.mounts.iter().flatten().filter(|mount| mount.rw == Some(true));
    mounts.filter_map(|mount| mount.name.clone()).filter(|name| !name.is_empty()).collect()
}

pub(super) fn written_folders(summary: &models::ContainerSummary) -> BTreeSet<String> {
    let is_bind = |mount: &&models::MountPoint| {
        mount.rw == Some(true) && mount.name.as_deref().is_none_or(str::is_empty)
    };
    let mounts = summary.mounts.iter().flatten().filter(is_bind);
    mounts
        .filter_map(|mount| mount.source.clone())
        .filter(|source| source.starts_with('/'))
        .collect()
}

pub(super) fn labels_of(summary: &models::ContainerSummary) -> BTreeMap<&str, &str> {
    summary.labels.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

pub(super) fn is_one_off(labels: &BTreeMap<&str, &str>) -> bool {
    labels.get(compose_label::ONEOFF).is_some_and(|oneoff| oneoff.eq_ignore_ascii_case("true"))
}

/// Whether this container is the lock of the project.
pub(super) fn is_lock(summary: &models::ContainerSummary, project: &str) -> bool {
    labels_of(summary).get(label::LOCK) == Some(&project)
        && name_of(summary).is_some_and(|name| name == lock_container(project))
}

pub(super) fn name_of(summary: &models::ContainerSummary) -> Option<String> {
    Some(summary.names.iter().flatten().next()?.trim_start_matches('/').to_owned())
}

pub(super) fn one_off(
    summary: &models::ContainerSummary,
    project: &str,
) -> Option<OneOffContainer> {
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

pub(super) fn container(summary: &models::ContainerSummary, project: &str) -> Option<Container> {
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
        release: text(label::RELEASE).filter(|release| !release.is_empty()),
        is_beside: labels.get(label::BESIDE) == Some(&"true"),
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

/// A container outside the project, with the resources that it holds.
pub(super) fn other(summary: &models::ContainerSummary) -> Option<OtherContainer> {
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

pub(super) fn endpoints(
    summary: &models::ContainerSummary,
) -> impl Iterator<Item = &models::EndpointSettings> {
    summary
        .network_settings
        .iter()
        .flat_map(|settings| settings.networks.iter().flatten())
        .map(|(_, endpoint)| endpoint)
}

/// The container's current addresses, with the ids of their networks; empty if it does not run.
pub(super) fn addresses(summary: &models::ContainerSummary) -> BTreeSet<(String, IpAddr)> {
    endpoints(summary)
        .flat_map(|endpoint| {
            of_endpoint(endpoint, [&endpoint.ip_address, &endpoint.global_ipv6_address])
        })
        .collect()
}

/// The static addresses that were requested, with the ids of their networks.
pub(super) fn static_addresses(summary: &models::ContainerSummary) -> BTreeSet<(String, IpAddr)> {
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

/// The state, from a list or an inspect of containers.
pub(in crate::apply) fn container_state<T: AsRef<str>>(state: Option<T>) -> ContainerState {
    let word = state.as_ref().map(AsRef::as_ref);
    word.and_then(ContainerState::of_word).unwrap_or(ContainerState::Created)
}

/// Whether the container uses the network of the machine.
pub fn uses_host_network(summary: &models::ContainerSummary) -> bool {
    summary
        .network_settings
        .iter()
        .flat_map(|settings| settings.networks.iter().flatten())
        .any(|(name, _)| name == "host")
}

/// The ports that a container publishes; none if it does not run.
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
