//! The host of a plan. It reads the real host. It only records what would be written, run or asked.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};

use super::recorder::Recorder;
use crate::engine::dry_run::{Effects, SILENT_SUCCESS};
use crate::host::sim::SimHost;
use crate::host::{
    CommandEvent, CommandRequest, FileInfo, FileSink, FolderEntry, Host, HttpRequest, HttpResponse,
    Listener, Liveness, ProcessMark, Result, StandardStream,
};
use crate::model::step::{ActionKind, Object, ObjectKind};
use crate::policy::CheckedPath;

/// A host that is read and never changed.
pub struct DryRunHost {
    live: Arc<dyn Host>,
    /// An overlay over the live host's files, so that the runbook can read planned writes.
    sim: SimHost,
    recorder: Arc<Recorder>,
    /// The base of displayed paths.
    folder: PathBuf,
    /// The folder of spc's own records in this run.
    records: CheckedPath,
    /// Whether the runbook has run host commands, which a plan doesn't execute.
    runs_commands: AtomicBool,
}

impl DryRunHost {
    /// The host `live` below `sim`, which covers its files. `records` is the folder of spc's own
    /// records.
    pub fn new(
        live: Arc<dyn Host>,
        sim: SimHost,
        recorder: Arc<Recorder>,
        folder: &Path,
        records: CheckedPath,
    ) -> Self {
        Self {
            live,
            sim,
            recorder,
            folder: folder.to_path_buf(),
            records,
            runs_commands: AtomicBool::new(false),
        }
    }

    fn note(&self, action: ActionKind, path: &CheckedPath) {
        if !self.is_record(path) {
            self.recorder.add_change(action, &Object::new(ObjectKind::File, self.shown(path)));
        }
    }

    fn is_record(&self, path: &CheckedPath) -> bool {
        is_record(path.as_path(), self.records.as_path())
    }

    fn shown(&self, path: &CheckedPath) -> String {
        path.as_path().strip_prefix(&self.folder).unwrap_or(path.as_path()).display().to_string()
    }
}

/// Whether this is one of spc's own records, in the folder `records`.
fn is_record(path: &Path, records: &Path) -> bool {
    let Ok(within) = path.strip_prefix(records) else { return false };
    let rest: Vec<&str> = within.iter().filter_map(|name| name.to_str()).collect();
    matches!(rest.as_slice(), [] | [_] | [_, "state.json" | "key.json"] | ["runs", ..])
}

#[async_trait]
impl Host for DryRunHost {
    fn now(&self) -> DateTime<Utc> {
        self.sim.now()
    }

    fn monotonic(&self) -> Duration {
        self.sim.monotonic()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.sim.sleep(time)
    }

    fn random(&self, buffer: &mut [u8]) {
        self.live.random(buffer);
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.live.variable(name)
    }

    fn environment(&self) -> BTreeMap<String, String> {
        self.live.environment()
    }

    fn current_folder(&self) -> Result<PathBuf> {
        self.live.current_folder()
    }

    fn identity(&self) -> String {
        self.live.identity()
    }

    fn liveness(&self, mark: &ProcessMark) -> Liveness {
        self.live.liveness(mark)
    }

    fn memory(&self) -> Option<u64> {
        self.live.memory()
    }

    fn memory_lately(&self) -> Option<u64> {
        self.live.memory_lately()
    }

    fn read(&self, path: &CheckedPath) -> Result<Bytes> {
        self.sim.read(path)
    }

    fn write(&self, path: &CheckedPath, content: &[u8], mode: Option<u32>) -> Result<()> {
        self.sim.write(path, content, mode)?;
        self.note(ActionKind::Write, path);
        Ok(())
    }

    fn append(&self, path: &CheckedPath, content: &[u8]) -> Result<()> {
        self.sim.append(path, content)?;
        self.note(ActionKind::AppendTo, path);
        Ok(())
    }

    fn create_folder(&self, path: &CheckedPath) -> Result<()> {
        let is_new = self.sim.info(path).is_err();
        self.sim.create_folder(path)?;
        if is_new && !self.is_record(path) {
            self.recorder
                .add_change(ActionKind::Make, &Object::new(ObjectKind::Folder, self.shown(path)));
        }
        Ok(())
    }

    fn list(&self, path: &CheckedPath) -> Result<Vec<FolderEntry>> {
        self.sim.list(path)
    }

    fn info(&self, path: &CheckedPath) -> Result<FileInfo> {
        self.sim.info(path)
    }

    fn link_target(&self, path: &CheckedPath) -> Result<PathBuf> {
        self.sim.link_target(path)
    }

    fn canonicalize(&self, path: &Path) -> Result<PathBuf> {
        self.sim.canonicalize(path)
    }

    fn remove(&self, path: &CheckedPath) -> Result<()> {
        self.sim.remove(path)?;
        self.note(ActionKind::Remove, path);
        Ok(())
    }

    fn rename(&self, from: &CheckedPath, to: &CheckedPath) -> Result<()> {
        self.sim.rename(from, to)?;
        if !self.is_record(to) {
            let object = Object::new(ObjectKind::File, self.shown(from))
                .with(format!("to {}", self.shown(to)));
            self.recorder.add_change(ActionKind::Rename, &object);
        }
        Ok(())
    }

    fn open(&self, path: &CheckedPath) -> Result<BoxStream<'static, std::io::Result<Bytes>>> {
        self.sim.open(path)
    }

    fn create(&self, path: &CheckedPath) -> Result<Box<dyn FileSink>> {
        let sink = self.sim.create(path)?;
        self.note(ActionKind::Write, path);
        Ok(sink)
    }

    fn spawn(&self, request: &CommandRequest) -> Result<BoxStream<'static, Result<CommandEvent>>> {
        request.check(|path| self.sim.info(path))?;
        if request.program.is_none() {
            return Err(request.no_program());
        }
        self.runs_commands.store(true, Ordering::Relaxed);
        let line = request.command.join(" ");
        let command = Object::new(ObjectKind::Command, &line);
        self.recorder.add_question(
            ActionKind::Run,
            &command,
            format!("the command \"{line}\""),
            SILENT_SUCCESS,
        );
        Ok(stream::iter([Ok(CommandEvent::Exit(0))]).boxed())
    }

    async fn http(&self, request: &HttpRequest) -> Result<HttpResponse> {
        let source = format!("{} {}", request.method, request.url);
        let is_read_only = matches!(request.method.as_str(), "GET" | "HEAD");
        let request = Object::new(ObjectKind::Request, &source);
        self.recorder.add_request(&request, source, is_read_only, "status 200, an empty body");
        Ok(HttpResponse { status: 200, headers: Vec::new(), body: Bytes::new() })
    }

    async fn tcp_connect(&self, address: &str, _timeout: Duration) -> Result<()> {
        self.recorder.assume_wait(&format!("whether {address} accepts connections"), "it does");
        Ok(())
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.live.addresses()
    }

    /// Only for a process that can be named, because the process behind the port of a container
    /// that the plan stops may have no name. And only until the plan has assumed a command, which
    /// may be the one that ends the process.
    fn port_holder(&self, address: Option<IpAddr>, port: u16, protocol: &str) -> Option<Listener> {
        let may_list = !self.runs_commands.load(Ordering::Relaxed);
        self.live
            .port_holder(address, port, protocol)
            .filter(|listener| may_list && listener.process.is_some())
    }

    fn port_owner(&self, port: u16) -> Option<String> {
        self.live.port_owner(port)
    }

    /// A plan never asks, so it always claims to have a terminal.
    fn is_terminal(&self, stream: StandardStream) -> bool {
        stream == StandardStream::Stdin
    }

    async fn ask(&self, question: &str) -> Result<Option<String>> {
        self.recorder.assume(
            &format!("the question \"{}\"", question.trim_end_matches("[y/N] ").trim()),
            "yes",
        );
        Ok(Some("yes".to_owned()))
    }

    async fn read_stdin(&self) -> Result<Bytes> {
        self.live.read_stdin().await
    }
}
