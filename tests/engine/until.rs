//! Waits for a condition, with a deadline.

use std::time::{Duration, Instant};

/// The polling interval.
const LOOK: Duration = Duration::from_millis(20);

/// Returns the value of `condition` as soon as it has one. Panics with `what` if it has none within
/// `limit`.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begun.elapsed() < limit, "waited {limit:?} in vain until {what}");
        std::thread::sleep(LOOK);
    }
}
