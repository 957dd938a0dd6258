//! What a verb did, and how long it waits for another run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::observed_state::Container;

/// How long a run waits for another one to end.
pub const DEFAULT_LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// What a verb did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Steps that changed something.
    pub changes: usize,
    /// The project's containers afterwards.
    pub containers: Vec<Container>,
    /// Ids of the containers that were waited for and got ready.
    pub waited: BTreeSet<String>,
    /// Container id → time until it was ready, in this run or the one that started it.
    pub ready: BTreeMap<String, Duration>,
}
