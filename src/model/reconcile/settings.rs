//! How the engine's objects differ from the description, by meaning and not by spelling.

use std::collections::{BTreeMap, BTreeSet};

use super::super::driver_options::without_passwords;
use super::super::hash;
use super::super::observed_state::{self, ObservedState};
use super::super::spec::network::DEFAULT_NETWORK_DRIVER;
use super::super::spec::{IpamConfig, Network, Service, Volume};
use super::desired_state::DesiredState;

/// Whether the container matches the described service.
pub(super) fn is_made_of(
    there: &observed_state::Container,
    service: &Service,
    wanted: &DesiredState<'_>,
    observed: &ObservedState,
) -> bool {
    let Some(hash) = there.hash.as_deref() else { return false };
    hash::is_of_service(hash, service, wanted.project, wanted.secrets)
        || observed.unchecked_images.contains(&there.image_id)
            && hash::is_of_service_by_defaults(hash, service, wanted.project, wanted.secrets)
}

/// Newer engines add this to the options of every network.
const ADDED_BY_THE_ENGINE: &str = "com.docker.network.enable_ipv";

/// `driver: bridge → macvlan, internal: false → true`; `None` if the network matches the
/// description.
pub(super) fn of_network(there: &observed_state::Network, wanted: &Network) -> Option<String> {
    if there.hash.as_deref().is_some_and(|hash| hash::is_of_network(hash, wanted)) {
        return None;
    }
    let (there, wanted) = (there.settings.canonical(), wanted.canonical());
    let mut differences = Differences::default();
    let driver = |network: &Network| {
        network.driver.clone().unwrap_or_else(|| DEFAULT_NETWORK_DRIVER.to_owned())
    };
    differences.compare("driver", &driver(&there), &driver(&wanted));
    let mut options = there.driver_opts.clone();
    options.retain(|key, _| {
        !key.starts_with(ADDED_BY_THE_ENGINE) || wanted.driver_opts.contains_key(key)
    });
    differences.maps("driver_opts", &options, &wanted.driver_opts);
    for (key, before, now) in [
        ("internal", there.internal, wanted.internal),
        ("attachable", there.attachable, wanted.attachable),
        ("enable_ipv6", there.enable_ipv6, wanted.enable_ipv6),
    ] {
        differences.compare(key, &before.to_string(), &now.to_string());
    }
    differences.maps("labels", &there.labels, &wanted.labels);
    // The engine does not show which address pools it chose itself. If the description has none,
    // the pools count as changed only if nothing else changed.
    if !wanted.ipam.is_empty() || differences.0.is_empty() {
        differences.compare("ipam", &pools(&there.ipam), &pools(&wanted.ipam));
    }
    differences.joined()
}

/// The same for a network that Docker Compose created. If the description has no pools, it ignores
/// those of the network: the engine chose them.
pub(super) fn of_adopted_network(
    there: &observed_state::Network,
    wanted: &Network,
) -> Option<String> {
    if !wanted.ipam.is_empty() {
        return of_network(there, wanted);
    }
    let settings = Network { ipam: Vec::new(), ..there.settings.clone() };
    of_network(&observed_state::Network { settings, ..there.clone() }, wanted)
}

/// The same for a volume.
pub(super) fn of_volume(there: &observed_state::Volume, wanted: &Volume) -> Option<String> {
    if there.hash.as_deref().is_some_and(|hash| hash::is_of_volume(hash, wanted)) {
        return None;
    }
    let mut differences = Differences::default();
    let driver = |volume: &Volume| volume.own_driver().unwrap_or("local").to_owned();
    differences.compare("driver", &driver(&there.settings), &driver(wanted));
    differences.maps("driver_opts", &there.settings.driver_opts, &wanted.driver_opts);
    differences.maps("labels", &there.settings.labels, &wanted.labels);
    differences.joined()
}

/// Address pools as text. Omits defaults: the gateway that the engine would choose, and a range
/// that equals the subnet.
fn pools(pools: &[IpamConfig]) -> String {
    let word = |pool: &IpamConfig| {
        let gateway = pool.gateway.filter(|gateway| Some(*gateway) != pool.default_gateway());
        let subnet = pool.subnet.map(|net| net.to_string());
        let range = pool
            .ip_range
            .filter(|range| pool.subnet != Some(*range))
            .map(|net| format!("ip_range {net}"));
        let words: Vec<String> = subnet
            .into_iter()
            .chain(gateway.map(|gateway| format!("gateway {gateway}")))
            .chain(range)
            .collect();
        words.join(" ")
    };
    let words: Vec<String> = pools.iter().map(word).collect();
    if words.is_empty() { "chosen by the engine".to_owned() } else { words.join(", ") }
}

#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare(&mut self, key: &str, there: &str, wanted: &str) {
        if there != wanted {
            self.0.push(format!("{key}: {there} → {wanted}"));
        }
    }

    fn maps(
        &mut self,
        name: &str,
        there: &BTreeMap<String, String>,
        wanted: &BTreeMap<String, String>,
    ) {
        let keys: BTreeSet<&String> = there.keys().chain(wanted.keys()).collect();
        for key in keys.into_iter().filter(|key| there.get(*key) != wanted.get(*key)) {
            let shown = |map: &BTreeMap<String, String>| {
                map.get(key).map_or("not set".to_owned(), |value| without_passwords(key, value))
            };
            self.0.push(format!("{name}.{key}: {} → {}", shown(there), shown(wanted)));
        }
    }

    fn joined(self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join(", "))
    }
}
