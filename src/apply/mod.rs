//! Walks plans on an engine: observe, compare, execute; readiness, lock, run records.
//!
//! The verbs stand in [`verbs`]; each observes, has `model::reconcile` make a plan, and gives it to
//! [`execute`], which decides nothing of its own.

mod anonymous;
pub mod bind_sources;
mod build_changes;
pub mod build_labels;
pub mod builds;
pub mod choices;
pub mod context;
pub mod create;
mod delivered;
pub mod dockerignore;
pub mod exec;
mod exec_end;
pub mod execute;
pub mod failures;
pub mod hub;
mod image_checks;
pub mod images;
mod interrupted_jobs;
mod last_look;
pub mod lock;
mod log_drivers;
pub mod logs;
pub mod moved;
mod name_holder;
mod newer;
pub mod observe;
pub mod oneoff;
pub mod pace;
mod patience;
mod perform;
mod ports;
pub mod preflight;
mod pull;
pub mod readiness;
pub mod records;
mod relied_on;
mod restarted;
pub mod restore_network;
mod secrets;
mod settle;
mod standby;
pub mod start_failures;
mod start_ports;
#[cfg(test)]
mod tests;
mod turns;
pub mod under_way;
pub mod verbs;
mod waits;
mod work;
pub mod writers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::lock::Lock;
use crate::engine::Engine;
use crate::host::{Conductor, Host};
use crate::model::event::{Event, Level, Sink, Standing};
use crate::model::secret::Secrets;
use crate::policy::Policy;

/// Told where a long step is, whenever that changes.
pub type Told<'a> = dyn Fn(Standing) + Sync + 'a;

/// What every verb works with.
#[derive(Clone)]
pub struct Surroundings {
    pub engine: Arc<dyn Engine>,
    pub host: Arc<dyn Host>,
    pub conductor: Conductor,
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

impl Surroundings {
    /// Tells the user something.
    pub(crate) fn log(&self, level: Level, text: impl Into<String>) {
        self.events.event(&Event::Log { level, text: text.into() });
    }
}
