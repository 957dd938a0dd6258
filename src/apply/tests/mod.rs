//! The verbs on the simulated engine, in virtual time.

mod beside;
mod build_labels;
mod crash;
mod exec_end;
mod faults;
mod final_check;
mod formats;
mod full_disk;
mod hand_over;
mod images;
mod in_use;
mod inherited;
mod interrupt;
mod killed;
mod lifecycle;
mod lock;
mod log_drivers;
mod logs;
mod moved_project;
mod names;
mod objects;
mod one_offs;
mod one_storage;
mod orphan_networks;
mod ownership;
mod passed_on;
mod ports;
mod property;
mod readiness;
mod reads;
mod record_files;
mod releases;
mod replacement;
mod restarts;
mod same_meaning;
mod secret_readback;
mod secrets;
mod start_ports;
mod trace;
mod up;
mod update;
mod verify;
mod waits;
mod writers;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::records;
use super::verbs::{self, Outcome, UpOptions};
use super::{ProjectSettings, RunContext, VerbContext};
use crate::engine::sim::{Call, EngineState, ImageSpec, Process, SimEngine, SimEngineBuilder};
use crate::host::resolve::resolve;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::host::{Host, TaskExecutor};
use crate::model::event::{Event, Sink};
use crate::model::names::{compose_label, label, lock_container};
use crate::model::observed_state::ObservedState;
use crate::model::reconcile::DownOptions;
use crate::model::secret::Secrets;
use crate::model::spec::{Project, ReadOptions};
use crate::model::{Failure, Kind};
use crate::policy::{CheckedPath, Policy};

pub(super) const PROJECT: &str = "shop";
const DIRECTORY: &str = "/project";

/// The reports of a run.
#[derive(Default)]
pub(super) struct EventRecorder(Mutex<Vec<Event>>);

impl Sink for EventRecorder {
    fn event(&self, event: &Event) {
        self.0.lock().push(event.clone());
    }
}

/// A machine: an engine, files that outlive a run, and time.
pub(super) struct Machine {
    pub executor: Arc<SimTaskExecutor>,
    pub engine: SimEngine,
    pub host: Arc<SimHost>,
    pub seen: Arc<EventRecorder>,
    pub environment: BTreeMap<String, String>,
}

/// A machine with the images of [`shop`], whose processes take a while to become ready.
pub(super) fn machine() -> Machine {
    machine_with(1, |builder| builder)
}

pub(super) fn machine_with(
    seed: u64,
    setup: impl FnOnce(SimEngineBuilder) -> SimEngineBuilder,
) -> Machine {
    let executor = SimTaskExecutor::new(seed);
    let builder = SimEngine::builder(executor.clone())
        .image("db:1", ImageSpec::command(&["postgres"]))
        .image("redis:1", ImageSpec::command(&["redis-server"]))
        .image("web:1", ImageSpec::command(&["serve"]).with_port("8000/tcp"))
        .image("job:1", ImageSpec::command(&["migrate"]))
        .process("db", Process::new().ready_after(millis(700)).writes("/data"))
        .process("redis", Process::new().ready_after(millis(100)))
        .process("web", Process::new().ready_after(millis(300)).says(millis(10), "serving"))
        .process("migrate", Process::new().exits_after(millis(200), 0));
    Machine {
        engine: setup(builder).build(),
        host: Arc::new(SimHost::new(executor.clone())),
        executor,
        seen: Arc::default(),
        environment: BTreeMap::from([("TOKEN".to_owned(), "a secret value".to_owned())]),
    }
}

/// db with a volume, redis, and web, which depends on both, with a job in between.
pub(super) fn shop() -> Value {
    json!({
        "services": {
            "db": {"image": "db:1", "volumes": ["data:/data"], "healthcheck": check("pg_isready"), "environment": {"LEVEL": "1"}, "restart": "unless-stopped"},
            "redis": {"image": "redis:1", "healthcheck": check("redis-cli ping"), "restart": "unless-stopped"},
            "migrate": {"image": "job:1", "depends_on": {"db": {"condition": "service_healthy"}}},
            "web": {
                "image": "web:1",
                "ports": ["8000:8000"],
                "networks": ["back", "front"],
                "secrets": ["token"],
                "read_only": true,
                "healthcheck": check("curl"),
                "restart": "unless-stopped",
                "depends_on": {
                    "migrate": {"condition": "service_completed_successfully"},
                    "redis": {"condition": "service_started"},
                },
            },
        },
        "networks": {"front": {}, "back": {}},
        "volumes": {"data": {}},
        "secrets": {"token": {"environment": "TOKEN"}},
    })
}

/// A check that the engine itself runs only after ten seconds.
pub(super) fn check(test: &str) -> Value {
    json!({"test": test, "interval": "10s", "timeout": "5s", "retries": 3})
}

/// The same description with another value at `path`: `services.db.environment.LEVEL`.
pub(super) fn with(mut description: Value, path: &str, value: impl Into<Value>) -> Value {
    let pointer = format!("/{}", path.replace('.', "/"));
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    description.pointer_mut(parent).unwrap()[key] = value.into();
    description
}

pub(super) fn millis(time: u64) -> Duration {
    Duration::from_millis(time)
}

pub(super) fn secs(time: u64) -> Duration {
    Duration::from_secs(time)
}

pub(super) fn project(description: &Value) -> Project {
    let options = ReadOptions { directory: Path::new(DIRECTORY), lookup: &|_| None };
    Project::read(PROJECT, description, &options).unwrap()
}

impl Drop for Machine {
    /// No test violated an invariant.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let found: Vec<String> =
                self.engine.violations().iter().map(ToString::to_string).collect();
            assert!(found.is_empty(), "{}", found.join("\n"));
            let reported = self.reported();
            for (name, value) in &self.environment {
                assert!(
                    !reported.contains(value),
                    "the value of {name} was reported or recorded: {reported}"
                );
            }
        }
    }
}

impl Machine {
    /// The context of a new run, which knows only the state of the machine.
    pub fn ctx(&self) -> VerbContext {
        for (name, value) in &self.environment {
            self.engine.keep_secret(name, value);
        }
        let executor = TaskExecutor::Sim(self.executor.clone());
        let project = ProjectSettings {
            directory: DIRECTORY.into(),
            environment: self.environment.clone(),
            ..ProjectSettings::default()
        };
        let run = RunContext {
            id: records::new_run(&*self.host),
            ..RunContext::new(self.host.clone(), executor, self.seen.clone(), project)
        };
        VerbContext::new(Arc::new(run), self.engine.watched(), CancellationToken::new(), None)
    }

    pub fn run<F: Future>(&self, future: F) -> F::Output {
        TaskExecutor::Sim(self.executor.clone()).block_on(future)
    }

    /// Lets virtual time pass.
    pub fn pass(&self, time: Duration) {
        self.run(self.executor.sleep(time));
    }

    pub fn up(&self, description: &Value) -> Result<Outcome, Failure> {
        self.up_with(description, &UpOptions::default())
    }

    pub fn up_with(&self, description: &Value, options: &UpOptions) -> Result<Outcome, Failure> {
        if options.adopt {
            self.engine.allow_adoption();
        }
        self.run(verbs::up(&self.ctx(), &project(description), options))
    }

    /// Brings it up while `other` happens; both to their ends.
    pub fn up_while<T>(
        &self,
        ctx: &VerbContext,
        description: &Value,
        other: impl Future<Output = T>,
    ) -> (Result<Outcome, Failure>, T) {
        let (project, options) = (project(description), UpOptions::default());
        self.run(futures::future::join(verbs::up(ctx, &project, &options), other))
    }

    pub fn down(&self, volumes: bool) -> Result<Outcome, Failure> {
        self.run(verbs::down(&self.ctx(), PROJECT, DownOptions { volumes, adopt: false }))
    }

    /// Waits for `work` as a run that is killed where a fault of the engine crashes it; nothing if
    /// it was.
    pub fn killed<F: Future>(&self, work: F) -> Option<F::Output> {
        let crashed = self.engine.crashed();
        self.run(async {
            futures::select_biased! {
                () = Box::pin(crashed.cancelled()).fuse() => None,
                output = Box::pin(work).fuse() => Some(output),
            }
        })
    }

    /// All that runs reported, and kept in the project directory.
    pub fn reported(&self) -> String {
        fn files(machine: &Machine, folder: &CheckedPath, text: &mut String) {
            for entry in machine.host.list(folder).unwrap_or_default() {
                let path = folder.join(&entry.name);
                match machine.host.read(&path) {
                    Ok(content) => *text += &String::from_utf8_lossy(&content),
                    Err(_) => files(machine, &path, text),
                }
            }
        }
        let events = self.seen.0.lock();
        let mut text: String =
            events.iter().filter_map(|event| serde_json::to_string(event).ok()).collect();
        files(self, &CheckedPath::root_itself("/project/.spc"), &mut text);
        text
    }

    pub fn state(&self) -> EngineState {
        self.engine.state()
    }

    /// The calls from the nth on.
    pub fn calls_from(&self, first: usize) -> Vec<Call> {
        self.engine.calls().split_off(first)
    }

    pub fn calls(&self) -> usize {
        self.engine.calls().len()
    }

    /// The events of containers, networks and volumes from the nth event on, such as `start
    /// shop-db-1`. Excludes execs and health checks.
    pub fn happened_from(&self, first: usize) -> Vec<String> {
        const TOLD: [&str; 10] = [
            "create",
            "start",
            "die",
            "stop",
            "destroy",
            "rename",
            "restart",
            "oom",
            "connect",
            "disconnect",
        ];
        let words = |line: &String| {
            let mut words = line.split(' ').skip(1);
            let (kind, action, name) = (words.next()?, words.next()?, words.next()?);
            let reported =
                TOLD.contains(&action) && (kind == "container" || !action.ends_with("connect"));
            reported.then(|| format!("{action} {name}"))
        };
        self.engine.event_trace()[first..].iter().filter_map(words).collect()
    }

    pub fn events(&self) -> usize {
        self.engine.past_events().len()
    }

    /// When an event first came: `start shop-db-1`.
    pub fn when(&self, what: &str) -> Duration {
        let trace = self.engine.event_trace();
        let line = trace.iter().find(|line| {
            line.split_once(' ').is_some_and(|(_, rest)| {
                format!("{rest} ").starts_with(&format!("container {what} "))
            })
        });
        let line =
            line.unwrap_or_else(|| panic!("\"{what}\" did not happen:\n{}", trace.join("\n")));
        Duration::from_secs_f64(line.split(' ').next().unwrap().parse().unwrap())
    }

    /// The log messages, in order.
    pub fn logged(&self) -> Vec<String> {
        let text = |event: &Event| {
            if let Event::Log { text, .. } = event { Some(text.clone()) } else { None }
        };
        self.seen.0.lock().iter().filter_map(text).collect()
    }

    /// The state of the project: everything that a run can leave behind, without details that
    /// differ from run to run.
    pub fn footprint(&self) -> Footprint {
        let state = self.state();
        let plain = |source: &str| {
            if super::observe::is_anonymous(source) {
                "anonymous".to_owned()
            } else {
                source.to_owned()
            }
        };
        let containers = state.containers.iter().map(|container| {
            let networks = container
                .networks
                .iter()
                .map(|(name, endpoint)| format!("{name} {:?}", endpoint.aliases));
            let mounts = container.mounts.iter().map(|mount| {
                format!("{} at {} ro={}", plain(&mount.source), mount.destination, mount.read_only)
            });
            let wanted =
                [label::HASH, label::SECRETS, label::SERVICE, compose_label::CONTAINER_NUMBER];
            let labels = wanted.iter().filter_map(|name| container.labels.get(*name)).cloned();
            let facts = networks
                .chain(mounts)
                .chain(labels)
                .chain(container.ports.iter().map(|port| fixed_port(port)));
            (container.name.clone(), (container.state.to_owned(), facts.collect()))
        });
        let anonymous = state
            .volumes
            .iter()
            .filter(|volume| super::observe::is_anonymous(&volume.name))
            .count();
        Footprint {
            containers: containers.filter(|(name, _)| *name != lock_container(PROJECT)).collect(),
            networks: state.networks.iter().map(|network| network.name.clone()).collect(),
            volumes: state
                .volumes
                .iter()
                .map(|volume| volume.name.clone())
                .filter(|name| !super::observe::is_anonymous(name))
                .collect(),
            anonymous,
            locked: state.container(&lock_container(PROJECT)).is_some(),
        }
    }
}

/// `8000->80/tcp`, the port left out where the engine chose it.
fn fixed_port(port: &str) -> String {
    let (published, inside) = port.split_once("->").unwrap();
    let chosen = published
        .rsplit(':')
        .next()
        .and_then(|number| number.parse().ok())
        .is_some_and(|number: u16| number >= 32_768);
    if chosen { format!("any->{inside}") } else { port.to_owned() }
}

/// The objects of a project on the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Footprint {
    /// Name → state and configuration.
    pub containers: BTreeMap<String, (String, Vec<String>)>,
    pub networks: BTreeSet<String>,
    pub volumes: BTreeSet<String>,
    /// How many anonymous volumes there are.
    pub anonymous: usize,
    pub locked: bool,
}

/// Asserts that no two running containers ever wrote to the same volume. Volumes named `…_shared`
/// don't count.
pub(super) fn one_writer_each(state: &EngineState) {
    for volume in state.volumes.iter().filter(|volume| !volume.name.ends_with("_shared")) {
        assert!(
            volume.most_writers <= 1,
            "{} containers wrote to {}",
            volume.most_writers,
            volume.name
        );
    }
}
