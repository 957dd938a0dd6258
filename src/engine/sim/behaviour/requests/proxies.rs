//! What a simulated nginx knows: its configurations, the addresses of names, its access log.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::configuration::Configuration;
use crate::engine::sim::behaviour::access_log::LoggedAnswer;

/// The most lines of the access log; if there are more, the last ones.
const MOST_LINES: usize = 20_000;

/// Names are looked up again after this time: `resolver … valid=1s`.
const VALID: Duration = Duration::from_secs(1);

/// The time after a reload until nginx knows the addresses of new names.
const LOOKUP_TAKES: Duration = Duration::from_millis(100);

/// The addresses of a name, as nginx knows them.
#[derive(Debug, Clone)]
struct Lookup {
    addresses: Vec<Ipv4Addr>,
    /// When it looks the name up again.
    until: Duration,
}

/// nginx in a container, since its start.
#[derive(Debug, Default)]
pub(in crate::engine::sim) struct Proxy {
    /// The container's start that it belongs to.
    pub starts: u64,
    /// The generation of its workers that take new connections.
    pub current: u64,
    /// The current configuration, and those of workers that may still have requests.
    generations: BTreeMap<u64, Configuration>,
    names: BTreeMap<String, Lookup>,
    /// Whether a fault keeps it from looking names up.
    pub is_stale: bool,
    /// Upstream → the number of requests, for the rotation.
    turns: BTreeMap<String, usize>,
    log: VecDeque<LoggedAnswer>,
}

impl Proxy {
    /// nginx that has started with this configuration.
    pub fn started(starts: u64, configuration: Configuration) -> Self {
        Self { starts, generations: [(0, configuration)].into(), ..Self::default() }
    }

    /// Keeps the log of its container's earlier starts.
    pub(super) fn with_log_of(mut self, earlier: Option<Self>) -> Self {
        self.log = earlier.map(|earlier| earlier.log).unwrap_or_default();
        self
    }

    /// New workers take this configuration; those that are `busy` keep theirs. Names that are new
    /// have no address at first.
    pub(super) fn reload(&mut self, now: Duration, configuration: Configuration, busy: &[u64]) {
        for host in configuration.hosts() {
            self.names
                .entry(host.to_owned())
                .or_insert(Lookup { addresses: Vec::new(), until: now + LOOKUP_TAKES });
        }
        let before = self.current;
        self.generations.retain(|generation, _| *generation == before || busy.contains(generation));
        self.current += 1;
        self.generations.insert(self.current, configuration);
    }

    pub(super) fn has(&self, generation: u64) -> bool {
        self.generations.contains_key(&generation)
    }

    /// The configuration of these workers.
    pub(super) fn configuration(&self, generation: u64) -> Option<&Configuration> {
        self.generations.get(&generation)
    }

    /// The addresses of a name; `None` if it has to be looked up.
    pub(super) fn known(&self, name: &str, now: Duration) -> Option<Vec<Ipv4Addr>> {
        let lookup = self.names.get(name).filter(|lookup| self.is_stale || now < lookup.until)?;
        Some(lookup.addresses.clone())
    }

    pub(super) fn learn(&mut self, name: &str, addresses: &[Ipv4Addr], now: Duration) {
        let lookup = Lookup { addresses: addresses.to_vec(), until: now + VALID };
        self.names.insert(name.to_owned(), lookup);
    }

    /// The position of the server of the next request, of `servers`.
    pub(super) fn turn(&mut self, upstream: &str, servers: usize) -> usize {
        let turn = self.turns.entry(upstream.to_owned()).or_default();
        *turn += 1;
        (*turn - 1) % servers.max(1)
    }

    pub(super) fn note(&mut self, answer: LoggedAnswer) {
        if self.log.len() == MOST_LINES {
            self.log.pop_front();
        }
        self.log.push_back(answer);
    }

    /// The lines of the access log of this time.
    pub(in crate::engine::sim) fn log(
        &self,
        from: Duration,
        to: Duration,
    ) -> impl Iterator<Item = &LoggedAnswer> {
        self.log.iter().filter(move |answer| answer.at >= from && answer.at < to)
    }
}

/// What commands in its container see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine::sim) struct ProxyView {
    pub generation: String,
    /// The far ends of its connections to containers, as the kernel writes them: `050014AC:1F40`.
    pub connections: Vec<String>,
    /// The number of workers that are about to end.
    pub old_workers: usize,
    /// The statuses of requests to the upstream that the command asks for.
    pub probes: Vec<u16>,
    /// Why it rejects its configuration.
    pub rejects: Option<String>,
    /// Set by the command.
    pub is_reloaded: bool,
}
