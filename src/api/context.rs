//! What every host function works with: one [`Context`] per run.

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

/// What a `catch` does, as a plan says it.
pub const CATCHES: &str = "catch goes on with an error";

/// Connects to the engine; a run calls it at most once, when its script first needs it. A plan that
/// is begun anew calls it again.
pub type Connector =
    Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Engine>, EngineError>> + Send + Sync>;

/// What was said to a runbook on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// How the runbook is called, for help and messages: `spc run scripts/up.rhai`.
    pub name: String,
    /// The words after it, for `args`.
    pub words: Vec<String>,
    /// `--help` or `-h` was among spc's own options for it; among `words` it counts too.
    pub help: bool,
}

impl Command {
    /// Whether the runbook's help is asked for, and nothing else.
    pub fn wants_help(&self) -> bool {
        self.help
            || self
                .words
                .iter()
                .take_while(|word| *word != "--")
                .any(|word| word == "--help" || word == "-h")
    }
}

/// What one run was given, and what its script accumulates. Shared by every native function.
pub struct Context {
    /// What the run was given; the context of each verb shares it.
    pub run: Arc<RunContext>,
    /// Cancelled by Ctrl-C: the root of the tree of tokens.
    pub cancel: CancellationToken,
    pub command: Command,
    /// Columns that tables are fitted to: the terminal's, if standard output is one.
    pub width: Option<usize>,
    /// Operations of the script after which it is ended; 0 for no end.
    pub max_operations: u64,
    /// What functions work with that only some runs have: those of tests.
    extension: Option<Arc<dyn Any + Send + Sync>>,
    /// Who follows the script, where it is planned.
    pub watch: Option<Arc<dyn ScriptObserver>>,
    /// Receives what the script waits for.
    pub awaiting: Option<Arc<dyn WaitObserver>>,
    /// What the script accumulates.
    pub script: ScriptState,
    connector: Connector,
    engine: tokio::sync::OnceCell<Arc<dyn Engine>>,
}

/// A script works with all that its run was given.
impl Deref for Context {
    type Target = RunContext;

    fn deref(&self) -> &RunContext {
        &self.run
    }
}

impl Context {
    /// A context; nothing is connected yet.
    pub fn new(run: RunContext, connector: Connector) -> Self {
        Self {
            run: Arc::new(run),
            cancel: CancellationToken::new(),
            command: Command::default(),
            width: None,
            max_operations: 0,
            extension: None,
            watch: None,
            awaiting: None,
            script: ScriptState::default(),
            connector,
            engine: tokio::sync::OnceCell::new(),
        }
    }

    /// The same context with the words of the command line.
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

    /// The same context with an end to its script's operations.
    #[must_use]
    pub fn with_max_operations(mut self, operations: u64) -> Self {
        self.max_operations = operations;
        self
    }

    /// The same context, with which functions find `extension` that only this run has.
    #[must_use]
    pub fn with_extension(mut self, extension: Arc<dyn Any + Send + Sync>) -> Self {
        self.extension = Some(extension);
        self
    }

    /// What [`Context::with_extension`] was given, if it is a `T`.
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.extension.clone()?.downcast().ok()
    }

    /// The same context, its script followed.
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

    /// Tells the plan of an error that the last `catch` on this thread swallowed: nothing is
    /// evaluated any more.
    pub fn report_swallowed(&self) {
        if let (Some(watch), Some(it)) = (&self.watch, swallowed_errors::at_end()) {
            watch.goes_back(Some((&it.source, it.line)), CATCHES, &it.message);
        }
    }

    /// An answer from outside, as a script gets it.
    pub(super) fn answered(&self, record: Record) -> Record {
        record.read_by(self.watch.as_ref().map(|watch| watch.clone().reader()))
    }

    /// The value of a variable of the process environment or `.env`.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.script.add_variable(name);
        self.project.environment.get(name).map(String::as_str)
    }

    /// The context of the run that a native function is called in.
    pub fn of(call: &NativeCallContext) -> Result<Arc<Self>, Failure> {
        let context = call.tag().and_then(Self::of_tag);
        context.ok_or_else(|| Failure::new(Kind::Failed, "The function is called outside of a run"))
    }

    /// The context of the run that an engine is made for.
    pub fn of_engine(engine: &rhai::Engine) -> Option<Arc<Self>> {
        Self::of_tag(engine.default_tag())
    }

    fn of_tag(tag: &rhai::Dynamic) -> Option<Arc<Self>> {
        tag.read_lock::<Arc<Self>>().map(|context| (*context).clone())
    }

    /// Whether an engine is connected already.
    pub fn is_connected(&self) -> bool {
        self.engine.initialized()
    }

    /// The engine, connected at the first call.
    pub async fn engine(&self) -> Result<Arc<dyn Engine>, Failure> {
        if self.command.wants_help() {
            let failure = Failure::usage("The engine is not asked under --help");
            return Err(failure.hint("call args(#{ … }) before anything that needs the engine"));
        }
        let token = super::thread_task::token().unwrap_or_else(|| self.cancel.clone());
        let connected = futures::select_biased! {
            () = token.cancelled().fuse() => return Err(Failure::interrupted()),
            connected = Box::pin(self.engine.get_or_try_init(|| self.connect())).fuse() => connected,
        };
        connected.cloned().map_err(of_connecting)
    }

    /// The engine behind the policy: no script's call gets past it.
    async fn connect(&self) -> Result<Arc<dyn Engine>, EngineError> {
        let engine = (self.connector)().await?;
        Ok(Arc::new(Guard::new(
            token_check::checked(engine),
            self.policy.clone(),
            self.host.clone(),
        )))
    }
}
