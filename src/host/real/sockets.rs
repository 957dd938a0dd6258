//! Finds who uses a port of this machine in the tables of `/proc/net`, without side effects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::path::Path;

use crate::host::{Listener, Obstacle};

/// One socket of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Socket {
    address: IpAddr,
    port: u16,
    /// The text of links to it: `socket:[633]`.
    link: String,
}

/// The tables of a protocol, and the state of sockets that accept connections or packets.
fn tables(protocol: &str) -> Option<([&'static str; 2], &'static str)> {
    match protocol {
        "tcp" => Some((["/proc/net/tcp", "/proc/net/tcp6"], "0A")),
        "udp" => Some((["/proc/net/udp", "/proc/net/udp6"], "07")),
        _ => None,
    }
}

fn listening(protocol: &str, port: u16) -> Vec<Socket> {
    let Some((tables, state)) = tables(protocol) else { return Vec::new() };
    let tables = tables.iter().filter_map(|table| std::fs::read_to_string(table).ok());
    tables.flat_map(|table| sockets(&table, state)).filter(|socket| socket.port == port).collect()
}

/// The sockets with this state in a table of `/proc/net`.
fn sockets(table: &str, state: &str) -> Vec<Socket> {
    let socket = |line: &str| {
        let mut fields = line.split_whitespace();
        let (address, port) = fields.nth(1)?.rsplit_once(':')?;
        let is_in_state = fields.nth(1)? == state;
        let link = format!("socket:[{}]", fields.nth(5)?);
        let socket = Socket {
            address: address_of(address)?,
            port: u16::from_str_radix(port, 16).ok()?,
            link,
        };
        is_in_state.then_some(socket)
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// The kernel prints an address as four-byte numbers, in the machine's own byte order.
fn address_of(hexadecimal: &str) -> Option<IpAddr> {
    let number = |at: usize| {
        u32::from_str_radix(hexadecimal.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes)
    };
    match hexadecimal.len() {
        8 => Some(Ipv4Addr::from(number(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (place, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&number(place * 8)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// See [`Host::port_holder`](crate::host::Host::port_holder).
pub(super) fn port_holder(address: Option<IpAddr>, port: u16, protocol: &str) -> Option<Listener> {
    let holder = |socket: Socket| {
        let listener = Listener {
            address: socket.address,
            port,
            protocol: protocol.to_owned(),
            process: None,
        };
        let is_held = match listener.keeps_from(address) {
            Obstacle::Yes => true,
            Obstacle::No => false,
            Obstacle::IfBothFamilies => {
                is_in_use(address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port, protocol)
            }
        };
        is_held.then(|| Listener { process: process_of(&[socket.link]), ..listener })
    };
    listening(protocol, port).into_iter().find_map(holder)
}

/// Whether the system refuses an IPv4 address because it is in use. If it doesn't, only another
/// socket's IPv6 addresses are in use.
fn is_in_use(address: IpAddr, port: u16, protocol: &str) -> bool {
    let tried = match protocol {
        "tcp" => TcpListener::bind((address, port)).map(drop),
        _ => UdpSocket::bind((address, port)).map(drop),
    };
    tried.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

/// The process that listens on a TCP port, if `/proc` shows it: not for other users or network
/// namespaces.
pub(super) fn port_owner(port: u16) -> Option<String> {
    let links: Vec<String> = listening("tcp", port).into_iter().map(|socket| socket.link).collect();
    process_of(&links)
}

/// The first process with one of the sockets.
fn process_of(sockets: &[String]) -> Option<String> {
    if sockets.is_empty() {
        return None;
    }
    let mut processes: Vec<u32> = std::fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    // A parent that passed the socket on usually has the lower number.
    processes.sort_unstable();
    processes.into_iter().find_map(|id| {
        let process = Path::new("/proc").join(id.to_string());
        let holds = std::fs::read_dir(process.join("fd")).ok()?.flatten().any(|descriptor| {
            std::fs::read_link(descriptor.path())
                .is_ok_and(|target| sockets.iter().any(|socket| target == Path::new(socket)))
        });
        let name = std::fs::read_to_string(process.join("comm")).ok()?;
        holds.then(|| format!("{} (pid {id})", name.trim_end()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_listen_are_read_with_their_addresses() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 633 1 0 100 0 0 10 0\n\
            \x20  1: 0100007F:1538 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 700 1 0 100 0 0 10 0\n\
            \x20  2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 812 1 0\n";
        let shown: Vec<_> = sockets(table, "0A")
            .into_iter()
            .map(|socket| format!("{} {} {}", socket.address, socket.port, socket.link))
            .collect();
        if cfg!(target_endian = "little") {
            assert_eq!(shown, ["127.0.0.1 5432 socket:[633]", "::1 80 socket:[812]"]);
        }
    }

    /// Binds, and returns which addresses of the port are blocked.
    fn held(port: u16, protocol: &str, address: &str) -> bool {
        let holder = port_holder(address.parse().ok(), port, protocol);
        let own = format!(" (pid {})", std::process::id());
        assert!(
            holder.as_ref().is_none_or(|it| it
                .process
                .as_ref()
                .is_some_and(|process| process.ends_with(&own))),
            "{holder:?}"
        );
        holder.is_some()
    }

    #[test]
    fn a_port_of_this_machine_is_held_on_the_addresses_that_its_listener_has() {
        let loopback = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = loopback.local_addr().unwrap().port();
        assert!(
            held(port, "tcp", "") && held(port, "tcp", "0.0.0.0") && held(port, "tcp", "127.0.0.1")
        );
        assert!(
            !held(port, "tcp", "127.0.0.2")
                && !held(port, "tcp", "::1")
                && !held(port, "udp", "127.0.0.1")
        );
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = datagrams.local_addr().unwrap().port();
        assert!(held(port, "udp", "") && held(port, "udp", "127.0.0.1") && !held(port, "sctp", ""));
        // The standard library's sockets for all IPv6 addresses also accept IPv4.
        if let Ok(both) = TcpListener::bind("[::]:0") {
            let port = both.local_addr().unwrap().port();
            assert!(
                held(port, "tcp", "")
                    && held(port, "tcp", "127.0.0.1")
                    && held(port, "tcp", "::1")
                    && held(port, "tcp", "::")
            );
            drop(both);
            assert!(!held(port, "tcp", ""));
        }
        // A socket for IPv6 only leaves IPv4 free.
        let of_ipv6 = rustix::net::socket(
            rustix::net::AddressFamily::INET6,
            rustix::net::SocketType::STREAM,
            None,
        );
        if let Ok(socket) = of_ipv6
            && rustix::net::sockopt::set_ipv6_v6only(&socket, true).is_ok()
            && rustix::net::bind(&socket, &std::net::SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)))
                .is_ok()
        {
            rustix::net::listen(&socket, 1).unwrap();
            let listener = TcpListener::from(socket);
            let port = listener.local_addr().unwrap().port();
            assert!(
                !held(port, "tcp", "")
                    && !held(port, "tcp", "127.0.0.1")
                    && held(port, "tcp", "::1")
            );
        }
    }
}
