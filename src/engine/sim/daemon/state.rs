//! The whole state of the engine, behind one lock that is never held over an await.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::{Mutex, MutexGuard};

use super::containers::{Containers, OnExit};
use super::events::{EventLog, EventObserver};
use super::exec::Exec;
use super::ids::Ids;
use super::images::Image;
use super::logs::Follower;
use super::networks::Network;
use super::timetable::{Purpose, Timetable};
use super::volumes::Volume;
use crate::engine::ApiVersion;
use crate::engine::sim::behaviour::build::Builds;
use crate::engine::sim::behaviour::process::Script;
use crate::engine::sim::behaviour::processes::Processes;
use crate::engine::sim::behaviour::registry::Registry;
use crate::engine::sim::behaviour::requests::clients::Requests;
use crate::engine::sim::behaviour::traffic::Flow;
use crate::host::sim::date;
use crate::host::sim::executor::{SimTaskExecutor, SplitMix64};

/// The content of the engine's lists.
#[derive(Clone, Default)]
pub(in crate::engine::sim) struct Objects {
    pub containers: Containers,
    /// By id.
    pub images: BTreeMap<String, Image>,
    /// By id.
    pub networks: BTreeMap<String, Network>,
    /// By name.
    pub volumes: BTreeMap<String, Volume>,
}

/// The rest of the engine's machine.
pub(in crate::engine::sim) struct Machine {
    /// TCP ports that processes other than containers listen on.
    pub ports: BTreeSet<u16>,
    /// Whether a path exists, for bind mounts.
    pub has_path: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

pub(in crate::engine::sim) struct State {
    pub executor: Arc<SimTaskExecutor>,
    /// Virtual time since the start of the simulation.
    pub now: Duration,
    pub api: ApiVersion,
    /// Whether the engine answers.
    pub up: bool,
    /// The number of restarts: work from before a restart is void.
    pub life: u64,
    pub ids: Ids,
    /// Decides about the order of simultaneous events.
    pub random: SplitMix64,
    pub objects: Objects,
    /// The objects before the last change, kept while a fault may need them.
    pub before: Option<Objects>,
    pub execs: BTreeMap<String, Exec>,
    /// Those who wait for a container's next exit.
    pub on_exit: BTreeMap<String, Vec<OnExit>>,
    pub followers: Vec<Follower>,
    pub events: EventLog,
    pub timetable: Timetable,
    pub processes: Processes,
    pub registry: Registry,
    pub builds: Builds,
    pub machine: Machine,
    pub traffic: Flow,
    pub requests: Requests,
    /// The next host port that the engine chooses.
    pub next_port: u16,
    /// Its disk is full.
    pub is_disk_full: bool,
    /// Gets every event when it happens.
    pub observer: Option<Arc<dyn EventObserver>>,
}

impl State {
    /// Wall-clock time.
    pub fn date(&self) -> DateTime<Utc> {
        date(self.now)
    }

    /// Runs `work` after `delay`, unless the engine was restarted meanwhile.
    pub fn after(
        &mut self,
        delay: Duration,
        purpose: Purpose,
        work: impl FnOnce(&mut State) -> Option<Script> + Send + 'static,
    ) {
        let life = self.life;
        let work = move |state: &mut State| if state.life == life { work(state) } else { None };
        self.timetable.add(self.now + delay, purpose, Box::new(work));
    }
}

/// The engine, shared by its handles.
pub(in crate::engine::sim) struct SharedState {
    pub executor: Arc<SimTaskExecutor>,
    state: Mutex<State>,
}

impl SharedState {
    pub fn new(executor: Arc<SimTaskExecutor>, state: State) -> Self {
        Self { executor, state: Mutex::new(state) }
    }

    /// The state after the last call; calls use [`SharedState::with`].
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Runs `work` on the current state.
    pub fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        self.advance();
        let (result, waker) = {
            let mut state = self.lock();
            let result = work(&mut state);
            (result, state.timetable.late_waker())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// Runs everything that has become due, in order, each at its own time.
    pub fn advance(&self) {
        let now = self.executor.now();
        loop {
            let script = {
                let mut state = self.lock();
                let Some((at, work)) = state.timetable.take_due(now) else {
                    state.run_requests(now);
                    state.now = state.now.max(now);
                    return;
                };
                state.run_requests(at);
                state.now = state.now.max(at);
                work(&mut state)
            };
            if let Some(script) = script {
                script.run(self);
            }
        }
    }
}
