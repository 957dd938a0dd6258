//! What every host function works with: one [`Context`] per run.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use rhai::NativeCallContext;
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, EngineError, Guard, token_check};
use crate::host::resolve::resolve;
use crate::host::{Host, TaskExecutor};
use crate::model::diagnostic::Source;
use crate::model::event::{Event, Level, Sink};
use crate::model::help::Help;
use crate::model::plan::WaitCondition;
use crate::model::secret::Secrets;
use crate::model::spec::Project;
use crate::model::{Failure, Kind};
use crate::policy::Policy;
use crate::value::record::Reader;
use crate::value::{Record, swallowed_errors};

use super::declared_secrets::DeclaredSecrets;
use crate::apply::failures::of_connecting;
use crate::apply::lock::Lock;
use crate::apply::saved_options::{self, SavedOption, SavedOptions};

/// What a `catch` does, as a plan says it.
pub const CATCHES: &str = "catch goes on with an error";

/// Connects to the engine; a run calls it at most once, when its script first needs it. A plan that
/// is begun anew calls it again.
pub type Connector =
    Box<dyn Fn() -> BoxFuture<'static, Result<Arc<dyn Engine>, EngineError>> + Send + Sync>;

/// Follows a script as it runs, for a plan: where it is, and which answers it looks at that nobody
/// can know yet.
pub trait ScriptObserver: Send + Sync {
    /// The task on this thread is at this place.
    fn at(&self, source: &str, line: usize);
    /// Who is to be told what the script reads of an answer that the task on this thread got just
    /// now.
    fn reader(self: Arc<Self>) -> Reader;
    /// The script is about to wait until this container's process has ended.
    fn awaits_end(&self, container: &str);
    /// The script is about to wait until this container is ready.
    fn awaits_readiness(&self, container: &str);
    /// The answer that the task on this thread got just now is this; false if it is the real one.
    fn answers(&self, assumed: &str) -> bool;
    /// The name of a container whose files and log nobody can know yet.
    fn unknown(&self, container: &str) -> Option<String>;
    /// The script goes on with something that nobody can know: what, and what is assumed of it.
    fn assumes(&self, what: &str, assumed: &str);
    /// A call fails with this message, whatever nobody can know yet: a command that really ran, a
    /// name that does not exist.
    fn fails(&self, message: &str);
    /// The script goes a way back: in which line of a source, what it does, because of which error.
    fn goes_back(&self, at: Option<(&str, usize)>, what: &str, because: &str);
    /// The script waited for a condition that does not come true here, and goes on as if it had.
    fn awaits_condition(&self);
    /// From now on the task on this thread repeats itself, or no longer; whether it did before.
    fn repeats(&self, repeats: bool) -> bool;
}

/// Receives what a script waits for. Tests use it to name the wait in a failure.
pub trait WaitObserver: Send + Sync {
    /// A script describes a stack.
    fn describes(&self, project: &Project);
    /// It begins to wait until the containers of a service are so far; the answer is for
    /// [`WaitObserver::ends`].
    fn begins(&self, service: &str, containers: &[String], until: WaitCondition) -> String;
    /// It waits no more.
    fn ends(&self, what: &str);
}

/// The project a run belongs to, as `cli` found it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectSettings {
    /// Root for relative paths in descriptions, for `.env`, `secrets/` and `fs::`. Absolute,
    /// canonical.
    pub directory: PathBuf,
    /// `--project`, `COMPOSE_PROJECT_NAME`: overrides the name in `stack("name", …)`.
    pub name: Option<String>,
    /// Process environment over `.env` files: what `env()` and interpolation read.
    pub environment: BTreeMap<String, String>,
    /// The variables of `.env` files alone.
    pub files: BTreeMap<String, FileVariable>,
    /// Whether questions are answered with yes (`--yes`).
    pub assume_yes: bool,
    /// Root that imports may not leave: the folder of `spc.toml`. Absolute, canonical; the
    /// runbook's own folder if not given.
    pub scripts: Option<PathBuf>,
    /// Default of `up`'s option: `--remove-orphans`.
    pub remove_orphans: bool,
    /// Default of `up`'s option: `--adopt`.
    pub adopt: bool,
    /// Default of `up`'s option: `--renew-anon-volumes`.
    pub renew_anonymous_volumes: bool,
}

/// A variable of a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVariable {
    pub value: String,
    /// `.env:12`.
    pub place: String,
}

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

/// One run's surroundings. Shared by every native function; cheap to clone.
pub struct Context {
    pub host: Arc<dyn Host>,
    pub executor: TaskExecutor,
    pub events: Arc<dyn Sink>,
    pub secrets: Arc<Secrets>,
    /// Cancelled by Ctrl-C: the root of the tree of tokens.
    pub cancel: CancellationToken,
    pub project: ProjectSettings,
    pub command: Command,
    /// What the runbook may do.
    pub policy: Policy,
    /// The secrets that descriptions declared so far.
    pub declared_secrets: DeclaredSecrets,
    /// Columns that tables are fitted to: the terminal's, if standard output is one.
    pub width: Option<usize>,
    /// The run's id, for labels and records.
    pub run: String,
    /// Operations of the script after which it is ended; 0 for no end.
    pub max_operations: u64,
    /// What functions work with that only some runs have: those of tests.
    extension: Option<Arc<dyn Any + Send + Sync>>,
    /// Who follows the script, where it is planned.
    pub watch: Option<Arc<dyn ScriptObserver>>,
    /// Receives what the script waits for.
    pub awaiting: Option<Arc<dyn WaitObserver>>,
    /// Set by `args` when help is asked for.
    help: OnceLock<Help>,
    /// The variables that something asked for in this run, with the default that counted where one
    /// is not set.
    read: Mutex<BTreeMap<String, Option<String>>>,
    /// What `up` keeps of this run's options.
    choices: Mutex<SavedOptions>,
    /// Those of these options that the command line or the environment gave.
    by_hand: Mutex<BTreeSet<String>>,
    /// For each `guarded` that runs, the innermost last: its project, and whether that was brought
    /// up in it. Then the choices are kept if it ends well.
    undecided: Mutex<Vec<(String, bool)>>,
    /// Projects of which only some services were brought up: what was chosen for them is kept if
    /// the run ends well.
    partly_up: Mutex<BTreeSet<String>>,
    /// See [`Self::note_saved_options`].
    noted_options: Mutex<Option<SavedOptions>>,
    /// The names that descriptions of this run have without `--project`.
    own_names: Mutex<BTreeSet<String>>,
    /// What was described, the last of each name; the last one at the end.
    described: Mutex<Vec<Arc<Project>>>,
    /// Networks and volumes that descriptions of this run use and don't make.
    externals: Mutex<BTreeSet<String>>,
    /// Files that failures are about, by the names they have there.
    texts: Mutex<BTreeMap<String, Arc<Source>>>,
    /// Locks held by `guarded`, by project.
    locks: Mutex<BTreeMap<String, Arc<Lock>>>,
    connector: Connector,
    engine: tokio::sync::OnceCell<Arc<dyn Engine>>,
}

impl Context {
    /// A context; nothing is connected yet.
    /// It may do what a project without `spc.toml` may; see [`Context::with_policy`].
    pub fn new(
        host: Arc<dyn Host>,
        executor: TaskExecutor,
        events: Arc<dyn Sink>,
        project: ProjectSettings,
        connector: Connector,
    ) -> Self {
        let policy = Policy::of_folder(&project.directory, &|path| resolve(&*host, path));
        Self {
            host,
            executor,
            events,
            secrets: Arc::new(Secrets::new()),
            cancel: CancellationToken::new(),
            project,
            command: Command::default(),
            policy,
            declared_secrets: DeclaredSecrets::default(),
            width: None,
            run: String::new(),
            max_operations: 0,
            extension: None,
            watch: None,
            awaiting: None,
            help: OnceLock::new(),
            read: Mutex::default(),
            choices: Mutex::default(),
            by_hand: Mutex::default(),
            own_names: Mutex::default(),
            partly_up: Mutex::default(),
            noted_options: Mutex::default(),
            undecided: Mutex::default(),
            described: Mutex::default(),
            externals: Mutex::default(),
            texts: Mutex::new(BTreeMap::new()),
            locks: Mutex::new(BTreeMap::new()),
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

    /// The same context with what `spc.toml` allows.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The same context with secrets that others mask already: those of the terminal and the event
    /// sink.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Arc<Secrets>) -> Self {
        self.secrets = secrets;
        self
    }

    /// The same context with the columns of the terminal.
    #[must_use]
    pub fn with_width(mut self, width: Option<usize>) -> Self {
        self.width = width;
        self
    }

    /// The same context with the run's id.
    #[must_use]
    pub fn with_run(mut self, run: String) -> Self {
        self.run = run;
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

    /// The project that was described last in this run.
    pub fn described_project(&self) -> Option<String> {
        self.described.lock().last().map(|project| project.name.clone())
    }

    pub(super) fn add_described(&self, project: &Arc<Project>) {
        let mut described = self.described.lock();
        described.retain(|other| other.name != project.name);
        described.push(project.clone());
    }

    /// The stack of this run that builds an image, and its service that does: of several the one
    /// that was described last.
    pub(super) fn builder_of(&self, image: &str) -> Option<(Arc<Project>, String)> {
        let described = self.described.lock();
        described.iter().rev().find_map(|project| {
            let service = project.builder_of(image, &std::collections::BTreeSet::new())?;
            Some((project.clone(), service.name.clone()))
        })
    }

    /// Remembers networks and volumes that a description uses and doesn't make.
    pub(super) fn add_externals(&self, names: impl Iterator<Item = String>) {
        self.externals.lock().extend(names);
    }

    /// Whether a description of this run uses the network or volume of that name without making it.
    pub(super) fn uses_external(&self, name: &str) -> bool {
        self.externals.lock().contains(name)
    }

    /// The value of a variable of the process environment or `.env`.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.read.lock().entry(name.to_owned()).or_default();
        self.project.environment.get(name).map(String::as_str)
    }

    /// The names of the variables that were asked for in this run.
    pub(super) fn variables_read(&self) -> BTreeSet<String> {
        self.read.lock().keys().cloned().collect()
    }

    /// Remembers the default that counts for a variable that is not set.
    pub(super) fn defaulted(&self, name: &str, default: String) {
        self.read.lock().insert(name.to_owned(), Some(default));
    }

    /// The variables that were asked for in this run and gave this text.
    pub(super) fn variables_that_gave(&self, text: &str) -> Vec<String> {
        let read = self.read.lock();
        let gave = |name: &str, default: &Option<String>| {
            let set = self
                .project
                .environment
                .get(name)
                .map(String::as_str)
                .filter(|value| !value.is_empty());
            set.or(default.as_deref()).is_some_and(|value| value.trim() == text)
        };
        read.iter()
            .filter(|(name, default)| gave(name, default))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// What the project was last brought up with.
    pub(super) fn saved_options(&self) -> Result<SavedOptions, Failure> {
        saved_options::read(&*self.host, &self.policy, self.project.name.as_deref())
    }

    /// What the project was last brought up with when this run read its options, or when it kept
    /// its own.
    pub(super) fn note_saved_options(&self, choices: &SavedOptions) {
        *self.noted_options.lock() = Some(choices.clone());
    }

    /// Nothing where the run has no options.
    pub(super) fn noted_options(&self) -> Option<SavedOptions> {
        self.noted_options.lock().clone()
    }

    /// An option's value in this run, which the next `up` keeps.
    pub(super) fn choose(&self, option: &str, choice: SavedOption) {
        self.choices.lock().insert(option.to_owned(), choice);
    }

    /// A description is called so where `--project` says nothing.
    pub(super) fn add_own_name(&self, name: &str) {
        self.own_names.lock().insert(name.to_owned());
    }

    /// The option was given on the command line or by the environment.
    pub(super) fn choose_by_hand(&self, option: &str) {
        self.by_hand.lock().insert(option.to_owned());
    }

    /// The options whose value nobody gave in this run.
    pub(super) fn unchosen(&self) -> SavedOptions {
        let by_hand = self.by_hand.lock();
        let choices = self.choices.lock();
        choices
            .iter()
            .filter(|(option, _)| !by_hand.contains(*option))
            .map(|(option, choice)| (option.clone(), choice.clone()))
            .collect()
    }

    /// Keeps what was chosen in this run for `project`, now or when the `guarded` around it ends
    /// well. That it can't be kept is said and is no failure.
    pub(super) fn keep_choices(&self, project: &str) {
        let mut undecided = self.undecided.lock();
        if let Some((_, is_up)) = undecided.iter_mut().rfind(|(guarded, _)| guarded == project) {
            *is_up = true;
            return;
        }
        drop(undecided);
        let chosen = self.choices.lock().clone();
        // A description of that name means the same project without `--project`.
        let is_own = self.own_names.lock().contains(project);
        let given = self.project.name.as_deref().filter(|_| !is_own);
        if let Err(error) = saved_options::keep(&*self.host, &self.policy, given, project, &chosen)
        {
            let text = format!("The options of this run are not kept for the next: {error}");
            self.events.event(&Event::Log { level: Level::Warning, text });
        }
        if let Ok(choices) = self.saved_options() {
            self.note_saved_options(&choices);
        }
    }

    /// The same after some of the project's services were brought up: the others may fail later in
    /// this run, so its end decides.
    pub(super) fn keep_choices_at_the_end(&self, project: &str) {
        self.partly_up.lock().insert(project.to_owned());
    }

    /// The script has ended without an error.
    pub fn ended_well(&self) {
        for project in std::mem::take(&mut *self.partly_up.lock()) {
            self.keep_choices(&project);
        }
    }

    /// Until [`Self::decide_choices`] nothing is kept for `project`: what is brought up may be
    /// undone.
    pub(super) fn defer_choices(&self, project: &str) {
        self.undecided.lock().push((project.to_owned(), false));
    }

    /// What was brought up since stays, or was undone: then what the project was brought up with
    /// before counts on.
    pub(super) fn decide_choices(&self, project: &str, stays: bool) {
        let mut undecided = self.undecided.lock();
        let innermost = undecided.iter().rposition(|(guarded, _)| guarded == project);
        let is_up = innermost.is_some_and(|at| undecided.remove(at).1);
        drop(undecided);
        if is_up && stays {
            self.keep_choices(project);
        }
    }

    /// Keeps a file's text, so that a failure that is about it can be shown with its line.
    pub(super) fn keep_text(&self, source: Arc<Source>) {
        self.texts.lock().insert(source.name.clone(), source);
    }

    /// The text of a file that was read in this run; without it, the name alone.
    pub fn text(&self, name: &str) -> Arc<Source> {
        let known = self.texts.lock().get(name).cloned();
        known.unwrap_or_else(|| Arc::new(Source { name: name.to_owned(), text: String::new() }))
    }

    /// The lock of `project`, if `guarded` holds it.
    pub(super) fn held_lock(&self, project: &str) -> Option<Arc<Lock>> {
        self.locks.lock().get(project).cloned()
    }

    /// Keeps a lock until [`Context::take_lock`].
    pub(super) fn hold_lock(&self, project: &str, lock: Arc<Lock>) {
        self.locks.lock().insert(project.to_owned(), lock);
    }

    pub(super) fn take_lock(&self, project: &str) -> Option<Arc<Lock>> {
        self.locks.lock().remove(project)
    }

    /// The options that `args` declared, once it was asked for help.
    pub fn help(&self) -> Option<&Help> {
        self.help.get()
    }

    /// Keeps what the runbook declared; the first declaration counts.
    pub(super) fn set_help(&self, help: Help) {
        let _ = self.help.set(help);
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
