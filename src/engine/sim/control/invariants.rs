//! Invariants: conditions that have to hold at every moment of every run. They are checked all the
//! time.
//!
//! [`SimEngine::watched`](crate::engine::sim::SimEngine::watched) returns the handle for spc: its
//! calls are checked before they are done. Calls of other handles are not spc's. But the resulting
//! state is checked after every event of a container, whoever caused it.
//!
//! - An object without spc's label is not changed. A label that a container inherited from its
//!   image does not count.
//! - No two running containers write to one volume, under any name, unless it is marked as shared:
//!   see `second_writer.rs`.
//! - A container that writes to a named volume is stopped, with its own signal and grace period,
//!   before it is removed.
//! - No secret's value is in a call, except in the one that delivers it, or in an event.
//! - A service that is replaced without a gap never has fewer ready containers than promised.
//! - A command in a container that a run cancelled was ended.
//! - A lock can be taken over: it has the name and labels by which the next run finds it, and never
//!   runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use bollard::models::EventMessage;

use super::call::Control;
use crate::engine::Call;
use crate::engine::sim::daemon::containers::{Container, Phase};
use crate::engine::sim::daemon::events::EventObserver;
use crate::engine::sim::daemon::state::State;
use crate::model::names::{compose_label, label, lock_container};
use crate::model::ownership::{Labels, set_at_create};
use crate::model::secret::Secrets;

/// A violated invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Virtual time since the start.
    pub at: Duration,
    /// The last call over the watched handle, made or about to be made: `container_start
    /// shop-db-1`.
    pub call: String,
    /// The problem, as a sentence.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:.3} s, {}: {}", self.at.as_secs_f64(), self.call, self.what)
    }
}

/// The settings of a test, and the violations.
#[derive(Default)]
pub(in crate::engine::sim) struct InvariantWatch {
    /// Objects that are not spc's may be adopted.
    pub adopts: bool,
    pub secrets: Secrets,
    /// Service → the number of containers that have to be ready, and whether this number was
    /// reached.
    pub ready: BTreeMap<String, (usize, bool)>,
    call: String,
    /// Reported once, however long it lasts.
    reported: BTreeSet<String>,
    pub found: Vec<Violation>,
}

impl InvariantWatch {
    /// From now on, `value` may not appear anywhere.
    pub fn keep_secret(&self, name: &str, value: &str) {
        // Its token is never used: the search is for the value.
        self.secrets.add(name, &format!("the value of {name}"), value);
    }

    pub fn report(&mut self, at: Duration, what: String) {
        if self.reported.insert(what.clone()) {
            self.found.push(Violation { at, call: self.call.clone(), what });
        }
    }

    /// A call over the watched handle is about to be made.
    pub(in crate::engine::sim) fn call(&mut self, state: &State, call: &Call<'_>) {
        let (method, target) = (call.method(), call.target());
        self.call =
            if target.is_empty() { method.to_string() } else { format!("{method} {target}") };
        let text = call.text();
        if self.secrets.mask(&text) != text {
            self.report(state.now, format!("the value of a secret is in a call of {method}"));
        }
        if let Some(what) = state.cut_off_writer(call) {
            self.report(state.now, what);
        }
        if !self.adopts
            && let Some(stranger) = state.stranger(call)
        {
            self.report(state.now, format!("{stranger} is not spc's, and is changed by {method}"));
        }
    }

    /// Something has happened.
    fn event(&mut self, state: &State, event: &EventMessage) {
        let shown = format!("{event:?}");
        if self.secrets.mask(&shown) != shown {
            self.report(
                state.now,
                format!(
                    "the value of a secret is in an event: {}",
                    event.action.as_deref().unwrap_or_default()
                ),
            );
        }
        for what in [state.second_writer(), self.too_few_ready(state), state.lost_lock()]
            .into_iter()
            .flatten()
        {
            self.report(state.now, what);
        }
    }

    /// A service with fewer ready containers than it has to have.
    fn too_few_ready(&mut self, state: &State) -> Option<String> {
        let mut counts: BTreeMap<String, usize> =
            self.ready.keys().map(|service| (service.clone(), 0)).collect();
        for container in
            state.objects.containers.values().filter(|container| state.is_ready(container))
        {
            if let Some(count) = container
                .labels
                .get(compose_label::SERVICE)
                .and_then(|service| counts.get_mut(service))
            {
                *count += 1;
            }
        }
        let mut missing = None;
        for (service, (least, reached)) in &mut self.ready {
            let count = counts.get(service).copied().unwrap_or_default();
            *reached |= count >= *least;
            if *reached && count < *least {
                missing = Some(format!("only {count} of \"{service}\" ready, {least} have to be"));
            }
        }
        missing
    }
}

impl EventObserver for Control {
    fn event(&self, state: &State, event: &EventMessage) {
        self.watch.lock().event(state, event);
    }

    fn last_call(&self) -> String {
        self.watch.lock().call.clone()
    }
}

pub(in crate::engine::sim) fn is_ours(labels: &BTreeMap<String, String>) -> bool {
    labels.contains_key(label::PROJECT)
}

impl State {
    /// The labels that were set when a container was created.
    pub(in crate::engine::sim) fn own_labels(&self, container: &Container) -> Labels {
        let image = self.objects.images.get(&container.image_id);
        let of_image = image.map(|image| {
            image
                .config
                .labels
                .iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        });
        set_at_create(&container.name, &container.labels, of_image.as_ref())
    }

    fn is_of_spc(&self, container: &Container) -> bool {
        is_ours(&self.own_labels(container))
    }

    /// A running container that the call would remove while it writes.
    fn cut_off_writer(&self, call: &Call<'_>) -> Option<String> {
        let Call::ContainerRemove { container, .. } = call else { return None };
        let container = self.objects.find_container(container).ok()?;
        let mut written = container
            .mounts
            .iter()
            .filter(|mount| mount.writable)
            .filter_map(|mount| mount.volume());
        let volume = written
            .find(|volume| !crate::engine::sim::daemon::ids::is_id(volume))
            .filter(|_| container.phase == Phase::Running)?;
        Some(format!(
            "the container \"{}\" writes to \"{volume}\", and is removed without a stop",
            container.name
        ))
    }

    /// An object without spc's label that the call would change.
    fn stranger(&self, call: &Call<'_>) -> Option<String> {
        let of_container = |name: &str| {
            let found = self
                .objects
                .find_container(name)
                .ok()
                .filter(|container| !self.is_of_spc(container))?;
            Some(format!("the container \"{}\"", found.name))
        };
        match call {
            Call::ContainerStart { container }
            | Call::ContainerStop { container, .. }
            | Call::ContainerRestart { container, .. }
            | Call::ContainerKill { container, .. }
            | Call::ContainerRename { container, .. }
            | Call::ContainerUpdate { container, .. }
            | Call::ContainerRemove { container, .. }
            | Call::ContainerUpload { container, .. }
            | Call::NetworkConnect { container, .. }
            | Call::NetworkDisconnect { container, .. } => of_container(container),
            Call::NetworkRemove { network } => {
                let network = self
                    .objects
                    .find_network(network)
                    .ok()
                    .filter(|network| !is_ours(&network.labels))?;
                Some(format!("the network \"{}\"", network.name))
            }
            Call::VolumeRemove { volume, .. } => {
                let volume =
                    self.objects.volumes.get(*volume).filter(|volume| !is_ours(&volume.labels))?;
                let mut used = self
                    .objects
                    .containers
                    .values()
                    .filter(|container| uses(container, &volume.name));
                let left = crate::engine::sim::daemon::ids::is_id(&volume.name)
                    && used.all(|container| self.is_of_spc(container));
                (!left).then(|| format!("the volume \"{}\"", volume.name))
            }
            Call::ImageRemove { image, .. } => {
                let image = self.objects.find_image(image).ok()?;
                let user = self
                    .objects
                    .containers
                    .values()
                    .find(|user| user.image_id == image.id && !self.is_of_spc(user))?;
                Some(format!("the image of the container \"{}\"", user.name))
            }
            _ => None,
        }
    }

    pub(in crate::engine::sim) fn running(&self) -> impl Iterator<Item = &Container> {
        self.objects.containers.values().filter(|container| container.phase == Phase::Running)
    }

    /// Whether its process is running: the engine reports its state later.
    fn is_ready(&self, container: &Container) -> bool {
        let since = container.started.unwrap_or(self.now);
        container.phase == Phase::Running
            && container.process.is_ready(self.now.saturating_sub(since))
    }

    /// A lock that the next run could not find, or that runs.
    fn lost_lock(&self) -> Option<String> {
        let (lock, labels) = self
            .objects
            .containers
            .values()
            .map(|container| (container, self.own_labels(container)))
            .find(|(_, labels)| labels.contains_key(label::LOCK))?;
        let project = labels.get(label::LOCK)?;
        if lock.name != lock_container(project) {
            return Some(format!("the lock of \"{project}\" is called \"{}\"", lock.name));
        }
        if labels.get(label::PROJECT) != Some(project) || !labels.contains_key(label::FORMAT) {
            return Some(format!("the lock of \"{project}\" lacks spc's labels: {labels:?}"));
        }
        (lock.phase != Phase::Created).then(|| format!("the lock of \"{project}\" was started"))
    }
}

fn uses(container: &Container, volume: &str) -> bool {
    container.mounts.iter().any(|mount| mount.volume() == Some(volume))
}
