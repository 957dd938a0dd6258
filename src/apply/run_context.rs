//! What every verb works with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::held_lock::Lock;
use crate::engine::Engine;
use crate::host::{Host, TaskExecutor};
use crate::model::event::{Event, Level, Sink, StepStatus};
use crate::model::secret::Secrets;
use crate::policy::Policy;

/// Reports where a long step is, whenever that changes.
pub type OnProgress<'a> = dyn Fn(StepStatus) + Sync + 'a;

/// What every verb works with.
#[derive(Clone)]
pub struct RunContext {
    pub engine: Arc<dyn Engine>,
    pub host: Arc<dyn Host>,
    pub executor: TaskExecutor,
    pub events: Arc<dyn Sink>,
    pub secrets: Arc<Secrets>,
    /// Cancelled by Ctrl-C, a sibling's failure or a timeout: nothing new is started, waits end.
    pub cancel: CancellationToken,
    /// Root of the project's own files (`.spc/`), absolute.
    pub directory: PathBuf,
    /// Process environment over `.env`: where secrets may come from.
    pub environment: Arc<BTreeMap<String, String>>,
    /// What the run may read of this machine.
    pub policy: Policy,
    /// The run's id: `20260102T030405-1a2b3c`.
    pub run: String,
    /// The project's lock, where a guarded part of the script holds it already.
    pub lock: Option<Arc<Lock>>,
}

impl RunContext {
    /// Tells the user something.
    pub(crate) fn log(&self, level: Level, text: impl Into<String>) {
        self.events.event(&Event::Log { level, text: text.into() });
    }
}
