//! The clients of a proxy and the answers of releases, as a test defines them, and the record of
//! their requests.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::proxies::Proxy;
use super::proxy_fault::ProxyFault;

/// The most lost requests with their details.
const MOST_FAILURES: usize = 100;

/// How long nginx keeps a connection whose client sends nothing.
const IDLE: Duration = Duration::from_secs(20);

/// Clients that send a request at regular times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// The service of the proxy, or its container's name.
    pub proxy: String,
    /// The service behind the proxy.
    pub service: String,
    /// Its port.
    pub port: u16,
    /// The time between two requests.
    pub every: Duration,
    /// The time that the service needs for an answer.
    pub takes: Duration,
    /// Whether they use one connection for all requests, as long as nginx keeps it.
    pub keep_alive: bool,
}

/// How the containers of a release answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseAnswers {
    pub service: String,
    pub release: String,
    /// The share of answers with status 500: 0 to 1.
    pub errors: f64,
    /// Its answers take at least this long.
    pub takes: Duration,
}

/// A request that got no answer of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostRequest {
    /// Virtual time since the start.
    pub at: Duration,
    /// The container that should have answered; of the proxy, if the request got no further.
    pub container: String,
    pub reason: String,
    /// The status that the client got; 0 if its connection failed.
    pub status: u16,
    /// The last call of spc until then.
    pub during: String,
}

/// What became of the requests so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestReport {
    /// Those in flight are among them.
    pub sent: u64,
    /// Answers of the service with status 500, as the test defined them.
    pub errors: u64,
    /// Requests that the service did not answer.
    pub lost: u64,
    /// The first of them.
    pub failures: Vec<LostRequest>,
}

/// The connection that clients with `keep_alive` use.
#[derive(Debug, Clone)]
pub(super) struct KeptConnection {
    pub proxy: String,
    pub generation: u64,
    pub used: Duration,
}

/// Clients, and when they send next.
#[derive(Debug)]
pub(super) struct ClientState {
    pub clients: Arc<Clients>,
    pub next: Duration,
    pub connection: Option<KeptConnection>,
}

/// A request that a container is working on.
#[derive(Debug, Clone)]
pub(super) struct InFlight {
    pub begun: Duration,
    /// The upstream, as in the access log.
    pub upstream: String,
    pub proxy: String,
    pub proxy_endpoint: String,
    /// The workers of nginx that have it.
    pub generation: u64,
    pub container: String,
    pub container_name: String,
    pub endpoint: String,
    pub address: Ipv4Addr,
    pub port: u16,
    pub release: Option<String>,
    pub status: u16,
}

/// What comes next.
pub(super) enum NextRequest {
    Ends((Duration, u64)),
    /// The clients by their position.
    Begins(usize),
}

/// All clients, their requests, and the proxies between.
#[derive(Debug, Default)]
pub(in crate::engine::sim) struct Requests {
    pub(super) clients: Vec<ClientState>,
    pub(super) answers: Vec<ReleaseAnswers>,
    /// Service and release → the number of answers.
    pub(super) answered: BTreeMap<(String, String), u32>,
    /// By the time of their end and their number.
    pub(super) in_flight: BTreeMap<(Duration, u64), InFlight>,
    /// By container.
    pub(in crate::engine::sim) proxies: BTreeMap<String, Proxy>,
    pub(super) faults: Vec<ProxyFault>,
    pub(super) report: RequestReport,
}

impl Requests {
    /// From now on these clients send requests too.
    pub fn add_clients(&mut self, now: Duration, clients: Clients) {
        let next = now + clients.every;
        self.clients.push(ClientState { clients: Arc::new(clients), next, connection: None });
    }

    /// The last answers for a release count.
    pub fn add_answers(&mut self, answers: ReleaseAnswers) {
        self.answers.push(answers);
    }

    /// The nth command of its kind from now on meets this fault.
    pub fn add_fault(&mut self, fault: ProxyFault) {
        self.faults.push(fault);
    }

    pub fn report(&self) -> &RequestReport {
        &self.report
    }

    /// The longest time that a request takes; `None` without clients.
    pub fn longest(&self) -> Option<Duration> {
        let own = self.clients.iter().map(|state| state.clients.takes).max()?;
        Some(self.answers.iter().map(|answers| answers.takes).fold(own, Duration::max))
    }

    /// The end of the last request that a container works on.
    pub fn busy_until(&self, container: &str) -> Option<Duration> {
        let own = self.in_flight.iter().filter(|(_, request)| request.container == container);
        own.map(|((ends, _), _)| *ends).next_back()
    }

    /// A request that ends at the same time as another one begins ends first.
    pub(super) fn next(&self) -> Option<(Duration, NextRequest)> {
        let ends = self.in_flight.keys().next().copied();
        let begins = self.clients.iter().enumerate().map(|(at, state)| (state.next, at)).min();
        match (ends, begins) {
            (Some(key), None) => Some((key.0, NextRequest::Ends(key))),
            (Some(key), Some((begins, _))) if key.0 <= begins => {
                Some((key.0, NextRequest::Ends(key)))
            }
            (_, Some((begins, at))) => Some((begins, NextRequest::Begins(at))),
            (None, None) => None,
        }
    }

    /// Counts one more request of these clients, and returns them and its number.
    pub(super) fn send(&mut self, at: usize) -> Option<(u64, Arc<Clients>)> {
        let state = self.clients.get_mut(at)?;
        state.next += state.clients.every;
        let number = self.report.sent;
        self.report.sent += 1;
        Some((number, state.clients.clone()))
    }

    /// The workers that a request of these clients reaches: those of its open connection, else the
    /// current ones. nginx closes the connection of workers that are about to end after the answer.
    pub(super) fn connection(&mut self, at: usize, proxy: &str, now: Duration) -> u64 {
        let current = self.proxies.get(proxy).map_or(0, |proxy| proxy.current);
        let Some(state) = self.clients.get_mut(at).filter(|state| state.clients.keep_alive) else {
            return current;
        };
        let open = state.connection.take().filter(|open| {
            open.proxy == proxy
                && now <= open.used + IDLE
                && self.proxies.get(proxy).is_some_and(|proxy| proxy.has(open.generation))
        });
        let generation = open.map_or(current, |open| open.generation);
        if generation == current {
            state.connection =
                Some(KeptConnection { proxy: proxy.to_owned(), generation, used: now });
        }
        generation
    }

    /// The generations of a proxy's workers that still have a request or an open connection.
    pub(super) fn busy_generations(&self, proxy: &str, now: Duration) -> Vec<u64> {
        let requests = self
            .in_flight
            .values()
            .filter(|request| request.proxy == proxy)
            .map(|request| request.generation);
        let kept = self.clients.iter().filter_map(|state| state.connection.as_ref());
        let kept = kept
            .filter(|open| open.proxy == proxy && now <= open.used + IDLE)
            .map(|open| open.generation);
        let mut all: Vec<u64> = requests.chain(kept).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The answer of a release: its status, and how long it takes at least.
    pub(super) fn answer(&mut self, service: &str, release: &str) -> (u16, Duration) {
        let fits =
            |answers: &&ReleaseAnswers| answers.service == service && answers.release == release;
        let Some(answers) = self.answers.iter().rev().find(fits) else {
            return (200, Duration::ZERO);
        };
        let count = self.answered.entry((service.to_owned(), release.to_owned())).or_default();
        // The small addend prevents 0.1 * 30 from being less than 3.
        let due = |count: u32| (f64::from(count) * answers.errors + 1e-9).floor();
        let status = if due(*count + 1) > due(*count) { 500 } else { 200 };
        *count = count.saturating_add(1);
        (status, answers.takes)
    }

    pub(super) fn lose(&mut self, lost: LostRequest) {
        self.report.lost += 1;
        if self.report.failures.len() < MOST_FAILURES {
            self.report.failures.push(lost);
        }
    }
}
