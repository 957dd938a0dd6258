//! Address pools: the subnets of networks, the addresses of containers.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use bollard::models::Ipam;
use ipnet::Ipv4Net;

use super::errors::refusal;
use crate::engine::{EngineError, Result};

/// A network's IPv4 subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sim) struct Pool {
    pub subnet: Ipv4Net,
    pub gateway: Ipv4Addr,
    /// The range for new addresses.
    range: Ipv4Net,
    /// Addresses that are reserved for others.
    reserved: BTreeSet<Ipv4Addr>,
}

/// Why a container can't have the requested address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::sim) enum NoAddress {
    Taken,
    NotInSubnet,
    Exhausted,
}

impl Pool {
    fn new(subnet: Ipv4Net) -> Self {
        let subnet = subnet.trunc();
        let gateway = subnet.hosts().next().unwrap_or(subnet.network());
        Self { subnet, gateway, range: subnet, reserved: BTreeSet::new() }
    }

    /// The requested address, or the lowest free one.
    pub fn address(
        &self,
        wanted: Option<Ipv4Addr>,
        taken: &BTreeSet<Ipv4Addr>,
    ) -> std::result::Result<Ipv4Addr, NoAddress> {
        let of_network = [self.gateway, self.subnet.network(), self.subnet.broadcast()];
        let free = |address: &Ipv4Addr| {
            !of_network.contains(address)
                && !taken.contains(address)
                && !self.reserved.contains(address)
        };
        match wanted {
            Some(address) if !self.subnet.contains(&address) => Err(NoAddress::NotInSubnet),
            Some(address) if free(&address) => Ok(address),
            Some(_) => Err(NoAddress::Taken),
            None => {
                // Both are in order, so used addresses are skipped without a search for each.
                let mut passed = taken.range(self.range.network()..).peekable();
                let mut untaken = |address: &Ipv4Addr| {
                    while passed.next_if(|taken| *taken < address).is_some() {}
                    passed.next_if_eq(&address).is_none()
                };
                self.range
                    .hosts()
                    .filter(|address| untaken(address))
                    .find(|address| free(address))
                    .ok_or(NoAddress::Exhausted)
            }
        }
    }
}

/// The requested pools of a network; `None` if the engine chooses.
pub(in crate::engine::sim) fn asked(ipam: Option<&Ipam>) -> Result<Vec<Pool>> {
    let mut pools: Vec<Pool> = Vec::new();
    for config in ipam.and_then(|ipam| ipam.config.as_ref()).into_iter().flatten() {
        let Some(text) = config.subnet.as_deref().filter(|text| !text.is_empty()) else { continue };
        // Other pools than IPv4 are kept only for inspect.
        if text.contains("::") {
            continue;
        }
        let invalid =
            || refusal(500, format!("Invalid subnet {text} : invalid CIDR address: {text}"));
        let mut pool = Pool::new(text.parse().map_err(|_| invalid())?);
        if let Some(range) = config.ip_range.as_deref().filter(|text| !text.is_empty()) {
            let fails = || refusal(400, format!("invalid ip-range {range}"));
            pool.range = range.parse::<Ipv4Net>().map_err(|_| fails())?.trunc();
            if !pool.subnet.contains(&pool.range) {
                return Err(fails());
            }
            // The gateway is taken from the range first.
            if pool.range.network() != pool.subnet.network() {
                pool.gateway = pool.range.network();
            }
        }
        if let Some(gateway) = config.gateway.as_deref().filter(|text| !text.is_empty()) {
            pool.gateway = parsed(gateway)?;
            if !pool.subnet.contains(&pool.gateway) {
                return Err(refusal(400, format!("no matching subnet for gateway {gateway}")));
            }
        }
        for address in config.auxiliary_addresses.iter().flatten().map(|(_, address)| address) {
            pool.reserved.insert(parsed(address)?);
        }
        if pools.iter().any(|other| overlap(other.subnet, pool.subnet)) {
            return Err(overlaps());
        }
        pools.push(pool);
    }
    Ok(pools)
}

fn parsed(address: &str) -> Result<Ipv4Addr> {
    address.parse().map_err(|_| refusal(400, format!("invalid address {address}")))
}

/// The first of the engine's own pools that no network uses: 172.17 to 172.31, then the sixteenths
/// of 192.168.
pub(in crate::engine::sim) fn free(taken: &[Ipv4Net]) -> Result<Pool> {
    let large = (17..=31).map(|second| (Ipv4Addr::new(172, second, 0, 0), 16));
    let small = (0..16).map(|sixteenth| (Ipv4Addr::new(192, 168, sixteenth * 16, 0), 20));
    large
        .chain(small)
        .filter_map(|(address, length)| Ipv4Net::new(address, length).ok())
        .find(|subnet| taken.iter().all(|other| !overlap(*other, *subnet)))
        .map(Pool::new)
        .ok_or_else(|| {
            refusal(404, "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network")
        })
}

pub(in crate::engine::sim) fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// The requested subnet belongs to another network.
pub(in crate::engine::sim) fn overlaps() -> EngineError {
    refusal(403, "Pool overlaps with other one on this address space")
}

#[cfg(test)]
mod tests {
    use bollard::models::IpamConfig;

    use super::*;

    fn pool(subnet: &str) -> Pool {
        let config = IpamConfig { subnet: Some(subnet.to_owned()), ..IpamConfig::default() };
        asked(Some(&Ipam { config: Some(vec![config]), ..Ipam::default() })).unwrap().remove(0)
    }

    #[test]
    fn the_lowest_free_address_after_the_gateway_is_given() {
        let pool = pool("10.1.0.0/29");
        let mut taken = BTreeSet::new();
        for last in 2..=6 {
            let address = pool.address(None, &taken).unwrap();
            assert_eq!(address, Ipv4Addr::new(10, 1, 0, last));
            taken.insert(address);
        }
        assert_eq!(pool.address(None, &taken), Err(NoAddress::Exhausted));
        taken.remove(&Ipv4Addr::new(10, 1, 0, 3));
        assert_eq!(pool.address(None, &taken), Ok(Ipv4Addr::new(10, 1, 0, 3)));
    }

    #[test]
    fn an_asked_address_has_to_be_free_and_in_the_subnet() {
        let pool = pool("10.1.0.0/24");
        let nine = Ipv4Addr::new(10, 1, 0, 9);
        assert_eq!(pool.address(Some(nine), &BTreeSet::new()), Ok(nine));
        assert_eq!(pool.address(Some(nine), &BTreeSet::from([nine])), Err(NoAddress::Taken));
        assert_eq!(pool.address(Some(pool.gateway), &BTreeSet::new()), Err(NoAddress::Taken));
        assert_eq!(
            pool.address(Some(Ipv4Addr::new(10, 2, 0, 9)), &BTreeSet::new()),
            Err(NoAddress::NotInSubnet)
        );
    }

    #[test]
    fn the_engines_own_pools_leave_out_what_is_taken() {
        let taken = ["172.17.0.0/16", "172.18.5.0/24"].map(|text| text.parse().unwrap());
        assert_eq!(free(&taken).unwrap().subnet.to_string(), "172.19.0.0/16");
        assert_eq!(
            free(&["172.16.0.0/12".parse().unwrap()]).unwrap().subnet.to_string(),
            "192.168.0.0/20"
        );
    }
}
