//! nginx in the simulated engine: it reads its files, looks up names, and picks a container.

use std::net::Ipv4Addr;

use super::configuration::{Configuration, FOLDER};
use super::proxies::{Proxy, ProxyView};
use super::proxy_fault::{ProxyFault, ProxyFaultEffect, RELOAD, TEST};
use crate::engine::sim::behaviour::nginx::HITS;
use crate::engine::sim::behaviour::processes::SERVICE_LABEL;
use crate::engine::sim::behaviour::traffic::is_proxy;
use crate::engine::sim::daemon::containers::{Container, Phase};
use crate::engine::sim::daemon::ids::short;
use crate::engine::sim::daemon::state::State;
use crate::engine::sim::daemon::timetable::Purpose;

/// Where a request goes.
pub(super) struct Target {
    pub container: String,
    pub endpoint: String,
    pub proxy_endpoint: String,
    pub address: Ipv4Addr,
    pub port: u16,
}

/// Why a request reaches no container.
pub(super) struct Refusal {
    /// The container that it was for, or the proxy's.
    pub container: String,
    pub reason: String,
}

/// The connection of a container to a network.
pub(super) fn endpoint_on<'a>(container: &'a Container, network: &str) -> Option<&'a str> {
    let joined = container
        .endpoints
        .values()
        .filter(|endpoint| endpoint.network_id == network)
        .find_map(|endpoint| endpoint.joined.as_ref())?;
    Some(&joined.endpoint_id)
}

impl State {
    /// Whether its process answers requests.
    pub(super) fn listens(&self, container: &Container) -> bool {
        let running_for = self.now.saturating_sub(container.started.unwrap_or(self.now));
        container.phase == Phase::Running
            && !container.is_stopping
            && container.process.is_ready(running_for)
    }

    /// nginx has started: it reads its files.
    pub(in crate::engine::sim) fn start_proxy(&mut self, id: &str) {
        let Ok(container) = self.container(id) else { return };
        if !is_proxy(container) {
            return;
        }
        let starts = container.starts;
        let proxy = Proxy::started(starts, self.configuration_of(container));
        let earlier = self.requests.proxies.remove(id);
        self.requests.proxies.insert(id.to_owned(), proxy.with_log_of(earlier));
    }

    fn configuration_of(&self, container: &Container) -> Configuration {
        let files = self.visible_files(container).subtree(FOLDER);
        let mut read = Configuration::default();
        for (path, content) in files.files() {
            let name = path.rsplit('/').next().unwrap_or_default();
            read.add(name, &String::from_utf8_lossy(content));
        }
        read
    }

    /// nginx of a snapshot was started before.
    fn know_proxy(&mut self, id: &str) {
        let starts = self.container(id).map_or(0, |container| container.starts);
        if self.requests.proxies.get(id).is_none_or(|proxy| proxy.starts != starts) {
            self.start_proxy(id);
        }
    }

    /// `nginx -s reload`.
    pub(in crate::engine::sim) fn reload_proxy(&mut self, id: &str) {
        self.know_proxy(id);
        match ProxyFault::due(&mut self.requests.faults, RELOAD) {
            None | Some(ProxyFaultEffect::Rejected) => self.take_configuration(id, false),
            Some(ProxyFaultEffect::Ignored) => {}
            Some(ProxyFaultEffect::StaleAddresses) => self.take_configuration(id, true),
            Some(ProxyFaultEffect::Late(time)) => {
                let id = id.to_owned();
                self.after(time, Purpose::Once, move |state| {
                    state.take_configuration(&id, false);
                    None
                });
            }
        }
    }

    fn take_configuration(&mut self, id: &str, is_stale: bool) {
        let Ok(container) = self.container(id) else { return };
        if container.phase != Phase::Running {
            return;
        }
        let (configuration, now) = (self.configuration_of(container), self.now);
        let busy = self.requests.busy_generations(id, now);
        if let Some(proxy) = self.requests.proxies.get_mut(id) {
            proxy.is_stale = is_stale;
            proxy.reload(now, configuration, &busy);
        }
    }

    /// The view of a command in a container of nginx.
    pub(in crate::engine::sim) fn proxy_view(
        &mut self,
        id: &str,
        command: &[String],
    ) -> Option<ProxyView> {
        if !self.container(id).is_ok_and(is_proxy) {
            return None;
        }
        self.know_proxy(id);
        let line = command.last().map_or("", String::as_str);
        let mut view = ProxyView::default();
        if command == ["nginx", "-t"] && ProxyFault::due(&mut self.requests.faults, TEST).is_some()
        {
            view.rejects = Some("nginx: [emerg] unexpected \"}\": a fault of the test".to_owned());
        }
        if let Some((_, asked)) = line.split_once(":8090/probe/") {
            let upstream = asked.split('/').next().unwrap_or_default();
            for _ in 0..HITS {
                view.probes.push(self.probe(id, upstream));
            }
        }
        let requests = self.requests.in_flight.values().filter(|request| request.proxy == id);
        view.connections = requests.map(|request| far_end(request.address, request.port)).collect();
        let proxy = self.requests.proxies.get(id)?;
        let busy = self.requests.busy_generations(id, self.now);
        view.old_workers = busy.iter().filter(|generation| **generation != proxy.current).count();
        let current = proxy.configuration(proxy.current)?;
        view.generation.clone_from(&current.generation);
        Some(view)
    }

    /// The status of a request to an upstream, from inside nginx's container.
    fn probe(&mut self, id: &str, upstream: &str) -> u16 {
        let Some(generation) = self.requests.proxies.get(id).map(|proxy| proxy.current) else {
            return 502;
        };
        self.connect(id, generation, upstream, None, 0).map_or(502, |_| 200)
    }

    /// The container that gets a request for an upstream. Upstreams without a file are services by
    /// their name, with this port. `service`: the service that the container has to belong to.
    pub(super) fn connect(
        &mut self,
        proxy: &str,
        generation: u64,
        upstream: &str,
        service: Option<&str>,
        port: u16,
    ) -> Result<Target, Refusal> {
        let name = self.container(proxy).map_or_else(|_| proxy.to_owned(), |it| it.name.clone());
        let refused = |reason: String| Refusal { container: name.clone(), reason };
        let own = vec![(upstream.to_owned(), port)];
        let servers = self
            .requests
            .proxies
            .get(proxy)
            .and_then(|proxy| proxy.configuration(generation)?.servers(upstream))
            .map_or(own, <[_]>::to_vec);
        let mut addresses = Vec::new();
        for (host, port) in &servers {
            let found = self.look_up(proxy, host);
            addresses.extend(found.into_iter().map(|address| (address, *port)));
        }
        let turn = self
            .requests
            .proxies
            .get_mut(proxy)
            .map_or(0, |proxy| proxy.turn(upstream, addresses.len()));
        let Some((address, port)) = addresses.get(turn).copied() else {
            return Err(refused(format!("nginx has no address for its upstream \"{upstream}\"")));
        };
        let found = self.at_address(proxy, address);
        let Some((container, endpoint, proxy_endpoint)) = found else {
            return Err(refused(format!("no running container has the address {address}")));
        };
        let refusal = |reason: &str| Refusal {
            container: container.name.clone(),
            reason: format!("{reason} ({address})"),
        };
        let own = container.labels.get(SERVICE_LABEL);
        if service.is_some_and(|service| own.is_some_and(|own| own != service)) {
            return Err(refusal("the address belongs to another service now"));
        }
        if container.is_stopping {
            return Err(refusal("the container stops and takes no new request"));
        }
        if !self.listens(container) {
            return Err(refusal("the application in the container is not up yet"));
        }
        let container = container.id.clone();
        Ok(Target { container, endpoint, proxy_endpoint, address, port })
    }

    /// The running container at an address of a network of nginx, and both connections.
    fn at_address(&self, proxy: &str, address: Ipv4Addr) -> Option<(&Container, String, String)> {
        let own = self.container(proxy).ok()?;
        own.endpoints.values().find_map(|endpoint| {
            let network = &endpoint.network_id;
            let proxy_endpoint = endpoint.joined.as_ref()?.endpoint_id.clone();
            let (container, _) = self
                .objects
                .members(network)
                .find(|(_, member)| member.address().is_some_and(|(_, own)| own == address))?;
            let endpoint = endpoint_on(container, network)?.to_owned();
            Some((container, endpoint, proxy_endpoint))
        })
    }

    /// The addresses of a name, as nginx knows them now.
    fn look_up(&mut self, proxy: &str, name: &str) -> Vec<Ipv4Addr> {
        let now = self.now;
        let known = self.requests.proxies.get(proxy).and_then(|proxy| proxy.known(name, now));
        if let Some(addresses) = known {
            return addresses;
        }
        let addresses = self.addresses_of(proxy, name);
        if let Some(proxy) = self.requests.proxies.get_mut(proxy) {
            proxy.learn(name, &addresses, now);
        }
        addresses
    }

    /// The answer of the engine's DNS: the containers with this name, alias or short id on the
    /// networks of the asking one.
    fn addresses_of(&self, asking: &str, name: &str) -> Vec<Ipv4Addr> {
        let Ok(own) = self.container(asking) else { return Vec::new() };
        let networks = own.endpoints.values().filter(|endpoint| endpoint.joined.is_some());
        let members = networks.flat_map(|endpoint| self.objects.members(&endpoint.network_id));
        let mut named: Vec<(u64, Ipv4Addr)> = members
            .filter(|(container, endpoint)| {
                container.name == name
                    || short(&container.id) == name
                    || endpoint.aliases().iter().any(|alias| alias == name)
            })
            .filter_map(|(container, endpoint)| Some((container.serial, endpoint.address()?.1)))
            .collect();
        named.sort_unstable();
        named.dedup();
        named.into_iter().map(|(_, address)| address).collect()
    }
}

/// As in `/proc/net/tcp`.
fn far_end(address: Ipv4Addr, port: u16) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d:02X}{c:02X}{b:02X}{a:02X}:{port:04X}")
}

#[cfg(test)]
mod tests {
    use super::far_end;

    #[test]
    fn a_connection_is_written_as_the_kernel_does() {
        assert_eq!(far_end([172, 20, 0, 5].into(), 8000), "050014AC:1F40");
    }
}
