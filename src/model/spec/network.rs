//! Networks of a stack.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::is_false;
use super::reader::Field;
use crate::model::Failure;
use crate::model::names::{self, is_like_id};

/// A top-level network.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Network {
    /// The engine's name: `<project>_<key>` by default.
    pub name: String,
    /// An external network: only used, never created or removed.
    #[serde(skip_serializing_if = "is_false")]
    pub external: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub driver_opts: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ipam: Vec<IpamConfig>,
    #[serde(skip_serializing_if = "is_false")]
    pub internal: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub attachable: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub enable_ipv6: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// One address pool of a network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct IpamConfig {
    pub subnet: Option<IpNet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_range: Option<IpNet>,
}

impl IpamConfig {
    /// The gateway that the engine chooses if none is given: the first address of the range that it
    /// assigns addresses from, but not the subnet's own address.
    pub fn default_gateway(&self) -> Option<IpAddr> {
        let subnet = self.subnet?;
        let first = self.ip_range.unwrap_or(subnet).network();
        if first != subnet.network() {
            return Some(first);
        }
        subnet.hosts().find(|address| *address != first)
    }
}

/// The end of the message about an address without a subnet.
pub const NEEDS_SUBNET: &str = " needs a \"subnet\" beside it";

/// The driver that the engine uses by default.
pub const DEFAULT_NETWORK_DRIVER: &str = "bridge";

impl Network {
    /// The canonical form: equivalent networks are equal.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let mut network = self.clone();
        network.driver =
            network.driver.filter(|driver| !matches!(driver.as_str(), "" | DEFAULT_NETWORK_DRIVER));
        for pool in &mut network.ipam {
            pool.subnet = pool.subnet.map(|net| net.trunc());
            pool.ip_range = pool.ip_range.map(|net| net.trunc());
        }
        network.ipam.retain(|pool| {
            pool.subnet.is_some() || pool.gateway.is_some() || pool.ip_range.is_some()
        });
        network.ipam.sort();
        network
    }

    /// Reads the entry `key` of the description of `project`. By default the engine's name is made
    /// of both. The default name of an external network is its key, as in Compose.
    pub fn read(field: &Field<'_>, project: &str, key: &str) -> Result<Self, Failure> {
        let mut map = field.map()?;
        let external = map.read("external", Field::bool)?.unwrap_or(false);
        let name = match map.read_filled("name", |name| checked_name(name, name.name_text()?))? {
            Some(name) => name,
            None if external => checked_name(field, key.to_owned())?,
            None => names::object(project, key),
        };
        let network = Self {
            name,
            external,
            driver: map.read_filled("driver", Field::name_text)?,
            driver_opts: map
                .read("driver_opts", |field| field.pairs(&|_| Some(String::new())))?
                .unwrap_or_default(),
            ipam: map.read("ipam", read_ipam)?.unwrap_or_default(),
            internal: map.read("internal", Field::bool)?.unwrap_or(false),
            attachable: map.read("attachable", Field::bool)?.unwrap_or(false),
            enable_ipv6: map.read("enable_ipv6", Field::bool)?.unwrap_or(false),
            labels: map.read("labels", Field::labels)?.unwrap_or_default(),
        };
        map.finish(&["enable_ipv4"])?;
        check_bridge(&network, field)?;
        Ok(network)
    }
}

/// Networks that every engine has. The policy handles `host`, because it reaches beyond the engine.
const OF_THE_ENGINE: [&str; 3] = ["bridge", "default", "none"];

fn checked_name(field: &Field<'_>, name: String) -> Result<String, Failure> {
    if is_like_id(&name) {
        return Err(field
            .fail(format!("A network can't be named \"{name}\": the engine would read the name as the id of another network"))
            .hint("name an external network by its name, another one not by 12 or 64 hexadecimal digits"));
    }
    if OF_THE_ENGINE.contains(&name.as_str()) {
        return Err(field
            .fail(format!("A service can't be on the network \"{name}\": it is a network of the engine itself, where containers have no names"))
            .hint("leave the network out to use the project's default one, or choose another `name`"));
    }
    Ok(name)
}

/// Address ranges that no container network may have, and their purpose.
const SPECIAL: [(&str, &str); 9] = [
    ("127.0.0.0/8", "the loopback addresses of every machine"),
    ("0.0.0.0/8", "the addresses of \"this network\""),
    ("169.254.0.0/16", "link-local addresses, at which cloud machines find their metadata"),
    ("224.0.0.0/4", "multicast addresses"),
    ("240.0.0.0/4", "reserved addresses"),
    ("::/127", "the loopback and the unspecified address"),
    ("::ffff:0:0/96", "IPv4 addresses in another form"),
    ("fe80::/10", "link-local addresses"),
    ("ff00::/8", "multicast addresses"),
];

/// Why a network can't have a range: it contains addresses with another meaning.
pub fn special_range(net: &IpNet) -> Option<String> {
    let found = SPECIAL.iter().find(|(range, _)| {
        range.parse::<IpNet>().is_ok_and(|range| range.contains(net) || net.contains(&range))
    });
    found.map(|(range, what)| format!("{range} are {what}"))
}

fn read_range(field: &Field<'_>, wrong: &str) -> Result<IpNet, Failure> {
    let text = field.name_text()?;
    let net: IpNet = text.parse().map_err(|_| field.fail(format!("\"{text}\" {wrong}")))?;
    match special_range(&net) {
        Some(reason) => Err(field
            .fail(format!("A network can't have the addresses {net}: {reason}"))
            .hint("choose a private range like \"172.28.0.0/16\", or leave `ipam` out and the engine chooses one")),
        None => Ok(net),
    }
}

fn read_ipam(field: &Field<'_>) -> Result<Vec<IpamConfig>, Failure> {
    let mut map = field.map()?;
    map.read_filled("driver", |field| field.one_of(&["default"]))?;
    let pools = map.read("config", |field| field.list()?.iter().map(read_pool).collect())?;
    map.finish(&["options"])?;
    Ok(pools.unwrap_or_default())
}

fn read_pool(field: &Field<'_>) -> Result<IpamConfig, Failure> {
    let mut map = field.map()?;
    let subnet = map.read_filled("subnet", |field| {
        read_range(field, "is not a subnet; write it like \"172.20.0.0/16\"").map(|net| net.trunc())
    })?;
    let gateway = map.read_filled("gateway", |field| {
        let text = field.name_text()?;
        text.parse::<IpAddr>().map_err(|_| field.fail(format!("\"{text}\" is not an address")))
    })?;
    let ip_range = map.read_filled("ip_range", |field| {
        read_range(field, "is not an address range; write it like \"172.20.5.0/24\"")
    })?;
    map.finish(&["aux_addresses"])?;
    let Some(net) = subnet else {
        let alone = if gateway.is_some() { "gateway" } else { "ip_range" };
        return if gateway.is_some() || ip_range.is_some() {
            Err(field
                .fail_below(&[alone], format!("\"{alone}\"{NEEDS_SUBNET}"))
                .hint("add the `subnet` that contains it"))
        } else {
            Ok(IpamConfig { subnet, gateway, ip_range })
        };
    };
    if matches!(net, IpNet::V4(_)) && net.prefix_len() > 30 {
        return Err(field
            .fail_value(
                &["subnet"],
                format!("The subnet {net} has no address for a container beside the gateway's"),
            )
            .hint("choose a larger one, like \"172.28.0.0/24\""));
    }
    let Some(gateway) = gateway else { return Ok(IpamConfig { subnet, gateway, ip_range }) };
    let wrong = |why: &str| field.fail_value(&["gateway"], format!("The gateway {gateway} {why}"));
    if !net.contains(&gateway) {
        return Err(wrong(&format!("is outside the subnet {net}"))
            .hint(format!("choose an address in {net}")));
    }
    if gateway.is_ipv4() && (gateway == net.network() || gateway == net.broadcast()) {
        return Err(wrong(&format!(
            "is the first or last address of {net}, which no machine can have"
        ))
        .hint("choose another address in that subnet"));
    }
    Ok(IpamConfig { subnet, gateway: Some(gateway), ip_range })
}

/// Rejects settings that the default driver `bridge` does not support.
fn check_bridge(network: &Network, field: &Field<'_>) -> Result<(), Failure> {
    if network.external
        || network
            .driver
            .as_deref()
            .is_some_and(|driver| !matches!(driver, "" | DEFAULT_NETWORK_DRIVER))
    {
        return Ok(());
    }
    let mut ranges =
        network.ipam.iter().enumerate().filter_map(|(at, pool)| Some((at, pool.subnet?)));
    if let Some((at, net)) = ranges.by_ref().filter(|(_, net)| matches!(net, IpNet::V4(_))).nth(1) {
        return Err(field
            .fail_value(
                &["ipam", "config", &at.to_string(), "subnet"],
                format!("The network \"{}\" can't have {net} too: the driver \"bridge\" takes one IPv4 subnet", field.key()),
            )
            .hint("leave one subnet, or describe two networks"));
    }
    let wrong = |option: &str, value: &str, form: &str| {
        field
            .fail_value(&["driver_opts", option], format!("\"{option}\" can't be \"{value}\""))
            .hint(format!("it has to be {form}"))
    };
    for (option, value) in &network.driver_opts {
        let is_truth = matches!(
            value.as_str(),
            "1" | "t"
                | "T"
                | "true"
                | "TRUE"
                | "True"
                | "0"
                | "f"
                | "F"
                | "false"
                | "FALSE"
                | "False"
        );
        match option.strip_prefix("com.docker.network.") {
            Some("bridge.enable_icc" | "bridge.enable_ip_masquerade" | "bridge.default_bridge")
                if !is_truth =>
            {
                return Err(wrong(option, value, "true or false"));
            }
            Some("driver.mtu") if value.parse::<i32>().is_err() => {
                return Err(wrong(option, value, "a whole number"));
            }
            Some("bridge.host_binding_ipv4") if value.parse::<std::net::Ipv4Addr>().is_err() => {
                return Err(wrong(option, value, "an IPv4 address of this machine"));
            }
            Some("bridge.name") if value.len() > LONGEST_INTERFACE => {
                return Err(wrong(
                    option,
                    value,
                    &format!("a name of {LONGEST_INTERFACE} characters at most"),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The longest name of a network interface on Linux, in bytes.
const LONGEST_INTERFACE: usize = 15;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_that_the_bridge_driver_rejects_are_rejected() {
        let read = |network: serde_json::Value| {
            Network::read(&Field::root(&network), "shop", "n")
                .map(drop)
                .map_err(|failure| failure.path.unwrap().to_string())
        };
        let pool = |pool: serde_json::Value| read(json!({ "ipam": { "config": [pool] } }));
        assert_eq!(
            pool(json!({ "subnet": "10.1.0.0/24", "gateway": "10.1.0.0" })),
            Err("ipam.config.0.gateway".into())
        );
        assert_eq!(
            pool(json!({ "subnet": "10.1.0.0/24", "gateway": "10.1.0.255" })),
            Err("ipam.config.0.gateway".into())
        );
        assert_eq!(
            pool(json!({ "subnet": "10.1.0.0/24", "gateway": "10.2.0.1" })),
            Err("ipam.config.0.gateway".into())
        );
        assert_eq!(pool(json!({ "subnet": "10.1.0.0/31" })), Err("ipam.config.0.subnet".into()));
        assert_eq!(pool(json!({ "gateway": "10.1.0.1" })), Err("ipam.config.0.gateway".into()));
        assert_eq!(
            pool(json!({ "ip_range": "10.1.0.0/25" })),
            Err("ipam.config.0.ip_range".into())
        );
        let two = json!({ "config": [{ "subnet": "10.1.0.0/24" }, { "subnet": "10.2.0.0/24" }] });
        assert_eq!(read(json!({ "ipam": two })), Err("ipam.config.1.subnet".into()));
        let option = |option: &str, value: &str| read(json!({ "driver_opts": { option: value } }));
        for (name, value) in [
            ("com.docker.network.bridge.enable_icc", "x"),
            ("com.docker.network.driver.mtu", "x"),
            ("com.docker.network.bridge.host_binding_ipv4", "x"),
            ("com.docker.network.bridge.name", "averyveryverylongname"),
        ] {
            assert_eq!(option(name, value), Err(format!("driver_opts.{name}")));
        }
        assert_eq!(option("com.docker.network.driver.mtu", "1400"), Ok(()));
        assert_eq!(option("com.docker.network.bridge.name", "br-shop"), Ok(()));
        assert_eq!(option("foo", "bar"), Ok(()));
        assert_eq!(read(json!({ "driver": "nas", "ipam": two })), Ok(()));
        let both = json!({ "config": [{ "subnet": "10.1.0.0/24", "gateway": "10.1.0.1" }, { "subnet": "fd00:1::/64" }, {}] });
        assert_eq!(read(json!({ "ipam": both })), Ok(()));
        assert_eq!(pool(json!({ "subnet": "10.1.0.0/30" })), Ok(()));
    }

    #[test]
    fn ranges_that_mean_something_else_are_refused() {
        for range in [
            "127.0.0.0/8",
            "127.8.0.0/16",
            "0.0.0.0/0",
            "169.254.169.0/24",
            "224.0.0.0/24",
            "255.255.255.0/24",
            "128.0.0.0/1",
            "::1/128",
            "::/0",
            "fe80::/64",
            "ff02::/16",
            "::ffff:127.0.0.0/104",
        ] {
            for key in ["subnet", "ip_range"] {
                let description = json!({ "ipam": { "config": [{ key: range }] } });
                let failure = Network::read(&Field::root(&description), "shop", "n").unwrap_err();
                assert!(
                    failure.message.starts_with("A network can't have the addresses "),
                    "{range}: {failure}"
                );
                assert_eq!(failure.path.unwrap().to_string(), format!("ipam.config.0.{key}"));
            }
        }
        for range in [
            "10.0.0.0/8",
            "172.28.0.0/16",
            "192.168.1.0/24",
            "198.51.100.0/24",
            "fd00:1::/64",
            "2001:db8::/32",
        ] {
            let description = json!({ "ipam": { "config": [{ "subnet": range }] } });
            assert!(Network::read(&Field::root(&description), "shop", "n").is_ok(), "{range}");
        }
    }
}
