//! The engine of a plan: a simulated engine that begins with the live engine's state.
//!
//! The plan reads from the live engine what it needs, and never changes it. Changes are reported to
//! [`Effects`] and made on the simulated engine, so that later steps see them.

mod calls;
mod download;
mod live_command;
mod live_engine;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bollard::models;
use futures::stream::{self, StreamExt};
use parking_lot::Mutex;

use self::live_command::LiveCommand;
pub use self::live_command::{is_any_running, kill_running};
pub use self::live_engine::{LiveEngine, OnWait, connecting};
use super::exec_end::StartedCommand;
use super::sim::{SimEngine, Snapshot};
use super::{
    BuildEvent, Engine, EngineError, EngineErrorKind, ExecRequest, ExecSession, ExecState, Result,
    exec_processes,
};
use crate::host::memory::LARGEST_VALUE;
use crate::host::sim::executor::SimTaskExecutor;
use crate::model::names::{compose_label, is_anonymous_volume, locked_project};
use crate::model::step::{ActionKind, Object};
use crate::policy::settings::READ_ONLY_EXECS;

/// The assumed result of a command that does not run.
pub const SILENT_SUCCESS: &str = "exit code 0, no output";

/// Receives the effects of the task on this thread.
pub trait Effects: Send + Sync {
    /// One change of the engine. Returns its number, or `None` if it belongs to a plan that was
    /// already recorded as a whole.
    fn effect(&self, action: ActionKind, object: &Object) -> Option<usize>;
    /// A change whose answer comes from outside: the source of the answer, and the assumption.
    fn answer_unknown(&self, step: Option<usize>, source: String, assumed: &'static str);
    /// The script gets an unknown answer.
    fn assume(&self, source: &str, assumed: &str);
    /// A read-only command really runs, so its answer is known.
    fn answer_known(&self, action: ActionKind, object: &Object);
    /// A note, once.
    fn note(&self, text: &str);
    /// Something that the plan can't predict, and why. The plan continues.
    fn unclear(&self, what: &str);
    /// The image with this name is unknown until this step.
    fn image_unknown(&self, image: &str, step: usize);
    /// The simulation invented an id for the image with this name.
    fn invented_image(&self, id: &str, image: &str);
    /// The simulation invented an id, or a name, of something in this new container or network.
    fn invented(&self, id: &str, object: &Object);
    /// A container would be created from an image.
    fn created_from(&self, container: &str, image: &str, id: Option<String>);
}

/// The engine of a plan; see the module.
pub struct DryRunEngine {
    sim: SimEngine,
    live: LiveEngine,
    address: String,
    effects: Arc<dyn Effects>,
    found: LiveAnswers,
    state: Mutex<State>,
}

/// Answers of the live engine about objects that the plan has not changed.
struct LiveAnswers {
    containers: BTreeMap<String, models::ContainerSummary>,
    networks: BTreeMap<String, models::Network>,
    volumes: BTreeMap<String, models::Volume>,
    images: BTreeMap<String, models::ImageSummary>,
}

#[derive(Default)]
struct State {
    /// Inspected containers, by id.
    containers: BTreeMap<String, models::ContainerInspectResponse>,
    /// Inspected images, by id.
    images: BTreeMap<String, models::ImageInspect>,
    /// Containers that the plan changed, by id.
    changed: BTreeSet<String>,
    /// Volumes that the plan removed, by name.
    removed: BTreeSet<String>,
    /// Results of commands that the live engine ran, by the exec's id.
    execs: BTreeMap<String, ExecState>,
    /// The marks of the processes of such commands.
    live_marks: BTreeSet<String>,
    /// The first requested object of the snapshot that no longer exists on the live engine: `the
    /// container web`.
    gone: Option<String>,
}

impl DryRunEngine {
    /// The engine of a plan, from a snapshot of the live one.
    pub fn new(
        executor: Arc<SimTaskExecutor>,
        live: LiveEngine,
        effects: Arc<dyn Effects>,
        snapshot: Snapshot,
    ) -> Self {
        let sim = SimEngine::builder(executor).open_registry().seeded(&snapshot);
        let sim = if live.engine.is_local() { sim } else { sim.remote() }.build();
        let of = |id: &Option<String>| id.clone().unwrap_or_default();
        Self {
            sim,
            address: live.engine.address().to_owned(),
            live,
            effects,
            found: LiveAnswers {
                containers: snapshot.containers.into_iter().map(|it| (of(&it.id), it)).collect(),
                networks: snapshot.networks.into_iter().map(|it| (of(&it.id), it)).collect(),
                volumes: snapshot.volumes.into_iter().map(|it| (it.name.clone(), it)).collect(),
                images: snapshot.images.into_iter().map(|it| (it.id.clone(), it)).collect(),
            },
            state: Mutex::default(),
        }
    }

    /// Assumes that a job which something waits for ends well. Returns its name, unless it had
    /// already ended.
    pub fn complete(&self, container: &str) -> Option<String> {
        // Also for a job that failed and is about to restart.
        self.sim.readiness(container)?;
        // If it can't be inspected, the wait reports that.
        let name = self.touch(container).ok()??;
        self.sim
            .expect_ready(container)
            .and_then(|()| self.sim.end_process(container, 0))
            .ok()
            .map(|()| name)
    }

    /// Assumes that a running container which something waits for becomes ready. Returns its name,
    /// unless it was ready. Its current state does not predict what a run would see: it may be
    /// restarting, or temporarily unhealthy.
    pub fn get_ready(&self, container: &str) -> Option<String> {
        let was_ready = self.sim.readiness(container)?;
        // If it can't be inspected, the wait reports that.
        let name = self.touch(container).ok()??;
        self.sim.expect_ready(container).ok().filter(|()| !was_ready).map(|()| name)
    }

    /// An object of the snapshot that was removed from the live engine before the plan knew all
    /// about it. The plan since then is not reliable.
    pub fn gone(&self) -> Option<String> {
        self.state.lock().gone.clone()
    }

    fn missed(&self, what: &str, error: &EngineError) {
        if error.is_not_found() {
            self.state.lock().gone.get_or_insert_with(|| what.to_owned());
        }
    }

    /// The name of a container whose files and log are unknown, because the plan created or changed
    /// it.
    pub fn unknown(&self, container: &str) -> Option<String> {
        let (_, name) = self.sim.who_is(container)?;
        self.as_found(container).is_none().then_some(name)
    }

    /// The id of a container that the plan has not changed.
    fn as_found(&self, container: &str) -> Option<String> {
        let (id, _) = self.sim.who_is(container)?;
        (self.found.containers.contains_key(&id) && !self.state.lock().changed.contains(&id))
            .then_some(id)
    }

    /// Everything that is known about a container of the snapshot.
    fn meet(&self, id: &str) -> Result<models::ContainerInspectResponse> {
        if let Some(known) = self.state.lock().containers.get(id) {
            return Ok(known.clone());
        }
        let what = format!("the container {}", self.name_of(id));
        let found = self
            .live
            .ask(&what, self.live.engine.container_inspect(id))
            .inspect_err(|error| self.missed(&what, error))?;
        self.sim.learn_container(found.clone());
        self.state.lock().containers.insert(id.to_owned(), found.clone());
        Ok(found)
    }

    /// Call this before a container is changed: loads everything about it. Returns its name, or
    /// `None` if it does not exist.
    fn touch(&self, container: &str) -> Result<Option<String>> {
        let Some((id, name)) = self.sim.who_is(container) else { return Ok(None) };
        if self.found.containers.contains_key(&id) {
            self.meet(&id)?;
            self.state.lock().changed.insert(id);
        }
        Ok(Some(name))
    }

    /// Call this before a container is created from an image.
    fn meet_image(&self, image: &str) -> Result<()> {
        let Some(id) = self.sim.image_id(image).filter(|id| self.found.images.contains_key(id))
        else {
            return Ok(());
        };
        if !self.state.lock().images.contains_key(&id) {
            let what = format!("the image {image}");
            let found = self
                .live
                .ask(&what, self.live.engine.image_inspect(&id))
                .inspect_err(|error| self.missed(&what, error))?;
            self.sim.learn_image(found.clone());
            self.state.lock().images.insert(id, found);
        }
        Ok(())
    }

    /// Whether a command runs on the live engine: it is read-only, and the plan has not changed its
    /// container.
    fn is_run_live(&self, id: &str, name: &str, request: &ExecRequest) -> bool {
        if !request.read_only || self.as_found(id).is_none() {
            return false;
        }
        if !self.live.runs_read_only {
            let line = format!("write {READ_ONLY_EXECS} under [allow] in spc.toml");
            self.effects.note(&format!("read-only commands were not run, as in the container {name}: to have plans run them, {line}"));
        }
        self.live.runs_read_only
    }

    /// Runs a command on the live engine to its end.
    fn run_live(&self, id: &str, name: &str, request: &ExecRequest) -> Result<ExecSession> {
        let engine = &self.live.engine;
        let mark = request.environment.iter().find(|entry| exec_processes::is_mark(entry));
        self.state.lock().live_marks.extend(mark.cloned());
        let command = mark.map(|mark| StartedCommand {
            container: id.to_owned(),
            name: name.to_owned(),
            mark: mark.clone(),
            user: request.user.clone(),
            privileged: request.privileged,
            id: None,
        });
        let _running = command.map(|command| LiveCommand::begin(engine, command));
        let (exec, chunks, state) = self.live.run(name, request, async {
            let begun = engine.exec_start(id, request).await;
            let mut session =
                begun.inspect_err(|error| self.missed(&format!("the container {name}"), error))?;
            let (mut chunks, mut bytes) = (Vec::new(), 0);
            while let Some(chunk) = session.output.next().await {
                let chunk = chunk?;
                bytes += chunk.bytes.len();
                if bytes > LARGEST_VALUE {
                    let words = format!(
                        "the read-only command in \"{name}\" writes more than {} MiB",
                        LARGEST_VALUE >> 20
                    );
                    return Err(EngineError::new(EngineErrorKind::Failed, words));
                }
                chunks.push(Ok(chunk));
            }
            let state = engine.exec_inspect(&session.id).await?;
            Ok((session.id, chunks, state))
        })?;
        self.state.lock().execs.insert(exec.clone(), state);
        Ok(ExecSession { id: exec, output: stream::iter(chunks).boxed(), input: None })
    }

    /// Reports a change of the container that had this name.
    fn tell(&self, action: ActionKind, name: Option<String>) -> Option<usize> {
        name.filter(|name| !is_lock(name))
            .and_then(|name| self.effects.effect(action, &Object::container(name)))
    }

    /// Whether it is a one-off container.
    fn is_one_off(&self, container: &str) -> bool {
        self.sim
            .label(container, compose_label::ONEOFF)
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    fn name_of(&self, container: &str) -> String {
        self.sim.who_is(container).map_or_else(|| container.to_owned(), |(_, name)| name)
    }

    async fn network_name(&self, network: &str) -> String {
        let name = match self.found.networks.get(network) {
            Some(found) => found.name.clone(),
            None => self.sim.network_inspect(network).await.ok().and_then(|made| made.name),
        };
        name.unwrap_or_else(|| network.to_owned())
    }

    /// Reports the values that the simulation made up for a new container: its id and the names of
    /// anonymous volumes.
    async fn tell_made_up(&self, id: &str, name: &str) -> Result<()> {
        let container = Object::container(name);
        self.effects.invented(id, &container);
        let mounts = self.sim.container_inspect(id).await?.mounts.unwrap_or_default();
        for volume in mounts.iter().filter_map(|mount| mount.name.as_deref()) {
            if is_anonymous_volume(volume) && !self.found.volumes.contains_key(volume) {
                self.effects.invented(volume, &container);
            }
        }
        Ok(())
    }

    /// A build results in an image of which only the request is known.
    async fn comes_out(
        &self,
        tags: &[String],
        labels: BTreeMap<String, String>,
    ) -> Result<Vec<Result<BuildEvent>>> {
        let Some((image, tags)) = tags.split_first() else { return Ok(Vec::new()) };
        self.sim.arrives(image, labels.into_iter().collect())?;
        for tag in tags {
            self.sim.image_tag(image, tag).await?;
        }
        Ok(self.sim.image_id(image).into_iter().map(|id| Ok(BuildEvent::Image(id))).collect())
    }

    /// From here on it is unknown which image has this name.
    fn opens(&self, step: Option<usize>, image: &str) {
        if let Some(step) = step {
            self.effects.image_unknown(image, step);
        }
    }
}

fn is_lock(container: &str) -> bool {
    locked_project(container).is_some()
}
