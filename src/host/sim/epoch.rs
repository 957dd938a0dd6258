//! When a simulation begins, in wall-clock time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// 2026-01-01T00:00:00Z, in seconds since 1970: when every simulation starts.
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

/// How long after [`epoch`] a date is; what was before it is at it.
pub fn since_epoch(date: DateTime<Utc>) -> Duration {
    (date - epoch()).to_std().unwrap_or_default()
}
