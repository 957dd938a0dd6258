//! The engine port: one method per Docker Engine API call, all declared in [`calls`].
//!
//! Requests and answers are Docker's own models (`bollard::models`, as data). Errors, streams and
//! options are spc's, so that neither implementation exposes its client. There are two: [`docker`],
//! the Engine API over bollard, and [`sim`], an engine in memory with the same semantics. Scripts
//! get either of them behind a [`Guard`] and the final check of [`token_check`].

mod base_image;
pub mod calls;
pub mod docker;
pub mod dry_run;
pub mod exec_end;
pub mod exec_processes;
mod guard;
pub mod image_labels;
mod intent;
mod layer;
pub mod observer;
pub mod sim;
pub mod token_check;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use bollard::models;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;

pub use self::calls::{Answer, Call, Engine, Method};
pub use self::guard::Guard;
pub use self::intent::Intent;

/// The error of an Engine API call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    pub kind: EngineErrorKind,
    /// The engine's message, or the failed action and its cause. A sentence without a full stop.
    pub message: String,
    /// The next step, if one is known.
    pub hint: Option<String>,
}

/// The kinds that callers distinguish, with the HTTP status in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineErrorKind {
    /// Nothing answers at the address, or the connection was lost.
    Unreachable,
    /// The socket exists, but this user may not open it.
    PermissionDenied,
    /// The engine's API version is below [`MINIMUM_API`].
    TooOld,
    /// The request is invalid (400).
    Invalid,
    /// The registry or an authorization plugin refuses the credentials (401, 403).
    Denied,
    /// No such object (404).
    NotFound,
    /// The state of the object does not allow it, or the name is in use (409; also 403, for example
    /// for a network in use).
    Conflict,
    /// The engine's disk is full (500).
    NoSpace,
    /// The object doesn't support it with its settings (501), for example a log driver without
    /// readable logs.
    Unsupported,
    /// Any other failure of the engine (500 and above).
    Server,
    /// No answer within the time limit.
    Timeout,
    /// A build step, a pull or an import failed; the message is that of the failed step.
    Failed,
    /// The policy rejects it, and the call was not made.
    Refused,
}

impl EngineError {
    /// An error of `kind` with the engine's message.
    pub fn new(kind: EngineErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// The same error with a next step.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        self.kind == EngineErrorKind::NotFound
    }

    /// Whether the object's state, or a name in use, prevents the call.
    pub fn is_conflict(&self) -> bool {
        self.kind == EngineErrorKind::Conflict
    }
}

/// The oldest Engine API that is supported.
pub const MINIMUM_API: ApiVersion = ApiVersion { major: 1, minor: 41 };

/// The engine's API version, which decides about features.
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

/// The result type of the port.
pub type Result<T> = std::result::Result<T, EngineError>;

/// Docker's filter map: `{"label": ["a=b"], "name": ["x"]}`. Values of one key are joined by OR,
/// except labels (AND).
pub type Filters = BTreeMap<String, Vec<String>>;

/// A filter on one label: `label("com.docker.compose.project", "spc")`.
pub fn label_filter(key: &str, value: &str) -> Filters {
    Filters::from([("label".to_owned(), vec![format!("{key}={value}")])])
}

/// The output stream of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    Stdout,
    Stderr,
}

/// A piece of output as it arrived, not split at lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputChunk {
    pub kind: OutputKind,
    pub bytes: Bytes,
}

/// A stream of output; ends at the end of the process (or of the log).
pub type OutputStream = BoxStream<'static, Result<OutputChunk>>;

/// The engine's events as they happen; ends when the engine goes away.
pub type EventStream = BoxStream<'static, Result<models::EventMessage>>;

/// The command of an exec.
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
    /// The caller says that it changes nothing. For plans; not sent to the engine.
    pub read_only: bool,
    /// Its output in a simulated container that has no other answer for it. Not sent to the engine.
    pub simulated: Option<String>,
    /// How long the caller waits for its end. Only plans use it, because their virtual time does
    /// not advance meanwhile. Not sent to the engine.
    pub timeout: Option<Duration>,
}

/// A started exec: its output, and its input if requested. Dropping it does not end the process.
pub struct ExecSession {
    /// The exec's id, for [`Engine::exec_inspect`].
    pub id: String,
    pub output: OutputStream,
    /// Set if `stdin` was requested; closing it closes the process's standard input.
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

/// Whether an exec is running, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecState {
    pub running: bool,
    pub exit_code: Option<i64>,
}

/// The bytes of a line that the engine keeps in one message; it splits longer lines.
pub const LOG_PART: usize = 16 << 10;

/// The part of a container's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogsRequest {
    pub follow: bool,
    /// The last messages, up to this number, of any time: the engine selects them before it applies
    /// `since` and `until`.
    pub tail: Option<u64>,
    /// From this time on, to the nanosecond.
    pub since: Option<DateTime<Utc>>,
    /// Up to this time, to the nanosecond.
    pub until: Option<DateTime<Utc>>,
    /// Each message begins with the engine's RFC 3339 time and a space.
    pub timestamps: bool,
    /// Whether the container has a terminal: then its log is raw, all on stdout.
    pub tty: bool,
}

/// The input of a build. `context` is an uncompressed tar stream.
pub struct BuildRequest {
    pub tags: Vec<String>,
    /// Path of the Dockerfile inside the context.
    pub dockerfile: String,
    pub target: Option<String>,
    pub args: BTreeMap<String, String>,
    /// The secrets that steps with `--mount=type=secret,id=…` may read, by id. Needs an engine with
    /// BuildKit.
    pub secrets: BTreeMap<String, Bytes>,
    pub labels: BTreeMap<String, String>,
    pub no_cache: bool,
    pub pull: bool,
    pub network: Option<String>,
    pub platform: Option<String>,
    /// The digest of the context's content, in hexadecimal SHA-256. The simulated engine's image id
    /// depends on it.
    pub context_digest: String,
    pub context: BoxStream<'static, std::io::Result<Bytes>>,
}

/// Separates the error of a build from the step's last output, which follows on the next lines.
pub const OUTPUT_FOLLOWS: &str = "; its last output:";

/// The next step if a step needs a secret that the build did not get.
fn secret_hint(id: &str) -> String {
    format!(
        "give it to the build with `secrets: [\"{id}\"]`, or leave `required` of the step's mount out"
    )
}

/// A report of a running build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// A step started, in the builder's words: `[2/5] RUN pip install …`.
    Step(String),
    /// Output of a step: whole lines, even if the builder reported them in parts.
    Output(Bytes),
    /// The layer cache has the result of the step.
    Cached(String),
    /// The build succeeded: the image's id (`sha256:…`).
    Image(String),
}

/// A report of a running pull, push or import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferEvent {
    /// The layer, if the report is about one.
    pub layer: Option<String>,
    /// The engine's words: `Downloading`, `Pull complete`.
    pub status: String,
    /// Bytes done and in all, if known.
    pub progress: Option<(u64, u64)>,
}

/// Credentials for a registry: a name with a password, or a token instead.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RegistryAuth {
    pub username: String,
    pub password: String,
    /// From a registry that gave one at login; empty for none.
    pub identity_token: String,
}

impl std::fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryAuth").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How many readings of a container's usage to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatsRequest {
    /// Whether to send a reading about once a second until the stream is dropped. Otherwise the
    /// engine sends one, after about two seconds, because it measures twice.
    pub follow: bool,
}

/// The disk usage of the engine, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUsage {
    pub images: DiskShare,
    /// Files that containers wrote outside of volumes.
    pub containers: DiskShare,
    pub volumes: DiskShare,
    pub build_cache: DiskShare,
}

/// The disk usage of one kind of objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskShare {
    pub count: u64,
    pub bytes: u64,
    /// The part of `bytes` that belongs to unused objects.
    pub reclaimable: u64,
}

/// How to end a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopRequest {
    /// The time before the engine kills it; by default the container's own (10 s).
    pub grace: Option<Duration>,
    pub signal: Option<String>,
}

/// Rows of `top`: titles, then one row per process.
pub type ProcessTable = models::ContainerTopResponse;
