//! Sockets of this machine that block a port for others.

use std::net::{IpAddr, Ipv4Addr};

/// A socket that takes connections or packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub address: IpAddr,
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The process that owns it, if it can be found: `nginx (pid 812)`.
    pub process: Option<String>,
}

/// Whether a listener blocks an address for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    Yes,
    No,
    /// It listens on all IPv6 addresses, and perhaps also on those of IPv4: the kernel's tables
    /// don't show this.
    IfBothFamilies,
}

impl Listener {
    /// Whether this listener blocks `address` of its port for others. Without an address, all IPv4
    /// addresses count. The engine decides whether it publishes on IPv6 too.
    pub fn keeps_from(&self, address: Option<IpAddr>) -> Obstacle {
        let wanted = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical();
        let own = self.address.to_canonical();
        if wanted.is_ipv4() == own.is_ipv4() {
            let meets = wanted == own || wanted.is_unspecified() || own.is_unspecified();
            return if meets { Obstacle::Yes } else { Obstacle::No };
        }
        if wanted.is_ipv4() && own.is_unspecified() {
            Obstacle::IfBothFamilies
        } else {
            Obstacle::No
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_keeps_others_from_its_own_address_and_from_all_addresses() {
        use Obstacle::{IfBothFamilies, No, Yes};
        for (own, wanted, obstacle) in [
            ("0.0.0.0", "", Yes),
            ("127.0.0.1", "", Yes),
            ("127.0.0.1", "0.0.0.0", Yes),
            ("0.0.0.0", "127.0.0.1", Yes),
            ("127.0.0.1", "127.0.0.1", Yes),
            ("127.0.0.1", "127.0.0.2", No),
            ("127.0.0.1", "::", No),
            ("127.0.0.1", "::1", No),
            ("::", "", IfBothFamilies),
            ("::", "127.0.0.1", IfBothFamilies),
            ("::", "::", Yes),
            ("::", "::1", Yes),
            ("::1", "::", Yes),
            ("::1", "", No),
            ("::1", "127.0.0.1", No),
            ("::ffff:127.0.0.1", "127.0.0.1", Yes),
        ] {
            let listener = Listener {
                address: own.parse().unwrap(),
                port: 80,
                protocol: "tcp".into(),
                process: None,
            };
            assert_eq!(
                listener.keeps_from(wanted.parse().ok()),
                obstacle,
                "{own} and \"{wanted}\""
            );
        }
    }
}
