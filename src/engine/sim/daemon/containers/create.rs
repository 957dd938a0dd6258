//! Creating a container.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, ContainerCreateResponse, EndpointSettings, HostConfig,
    HostConfigLogConfig, RestartPolicy, RestartPolicyNameEnum,
};

use super::{Container, Phase, config};
use crate::engine::Result;
use crate::engine::sim::MODERN_API;
use crate::engine::sim::daemon::errors::refusal;
use crate::engine::sim::daemon::ids::short;
use crate::engine::sim::daemon::networks::{BRIDGE, Endpoint, check_endpoint};
use crate::engine::sim::daemon::state::State;
use crate::engine::sim::daemon::tree::Tree;
use crate::engine::sim::daemon::{mounts, ports};

const SHARED_MEMORY_BYTES: i64 = 64 << 20;

impl State {
    /// Creates a container; an empty `name` is replaced by a generated one.
    pub fn create_container(
        &mut self,
        name: &str,
        body: ContainerCreateBody,
    ) -> Result<ContainerCreateResponse> {
        config::check(&body)?;
        let reference = match body.image.as_deref() {
            None | Some("") => {
                return Err(refusal(400, "Config cannot be empty in order to create a container"));
            }
            Some(reference) => reference.to_owned(),
        };
        let name = checked_name(name)?;
        let image = self.objects.find_image(&reference)?;
        let (image_id, image_files) = (image.id.clone(), image.files.clone());
        let mut config = config::merge(&body, &image.config);
        if config.entrypoint.is_none() && config.cmd.is_none() {
            return Err(refusal(400, "No command specified"));
        }
        let host = self.host_config(body.host_config.unwrap_or_default());
        ports::check(&host)?;
        let wanted = mounts::wanted(&config, &host, &self.machine)?;
        let networking = body
            .networking_config
            .and_then(|networking| networking.endpoints_config)
            .unwrap_or_default();
        let endpoints = self.endpoints(&host, networking.into_iter().collect())?;
        if let Some(name) = &name {
            self.free_name(name)?;
        }
        let id = self.ids.next();
        let name = name.unwrap_or_else(|| format!("nameless_{}", short(&id)));
        if config.hostname.as_ref().is_none_or(String::is_empty) {
            config.hostname = Some(short(&id).to_owned());
        }
        let labels: BTreeMap<String, String> = config
            .labels
            .iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let mut mounted = Vec::new();
        for wanted in wanted {
            mounted.push(self.mount(wanted, &image_files)?);
        }
        self.inherit_mounts(&host, &mut mounted)?;
        let container = Container {
            id: id.clone(),
            serial: self.ids.serial(),
            name,
            created: self.now,
            image: reference,
            image_id,
            image_files,
            config,
            host,
            labels,
            mounts: mounted,
            endpoints,
            phase: Phase::Created,
            starts: 0,
            started: None,
            finished: None,
            exit_code: 0,
            error: String::new(),
            out_of_memory: false,
            restarts: 0,
            backoff: Duration::ZERO,
            is_listed_as_running: false,
            stopped_by_hand: false,
            ends_for_good: false,
            published: Vec::new(),
            health: None,
            // Each start decides about its behaviour.
            process: Arc::default(),
            layer: Tree::default(),
            log: Vec::new(),
            unfinished: Default::default(),
            signals: Vec::new(),
            is_stopping: false,
        };
        self.objects.containers.insert(container);
        self.emit_container(&id, "create", &[]);
        Ok(ContainerCreateResponse { id, warnings: Vec::new() })
    }

    /// Rejects a name that another container has.
    pub(super) fn free_name(&self, name: &str) -> Result<()> {
        let Some(holder) = self.objects.containers.named(name) else { return Ok(()) };
        let words = "You have to remove (or rename) that container to be able to reuse that name";
        Err(refusal(
            409,
            format!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{}\". {words}",
                holder.id
            ),
        ))
    }

    /// The request's host configuration with the engine's defaults.
    fn host_config(&self, host: HostConfig) -> HostConfig {
        let modern = self.api >= MODERN_API;
        let unset = |text: &Option<String>| text.as_ref().is_none_or(String::is_empty);
        let mut host = host;
        if unset(&host.network_mode) || modern && host.network_mode.as_deref() == Some("default") {
            host.network_mode = Some(if modern { BRIDGE } else { "default" }.to_owned());
        }
        let policy = host.restart_policy.get_or_insert_with(RestartPolicy::default);
        if policy.name.is_none_or(|name| name == RestartPolicyNameEnum::EMPTY) {
            policy.name =
                Some(if modern { RestartPolicyNameEnum::NO } else { RestartPolicyNameEnum::EMPTY });
        }
        policy.maximum_retry_count.get_or_insert(0);
        let log = host.log_config.get_or_insert_with(HostConfigLogConfig::default);
        if unset(&log.typ) {
            log.typ = Some("json-file".to_owned());
        }
        log.config.get_or_insert_default();
        host.shm_size = Some(host.shm_size.filter(|size| *size > 0).unwrap_or(SHARED_MEMORY_BYTES));
        host.ipc_mode = Some(
            host.ipc_mode.filter(|mode| !mode.is_empty()).unwrap_or_else(|| "private".to_owned()),
        );
        host.runtime = Some(
            host.runtime.filter(|runtime| !runtime.is_empty()).unwrap_or_else(|| "runc".to_owned()),
        );
        for flag in [
            &mut host.auto_remove,
            &mut host.privileged,
            &mut host.publish_all_ports,
            &mut host.readonly_rootfs,
        ] {
            flag.get_or_insert(false);
        }
        host
    }

    /// The networks of a new container: those in the request, else that of its network mode.
    fn endpoints(
        &self,
        host: &HostConfig,
        asked: BTreeMap<String, EndpointSettings>,
    ) -> Result<BTreeMap<String, Endpoint>> {
        let mode = host.network_mode.clone().unwrap_or_default();
        if mode.starts_with("container:") {
            return Ok(BTreeMap::new());
        }
        if asked.len() > 1 && self.api < MODERN_API {
            let names: Vec<&str> = asked.keys().map(String::as_str).collect();
            return Err(refusal(
                400,
                format!("Container cannot be connected to network endpoints: {}", names.join(", ")),
            ));
        }
        if asked.is_empty() {
            let name = match mode.as_str() {
                "default" => BRIDGE.to_owned(),
                // By name, even if an id was given.
                mode => self
                    .objects
                    .find_network(mode)
                    .map_or_else(|_| mode.to_owned(), |network| network.name.clone()),
            };
            return Ok(BTreeMap::from([(name, Endpoint::default())]));
        }
        let name = |given: String| match self.objects.networks.get(&given) {
            Some(network) => network.name.clone(),
            None if given == "default" => BRIDGE.to_owned(),
            None => given,
        };
        let endpoints: BTreeMap<String, Endpoint> = asked
            .into_iter()
            .map(|(given, settings)| (name(given), Endpoint::asked(settings)))
            .collect();
        // Older engines accept anything, and fail at the start.
        if self.api >= MODERN_API {
            for (name, endpoint) in &endpoints {
                let Ok(network) = self.objects.find_network(name) else { continue };
                check_endpoint(network, endpoint, true).map_err(|mut error| {
                    error.message = format!("invalid config for network {name}: {}", error.message);
                    error
                })?;
            }
        }
        Ok(endpoints)
    }

    /// The mounts of the containers in `volumes_from` (`name` or `name:ro`), at paths without a
    /// mount.
    fn inherit_mounts(
        &self,
        host: &HostConfig,
        mounted: &mut Vec<mounts::ContainerMount>,
    ) -> Result<()> {
        for from in host.volumes_from.iter().flatten() {
            let (from, mode) = from.split_once(':').unwrap_or((from, "rw"));
            for mount in &self.objects.find_container(from)?.mounts {
                if mounted.iter().all(|own| own.destination != mount.destination) {
                    mounted.push(mounts::ContainerMount {
                        writable: mount.writable && mode != "ro",
                        ..mount.clone()
                    });
                }
            }
        }
        Ok(())
    }
}

/// A name that Docker accepts, without the slash; `None` if it is empty.
pub(super) fn checked_name(name: &str) -> Result<Option<String>> {
    let plain = name.strip_prefix('/').unwrap_or(name);
    if plain.is_empty() {
        return Ok(None);
    }
    let first = plain.starts_with(|character: char| character.is_ascii_alphanumeric());
    let rest = plain
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-'));
    if first && rest && plain.len() > 1 {
        Ok(Some(plain.to_owned()))
    } else {
        Err(refusal(
            400,
            format!("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"),
        ))
    }
}
