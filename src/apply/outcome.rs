//! The result of a verb, and the time that it waits for another run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::observed_state::Container;

/// How long a run waits for the end of another one.
pub const DEFAULT_LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// The result of a verb.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// The number of steps that changed something.
    pub changes: usize,
    /// The project's containers afterwards.
    pub containers: Vec<Container>,
    /// Ids of the containers that became ready while the verb waited.
    pub waited: BTreeSet<String>,
    /// Container id → time until it was ready, in this run or the one that started it.
    pub ready: BTreeMap<String, Duration>,
}
