//! Finds out what answers at a local socket: the engine itself, on this machine's network, or a
//! tunnel to another one.

use std::path::Path;

/// Whether the process behind the socket is a Docker Engine with the network of this process. False
/// if that is unknown: in a container with a mounted socket, which can't see the engine's process,
/// and if `ssh` or a virtual machine is behind the socket. An engine in the same container shares
/// its network.
#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the engine's own socket, and what the system tells of its other end"
)]
pub(super) fn is_engine_here(socket: &str) -> bool {
    let is_container =
        ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists());
    let Ok(stream) = std::os::unix::net::UnixStream::connect(socket) else { return false };
    let Ok(peer) = rustix::net::sockopt::socket_peercred(&stream) else { return false };
    let process = format!("/proc/{}", peer.pid.as_raw_nonzero());
    let name = std::fs::read_to_string(format!("{process}/comm")).unwrap_or_default();
    let network = |process: &str| std::fs::read_link(format!("{process}/ns/net")).ok();
    let is_same_network =
        network(&process).zip(network("/proc/self")).map(|(theirs, own)| theirs == own);
    match name.trim_end() {
        "dockerd" => is_same_network.unwrap_or(!is_container),
        // systemd creates the socket if it starts the engine.
        "systemd" => !is_container && is_same_network != Some(false),
        _ => false,
    }
}
