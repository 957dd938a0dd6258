//! The context of all host functions: one [`Context`] per run.

use std::any::Any;
use std::ops::Deref;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use rhai::NativeCallContext;
use tokio_util::sync::CancellationToken;

use super::script_state::ScriptState;
use crate::apply::failures::of_connecting;
pub use crate::apply::{FileVariable, ProjectSettings, RunContext};
use crate::engine::{Engine, EngineError, Guard, token_check};
use crate::model::{Failure, Kind};
use crate::value::{Record, swallowed_errors};

pub use super::watch::{ScriptObserver, WaitObserver};

/// The text in a plan for a `catch`.
pub const CATCHES: &str = "catch continues";

/// Connects to the engine. A run calls it at most once, when its script first needs it. A plan that
/// starts again calls it again.
pub type Connector =
    Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Engine>, EngineError>> + Send + Sync>;

/// The command line of a runbook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// The command, for help and messages: `spc run scripts/up.rhai`.
    pub name: String,
    /// The arguments after it, for `args`.
    pub words: Vec<String>,
    /// `--help` or `-h` was among spc's own options. Among `words` it counts too.
    pub help: bool,
}

impl Command {
    /// Whether only the runbook's help is requested.
    pub fn wants_help(&self) -> bool {
        self.help
            || self
                .words
                .iter()
                .take_while(|word| *word != "--")
                .any(|word| word == "--help" || word == "-h")
    }
}

/// The context of one run and the state of its script. Shared by every native function.
pub struct Context {
    /// The context of the run, which the context of each verb shares.
    pub run: Arc<RunContext>,
    /// Cancelled by Ctrl-C: the root of all cancel tokens.
    pub cancel: CancellationToken,
    pub command: Command,
    /// The number of columns for tables: that of the terminal, if standard output is one.
    pub width: Option<usize>,
    /// The script is ended after this many operations; 0 means no limit.
    pub max_operations: u64,
    /// Data for functions that only some runs have: those of tests.
    extension: Option<Arc<dyn Any + Send + Sync>>,
    /// Observes the script, in a plan.
    pub watch: Option<Arc<dyn ScriptObserver>>,
    /// Receives what the script waits for.
    pub awaiting: Option<Arc<dyn WaitObserver>>,
    /// The state that the script collects.
    pub script: ScriptState,
    connector: Connector,
    engine: tokio::sync::OnceCell<Arc<dyn Engine>>,
}

/// A script can use the whole context of its run.
impl Deref for Context {
    type Target = RunContext;

    fn deref(&self) -> &RunContext {
        &self.run
    }
}

impl Context {
    /// A context that is not connected yet.
    pub fn new(run: RunContext, connector: Connector) -> Self {
        let script = ScriptState::default();
        let run = RunContext { events: script.changes.events(run.events.clone()), ..run };
        Self {
            run: Arc::new(run),
            cancel: CancellationToken::new(),
            command: Command::default(),
            width: None,
            max_operations: 0,
            extension: None,
            watch: None,
            awaiting: None,
            script,
            connector,
            engine: tokio::sync::OnceCell::new(),
        }
    }

    /// The same context with the arguments of the command line.
    #[must_use]
    pub fn with_command(mut self, command: Command) -> Self {
        self.command = command;
        self
    }

    /// The same context with the columns of the terminal.
    #[must_use]
    pub fn with_width(mut self, width: Option<usize>) -> Self {
        self.width = width;
        self
    }

    /// The same context with a limit for the script's operations.
    #[must_use]
    pub fn with_max_operations(mut self, operations: u64) -> Self {
        self.max_operations = operations;
        self
    }

    /// The same context with an `extension`, for functions that only this run has.
    #[must_use]
    pub fn with_extension(mut self, extension: Arc<dyn Any + Send + Sync>) -> Self {
        self.extension = Some(extension);
        self
    }

    /// The value from [`Context::with_extension`], if it is a `T`.
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.extension.clone()?.downcast().ok()
    }

    /// The same context with an observer of the script.
    #[must_use]
    pub fn with_watch(mut self, watch: Arc<dyn ScriptObserver>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// The same context; `awaiting` receives what the script waits for.
    #[must_use]
    pub fn with_awaiting(mut self, awaiting: Arc<dyn WaitObserver>) -> Self {
        self.awaiting = Some(awaiting);
        self
    }

    /// Reports to the plan an error that the last `catch` on this thread swallowed. Call this after
    /// the evaluation.
    pub fn report_swallowed(&self) {
        if let (Some(watch), Some(it)) = (&self.watch, swallowed_errors::at_end()) {
            watch.handles_error(Some((&it.source, it.line)), CATCHES, &it.message);
        }
    }

    /// An answer from outside, in the form for scripts.
    pub(super) fn answered(&self, record: Record) -> Record {
        record.read_by(self.watch.as_ref().map(|watch| watch.clone().reader()))
    }

    /// The value of a variable of the process environment or `.env`.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.script.add_variable(name);
        self.project.environment.get(name).map(String::as_str)
    }

    /// The context of the run in which a native function is called.
    pub fn of(call: &NativeCallContext) -> Result<Arc<Self>, Failure> {
        let context = call.tag().and_then(Self::of_tag);
        context.ok_or_else(|| Failure::new(Kind::Failed, "The function is called outside of a run"))
    }

    /// The context of the run that an engine belongs to.
    pub fn of_engine(engine: &rhai::Engine) -> Option<Arc<Self>> {
        Self::of_tag(engine.default_tag())
    }

    fn of_tag(tag: &rhai::Dynamic) -> Option<Arc<Self>> {
        tag.read_lock::<Arc<Self>>().map(|context| (*context).clone())
    }

    /// Whether an engine is already connected.
    pub fn is_connected(&self) -> bool {
        self.engine.initialized()
    }

    /// The engine; the first call connects it.
    pub async fn engine(&self) -> Result<Arc<dyn Engine>, Failure> {
        if self.command.wants_help() {
            let failure = Failure::usage("The engine is not available with --help");
            return Err(failure.hint("call args(#{ … }) before anything that needs the engine"));
        }
        let token = super::thread_task::token().unwrap_or_else(|| self.cancel.clone());
        let connected = futures::select_biased! {
            () = token.cancelled().fuse() => return Err(Failure::interrupted()),
            connected = Box::pin(self.engine.get_or_try_init(|| self.connect())).fuse() => connected,
        };
        connected.cloned().map_err(of_connecting)
    }

    /// The engine behind the policy guard, which checks every call of scripts.
    async fn connect(&self) -> Result<Arc<dyn Engine>, EngineError> {
        let engine = (self.connector)().await?;
        Ok(self.script.changes.engine(Arc::new(Guard::new(
            token_check::checked(engine),
            self.policy.clone(),
            self.host.clone(),
        ))))
    }
}
