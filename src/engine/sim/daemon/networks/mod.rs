//! Networks: pools that can't overlap, names that older engines assign twice, containers on them.

pub(in crate::engine::sim) mod endpoints;

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::{
    self, EndpointResource, Ipam, IpamConfig, NetworkCreateRequest, NetworkInspect,
};
use ipnet::Ipv4Net;

use super::errors::refusal;
use super::filters::{FilterSet, label_matches, name_matches};
use super::ipam::{self, Pool};
use super::state::{Objects, State};
use crate::engine::sim::MODERN_API;
use crate::engine::{Filters, Result};
use crate::host::sim::{date, since_epoch};
pub(in crate::engine::sim) use endpoints::{Endpoint, check_endpoint};

/// The default network of containers.
pub(in crate::engine::sim) const BRIDGE: &str = "bridge";
const PREDEFINED: [(&str, &str); 3] = [(BRIDGE, "bridge"), ("host", "host"), ("none", "null")];

const FILTERS: &[&str] = &["dangling", "driver", "id", "label", "name", "scope", "type"];

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "they are Docker's")]
pub(in crate::engine::sim) struct Network {
    pub id: String,
    pub serial: u64,
    pub name: String,
    pub driver: String,
    pub created: Duration,
    pub labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
    internal: bool,
    attachable: bool,
    ipv6: bool,
    ipam_driver: String,
    /// The form in an inspect: as requested, or as the engine chose.
    ipam_config: Vec<IpamConfig>,
    pub pools: Vec<Pool>,
    /// Whether the subnets come from the user: only then may containers request an address.
    pub own_subnets: bool,
}

impl Network {
    /// From another engine's list; `None` without an id.
    pub fn found(network: &models::Network, serial: u64) -> Option<Self> {
        let ipam = network.ipam.clone().unwrap_or_default();
        let sorted = |map: &Option<std::collections::HashMap<String, String>>| {
            map.clone().unwrap_or_default().into_iter().collect()
        };
        Some(Self {
            id: network.id.clone()?,
            serial,
            name: network.name.clone()?,
            driver: network.driver.clone().unwrap_or_default(),
            created: network.created.map(since_epoch).unwrap_or_default(),
            labels: sorted(&network.labels),
            options: sorted(&network.options),
            internal: network.internal.unwrap_or_default(),
            attachable: network.attachable.unwrap_or_default(),
            ipv6: network.enable_ipv6.unwrap_or_default(),
            ipam_driver: ipam.driver.clone().unwrap_or_default(),
            // Pools that this engine can't parse take no addresses.
            pools: ipam::asked(Some(&ipam)).unwrap_or_default(),
            ipam_config: ipam.config.unwrap_or_default(),
            // The list doesn't show this, so nothing is rejected that may be allowed.
            own_subnets: true,
        })
    }

    pub fn is_predefined(&self) -> bool {
        PREDEFINED.iter().any(|(name, _)| *name == self.name)
    }

    /// Whether containers on it can publish ports.
    pub fn publishes(&self) -> bool {
        self.driver == BRIDGE && !self.internal
    }

    fn ipam(&self) -> Ipam {
        Ipam {
            driver: Some(self.ipam_driver.clone()),
            config: Some(self.ipam_config.clone()),
            options: None,
        }
    }

    fn shown(&self) -> models::Network {
        models::Network {
            name: Some(self.name.clone()),
            id: Some(self.id.clone()),
            created: Some(date(self.created)),
            scope: Some("local".to_owned()),
            driver: Some(self.driver.clone()),
            enable_ipv6: Some(self.ipv6),
            ipam: Some(self.ipam()),
            internal: Some(self.internal),
            attachable: Some(self.attachable),
            ingress: Some(false),
            config_only: Some(false),
            options: Some(self.options.clone().into_iter().collect()),
            labels: Some(self.labels.clone().into_iter().collect()),
            ..models::Network::default()
        }
    }
}

impl Objects {
    /// By full id, name, or the beginning of an id, in this order.
    pub fn find_network(&self, wanted: &str) -> Result<&Network> {
        if let Some(network) = self.networks.get(wanted) {
            return Ok(network);
        }
        let named: Vec<&Network> =
            self.networks.values().filter(|network| network.name == wanted).collect();
        let begun = || {
            self.networks
                .values()
                .filter(|network| !wanted.is_empty() && network.id.starts_with(wanted))
                .collect()
        };
        let found: Vec<&Network> = if named.is_empty() { begun() } else { named };
        match found.as_slice() {
            [network] => Ok(network),
            [] => Err(refusal(404, format!("network {wanted} not found"))),
            several => Err(refusal(
                400,
                format!(
                    "network {wanted} is ambiguous ({} matches found based on name)",
                    several.len()
                ),
            )),
        }
    }

    /// In the order of creation.
    pub fn list_networks(&self, filters: &Filters) -> Result<Vec<models::Network>> {
        let wanted = FilterSet::new(filters, FILTERS)?;
        let dangling = wanted.flag("dangling")?;
        let any = |key: &str, fits: &dyn Fn(&str) -> bool| {
            wanted.values(key).is_none_or(|values| values.iter().any(|value| fits(value)))
        };
        let fits = |network: &&Network| {
            any("id", &|value| network.id.starts_with(value))
                && any("name", &|value| name_matches(value, &network.name))
                && any("driver", &|value| value == network.driver)
                && any("scope", &|value| value == "local")
                && any("type", &|value| {
                    value == if network.is_predefined() { "builtin" } else { "custom" }
                })
                && wanted.values("label").is_none_or(|labels| {
                    labels.iter().all(|label| label_matches(label, &network.labels))
                })
                && dangling.is_none_or(|dangling| {
                    !network.is_predefined()
                        && dangling != self.members(&network.id).next().is_some()
                })
        };
        let mut found: Vec<&Network> = self.networks.values().filter(fits).collect();
        found.sort_by_key(|network| network.serial);
        Ok(found.into_iter().map(Network::shown).collect())
    }

    pub fn inspect_network(&self, wanted: &str) -> Result<NetworkInspect> {
        let network = self.find_network(wanted)?;
        let containers = self.members(&network.id).filter_map(|(container, endpoint)| {
            let joined = endpoint.joined.as_ref()?;
            let resource = EndpointResource {
                name: Some(container.name.clone()),
                endpoint_id: Some(joined.endpoint_id.clone()),
                mac_address: Some(joined.mac_address()),
                ipv4_address: Some(joined.with_prefix()),
                ipv6_address: Some(String::new()),
            };
            Some((container.id.clone(), resource))
        });
        let shown = network.shown();
        Ok(NetworkInspect {
            containers: Some(containers.collect()),
            name: shown.name,
            id: shown.id,
            created: shown.created,
            scope: shown.scope,
            driver: shown.driver,
            enable_ipv6: shown.enable_ipv6,
            ipam: shown.ipam,
            internal: shown.internal,
            attachable: shown.attachable,
            ingress: shown.ingress,
            config_only: shown.config_only,
            options: shown.options,
            labels: shown.labels,
            ..NetworkInspect::default()
        })
    }
}

impl State {
    /// The networks every engine has.
    pub fn create_predefined_networks(&mut self) -> Result<()> {
        for (name, driver) in PREDEFINED {
            let pools = if driver == BRIDGE { vec![ipam::free(&[])?] } else { Vec::new() };
            let ipam_config = chosen(&pools);
            let network = Network {
                id: self.ids.next(),
                serial: self.ids.serial(),
                name: name.to_owned(),
                driver: driver.to_owned(),
                created: self.now,
                labels: BTreeMap::new(),
                options: BTreeMap::new(),
                internal: false,
                attachable: false,
                ipv6: false,
                ipam_driver: "default".to_owned(),
                ipam_config,
                pools,
                own_subnets: false,
            };
            self.objects.networks.insert(network.id.clone(), network);
        }
        Ok(())
    }

    /// The new network's id.
    pub fn create_network(&mut self, body: NetworkCreateRequest) -> Result<String> {
        if body.name.is_empty() {
            return Err(refusal(500, "invalid name:"));
        }
        let driver =
            body.driver.filter(|driver| !driver.is_empty()).unwrap_or_else(|| BRIDGE.to_owned());
        if PREDEFINED.iter().any(|(name, _)| *name == body.name) {
            return Err(refusal(
                403,
                format!("operation is not permitted on predefined {} network", body.name),
            ));
        }
        if !matches!(driver.as_str(), "bridge" | "macvlan" | "ipvlan") {
            return Err(refusal(404, format!("plugin \"{driver}\" not found")));
        }
        // Before, a second network with the same name was created with only a warning.
        if self.api >= MODERN_API
            && self.objects.networks.values().any(|network| network.name == body.name)
        {
            return Err(refusal(409, format!("network with name {} already exists", body.name)));
        }
        let taken: Vec<Ipv4Net> = self
            .objects
            .networks
            .values()
            .flat_map(|network| network.pools.iter().map(|pool| pool.subnet))
            .collect();
        let asked = ipam::asked(body.ipam.as_ref())?;
        if asked.iter().any(|pool| taken.iter().any(|other| ipam::overlap(*other, pool.subnet))) {
            return Err(ipam::overlaps());
        }
        let own_subnets = !asked.is_empty();
        let pools = if own_subnets { asked } else { vec![ipam::free(&taken)?] };
        let own_config =
            body.ipam.as_ref().and_then(|ipam| ipam.config.clone()).filter(|_| own_subnets);
        let network = Network {
            id: self.ids.next(),
            serial: self.ids.serial(),
            name: body.name,
            driver,
            created: self.now,
            labels: body.labels.unwrap_or_default().into_iter().collect(),
            options: body.options.unwrap_or_default().into_iter().collect(),
            internal: body.internal.unwrap_or_default(),
            attachable: body.attachable.unwrap_or_default(),
            ipv6: body.enable_ipv6.unwrap_or_default(),
            ipam_driver: body
                .ipam
                .and_then(|ipam| ipam.driver)
                .filter(|driver| !driver.is_empty())
                .unwrap_or_else(|| "default".to_owned()),
            ipam_config: own_config.unwrap_or_else(|| chosen(&pools)),
            pools,
            own_subnets,
        };
        let (id, details) = (network.id.clone(), event_details(&network));
        self.objects.networks.insert(id.clone(), network);
        self.emit_network_event(&id, "create", &details, None);
        Ok(id)
    }

    pub fn remove_network(&mut self, wanted: &str) -> Result<()> {
        let network = self.objects.find_network(wanted)?;
        if network.is_predefined() {
            return Err(refusal(
                403,
                format!("{} is a pre-defined network and cannot be removed", network.name),
            ));
        }
        if self.objects.members(&network.id).next().is_some() {
            let words = format!(
                "error while removing network: network {} id {} has active endpoints",
                network.name, network.id
            );
            return Err(refusal(403, words));
        }
        let (id, details) = (network.id.clone(), event_details(network));
        self.objects.networks.remove(&id);
        self.emit_network_event(&id, "destroy", &details, None);
        Ok(())
    }

    /// Every event of a network contains its name and driver.
    pub(in crate::engine::sim) fn emit_network_event(
        &mut self,
        id: &str,
        action: &str,
        (name, driver): &(String, String),
        container: Option<&str>,
    ) {
        let mut details = vec![("name", name.as_str()), ("type", driver.as_str())];
        details.extend(container.map(|container| ("container", container)));
        self.emit_network(id, action, &details);
    }
}

pub(in crate::engine::sim) fn event_details(network: &Network) -> (String, String) {
    (network.name.clone(), network.driver.clone())
}

fn chosen(pools: &[Pool]) -> Vec<IpamConfig> {
    let config = |pool: &Pool| IpamConfig {
        subnet: Some(pool.subnet.to_string()),
        gateway: Some(pool.gateway.to_string()),
        ..IpamConfig::default()
    };
    pools.iter().map(config).collect()
}
