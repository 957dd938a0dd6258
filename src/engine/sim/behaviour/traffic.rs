//! The requests to a stack, as a test defines them, and the access log that its nginx writes.
//!
//! No request is simulated. The log lines of nginx are made when its log is read: the daemon
//! records which containers are ready over time, and each line follows from that. The shares of
//! errors and of slow answers are exact, so a runbook measures exactly what the test defines.

use std::collections::BTreeMap;
use std::time::Duration;

use super::access_log::LoggedAnswer;
use crate::engine::sim::daemon::containers::{Container, Phase};
use crate::engine::sim::daemon::images::reference::Reference;
use crate::engine::sim::daemon::state::State;
use crate::model::names::{compose_label, label};

/// The most lines of one reading of a log; if there are more, the last ones.
const MOST_LINES: usize = 20_000;

/// One of this many requests is slower than the 95th percentile, and one is equal to it.
const PERCENTILE_STEPS: u32 = 20;

/// Multiples of the golden ratio are evenly distributed between 0 and 1.
const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;

/// Requests to a stack, and the answers of each release.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traffic {
    /// Requests per second. Each reaches one of the ready containers of these releases.
    pub rps: f64,
    pub by_release: BTreeMap<String, TrafficStats>,
}

/// The answers of a release.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrafficStats {
    /// The share of answers with status 500: 0 to 1.
    pub error_rate: f64,
    /// 19 of 20 answers take at most this many milliseconds.
    pub p95_ms: f64,
}

/// A period without changes.
#[derive(Debug, Clone)]
struct TrafficPeriod {
    from: Duration,
    traffic: Traffic,
    /// The number of ready containers of each release.
    ready: BTreeMap<String, u32>,
}

/// All periods so far, in order; the last one is still open.
#[derive(Debug, Default)]
pub(in crate::engine::sim) struct Flow(Vec<TrafficPeriod>);

impl Flow {
    fn is_on(&self) -> bool {
        !self.0.is_empty()
    }

    fn note(&mut self, from: Duration, traffic: Traffic, ready: BTreeMap<String, u32>) {
        if self.0.last().is_none_or(|last| last.traffic != traffic || last.ready != ready) {
            self.0.push(TrafficPeriod { from, traffic, ready });
        }
    }

    /// The requests from `from` until before `to`; if there are too many, the last ones.
    fn requests(&self, from: Duration, to: Duration) -> Vec<LoggedAnswer> {
        let ends = self.0.iter().skip(1).map(|next| next.from).chain([to]);
        let stretches = self.0.iter().zip(ends).map(|(stretch, end)| (stretch, end.min(to)));
        let mut all = Vec::new();
        for (stretch, end) in stretches.filter(|(_, end)| *end > from) {
            all.extend(stretch.requests(from, end));
        }
        all.split_off(all.len().saturating_sub(MOST_LINES))
    }
}

impl TrafficPeriod {
    fn requests(&self, from: Duration, to: Duration) -> Vec<LoggedAnswer> {
        if self.traffic.rps <= 0.0 {
            return Vec::new();
        }
        let between = Duration::from_secs_f64(1.0 / self.traffic.rps).max(Duration::from_nanos(1));
        let all: u32 = self.ready.values().sum();
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        let mut requests = Vec::new();
        let mut at = self.from;
        for number in 1_u64.. {
            at += between;
            if at >= to {
                break;
            }
            let release = self.release(number, all);
            let count = counts.entry(release.unwrap_or_default()).or_default();
            let before = *count;
            *count = count.saturating_add(1);
            if at < from {
                continue;
            }
            let figures = release.and_then(|release| self.traffic.by_release.get(release));
            let (status, takes) =
                figures.map_or((502, Duration::ZERO), |figures| figures.answer(before));
            requests.push(LoggedAnswer {
                at,
                group: release.map(|_| "backend".to_owned()),
                release: release.map(str::to_owned),
                status,
                takes,
                number,
            });
        }
        requests
    }

    /// The release that answers the nth request: each ready container gets the same share.
    fn release(&self, number: u64, all: u32) -> Option<&str> {
        let place = number.wrapping_mul(GOLDEN_RATIO) >> 32;
        let mut chosen = (place * u64::from(all)) >> 32;
        self.ready.iter().find_map(|(release, count)| {
            let count = u64::from(*count);
            if chosen < count {
                return Some(release.as_str());
            }
            chosen -= count;
            None
        })
    }
}

impl TrafficStats {
    /// Status and duration of the answer after `before` others.
    fn answer(&self, before: u32) -> (u16, Duration) {
        // The number of errors until now. The small addend prevents 0.1 * 30 from being less than
        // 3.
        let due = |count: u32| (f64::from(count) * self.error_rate + 1e-9).floor();
        let status = if due(before + 1) > due(before) { 500 } else { 200 };
        let step = before % PERCENTILE_STEPS;
        let share = match PERCENTILE_STEPS - step {
            1 => 1.5,
            2 => 1.0,
            _ => 0.3 + 0.6 * f64::from(step) / f64::from(PERCENTILE_STEPS),
        };
        (status, Duration::try_from_secs_f64(self.p95_ms * share / 1000.0).unwrap_or_default())
    }
}

/// The release of a container: its label, else its image's tag.
pub(in crate::engine::sim) fn release_of(container: &Container) -> Option<String> {
    let own = container.labels.get(label::RELEASE).filter(|release| !release.is_empty()).cloned();
    own.or_else(|| Reference::parse(&container.image).ok().map(|reference| reference.tag))
}

fn is_ready(container: &Container) -> bool {
    container.phase == Phase::Running
        && container.health.as_ref().is_none_or(|health| health.status_name() == "healthy")
}

pub(super) fn is_proxy(container: &Container) -> bool {
    let repository = Reference::parse(&container.image)
        .map(|reference| reference.repository)
        .unwrap_or_default();
    repository.rsplit('/').next() == Some("nginx")
}

impl State {
    /// Sets the requests from now on.
    pub(in crate::engine::sim) fn set_traffic(&mut self, traffic: Traffic) {
        let ready = self.ready_releases(&traffic);
        self.traffic.note(self.now, traffic, ready);
    }

    /// The set of ready containers may have changed.
    pub(in crate::engine::sim) fn note_traffic(&mut self) {
        if let Some(traffic) = self.traffic.0.last().map(|last| last.traffic.clone()) {
            self.set_traffic(traffic);
        }
    }

    fn ready_releases(&self, traffic: &Traffic) -> BTreeMap<String, u32> {
        let mut ready = BTreeMap::new();
        let candidates = self
            .objects
            .containers
            .values()
            .filter(|container| is_ready(container) && !is_proxy(container));
        for release in candidates
            .filter_map(release_of)
            .filter(|release| traffic.by_release.contains_key(release))
        {
            *ready.entry(release).or_default() += 1;
        }
        ready
    }

    /// The requests in the access log of a container since its last start.
    pub(in crate::engine::sim) fn requests(
        &self,
        container: &Container,
        from: Duration,
        to: Duration,
    ) -> Vec<LoggedAnswer> {
        let Some(started) = container.started.filter(|_| is_proxy(container)) else {
            return Vec::new();
        };
        let end = if container.phase == Phase::Running {
            self.now
        } else {
            container.finished.unwrap_or(started)
        };
        let from = from.max(started);
        let proxy = self.requests.proxies.get(&container.id);
        let mut all: Vec<LoggedAnswer> =
            proxy.map(|proxy| proxy.log(from, to).cloned().collect()).unwrap_or_default();
        if self.traffic.is_on() {
            all.extend(self.traffic.requests(from, to.min(end)));
        }
        all
    }

    /// The release of each running container of a Compose service, in the order of creation.
    pub(in crate::engine::sim) fn releases(&self, service: &str) -> Vec<String> {
        let mut running: Vec<&Container> = self
            .objects
            .containers
            .values()
            .filter(|container| {
                container.is_running()
                    && container
                        .labels
                        .get(compose_label::SERVICE)
                        .is_some_and(|own| own == service)
            })
            .collect();
        running.sort_by_key(|container| container.serial);
        running.into_iter().filter_map(release_of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn flow() -> Flow {
        let figures = |error_rate, p95_ms| TrafficStats { error_rate, p95_ms };
        let by_release = BTreeMap::from([
            ("v1".to_owned(), figures(0.0, 80.0)),
            ("v2".to_owned(), figures(0.2, 200.0)),
        ]);
        let mut flow = Flow::default();
        let traffic = Traffic { rps: 100.0, by_release };
        flow.note(
            Duration::ZERO,
            traffic.clone(),
            BTreeMap::from([("v1".to_owned(), 3), ("v2".to_owned(), 1)]),
        );
        flow.note(secs(60), traffic, BTreeMap::new());
        flow
    }

    #[test]
    fn traffic_has_the_requested_shares_errors_and_95th_percentile() {
        let all = flow().requests(Duration::ZERO, secs(60));
        assert_eq!(all.len(), 5999);
        for (release, count, errors, p95) in [("v1", 4500, 0, 80), ("v2", 1500, 300, 200)] {
            let mut own: Vec<&LoggedAnswer> =
                all.iter().filter(|one| one.release.as_deref() == Some(release)).collect();
            assert!(own.len().abs_diff(count) < 5, "{release}: {}", own.len());
            assert!(own.iter().filter(|one| one.status == 500).count().abs_diff(errors) <= 1);
            own.sort_by_key(|one| one.takes);
            assert_eq!(own[own.len() * 95 / 100 - 1].takes, Duration::from_millis(p95));
        }
    }

    #[test]
    fn a_part_of_the_time_has_the_very_requests_of_the_whole() {
        let flow = flow();
        let whole = flow.requests(Duration::ZERO, secs(70));
        let part = flow.requests(secs(59), secs(61));
        let expected: Vec<LoggedAnswer> =
            whole.into_iter().filter(|one| one.at >= secs(59) && one.at < secs(61)).collect();
        assert_eq!(part, expected);
        assert!(part.iter().any(|one| one.status == 502), "from 60 s on nobody is ready");
    }

    #[test]
    fn only_the_last_of_too_many_requests_are_reported() {
        let all = flow().requests(Duration::ZERO, secs(600));
        assert_eq!(all.len(), MOST_LINES);
        assert!(all.last().unwrap().at > secs(599));
    }
}
