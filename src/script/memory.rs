//! Limits the memory of a script. Each value has its own limit; this is the limit for all of them
//! together.

use std::sync::Arc;

use crate::host::Host;
use crate::host::memory::{RUN_LIMIT, exceeded};
use crate::model::Failure;

/// The number of operations between two checks. It is small, because one operation may copy a large
/// value.
const STRIDE: u64 = 4;

/// The failure that ends a script when the process holds too much. For `on_progress`, which passes
/// its count of operations.
pub fn ending(host: &Arc<dyn Host>, operations: u64) -> Option<Failure> {
    if !operations.is_multiple_of(STRIDE) {
        return None;
    }
    host.memory_lately().filter(|held| *held > RUN_LIMIT).map(|held| exceeded(held).into())
}
