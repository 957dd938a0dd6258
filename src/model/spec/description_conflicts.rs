//! Values that two services or networks of one description can't both have.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Network, Project, Service};
use crate::model::exclusive_resources::{Resource, taken_at_start};
use crate::model::failure::SpecPath;
use crate::model::{Failure, names};

fn path(keys: &[&str]) -> SpecPath {
    SpecPath { keys: keys.iter().map(|&key| key.to_owned()).collect(), on_key: true }
}

/// Rejects names, host ports, addresses and subnets that occur twice.
pub(super) fn check(project: &Project) -> Result<(), Failure> {
    container_names(project)?;
    ports_and_addresses(project)?;
    addresses_in_subnets(project)?;
    networks(project)
}

/// The services whose containers run at the same time.
fn side_by_side(project: &Project) -> impl Iterator<Item = &Service> {
    project.services.values().filter(|service| service.scale > 0 && project.is_active(service))
}

fn container_names(project: &Project) -> Result<(), Failure> {
    let mut given: BTreeMap<String, &str> = BTreeMap::new();
    // Written names come last, so that the failure is at one of them.
    let (written, default): (Vec<&Service>, Vec<&Service>) =
        side_by_side(project).partition(|service| service.container_name.is_some());
    for service in default {
        given.extend((1..=service.scale).map(|number| {
            (names::container(&project.name, &service.name, number), service.name.as_str())
        }));
    }
    for service in written {
        let Some(name) = &service.container_name else { continue };
        if let Some(other) = given.insert(name.trim_start_matches('/').to_owned(), &service.name) {
            return Err(Failure::usage(format!(
                "The services \"{other}\" and \"{}\" both have a container named \"{name}\"",
                service.name
            ))
            .hint("choose another `container_name` for one of them")
            .at(path(&["services", &service.name, "container_name"])));
        }
    }
    Ok(())
}

fn ports_and_addresses(project: &Project) -> Result<(), Failure> {
    let mut taken: Vec<(&Service, Resource, Vec<String>)> = Vec::new();
    for service in side_by_side(project) {
        let own = taken_at_start(service, project);
        for (number, (resource, keys)) in own.iter().enumerate() {
            let at = ["services".to_owned(), service.name.clone()]
                .into_iter()
                .chain(keys.clone())
                .collect();
            let at = SpecPath { keys: at, on_key: true };
            if own[..number].iter().any(|(other, _)| other.overlaps(resource)) {
                return Err(Failure::usage(format!(
                    "The service \"{}\" has {resource} twice",
                    service.name
                ))
                .hint("remove one of the two")
                .at(at));
            }
            let other = taken.iter().find(|(other, there, _)| {
                there.overlaps(resource) && !project.never_together(&other.name, &service.name)
            });
            if let Some((other, _, keys)) = other {
                let place = ["services", &other.name]
                    .into_iter()
                    .chain(keys.iter().map(String::as_str))
                    .collect::<Vec<_>>()
                    .join(".");
                let message = format!(
                    "The services \"{}\" and \"{}\" both have {resource}",
                    other.name, service.name
                );
                return Err(Failure::usage(message)
                    .hint(format!("change it here or at {place}"))
                    .at(at));
            }
        }
        taken.extend(own.into_iter().map(|(resource, keys)| (service, resource, keys)));
    }
    Ok(())
}

/// A static address has to be in a subnet of its network, and can't be the address of the network
/// or its gateway.
fn addresses_in_subnets(project: &Project) -> Result<(), Failure> {
    for service in project.services.values() {
        for (key, attachment) in &service.networks {
            // Only the engine knows the subnets of an external network.
            let Some(network) = project.networks.get(key).filter(|network| !network.external)
            else {
                continue;
            };
            let v4 = attachment.ipv4_address.map(|address| ("ipv4_address", IpAddr::from(address)));
            let v6 = attachment.ipv6_address.map(|address| ("ipv6_address", IpAddr::from(address)));
            for (name, address) in v4.into_iter().chain(v6) {
                let Some((why, hint)) = misfit(network, key, address) else { continue };
                let message = format!(
                    "The service \"{}\" can't have the address {address}: {why}",
                    service.name
                );
                return Err(Failure::usage(message).hint(hint).at(path(&[
                    "services",
                    &service.name,
                    "networks",
                    key,
                    name,
                ])));
            }
        }
    }
    Ok(())
}

/// Why a container can't have this address on the network, and the next step.
fn misfit(network: &Network, key: &str, address: IpAddr) -> Option<(String, String)> {
    let subnets: Vec<IpNet> = network.ipam.iter().filter_map(|pool| pool.subnet).collect();
    if subnets.is_empty() {
        let hint = format!(
            "give the network \"{key}\" a subnet: `ipam` with a `config` whose `subnet` holds the address"
        );
        return Some((format!("the network \"{key}\" has no subnet of its own"), hint));
    }
    let Some(pool) =
        network.ipam.iter().find(|pool| pool.subnet.is_some_and(|net| net.contains(&address)))
    else {
        let all = subnets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Some((
            format!("it is not in the network \"{key}\", which has {all}"),
            "choose an address in that network".to_owned(),
        ));
    };
    let net = pool.subnet?;
    let role = if address == net.network() {
        "it is the network itself"
    } else if address.is_ipv4() && address == net.broadcast() {
        "it is the broadcast address"
    } else if Some(address) == pool.gateway {
        "it is the gateway of the network"
    } else if pool.gateway.is_none() && Some(address) == pool.default_gateway() {
        let hint = format!(
            "choose another address in {net}, or name another `gateway` beside the `subnet`"
        );
        let of = if pool.ip_range.is_some() { "ip_range" } else { "subnet" };
        return Some((
            format!("the engine uses the first address of the network's {of} as its gateway"),
            hint,
        ));
    } else {
        return None;
    };
    Some((role.to_owned(), format!("choose another address in {net}")))
}

fn networks(project: &Project) -> Result<(), Failure> {
    let own: Vec<(&String, &Network)> =
        project.networks.iter().filter(|(_, network)| !network.external).collect();
    for (number, (key, network)) in own.iter().enumerate() {
        let named = project
            .networks
            .iter()
            .find(|(other, there)| other != key && there.name == network.name);
        if let Some((other, _)) = named {
            return Err(Failure::usage(format!(
                "The networks \"{other}\" and \"{key}\" have the same name \"{}\"",
                network.name
            ))
            .hint("choose another `name` for one, or name one network only")
            .at(path(&["networks", key])));
        }
        let nets = |network: &Network| {
            network
                .ipam
                .iter()
                .filter_map(|pool| pool.subnet)
                .map(Resource::Subnet)
                .collect::<Vec<_>>()
        };
        for net in nets(network) {
            if let Some((other, _)) = own[..number]
                .iter()
                .find(|(_, there)| nets(there).iter().any(|other| other.overlaps(&net)))
            {
                return Err(Failure::usage(format!(
                    "The networks \"{other}\" and \"{key}\" overlap: both have {net}"
                ))
                .hint("choose another `subnet` for one of them")
                .at(path(&["networks", key, "ipam"])));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::super::ReadOptions;
    use super::*;

    fn read(description: &Value) -> Result<Project, Failure> {
        Project::read(
            "spc",
            description,
            &ReadOptions { directory: Path::new("/srv"), lookup: &|_| None },
        )
    }

    fn refused(description: &Value, message: &str, path: &str) {
        let failure = read(description).unwrap_err();
        assert_eq!(
            (failure.message.as_str(), failure.path.unwrap().to_string().as_str()),
            (message, path),
            "{description}"
        );
        assert!(failure.hint.is_some(), "{message}");
    }

    fn two(a: &Value, b: &Value) -> Value {
        let with_image = |more: &Value| {
            let mut service = json!({"image": "x"});
            service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            service
        };
        let networks = json!({"n": {"ipam": {"config": [{"subnet": "10.7.0.0/24"}]}}, "m": {}});
        json!({"services": {"a": with_image(a), "b": with_image(b)}, "networks": networks})
    }

    #[test]
    fn a_conflict_between_two_services_names_both_positions() {
        let ports = |port: &str| json!({ "ports": [port] });
        let description = two(&ports("22323:81"), &ports("22323:80"));
        refused(
            &description,
            "The services \"a\" and \"b\" both have the host port 22323",
            "services.b.ports",
        );
        assert_eq!(
            read(&description).unwrap_err().hint.unwrap(),
            "change it here or at services.a.ports"
        );
        for (one, other, fits) in [
            ("80:80", "127.0.0.1:80:80", false),
            ("127.0.0.1:80:80", "127.0.0.2:80:80", true),
            ("80:80", "80:80/udp", true),
            ("80-82:80-82", "81:81", false),
            ("80", "80", true),
        ] {
            assert_eq!(read(&two(&ports(one), &ports(other))).is_ok(), fits, "{one} and {other}");
        }
        let twice = two(&json!({"ports": ["80:80", "80:81"]}), &json!({}));
        refused(&twice, "The service \"a\" has the host port 80 twice", "services.a.ports");
        let address = json!({"networks": {"n": {"ipv4_address": "10.7.0.9"}}});
        let path = "services.b.networks.n.ipv4_address";
        refused(
            &two(&address, &address),
            "The services \"a\" and \"b\" both have the address 10.7.0.9 on the network \"spc_n\"",
            path,
        );
        let name = json!({"container_name": "one"});
        let message = "The services \"a\" and \"b\" both have a container named \"one\"";
        refused(&two(&name, &name), message, "services.b.container_name");
        let name = json!({"container_name": "spc-b-1"});
        let message = "The services \"b\" and \"a\" both have a container named \"spc-b-1\"";
        refused(&two(&name, &json!({})), message, "services.a.container_name");
    }

    #[test]
    fn services_that_never_run_together_may_share_a_port() {
        let port = json!({"ports": ["80:80"]});
        let after = json!({"ports": ["80:80"], "depends_on": {"a": {"condition": "service_completed_successfully"}}});
        assert!(read(&two(&port, &after)).is_ok());
        let started = json!({"ports": ["80:80"], "depends_on": ["a"]});
        assert!(read(&two(&port, &started)).is_err());
        assert!(read(&two(&port, &json!({"ports": ["80:80"], "profiles": ["debug"]}))).is_ok());
        assert!(read(&two(&port, &json!({"ports": ["80:80"], "scale": 0}))).is_ok());
    }

    #[test]
    fn an_address_has_to_be_one_that_the_network_can_give() {
        let on = |network: &str, address: &str| {
            two(&json!({"networks": {network: {"ipv4_address": address}}}), &json!({}))
        };
        for (network, address, why) in [
            ("n", "10.8.0.9", "it is not in the network \"n\", which has 10.7.0.0/24"),
            ("n", "10.7.0.0", "it is the network itself"),
            (
                "n",
                "10.7.0.1",
                "the engine uses the first address of the network's subnet as its gateway",
            ),
            ("n", "10.7.0.255", "it is the broadcast address"),
            ("m", "10.7.0.9", "the network \"m\" has no subnet of its own"),
        ] {
            let message = format!("The service \"a\" can't have the address {address}: {why}");
            refused(
                &on(network, address),
                &message,
                &format!("services.a.networks.{network}.ipv4_address"),
            );
        }
        assert!(read(&on("n", "10.7.0.2")).is_ok());
    }

    #[test]
    fn an_address_is_not_that_of_the_gateway_named_or_chosen_by_the_engine() {
        let read = |pool: Value, version: &str, address: &str| {
            let services = json!({"a": {"image": "x", "networks": {"n": {version: address}}}});
            let networks = json!({"n": {"enable_ipv6": true, "ipam": {"config": [pool]}}});
            read(&json!({"services": services, "networks": networks}))
                .map(drop)
                .map_err(|failure| failure.message)
        };
        let named = "it is the gateway of the network";
        let first = |of: &str| {
            format!("the engine uses the first address of the network's {of} as its gateway")
        };
        for (pool, version, address, why) in [
            (
                json!({"subnet": "10.7.0.0/24", "gateway": "10.7.0.9"}),
                "ipv4_address",
                "10.7.0.9",
                Some(named.to_owned()),
            ),
            (
                json!({"subnet": "10.7.0.0/24", "gateway": "10.7.0.9"}),
                "ipv4_address",
                "10.7.0.1",
                None,
            ),
            (
                json!({"subnet": "10.7.0.0/24", "ip_range": "10.7.0.128/25"}),
                "ipv4_address",
                "10.7.0.128",
                Some(first("ip_range")),
            ),
            (
                json!({"subnet": "10.7.0.0/24", "ip_range": "10.7.0.130/25"}),
                "ipv4_address",
                "10.7.0.128",
                Some(first("ip_range")),
            ),
            (
                json!({"subnet": "10.7.0.0/24", "ip_range": "10.7.0.128/25"}),
                "ipv4_address",
                "10.7.0.129",
                None,
            ),
            (
                json!({"subnet": "10.7.0.0/24", "ip_range": "10.7.0.128/25"}),
                "ipv4_address",
                "10.7.0.1",
                None,
            ),
            (
                json!({"subnet": "10.7.0.0/24", "ip_range": "10.7.0.0/25"}),
                "ipv4_address",
                "10.7.0.1",
                Some(first("ip_range")),
            ),
            (
                json!({"subnet": "10.7.0.0/24", "ip_range": "10.7.0.129/32"}),
                "ipv4_address",
                "10.7.0.129",
                Some(first("ip_range")),
            ),
            (
                json!({"subnet": "10.7.0.0/24", "ip_range": "10.7.0.128/25", "gateway": "10.7.0.1"}),
                "ipv4_address",
                "10.7.0.128",
                None,
            ),
            (json!({"subnet": "fd00:7::/64"}), "ipv6_address", "fd00:7::1", Some(first("subnet"))),
            (json!({"subnet": "fd00:7::/64"}), "ipv6_address", "fd00:7::2", None),
            (
                json!({"subnet": "fd00:7::/64", "ip_range": "fd00:7::100/120"}),
                "ipv6_address",
                "fd00:7::100",
                Some(first("ip_range")),
            ),
            (
                json!({"subnet": "fd00:7::/64", "ip_range": "fd00:7::100/120"}),
                "ipv6_address",
                "fd00:7::1",
                None,
            ),
        ] {
            let expected =
                why.map(|why| format!("The service \"a\" can't have the address {address}: {why}"));
            assert_eq!(read(pool.clone(), version, address).err(), expected, "{pool} {address}");
        }
    }

    #[test]
    fn two_networks_can_not_share_a_name_or_subnet() {
        let pool = |subnet: &str| json!({"ipam": {"config": [{"subnet": subnet}]}});
        let overlap = json!({"services": {}, "networks": {"a": pool("10.7.0.0/16"), "b": pool("10.7.8.0/24")}});
        refused(
            &overlap,
            "The networks \"a\" and \"b\" overlap: both have the subnet 10.7.8.0/24",
            "networks.b.ipam",
        );
        let named =
            json!({"services": {}, "networks": {"a": {"name": "one"}, "b": {"name": "one"}}});
        refused(&named, "The networks \"b\" and \"a\" have the same name \"one\"", "networks.a");
    }

    #[test]
    fn a_volume_under_two_keys_has_its_writers_counted_together() {
        let external = json!({"name": "one", "external": true});
        let description = json!({
            "services": {"a": {"image": "x", "volumes": ["v:/v"]}, "b": {"image": "x", "volumes": ["w:/v"]}},
            "volumes": {"v": external, "w": external},
        });
        assert_eq!(
            read(&description).unwrap_err().message,
            "2 containers would write to the volume \"v\" at once: a, b"
        );
    }
}
