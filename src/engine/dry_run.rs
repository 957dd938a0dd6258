//! The engine of a plan: a simulated one that begins with what the live one has.
//!
//! The live engine is read, as far as the plan needs to know it, and never changed. What would be
//! changed is reported to [`Effects`], and done on the simulated one, so that what comes after finds it
//! done.

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
use crate::model::names::{compose_label, locked_project};
use crate::model::step::{ActionKind, Object};
use crate::policy::settings::READ_ONLY_EXECS;

/// How a command that nobody runs is taken to end.
pub const SILENT_SUCCESS: &str = "it ends with code 0 and prints nothing";

/// Is told what would be done, by the task on this thread.
pub trait Effects: Send + Sync {
    /// One thing that is done to the engine; its number, or none where it stands in a plan that was
    /// told whole.
    fn effect(&self, action: ActionKind, object: &Object) -> Option<usize>;
    /// What is done as that step, and answered by somebody outside: whose answer it is, and what is
    /// assumed.
    fn asked(&self, step: Option<usize>, whose: String, assumed: &'static str);
    /// The script gets an answer that nobody can know.
    fn assume(&self, whose: &str, assumed: &str);
    /// A command that changes nothing is really run: its answer is known.
    fn looks(&self, action: ActionKind, object: &Object);
    /// What there is to say, once.
    fn note(&self, text: &str);
    /// What the plan can't follow, and why; it goes on all the same.
    fn unclear(&self, what: &str);
    /// Which image has this name is unknown until that step.
    fn unknown(&self, image: &str, step: usize);
    /// The simulation made up an id for the image of that name.
    fn invented(&self, id: &str, image: &str);
    /// A container would be made from an image.
    fn made_from(&self, container: &str, image: &str, id: Option<String>);
}

/// See the module.
pub struct DryRunEngine {
    sim: SimEngine,
    live: LiveEngine,
    address: String,
    effects: Arc<dyn Effects>,
    found: LiveAnswers,
    state: Mutex<State>,
}

/// The live engine's own answers, for what is as it was.
struct LiveAnswers {
    containers: BTreeMap<String, models::ContainerSummary>,
    networks: BTreeMap<String, models::Network>,
    volumes: BTreeMap<String, models::Volume>,
    images: BTreeMap<String, models::ImageSummary>,
}

#[derive(Default)]
struct State {
    /// Containers that an inspect told of, by id.
    containers: BTreeMap<String, models::ContainerInspectResponse>,
    /// Images that one told of, by id.
    images: BTreeMap<String, models::ImageInspect>,
    /// Containers that the plan changed, by id.
    changed: BTreeSet<String>,
    /// Volumes that the plan removed, by name.
    removed: BTreeSet<String>,
    /// How commands ended that the live engine ran, by the exec's id.
    execs: BTreeMap<String, ExecState>,
    /// What marks the processes of such commands.
    live_marks: BTreeSet<String>,
    /// What the plan begins with and is not on the live engine any more, as the first that was
    /// asked about: `the container web`.
    gone: Option<String>,
}

impl DryRunEngine {
    /// The plan's engine, from a snapshot of the live one.
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

    /// What a job that is waited for does: it ends well. Its name, if it was still to end.
    pub fn complete(&self, container: &str) -> Option<String> {
        // Also one that failed and is about to be started again.
        self.sim.readiness(container)?;
        // One that can't be asked about is the wait's to tell.
        let name = self.touch(container).ok()??;
        self.sim
            .expect_ready(container)
            .and_then(|()| self.sim.end_process(container, 0))
            .ok()
            .map(|()| name)
    }

    /// What a container that is waited for does, if it is up: it gets ready. Its name, if it was
    /// not ready yet. How it was found, or what the live engine says of it meanwhile, tells
    /// nothing of what a run would see: it may be between two starts, or unhealthy at the time.
    pub fn get_ready(&self, container: &str) -> Option<String> {
        let was_ready = self.sim.readiness(container)?;
        // One that can't be asked about is the wait's to tell.
        let name = self.touch(container).ok()??;
        self.sim.expect_ready(container).ok().filter(|()| !was_ready).map(|()| name)
    }

    /// What the plan begins with that was removed from the live engine before the plan knew all of
    /// it: what is planned since is not to be relied on.
    pub fn gone(&self) -> Option<String> {
        self.state.lock().gone.clone()
    }

    fn missed(&self, what: &str, error: &EngineError) {
        if error.is_not_found() {
            self.state.lock().gone.get_or_insert_with(|| what.to_owned());
        }
    }

    /// The name of a container whose files and log nobody can know yet: the plan made or changed
    /// it.
    pub fn unknown(&self, container: &str) -> Option<String> {
        let (_, name) = self.sim.who_is(container)?;
        self.as_found(container).is_none().then_some(name)
    }

    /// The id of a container that is as it was found.
    fn as_found(&self, container: &str) -> Option<String> {
        let (id, _) = self.sim.who_is(container)?;
        (self.found.containers.contains_key(&id) && !self.state.lock().changed.contains(&id))
            .then_some(id)
    }

    /// All that is known of a container that was found.
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

    /// Before a container is changed: all there is to know of it, and its name; none of one that is
    /// not there.
    fn touch(&self, container: &str) -> Result<Option<String>> {
        let Some((id, name)) = self.sim.who_is(container) else { return Ok(None) };
        if self.found.containers.contains_key(&id) {
            self.meet(&id)?;
            self.state.lock().changed.insert(id);
        }
        Ok(Some(name))
    }

    /// Before a container is made from an image.
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

    /// Whether a command is to be run on the live engine: it changes nothing, and its container is
    /// as it was found.
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

    /// Tells of a change of the container that had this name.
    fn tell(&self, action: ActionKind, name: Option<String>) -> Option<usize> {
        name.filter(|name| !is_lock(name))
            .and_then(|name| self.effects.effect(action, &Object::container(name)))
    }

    /// Whether it is there for one command.
    fn is_one_off(&self, container: &str) -> bool {
        self.sim
            .label(container, compose_label::ONEOFF)
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    fn name_of(&self, container: &str) -> String {
        self.sim.who_is(container).map_or_else(|| container.to_owned(), |(_, name)| name)
    }

    fn network_name(&self, network: &str) -> String {
        self.found
            .networks
            .get(network)
            .and_then(|network| network.name.clone())
            .unwrap_or_else(|| network.to_owned())
    }

    /// A build ends with an image of which nothing is known but what was asked for.
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

    /// From here on it is open which image has this name.
    fn opens(&self, step: Option<usize>, image: &str) {
        if let Some(step) = step {
            self.effects.unknown(image, step);
        }
    }
}

fn is_lock(container: &str) -> bool {
    locked_project(container).is_some()
}
