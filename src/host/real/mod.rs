//! The real host: this machine's clock, files, processes, network and terminal.
//!
//! Only this module may call the functions that lints forbid everywhere else.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the lints forbid these functions elsewhere, and point to this module"
)]

mod clock;
mod environment;
pub(super) use environment::{memory, memory_lately};
mod error;
mod files;
mod http;
mod network;
mod process;
mod process_mark;
mod replace;
mod roots;
mod sockets;
mod terminal;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use environment::ignores_hang_up;

use super::{
    CommandEvent, CommandRequest, FileInfo, FileSink, FolderEntry, Host, HttpRequest, HttpResponse,
    Listener, Liveness, ProcessMark, Result, StandardStream,
};
use crate::policy::CheckedPath;

/// This machine. Cheap to create: expensive parts are created on first use.
///
/// Its futures and streams need a tokio runtime only when they are polled.
pub struct RealHost {
    clock: clock::Clock,
    http: http::Http,
    input: terminal::Input,
    show_question: Box<dyn Fn(&str) + Send + Sync>,
    roots: roots::Roots,
}

impl RealHost {
    /// The host of this process, which asks its questions on standard error.
    pub fn new() -> Self {
        Self::asking(|question| {
            // Ignores a closed standard error, because the answer may still come.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), question.as_bytes());
        })
    }

    /// The same; `show_question` shows its questions.
    pub fn asking(show_question: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            clock: clock::Clock::new(),
            http: http::Http::new(environment::variable),
            input: terminal::Input::standard(),
            show_question: Box::new(show_question),
            roots: roots::Roots::default(),
        }
    }
}

impl Default for RealHost {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Host for RealHost {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        clock::sleep(time)
    }

    fn random(&self, buffer: &mut [u8]) {
        clock::random(buffer);
    }

    fn variable(&self, name: &str) -> Option<String> {
        environment::variable(name)
    }

    fn environment(&self) -> BTreeMap<String, String> {
        environment::all()
    }

    fn current_folder(&self) -> Result<PathBuf> {
        environment::current_folder()
    }

    fn identity(&self) -> String {
        environment::identity()
    }

    fn process_mark(&self) -> Option<ProcessMark> {
        process_mark::own()
    }

    fn liveness(&self, mark: &ProcessMark) -> Liveness {
        process_mark::liveness(mark)
    }

    fn memory(&self) -> Option<u64> {
        environment::memory()
    }

    fn memory_lately(&self) -> Option<u64> {
        environment::memory_lately()
    }

    fn read(&self, path: &CheckedPath) -> Result<Bytes> {
        files::read(&self.roots, path)
    }

    fn write(&self, path: &CheckedPath, content: &[u8], mode: Option<u32>) -> Result<()> {
        replace::write(&self.roots, path, content, mode)
    }

    fn append(&self, path: &CheckedPath, content: &[u8]) -> Result<()> {
        files::append(&self.roots, path, content)
    }

    fn create_folder(&self, path: &CheckedPath) -> Result<()> {
        files::create_folder(&self.roots, path)
    }

    fn list(&self, path: &CheckedPath) -> Result<Vec<FolderEntry>> {
        files::list(&self.roots, path)
    }

    fn info(&self, path: &CheckedPath) -> Result<FileInfo> {
        files::info(&self.roots, path)
    }

    fn link_target(&self, path: &CheckedPath) -> Result<PathBuf> {
        files::link_target(&self.roots, path)
    }

    fn canonicalize(&self, path: &Path) -> Result<PathBuf> {
        files::canonicalize(path)
    }

    fn remove(&self, path: &CheckedPath) -> Result<()> {
        files::remove(&self.roots, path)
    }

    fn rename(&self, from: &CheckedPath, to: &CheckedPath) -> Result<()> {
        files::rename(&self.roots, from, to)
    }

    fn open(&self, path: &CheckedPath) -> Result<BoxStream<'static, std::io::Result<Bytes>>> {
        files::open(&self.roots, path)
    }

    fn create(&self, path: &CheckedPath) -> Result<Box<dyn FileSink>> {
        replace::create(&self.roots, path)
    }

    fn spawn(&self, request: &CommandRequest) -> Result<BoxStream<'static, Result<CommandEvent>>> {
        process::spawn(&self.roots, request)
    }

    async fn http(&self, request: &HttpRequest) -> Result<HttpResponse> {
        self.http.send(request).await
    }

    async fn tcp_connect(&self, address: &str, timeout: Duration) -> Result<()> {
        network::tcp_connect(address, timeout).await
    }

    fn addresses(&self) -> Vec<IpAddr> {
        network::addresses()
    }

    fn ignores_permissions(&self) -> bool {
        rustix::process::geteuid().is_root()
    }

    fn port_holder(&self, address: Option<IpAddr>, port: u16, protocol: &str) -> Option<Listener> {
        sockets::port_holder(address, port, protocol)
    }

    fn port_owner(&self, port: u16) -> Option<String> {
        sockets::port_owner(port)
    }

    fn is_terminal(&self, stream: StandardStream) -> bool {
        terminal::is_terminal(stream)
    }

    async fn ask(&self, question: &str) -> Result<Option<String>> {
        self.input.ask(question, &self.show_question).await
    }

    async fn read_stdin(&self) -> Result<Bytes> {
        self.input.read_all().await
    }
}
