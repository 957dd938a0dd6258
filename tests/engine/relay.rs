//! A port that leads to the engine: what a remote engine looks like, with every request counted.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

/// Where the engine of these tests is, if nothing else is said.
const SOCKET: &str = "/var/run/docker.sock";

/// What TLS begins with, and HTTP doesn't: the engine's to answer.
const TLS_HANDSHAKE: u8 = 22;

/// A relay; it ends with the process.
pub struct Relay {
    address: SocketAddr,
    /// First lines of requests: `GET /containers/json?all=true`.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    /// A relay to the engine of these tests.
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Self { address: listener.local_addr().unwrap(), requests: Arc::default() };
        let requests = relay.requests.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let requests = requests.clone();
                std::thread::spawn(move || serve(client.unwrap(), &requests));
            }
        });
        relay
    }

    /// `DOCKER_HOST` of it.
    pub fn docker_host(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// The requests since the last time, without their versions.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

/// Serves one connection, which carries one request.
fn serve(mut client: TcpStream, requests: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut chunk = [0; 8192];
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") && !head.starts_with(&[TLS_HANDSHAKE]) {
        match client.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => head.extend_from_slice(&chunk[..count]),
        }
    }
    let text = String::from_utf8_lossy(&head);
    let line = text.lines().next().unwrap_or_default();
    requests.lock().unwrap().push(line.trim_end_matches(" HTTP/1.1").to_owned());
    let socket = std::env::var("DOCKER_HOST").ok();
    let path = socket.as_deref().map_or(SOCKET, |host| host.strip_prefix("unix://").expect("these tests need an engine at a socket"));
    let mut engine = UnixStream::connect(path).unwrap();
    engine.write_all(&head).unwrap();
    let (mut from_client, mut to_engine) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_engine);
        let _ = to_engine.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut engine, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}
