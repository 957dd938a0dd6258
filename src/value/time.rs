//! A point in time.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// A point in time, in UTC. Written as RFC 3339 with milliseconds: `2026-01-01T00:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub DateTime<Utc>);

impl Time {
    /// Parses a time in RFC 3339 form, in any time zone.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text.trim()).ok().map(|time| Self(time.with_timezone(&Utc)))
    }

    /// A form for names that sorts by time, with milliseconds: `20260101T000000000Z`.
    pub fn stamp(self) -> String {
        self.0.format("%Y%m%dT%H%M%S%3fZ").to_string()
    }

    /// The duration from `earlier` to this time; `None` if `earlier` is later.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        (self.0 - earlier.0).to_std().ok()
    }

    /// This time plus `time`; `None` beyond the calendar.
    pub fn later(self, time: Duration) -> Option<Self> {
        self.0.checked_add_signed(TimeDelta::from_std(time).ok()?).map(Self)
    }

    /// This time minus `time`; `None` beyond the calendar.
    pub fn earlier(self, time: Duration) -> Option<Self> {
        self.0.checked_sub_signed(TimeDelta::from_std(time).ok()?).map(Self)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_utc_however_it_was_written() {
        let time = Time::parse("2026-03-01T01:30:00.25+02:00").unwrap();
        assert_eq!(time.to_string(), "2026-02-28T23:30:00.250Z");
        assert_eq!(time.stamp(), "20260228T233000250Z");
        assert_eq!(Time::parse("yesterday"), None);
    }

    #[test]
    fn times_beyond_the_calendar_are_rejected() {
        let time = Time::parse("2026-01-01T00:00:00Z").unwrap();
        assert_eq!(
            time.later(Duration::from_secs(90)).unwrap().since(time),
            Some(Duration::from_secs(90))
        );
        assert_eq!(time.since(time.later(Duration::from_secs(1)).unwrap()), None);
        assert_eq!(time.later(Duration::MAX), None);
        assert_eq!(time.earlier(Duration::from_secs(1 << 50)), None);
    }
}
