//! The wall-clock time at which a simulation begins.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// 2026-01-01T00:00:00Z, in seconds since 1970: the start of every simulation.
const EPOCH_SECONDS: i64 = 1_767_225_600;

/// The date at which every simulation starts.
pub fn epoch() -> DateTime<Utc> {
    DateTime::from_timestamp(EPOCH_SECONDS, 0).unwrap_or_default()
}

/// The date after `elapsed` of virtual time.
pub fn date(elapsed: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(elapsed)
        .ok()
        .and_then(|elapsed| epoch().checked_add_signed(elapsed))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The time of a date after [`epoch`]; zero for an earlier date.
pub fn since_epoch(date: DateTime<Utc>) -> Duration {
    (date - epoch()).to_std().unwrap_or_default()
}
