//! A run for tests of functions with effects: the simulated host, a list of events, the primitives.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use parking_lot::Mutex;
use rhai::Dynamic;

use super::context::{Connector, Context, ProjectSettings, RunContext};
use super::task;
use crate::engine::{Engine, EngineError, EngineErrorKind};
use crate::host::resolve::resolve;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::host::{Host, TaskExecutor};
use crate::model::Failure;
use crate::model::event::{Event, Sink};
use crate::policy::{CheckedPath, Policy, Settings};
use crate::value::error::failure_of;
use crate::value::text::plain;

#[derive(Default)]
struct EventRecorder(Mutex<Vec<Event>>);

impl Sink for EventRecorder {
    fn event(&self, event: &Event) {
        self.0.lock().push(event.clone());
    }
}

/// A project in `/project` on a simulated host.
pub(crate) struct Harness {
    pub host: Arc<SimHost>,
    pub context: Arc<Context>,
    seen: Arc<EventRecorder>,
}

impl Harness {
    /// An empty project.
    pub(crate) fn new() -> Self {
        Self::on(|host| host)
    }

    /// A project on a host that `given` sets up.
    pub(crate) fn on(given: impl FnOnce(SimHost) -> SimHost) -> Self {
        Self::with(given, "", |_| {})
    }

    /// The same with an `spc.toml`, and with settings of the run that `settle` changes.
    pub(crate) fn with(
        given: impl FnOnce(SimHost) -> SimHost,
        toml: &str,
        settle: impl FnOnce(&mut RunContext),
    ) -> Self {
        let no_engine = || {
            async { Err(EngineError::new(EngineErrorKind::Unreachable, "no engine in this test")) }
                .boxed()
        };
        Self::connected(&SimTaskExecutor::new(1), given, toml, settle, Box::new(no_engine))
    }

    /// A project whose scripts use `engine`, in the virtual time of `sim`.
    pub(crate) fn on_engine(
        sim: &Arc<SimTaskExecutor>,
        engine: Arc<dyn Engine>,
        given: impl FnOnce(SimHost) -> SimHost,
        toml: &str,
    ) -> Self {
        let connector = move || std::future::ready(Ok(engine.clone())).boxed();
        Self::connected(sim, given, toml, |_| {}, Box::new(connector))
    }

    fn connected(
        sim: &Arc<SimTaskExecutor>,
        given: impl FnOnce(SimHost) -> SimHost,
        toml: &str,
        settle: impl FnOnce(&mut RunContext),
        connector: Connector,
    ) -> Self {
        let host = Arc::new(given(SimHost::new(sim.clone())));
        let seen = Arc::new(EventRecorder::default());
        let project =
            ProjectSettings { directory: "/project".into(), ..ProjectSettings::default() };
        let policy = Policy::new(
            Path::new("/project"),
            Settings::parse(toml.as_bytes()).unwrap(),
            &|path| resolve(host.as_ref(), path),
        )
        .unwrap();
        let executor = TaskExecutor::Sim(sim.clone());
        let mut run =
            RunContext { policy, ..RunContext::new(host.clone(), executor, seen.clone(), project) };
        settle(&mut run);
        Self { host, context: Arc::new(Context::new(run, connector)), seen }
    }

    /// A project with these variables.
    pub(crate) fn with_variables(variables: &[(&str, &str)]) -> Self {
        let variables: BTreeMap<_, _> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self::with(|host| host, "", |run| run.project.environment = variables)
    }

    /// A project with this many columns for tables.
    pub(crate) fn with_width(columns: usize) -> Self {
        let Self { host, context, seen } = Self::new();
        let context = Arc::into_inner(context).unwrap().with_width(Some(columns));
        Self { host, context: Arc::new(context), seen }
    }

    /// The printed value of a script.
    pub(crate) fn text(&self, script: &str) -> String {
        match self.run(script) {
            Ok(value) => plain(&value),
            Err(failure) => panic!("{script}\n{failure} {:?}", failure.hint),
        }
    }

    /// The printed value of a script, or its failure.
    pub(crate) fn try_text(&self, script: &str) -> Result<String, Failure> {
        self.run(script).map(|value| plain(&value))
    }

    /// The failure of a script.
    pub(crate) fn fails(&self, script: &str) -> Failure {
        match self.run(script) {
            Ok(value) => panic!("{script}\n{value:?}"),
            Err(failure) => failure,
        }
    }

    /// What was reported so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.seen.0.lock().clone()
    }

    /// A file's content.
    pub(crate) fn file(&self, path: &str) -> String {
        String::from_utf8(self.host.read(&CheckedPath::trusted(path)).unwrap().into()).unwrap()
    }

    /// A file's permission bits; `None` if it does not exist.
    pub(crate) fn mode(&self, path: &str) -> Option<u32> {
        self.host.info(&CheckedPath::trusted(path)).ok().map(|info| info.mode & 0o777)
    }

    fn run(&self, script: &str) -> Result<Dynamic, Failure> {
        let mut engine = rhai::Engine::new();
        super::register(&mut engine, &self.context);
        let _entered = task::enter(self.context.cancel.clone());
        let ast = engine.compile(script).map_err(|error| failure_of(&error.into()))?;
        engine.eval_ast::<Dynamic>(&ast).map_err(|error| failure_of(&error))
    }
}
