//! Records how long a service's containers needed to become ready. Probes before that time would
//! only take processor time from the starting service.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The number of recorded times.
const KEPT: usize = 5;
/// No probe runs before this fraction of the shortest time has passed.
const QUIET: (u32, u32) = (3, 4);
/// Services that were ready faster than this are probed immediately.
const SHORT: Duration = Duration::from_millis(300);

/// The last times of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartupHistory {
    /// The description and the image of its containers. Others may start faster or slower.
    of: String,
    /// Milliseconds since the start, the latest at the end.
    millis: Vec<u64>,
}

impl StartupHistory {
    /// A history with one time: ready `elapsed` after the start.
    pub fn new(of: String, elapsed: Duration) -> Self {
        Self { of, millis: vec![u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)] }
    }

    /// Adds later times.
    pub fn add(&mut self, later: Self) {
        if self.of != later.of {
            self.millis.clear();
        }
        self.of = later.of;
        self.millis.extend(later.millis);
        self.millis.drain(..self.millis.len().saturating_sub(KEPT));
    }

    /// The latest time, for any description and image.
    pub fn last(&self) -> Option<Duration> {
        self.millis.last().copied().map(Duration::from_millis)
    }

    /// The time after the start during which a container made `of` this needs no probe.
    pub fn probe_delay(&self, of: &str) -> Duration {
        let least = self
            .millis
            .iter()
            .min()
            .filter(|_| self.of == of)
            .map_or(Duration::ZERO, |&millis| Duration::from_millis(millis));
        if least < SHORT { Duration::ZERO } else { least / QUIET.1 * QUIET.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn startup_history(of: &str, times: &[u64]) -> StartupHistory {
        let mut startup_history = StartupHistory::default();
        for &millis in times {
            startup_history.add(StartupHistory::new(of.to_owned(), Duration::from_millis(millis)));
        }
        startup_history
    }

    #[test]
    fn three_quarters_of_the_shortest_of_the_last_times_are_quiet() {
        assert_eq!(
            startup_history("a", &[1200, 1000, 4000]).probe_delay("a"),
            Duration::from_millis(750)
        );
        assert_eq!(
            startup_history("a", &[1000, 2000, 2000, 2000, 2000, 2000]).probe_delay("a"),
            Duration::from_millis(1500)
        );
        assert_eq!(startup_history("a", &[299]).probe_delay("a"), Duration::ZERO);
        assert_eq!(StartupHistory::default().probe_delay("a"), Duration::ZERO);
    }

    #[test]
    fn the_history_of_another_configuration_is_ignored() {
        let mut startup_history = startup_history("a", &[1000]);
        assert_eq!(startup_history.probe_delay("b"), Duration::ZERO);
        startup_history.add(StartupHistory::new("b".to_owned(), Duration::from_secs(2)));
        assert_eq!(startup_history.probe_delay("b"), Duration::from_millis(1500));
    }
}
