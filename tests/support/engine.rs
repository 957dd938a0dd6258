//! Fake engines: a few HTTP responses on a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// The response to a request.
pub struct Answer {
    status: u16,
    /// Complete header lines.
    headers: Vec<String>,
    body: String,
    /// Sent repeatedly after the body until the client closes the connection.
    endless: Option<Vec<u8>>,
}

impl Answer {
    /// A successful response of an engine with this API version, such as `1.41`.
    pub fn of_api(version: &str, body: &str) -> Self {
        Self {
            status: 200,
            headers: vec![format!("Api-Version: {version}"), "Ostype: linux".to_owned()],
            body: body.to_owned(),
            endless: None,
        }
    }

    /// The response of a server that is no Docker engine.
    pub fn of_stranger(status: u16, body: &str) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned(), endless: None }
    }

    /// An engine that never answers `request`, for [`super::Spc::engine`]. The receiver reports
    /// when the request arrives. The engine withholds the response until the sender is dropped.
    pub fn never_to(
        request: &'static str,
    ) -> (impl Fn(&str) -> Answer + Send + 'static, Receiver<()>, Sender<()>) {
        let (reached, asked) = channel();
        let (answer, never) = channel::<()>();
        let engine = move |given: &str| match given {
            "GET /_ping" => Answer::of_api("1.41", "OK"),
            given if given == request => {
                reached.send(()).unwrap();
                let _ = never.recv();
                Answer::of_api("1.41", "{}")
            }
            given
                if given.starts_with("GET /containers/json")
                    || given.starts_with("GET /networks") && !given.contains("/networks/") =>
            {
                Answer::of_api("1.41", "[]")
            }
            given if given.starts_with("GET /volumes") && !given.contains("/volumes/") => {
                Answer::of_api("1.41", r#"{"Volumes":[]}"#)
            }
            _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
        };
        (engine, asked, answer)
    }

    /// The same response with another status, for example an engine's error.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same response, with `text` in its body replaced by `other`.
    pub fn with(mut self, text: &str, other: &str) -> Self {
        self.body = self.body.replace(text, other);
        self
    }

    /// The same response with one more header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(format!("{name}: {value}"));
        self
    }

    /// The same response with `chunk` after its body, repeated until the client closes the
    /// connection.
    pub fn endless(mut self, chunk: Vec<u8>) -> Self {
        self.endless = Some(chunk);
        self
    }

    /// Writes the whole response.
    pub fn write(&self, mut to: impl Write) -> std::io::Result<()> {
        let Some(chunk) = &self.endless else { return to.write_all(self.text().as_bytes()) };
        let headers: String = self.headers.iter().map(|header| format!("{header}\r\n")).collect();
        write!(
            to,
            "HTTP/1.1 {} Told\r\n{headers}Connection: close\r\n\r\n{}",
            self.status, self.body
        )?;
        loop {
            to.write_all(chunk)?;
        }
    }

    fn text(&self) -> String {
        let headers: String = self.headers.iter().map(|header| format!("{header}\r\n")).collect();
        let (status, length) = (self.status, self.body.len());
        format!(
            "HTTP/1.1 {status} Told\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{}",
            self.body
        )
    }
}

/// A fake engine on a Unix socket. It listens until it is dropped.
pub struct FakeEngine {
    path: PathBuf,
    is_over: Arc<AtomicBool>,
}

impl FakeEngine {
    /// Listens at `path`. `answer` gets the request line without the HTTP version, such as `GET
    /// /_ping`.
    pub fn new(path: &Path, answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let socket = UnixListener::bind(path).unwrap();
        let is_over: Arc<AtomicBool> = Arc::default();
        std::thread::spawn({
            let is_over = is_over.clone();
            move || {
                for connection in socket.incoming() {
                    if is_over.load(Ordering::Acquire) {
                        return;
                    }
                    // A client that sends no request only checks whether something listens.
                    let _ = serve(&connection.unwrap(), &answer);
                }
            }
        });
        Self { path: path.to_owned(), is_over }
    }

    /// Its address, for `DOCKER_HOST`.
    pub fn address(&self) -> String {
        format!("unix://{}", self.path.display())
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // This connection only wakes the listener. Waiting for the listener could deadlock, because
        // `answer` may wait for the test.
        let _ = UnixStream::connect(&self.path);
    }
}

/// A fake engine, or any other server, on a loopback port. It listens until it is dropped.
pub struct TcpServer {
    port: u16,
    is_over: Arc<AtomicBool>,
}

impl TcpServer {
    /// Listens. `answer` gets the request line without the HTTP version.
    pub fn new(answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let is_over: Arc<AtomicBool> = Arc::default();
        std::thread::spawn({
            let is_over = is_over.clone();
            move || {
                for connection in socket.incoming() {
                    if is_over.load(Ordering::Acquire) {
                        return;
                    }
                    let _ = serve(&connection.unwrap(), &answer);
                }
            }
        });
        Self { port, is_over }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn serve<C>(connection: C, answer: &impl Fn(&str) -> Answer) -> std::io::Result<()>
where
    C: Write + Read + Copy,
{
    let mut lines = BufReader::new(connection).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // The requests in these tests have no body.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let request = request.rsplit_once(' ').map_or(request.as_str(), |(request, _version)| request);
    answer(request).write(connection)
}
