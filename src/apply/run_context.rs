//! What a run is given at its start, and what one verb of it works with.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::held_lock::Lock;
use super::records::{ReadRecords, Records};
use crate::engine::Engine;
use crate::host::resolve::resolve;
use crate::host::{Host, TaskExecutor};
use crate::model::event::{Event, Level, Sink, StepStatus};
use crate::model::secret::Secrets;
use crate::policy::Policy;

/// Reports where a long step is, whenever that changes.
pub type OnProgress<'a> = dyn Fn(StepStatus) + Sync + 'a;

/// The project a run belongs to, as `cli` found it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectSettings {
    /// Root for relative paths in descriptions, for `.env`, `secrets/`, `.spc/` and `fs::`.
    /// Absolute, canonical.
    pub directory: PathBuf,
    /// `--project`, `COMPOSE_PROJECT_NAME`: overrides the name in `stack("name", …)`.
    pub name: Option<String>,
    /// Process environment over `.env` files: what `env()`, interpolation and secrets read.
    pub environment: BTreeMap<String, String>,
    /// The variables of `.env` files alone.
    pub files: BTreeMap<String, FileVariable>,
    /// Whether questions are answered with yes (`--yes`).
    pub assume_yes: bool,
    /// Root that imports may not leave: the folder of `spc.toml`. Absolute, canonical; the
    /// runbook's own folder if not given.
    pub scripts: Option<PathBuf>,
    /// Default of `up`'s option: `--remove-orphans`.
    pub remove_orphans: bool,
    /// Default of `up`'s option: `--adopt`.
    pub adopt: bool,
    /// Default of `up`'s option: `--renew-anon-volumes`.
    pub renew_anonymous_volumes: bool,
}

/// A variable of a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVariable {
    pub value: String,
    /// `.env:12`.
    pub place: String,
}

/// What a run is given at its start. It never changes: what a script accumulates is elsewhere.
#[derive(Clone)]
pub struct RunContext {
    pub host: Arc<dyn Host>,
    pub executor: TaskExecutor,
    pub events: Arc<dyn Sink>,
    /// The secrets that are masked: those of the terminal and the event sink.
    pub secrets: Arc<Secrets>,
    pub project: ProjectSettings,
    /// What the run may do, and read of this machine.
    pub policy: Policy,
    /// The run's id, for labels and records: `20260102T030405-1a2b3c`.
    pub id: String,
}

impl RunContext {
    /// A run with no secrets and no id, which may do what a project without `spc.toml` may.
    pub fn new(
        host: Arc<dyn Host>,
        executor: TaskExecutor,
        events: Arc<dyn Sink>,
        project: ProjectSettings,
    ) -> Self {
        let policy = Policy::of_folder(&project.directory, &|path| resolve(&*host, path));
        let secrets = Arc::new(Secrets::new());
        Self { host, executor, events, secrets, project, policy, id: String::new() }
    }

    /// Tells the user something.
    pub(crate) fn log(&self, level: Level, text: impl Into<String>) {
        self.events.event(&Event::Log { level, text: text.into() });
    }
}

/// What one verb works with: its run, the engine, and what belongs to the task that called it.
#[derive(Clone)]
pub struct VerbContext {
    pub run: Arc<RunContext>,
    pub engine: Arc<dyn Engine>,
    /// Cancelled by Ctrl-C, a sibling's failure or a timeout: nothing new is started, waits end.
    pub cancel: CancellationToken,
    /// The project's lock, where a guarded part of the script holds it already.
    pub lock: Option<Arc<Lock>>,
    read: Arc<ReadRecords>,
}

impl VerbContext {
    /// The context of one verb, which has read no records yet.
    pub fn new(
        run: Arc<RunContext>,
        engine: Arc<dyn Engine>,
        cancel: CancellationToken,
        lock: Option<Arc<Lock>>,
    ) -> Self {
        Self { run, engine, cancel, lock, read: Arc::default() }
    }

    /// The same, knowing what was read of the records before.
    #[must_use]
    pub fn knowing(self, read: Arc<ReadRecords>) -> Self {
        Self { read, ..self }
    }

    /// What is remembered of a project. It is read once in the verb; see [`Records`].
    pub fn records<'a>(&'a self, project: &'a str) -> Records<'a> {
        Records::new(&*self.host, &self.policy, project).sharing(self.read.clone())
    }
}

/// A verb works with all that its run was given.
impl Deref for VerbContext {
    type Target = RunContext;

    fn deref(&self) -> &RunContext {
        &self.run
    }
}
