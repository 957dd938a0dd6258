//! TCP ports, of this machine and others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::error::{cause, kind};
use crate::host::{HostError, HostErrorKind, Result};

pub(super) async fn tcp_connect(address: &str, timeout: Duration) -> Result<()> {
    let could_not = |kind, cause: &str| {
        Err(HostError::new(kind, format!("Could not connect to \"{address}\": {cause}")))
    };
    if !address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    {
        return could_not(HostErrorKind::Invalid, "an address is host:port");
    }
    match tokio::time::timeout(timeout, tokio::net::TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        // The resolver's errors have only a text.
        Ok(Err(error)) if error.raw_os_error().is_none() => {
            could_not(HostErrorKind::Unreachable, "the name does not resolve")
        }
        Ok(Err(error)) => could_not(kind(&error), &cause(&error)),
        Err(_) => could_not(HostErrorKind::Timeout, &format!("no answer within {timeout:?}")),
    }
}

/// This machine's addresses from Linux's tables, without loopback and link-local ones.
pub(super) fn addresses() -> Vec<IpAddr> {
    let table = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (routes, interfaces) = (table("/proc/net/fib_trie"), table("/proc/net/if_inet6"));
    let all = own_ipv4(&routes).map(IpAddr::V4).chain(own_ipv6(&interfaces).map(IpAddr::V6));
    let is_own_only = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    };
    let mut addresses: Vec<IpAddr> = all.filter(|address| !is_own_only(address)).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// In the table of routes, the line `/32 host LOCAL` follows an address of the machine itself.
fn own_ipv4(routes: &str) -> impl Iterator<Item = Ipv4Addr> {
    let lines = routes.lines().map(str::trim);
    let pairs = lines.clone().zip(lines.skip(1)).filter(|(_, next)| *next == "/32 host LOCAL");
    pairs.filter_map(|(line, _)| line.strip_prefix("|-- ")?.parse().ok())
}

/// The first column of the table of interfaces: 32 hexadecimal digits.
fn own_ipv6(interfaces: &str) -> impl Iterator<Item = Ipv6Addr> {
    interfaces
        .lines()
        .filter_map(|line| u128::from_str_radix(line.split_whitespace().next()?, 16).ok())
        .map(Ipv6Addr::from)
}

#[cfg(test)]
mod tests {
    use super::super::sockets::port_owner;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn free_port() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[tokio::test]
    async fn a_port_that_listens_is_reached_and_its_owner_named() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = std::net::TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            tcp_connect(&listener.local_addr().unwrap().to_string(), SECOND).await.unwrap();
            let owner = port_owner(port).unwrap();
            assert!(owner.ends_with(&format!(" (pid {})", std::process::id())), "{owner}");
        }
    }

    #[tokio::test]
    async fn a_port_without_a_listener_is_unreachable_and_has_no_owner() {
        let port = free_port();
        let error = tcp_connect(&format!("127.0.0.1:{port}"), SECOND).await.unwrap_err();
        assert_eq!(error.kind, HostErrorKind::Unreachable);
        assert_eq!(
            error.message,
            format!(
                "Could not connect to \"127.0.0.1:{port}\": connection refused: nobody listens there"
            )
        );
        assert_eq!(port_owner(port), None);
    }

    #[tokio::test]
    async fn an_unresolvable_name_differs_from_an_invalid_address() {
        let error = tcp_connect("no-such-host.invalid:80", SECOND * 10).await.unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (
                HostErrorKind::Unreachable,
                "Could not connect to \"no-such-host.invalid:80\": the name does not resolve"
            )
        );
        for address in ["localhost", ":80", "localhost:http", "localhost:70000"] {
            assert_eq!(
                tcp_connect(address, SECOND).await.unwrap_err().kind,
                HostErrorKind::Invalid
            );
        }
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_in_time_is_a_timeout() {
        // The listener never accepts. When its queue is full, the kernel no longer answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        for _ in 0..10_000 {
            if let Err(error) = tcp_connect(&address, Duration::from_millis(100)).await {
                let message = format!("Could not connect to \"{address}\": no answer within 100ms");
                assert_eq!(error, HostError::new(HostErrorKind::Timeout, message));
                return;
            }
        }
        panic!("the queue has no end");
    }

    #[test]
    fn the_machines_own_addresses_are_read_from_linux_tables() {
        let routes = "Main:\n  +-- 10.0.0.0/8 2 0 2\n     |-- 10.0.0.5\n        /32 host LOCAL\n     |-- 10.255.255.255\n        /32 link BROADCAST\n";
        assert_eq!(own_ipv4(routes).collect::<Vec<_>>(), [Ipv4Addr::new(10, 0, 0, 5)]);
        let interfaces = "fd000000000000000000000000000002 04 40 00 82     eth0\n";
        assert_eq!(
            own_ipv6(interfaces).map(|address| address.to_string()).collect::<Vec<_>>(),
            ["fd00::2"]
        );
        assert!(addresses().iter().all(|address| !address.is_loopback()));
    }
}
