//! Containers on networks: connecting at a start or while running, addresses, aliases,
//! disconnecting.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use bollard::models::{EndpointIpamConfig, EndpointSettings};

use super::{Network, event_details};
use crate::engine::Result;
use crate::engine::sim::MODERN_API;
use crate::engine::sim::daemon::containers::lifecycle::networking_failed;
use crate::engine::sim::daemon::containers::{Container, Phase};
use crate::engine::sim::daemon::errors::refusal;
use crate::engine::sim::daemon::ids::short;
use crate::engine::sim::daemon::ipam::NoAddress;
use crate::engine::sim::daemon::state::{Objects, State};

/// The endpoint of a container on a network.
#[derive(Debug, Clone, Default)]
pub(in crate::engine::sim) struct Endpoint {
    aliases: Vec<String>,
    ipam: Option<EndpointIpamConfig>,
    driver_options: Option<std::collections::HashMap<String, String>>,
    links: Option<Vec<String>>,
    /// The last network; from then on it is identified by this id.
    pub network_id: String,
    /// Whether that network was created by a user.
    on_own_network: bool,
    /// While it runs.
    pub joined: Option<AttachedNetwork>,
}

/// A live connection.
#[derive(Debug, Clone)]
pub(in crate::engine::sim) struct AttachedNetwork {
    pub endpoint_id: String,
    pub address: Option<(Ipv4Addr, u8)>,
    gateway: Option<Ipv4Addr>,
}

impl AttachedNetwork {
    /// Derived from the address, as by the bridge driver.
    pub fn mac_address(&self) -> String {
        let octets = self.address.map(|(address, _)| address.octets());
        octets.map_or_else(String::new, |[a, b, c, d]| {
            format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
        })
    }

    /// `10.0.0.2/24`.
    pub fn with_prefix(&self) -> String {
        self.address.map_or_else(String::new, |(address, prefix)| format!("{address}/{prefix}"))
    }
}

impl Endpoint {
    /// The form in a request.
    pub fn asked(settings: EndpointSettings) -> Self {
        Self {
            aliases: settings.aliases.unwrap_or_default(),
            ipam: settings.ipam_config,
            driver_options: settings.driver_opts,
            links: settings.links,
            ..Self::default()
        }
    }

    /// The form of another engine for a container with this short id; `own`: it is on a network of
    /// the user.
    pub fn found(settings: EndpointSettings, id: &str, own: bool) -> Self {
        let network_id = settings.network_id.clone().unwrap_or_default();
        let address = settings.ip_address.as_deref().and_then(|text| text.parse().ok());
        let prefix =
            settings.ip_prefix_len.and_then(|len| u8::try_from(len).ok()).unwrap_or_default();
        let endpoint_id = settings.endpoint_id.clone().filter(|id| !id.is_empty());
        let joined = endpoint_id.map(|endpoint_id| AttachedNetwork {
            endpoint_id,
            address: address.map(|address| (address, prefix)),
            gateway: settings.gateway.as_deref().and_then(|text| text.parse().ok()),
        });
        let mut endpoint =
            Self { network_id, on_own_network: own, joined, ..Self::asked(settings) };
        // The engine adds it by itself.
        endpoint.aliases.retain(|alias| alias != id);
        endpoint
    }

    /// Its current network, and its address there.
    pub fn address(&self) -> Option<(&str, Ipv4Addr)> {
        let (address, _) = self.joined.as_ref()?.address?;
        Some((&self.network_id, address))
    }

    fn wanted_address(&self) -> Option<&str> {
        self.ipam.as_ref()?.ipv4_address.as_deref().filter(|address| !address.is_empty())
    }

    /// Its additional names.
    pub fn aliases(&self) -> &[String] {
        &self.aliases
    }

    /// The form in inspect and list.
    pub fn shown(&self, container: &Container, modern: bool) -> EndpointSettings {
        let mut aliases = self.aliases.clone();
        let mut names = None;
        if modern {
            let all = [container.name.as_str(), short(&container.id)]
                .map(str::to_owned)
                .into_iter()
                .chain(aliases.clone());
            let mut seen = BTreeSet::new();
            names = Some(all.filter(|name| seen.insert(name.clone())).collect());
        } else if !self.network_id.is_empty() && self.on_own_network {
            aliases.push(short(&container.id).to_owned());
        }
        let joined = self.joined.as_ref();
        let text = |value: Option<String>| Some(value.unwrap_or_default());
        EndpointSettings {
            ipam_config: self.ipam.clone(),
            links: self.links.clone(),
            mac_address: text(joined.map(AttachedNetwork::mac_address)),
            aliases: (!aliases.is_empty()).then_some(aliases),
            driver_opts: self.driver_options.clone(),
            network_id: Some(self.network_id.clone()),
            endpoint_id: text(joined.map(|joined| joined.endpoint_id.clone())),
            gateway: text(
                joined.and_then(|joined| joined.gateway).map(|gateway| gateway.to_string()),
            ),
            ip_address: text(
                joined.and_then(|joined| joined.address).map(|(address, _)| address.to_string()),
            ),
            ip_prefix_len: Some(
                joined.and_then(|joined| joined.address).map_or(0, |(_, prefix)| i64::from(prefix)),
            ),
            dns_names: names,
            ..EndpointSettings::default()
        }
    }
}

impl Objects {
    /// The containers that are on a network now.
    pub(in crate::engine::sim) fn members<'a>(
        &'a self,
        network: &'a str,
    ) -> impl Iterator<Item = (&'a Container, &'a Endpoint)> {
        self.containers.values().flat_map(move |container| {
            container
                .endpoints
                .values()
                .filter(move |endpoint| endpoint.joined.is_some() && endpoint.network_id == network)
                .map(move |e| (container, e))
        })
    }

    /// The network of an endpoint. If a container was connected to a network of the user, exactly
    /// this network is meant.
    fn network_of(&self, name: &str, endpoint: &Endpoint) -> Result<&Network> {
        let own = !endpoint.network_id.is_empty() && endpoint.on_own_network;
        self.find_network(if own { &endpoint.network_id } else { name })
    }
}

impl State {
    /// At a start: connects it to all its networks, or to none.
    pub(in crate::engine::sim) fn join_networks(&mut self, id: &str) -> Result<()> {
        let modern = self.api >= MODERN_API;
        let names: Vec<String> = self.container(id)?.endpoints.keys().cloned().collect();
        for name in names {
            if let Err(error) = self.join(id, &name) {
                self.forget_connections(id);
                return Err(networking_failed(modern, error));
            }
        }
        Ok(())
    }

    /// Once the ports are published too, the connections are reported.
    pub(in crate::engine::sim) fn announce_networks(&mut self, id: &str) {
        let endpoints = self
            .objects
            .containers
            .get(id)
            .into_iter()
            .flat_map(|container| container.endpoints.values());
        let joined: Vec<String> = endpoints
            .filter(|endpoint| endpoint.joined.is_some())
            .map(|endpoint| endpoint.network_id.clone())
            .collect();
        for network in joined {
            self.emit_membership(&network, "connect", id);
        }
    }

    fn join(&mut self, id: &str, name: &str) -> Result<()> {
        let container = self.container(id)?;
        let Some(endpoint) = container.endpoints.get(name) else {
            return Err(refusal(404, format!("network {name} not found")));
        };
        let network = self.objects.network_of(name, endpoint)?;
        check_endpoint(network, endpoint, self.api >= MODERN_API)?;
        let none = BTreeSet::new();
        let address = allocate(
            network,
            endpoint,
            self.objects.containers.addresses_on(&network.id).unwrap_or(&none),
        )?;
        let (network_id, own) = (network.id.clone(), !network.is_predefined());
        let gateway = network.pools.first().map(|pool| pool.gateway);
        let endpoint_id = self.ids.next();
        self.objects.containers.change_endpoints(id, |endpoints| {
            if let Some(endpoint) = endpoints.get_mut(name) {
                endpoint.network_id = network_id;
                endpoint.on_own_network = own;
                endpoint.joined = Some(AttachedNetwork { endpoint_id, address, gateway });
            }
        });
        Ok(())
    }

    /// At an end: disconnects it from every network.
    pub(in crate::engine::sim) fn leave_networks(&mut self, id: &str) {
        for network in self.forget_connections(id) {
            self.emit_membership(&network, "disconnect", id);
        }
    }

    /// Its former networks.
    fn forget_connections(&mut self, id: &str) -> Vec<String> {
        let Ok(container) = self.container_mut(id) else { return Vec::new() };
        container.published.clear();
        let left = self.objects.containers.change_endpoints(id, |endpoints| {
            endpoints
                .values_mut()
                .filter_map(|endpoint| endpoint.joined.take().map(|_| endpoint.network_id.clone()))
                .collect()
        });
        left.unwrap_or_default()
    }

    fn emit_membership(&mut self, network: &str, action: &str, container: &str) {
        if let Some(details) = self.objects.networks.get(network).map(event_details) {
            self.emit_network_event(network, action, &details, Some(container));
        }
    }

    /// Connects a container to one more network, at once if it runs, else from its next start on.
    pub fn connect_network(
        &mut self,
        network: &str,
        container: &str,
        settings: EndpointSettings,
    ) -> Result<()> {
        let id = self.container_id(container)?;
        let network = self.objects.find_network(network)?;
        let found = self.container(&id)?;
        if found.host.network_mode.as_deref() == Some("host") || network.name == "host" {
            return Err(refusal(
                403,
                "container cannot be disconnected from host network or connected to host network",
            ));
        }
        let endpoint = Endpoint::asked(settings);
        check_endpoint(network, &endpoint, self.api >= MODERN_API)?;
        let (name, network_id) = (network.name.clone(), network.id.clone());
        let running = found.phase == Phase::Running;
        if found.endpoints.get(&name).is_some_and(|held| held.joined.is_some()) {
            return Err(refusal(
                403,
                format!("endpoint with name {} already exists in network {name}", found.name),
            ));
        }
        self.objects
            .containers
            .change_endpoints(&id, |endpoints| endpoints.insert(name.clone(), endpoint));
        if running {
            if let Err(error) = self.join(&id, &name) {
                self.objects.containers.change_endpoints(&id, |endpoints| endpoints.remove(&name));
                return Err(error);
            }
            self.emit_membership(&network_id, "connect", &id);
        }
        Ok(())
    }

    /// Disconnects a container from a network. `force`: even if it no longer exists.
    pub fn disconnect_network(
        &mut self,
        network: &str,
        container: &str,
        force: bool,
    ) -> Result<()> {
        let network = self.objects.find_network(network)?;
        let (name, network_id) = (network.name.clone(), network.id.clone());
        let id = match self.container_id(container) {
            Err(error) if error.is_not_found() && force => return Ok(()),
            id => id?,
        };
        if self
            .objects
            .containers
            .change_endpoints(&id, |endpoints| endpoints.remove(&name))
            .flatten()
            .is_none()
        {
            return Err(refusal(500, format!("container {id} is not connected to network {name}")));
        }
        self.emit_membership(&network_id, "disconnect", &id);
        Ok(())
    }
}

/// A setting that a network does not support. Newer engines report all of them, and also check the
/// subnets.
pub(in crate::engine::sim) fn check_endpoint(
    network: &Network,
    endpoint: &Endpoint,
    modern: bool,
) -> Result<()> {
    let mut wrong = Vec::new();
    let address = endpoint.wanted_address();
    if !endpoint.aliases.is_empty() && network.is_predefined() {
        wrong.push(
            "network-scoped alias is supported only for containers in user defined networks"
                .to_owned(),
        );
    }
    if address.is_some() && network.is_predefined() {
        wrong.push(
            "user specified IP address is supported on user defined networks only".to_owned(),
        );
    }
    if let Some(address) = address.filter(|_| !network.is_predefined()) {
        let parsed = address.parse::<Ipv4Addr>().ok();
        if parsed.is_none() && modern {
            wrong.push(format!("invalid IPv4 address: {address}"));
        }
        if !network.own_subnets {
            wrong.push("user specified IP address is supported only when connecting to networks with user configured subnets".to_owned());
        } else if modern
            && !parsed.is_some_and(|address| {
                network.pools.iter().any(|pool| pool.subnet.contains(&address))
            })
        {
            wrong
                .push(format!("no configured subnet or ip-range contain the IP address {address}"));
        }
    }
    match (wrong.as_slice(), modern) {
        ([], _) => Ok(()),
        ([first, ..], false) => Err(refusal(400, first)),
        ([only], true) => Err(refusal(400, format!("invalid endpoint settings:\n{only}"))),
        (all, true) => {
            Err(refusal(400, format!("invalid endpoint settings:\n* {}", all.join("\n* "))))
        }
    }
}

/// An address and the length of its prefix; empty on a network without addresses.
fn allocate(
    network: &Network,
    endpoint: &Endpoint,
    taken: &BTreeSet<Ipv4Addr>,
) -> Result<Option<(Ipv4Addr, u8)>> {
    let wanted = match endpoint.wanted_address() {
        None => None,
        Some(text) => Some(
            text.parse::<Ipv4Addr>()
                .map_err(|_| refusal(400, format!("invalid IPv4 address: {text}")))?,
        ),
    };
    let mut result = Ok(None);
    for pool in &network.pools {
        match pool.address(wanted, taken) {
            Ok(address) => return Ok(Some((address, pool.subnet.prefix_len()))),
            Err(NoAddress::Taken) => return Err(refusal(403, "Address already in use")),
            Err(NoAddress::Exhausted) => {
                result =
                    Err(refusal(403, "no available IPv4 addresses on this network's address pools"))
            }
            Err(NoAddress::NotInSubnet) => {
                let address = wanted.map(|address| address.to_string()).unwrap_or_default();
                result = Err(refusal(
                    500,
                    format!(
                        "Invalid address {address}: It does not belong to any of this network's subnets"
                    ),
                ));
            }
        }
    }
    result
}
