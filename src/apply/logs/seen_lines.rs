//! Which lines of a container were passed on, so that a log that is opened again repeats none and
//! leaves none out.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};

use chrono::{DateTime, TimeDelta, Utc};

use super::messages::TimedLine;
use crate::engine::OutputKind;

/// Lines of so long before the last are remembered: a line may be written down later than one of a
/// later time.
const REMEMBERED: TimeDelta = TimeDelta::milliseconds(100);
/// At most so many, and those of one time more.
const MOST: usize = 4096;

/// The time, the hash of the text and of where it was written to.
type Key = (DateTime<Utc>, u64);

/// See the module.
#[derive(Debug, Default)]
pub struct SeenLines {
    /// By time: what was passed on.
    last: BTreeMap<DateTime<Utc>, Vec<u64>>,
    count: usize,
    /// What the log that was opened again has still to repeat.
    expected: HashMap<Key, usize>,
}

impl SeenLines {
    /// From when on the log is to be opened again; nothing if no line was passed on.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        self.last.first_key_value().map(|(time, _)| *time)
    }

    /// The log is opened again, [since](Self::since) then.
    pub fn reopen(&mut self) {
        self.expected.clear();
        for (time, lines) in &self.last {
            for hash in lines {
                *self.expected.entry((*time, *hash)).or_default() += 1;
            }
        }
    }

    /// Whether a line is to be passed on; remembers it then.
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
    fn what_is_remembered_is_bounded() {
        let mut seen = SeenLines::default();
        for at in 0..100_000 {
            seen.is_new(&TimedLine { time: DateTime::from_timestamp_nanos(at), ..line(0, "x") });
        }
        assert!(seen.count <= MOST && seen.last.len() <= MOST);
    }
}
