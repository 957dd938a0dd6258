//! The address ranges in a network's create call.

use bollard::models;

/// The address ranges of a network.
pub(super) fn ranges_of(ipam: &models::Ipam) -> Vec<ipnet::IpNet> {
    let pools = ipam.config.iter().flatten();
    pools
        .flat_map(|pool| [&pool.subnet, &pool.ip_range])
        .flatten()
        .filter_map(|range| range.parse().ok())
        .collect()
}
