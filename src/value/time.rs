//! A moment.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// A moment, in UTC. Written as RFC 3339 with milliseconds: `2026-01-01T00:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub DateTime<Utc>);

impl Time {
    /// The moment of an RFC 3339 text, in whichever zone it is written.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text.trim()).ok().map(|time| Self(time.with_timezone(&Utc)))
    }

    /// Sortable and fit for file names: `20260101T000000Z`.
    pub fn stamp(self) -> String {
        self.0.format("%Y%m%dT%H%M%SZ").to_string()
    }

    /// From `earlier` to this one; nothing if that is the later one.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        (self.0 - earlier.0).to_std().ok()
    }

    /// The moment so much later; nothing beyond the calendar.
    pub fn later(self, time: Duration) -> Option<Self> {
        self.0.checked_add_signed(TimeDelta::from_std(time).ok()?).map(Self)
    }

    /// The moment so much earlier; nothing beyond the calendar.
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
        assert_eq!(time.stamp(), "20260228T233000Z");
        assert_eq!(Time::parse("yesterday"), None);
    }

    #[test]
    fn times_beyond_the_calendar_are_none() {
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
