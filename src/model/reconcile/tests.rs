mod builds;
mod changes;
mod hand_over;
mod removal;
mod secrets;
mod states;
mod update;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::model::image_reference::canonical;
use crate::model::observed_state::{
    Container, ContainerState, Health, Network, ObservedState, OneOffContainer, OwnerState,
    PublishedPort, TakenSubnet, Volume,
};
use crate::model::plan::{Plan, RollbackAction};
use crate::model::secret::Secrets;
use crate::model::spec::{Port, Project, ReadOptions};
use crate::model::step::ObjectKind;
use crate::model::storage::Storages;
use crate::model::{Failure, hash, names};

fn project(description: Value) -> Project {
    Project::read(
        "spc",
        &description,
        &ReadOptions { directory: Path::new("/srv"), lookup: &|_| None },
    )
    .unwrap()
}

/// db and redis behind a backend: the shape of the reference stack.
fn stack() -> Value {
    json!({
        "services": {
            "db": {"image": "postgres:15", "volumes": ["data:/data"], "secrets": ["pw"], "environment": {"A": "1"}},
            "redis": {"image": "redis:7"},
            "backend": {"image": "backend:dev", "build": "./backend", "depends_on": {"db": {"condition": "service_healthy"}, "redis": {"condition": "service_started"}}},
        },
        "volumes": {"data": {}},
        "secrets": {"pw": {"environment": "PW"}},
    })
}

fn published(port: &Port) -> Option<PublishedPort> {
    Some(PublishedPort {
        host_ip: port.host_ip.clone().unwrap_or_default(),
        published: port.published?,
        target: port.target,
        protocol: port.protocol.clone(),
    })
}

fn subnets(id: &str, network: &crate::model::spec::Network) -> Vec<TakenSubnet> {
    let owner = Some("spc".to_owned());
    let taken = |net| TakenSubnet {
        net,
        network: id.to_owned(),
        name: network.name.clone(),
        owner: owner.clone(),
    };
    network.ipam.iter().filter_map(|pool| pool.subnet).map(taken).collect()
}

/// The engine after `project` was brought up.
fn applied(project: &Project) -> ObservedState {
    let secrets = Secrets::new();
    let network_id = |key: &str| format!("id of {key}");
    ObservedState {
        delivered_secrets: BTreeMap::new(),
        containers: project
            .services
            .values()
            .flat_map(|service| (1..=service.scale).map(move |number| (service, number)))
            .map(|(service, number)| Container {
                id: format!("id of {}-{number}", service.name),
                name: names::container(&project.name, &service.name, number),
                service: service.name.clone(),
                number,
                ours: true,
                hash: Some(hash::service(service, project, &secrets)),
                parts: Some(hash::parts(service, project, &secrets)),
                secrets: (!service.secrets.is_empty()).then(|| "key:one".to_owned()),
                release: service.release.clone(),
                is_beside: false,
                image_id: format!("id of {}", service.image),
                state: ContainerState::Running,
                health: Health::Healthy,
                exit_code: None,
                networks: service.networks.keys().map(|key| network_id(key)).collect(),
                addresses: service
                    .networks
                    .iter()
                    .filter_map(|(key, attachment)| {
                        Some((network_id(key), attachment.ipv4_address?.into()))
                    })
                    .collect(),
                static_addresses: service
                    .networks
                    .iter()
                    .filter_map(|(key, attachment)| {
                        Some((network_id(key), attachment.ipv4_address?.into()))
                    })
                    .collect(),
                has_anonymous_volumes: false,
                depends_on: service
                    .depends_on
                    .iter()
                    .map(|(name, how)| (name.clone(), how.condition))
                    .collect(),
                ports: service.ports.iter().filter_map(published).collect(),
                writes: service
                    .writable_volumes()
                    .map(|key| project.volumes[key].name.clone())
                    .collect(),
                folders: service
                    .writable_binds()
                    .map(|path| path.to_string_lossy().into_owned())
                    .collect(),
                volumes: service
                    .writable_volumes()
                    .map(|key| project.volumes[key].name.clone())
                    .collect(),
                created: 0,
                status: String::new(),
                restarts: 0,
                image: String::new(),
            })
            .collect(),
        networks: project
            .networks
            .iter()
            .map(|(key, network)| Network {
                id: network_id(key),
                name: network.name.clone(),
                ours: true,
                compose: true,
                owner: Some(project.name.clone()),
                hash: Some(hash::network(network)),
                created: 0,
                restored: false,
                key: key.clone(),
                settings: network.clone(),
            })
            .collect(),
        volumes: project
            .volumes
            .values()
            .map(|volume| Volume {
                name: volume.name.clone(),
                ours: true,
                compose: true,
                owner: Some(project.name.clone()),
                hash: Some(hash::volume(volume)),
                shared: volume.shared,
                settings: volume.clone(),
            })
            .collect(),
        storages: Storages::default(),
        locked: false,
        others: Vec::new(),
        subnets: project
            .networks
            .iter()
            .flat_map(|(key, network)| subnets(&network_id(key), network))
            .collect(),
        one_offs: Vec::new(),
        unreadable: None,
        orphaned_secrets: BTreeSet::new(),
        folders: BTreeSet::new(),
        moves: Vec::new(),
        network_ids: project.networks.keys().map(|key| network_id(key)).collect(),
        unchecked_images: BTreeSet::new(),
        images: project
            .services
            .values()
            .map(|service| (canonical(&service.image), format!("id of {}", service.image)))
            .collect(),
    }
}

fn images_only(project: &Project) -> ObservedState {
    ObservedState { images: applied(project).images, ..ObservedState::default() }
}

struct UpRequest {
    names: Option<Vec<String>>,
    fingerprint: &'static str,
    stopped: BTreeSet<String>,
    remove_orphans: bool,
    adopt: bool,
    adopted: BTreeSet<String>,
    build: bool,
    renew: bool,
}

impl Default for UpRequest {
    fn default() -> Self {
        Self {
            names: None,
            fingerprint: "key:one",
            stopped: BTreeSet::new(),
            remove_orphans: false,
            adopt: false,
            adopted: BTreeSet::new(),
            build: false,
            renew: false,
        }
    }
}

fn plan_with(
    project: &Project,
    observed: &ObservedState,
    asked: UpRequest,
) -> Result<Plan, Failure> {
    let with_secrets = project.services.values().filter(|service| !service.secrets.is_empty());
    up(
        &DesiredState {
            project,
            services: project.select(asked.names.as_deref())?,
            secrets: &Secrets::new(),
            fingerprints: with_secrets
                .map(|service| (service.name.clone(), asked.fingerprint.to_owned()))
                .collect::<BTreeMap<_, _>>(),
            asked: asked.names.into_iter().flatten().collect(),
            stopped: asked.stopped,
            remove_orphans: asked.remove_orphans,
            adopt: asked.adopt,
            adopted: asked.adopted,
            build: asked.build,
            bases: &|_| BTreeSet::new(),
            renew_anonymous_volumes: asked.renew,
        },
        observed,
    )
}

fn plan(project: &Project, observed: &ObservedState) -> String {
    plan_with(project, observed, UpRequest::default()).unwrap().to_string()
}

fn undone(undo: &RollbackAction) -> String {
    let of = undo.of.map(|step| format!(" (of {})", step + 1)).unwrap_or_default();
    format!("{} {}{of}", undo.action.kind(), undo.action.object())
}

fn only_redis(description: Value, change: impl Fn(&mut Container)) -> (Project, ObservedState) {
    let project = project(description);
    let mut observed = applied(&project);
    observed
        .containers
        .iter_mut()
        .filter(|container| container.service == "redis")
        .for_each(change);
    (project, observed)
}
