//! Sockets of this machine that keep others from a port.

use std::net::{IpAddr, Ipv4Addr};

/// A socket that takes connections or packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub address: IpAddr,
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The process that has it, where it can be found: `nginx (pid 812)`.
    pub process: Option<String>,
}

/// Whether a listener keeps another one from an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    Yes,
    No,
    /// It listens on all IPv6 addresses, and perhaps on those of IPv4 too: the kernel's tables
    /// don't tell.
    IfBothFamilies,
}

impl Listener {
    /// Whether nobody else can listen on `address` of its port meanwhile. Without an address, on
    /// all of IPv4: whether the engine publishes on IPv6 too is its own affair.
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
