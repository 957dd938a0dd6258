//! The host port: everything outside the process that is not the engine.
//!
//! Clock, files, processes, HTTP, environment, terminal answers and randomness; with the
//! [`TaskExecutor`] that decides which script task runs and who waits. Two implementations: [`real`]
//! and [`sim`]. Nothing else in the crate reads a clock, spawns, opens a file or a socket.

mod error;
pub mod executor;
pub mod git;
mod listener;
pub mod memory;
mod process_mark;
pub mod real;
pub mod records_folder;
pub mod resolve;
mod script_threads;
pub mod sim;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::policy::{CheckedPath, EngineAddresses};

pub(crate) use error::SYMLINK_IN_PATH;
pub use error::{HostError, HostErrorKind, Result};
pub use executor::TaskExecutor;
pub use listener::{Listener, Obstacle};
pub use process_mark::{Liveness, ProcessMark};

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    File,
    Folder,
    Symlink,
    /// A socket, a device, a pipe.
    Other,
}

/// What is known of a path without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    pub kind: FileKind,
    /// Bytes.
    pub len: u64,
    /// Unix permission bits.
    pub mode: u32,
    pub modified: DateTime<Utc>,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FolderEntry {
    pub name: String,
    pub kind: FileKind,
}

/// A file that appears under its name only when [`FileSink::finish`] is called; dropped before,
/// nothing is left.
#[async_trait]
pub trait FileSink: Send {
    async fn write(&mut self, bytes: Bytes) -> Result<()>;
    async fn finish(self: Box<Self>) -> Result<()>;
}

/// A host command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandRequest {
    /// Program as it is called, then arguments; no shell.
    pub command: Vec<String>,
    /// The file to execute, canonical; nothing where the machine has no program of that name.
    pub program: Option<PathBuf>,
    /// All variables that it gets.
    pub environment: BTreeMap<String, String>,
    /// Canonical.
    pub working_dir: PathBuf,
    pub stdin: Option<Bytes>,
}

impl CommandRequest {
    /// The program as it is called.
    pub fn name(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    /// That the command can start, by what the host tells of its folder and, where there is one, of
    /// its program's file.
    pub(crate) fn check(&self, info: impl Fn(&CheckedPath) -> Result<FileInfo>) -> Result<()> {
        // What is only looked at need not be kept open.
        let info = |path: &Path| CheckedPath::below(Path::new("/"), path).map(|path| info(&path));
        let error = |kind, why: &str| {
            Err(HostError::new(kind, format!("Could not start \"{}\": {why}", self.name())))
        };
        if self.command.is_empty() {
            return Err(HostError::new(
                HostErrorKind::Invalid,
                "Could not start a command: it names no program",
            ));
        }
        if let Some(program) = &self.program {
            match info(program) {
                Some(Ok(info)) if info.kind == FileKind::File && info.mode & 0o111 != 0 => {}
                Some(Ok(info)) if info.kind == FileKind::File => {
                    return error(HostErrorKind::PermissionDenied, "the file is not executable");
                }
                _ => return error(HostErrorKind::NotFound, NO_PROGRAM),
            }
        }
        let folder = &self.working_dir;
        match info(folder) {
            Some(Ok(info)) if folder.is_absolute() && info.kind == FileKind::Folder => Ok(()),
            _ => error(
                HostErrorKind::NotFound,
                &format!("the working folder \"{}\" does not exist", folder.display()),
            ),
        }
    }

    /// That the machine has no such program.
    pub(crate) fn no_program(&self) -> HostError {
        HostError::new(
            HostErrorKind::NotFound,
            format!("Could not start \"{}\": {NO_PROGRAM}", self.name()),
        )
    }
}

const NO_PROGRAM: &str = "there is no such program on this machine";

/// A host command's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandEvent {
    Stdout(Bytes),
    Stderr(Bytes),
    /// Always last. 128 + n if ended by signal n.
    Exit(i64),
}

/// An HTTP request; the answer's body is read whole, up to [`memory::LARGEST_VALUE`]. A redirect is
/// an answer: whoever follows it checks where it leads first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Bytes>,
    pub timeout: Option<Duration>,
    /// Docker Engines, to which no connection is made, whatever name leads there.
    pub engines: EngineAddresses,
}

/// An HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// One of spc's own standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardStream {
    Stdin,
    Stdout,
    Stderr,
}

/// Everything outside the process that is not the engine.
///
/// Files are reached only by a [`CheckedPath`]: its root is opened once, what is below it relative
/// to that, and no symlink is followed on the way, so that what was checked is what is opened.
/// [`Host::canonicalize`] takes any path, and opens nothing.
#[async_trait]
pub trait Host: Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> DateTime<Utc>;
    /// A clock that only goes forward, from an arbitrary start.
    fn monotonic(&self) -> Duration;
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
    /// Fills `buffer` with randomness fit for keys.
    fn random(&self, buffer: &mut [u8]);

    /// A variable of the process environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// The whole process environment (names and values that are UTF-8).
    fn environment(&self) -> BTreeMap<String, String>;
    /// The folder spc was started in.
    fn current_folder(&self) -> Result<PathBuf>;
    /// Who runs spc, for messages and the lock: `user@machine`.
    fn identity(&self) -> String;
    /// What tells this process from every other, where the system tells.
    fn process_mark(&self) -> Option<ProcessMark> {
        None
    }
    /// Whether the process with this mark is there.
    fn liveness(&self, _mark: &ProcessMark) -> Liveness {
        Liveness::Unknown
    }

    /// Bytes of memory that spc itself holds, where the system tells.
    fn memory(&self) -> Option<u64> {
        None
    }

    /// The same, a few milliseconds ago at most: cheap enough to ask all the time.
    fn memory_lately(&self) -> Option<u64> {
        self.memory()
    }

    /// The content of a file of at most 64 MiB; what is larger is opened as a stream.
    fn read(&self, path: &CheckedPath) -> Result<Bytes>;
    /// The content of a file that people write, of at most [`memory::LARGEST_SOURCE`]: a script, a
    /// compose file, `.env`.
    fn read_source(&self, path: &CheckedPath) -> Result<Bytes> {
        let content = self.read(path)?;
        if content.len() > memory::LARGEST_SOURCE {
            let message = format!(
                "Could not read \"{}\": it is larger than {} MiB",
                path.as_path().display(),
                memory::LARGEST_SOURCE >> 20
            );
            return Err(HostError::new(HostErrorKind::Invalid, message));
        }
        Ok(content)
    }
    /// Writes under a temporary name, then renames. `mode`: Unix permission bits of a new file
    /// (0644 if not given).
    fn write(&self, path: &CheckedPath, content: &[u8], mode: Option<u32>) -> Result<()>;
    /// Adds to the end of a file, made if missing.
    fn append(&self, path: &CheckedPath, content: &[u8]) -> Result<()>;
    /// With its parents; an existing one is fine.
    fn create_folder(&self, path: &CheckedPath) -> Result<()>;
    /// Sorted by name.
    fn list(&self, path: &CheckedPath) -> Result<Vec<FolderEntry>>;
    /// Of the path itself, a symlink not followed.
    fn info(&self, path: &CheckedPath) -> Result<FileInfo>;
    /// Where a symlink points, as it is written.
    fn link_target(&self, path: &CheckedPath) -> Result<PathBuf>;
    /// Absolute, without symlinks and `..`.
    fn canonicalize(&self, path: &Path) -> Result<PathBuf>;
    /// A file, or a folder with all it holds.
    fn remove(&self, path: &CheckedPath) -> Result<()>;
    fn rename(&self, from: &CheckedPath, to: &CheckedPath) -> Result<()>;
    /// The content as a stream.
    fn open(&self, path: &CheckedPath) -> Result<BoxStream<'static, std::io::Result<Bytes>>>;
    /// A new file written as a stream.
    fn create(&self, path: &CheckedPath) -> Result<Box<dyn FileSink>>;

    /// Starts a command when the stream is first polled; dropping the stream ends it and what it
    /// started.
    fn spawn(&self, request: &CommandRequest) -> Result<BoxStream<'static, Result<CommandEvent>>>;
    /// Sends a request. `localhost` and names below it are this machine's loopback addresses,
    /// whatever a resolver says; what another name resolves to is checked against `engines` and
    /// is what is connected to.
    async fn http(&self, request: &HttpRequest) -> Result<HttpResponse>;
    /// Whether `host:port` accepts a TCP connection within `timeout`.
    async fn tcp_connect(&self, address: &str, timeout: Duration) -> Result<()>;
    /// This machine's addresses on its networks, without loopback and link-local ones; none where
    /// the system doesn't tell.
    fn addresses(&self) -> Vec<IpAddr> {
        Vec::new()
    }
    /// Whether permission bits of files bar this process from nothing: it runs as root.
    fn ignores_permissions(&self) -> bool {
        false
    }

    /// The socket of this machine that keeps others from `port` on `address` (on all addresses if
    /// not given); nothing where there is none, or where the system does not tell for certain.
    /// `protocol`: `tcp` or `udp`.
    fn port_holder(
        &self,
        _address: Option<IpAddr>,
        _port: u16,
        _protocol: &str,
    ) -> Option<Listener> {
        None
    }
    /// The process that listens on a TCP port of this machine, where it can be found:
    /// `nginx (pid 812)`.
    fn port_owner(&self, port: u16) -> Option<String>;

    /// Whether `stream` is a terminal.
    fn is_terminal(&self, stream: StandardStream) -> bool;
    /// Writes `question` to the terminal and reads a line; nothing at end of input.
    async fn ask(&self, question: &str) -> Result<Option<String>>;
    /// Reads all of standard input.
    async fn read_stdin(&self) -> Result<Bytes>;
}
