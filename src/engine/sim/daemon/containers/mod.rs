//! Containers: their data, and lookups.

pub(in crate::engine::sim) mod config;
pub(in crate::engine::sim) mod create;
pub(in crate::engine::sim) mod inspect;
pub(in crate::engine::sim) mod lifecycle;
pub(in crate::engine::sim) mod list;
pub(in crate::engine::sim) mod remove;
pub(in crate::engine::sim) mod status;
pub(in crate::engine::sim) mod stop;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bollard::models;

use super::errors::{no_such_container, refusal};
use super::health::Health;
use super::logs::{LogLine, PartialLine};
use super::mounts::ContainerMount;
use super::networks::Endpoint;
use super::ports::PortPublication;
use super::state::{Objects, State};
use super::tree::Tree;
use crate::engine::Result;
use crate::engine::sim::behaviour::process::Process;

/// Called with the exit code when a container's process has exited.
pub(in crate::engine::sim) type OnExit = Box<dyn FnOnce(&mut State, i64) + Send>;

/// The phase of a container's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::sim) enum Phase {
    Created,
    Running,
    /// Exited; its restart policy will start it again soon.
    Restarting,
    Exited,
}

#[derive(Clone)]
pub(in crate::engine::sim) struct Container {
    pub id: String,
    /// The order of creation.
    pub serial: u64,
    /// Without a slash.
    pub name: String,
    pub created: Duration,
    /// The requested image.
    pub image: String,
    pub image_id: String,
    pub image_files: Arc<Tree>,
    /// Its configuration, merged with the image's.
    pub config: models::ContainerConfig,
    pub host: models::HostConfig,
    pub labels: BTreeMap<String, String>,
    pub mounts: Vec<ContainerMount>,
    /// By the network's name.
    pub endpoints: BTreeMap<String, Endpoint>,
    pub phase: Phase,
    /// The number of starts: entries of an earlier start on the timetable are void.
    pub starts: u64,
    pub started: Option<Duration>,
    pub finished: Option<Duration>,
    pub exit_code: i64,
    /// Why its last start failed.
    pub error: String,
    pub out_of_memory: bool,
    /// Restarts by its policy since the last start by hand.
    pub restarts: i64,
    pub backoff: Duration,
    /// It ended while the disk was full. Docker 20.10 then keeps the old entry in its list, but an
    /// inspect shows the real state.
    pub is_listed_as_running: bool,
    /// Stopped or killed by hand since its last start.
    pub stopped_by_hand: bool,
    /// It will not be restarted after its next exit, whatever its policy is.
    pub ends_for_good: bool,
    pub published: Vec<PortPublication>,
    pub health: Option<Health>,
    pub process: Arc<Process>,
    /// Files that were written into it, on top of the image.
    pub layer: Tree,
    pub log: Vec<LogLine>,
    /// Output of its process since the last line feed, on standard output and on standard error.
    pub unfinished: [PartialLine; 2],
    /// The signals that it got, oldest first.
    pub signals: Vec<String>,
    /// Its process was asked to end, and takes no new requests.
    pub is_stopping: bool,
}

impl Container {
    /// Whether the engine calls it running, which includes waiting for a restart. Its phase for the
    /// list.
    pub fn listed_phase(&self) -> Phase {
        if self.is_listed_as_running { Phase::Running } else { self.phase }
    }

    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Restarting)
    }

    /// The id of its main process; 0 if there is none.
    pub fn pid(&self) -> i64 {
        let made_up = 1000 + 100 * self.serial + self.starts;
        if self.phase == Phase::Running { i64::try_from(made_up).unwrap_or(i64::MAX) } else { 0 }
    }

    /// Entrypoint and command of its main process.
    pub fn command(&self) -> Vec<&str> {
        let parts = [&self.config.entrypoint, &self.config.cmd];
        parts.into_iter().flatten().flatten().map(String::as_str).collect()
    }
}

/// All containers, by id. The container with a name, and the addresses of a network, are found
/// without a search.
#[derive(Clone, Default)]
pub(in crate::engine::sim) struct Containers {
    all: BTreeMap<String, Container>,
    /// Name → id.
    names: BTreeMap<String, String>,
    /// Id of a network → the addresses of containers on it.
    addresses: BTreeMap<String, BTreeSet<Ipv4Addr>>,
}

impl Deref for Containers {
    type Target = BTreeMap<String, Container>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

impl Containers {
    pub fn insert(&mut self, container: Container) {
        self.note_addresses(&container.endpoints);
        self.names.insert(container.name.clone(), container.id.clone());
        self.all.insert(container.id.clone(), container);
    }

    pub fn remove(&mut self, id: &str) {
        if let Some(removed) = self.all.remove(id) {
            self.forget_addresses(&removed.endpoints);
            self.names.remove(&removed.name);
        }
    }

    /// Only [`Containers::rename`] changes its name, and its connections only
    /// [`Containers::change_endpoints`].
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Container> {
        self.all.get_mut(id)
    }

    /// The caller makes sure that the new name is free.
    pub fn rename(&mut self, id: &str, name: String) {
        if let Some(container) = self.all.get_mut(id) {
            self.names.remove(&container.name);
            self.names.insert(name.clone(), container.id.clone());
            container.name = name;
        }
    }

    /// Changes the connections of a container.
    pub fn change_endpoints<T>(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut BTreeMap<String, Endpoint>) -> T,
    ) -> Option<T> {
        let mut endpoints = std::mem::take(&mut self.all.get_mut(id)?.endpoints);
        self.forget_addresses(&endpoints);
        let result = change(&mut endpoints);
        self.note_addresses(&endpoints);
        self.all.get_mut(id)?.endpoints = endpoints;
        Some(result)
    }

    fn note_addresses(&mut self, endpoints: &BTreeMap<String, Endpoint>) {
        for (network, address) in endpoints.values().filter_map(Endpoint::address) {
            self.addresses.entry(network.to_owned()).or_default().insert(address);
        }
    }

    fn forget_addresses(&mut self, endpoints: &BTreeMap<String, Endpoint>) {
        for (network, address) in endpoints.values().filter_map(Endpoint::address) {
            if let Some(taken) = self.addresses.get_mut(network) {
                taken.remove(&address);
            }
        }
    }

    /// The addresses of containers on a network.
    pub fn addresses_on(&self, network: &str) -> Option<&BTreeSet<Ipv4Addr>> {
        self.addresses.get(network)
    }

    /// Without a slash.
    pub fn named(&self, name: &str) -> Option<&Container> {
        self.all.get(self.names.get(name)?)
    }
}

impl Objects {
    /// By full id, name (with or without a slash) or the beginning of an id, in this order.
    pub fn find_container(&self, wanted: &str) -> Result<&Container> {
        if let Some(container) = self.containers.get(wanted) {
            return Ok(container);
        }
        let name = wanted.strip_prefix('/').unwrap_or(wanted);
        if let Some(container) = self.containers.named(name) {
            return Ok(container);
        }
        let mut begun =
            self.containers.range(wanted.to_owned()..).take_while(|(id, _)| id.starts_with(wanted));
        match (begun.next().filter(|_| !wanted.is_empty()), begun.next()) {
            (None, _) => Err(no_such_container(wanted)),
            (Some((_, container)), None) => Ok(container),
            (Some(_), Some(_)) => {
                Err(refusal(400, format!("Multiple IDs found with provided prefix: {wanted}")))
            }
        }
    }
}

impl State {
    /// The id of an existing container.
    pub fn container_id(&self, wanted: &str) -> Result<String> {
        self.objects.find_container(wanted).map(|container| container.id.clone())
    }

    /// A container by its full id.
    pub fn container(&self, id: &str) -> Result<&Container> {
        self.objects.containers.get(id).ok_or_else(|| no_such_container(id))
    }

    /// A container by its full id.
    pub fn container_mut(&mut self, id: &str) -> Result<&mut Container> {
        self.objects.containers.get_mut(id).ok_or_else(|| no_such_container(id))
    }

    /// Whether the container is still in the start that `starts` counted.
    pub fn runs(&self, id: &str, starts: u64) -> bool {
        self.objects.containers.get(id).is_some_and(|container| {
            container.phase == Phase::Running && container.starts == starts
        })
    }
}
