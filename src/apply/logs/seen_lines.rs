//! Remembers which lines of a container were returned, so that a log that is opened again repeats
//! no line and omits none.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};

use chrono::{DateTime, TimeDelta, Utc};

use super::messages::TimedLine;
use crate::engine::OutputKind;

/// Lines up to this much before the last one are remembered, because a line may be written after a
/// line with a later time.
const REMEMBERED: TimeDelta = TimeDelta::milliseconds(100);
/// The most lines that are remembered, plus those with the same time.
const MOST: usize = 4096;

/// The time, and the hash of the text and its stream.
type Key = (DateTime<Utc>, u64);

/// The remembered lines; see the module.
#[derive(Debug, Default)]
pub struct SeenLines {
    /// By time, the lines that were returned.
    last: BTreeMap<DateTime<Utc>, Vec<u64>>,
    count: usize,
    /// The lines that the log will repeat after it was opened again.
    expected: HashMap<Key, usize>,
}

impl SeenLines {
    /// The time from which the log has to be opened again; `None` if no line was returned.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        self.last.first_key_value().map(|(time, _)| *time)
    }

    /// Call this when the log is opened again, at [since](Self::since).
    pub fn reopen(&mut self) {
        self.expected.clear();
        for (time, lines) in &self.last {
            for hash in lines {
                *self.expected.entry((*time, *hash)).or_default() += 1;
            }
        }
    }

    /// Whether the line is new. A new line is remembered.
    pub fn is_new(&mut self, line: &TimedLine) -> bool {
        let mut hasher = DefaultHasher::new();
        (&line.text, line.kind == OutputKind::Stderr).hash(&mut hasher);
        let hash = hasher.finish();
        if let Some(count) = self.expected.get_mut(&(line.time, hash)).filter(|count| **count > 0) {
            *count -= 1;
            return false;
        }
        self.last.entry(line.time).or_default().push(hash);
        self.count += 1;
        while let (Some((first, _)), Some((last, _))) =
            (self.last.first_key_value(), self.last.last_key_value())
            && first != last
            && (*last - *first > REMEMBERED || self.count > MOST)
            && let Some((_, lines)) = self.last.pop_first()
        {
            self.count -= lines.len();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(millis: i64, text: &str) -> TimedLine {
        TimedLine {
            time: DateTime::from_timestamp_millis(millis).unwrap(),
            kind: OutputKind::Stdout,
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_log_that_is_opened_again_repeats_nothing_and_leaves_nothing_out() {
        let log: Vec<TimedLine> =
            (0..1000).map(|at| line(at / 3 * 7, if at % 3 == 0 { "same" } else { "a" })).collect();
        for cut in [0, 1, 2, 3, 500, 998, 1000] {
            let mut seen = SeenLines::default();
            let mut passed: Vec<&TimedLine> =
                log[..cut].iter().filter(|line| seen.is_new(line)).collect();
            let since = seen.since();
            seen.reopen();
            passed.extend(
                log.iter()
                    .filter(|line| since.is_none_or(|since| line.time >= since))
                    .filter(|line| seen.is_new(line)),
            );
            assert_eq!(passed, log.iter().collect::<Vec<_>>(), "{cut}");
        }
    }

    #[test]
    fn the_number_of_remembered_lines_is_bounded() {
        let mut seen = SeenLines::default();
        for at in 0..100_000 {
            seen.is_new(&TimedLine { time: DateTime::from_timestamp_nanos(at), ..line(0, "x") });
        }
        assert!(seen.count <= MOST && seen.last.len() <= MOST);
    }
}
