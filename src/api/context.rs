//! What every host function works with: one [`Context`] per run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, EngineError};
use crate::host::{Conductor, Host};
use crate::model::event::Sink;
use crate::model::secret::Secrets;
use crate::model::{Failure, Kind};

/// Connects to the engine; called at most once, when a script first needs it.
pub type Connector = Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Engine>, EngineError>> + Send + Sync>;

/// The project a run belongs to, as `cli` found it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectSettings {
    /// Root for relative paths in descriptions, for `.env`, `secrets/` and `fs::`. Absolute, canonical.
    pub directory: PathBuf,
    /// `--project`, `COMPOSE_PROJECT_NAME`: overrides the name in `stack("name", …)`.
    pub name: Option<String>,
    /// Process environment over `.env` files: what `env()` and interpolation read.
    pub environment: BTreeMap<String, String>,
    /// Whether questions are answered with yes (`--yes`).
    pub assume_yes: bool,
}

/// One run's surroundings. Shared by every native function; cheap to clone.
pub struct Context {
    pub host: Arc<dyn Host>,
    pub conductor: Conductor,
    pub events: Arc<dyn Sink>,
    pub secrets: Arc<Secrets>,
    /// Cancelled by Ctrl-C: the root of the tree of tokens.
    pub cancel: CancellationToken,
    pub project: ProjectSettings,
    connector: Connector,
    engine: tokio::sync::OnceCell<Arc<dyn Engine>>,
}

impl Context {
    /// A context; nothing is connected yet.
    pub fn new(host: Arc<dyn Host>, conductor: Conductor, events: Arc<dyn Sink>, project: ProjectSettings, connector: Connector) -> Self {
        Self {
            host,
            conductor,
            events,
            secrets: Arc::new(Secrets::new()),
            cancel: CancellationToken::new(),
            project,
            connector,
            engine: tokio::sync::OnceCell::new(),
        }
    }

    /// The engine, connected at the first call.
    pub async fn engine(&self) -> Result<Arc<dyn Engine>, Failure> {
        self.engine.get_or_try_init(|| (self.connector)()).await.cloned().map_err(|error| {
            let failure = Failure::new(Kind::Engine, error.message);
            match error.hint {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })
    }
}
