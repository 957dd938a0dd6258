//! How much memory a script may take: each value has a limit of its own, and all of them together
//! this one.

use std::sync::Arc;

use crate::host::Host;
use crate::host::memory::{RUN_LIMIT, exceeded};
use crate::model::Failure;

/// Operations between two looks: few, as one may copy a large value.
const STRIDE: u64 = 4;

/// The failure that ends a script while the process holds too much; for `on_progress`, whose count
/// of operations it takes.
pub fn ending(host: &Arc<dyn Host>, operations: u64) -> Option<Failure> {
    if !operations.is_multiple_of(STRIDE) {
        return None;
    }
    host.memory_lately().filter(|held| *held > RUN_LIMIT).map(|held| exceeded(held).into())
}
