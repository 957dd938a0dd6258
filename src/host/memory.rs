//! Limits of the memory of a run, and a check before memory is allocated.
//!
//! A text, a blob, an HTTP body or the output of a command has at most [`LARGEST_VALUE`] bytes, and
//! the whole process at most [`RUN_LIMIT`]. Scripts check this while they run, and code that
//! allocates a lot at once calls [`reserve`] first. One step of a script can at most copy
//! everything that exists, so the process stays below twice the limit.

use std::sync::atomic::{AtomicU64, Ordering};

pub use super::error::STREAM;
use super::{HostError, HostErrorKind, Result};

/// The most bytes of a text, blob, body or output in memory.
pub const LARGEST_VALUE: usize = 64 << 20;

/// The most bytes of a file that people write: a script, a compose file, `.env`, `spc.toml`, a
/// Dockerfile. The parsed content needs many times its size.
pub const LARGEST_SOURCE: usize = 4 << 20;

/// The most bytes of the whole process while a script runs.
pub const RUN_LIMIT: u64 = 1 << 30;

/// Smaller allocations need no check: a check takes some microseconds.
pub const STEP: usize = 1 << 20;

/// Bytes that are reserved and not in use yet, for all threads together. Like memory, this belongs
/// to the process.
static RESERVED: AtomicU64 = AtomicU64::new(0);

/// Reserves memory until it is dropped. From then on, the memory counts as used by the process.
#[must_use = "the room is given back when this is dropped"]
pub struct Reservation(u64);

impl Drop for Reservation {
    fn drop(&mut self) {
        RESERVED.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// Reserves `bytes` more; `held` returns the memory of the process:
/// [`Host::memory`](super::Host::memory).
///
/// # Errors
/// Fails with [`HostErrorKind::TooLarge`] if the process would hold more than [`RUN_LIMIT`].
pub fn reserve(held: impl FnOnce() -> Option<u64>, bytes: usize) -> Result<Reservation> {
    if bytes < STEP {
        return Ok(Reservation(0));
    }
    let more = bytes as u64;
    let reservation = Reservation(more);
    let reserved = RESERVED.fetch_add(more, Ordering::Relaxed).saturating_add(more);
    let held = held().unwrap_or(0);
    if held.saturating_add(reserved) > RUN_LIMIT {
        return Err(exceeded(held.saturating_add(more)));
    }
    Ok(reservation)
}

/// The error of a run that holds, or would hold, this many bytes.
pub fn exceeded(held: u64) -> HostError {
    let message = format!(
        "the script uses too much memory: {} MiB of at most {}",
        held >> 20,
        RUN_LIMIT >> 20
    );
    HostError::new(HostErrorKind::TooLarge, message)
}

/// Collects bytes as they arrive: never more than [`LARGEST_VALUE`] or than the run may hold.
#[derive(Default)]
pub struct CollectedBytes {
    bytes: Vec<u8>,
    /// The size up to which the last check reserved memory.
    asked: usize,
}

/// Why collecting stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CollectError {
    /// It would be larger than [`LARGEST_VALUE`].
    Value,
    /// The run would hold too much.
    Run(HostError),
}

impl CollectedBytes {
    /// Adds a chunk.
    pub fn push(
        &mut self,
        held: impl FnOnce() -> Option<u64>,
        chunk: &[u8],
    ) -> std::result::Result<(), CollectError> {
        let length = self.bytes.len().saturating_add(chunk.len());
        if length > LARGEST_VALUE {
            return Err(CollectError::Value);
        }
        if length > self.asked + STEP {
            // The next bytes, and the copy that a vector makes when it grows.
            drop(reserve(held, length).map_err(CollectError::Run)?);
            self.asked = length;
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// All bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_run_may_hold_is_not_reserved() {
        let held = || Some(RUN_LIMIT - (8 << 20));
        drop(reserve(held, 4 << 20).unwrap());
        let error = reserve(held, 16 << 20).err().unwrap();
        assert_eq!(error.message, "the script uses too much memory: 1032 MiB of at most 1024");
        assert!(reserve(held, STEP - 1).is_ok(), "what is small is not asked for");
    }

    #[test]
    fn reservations_of_several_threads_add_up() {
        let held = || Some(RUN_LIMIT - (300 << 20));
        let first = reserve(held, 200 << 20).unwrap();
        assert!(reserve(held, 200 << 20).is_err());
        drop(first);
        assert!(reserve(held, 200 << 20).is_ok());
    }

    #[test]
    fn collected_bytes_are_limited_to_the_largest_value() {
        let mut collected = CollectedBytes::default();
        let chunk = vec![0; 16 << 20];
        for _ in 0..4 {
            collected.push(|| None, &chunk).unwrap();
        }
        assert_eq!(collected.push(|| None, &[0]), Err(CollectError::Value));
        assert_eq!(collected.into_bytes().len(), LARGEST_VALUE);
        assert!(matches!(
            CollectedBytes::default().push(|| Some(RUN_LIMIT), &chunk),
            Err(CollectError::Run(_))
        ));
    }
}
