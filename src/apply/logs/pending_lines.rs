//! Lines that wait for a moment, because a line with an earlier time may still come from another
//! log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::LogLine;

/// How long a line waits if several logs are followed.
pub const WINDOW: Duration = Duration::from_millis(100);
/// The most bytes of text that wait, and the most lines.
const MOST_BYTES: usize = 1 << 20;
const MOST_LINES: usize = 4096;

/// Lines that wait; see the module.
#[derive(Debug, Default)]
pub struct PendingLines {
    /// The lines by time and number, each with the time at which it is due.
    lines: BTreeMap<(DateTime<Utc>, u64), (Duration, LogLine)>,
    dues: BTreeSet<(Duration, u64)>,
    number: u64,
    bytes: usize,
}

impl PendingLines {
    /// Adds a line that waits until `due`.
    pub fn hold(&mut self, due: Duration, line: LogLine) {
        self.number += 1;
        self.bytes += line.text.len();
        self.dues.insert((due, self.number));
        self.lines.insert((line.time, self.number), (due, line));
    }

    /// Takes the earliest line, if it or a later line is due at `now`, or if too many lines wait.
    pub fn take(&mut self, now: Duration) -> Option<LogLine> {
        if self.is_full() || self.due().is_some_and(|due| due <= now) {
            self.take_first()
        } else {
            None
        }
    }

    /// Takes the earliest line.
    pub fn take_first(&mut self) -> Option<LogLine> {
        let ((_, number), (due, line)) = self.lines.pop_first()?;
        self.dues.remove(&(due, number));
        self.bytes -= line.text.len();
        Some(line)
    }

    /// When the next line is due.
    pub fn due(&self) -> Option<Duration> {
        self.dues.first().map(|(due, _)| *due)
    }

    /// Whether so many lines wait that nothing more should be read.
    pub fn is_full(&self) -> bool {
        self.bytes > MOST_BYTES || self.lines.len() > MOST_LINES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(millis: i64) -> LogLine {
        let time = DateTime::from_timestamp_millis(millis).unwrap();
        LogLine {
            from: "web-1".into(),
            service: "web".into(),
            time,
            stderr: false,
            text: "x".repeat(1000),
        }
    }

    #[test]
    fn a_line_that_comes_late_goes_before_a_later_one_that_is_held() {
        let (mut pending, at) = (PendingLines::default(), Duration::from_millis);
        pending.hold(at(100), line(5));
        pending.hold(at(150), line(3));
        assert_eq!(pending.take(at(99)), None);
        assert_eq!(pending.take(at(100)), Some(line(3)), "it goes with the one that is due");
        assert_eq!(pending.take(at(100)), Some(line(5)));
        assert_eq!(pending.take(at(1000)), None);
    }

    #[test]
    fn no_more_than_so_much_is_held() {
        let mut pending = PendingLines::default();
        for at in 0..2000 {
            pending.hold(Duration::MAX, line(at));
        }
        let taken = std::iter::from_fn(|| pending.take(Duration::ZERO)).count();
        assert!(taken > 900 && !pending.is_full(), "{taken}");
    }
}
