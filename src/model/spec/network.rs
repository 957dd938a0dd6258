//! Networks of a stack.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::is_false;
use super::reader::Field;
use crate::model::Failure;

/// A top-level network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    /// The engine's name: `<project>_<key>` unless `name:` says otherwise.
    pub name: String,
    /// Not ours: only used, never made or removed.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IpamConfig {
    pub subnet: Option<IpNet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_range: Option<IpNet>,
}

impl Network {
    /// Reads an entry of the description; `default_name` is the engine's name if none is given.
    pub fn read(field: &Field<'_>, default_name: String) -> Result<Self, Failure> {
        let mut map = field.map()?;
        let network = Self {
            name: map.read("name", Field::name_text)?.unwrap_or(default_name),
            external: map.read("external", Field::bool)?.unwrap_or(false),
            driver: map.read("driver", Field::name_text)?,
            driver_opts: map.read("driver_opts", |field| field.pairs(&|_| Some(String::new())))?.unwrap_or_default(),
            ipam: map.read("ipam", read_ipam)?.unwrap_or_default(),
            internal: map.read("internal", Field::bool)?.unwrap_or(false),
            attachable: map.read("attachable", Field::bool)?.unwrap_or(false),
            enable_ipv6: map.read("enable_ipv6", Field::bool)?.unwrap_or(false),
            labels: map.read("labels", Field::labels)?.unwrap_or_default(),
        };
        map.finish(&["enable_ipv4"])?;
        Ok(network)
    }
}

fn read_ipam(field: &Field<'_>) -> Result<Vec<IpamConfig>, Failure> {
    let mut map = field.map()?;
    map.read("driver", |field| field.one_of(&["default"]))?;
    let pools = map.read("config", |field| field.list()?.iter().map(read_pool).collect())?;
    map.finish(&["options"])?;
    Ok(pools.unwrap_or_default())
}

fn read_pool(field: &Field<'_>) -> Result<IpamConfig, Failure> {
    let mut map = field.map()?;
    let subnet: Option<IpNet> = map.read("subnet", |field| {
        let text = field.name_text()?;
        text.parse::<IpNet>()
            .map(|net| net.trunc())
            .map_err(|_| field.fail(format!("\"{text}\" is not a subnet; write it like \"172.20.0.0/16\"")))
    })?;
    let gateway = map.read("gateway", |field| {
        let text = field.name_text()?;
        text.parse::<IpAddr>().map_err(|_| field.fail(format!("\"{text}\" is not an address")))
    })?;
    let ip_range = map.read("ip_range", |field| {
        let text = field.name_text()?;
        text.parse::<IpNet>().map_err(|_| field.fail(format!("\"{text}\" is not an address range; write it like \"172.20.5.0/24\"")))
    })?;
    map.finish(&["aux_addresses"])?;
    if let (Some(net), Some(gateway)) = (subnet, gateway)
        && !net.contains(&gateway)
    {
        return Err(field.fail(format!("The gateway {gateway} is outside the subnet {net}")));
    }
    Ok(IpamConfig { subnet, gateway, ip_range })
}
