//! What a load measured.

use std::collections::BTreeMap;
use std::time::Duration;

use super::failure::{Failure, FailureClass};
use super::kind::Kind;

/// A request that has ended. Times count from the start of the load.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub kind: Kind,
    pub begun: Duration,
    pub took: Duration,
    /// The release that answered: an index of [`Measurement::releases`].
    pub(super) release: Option<usize>,
    pub failure: Option<FailureClass>,
}

/// A failure with its time and reason.
#[derive(Clone, Debug)]
pub struct Note {
    pub at: Duration,
    pub kind: Kind,
    pub failure: Failure,
}

/// A WebSocket that ended without its client's wish.
#[derive(Clone, Debug)]
pub struct Cut {
    pub at: Duration,
    pub lived: Duration,
    pub reason: String,
}

#[derive(Debug, Default)]
pub struct Measurement {
    pub records: Vec<Record>,
    /// The first failures of each kind and class.
    pub notes: Vec<Note>,
    pub cuts: Vec<Cut>,
    /// Answered messages of WebSockets.
    pub messages: usize,
    /// Beginning and end of each deploy.
    pub windows: Vec<(Duration, Duration)>,
    pub(super) releases: Vec<String>,
    pub lasted: Duration,
    /// Whether the load ended by itself, at its limit. What happened after that was not measured.
    pub exhausted: bool,
}

/// A request is "during" if it overlaps with a deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    During,
    Outside,
}

/// Percentiles of successful requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    pub p50: Duration,
    pub p99: Duration,
}

impl Measurement {
    pub fn requests(&self) -> usize {
        self.records.len()
    }

    pub fn failed(&self) -> usize {
        self.records.iter().filter(|record| record.failure.is_some()).count()
    }

    /// Failed requests that this release did not answer itself.
    pub fn failed_elsewhere(&self, release: &str) -> usize {
        let failed = self.records.iter().filter(|record| record.failure.is_some());
        let elsewhere =
            |record: &&Record| record.release.is_none_or(|index| self.releases[index] != release);
        failed.filter(elsewhere).count()
    }

    /// Requests and failed requests of a kind.
    pub fn of(&self, kind: Kind) -> (usize, usize) {
        let of_kind = self.records.iter().filter(|record| record.kind == kind);
        of_kind.fold((0, 0), |(requests, failed), record| {
            (requests + 1, failed + usize::from(record.failure.is_some()))
        })
    }

    /// Failed requests by class.
    pub fn failures(&self) -> BTreeMap<FailureClass, usize> {
        let mut failures = BTreeMap::new();
        for class in self.records.iter().filter_map(|record| record.failure) {
            *failures.entry(class).or_default() += 1;
        }
        failures
    }

    /// Answers, failures included, by the release that gave them.
    pub fn releases(&self) -> BTreeMap<&str, usize> {
        let mut releases = BTreeMap::new();
        for release in self.records.iter().filter_map(|record| record.release) {
            *releases.entry(self.releases[release].as_str()).or_default() += 1;
        }
        releases
    }

    pub fn period(&self, record: &Record) -> Period {
        let end = record.begun + record.took;
        let overlaps =
            |(begun, ended): &(Duration, Duration)| record.begun < *ended && end > *begun;
        if self.windows.iter().any(overlaps) { Period::During } else { Period::Outside }
    }

    /// The latency of the successful requests of these kinds in this period. `None` if there were
    /// none.
    pub fn latency(&self, period: Period, is_wanted: impl Fn(Kind) -> bool) -> Option<Latency> {
        let wanted = |record: &&Record| {
            record.failure.is_none() && is_wanted(record.kind) && self.period(record) == period
        };
        let mut times: Vec<Duration> =
            self.records.iter().filter(wanted).map(|record| record.took).collect();
        times.sort_unstable();
        Some(Latency { p50: percentile(&times, 50)?, p99: percentile(&times, 99)? })
    }
}

/// The nearest rank.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.max(1) - 1).copied()
}
