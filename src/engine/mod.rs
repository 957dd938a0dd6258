//! The engine port: one method per Docker Engine API call.
//!
//! Requests and answers are Docker's own models (`bollard::models`, as data); errors, streams and
//! options are ours, so that neither inhabitant leaks its client. Two live here: [`docker`], the
//! Engine API over bollard, and [`sim`], an engine in memory with the same semantics. What scripts
//! are given is either of them behind a [`Guard`] and the last look of [`token_check`].

mod base_image;
pub mod docker;
pub mod exec_end;
pub mod exec_processes;
mod guard;
pub mod image_labels;
mod intent;
pub mod methods;
pub mod planned;
pub mod sim;
pub mod tap;
pub mod token_check;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bollard::models;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use self::guard::Guard;
pub use self::intent::Intent;

/// What an Engine API call answered instead of success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    pub kind: EngineErrorKind,
    /// The engine's own words, or what was tried and how it failed; a sentence without a full
    /// stop.
    pub message: String,
    /// The next step, where one is known.
    pub hint: Option<String>,
}

/// The cases a caller tells apart. HTTP status in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineErrorKind {
    /// Nothing answers at the address, or the connection was lost.
    Unreachable,
    /// The socket is there, but this user may not open it.
    PermissionDenied,
    /// The engine's API version is below [`MINIMUM_API`].
    TooOld,
    /// The request is not acceptable (400).
    Invalid,
    /// Registry or authorization plugin refuses the credentials (401, 403).
    Denied,
    /// No such object (404).
    NotFound,
    /// The state of the object forbids it, or the name is taken (409; 403, the engine's word for a
    /// network in use and the like).
    Conflict,
    /// The engine's disk is full (500).
    NoSpace,
    /// The object can't do it as it is set up (501): a logging driver that nobody can read.
    Unsupported,
    /// Anything else the engine could not do (500 and above).
    Server,
    /// No answer in time.
    Timeout,
    /// A build step, a pull or an import failed; the message is the failing step's.
    Failed,
    /// The policy refuses it: the call was not made.
    Refused,
}

impl EngineError {
    /// An error of `kind` with the engine's words.
    pub fn new(kind: EngineErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// The same error with a next step.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether the object asked for does not exist.
    pub fn is_not_found(&self) -> bool {
        self.kind == EngineErrorKind::NotFound
    }

    /// Whether the object's state, or a taken name, forbids the call.
    pub fn is_conflict(&self) -> bool {
        self.kind == EngineErrorKind::Conflict
    }
}

/// The oldest Engine API that is supported.
pub const MINIMUM_API: ApiVersion = ApiVersion { major: 1, minor: 41 };

/// The engine's API version, by which features are gated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    pub major: u32,
    pub minor: u32,
}

impl ApiVersion {
    /// `start_interval` of a health check needs API 1.44.
    pub const START_INTERVAL: Self = Self { major: 1, minor: 44 };

    /// Reads `"1.41"`.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl std::fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Shorthand of the port.
pub type Result<T> = std::result::Result<T, EngineError>;

/// Docker's filter map: `{"label": ["a=b"], "name": ["x"]}`. Values of one key are joined by OR,
/// except labels (AND).
pub type Filters = BTreeMap<String, Vec<String>>;

/// A filter on one label: `label("com.docker.compose.project", "spc")`.
pub fn label_filter(key: &str, value: &str) -> Filters {
    Filters::from([("label".to_owned(), vec![format!("{key}={value}")])])
}

/// Which output a chunk came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    Stdout,
    Stderr,
}

/// A piece of output as it arrived; not cut at lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputChunk {
    pub kind: OutputKind,
    pub bytes: Bytes,
}

/// A stream of output; ends at the end of the process (or of the log).
pub type OutputStream = BoxStream<'static, Result<OutputChunk>>;

/// The engine's events as they happen; ends when the engine goes away.
pub type EventStream = BoxStream<'static, Result<models::EventMessage>>;

/// What an exec runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// The argument vector; never empty.
    pub command: Vec<String>,
    /// `KEY=value`.
    pub environment: Vec<String>,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    pub tty: bool,
    pub privileged: bool,
    /// Connect standard input.
    pub stdin: bool,
    /// Whoever asks says that it changes nothing: for plans, the engine is not told.
    pub read_only: bool,
    /// How long whoever asks waits for its end: for plans, whose own time stands still meanwhile.
    /// The engine is not told.
    pub timeout: Option<Duration>,
}

/// A started exec: its output, and its input if asked for. Dropping it does not end the process.
pub struct ExecSession {
    /// The exec's id, for [`Engine::exec_inspect`].
    pub id: String,
    pub output: OutputStream,
    /// Present if `stdin` was asked for; closing it closes the process's standard input.
    pub input: Option<Box<dyn ExecInput>>,
}

/// The writing end of an exec's standard input.
#[async_trait]
pub trait ExecInput: Send {
    /// Writes all of `bytes`.
    async fn write(&mut self, bytes: Bytes) -> Result<()>;
    /// Closes standard input: the process reads end-of-file.
    async fn close(&mut self) -> Result<()>;
}

/// Whether an exec runs, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecState {
    pub running: bool,
    pub exit_code: Option<i64>,
}

/// The bytes of a line that the engine keeps in one message; it cuts longer lines.
pub const LOG_PART: usize = 16 << 10;

/// Which part of a container's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogsRequest {
    pub follow: bool,
    /// The last so many messages, whatever their time: the engine takes them before it looks at
    /// `since` and `until`.
    pub tail: Option<u64>,
    /// From this time on, to the nanosecond.
    pub since: Option<DateTime<Utc>>,
    /// Up to this time, to the nanosecond.
    pub until: Option<DateTime<Utc>>,
    /// Each message begins with the engine's RFC 3339 time and a space.
    pub timestamps: bool,
    /// Whether the container has a terminal: its log is raw, all on stdout.
    pub tty: bool,
}

/// What a build is made of. `context` is a tar stream, uncompressed.
pub struct BuildRequest {
    pub tags: Vec<String>,
    /// Path of the Dockerfile inside the context.
    pub dockerfile: String,
    pub target: Option<String>,
    pub args: BTreeMap<String, String>,
    /// What steps with `--mount=type=secret,id=…` may read, by id. Needs an engine with BuildKit.
    pub secrets: BTreeMap<String, Bytes>,
    pub labels: BTreeMap<String, String>,
    pub no_cache: bool,
    pub pull: bool,
    pub network: Option<String>,
    pub platform: Option<String>,
    /// The digest of the context's content, hexadecimal SHA-256: what the simulated engine's image
    /// id is a function of.
    pub context_digest: String,
    pub context: BoxStream<'static, std::io::Result<Bytes>>,
}

/// What comes between a build's error and the step's last output, which is in the lines after it.
pub const OUTPUT_FOLLOWS: &str = "; its last output:";

/// What to do where a step wants a secret that the build was not given.
fn secret_hint(id: &str) -> String {
    format!(
        "give it to the build with `secrets: [\"{id}\"]`, or leave `required` of the step's mount out"
    )
}

/// What a build reports while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// A step began, in the builder's words: `[2/5] RUN pip install …`.
    Step(String),
    /// Output of a step: whole lines, also where the builder told them in parts.
    Output(Bytes),
    /// The step was answered from the layer cache.
    Cached(String),
    /// Done: the image's id (`sha256:…`).
    Image(String),
}

/// What a pull, push or import reports while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferEvent {
    /// The layer, where the report is about one.
    pub layer: Option<String>,
    /// The engine's words: `Downloading`, `Pull complete`.
    pub status: String,
    /// Bytes done and in all, where known.
    pub progress: Option<(u64, u64)>,
}

/// Who may pull and push: a name with a password, or a token in place of both.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RegistryAuth {
    pub username: String,
    pub password: String,
    /// Of a registry that gave one at login; empty for none.
    pub identity_token: String,
}

impl std::fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryAuth").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How a container is ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopRequest {
    /// Before the engine kills it; the container's own (10 s) if not given.
    pub grace: Option<Duration>,
    pub signal: Option<String>,
}

/// Rows of `top`: titles, then one row per process.
pub type Top = models::ContainerTopResponse;

/// The Docker Engine API as spc uses it. Names or ids are accepted wherever the engine accepts
/// them.
///
/// Dropping a returned future or stream abandons the wait, not necessarily the work on the engine.
#[async_trait]
pub trait Engine: Send + Sync {
    /// The API version, read once at connection.
    fn api_version(&self) -> ApiVersion;
    /// Where the engine is, for messages: `unix:///var/run/docker.sock`.
    fn address(&self) -> &str;
    /// Whether paths of this machine can be bind-mounted: false over tcp and ssh.
    fn is_local(&self) -> bool;
    /// Whether the ports that it publishes are this machine's as this process sees it. False where
    /// that can't be known.
    fn publishes_here(&self) -> bool;

    /// Fails if the call would be refused by a policy; asks the engine for nothing that it was not
    /// asked already, as far as that can be. An engine without a policy refuses nothing.
    fn check<'a>(&'a self, _intent: Intent<'a>) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    async fn version(&self) -> Result<models::SystemVersion>;
    async fn info(&self) -> Result<models::SystemInfo>;
    /// Events from now (or `since`, seconds since the epoch) on; ends when the engine goes away.
    /// The subscription is in force once the future is ready.
    async fn events(&self, filters: &Filters, since: Option<i64>) -> Result<EventStream>;

    async fn container_list(
        &self,
        all: bool,
        filters: &Filters,
    ) -> Result<Vec<models::ContainerSummary>>;
    async fn container_inspect(&self, container: &str) -> Result<models::ContainerInspectResponse>;
    async fn container_create(
        &self,
        name: &str,
        platform: Option<&str>,
        body: models::ContainerCreateBody,
    ) -> Result<models::ContainerCreateResponse>;
    /// Answers whether it was started now (false: it ran already, 304).
    async fn container_start(&self, container: &str) -> Result<bool>;
    /// Answers whether it was stopped now (false: it did not run, 304).
    async fn container_stop(&self, container: &str, request: &StopRequest) -> Result<bool>;
    async fn container_restart(&self, container: &str, request: &StopRequest) -> Result<()>;
    async fn container_kill(&self, container: &str, signal: &str) -> Result<()>;
    async fn container_rename(&self, container: &str, name: &str) -> Result<()>;
    /// Gives it another restart policy, running or not.
    async fn container_update(&self, container: &str, restart: models::RestartPolicy)
    -> Result<()>;
    /// Removes it; `volumes` also its anonymous volumes; `force` also while it runs.
    async fn container_remove(&self, container: &str, force: bool, volumes: bool) -> Result<()>;
    /// Waits until it does not run (`next_exit`: until its next exit); the exit code.
    async fn container_wait(&self, container: &str) -> Result<i64>;
    /// Its log. Each chunk is one message as the engine keeps it: a line with its line feed, a part
    /// of [`LOG_PART`] bytes of a longer line (all parts have the time of the first), or what a
    /// process wrote last without a line feed. The log of a terminal is raw: its
    /// messages follow each other without a boundary. A log that is followed ends each time the
    /// process ends, restarted or not.
    async fn container_logs(&self, container: &str, request: &LogsRequest) -> Result<OutputStream>;
    async fn container_top(&self, container: &str) -> Result<Top>;
    /// Unpacks a tar archive at `path`, which has to exist in the container.
    async fn container_upload(&self, container: &str, path: &str, tar: Bytes) -> Result<()>;
    /// The file or folder at `path` as a tar stream.
    async fn container_download(
        &self,
        container: &str,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>>;

    /// Creates and starts an exec.
    async fn exec_start(&self, container: &str, request: &ExecRequest) -> Result<ExecSession>;
    async fn exec_inspect(&self, exec: &str) -> Result<ExecState>;

    async fn image_list(&self, filters: &Filters) -> Result<Vec<models::ImageSummary>>;
    async fn image_inspect(&self, image: &str) -> Result<models::ImageInspect>;
    /// Asks the image's registry for its digest, without pulling.
    async fn image_registry_digest(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<String>;
    async fn image_pull(
        &self,
        image: &str,
        platform: Option<&str>,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>>;
    async fn image_push(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>>;
    /// Builds; a failing step ends the stream with [`EngineErrorKind::Failed`].
    async fn image_build(
        &self,
        request: BuildRequest,
    ) -> Result<BoxStream<'static, Result<BuildEvent>>>;
    /// Makes an image `tag` of one layer from a tar stream of a root file system, with Dockerfile
    /// instructions in `changes`; its id.
    async fn image_import(
        &self,
        tag: &str,
        changes: &[String],
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<String>;
    async fn image_tag(&self, image: &str, tag: &str) -> Result<()>;
    async fn image_remove(&self, image: &str, force: bool) -> Result<()>;

    async fn network_list(&self, filters: &Filters) -> Result<Vec<models::Network>>;
    async fn network_inspect(&self, network: &str) -> Result<models::NetworkInspect>;
    /// The new network's id.
    async fn network_create(&self, body: models::NetworkCreateRequest) -> Result<String>;
    async fn network_connect(
        &self,
        network: &str,
        container: &str,
        endpoint: models::EndpointSettings,
    ) -> Result<()>;
    async fn network_disconnect(&self, network: &str, container: &str, force: bool) -> Result<()>;
    async fn network_remove(&self, network: &str) -> Result<()>;

    async fn volume_list(&self, filters: &Filters) -> Result<Vec<models::Volume>>;
    async fn volume_inspect(&self, volume: &str) -> Result<models::Volume>;
    /// Idempotent: an existing volume of that name is answered as it is.
    async fn volume_create(&self, body: models::VolumeCreateRequest) -> Result<models::Volume>;
    async fn volume_remove(&self, volume: &str, force: bool) -> Result<()>;
}
