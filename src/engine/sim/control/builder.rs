//! Sets up a simulated engine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::call::Control;
use super::seed::Snapshot;
use crate::engine::sim::SimEngine;
use crate::engine::sim::behaviour::build::{BuildScript, Builds};
use crate::engine::sim::behaviour::process::Process;
use crate::engine::sim::behaviour::processes::Processes;
use crate::engine::sim::behaviour::registry::Registry;
use crate::engine::sim::behaviour::requests::clients::Requests;
use crate::engine::sim::behaviour::traffic::Flow;
use crate::engine::sim::daemon::events::EventLog;
use crate::engine::sim::daemon::ids::Ids;
use crate::engine::sim::daemon::images::reference::Reference;
use crate::engine::sim::daemon::images::spec::ImageSpec;
use crate::engine::sim::daemon::ports::FIRST_FREE_PORT;
use crate::engine::sim::daemon::state::{Machine, Objects, SharedState, State};
use crate::engine::sim::daemon::timetable::{Timetable, keep_time};
use crate::engine::{ApiVersion, MINIMUM_API, RegistryAuth};
use crate::host::TaskExecutor;
use crate::host::sim::executor::{SimTaskExecutor, SplitMix64};

/// The initial state of a simulated engine.
#[must_use]
pub struct SimEngineBuilder {
    executor: Arc<SimTaskExecutor>,
    local: bool,
    state: State,
}

impl SimEngineBuilder {
    pub(in crate::engine::sim) fn new(executor: Arc<SimTaskExecutor>) -> Self {
        let seed = executor.random();
        let state = State {
            executor: executor.clone(),
            now: executor.now(),
            api: MINIMUM_API,
            up: true,
            life: 0,
            ids: Ids::new(seed),
            random: SplitMix64(seed),
            objects: Objects::default(),
            before: None,
            execs: BTreeMap::new(),
            on_exit: BTreeMap::new(),
            followers: Vec::new(),
            events: EventLog::default(),
            timetable: Timetable::default(),
            processes: Processes::default(),
            registry: Registry::default(),
            builds: Builds::default(),
            traffic: Flow::default(),
            requests: Requests::default(),
            machine: Machine { ports: BTreeSet::new(), has_path: Arc::new(|_| true) },
            next_port: FIRST_FREE_PORT,
            is_disk_full: false,
            observer: None,
        };
        Self { executor, local: true, state }
    }

    /// The API version; by default 1.41 (Docker 20.10). From 1.44 on it behaves as Docker 28.5.
    pub fn api_version(mut self, version: ApiVersion) -> Self {
        self.state.api = version;
        self
    }

    /// An engine on another machine, which can't mount paths of this one.
    pub fn remote(mut self) -> Self {
        self.local = false;
        self
    }

    /// The whole state of another engine.
    pub fn seeded(mut self, snapshot: &Snapshot) -> Self {
        self.state.seed(snapshot);
        self
    }

    /// An image on the engine.
    ///
    /// # Panics
    /// Panics if `name` is not an image name: a mistake of the test.
    #[expect(clippy::needless_pass_by_value, reason = "a description is written in place")]
    pub fn image(mut self, name: &str, spec: ImageSpec) -> Self {
        let name =
            Reference::parse(name).unwrap_or_else(|error| panic!("\"{name}\": {error}")).full();
        let image = self.state.image_of(&name, &spec);
        let id = image.id.clone();
        self.state.store_image(&id, Some(&name), |_| image);
        self
    }

    /// An image in the registry, with the duration of its pull. Without any, no registry answers.
    ///
    /// # Panics
    /// Panics if `name` is not an image name: a mistake of the test.
    #[expect(clippy::needless_pass_by_value, reason = "a description is written in place")]
    pub fn registry_image(mut self, name: &str, spec: ImageSpec, takes: Duration) -> Self {
        if let Err(error) = self.state.publish(name, &spec, takes) {
            panic!("\"{name}\": {error}");
        }
        self
    }

    /// A registry that answers and has no images yet.
    pub fn registry(mut self) -> Self {
        self.state.registry.answers = true;
        self
    }

    /// A registry with every image: each runs until it is stopped.
    pub fn open_registry(mut self) -> Self {
        self.state.registry.open = true;
        self.registry()
    }

    /// A registry that requires these credentials.
    pub fn registry_login(mut self, username: &str, password: &str) -> Self {
        self.state.registry.login = Some(RegistryAuth {
            username: username.to_owned(),
            password: password.to_owned(),
            ..RegistryAuth::default()
        });
        self.registry()
    }

    /// The behaviour of containers whose name, image, Compose service or command line matches
    /// `pattern` (`*` matches anything); the last match counts.
    pub fn process(mut self, pattern: &str, process: Process) -> Self {
        self.state.processes.add(pattern, process);
        self
    }

    /// The results of builds of images whose name matches `pattern` (`*` matches anything); the
    /// last match counts.
    pub fn on_build(mut self, pattern: &str, script: BuildScript) -> Self {
        self.state.builds.scripts.push((pattern.to_owned(), script));
        self
    }

    /// A TCP port on which another process of the machine listens.
    pub fn host_port(mut self, port: u16) -> Self {
        self.state.machine.ports.insert(port);
        self
    }

    /// The existing paths of the machine, for bind mounts; all by default.
    pub fn host_paths(mut self, has: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.state.machine.has_path = Arc::new(has);
        self
    }

    /// The engine, running.
    ///
    /// # Panics
    /// Never panics: the engine's own pools contain its own networks.
    pub fn build(mut self) -> SimEngine {
        if self.state.objects.networks.is_empty() {
            self.state
                .create_predefined_networks()
                .expect("the engine's own pools are free at the start");
        }
        let shared = Arc::new(SharedState::new(self.executor.clone(), self.state));
        let background = TaskExecutor::Sim(self.executor).spawn(keep_time(shared.clone()));
        SimEngine {
            shared,
            control: Arc::new(Control::default()),
            local: self.local,
            _background: Arc::new(background),
        }
    }
}
