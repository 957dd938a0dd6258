//! A run for tests: virtual time, files in memory, a bare engine with the primitives registered.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use rhai::Dynamic;

use super::context::{Command, Context, ProjectSettings, RunContext};
use super::task;
use crate::engine::{EngineError, EngineErrorKind};
use crate::host::sim::executor::SimTaskExecutor;
use crate::host::{
    self, CommandEvent, CommandRequest, FileInfo, FileKind, FileSink, FolderEntry, Host, HostError,
    HostErrorKind, HttpRequest, HttpResponse, StandardStream, TaskExecutor,
};
use crate::model::Failure;
use crate::model::event::{Event, Sink};
use crate::policy::CheckedPath;
use crate::value::error::failure_of;
use crate::value::text::plain;

/// Events as they came.
#[derive(Default)]
pub(crate) struct EventRecorder(Mutex<Vec<Event>>);

impl Sink for EventRecorder {
    fn event(&self, event: &Event) {
        self.0.lock().push(event.clone());
    }
}

impl EventRecorder {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().clone()
    }
}

/// A run of scripts without the `script` module above.
pub(crate) struct Fixture {
    pub sim: Arc<SimTaskExecutor>,
    pub host: Arc<MemoryHost>,
    pub seen: Arc<EventRecorder>,
    pub context: Arc<Context>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::made(1, ProjectSettings::default(), &[])
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        Self::made(seed, ProjectSettings::default(), &[])
    }

    pub(crate) fn with_words(words: &[&str]) -> Self {
        Self::made(1, ProjectSettings::default(), words)
    }

    pub(crate) fn made(seed: u64, mut project: ProjectSettings, words: &[&str]) -> Self {
        if project.directory == Path::new("") {
            project.directory = "/work".into();
        }
        let sim = SimTaskExecutor::new(seed);
        let host = Arc::new(MemoryHost {
            sim: sim.clone(),
            nodes: Mutex::default(),
            held: AtomicU64::default(),
        });
        let seen = Arc::new(EventRecorder::default());
        let no_engine = || {
            async { Err(EngineError::new(EngineErrorKind::Unreachable, "no engine in this test")) }
                .boxed()
        };
        let command = Command {
            name: "spc run test.rhai".into(),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            help: false,
        };
        let executor = TaskExecutor::Sim(sim.clone());
        let run = RunContext::new(host.clone(), executor, seen.clone(), project);
        let context = Context::new(run, Box::new(no_engine)).with_command(command);
        Self { sim, host, seen, context: Arc::new(context) }
    }

    /// The value of a script as it is printed.
    pub(crate) fn text(&self, script: &str) -> String {
        match self.run(script) {
            Ok(value) => plain(&value),
            Err(failure) => panic!("{script}\n{failure}"),
        }
    }

    /// The failure of a script.
    pub(crate) fn fails(&self, script: &str) -> Failure {
        match self.run(script) {
            Ok(value) => panic!("{script}\n{value:?}"),
            Err(failure) => failure,
        }
    }

    /// Runs the examples in the comments of the functions that a primitive's file registers.
    pub(crate) fn examples(register: fn(&mut rhai::Engine)) {
        let mut engine = rhai::Engine::new_raw();
        register(&mut engine);
        let comments =
            engine.collect_fn_metadata(None, |info| Some(info.metadata.comments.join("\n")), true);
        let text = |comment: &str| {
            comment
                .lines()
                .map(|line| format!("{}\n", line.trim_start_matches('/').trim_start()))
                .collect::<String>()
        };
        let examples: Vec<String> = comments
            .iter()
            .flat_map(|comment| {
                text(comment)
                    .split("```rhai\n")
                    .skip(1)
                    .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(!examples.is_empty(), "no example");
        for example in examples {
            let asserts = "fn assert(yes) { if !yes { throw \"not so\"; } } fn assert_eq(a, b) { if a != b { throw `${a} is not ${b}`; } }";
            Self::new().text(&format!("{asserts}\n{example}"));
        }
    }

    /// What was printed so far.
    pub(crate) fn printed(&self) -> Vec<String> {
        let printed = |event| if let Event::Print { text } = event { Some(text) } else { None };
        self.seen.events().into_iter().filter_map(printed).collect()
    }

    fn run(&self, script: &str) -> Result<Dynamic, Failure> {
        let mut engine = rhai::Engine::new();
        super::register(&mut engine, &self.context);
        engine.on_progress(|_| task::ending().map(Dynamic::from));
        let seen = self.seen.clone();
        engine.on_print(move |text| seen.event(&Event::Print { text: text.to_owned() }));
        let _entered = task::enter(self.context.cancel.clone());
        let mut ast = engine.compile(script).map_err(|error| failure_of(&error.into()))?;
        ast.set_source("test.rhai");
        engine.eval_ast::<Dynamic>(&ast).map_err(|error| failure_of(&error))
    }
}

/// Files in memory with symlinks, and virtual time; nothing else is there.
pub(crate) struct MemoryHost {
    sim: Arc<SimTaskExecutor>,
    nodes: Mutex<BTreeMap<PathBuf, Node>>,
    /// Bytes of memory that the process is said to hold.
    pub held: AtomicU64,
}

#[derive(Clone)]
enum Node {
    File(Vec<u8>),
    Link(PathBuf),
    /// A file that may not be read.
    Closed,
}

impl MemoryHost {
    pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        self.nodes.lock().insert(path.into(), Node::File(content.as_ref().to_vec()));
        self
    }

    pub(crate) fn link(&self, path: &str, target: &str) -> &Self {
        self.nodes.lock().insert(path.into(), Node::Link(target.into()));
        self
    }

    pub(crate) fn closed(&self, path: &str) -> &Self {
        self.nodes.lock().insert(path.into(), Node::Closed);
        self
    }

    fn folder(&self, path: &Path) -> bool {
        self.nodes.lock().keys().any(|known| known != path && known.starts_with(path))
    }
}

fn missing(path: &Path) -> HostError {
    HostError::new(
        HostErrorKind::NotFound,
        format!("could not read \"{}\": there is no such file", path.display()),
    )
}

fn not_here<T>() -> host::Result<T> {
    Err(HostError::new(HostErrorKind::Other, "not in this test"))
}

#[async_trait]
impl Host for MemoryHost {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + self.sim.now()
    }
    fn monotonic(&self) -> Duration {
        self.sim.now()
    }
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.sim.sleep(time).boxed()
    }
    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
    fn memory(&self) -> Option<u64> {
        Some(self.held.load(Ordering::Relaxed))
    }
    fn variable(&self, _: &str) -> Option<String> {
        None
    }
    fn environment(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    fn current_folder(&self) -> host::Result<PathBuf> {
        Ok("/work".into())
    }
    fn identity(&self) -> String {
        "tester@here".into()
    }
    fn read(&self, path: &CheckedPath) -> host::Result<Bytes> {
        let path = path.as_path();
        let real = self.canonicalize(path)?;
        match self.nodes.lock().get(&real) {
            Some(Node::File(content)) => Ok(content.clone().into()),
            Some(_) => Err(HostError::new(
                HostErrorKind::PermissionDenied,
                format!("could not read \"{}\": permission denied", path.display()),
            )),
            None => Err(HostError::new(
                HostErrorKind::Invalid,
                format!("could not read \"{}\": it is a folder", path.display()),
            )),
        }
    }
    fn write(&self, _: &CheckedPath, _: &[u8], _: Option<u32>) -> host::Result<()> {
        not_here()
    }
    fn append(&self, _: &CheckedPath, _: &[u8]) -> host::Result<()> {
        not_here()
    }
    fn create_folder(&self, _: &CheckedPath) -> host::Result<()> {
        not_here()
    }
    fn list(&self, path: &CheckedPath) -> host::Result<Vec<FolderEntry>> {
        let path = path.as_path();
        let nodes = self.nodes.lock();
        let below = nodes.keys().filter_map(|known| known.strip_prefix(path).ok());
        let names = below.filter_map(|rest| {
            Some((
                rest.components().next()?.as_os_str().to_string_lossy().into_owned(),
                rest.components().count(),
            ))
        });
        let kind = |depth| if depth > 1 { FileKind::Folder } else { FileKind::File };
        let entries: BTreeMap<String, FileKind> =
            names.map(|(name, depth)| (name, kind(depth))).collect();
        if entries.is_empty() {
            Err(missing(path))
        } else {
            Ok(entries.into_iter().map(|(name, kind)| FolderEntry { name, kind }).collect())
        }
    }
    fn info(&self, path: &CheckedPath) -> host::Result<FileInfo> {
        let path = path.as_path();
        let kind = match self.nodes.lock().get(path) {
            Some(Node::Link(_)) => Some(FileKind::Symlink),
            Some(_) => Some(FileKind::File),
            None => None,
        };
        let kind = kind
            .or_else(|| self.folder(path).then_some(FileKind::Folder))
            .ok_or_else(|| missing(path))?;
        Ok(FileInfo { kind, len: 0, mode: 0o644, modified: DateTime::UNIX_EPOCH })
    }
    fn link_target(&self, _: &CheckedPath) -> host::Result<PathBuf> {
        not_here()
    }
    fn canonicalize(&self, path: &Path) -> host::Result<PathBuf> {
        let mut real = PathBuf::from("/");
        for part in path.components() {
            match part {
                Component::ParentDir => drop(real.pop()),
                Component::Normal(name) => real.push(name),
                _ => {}
            }
            let node = self.nodes.lock().get(&real).cloned();
            if let Some(Node::Link(target)) = node {
                real.pop();
                real = self.canonicalize(&real.join(target))?;
            }
        }
        let known = self.nodes.lock().contains_key(&real);
        if known || self.folder(&real) { Ok(real) } else { Err(missing(path)) }
    }
    fn remove(&self, _: &CheckedPath) -> host::Result<()> {
        not_here()
    }
    fn rename(&self, _: &CheckedPath, _: &CheckedPath) -> host::Result<()> {
        not_here()
    }
    fn open(&self, _: &CheckedPath) -> host::Result<BoxStream<'static, std::io::Result<Bytes>>> {
        not_here()
    }
    fn create(&self, _: &CheckedPath) -> host::Result<Box<dyn FileSink>> {
        not_here()
    }
    fn spawn(
        &self,
        _: &CommandRequest,
    ) -> host::Result<BoxStream<'static, host::Result<CommandEvent>>> {
        not_here()
    }
    async fn http(&self, _: &HttpRequest) -> host::Result<HttpResponse> {
        not_here()
    }
    async fn tcp_connect(&self, _: &str, _: Duration) -> host::Result<()> {
        not_here()
    }
    fn port_owner(&self, _: u16) -> Option<String> {
        None
    }
    fn is_terminal(&self, _: StandardStream) -> bool {
        false
    }
    async fn ask(&self, _: &str) -> host::Result<Option<String>> {
        Ok(None)
    }
    async fn read_stdin(&self) -> host::Result<Bytes> {
        Ok(Bytes::new())
    }
}
