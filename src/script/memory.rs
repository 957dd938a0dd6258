//! How much memory a script may take: each value has a limit of its own, and all of them together this one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::host::Host;
use crate::model::Failure;

/// Bytes that the whole process may hold while a script runs.
const LIMIT: u64 = 2 << 30;

/// How often the system is asked. A script fills some hundred MB meanwhile.
const PACE: Duration = Duration::from_millis(20);

/// Operations between two looks at the clock.
const STRIDE: u64 = 4;

/// Looks now and then how much the process holds.
pub struct Memory {
    host: Arc<dyn Host>,
    /// When it is to be looked again: milliseconds of the host's clock.
    next: AtomicU64,
}

impl Memory {
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self { host, next: AtomicU64::new(0) }
    }

    /// The failure that ends a script that holds too much; for `on_progress`, whose count of operations it takes.
    pub fn exceeded(&self, operations: u64) -> Option<Failure> {
        if !operations.is_multiple_of(STRIDE) {
            return None;
        }
        let now = u64::try_from(self.host.monotonic().as_millis()).unwrap_or(u64::MAX);
        if now < self.next.load(Ordering::Relaxed) {
            return None;
        }
        let pace = u64::try_from(PACE.as_millis()).unwrap_or(u64::MAX);
        self.next.store(now.saturating_add(pace), Ordering::Relaxed);
        let held = self.host.memory().filter(|held| *held > LIMIT)?;
        Some(
            Failure::usage(format!("The script holds too much: {} MiB of memory, of {} at most", held >> 20, LIMIT >> 20))
                .hint("stream what is large, with fs::file(…) as stdin or stdout, or go through it in parts"),
        )
    }
}
