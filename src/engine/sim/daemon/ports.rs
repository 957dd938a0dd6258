//! Published ports: the ports that a container publishes, and the holders of ports.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use bollard::models::{HostConfig, PortBinding, PortMap, PortSummary, PortSummaryTypeEnum};

use super::containers::lifecycle::networking_failed;
use super::containers::{Container, Phase};
use super::errors::refusal;
use super::state::State;
use crate::engine::Result;
use crate::engine::sim::MODERN_API;

/// The beginning of the range of ports that the engine chooses.
pub(in crate::engine::sim) const FIRST_FREE_PORT: u16 = 32768;

/// A port of the machine that leads to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sim) struct PortPublication {
    /// `5432/tcp`
    pub inside: String,
    /// The requested address; empty means all of them.
    pub address: String,
    pub port: u16,
}

impl PortPublication {
    /// An address that conflicts with a listener of the other one.
    fn meets(&self, other: &Self) -> Option<PortConflict> {
        if self.port != other.port || protocol(&self.inside) != protocol(&other.inside) {
            return None;
        }
        let pairs = || {
            self.addresses()
                .into_iter()
                .flat_map(|own| other.addresses().into_iter().map(move |theirs| (own, theirs)))
        };
        if pairs().any(|(own, theirs)| own == theirs) {
            return Some(PortConflict::SameAddress);
        }
        let family = |address: &str| address.contains(':');
        let all = |address: &str| matches!(address, "0.0.0.0" | "::");
        let meet = |(own, theirs): &(&str, &str)| {
            family(own) == family(theirs) && (all(own) || all(theirs))
        };
        pairs().find(meet).map(|(own, _)| PortConflict::Wildcard { own: own.to_owned() })
    }

    fn addresses(&self) -> Vec<&str> {
        if self.address.is_empty() { vec!["0.0.0.0", "::"] } else { vec![&self.address] }
    }

    /// One address, or both families.
    fn bindings(&self) -> Vec<PortBinding> {
        let binding = |address: &str| PortBinding {
            host_ip: Some(address.to_owned()),
            host_port: Some(self.port.to_string()),
        };
        self.addresses().into_iter().map(binding).collect()
    }
}

/// How two listeners conflict. The engine's own records have one entry for each address. Only the
/// operating system finds a wildcard beside an address.
enum PortConflict {
    SameAddress,
    Wildcard { own: String },
}

fn protocol(port: &str) -> &str {
    port.split_once('/').map_or("tcp", |(_, protocol)| protocol)
}

/// Rejects invalid port numbers.
pub(in crate::engine::sim) fn check(host: &HostConfig) -> Result<()> {
    for (inside, bindings) in host.port_bindings.iter().flatten() {
        let number = inside.split('/').next().unwrap_or_default();
        number
            .parse::<u16>()
            .map_err(|_| refusal(400, format!("invalid port specification: \"{number}\"")))?;
        for binding in bindings.iter().flatten() {
            range(binding)?;
        }
    }
    Ok(())
}

/// The ports of the machine that a binding accepts; `None` if any port is accepted.
fn range(binding: &PortBinding) -> Result<Option<RangeInclusive<u16>>> {
    let Some(text) = binding.host_port.as_deref().filter(|text| !matches!(*text, "" | "0")) else {
        return Ok(None);
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(Some(first..=last)),
        _ => Err(refusal(400, format!("invalid port specification: \"{text}\""))),
    }
}

impl State {
    /// At a start: takes the ports that a container publishes. Only exposed ports are published,
    /// others are silently skipped.
    pub(in crate::engine::sim) fn publish_ports(&mut self, id: &str) -> Result<()> {
        let modern = self.api >= MODERN_API;
        let container = self.container(id)?;
        let endpoint = container.endpoints.values().find_map(|endpoint| {
            let joined = endpoint.joined.as_ref()?;
            self.objects
                .networks
                .get(&endpoint.network_id)?
                .publishes()
                .then(|| joined.endpoint_id.clone())
        });
        let Some(endpoint) = endpoint else { return Ok(()) };
        let name = container.name.clone();
        let fails = |cause: String| {
            let words = format!(
                "driver failed programming external connectivity on endpoint {name} ({endpoint}): {cause}"
            );
            networking_failed(modern, refusal(500, words))
        };
        let mut taken = Vec::new();
        for (inside, binding) in asked(container) {
            let address = binding.host_ip.clone().unwrap_or_default();
            let published = match range(&binding)? {
                None => self.any_port(&inside, &address),
                Some(ports) => self.one_of(&inside, &address, ports, &taken).map_err(&fails)?,
            };
            taken.push(published);
        }
        self.container_mut(id)?.published = taken;
        Ok(())
    }

    fn any_port(&mut self, inside: &str, address: &str) -> PortPublication {
        loop {
            let port = self.next_port;
            self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_FREE_PORT);
            let published =
                PortPublication { inside: inside.to_owned(), address: address.to_owned(), port };
            if self.refused(&published, &[]).is_none() {
                return published;
            }
        }
    }

    fn one_of(
        &self,
        inside: &str,
        address: &str,
        ports: RangeInclusive<u16>,
        taken: &[PortPublication],
    ) -> std::result::Result<PortPublication, String> {
        let mut refused = String::new();
        for port in ports {
            let published =
                PortPublication { inside: inside.to_owned(), address: address.to_owned(), port };
            match self.refused(&published, taken) {
                None => return Ok(published),
                Some(cause) => refused = cause,
            }
        }
        Err(refused)
    }

    /// Why a port can't be taken.
    fn refused(&self, wanted: &PortPublication, taken: &[PortPublication]) -> Option<String> {
        let running =
            self.objects.containers.values().filter(|container| container.phase == Phase::Running);
        let address = if wanted.address.is_empty() { "0.0.0.0" } else { &wanted.address };
        let protocol = protocol(&wanted.inside);
        match running
            .flat_map(|container| &container.published)
            .chain(taken)
            .find_map(|other| wanted.meets(other))
        {
            Some(PortConflict::SameAddress) => Some(format!(
                "Bind for {address}:{} failed: port is already allocated",
                wanted.port
            )),
            Some(PortConflict::Wildcard { own }) => Some(self.in_use(&own, wanted.port, protocol)),
            None if protocol == "tcp" && self.machine.ports.contains(&wanted.port) => {
                Some(self.in_use(address, wanted.port, protocol))
            }
            None => None,
        }
    }

    /// In the operating system's words.
    fn in_use(&self, address: &str, port: u16, protocol: &str) -> String {
        let (family, host) = if address.contains(':') {
            ('6', format!("[{address}]"))
        } else {
            ('4', address.to_owned())
        };
        if self.api >= MODERN_API {
            format!("failed to bind host port {host}:{port}/{protocol}: address already in use")
        } else {
            format!(
                "Error starting userland proxy: listen {protocol}{family} {host}:{port}: bind: address already in use"
            )
        }
    }
}

/// The bindings of exposed ports, in the order of the ports.
fn asked(container: &Container) -> Vec<(String, PortBinding)> {
    let none = PortMap::new();
    let bindings = container.host.port_bindings.as_ref().unwrap_or(&none);
    let mut all = Vec::new();
    for inside in exposed(container) {
        match bindings.get(&inside).and_then(Option::as_ref).filter(|bindings| !bindings.is_empty())
        {
            Some(bindings) => {
                all.extend(bindings.iter().map(|binding| (inside.clone(), binding.clone())))
            }
            None if container.host.publish_all_ports == Some(true) => {
                all.push((inside, PortBinding::default()))
            }
            None => {}
        }
    }
    all
}

/// `5432/tcp`, also if the protocol is missing.
fn exposed(container: &Container) -> BTreeSet<String> {
    let full =
        |port: &String| if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
    container.config.exposed_ports.iter().flatten().map(full).collect()
}

/// The form in an inspect; an exposed port that is not published has no bindings.
pub(in crate::engine::sim) fn port_map(container: &Container) -> PortMap {
    if container.phase != Phase::Running
        || container.endpoints.values().all(|endpoint| endpoint.joined.is_none())
    {
        return PortMap::new();
    }
    let mut bindings: BTreeMap<String, Vec<PortBinding>> = BTreeMap::new();
    for published in &container.published {
        bindings.entry(published.inside.clone()).or_default().extend(published.bindings());
    }
    exposed(container).into_iter().map(|port| (port.clone(), bindings.remove(&port))).collect()
}

/// The form in the list.
pub(in crate::engine::sim) fn port_summaries(container: &Container) -> Vec<PortSummary> {
    if container.phase != Phase::Running {
        return Vec::new();
    }
    let mut all = Vec::new();
    for port in exposed(container) {
        let private_port =
            port.split('/').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        let typ = match protocol(&port) {
            "udp" => PortSummaryTypeEnum::UDP,
            "sctp" => PortSummaryTypeEnum::SCTP,
            _ => PortSummaryTypeEnum::TCP,
        };
        let summary = PortSummary { private_port, typ: Some(typ), ..PortSummary::default() };
        let published: Vec<&PortPublication> =
            container.published.iter().filter(|published| published.inside == port).collect();
        if published.is_empty() {
            all.push(summary);
            continue;
        }
        for published in published {
            let binding = |binding: PortBinding| PortSummary {
                ip: binding.host_ip,
                public_port: Some(published.port),
                ..summary.clone()
            };
            all.extend(published.bindings().into_iter().map(binding));
        }
    }
    all
}
