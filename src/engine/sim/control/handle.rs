//! The interface of the simulated engine for tests: faults, kills, restarts, and its records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::EventMessage;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::fault::{CallSide, Fault, FaultEffect};
use super::invariants::Violation;
use super::snapshot::{EngineState, EventView};
use crate::engine::observer::Observer;
use crate::engine::sim::behaviour::build::BuildScript;
use crate::engine::sim::behaviour::process::Process;
use crate::engine::sim::behaviour::processes::{Names, UnusedBehaviour};
use crate::engine::sim::behaviour::requests::clients::{Clients, ReleaseAnswers, RequestReport};
use crate::engine::sim::behaviour::requests::proxy_fault::ProxyFault;
use crate::engine::sim::behaviour::traffic::Traffic;
use crate::engine::sim::daemon::containers::lifecycle::Exit;
use crate::engine::sim::daemon::images::reference::Reference;
use crate::engine::sim::daemon::images::spec::ImageSpec;
use crate::engine::sim::{SimEngine, SimEngineBuilder};
use crate::engine::{Engine, OutputKind, Result};
use crate::host::sim::executor::SimTaskExecutor;

/// The lost requests that a crash sweep shows for each kill.
const SHOWN_REQUESTS: usize = 3;

impl SimEngine {
    /// Sets up an engine in the virtual time of `executor`.
    pub fn builder(executor: Arc<SimTaskExecutor>) -> SimEngineBuilder {
        SimEngineBuilder::new(executor)
    }

    /// Sets the behaviour of containers that start from now on and whose name, image, Compose
    /// service or command line matches `pattern`.
    pub fn set_process(&self, pattern: &str, process: Process) {
        self.shared.with(|state| state.processes.add(pattern, process));
    }

    /// The behaviours that matched no container which was started since they were set.
    pub fn unused_processes(&self) -> Vec<UnusedBehaviour> {
        self.shared.with(|state| {
            let there: Vec<Names> = state.objects.containers.values().map(Names::of).collect();
            state.processes.unused(&there)
        })
    }

    /// Adds an image to the registry under this name.
    pub fn publish(&self, name: &str, spec: &ImageSpec, takes: Duration) -> Result<()> {
        self.shared.with(|state| state.publish(name, spec, takes))
    }

    /// Adds an image to the engine, without a pull.
    pub fn have_image(&self, name: &str, spec: &ImageSpec) -> Result<()> {
        let name = Reference::parse(name)?.full();
        self.shared.with(|state| {
            let image = state.image_of(&name, spec);
            let id = image.id.clone();
            state.store_image(&id, Some(&name), |_| image);
        });
        Ok(())
    }

    /// Removes the image with this name from the registry.
    pub fn withhold(&self, name: &str) -> Result<()> {
        let name = Reference::parse(name)?.full();
        self.shared.with(|state| state.registry.withhold(name));
        Ok(())
    }

    /// Sets whether a registry answers.
    pub fn set_registry(&self, answers: bool) {
        self.shared.with(|state| state.registry.answers = answers);
    }

    /// Sets the results of later builds of images whose name matches `pattern`.
    pub fn set_build(&self, pattern: &str, script: BuildScript) {
        self.shared.with(|state| state.builds.scripts.push((pattern.to_owned(), script)));
    }

    /// The requested builds: the pattern of each script, the image's name, and whether they match.
    pub fn builds_asked(&self) -> Vec<(String, String, bool)> {
        self.shared.with(|state| state.builds.asked.iter().cloned().collect())
    }

    /// Changes the content of a volume from outside. Returns whether the volume exists.
    pub fn change_volume(&self, name: &str) -> bool {
        self.shared.with(|state| {
            state.objects.volumes.get_mut(name).map(|volume| volume.writes += 1).is_some()
        })
    }

    /// Makes another process of the machine listen on a TCP port.
    pub fn take_port(&self, port: u16) {
        self.shared.with(|state| state.machine.ports.insert(port));
    }

    /// Makes it release the port.
    pub fn free_port(&self, port: u16) {
        self.shared.with(|state| state.machine.ports.remove(&port));
    }

    /// Sets the requests from now on. The lines of nginx about them are in the log of every
    /// container whose image is called `nginx` (without its registry and folders), if the log is
    /// read without following it.
    pub fn set_traffic(&self, traffic: Traffic) {
        self.shared.with(|state| state.set_traffic(traffic));
    }

    /// From now on these clients send requests, besides those that do so already.
    pub fn add_clients(&self, clients: Clients) {
        self.shared.with(|state| state.requests.add_clients(state.now, clients));
    }

    /// Sets how the containers of a release answer from now on.
    pub fn set_answers(&self, answers: ReleaseAnswers) {
        self.shared.with(|state| state.requests.add_answers(answers));
    }

    /// Makes a command of nginx fail.
    pub fn proxy_fault(&self, fault: ProxyFault) {
        self.shared.with(|state| state.requests.add_fault(fault));
    }

    /// What became of the clients' requests so far.
    pub fn requests(&self) -> RequestReport {
        self.shared.with(|state| state.requests.report().clone())
    }

    /// The lost requests as violations: the first ones.
    pub fn lost_requests(&self) -> Vec<Violation> {
        let report = self.requests();
        let shown = report.failures.iter().take(SHOWN_REQUESTS).map(|lost| {
            let what = format!("a request was lost: {}: {}", lost.container, lost.reason);
            Violation { at: lost.at, call: lost.during.clone(), what }
        });
        shown.collect()
    }

    /// The longest time that a request of a client takes; `None` without clients.
    pub fn longest_request(&self) -> Option<Duration> {
        self.shared.with(|state| state.requests.longest())
    }

    /// The release of each running container of a Compose service, in the order of creation: the
    /// label, else the tag of the image.
    pub fn releases(&self, service: &str) -> Vec<String> {
        self.shared.with(|state| state.releases(service))
    }

    /// Writes a line to a container's log.
    pub fn say(&self, container: &str, line: &str) -> Result<()> {
        self.shared.with(|state| {
            let id = state.container_id(container)?;
            state.log(&id, OutputKind::Stdout, &format!("{line}\n"));
            Ok(())
        })
    }

    /// Something waits for the end of a container: if it has no behaviour, its process ends soon
    /// with code 0.
    pub fn end_as_job(&self, container: &str) {
        self.shared.with(|state| state.end_as_job(container));
    }

    /// Whether a container's process is running.
    pub fn runs(&self, container: &str) -> bool {
        self.shared.with(|state| {
            state
                .objects
                .find_container(container)
                .is_ok_and(|found| state.runs(&found.id, found.starts))
        })
    }

    /// Ends a container's process with `code`, like a crash.
    pub fn end_process(&self, container: &str, code: i64) -> Result<()> {
        self.shared.with(|state| {
            let id = state.container_id(container)?;
            let starts = state.container(&id)?.starts;
            if state.runs(&id, starts) {
                state.exited(&id, Exit::code(code));
            }
            Ok(())
        })
    }

    /// The handle for spc: from now on [`invariants`](super::invariants) are checked, and
    /// violations are in [`SimEngine::violations`].
    pub fn watched(&self) -> Arc<dyn Engine> {
        self.shared.with(|state| state.observer = Some(self.control.clone()));
        let (shared, control) = (self.shared.clone(), self.control.clone());
        Arc::new(Observer::new(Arc::new(self.clone()), move |call| {
            shared.with(|state| control.watch.lock().call(state, call));
            Ok(())
        }))
    }

    /// This value may be only in the call that delivers it, and in no event. Values of fewer than
    /// four letters are not searched.
    pub fn keep_secret(&self, name: &str, value: &str) {
        self.shared.with(|_| self.control.watch.lock().keep_secret(name, value));
    }

    /// Once this many containers of the Compose service are ready, there must never be fewer.
    pub fn keep_ready(&self, service: &str, least: usize) {
        let least = (least, false);
        self.shared.with(|_| self.control.watch.lock().ready.insert(service.to_owned(), least));
    }

    /// Objects without spc's label may be adopted.
    pub fn allow_adoption(&self) {
        self.shared.with(|_| self.control.watch.lock().adopts = true);
    }

    /// The violated invariants, in order; each reported once.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.with(|state| {
            let mut watch = self.control.watch.lock();
            for (command, container) in state.given_up_execs() {
                watch.report(state.now, format!("the command \"{command}\" was given up, and goes on in the container \"{container}\""));
            }
            watch.found.clone()
        })
    }

    /// Adds one fault.
    pub fn fault(&self, fault: Fault) {
        self.shared.with(|_| self.control.calls.lock().faults.add(fault));
    }

    /// From now on every call has one of `effects` with the probability `rate` (0 to 1), as `seed`
    /// decides. A call gets only effects that it can have: those for a list, a stream, or a change.
    pub fn draw_faults(&self, seed: u64, rate: f64, effects: &[FaultEffect]) {
        self.shared.with(|_| self.control.calls.lock().faults.draw(seed, rate, effects));
    }

    /// Fills the engine's disk, or frees it. On a full disk, calls that need space fail, and calls
    /// that end and remove containers work.
    pub fn set_disk_full(&self, is_full: bool) {
        self.shared.with(|state| state.is_disk_full = is_full);
    }

    /// Removes all faults, except a kill that was set.
    pub fn clear_faults(&self) {
        self.shared.with(|_| self.control.calls.lock().faults.clear());
    }

    /// Kills the run at the nth call from now (1 is the next): this call and all later ones return
    /// [`Unreachable`](crate::engine::EngineErrorKind::Unreachable), all streams break, and
    /// [`SimEngine::crashed`] is cancelled. The engine itself continues.
    pub fn crash_at(&self, call: u64, when: CallSide) {
        self.shared.with(|_| self.control.calls.lock().faults.crash_at(call, when));
    }

    /// The same at its first call after this time from now, before the engine gets the call.
    pub fn crash_after(&self, time: Duration) {
        self.shared.with(|state| {
            let from = state.now + time;
            self.control.calls.lock().faults.crash_from(from);
        });
    }

    /// Cancelled at the next kill; call this before it.
    pub fn crashed(&self) -> CancellationToken {
        self.control.calls.lock().crashed.clone()
    }

    /// After a kill: the engine accepts calls of the next run. A kill that did not happen is
    /// cancelled.
    pub fn recover(&self) {
        self.shared.with(|_| self.control.calls.lock().recover());
    }

    /// Restarts the engine, which is away for `down`. Running calls and streams break, containers
    /// end, and those with such a restart policy start again.
    pub fn restart(&self, down: Duration) {
        self.shared.with(|state| state.restart(down));
    }

    /// The current state of all objects.
    pub fn state(&self) -> EngineState {
        self.shared.with(|state| state.snapshot())
    }

    /// A file, as a process in the container sees it.
    pub fn file(&self, container: &str, path: &str) -> Option<Bytes> {
        self.shared.with(|state| state.seen_file(container, path))
    }

    /// The calls made so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.with(|_| self.control.calls.lock().made.clone())
    }

    /// Every event so far, in order.
    pub fn past_events(&self) -> Vec<EventMessage> {
        self.shared.with(|state| state.events.past().to_vec())
    }

    /// Every event so far as data, in order.
    pub fn event_views(&self) -> Vec<EventView> {
        self.shared.with(|state| state.events.past().iter().map(EventView::of).collect())
    }

    /// The name of every container and network when it was created, by its id; also of removed
    /// ones.
    pub fn names(&self) -> BTreeMap<String, String> {
        let name = |event: &EventMessage| {
            let actor =
                event.actor.as_ref().filter(|_| event.action.as_deref() == Some("create"))?;
            Some((actor.id.clone()?, actor.attributes.as_ref()?.get("name")?.clone()))
        };
        self.shared.with(|state| state.events.past().iter().filter_map(name).collect())
    }

    /// Every event so far, one line each: seconds, type, action, name, exit code.
    pub fn event_trace(&self) -> Vec<String> {
        self.shared.with(|state| state.event_trace())
    }
}
