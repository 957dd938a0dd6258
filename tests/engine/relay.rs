//! A relay to the engine on a TCP port or a socket. It records every request. On a TCP port it
//! looks like a remote engine.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The socket of the engine unless `DOCKER_HOST` names another.
const SOCKET: &str = "/var/run/docker.sock";

/// The first byte of a TLS handshake. HTTP never starts with it. The engine answers it.
const TLS_HANDSHAKE: u8 = 22;

/// A relay. It runs until the test process ends.
pub struct Relay {
    /// The value of `DOCKER_HOST` for this relay.
    address: String,
    requests: Requests,
}

type Requests = Arc<Mutex<Vec<Request>>>;

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The request line without its HTTP version, such as `GET /containers/json?all=true`.
    pub line: String,
    /// The JSON body. Other bodies may be incomplete.
    pub body: String,
}

impl Relay {
    /// A relay on a TCP port.
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        Self::begin(format!("tcp://{address}"), move || listener.accept().unwrap().0)
    }

    /// A relay at a socket in `folder`. spc treats it as a local engine.
    pub fn at_socket(folder: &Path) -> Self {
        let path = folder.join("relay.sock");
        let listener = UnixListener::bind(&path).unwrap();
        Self::begin(format!("unix://{}", path.display()), move || listener.accept().unwrap().0)
    }

    fn begin<C: Client>(address: String, accept: impl Fn() -> C + Send + 'static) -> Self {
        let relay = Self { address, requests: Arc::default() };
        let requests = relay.requests.clone();
        std::thread::spawn(move || {
            loop {
                let (client, requests) = (accept(), requests.clone());
                std::thread::spawn(move || serve(client, &requests));
            }
        });
        relay
    }

    /// The value of `DOCKER_HOST` for this relay.
    pub fn docker_host(&self) -> String {
        self.address.clone()
    }

    /// The request lines since the last call.
    pub fn take(&self) -> Vec<String> {
        self.take_whole().into_iter().map(|request| request.line).collect()
    }

    /// The requests since the last call, with their bodies.
    pub fn take_whole(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

/// A TCP connection or a Unix socket connection.
trait Client: Read + Write + Send + Sized + 'static {
    fn again(&self) -> Self;
    fn end(&self);
}

impl Client for TcpStream {
    fn again(&self) -> Self {
        self.try_clone().unwrap()
    }

    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl Client for UnixStream {
    fn again(&self) -> Self {
        self.try_clone().unwrap()
    }

    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

/// Whether the head is complete, and the body too if it is JSON.
fn is_whole(head: &[u8]) -> bool {
    let Some(end) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    !text.contains("application/json") || head.len() >= end + 4 + length.unwrap_or(0)
}

/// Serves one connection, which carries one request.
fn serve<C: Client>(mut client: C, requests: &Mutex<Vec<Request>>) {
    let mut head = Vec::new();
    let mut chunk = [0; 8192];
    while !is_whole(&head) && !head.starts_with(&[TLS_HANDSHAKE]) {
        match client.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(count) => head.extend_from_slice(&chunk[..count]),
        }
    }
    let text = String::from_utf8_lossy(&head);
    let line = text.lines().next().unwrap_or_default();
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    requests
        .lock()
        .unwrap()
        .push(Request { line: line.trim_end_matches(" HTTP/1.1").to_owned(), body });
    let socket = std::env::var("DOCKER_HOST").ok();
    let path = socket.as_deref().map_or(SOCKET, |host| {
        host.strip_prefix("unix://").expect("these tests need an engine at a socket")
    });
    let mut engine = UnixStream::connect(path).unwrap();
    engine.write_all(&head).unwrap();
    let (mut from_client, mut to_engine) = (client.again(), engine.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_engine);
        let _ = to_engine.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut engine, &mut client);
    client.end();
}
