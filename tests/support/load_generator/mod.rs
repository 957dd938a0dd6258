//! Sends a steady load to an HTTP server on this machine, and measures what its clients see.
//!
//! A request has failed unless its whole, right answer arrived within its time limit. Nothing is
//! sent twice. WebSockets that end without their client's wish are counted apart, as cut; only
//! their handshake is a request.
//!
//! ```ignore
//! let load = Load::mixed(port).start();
//! load.during(|| deploy());
//! let measured = load.stop();
//! ```

mod connection;
mod failure;
mod kind;
mod measurement;
mod websocket;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::sleep;

use connection::{Client, Exchange, Expected, Reuse};
pub use failure::{Failure, FailureClass};
pub use kind::Kind;
pub use measurement::{Cut, Latency, Measurement, Note, Period, Record};
use websocket::WebSocket;

/// After a failed request, a client waits at least this long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);
/// How many failures of one kind and class are kept with time and reason.
const NOTES_PER_CLASS: usize = 5;

/// A load: how many clients of each kind, and what they do. The paths are those of the reference
/// stack with `LOAD_TEST`.
#[derive(Clone, Debug)]
pub struct Load {
    pub port: u16,
    /// Concurrent clients of each kind.
    pub clients: BTreeMap<Kind, usize>,
    /// Time of a client between two requests.
    pub pause: Duration,
    /// Time between two messages of a WebSocket.
    pub message_interval: Duration,
    /// Pages of [`Kind::KeepAliveGet`] and [`Kind::FreshGet`], beside the echo.
    pub pages: Vec<String>,
    /// Time that a request of [`Kind::Slow`] takes.
    pub slow: Duration,
    /// Time that a request of [`Kind::Long`] takes.
    pub long: Duration,
    pub upload_bytes: usize,
    /// The load ends by itself after this many requests.
    pub most_requests: usize,
    /// The load ends by itself after this time.
    pub most_time: Duration,
}

impl Load {
    /// No clients yet.
    pub fn new(port: u16) -> Self {
        Self {
            port,
            clients: BTreeMap::new(),
            pause: Duration::from_millis(100),
            message_interval: Duration::from_secs(1),
            pages: Vec::new(),
            slow: Duration::from_secs(3),
            long: Duration::from_secs(20),
            upload_bytes: 4 << 20,
            most_requests: 500_000,
            most_time: Duration::from_secs(3600),
        }
    }

    /// A load of every kind that leaves a machine with two cores time for a deploy: about 100
    /// requests per second.
    pub fn mixed(port: u16) -> Self {
        let mut load = Self::new(port);
        load.pages = vec!["/".to_owned(), "/api/characteristics/".to_owned()];
        load.clients = BTreeMap::from([
            (Kind::KeepAliveGet, 4),
            (Kind::KeepAlivePost, 4),
            (Kind::FreshGet, 4),
            (Kind::Slow, 4),
            (Kind::Upload, 1),
            (Kind::Long, 1),
            (Kind::WebSocket, 6),
        ]);
        load
    }

    /// The same load without clients that keep a deployment waiting for 10 to 20 s at each switch.
    #[must_use]
    pub fn without_long_connections(self) -> Self {
        self.with(Kind::Long, 0).with(Kind::WebSocket, 0)
    }

    /// The same load with another number of clients of this kind.
    #[must_use]
    pub fn with(mut self, kind: Kind, clients: usize) -> Self {
        self.clients.insert(kind, clients);
        self
    }

    /// Starts all clients, on a thread of their own.
    pub fn start(self) -> RunningLoad {
        let (stop, stopped) = watch::channel(Stop::No);
        // The hash takes a second in an unoptimised build.
        let uploads = self.clients.get(&Kind::Upload).is_some_and(|clients| *clients > 0);
        let upload = Upload::new(if uploads { self.upload_bytes } else { 0 });
        let shared = Arc::new(Shared {
            load: self,
            upload,
            begun: Instant::now(),
            stopped,
            sent: AtomicUsize::new(0),
            exhausted: AtomicBool::new(false),
            log: Mutex::default(),
        });
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(run(shared));
            }
        });
        RunningLoad { shared, stop, thread: Some(thread) }
    }
}

/// Whether the clients go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    No,
    /// Each client finishes its request.
    Soon,
    /// Requests in flight are dropped.
    Now,
}

/// A load that runs until [`RunningLoad::stop`]. Dropping it ends it at once.
pub struct RunningLoad {
    shared: Arc<Shared>,
    stop: watch::Sender<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl RunningLoad {
    /// Requests that have ended.
    pub fn requests(&self) -> usize {
        self.shared.log.lock().records.len()
    }

    /// Requests that have failed.
    pub fn failed(&self) -> usize {
        self.shared.log.lock().records.iter().filter(|record| record.failure.is_some()).count()
    }

    /// Runs `deploy`. Requests that overlap with it count as "during".
    pub fn during<T>(&self, deploy: impl FnOnce() -> T) -> T {
        let begun = self.shared.begun.elapsed();
        let result = deploy();
        let window = (begun, self.shared.begun.elapsed());
        self.shared.log.lock().windows.push(window);
        result
    }

    /// Lets every client finish its request, and returns what was measured.
    pub fn stop(mut self) -> Measurement {
        self.stop.send_replace(Stop::Soon);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        let exhausted = self.shared.exhausted.load(Ordering::Relaxed);
        let log = std::mem::take(&mut *self.shared.log.lock());
        Measurement {
            records: log.records,
            notes: log.notes,
            cuts: log.cuts,
            messages: log.messages,
            windows: log.windows,
            releases: log.releases,
            lasted: self.shared.begun.elapsed(),
            exhausted,
        }
    }
}

impl Drop for RunningLoad {
    fn drop(&mut self) {
        self.stop.send_replace(Stop::Now);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the clients share.
struct Shared {
    load: Load,
    upload: Upload,
    begun: Instant,
    stopped: watch::Receiver<Stop>,
    sent: AtomicUsize,
    exhausted: AtomicBool,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    records: Vec<Record>,
    notes: Vec<Note>,
    cuts: Vec<Cut>,
    messages: usize,
    windows: Vec<(Duration, Duration)>,
    releases: Vec<String>,
}

/// The body of every upload, and the answer to it.
struct Upload {
    body: Bytes,
    answer: String,
}

impl Upload {
    fn new(bytes: usize) -> Self {
        let body: Vec<u8> = (0..=u8::MAX).cycle().take(bytes).collect();
        let mut digest = String::new();
        for byte in Sha256::digest(&body) {
            write!(digest, "{byte:02x}").unwrap();
        }
        let answer = format!(r#"{{"size": {bytes}, "sha256": "{digest}"}}"#);
        Self { body: body.into(), answer }
    }
}

async fn run(shared: Arc<Shared>) {
    let mut clients = tokio::task::JoinSet::new();
    let count: usize = shared.load.clients.values().sum();
    let mut index = 0;
    for (kind, clients_of_kind) in shared.load.clients.clone() {
        for _ in 0..clients_of_kind {
            // Spread over a pause, so that they don't all send in the same moment.
            let delay = shared.load.pause * index / u32::try_from(count.max(1)).unwrap();
            index += 1;
            let shared = shared.clone();
            clients.spawn(async move {
                sleep(delay).await;
                match kind {
                    Kind::WebSocket => shared.keep_websocket().await,
                    _ => shared.send_requests(kind, &format!("client-{index}")).await,
                }
            });
        }
    }
    let mut stopped = shared.stopped.clone();
    tokio::select! {
        () = async { while clients.join_next().await.is_some() {} } => {}
        _ = stopped.wait_for(|stop| *stop == Stop::Now) => {}
    }
}

impl Shared {
    async fn send_requests(&self, kind: Kind, client_name: &str) {
        let reuse = if kind == Kind::FreshGet { Reuse::Never } else { Reuse::KeepAlive };
        let mut client = Client::new(self.load.port, reuse);
        while let Some(number) = self.next() {
            let mut exchange = self.exchange(kind, number);
            // A new connection is a new visitor; others stay who they are.
            exchange.user = match kind {
                Kind::FreshGet => format!("visitor-{number}"),
                _ => client_name.to_owned(),
            };
            let begun = self.begun.elapsed();
            let result = client.send(exchange, kind.time_limit()).await;
            let pause = if result.is_ok() { self.load.pause } else { self.pause_after_failure() };
            self.record(kind, begun, result.map(|answer| answer.release));
            self.pause(pause).await;
        }
    }

    async fn keep_websocket(&self) {
        while let Some(number) = self.next() {
            let begun = self.begun.elapsed();
            let limit = Kind::WebSocket.time_limit();
            match WebSocket::open(self.load.port, &format!("socket-{number}"), limit).await {
                Ok(socket) => {
                    self.record(Kind::WebSocket, begun, Ok(None));
                    let opened = self.begun.elapsed();
                    if let Err(reason) = self.send_messages(socket, number).await {
                        let at = self.begun.elapsed();
                        self.log.lock().cuts.push(Cut {
                            at,
                            lived: at.saturating_sub(opened),
                            reason,
                        });
                    }
                }
                Err(failure) => {
                    self.record(Kind::WebSocket, begun, Err(failure));
                    self.pause(self.pause_after_failure()).await;
                }
            }
        }
    }

    /// Sends messages until the load stops. An error is the reason why the socket was cut.
    async fn send_messages(&self, mut socket: WebSocket, number: usize) -> Result<(), String> {
        let mut stopped = self.stopped.clone();
        for message in 0_usize.. {
            if self.is_over() {
                break;
            }
            socket
                .echo(&format!("message {number}.{message}"), Kind::WebSocket.time_limit())
                .await?;
            self.log.lock().messages += 1;
            tokio::select! {
                idle = socket.idle(self.load.message_interval) => idle?,
                _ = stopped.wait_for(|stop| *stop != Stop::No) => break,
            }
        }
        socket.close().await;
        Ok(())
    }

    /// The number of the next request, if there is to be one.
    fn next(&self) -> Option<usize> {
        if self.is_over() {
            return None;
        }
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        if number >= self.load.most_requests {
            self.exhausted.store(true, Ordering::Relaxed);
            return None;
        }
        Some(number)
    }

    fn is_over(&self) -> bool {
        if self.begun.elapsed() >= self.load.most_time {
            self.exhausted.store(true, Ordering::Relaxed);
        }
        self.exhausted.load(Ordering::Relaxed) || *self.stopped.borrow() != Stop::No
    }

    fn pause_after_failure(&self) -> Duration {
        self.load.pause.max(PAUSE_AFTER_FAILURE)
    }

    /// Waits, unless the load is stopped.
    async fn pause(&self, time: Duration) {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            () = sleep(time) => {}
            _ = stopped.wait_for(|stop| *stop != Stop::No) => {}
        }
    }

    fn exchange(&self, kind: Kind, number: usize) -> Exchange {
        let get = |path: String, expected| Exchange {
            method: Method::GET,
            path,
            user: String::new(),
            body: Bytes::new(),
            expected,
        };
        let text = format!("request-{number}");
        let slow = |time: Duration, stream| {
            let path =
                format!("/api/load/slow/?seconds={}&text={text}{stream}", time.as_secs_f64());
            get(path, Expected::EndsWith(text.clone()))
        };
        match kind {
            Kind::KeepAliveGet | Kind::FreshGet => {
                // An echo, then each of the pages.
                let page = number % (self.load.pages.len() + 1);
                match self.load.pages.get(page) {
                    Some(page) => get(page.clone(), Expected::Something),
                    None => get(
                        format!("/api/load/echo/?text={text}"),
                        Expected::EndsWith(text.clone()),
                    ),
                }
            }
            Kind::KeepAlivePost => {
                let body = format!(r#"{{"request": {number}}}"#);
                Exchange {
                    method: Method::POST,
                    path: "/api/load/echo/".to_owned(),
                    user: String::new(),
                    body: body.clone().into(),
                    expected: Expected::EndsWith(body),
                }
            }
            Kind::Slow => {
                slow(self.load.slow, if number.is_multiple_of(2) { "&stream=1" } else { "" })
            }
            Kind::Long => slow(self.load.long, ""),
            Kind::Upload => Exchange {
                method: Method::POST,
                path: "/api/load/upload/".to_owned(),
                user: String::new(),
                body: self.upload.body.clone(),
                expected: Expected::EndsWith(self.upload.answer.clone()),
            },
            Kind::WebSocket => unreachable!("a WebSocket has messages, not requests"),
        }
    }

    fn record(&self, kind: Kind, begun: Duration, result: Result<Option<String>, Failure>) {
        let ended = self.begun.elapsed();
        let mut log = self.log.lock();
        let (release, failure) = match result {
            Ok(release) => (release.map(|release| log.release(release)), None),
            Err(failure) => {
                log.note(kind, ended, &failure);
                (failure.release.map(|release| log.release(release)), Some(failure.class))
            }
        };
        let took = ended.saturating_sub(begun);
        log.records.push(Record { kind, begun, took, release, failure });
    }
}

impl Log {
    /// The index of a release.
    fn release(&mut self, name: String) -> usize {
        self.releases.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.releases.push(name);
            self.releases.len() - 1
        })
    }

    fn note(&mut self, kind: Kind, at: Duration, failure: &Failure) {
        let same = |note: &&Note| note.kind == kind && note.failure.class == failure.class;
        if self.notes.iter().filter(same).count() < NOTES_PER_CLASS {
            self.notes.push(Note { at, kind, failure: failure.clone() });
        }
    }
}
