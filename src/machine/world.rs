//! A separate machine: an engine, files, time. The changes of a run stay for the next run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::waits::WaitTracker;
use crate::engine::sim::{SimEngine, SimEngineBuilder};
use crate::host::Host;
use crate::host::git::GitFiles;
use crate::host::sim::executor::SimTaskExecutor;
use crate::host::sim::{Overlay, SimHost};
use crate::model::diagnostic::Diagnostic;
use crate::model::masking::Masked;
use crate::model::secret::Secrets;

/// Files of a person, not of the project. Tests don't see them below the project's directory.
const PRIVATE: [&str; 3] = [".env", ".spc", "secrets"];

/// The project of the tested runbooks.
#[derive(Clone)]
pub struct Subject {
    /// The host with its files.
    pub host: Arc<dyn Host>,
    /// The folder of `spc.toml`. Absolute, without symlinks.
    pub root: PathBuf,
    /// Its `project_directory`.
    pub directory: PathBuf,
    /// The files that others have too: tests see only these.
    pub git: Arc<GitFiles>,
}

impl Subject {
    /// The project in `root`, an absolute path without symlinks. Of the files that git ignores,
    /// tests see only `named`, which a person named.
    pub fn new(
        host: Arc<dyn Host>,
        root: PathBuf,
        directory: PathBuf,
        named: impl IntoIterator<Item = PathBuf>,
    ) -> Self {
        let git = Arc::new(GitFiles::around(&*host, &root).with_named(&*host, named));
        Self { host, root, directory, git }
    }
}

/// Limits for runs that would never end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Virtual time of a world.
    pub time: Duration,
    /// Operations of one script.
    pub operations: u64,
    /// Calls of the engine in a world.
    pub calls: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_hours(24), operations: 10_000_000, calls: 100_000 }
    }
}

/// A simulated machine.
pub struct World {
    pub executor: Arc<SimTaskExecutor>,
    pub engine: SimEngine,
    pub host: Arc<SimHost>,
    pub limits: Limits,
    /// Its seed.
    pub seed: u64,
    /// The secrets that all reports mask.
    pub secrets: RunSecrets,
    /// The current waits of its runs.
    pub waits: Arc<WaitTracker>,
}

/// The secrets of each run in a world.
#[derive(Default)]
pub struct RunSecrets(Mutex<Vec<Arc<Secrets>>>);

impl World {
    /// A machine with the project's files and an empty engine. Any image can be pulled.
    pub fn new(subject: &Subject, seed: u64) -> Self {
        Self::made(subject, SimTaskExecutor::new(seed), seed, |builder| builder, |host| host)
    }

    /// The same with additions to its engine and host. `executor` follows from `seed`.
    pub fn made(
        subject: &Subject,
        executor: Arc<SimTaskExecutor>,
        seed: u64,
        engine: impl FnOnce(SimEngineBuilder) -> SimEngineBuilder,
        host: impl FnOnce(SimHost) -> SimHost,
    ) -> Self {
        let shown = Overlay::new(subject.host.clone(), [subject.root.clone()])
            .as_git_has_it(subject.git.clone());
        let shown =
            PRIVATE.iter().fold(shown, |shown, name| shown.without(subject.directory.join(name)));
        let sim = SimHost::new(executor.clone()).over(shown).with_current_folder(&subject.root);
        let engine = engine(SimEngine::builder(executor.clone()).open_registry()).build();
        Self::of(executor, engine, host(sim), seed).limited(Limits::default())
    }

    /// A machine of these parts, without limits.
    pub fn of(
        executor: Arc<SimTaskExecutor>,
        engine: SimEngine,
        host: impl Into<Arc<SimHost>>,
        seed: u64,
    ) -> Self {
        let waits = Arc::new(WaitTracker::new(executor.clone(), engine.clone()));
        Self {
            host: host.into(),
            engine,
            executor,
            limits: Limits::default(),
            seed,
            secrets: RunSecrets::default(),
            waits,
        }
    }

    /// The same with other limits.
    #[must_use]
    pub fn limited(mut self, limits: Limits) -> Self {
        self.executor.limit(limits.time, limits.calls);
        self.limits = limits;
        self
    }

    /// Secrets for one more run.
    pub(super) fn new_secrets(&self) -> Arc<Secrets> {
        let secrets = Arc::new(Secrets::new());
        self.secrets.0.lock().push(secrets.clone());
        secrets
    }

    /// The diagnostic without the secrets of all runs. The project's files are real, so a secret
    /// that a description reads from one may be real too.
    pub fn masked(&self, diagnostic: &Diagnostic) -> Box<Diagnostic> {
        let all = self.secrets.0.lock();
        let masked = all.iter().fold(diagnostic.clone(), |diagnostic, secrets| {
            Masked::new(diagnostic, secrets).into_inner()
        });
        Box::new(masked)
    }

    /// The folder in which spc is started.
    pub fn folder(&self) -> PathBuf {
        self.host.current_folder().unwrap_or_else(|_| Path::new("/").to_path_buf())
    }
}
