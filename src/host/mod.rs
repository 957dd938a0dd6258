//! The host port: everything outside the process that is not the engine.
//!
//! Clock, files, processes, HTTP, environment, terminal input and randomness; and the
//! [`TaskExecutor`], which decides which task of a script runs and which one waits. It has two
//! implementations: [`real`] and [`sim`]. No other code in the crate reads a clock, starts a
//! process, or opens a file or a socket.

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

/// The type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    File,
    Folder,
    Symlink,
    /// A socket, a device, a pipe.
    Other,
}

/// Information about a path, without opening it.
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

/// A file that appears under its name only when [`FileSink::finish`] is called. If it is dropped
/// before, nothing is left.
#[async_trait]
pub trait FileSink: Send {
    async fn write(&mut self, bytes: Bytes) -> Result<()>;
    async fn finish(self: Box<Self>) -> Result<()>;
}

/// A host command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandRequest {
    /// The program by its name, then its arguments; without a shell.
    pub command: Vec<String>,
    /// The program file, canonical; `None` if the machine has no program with this name.
    pub program: Option<PathBuf>,
    /// All variables of the command.
    pub environment: BTreeMap<String, String>,
    /// Canonical.
    pub working_dir: PathBuf,
    pub stdin: Option<Bytes>,
}

impl CommandRequest {
    /// The program by its name.
    pub fn name(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    /// Checks whether the command can start, by what the host knows about its folder and, if it
    /// exists, its program file.
    pub(crate) fn check(&self, info: impl Fn(&CheckedPath) -> Result<FileInfo>) -> Result<()> {
        // A path that is only inspected need not be kept open.
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

    /// The error if the machine has no such program.
    pub(crate) fn no_program(&self) -> HostError {
        HostError::new(
            HostErrorKind::NotFound,
            format!("Could not start \"{}\": {NO_PROGRAM}", self.name()),
        )
    }
}

const NO_PROGRAM: &str = "there is no such program on this machine";

/// An event of a host command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandEvent {
    Stdout(Bytes),
    Stderr(Bytes),
    /// Always the last event. 128 + n if signal n ended the command.
    Exit(i64),
}

/// An HTTP request. The body of the answer is read as a whole, up to [`memory::LARGEST_VALUE`]. A
/// redirect is an answer: the caller checks its target before following it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Bytes>,
    pub timeout: Option<Duration>,
    /// Docker Engines. No connection to them is made, under any name.
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

/// A standard stream of spc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardStream {
    Stdin,
    Stdout,
    Stderr,
}

/// Everything outside the process that is not the engine.
///
/// Files are reached only by a [`CheckedPath`]. The host opens its root once, and everything below
/// relative to the root, without following symlinks. So exactly the checked file is opened.
/// [`Host::canonicalize`] takes any path, and opens nothing.
#[async_trait]
pub trait Host: Send + Sync {
    /// Wall-clock time.
    fn now(&self) -> DateTime<Utc>;
    /// A monotonic clock with an arbitrary start.
    fn monotonic(&self) -> Duration;
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
    /// Fills `buffer` with random bytes that are suitable for keys.
    fn random(&self, buffer: &mut [u8]);

    /// A variable of the process environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// The whole process environment (names and values that are UTF-8).
    fn environment(&self) -> BTreeMap<String, String>;
    /// The folder in which spc was started.
    fn current_folder(&self) -> Result<PathBuf>;
    /// The user who runs spc, for messages and the lock: `user@machine`.
    fn identity(&self) -> String;
    /// Distinguishes this process from every other one, if the system supports it.
    fn process_mark(&self) -> Option<ProcessMark> {
        None
    }
    /// Whether the process with this mark is running.
    fn liveness(&self, _mark: &ProcessMark) -> Liveness {
        Liveness::Unknown
    }

    /// Bytes of memory that spc itself holds, if the system shows this.
    fn memory(&self) -> Option<u64> {
        None
    }

    /// The same, at most a few milliseconds old: cheap enough for frequent calls.
    fn memory_lately(&self) -> Option<u64> {
        self.memory()
    }

    /// The content of a file of at most 64 MiB. Open a larger one as a stream.
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
    /// Appends to a file. A missing file is created.
    fn append(&self, path: &CheckedPath, content: &[u8]) -> Result<()>;
    /// With its parents; an existing one is fine.
    fn create_folder(&self, path: &CheckedPath) -> Result<()>;
    /// Sorted by name.
    fn list(&self, path: &CheckedPath) -> Result<Vec<FolderEntry>>;
    /// About the path itself; a symlink is not followed.
    fn info(&self, path: &CheckedPath) -> Result<FileInfo>;
    /// The target of a symlink, as written.
    fn link_target(&self, path: &CheckedPath) -> Result<PathBuf>;
    /// Absolute, without symlinks and `..`.
    fn canonicalize(&self, path: &Path) -> Result<PathBuf>;
    /// A file, or a folder with everything in it.
    fn remove(&self, path: &CheckedPath) -> Result<()>;
    fn rename(&self, from: &CheckedPath, to: &CheckedPath) -> Result<()>;
    /// The content as a stream.
    fn open(&self, path: &CheckedPath) -> Result<BoxStream<'static, std::io::Result<Bytes>>>;
    /// A new file, written as a stream.
    fn create(&self, path: &CheckedPath) -> Result<Box<dyn FileSink>>;

    /// Starts a command when the stream is first polled. Dropping the stream ends the command and
    /// the processes that it started.
    fn spawn(&self, request: &CommandRequest) -> Result<BoxStream<'static, Result<CommandEvent>>>;
    /// Sends a request. `localhost` and names below it are this machine's loopback addresses,
    /// whatever a resolver says. The addresses of other names are checked against `engines`, and
    /// the connection uses exactly these addresses.
    async fn http(&self, request: &HttpRequest) -> Result<HttpResponse>;
    /// Whether `host:port` accepts a TCP connection within `timeout`.
    async fn tcp_connect(&self, address: &str, timeout: Duration) -> Result<()>;
    /// This machine's addresses on its networks, without loopback and link-local ones; empty if the
    /// system doesn't show them.
    fn addresses(&self) -> Vec<IpAddr> {
        Vec::new()
    }
    /// Whether file permissions don't restrict this process: it runs as root.
    fn ignores_permissions(&self) -> bool {
        false
    }

    /// The socket of this machine that blocks `port` on `address` (by default on all addresses).
    /// `None` if there is none, or if the system does not show it for certain. `protocol`: `tcp` or
    /// `udp`.
    fn port_holder(
        &self,
        _address: Option<IpAddr>,
        _port: u16,
        _protocol: &str,
    ) -> Option<Listener> {
        None
    }
    /// The process that listens on a TCP port of this machine, if it can be found: `nginx (pid
    /// 812)`.
    fn port_owner(&self, port: u16) -> Option<String>;

    /// Whether `stream` is a terminal.
    fn is_terminal(&self, stream: StandardStream) -> bool;
    /// Writes `question` to the terminal and reads a line; `None` at the end of input.
    async fn ask(&self, question: &str) -> Result<Option<String>>;
    /// Reads all of standard input.
    async fn read_stdin(&self) -> Result<Bytes>;
}
