//! The simulated engine from outside the port: faults, crashes, restarts, and what was seen.

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
use crate::engine::sim::behaviour::traffic::Traffic;
use crate::engine::sim::daemon::containers::lifecycle::Exit;
use crate::engine::sim::daemon::images::reference::Reference;
use crate::engine::sim::daemon::images::spec::ImageSpec;
use crate::engine::sim::{SimEngine, SimEngineBuilder};
use crate::engine::{Engine, OutputKind, Result};
use crate::host::sim::executor::SimTaskExecutor;

impl SimEngine {
    /// Sets up an engine in the virtual time of `executor`.
    pub fn builder(executor: Arc<SimTaskExecutor>) -> SimEngineBuilder {
        SimEngineBuilder::new(executor)
    }

    /// Containers started from now on whose name, image, Compose service or command line is
    /// `pattern` behave so.
    pub fn set_process(&self, pattern: &str, process: Process) {
        self.shared.with(|state| state.processes.add(pattern, process));
    }

    /// The behaviours that no container had which was started since they were given.
    pub fn unused_processes(&self) -> Vec<UnusedBehaviour> {
        self.shared.with(|state| {
            let there: Vec<Names> = state.objects.containers.values().map(Names::of).collect();
            state.processes.unused(&there)
        })
    }

    /// From now on the registry has this image under this name.
    pub fn publish(&self, name: &str, spec: &ImageSpec, takes: Duration) -> Result<()> {
        self.shared.with(|state| state.publish(name, spec, takes))
    }

    /// From now on the engine has this image, without a pull.
    pub fn have_image(&self, name: &str, spec: &ImageSpec) -> Result<()> {
        let name = Reference::parse(name)?.full();
        self.shared.with(|state| {
            let image = state.image_of(&name, spec);
            let id = image.id.clone();
            state.store_image(&id, Some(&name), |_| image);
        });
        Ok(())
    }

    /// From now on the registry has no image of this name.
    pub fn withhold(&self, name: &str) -> Result<()> {
        let name = Reference::parse(name)?.full();
        self.shared.with(|state| state.registry.withhold(name));
        Ok(())
    }

    /// From now on a registry answers, or none.
    pub fn set_registry(&self, answers: bool) {
        self.shared.with(|state| state.registry.answers = answers);
    }

    /// Builds from now on of images whose name is `pattern` go so.
    pub fn set_build(&self, pattern: &str, script: BuildScript) {
        self.shared.with(|state| state.builds.scripts.push((pattern.to_owned(), script)));
    }

    /// What was to be built: the pattern of each script, the image's name, and whether the two fit.
    pub fn builds_asked(&self) -> Vec<(String, String, bool)> {
        self.shared.with(|state| state.builds.asked.iter().cloned().collect())
    }

    /// Somebody changes the content of a volume; whether it is there.
    pub fn change_volume(&self, name: &str) -> bool {
        self.shared.with(|state| {
            state.objects.volumes.get_mut(name).map(|volume| volume.writes += 1).is_some()
        })
    }

    /// Another process of the machine listens on a TCP port now.
    pub fn take_port(&self, port: u16) {
        self.shared.with(|state| state.machine.ports.insert(port));
    }

    /// It no longer does.
    pub fn free_port(&self, port: u16) {
        self.shared.with(|state| state.machine.ports.remove(&port));
    }

    /// From now on these requests are made. What nginx writes of them is in the log of every
    /// container whose image is called `nginx` (its registry and folders aside), for who reads
    /// that without following it.
    pub fn set_traffic(&self, traffic: Traffic) {
        self.shared.with(|state| state.set_traffic(traffic));
    }

    /// The release of each running container of a Compose service, in the order they were created:
    /// the label, else the tag of the image.
    pub fn releases(&self, service: &str) -> Vec<String> {
        self.shared.with(|state| state.releases(service))
    }

    /// A container writes a line to its log.
    pub fn say(&self, container: &str, line: &str) -> Result<()> {
        self.shared.with(|state| {
            let id = state.container_id(container)?;
            state.log(&id, OutputKind::Stdout, &format!("{line}\n"));
            Ok(())
        })
    }

    /// Somebody waits for the end of a container: if no behaviour was set for it, its process ends
    /// with code 0 in a moment.
    pub fn end_as_job(&self, container: &str) {
        self.shared.with(|state| state.end_as_job(container));
    }

    /// Whether a container's process runs.
    pub fn runs(&self, container: &str) -> bool {
        self.shared.with(|state| {
            state
                .objects
                .find_container(container)
                .is_ok_and(|found| state.runs(&found.id, found.starts))
        })
    }

    /// A container's process ends by itself with `code`, as a crash does.
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

    /// The handle that spc has: what never may be (see [`invariants`](super::invariants)) is
    /// watched from now on, and found in [`SimEngine::violations`].
    pub fn watched(&self) -> Arc<dyn Engine> {
        self.shared.with(|state| state.observer = Some(self.control.clone()));
        let (shared, control) = (self.shared.clone(), self.control.clone());
        Arc::new(Observer::new(Arc::new(self.clone()), move |call| {
            shared.with(|state| control.watch.lock().call(state, call));
            Ok(())
        }))
    }

    /// This value may be in no call but the one that delivers it, and in no event. Values of fewer
    /// than four letters are not looked for.
    pub fn keep_secret(&self, name: &str, value: &str) {
        self.shared.with(|_| self.control.watch.lock().keep_secret(name, value));
    }

    /// Once so many containers of the Compose service are ready, never fewer may be.
    pub fn keep_ready(&self, service: &str, least: usize) {
        let least = (least, false);
        self.shared.with(|_| self.control.watch.lock().ready.insert(service.to_owned(), least));
    }

    /// What does not carry spc's label may be taken over.
    pub fn allow_adoption(&self) {
        self.shared.with(|_| self.control.watch.lock().adopts = true);
    }

    /// What never may be, and was, in order; each told once.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.with(|state| {
            let mut watch = self.control.watch.lock();
            for (command, container) in state.given_up_execs() {
                watch.report(state.now, format!("the command \"{command}\" was given up, and goes on in the container \"{container}\""));
            }
            watch.found.clone()
        })
    }

    /// One thing that is to go wrong.
    pub fn fault(&self, fault: Fault) {
        self.shared.with(|_| self.control.calls.lock().faults.add(fault));
    }

    /// From now on every call meets one of `effects` with the probability `rate` (0 to 1), as
    /// `seed` decides; an effect only such calls as it can befall: a list, a stream, a change.
    pub fn draw_faults(&self, seed: u64, rate: f64, effects: &[FaultEffect]) {
        self.shared.with(|_| self.control.calls.lock().faults.draw(seed, rate, effects));
    }

    /// From now on the engine's disk is full, or is not: what needs space fails, what ends and
    /// removes containers works.
    pub fn set_disk_full(&self, is_full: bool) {
        self.shared.with(|state| state.is_disk_full = is_full);
    }

    /// Nothing goes wrong any more, but for a crash that was ordered.
    pub fn clear_faults(&self) {
        self.shared.with(|_| self.control.calls.lock().faults.clear());
    }

    /// At the nth call from now (1 is the next) the run is dead to the engine: that call and
    /// all after it answer [`Unreachable`](crate::engine::EngineErrorKind::Unreachable), all
    /// streams break, and [`SimEngine::crashed`] is cancelled. The engine itself goes on.
    pub fn crash_at(&self, call: u64, when: CallSide) {
        self.shared.with(|_| self.control.calls.lock().faults.crash_at(call, when));
    }

    /// Cancelled at the crash to come; ask for it before.
    pub fn crashed(&self) -> CancellationToken {
        self.control.calls.lock().crashed.clone()
    }

    /// After a crash: the engine answers again, to the next run. A crash that did not come is
    /// called off.
    pub fn recover(&self) {
        self.shared.with(|_| self.control.calls.lock().recover());
    }

    /// The engine restarts and is away for `down`. Calls under way and streams break, containers
    /// end, and those whose policy says so are started again.
    pub fn restart(&self, down: Duration) {
        self.shared.with(|state| state.restart(down));
    }

    /// All objects as they are now.
    pub fn state(&self) -> EngineState {
        self.shared.with(|state| state.snapshot())
    }

    /// A file as a process in the container sees it.
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

    /// What every container and network was called when it was made, by its id: those that are gone
    /// too.
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
