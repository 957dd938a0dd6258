//! The simulated host: virtual time, files in memory, scripted answers.
//!
//! All its answers follow from its set-up and the executor's seed. It records commands, requests
//! and questions.

mod changes;
mod epoch;
mod errno;
pub mod executor;
mod files;
mod network;
mod overlay;
mod script;
mod setup;
mod sink;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;

use super::memory::LARGEST_VALUE;
use super::{
    CommandEvent, CommandRequest, FileInfo, FileSink, FolderEntry, Host, HostError, HostErrorKind,
    HttpRequest, HttpResponse, Listener, Liveness, Obstacle, ProcessMark, Result, StandardStream,
};
use crate::policy::CheckedPath;
use changes::Changes;
pub use changes::{Change, ChangeSide};
pub use epoch::{date, epoch, since_epoch};
use errno::{Errno, failure};
use executor::SimTaskExecutor;
use files::{Files, LastSymlink};
use network::Network;
pub use overlay::Overlay;
pub use script::{CommandAnswer, HttpAnswer};
use script::{CommandScripts, ConnectScripts, HttpScripts};

/// Why nothing is reachable, in the words of the real host.
const REFUSED: &str = "connection refused: nobody listens there";

/// The size of the chunks of a streamed file.
const CHUNK_BYTES: usize = 64 << 10;

/// The simulated host. Its `with_…` and `on_…` methods set it up; its records can be read
/// afterwards.
pub struct SimHost {
    executor: Arc<SimTaskExecutor>,
    files: Arc<Mutex<Files>>,
    environment: Mutex<BTreeMap<String, String>>,
    current_folder: PathBuf,
    /// The identity of the machine since its last start.
    boot: String,
    terminals: Mutex<BTreeSet<u8>>,
    stdin: Bytes,
    answers: Mutex<VecDeque<String>>,
    command_scripts: CommandScripts,
    http_scripts: HttpScripts,
    network: Network,
    connect_scripts: ConnectScripts,
    port_owners: Mutex<BTreeMap<u16, String>>,
    listeners: Mutex<Vec<Listener>>,
    commands: Mutex<Vec<CommandRequest>>,
    requests: Mutex<Vec<HttpRequest>>,
    questions: Mutex<Vec<String>>,
    changes: Changes,
    /// How far the clock is ahead of that of the engine.
    ahead: Mutex<Duration>,
    /// How often each file was read.
    reads: Mutex<BTreeMap<PathBuf, usize>>,
    /// The memory that the process claims to hold; 0 means its real memory, in every world of a
    /// script.
    pub held: AtomicU64,
}

impl SimHost {
    /// A host with only the root folder and `/project`, in which spc was started.
    pub fn new(executor: Arc<SimTaskExecutor>) -> Self {
        let folder = PathBuf::from("/project");
        Self { current_folder: folder.clone(), ..Self::bare(executor) }.with_folder(folder)
    }

    /// A host with only the root folder.
    pub fn bare(executor: Arc<SimTaskExecutor>) -> Self {
        Self {
            files: Arc::new(Mutex::new(Files::new(date(executor.now())))),
            changes: Changes::new(executor.clone()),
            executor,
            environment: Mutex::default(),
            current_folder: PathBuf::from("/"),
            boot: "simulation".to_owned(),
            terminals: Mutex::default(),
            stdin: Bytes::new(),
            answers: Mutex::default(),
            command_scripts: CommandScripts::default(),
            http_scripts: HttpScripts::default(),
            network: Network::default(),
            connect_scripts: ConnectScripts::default(),
            port_owners: Mutex::default(),
            listeners: Mutex::default(),
            commands: Mutex::default(),
            requests: Mutex::default(),
            questions: Mutex::default(),
            ahead: Mutex::default(),
            reads: Mutex::default(),
            held: AtomicU64::default(),
        }
    }

    /// Sets how far the clock is ahead of that of the engine.
    pub fn set_clock_ahead(&self, time: Duration) {
        *self.ahead.lock() = time;
    }

    fn held(&self) -> Option<u64> {
        Some(self.held.load(Ordering::Relaxed)).filter(|held| *held > 0)
    }

    /// Works at `path`, which must not contain a symlink. The last name may be one if `last` keeps
    /// it.
    fn on_files<T>(
        &self,
        action: &str,
        path: &CheckedPath,
        last: LastSymlink,
        work: impl FnOnce(&mut Files, DateTime<Utc>) -> std::result::Result<T, Errno>,
    ) -> Result<T> {
        let now = self.now();
        let files = &mut self.files.lock();
        // As on a real host, a root can't be replaced or removed through itself.
        let is_root = last == LastSymlink::Keep && path.relative() == Path::new("");
        let checked = if is_root {
            Err(Errno::Invalid)
        } else {
            files.without_symlinks(path.as_path(), last)
        };
        let done = checked.and_then(|()| work(files, now));
        done.map_err(|errno| {
            let left_out = files.left_out(path.as_path()).filter(|_| errno == Errno::NotFound);
            left_out.map_or_else(
                || failure(errno, action, path.as_path()),
                |reason| not_shown(action, path.as_path(), reason),
            )
        })
    }
}

#[async_trait]
impl Host for SimHost {
    fn now(&self) -> DateTime<Utc> {
        date(self.executor.now() + *self.ahead.lock())
    }

    fn monotonic(&self) -> Duration {
        self.executor.now()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.executor.sleep(time).boxed()
    }

    fn random(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.executor.random().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.lock().get(name).cloned()
    }

    fn environment(&self) -> BTreeMap<String, String> {
        self.environment.lock().clone()
    }

    fn current_folder(&self) -> Result<PathBuf> {
        Ok(self.current_folder.clone())
    }

    fn identity(&self) -> String {
        "operator@simulation".to_owned()
    }

    fn process_mark(&self) -> Option<ProcessMark> {
        let pid = SimTaskExecutor::current_process().try_into().ok()?;
        Some(ProcessMark { boot: self.boot.clone(), namespaces: String::new(), pid, started: 0 })
    }

    fn liveness(&self, mark: &ProcessMark) -> Liveness {
        match mark {
            ProcessMark { boot, .. } if *boot != self.boot => Liveness::Unknown,
            ProcessMark { pid, started: 0, .. } if self.executor.is_alive((*pid).into()) => {
                Liveness::Alive
            }
            _ => Liveness::Gone,
        }
    }

    fn memory(&self) -> Option<u64> {
        self.held().or_else(super::real::memory)
    }

    fn memory_lately(&self) -> Option<u64> {
        self.held().or_else(super::real::memory_lately)
    }

    fn read(&self, path: &CheckedPath) -> Result<Bytes> {
        *self.reads.lock().entry(path.as_path().to_path_buf()).or_default() += 1;
        self.on_files("read", path, LastSymlink::Follow, |files, _| files.read(path.as_path()))
    }

    fn write(&self, path: &CheckedPath, content: &[u8], mode: Option<u32>) -> Result<()> {
        let (place, content) = (path.as_path(), Bytes::copy_from_slice(content));
        self.changes.make("write", place, || {
            self.on_files("write", path, LastSymlink::Keep, |files, now| {
                files.replace(place, content, mode, now)
            })
        })
    }

    fn append(&self, path: &CheckedPath, content: &[u8]) -> Result<()> {
        let place = path.as_path();
        self.changes.make("append", place, || {
            self.on_files("append to", path, LastSymlink::Follow, |files, now| {
                files.append(place, content, now)
            })
        })
    }

    fn create_folder(&self, path: &CheckedPath) -> Result<()> {
        if self.info(path).is_ok_and(|info| info.kind == super::FileKind::Folder) {
            return Ok(());
        }
        let place = path.as_path();
        self.changes.make("folder", place, || {
            self.on_files("make the folder", path, LastSymlink::Follow, |files, now| {
                files.create_folder(place, now)
            })
        })
    }

    fn list(&self, path: &CheckedPath) -> Result<Vec<FolderEntry>> {
        self.on_files("list", path, LastSymlink::Follow, |files, _| files.list(path.as_path()))
    }

    fn info(&self, path: &CheckedPath) -> Result<FileInfo> {
        let last =
            if path.relative() == Path::new("") { LastSymlink::Follow } else { LastSymlink::Keep };
        self.on_files("look at", path, last, |files, _| files.info(path.as_path()))
    }

    fn link_target(&self, path: &CheckedPath) -> Result<PathBuf> {
        self.on_files("follow", path, LastSymlink::Keep, |files, _| {
            files.link_target(path.as_path())
        })
    }

    fn canonicalize(&self, path: &Path) -> Result<PathBuf> {
        self.files.lock().canonicalize(path).map_err(|errno| failure(errno, "find", path))
    }

    fn remove(&self, path: &CheckedPath) -> Result<()> {
        let place = path.as_path();
        self.changes.make("remove", place, || {
            self.on_files("remove", path, LastSymlink::Keep, |files, _| files.remove(place))
        })
    }

    fn rename(&self, from: &CheckedPath, to: &CheckedPath) -> Result<()> {
        let action = format!("rename \"{}\" to", from.as_path().display());
        self.changes.make("rename", from.as_path(), || {
            self.on_files(&action, to, LastSymlink::Keep, |files, _| {
                files.without_symlinks(from.as_path(), LastSymlink::Keep)?;
                files.rename(from.as_path(), to.as_path())
            })
        })
    }

    fn open(&self, path: &CheckedPath) -> Result<BoxStream<'static, std::io::Result<Bytes>>> {
        let mut rest = self.read(path)?;
        Ok(stream::iter(std::iter::from_fn(move || {
            let chunk = rest.split_to(rest.len().min(CHUNK_BYTES));
            (!chunk.is_empty()).then_some(Ok(chunk))
        }))
        .boxed())
    }

    fn create(&self, path: &CheckedPath) -> Result<Box<dyn FileSink>> {
        self.on_files("write", path, LastSymlink::Keep, |files, _| {
            files.may_create(path.as_path())
        })?;
        Ok(Box::new(sink::SimFile::new(
            self.executor.clone(),
            self.files.clone(),
            self.changes.clone(),
            path,
        )))
    }

    fn spawn(&self, request: &CommandRequest) -> Result<BoxStream<'static, Result<CommandEvent>>> {
        request.check(|path| self.info(path))?;
        self.commands.lock().push(request.clone());
        // A command that a test scripts needs no program file.
        let Some(answer) = self.command_scripts.answer(request) else {
            return Err(request.no_program());
        };
        let side = self.changes.begin("command", Path::new(request.name()))?;
        let (changes, process) = (self.changes.clone(), SimTaskExecutor::current_process());
        if side == Some(ChangeSide::Before) {
            changes.kill(process);
        }
        let folder = request.working_dir.clone();
        let (executor, files) = (self.executor.clone(), self.files.clone());
        let sleep = self.executor.sleep(answer.takes).map(move |()| {
            for (path, content) in answer.files {
                // It is not an error if the command can't write a file.
                let _ =
                    files.lock().replace(&folder.join(path), content, None, date(executor.now()));
            }
            if side == Some(ChangeSide::After) {
                changes.kill(process);
            }
        });
        let events = [
            CommandEvent::Stdout(answer.stdout),
            CommandEvent::Stderr(answer.stderr),
            CommandEvent::Exit(answer.code),
        ];
        let said = events
            .into_iter()
            .filter(|event| !matches!(event, CommandEvent::Stdout(bytes) | CommandEvent::Stderr(bytes) if bytes.is_empty()));
        Ok(sleep.map(move |()| stream::iter(said.map(Ok))).flatten_stream().boxed())
    }

    async fn http(&self, request: &HttpRequest) -> Result<HttpResponse> {
        if let Some(engine) = self.network.engine_reached_by(request) {
            let message = format!(
                "A script may not send a request to \"{}\": {}",
                request.url,
                engine.reason()
            );
            return Err(HostError::new(HostErrorKind::Refused, message));
        }
        self.requests.lock().push(request.clone());
        let refused = || HttpAnswer::failure(HostError::new(HostErrorKind::Unreachable, REFUSED));
        let answer = self.http_scripts.answer(request).unwrap_or_else(refused);
        let what = |cause: &str| format!("Could not reach \"{}\": {cause}", request.url);
        if let Some(timeout) = request.timeout.filter(|timeout| *timeout < answer.takes) {
            self.sleep(timeout).await;
            return Err(HostError::new(HostErrorKind::Timeout, what("no answer in time")));
        }
        self.sleep(answer.takes).await;
        if answer.result.as_ref().is_ok_and(|response| response.body.len() > LARGEST_VALUE) {
            let message = format!(
                "The answer of \"{}\" is larger than {} MiB",
                request.url,
                LARGEST_VALUE >> 20
            );
            return Err(HostError::new(HostErrorKind::TooLarge, message));
        }
        answer.result.map_err(|error| HostError::new(error.kind, what(&error.message)))
    }

    async fn tcp_connect(&self, address: &str, timeout: Duration) -> Result<()> {
        match self.connect_scripts.answer(address) {
            Some(latency) if latency <= timeout => {
                self.sleep(latency).await;
                Ok(())
            }
            Some(_) => {
                self.sleep(timeout).await;
                Err(HostError::new(
                    HostErrorKind::Timeout,
                    format!("Could not connect to \"{address}\": no answer within {timeout:?}"),
                ))
            }
            None => Err(HostError::new(
                HostErrorKind::Unreachable,
                format!("Could not connect to \"{address}\": {REFUSED}"),
            )),
        }
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.network.own.iter().copied().collect()
    }

    /// A listener on all IPv6 addresses also listens on those of IPv4.
    fn port_holder(&self, address: Option<IpAddr>, port: u16, protocol: &str) -> Option<Listener> {
        let listeners = self.listeners.lock();
        let mut of_port = listeners
            .iter()
            .filter(|listener| listener.port == port && listener.protocol == protocol);
        of_port.find(|listener| listener.keeps_from(address) != Obstacle::No).cloned()
    }

    fn port_owner(&self, port: u16) -> Option<String> {
        self.port_owners.lock().get(&port).cloned()
    }

    fn is_terminal(&self, stream: StandardStream) -> bool {
        self.terminals.lock().contains(&(stream as u8))
    }

    async fn ask(&self, question: &str) -> Result<Option<String>> {
        self.questions.lock().push(question.to_owned());
        Ok(self.answers.lock().pop_front())
    }

    async fn read_stdin(&self) -> Result<Bytes> {
        Ok(self.stdin.clone())
    }
}

fn not_shown(action: &str, path: &Path, reason: &str) -> HostError {
    HostError::new(
        HostErrorKind::NotFound,
        format!("Could not {action} \"{}\": {reason}", path.display()),
    )
}

#[cfg(test)]
mod tests;
