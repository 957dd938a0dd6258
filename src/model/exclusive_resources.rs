//! Resources that only one container or network of an engine can have at a time.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::spec::{Project, Service};

/// A resource that the engine gives to one owner at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A port of the machine. Without an address, on all addresses of both families. A container
    /// holds it while it runs.
    HostPort { address: Option<IpAddr>, port: u16, protocol: String },
    /// An address on the network with this name. A container holds it while it runs.
    Address { network: String, address: IpAddr },
    /// A container holds it from its creation to its removal.
    ContainerName(String),
    /// A network holds it from its creation to its removal.
    Subnet(IpNet),
}

impl Resource {
    /// Whether two owners can't have these two resources at the same time.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::HostPort { address, port, protocol },
                Self::HostPort {
                    address: other_address,
                    port: other_port,
                    protocol: other_protocol,
                },
            ) => {
                port == other_port
                    && protocol == other_protocol
                    && listen_on_same(*address, *other_address)
            }
            (Self::Subnet(net), Self::Subnet(other)) => net.contains(other) || other.contains(net),
            _ => self == other,
        }
    }

    /// Resources that overlap have the same slot. Resources with the same slot need not overlap.
    pub fn slot(&self) -> (u8, &str, u16) {
        match self {
            Self::HostPort { port, protocol, .. } => (0, protocol, *port),
            Self::Address { network, .. } => (1, network, 0),
            Self::ContainerName(name) => (2, name, 0),
            Self::Subnet(_) => (3, "", 0),
        }
    }

    /// Whether a container holds it only while it runs.
    pub fn is_of_running(&self) -> bool {
        matches!(self, Self::HostPort { .. } | Self::Address { .. })
    }
}

/// Whether two listeners on one port conflict. A wildcard address conflicts with every address of
/// its family, but with none of the other family.
fn listen_on_same(one: Option<IpAddr>, other: Option<IpAddr>) -> bool {
    // An IPv4 address can be written as an IPv6 address.
    match (one.map(|ip| ip.to_canonical()), other.map(|ip| ip.to_canonical())) {
        (Some(one), Some(other)) => {
            one.is_ipv4() == other.is_ipv4()
                && (one == other || one.is_unspecified() || other.is_unspecified())
        }
        _ => true,
    }
}

impl fmt::Display for Resource {
    /// `the host port 8000`, as in the middle of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostPort { address, port, protocol } => {
                write!(f, "the host port {port}")?;
                if protocol != "tcp" {
                    write!(f, "/{protocol}")?;
                }
                address
                    .filter(|address| !address.is_unspecified())
                    .map_or(Ok(()), |address| write!(f, " on {address}"))
            }
            Self::Address { network, address } => {
                write!(f, "the address {address} on the network \"{network}\"")
            }
            Self::ContainerName(name) => write!(f, "the container name \"{name}\""),
            Self::Subnet(net) => write!(f, "the subnet {net}"),
        }
    }
}

/// The resources that a container of a service takes when it starts, with the key of each below the
/// service.
pub fn taken_at_start(service: &Service, project: &Project) -> Vec<(Resource, Vec<String>)> {
    let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
    let ports = service.ports.iter().filter_map(|port| {
        let address = port.host_ip.as_deref().and_then(|ip| ip.parse().ok());
        Some((
            Resource::HostPort { address, port: port.published?, protocol: port.protocol.clone() },
            keys(&["ports"]),
        ))
    });
    let addresses = service.networks.iter().flat_map(|(key, attachment)| {
        let network =
            project.networks.get(key).map(|network| network.name.clone()).unwrap_or_default();
        let v4 = attachment.ipv4_address.map(|address| (IpAddr::from(address), "ipv4_address"));
        let v6 = attachment.ipv6_address.map(|address| (IpAddr::from(address), "ipv6_address"));
        v4.into_iter().chain(v6).map(move |(address, name)| {
            (
                Resource::Address { network: network.clone(), address },
                vec!["networks".to_owned(), key.clone(), name.to_owned()],
            )
        })
    });
    ports.chain(addresses).collect()
}

/// The same service without its exclusive resources, for a container that runs beside the service's
/// own.
pub fn without_exclusive(service: &Service) -> Service {
    let mut bare = Service { ports: Vec::new(), container_name: None, ..service.clone() };
    for attachment in bare.networks.values_mut() {
        (attachment.ipv4_address, attachment.ipv6_address) = (None, None);
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::ReadOptions;

    #[test]
    fn a_container_beside_its_service_takes_nothing_that_only_one_can_have() {
        let description = serde_json::json!({
            "services": {"web": {
                "image": "web:1",
                "container_name": "the-web",
                "ports": ["8000:8000", "127.0.0.1:53:53/udp"],
                "networks": {"back": {"ipv4_address": "10.7.0.9", "aliases": ["api"]}, "six": {"ipv6_address": "fd00::9"}},
            }},
            "networks": {
                "back": {"ipam": {"config": [{"subnet": "10.7.0.0/24"}]}},
                "six": {"enable_ipv6": true, "ipam": {"config": [{"subnet": "fd00::/64"}]}},
            },
        });
        let options =
            ReadOptions { directory: std::path::Path::new("/project"), lookup: &|_| None };
        let project = Project::read("shop", &description, &options).unwrap();
        let web = &project.services["web"];
        assert_eq!(taken_at_start(web, &project).len(), 4, "two ports and two addresses");
        let bare = without_exclusive(web);
        assert_eq!((taken_at_start(&bare, &project), bare.container_name), (Vec::new(), None));
        assert_eq!(
            bare.networks.keys().collect::<Vec<_>>(),
            ["back", "six"],
            "it is on the same networks"
        );
    }

    #[test]
    fn a_wildcard_address_meets_every_address_of_its_family() {
        let port = |address: &str, protocol: &str| Resource::HostPort {
            address: address.parse().ok(),
            port: 80,
            protocol: protocol.to_owned(),
        };
        for (one, other, meet) in [
            ("", "", true),
            ("", "127.0.0.1", true),
            ("", "::1", true),
            ("", "::", true),
            ("0.0.0.0", "127.0.0.1", true),
            ("::", "::1", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0", "::", false),
            ("0.0.0.0", "::1", false),
            ("127.0.0.1", "::", false),
            ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("0.0.0.0", "::ffff:127.0.0.1", true),
            ("127.0.0.2", "::ffff:127.0.0.1", false),
            ("::", "::ffff:127.0.0.1", false),
        ] {
            assert_eq!(port(one, "tcp").overlaps(&port(other, "tcp")), meet, "{one} and {other}");
            assert_eq!(port(other, "tcp").overlaps(&port(one, "tcp")), meet, "{other} and {one}");
            assert!(!port(one, "tcp").overlaps(&port(other, "udp")), "{one} and {other}");
        }
    }

    #[test]
    fn subnets_overlap_where_one_holds_the_other() {
        let net = |text: &str| Resource::Subnet(text.parse().unwrap());
        assert!(net("10.1.0.0/16").overlaps(&net("10.1.2.0/24")));
        assert!(net("10.1.2.0/24").overlaps(&net("10.1.0.0/16")));
        assert!(!net("10.1.2.0/24").overlaps(&net("10.1.3.0/24")));
        assert!(!net("10.1.2.0/24").overlaps(&net("fd00::/64")));
    }
}
