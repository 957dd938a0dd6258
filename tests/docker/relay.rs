//! A relay socket between spc and the engine. It counts connections, can replace responses, and can
//! cut connections.

use std::path::PathBuf;

use spc::engine::docker::{Address, ConnectOptions, DockerEngine, connect};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Decides about a request by its request line. Returns a response that replaces the engine's.
pub type Verdict = fn(&str) -> Option<&'static str>;

/// Forwards every request to the engine.
pub const THROUGH: Verdict = |_| None;

/// The relay. Dropping it cuts every connection.
pub struct Relay {
    folder: TempDir,
    open: watch::Receiver<usize>,
    /// The connections, which end when the relay is dropped.
    _connections: JoinSet<()>,
}

impl Relay {
    /// A relay to `engine`.
    pub fn to(engine: &DockerEngine, verdict: Verdict) -> Self {
        use spc::engine::Engine;
        let socket = engine
            .address()
            .strip_prefix("unix://")
            .expect("these tests need an engine at a socket");
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let (count, open) = watch::channel(0);
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, PathBuf::from(socket), verdict, count));
        Self { folder, open, _connections: connections }
    }

    /// A connection to the engine through the relay.
    pub async fn engine(&self) -> DockerEngine {
        connect(&ConnectOptions::at(Address::Unix(self.folder.path().join("docker.sock"))))
            .await
            .unwrap()
    }

    /// Waits until exactly this many connections are open.
    pub async fn until_open(&mut self, count: usize) {
        self.open.wait_for(|open| *open == count).await.unwrap();
    }
}

async fn accept(
    listener: UnixListener,
    socket: PathBuf,
    verdict: Verdict,
    count: watch::Sender<usize>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let (socket, count) = (socket.clone(), count.clone());
        connections.spawn(async move {
            count.send_modify(|open| *open += 1);
            relay(client, socket, verdict).await;
            count.send_modify(|open| *open -= 1);
        });
    }
}

/// Serves one connection, which carries one request. An error closes the connection.
async fn relay(mut client: UnixStream, socket: PathBuf, verdict: Verdict) {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        match client.read_buf(&mut head).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    if let Some(answer) = verdict(text.lines().next().unwrap_or_default()) {
        let _ = client.write_all(answer.as_bytes()).await;
        return;
    }
    let mut engine = UnixStream::connect(socket).await.unwrap();
    if engine.write_all(&head).await.is_ok() {
        let _ = copy_bidirectional(&mut client, &mut engine).await;
    }
}
