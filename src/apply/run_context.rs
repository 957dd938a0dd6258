//! The context of a run, and that of one of its verbs.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::held_lock::Lock;
use super::outcome::DEFAULT_LOCK_PATIENCE;
use super::records::{ReadRecords, Records};
use crate::engine::Engine;
use crate::host::resolve::resolve;
use crate::host::{Host, TaskExecutor};
use crate::model::event::{Event, Level, Sink, StepStatus};
use crate::model::secret::Secrets;
use crate::policy::Policy;

/// Reports the progress of a long step whenever it changes.
pub type OnProgress<'a> = dyn Fn(StepStatus) + Sync + 'a;

/// The project of a run, as `cli` found it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectSettings {
    /// The base of relative paths in descriptions, of `.env`, `secrets/`, `.spc/` and `fs::`.
    /// Absolute, canonical.
    pub directory: PathBuf,
    /// `--project`, `COMPOSE_PROJECT_NAME`: overrides the name in `stack("name", …)`.
    pub name: Option<String>,
    /// The process environment over the `.env` files: the source for `env()`, interpolation and
    /// secrets.
    pub environment: BTreeMap<String, String>,
    /// The variables of the `.env` files alone.
    pub files: BTreeMap<String, FileVariable>,
    /// Whether questions are answered with yes (`--yes`).
    pub assume_yes: bool,
    /// The folder that imports may not leave: that of `spc.toml`, by default that of the runbook.
    /// Absolute, canonical.
    pub scripts: Option<PathBuf>,
    /// Default of `up`'s option: `--remove-orphans`.
    pub remove_orphans: bool,
    /// Default of `up`'s option: `--adopt`.
    pub adopt: bool,
    /// Default of `up`'s option: `--renew-anon-volumes`.
    pub renew_anonymous_volumes: bool,
    /// How long to wait for another run that changes the project: `--wait-lock`.
    pub wait_lock: Option<Duration>,
}

/// A variable of a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVariable {
    pub value: String,
    /// `.env:12`.
    pub place: String,
}

/// The context of a run. It never changes; the state of a script is elsewhere.
#[derive(Clone)]
pub struct RunContext {
    pub host: Arc<dyn Host>,
    pub executor: TaskExecutor,
    pub events: Arc<dyn Sink>,
    /// The secrets that the terminal and the event sink mask.
    pub secrets: Arc<Secrets>,
    pub project: ProjectSettings,
    /// What the run may do, and which files of this machine it may read.
    pub policy: Policy,
    /// The run's id, for labels and records: `20260102T030405-1a2b3c`.
    pub id: String,
}

impl RunContext {
    /// A run without secrets and id, with the permissions of a project without `spc.toml`.
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

    /// Reports something to the user.
    pub(crate) fn log(&self, level: Level, text: impl Into<String>) {
        self.events.event(&Event::Log { level, text: text.into() });
    }
}

/// The context of one verb: its run, the engine, and data of the task that called it.
#[derive(Clone)]
pub struct VerbContext {
    pub run: Arc<RunContext>,
    pub engine: Arc<dyn Engine>,
    /// Cancelled by Ctrl-C, a failure of another task or a timeout. Then nothing new starts, and
    /// waits end.
    pub cancel: CancellationToken,
    /// The project's lock, if a `guarded` function already holds it.
    pub lock: Option<Arc<Lock>>,
    read: Arc<ReadRecords>,
}

impl VerbContext {
    /// The context of one verb that has read no records yet.
    pub fn new(
        run: Arc<RunContext>,
        engine: Arc<dyn Engine>,
        cancel: CancellationToken,
        lock: Option<Arc<Lock>>,
    ) -> Self {
        Self { run, engine, cancel, lock, read: Arc::default() }
    }

    /// The same, with the records that were already read.
    #[must_use]
    pub fn knowing(self, read: Arc<ReadRecords>) -> Self {
        Self { read, ..self }
    }

    /// How long to wait for another run that changes the project.
    pub fn lock_patience(&self) -> Duration {
        self.project.wait_lock.unwrap_or(DEFAULT_LOCK_PATIENCE)
    }

    /// The records of a project. A verb reads them once; see [`Records`].
    pub fn records<'a>(&'a self, project: &'a str) -> Records<'a> {
        Records::new(&*self.host, &self.policy, project).sharing(self.read.clone())
    }
}

/// A verb can use the whole context of its run.
impl Deref for VerbContext {
    type Target = RunContext;

    fn deref(&self) -> &RunContext {
        &self.run
    }
}
