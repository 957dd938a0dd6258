//! The way of a request: it begins, a container works on it, it is answered or lost.

use std::time::Duration;

use super::clients::{InFlight, LostRequest, NextRequest};
use super::routing::{Refusal, endpoint_on};
use crate::engine::sim::behaviour::access_log::LoggedAnswer;
use crate::engine::sim::behaviour::processes::SERVICE_LABEL;
use crate::engine::sim::behaviour::traffic::{is_proxy, release_of};
use crate::engine::sim::daemon::containers::lifecycle::KILLED;
use crate::engine::sim::daemon::containers::{Container, Phase};
use crate::engine::sim::daemon::state::State;

/// The connection failed, so there is no status.
const NO_STATUS: u16 = 0;

/// The number of clients of each kind; each comes again and again.
const CLIENTS: u64 = 1000;

impl State {
    /// Works through the requests that begin or end until then.
    pub(in crate::engine::sim) fn run_requests(&mut self, until: Duration) {
        while let Some((at, next)) = self.requests.next().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            match next {
                NextRequest::Ends(key) => self.end_request(key),
                NextRequest::Begins(clients) => self.begin_request(clients),
            }
        }
    }

    fn begin_request(&mut self, at: usize) {
        let Some((number, clients)) = self.requests.send(at) else { return };
        let running = self.proxy_of(&clients.proxy).map(|proxy| proxy.id.clone());
        let Some(proxy) = running else {
            let reason = format!("the proxy \"{}\" does not run", clients.proxy);
            self.lose(Refusal { container: clients.proxy.clone(), reason }, NO_STATUS);
            return;
        };
        let generation = self.requests.connection(at, &proxy, self.now);
        let upstream = self
            .requests
            .proxies
            .get(&proxy)
            .and_then(|proxy| proxy.configuration(generation))
            .map_or_else(
                || clients.service.clone(),
                |configuration| configuration.upstream(&clients.service, number % CLIENTS),
            );
        let target =
            match self.connect(&proxy, generation, &upstream, Some(&clients.service), clients.port)
            {
                Ok(target) => target,
                Err(refusal) => {
                    self.note_answer(&proxy, self.now, number, Some(upstream), None, 502);
                    self.lose(refusal, 502);
                    return;
                }
            };
        let Ok(container) = self.container(&target.container) else { return };
        let (container_name, release) = (container.name.clone(), release_of(container));
        let (status, takes) =
            self.requests.answer(&clients.service, release.as_deref().unwrap_or_default());
        let request = InFlight {
            begun: self.now,
            upstream,
            proxy,
            proxy_endpoint: target.proxy_endpoint,
            generation,
            container: target.container,
            container_name,
            endpoint: target.endpoint,
            address: target.address,
            port: target.port,
            release,
            status,
        };
        self.requests.in_flight.insert((self.now + takes.max(clients.takes), number), request);
    }

    /// The running container of a proxy, by its service or name.
    fn proxy_of(&self, wanted: &str) -> Option<&Container> {
        let is_wanted = |container: &&Container| {
            let is_service =
                container.labels.get(SERVICE_LABEL).is_some_and(|service| service == wanted);
            (is_service || container.name == wanted) && is_proxy(container)
        };
        let all = self.objects.containers.values().filter(is_wanted);
        all.filter(|container| self.listens(container)).min_by_key(|container| container.serial)
    }

    fn end_request(&mut self, key: (Duration, u64)) {
        let Some(request) = self.requests.in_flight.remove(&key) else { return };
        let InFlight { begun, upstream, proxy, release, status, .. } = request;
        self.requests.report.errors += u64::from(status >= 500);
        self.note_answer(&proxy, begun, key.1, Some(upstream), release, status);
    }

    /// A line of the access log, which has the time of the answer.
    fn note_answer(
        &mut self,
        proxy: &str,
        begun: Duration,
        number: u64,
        group: Option<String>,
        release: Option<String>,
        status: u16,
    ) {
        let takes = self.now.saturating_sub(begun);
        let answer = LoggedAnswer { at: self.now, group, release, status, takes, number };
        if let Some(proxy) = self.requests.proxies.get_mut(proxy) {
            proxy.note(answer);
        }
    }

    /// Something happened to a container or a network: requests over connections that are gone are
    /// lost.
    pub(in crate::engine::sim) fn cut_requests(&mut self) {
        if self.requests.in_flight.is_empty() {
            return;
        }
        let cut: Vec<_> = self
            .requests
            .in_flight
            .iter()
            .filter_map(|(key, request)| Some((*key, self.cut(request)?)))
            .collect();
        for (key, (refusal, status)) in cut {
            if let Some(request) = self.requests.in_flight.remove(&key)
                && status != NO_STATUS
            {
                let InFlight { begun, upstream, proxy, release, .. } = request;
                self.note_answer(&proxy, begun, key.1, Some(upstream), release, status);
            }
            self.lose(refusal, status);
        }
    }

    /// Why a request in flight can't be answered any more; `None` if it can.
    fn cut(&self, request: &InFlight) -> Option<(Refusal, u16)> {
        let is_connected = |container: &Container, endpoint: &str| {
            let networks = container.endpoints.values();
            networks
                .filter_map(|joined| endpoint_on(container, &joined.network_id))
                .any(|own| own == endpoint)
        };
        let lost = |container: &str, reason: String, status: u16| {
            let in_time = self.now.saturating_sub(request.begun);
            let reason = format!("{reason} {:.1} s after the request began", in_time.as_secs_f64());
            Some((Refusal { container: container.to_owned(), reason }, status))
        };
        let proxy = self.container(&request.proxy).ok();
        let name = proxy.map_or("the proxy", |proxy| proxy.name.as_str());
        match proxy {
            Some(proxy)
                if proxy.phase == Phase::Running
                    && is_connected(proxy, &request.proxy_endpoint) => {}
            _ => return lost(name, "nginx ended or was disconnected".to_owned(), NO_STATUS),
        }
        let name = &request.container_name;
        match self.container(&request.container) {
            Err(_) => lost(name, "the container was removed".to_owned(), 502),
            Ok(container) if container.phase != Phase::Running => {
                let how = if container.exit_code == KILLED { "was killed" } else { "ended" };
                lost(name, format!("the container {how}"), 502)
            }
            Ok(container) if !is_connected(container, &request.endpoint) => {
                lost(name, "the container was disconnected from the network".to_owned(), 504)
            }
            Ok(_) => None,
        }
    }

    fn lose(&mut self, Refusal { container, reason }: Refusal, status: u16) {
        let call = self.observer.as_ref().map(|observer| observer.last_call()).unwrap_or_default();
        // A container by its name: ids say nothing to a reader.
        let named = call.split_once(' ').and_then(|(method, target)| {
            Some(format!("{method} {}", self.container(target).ok()?.name))
        });
        let during = named.unwrap_or(call);
        self.requests.lose(LostRequest { at: self.now, container, reason, status, during });
    }
}
