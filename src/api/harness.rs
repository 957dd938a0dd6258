//! A run for tests: virtual time, the simulated host, a list of events, and the primitives.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use parking_lot::Mutex;
use rhai::Dynamic;

use super::context::{Command, Connector, Context, ProjectSettings, RunContext};
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

/// Events in the order in which they arrived.
#[derive(Default)]
struct EventRecorder(Mutex<Vec<Event>>);

impl Sink for EventRecorder {
    fn event(&self, event: &Event) {
        self.0.lock().push(event.clone());
    }
}

/// A project in `/project` on a simulated host, without the `script` module above.
pub(crate) struct Harness {
    pub sim: Arc<SimTaskExecutor>,
    pub host: Arc<SimHost>,
    pub context: Arc<Context>,
    seen: Arc<EventRecorder>,
}

impl Harness {
    /// An empty project.
    pub(crate) fn new() -> Self {
        Self::on(|host| host)
    }

    /// The same with another order of concurrent tasks.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self::unconnected(&SimTaskExecutor::new(seed), |host| host, "", |_| {})
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
        Self::unconnected(&SimTaskExecutor::new(1), given, toml, settle)
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
        Self::new().changed(|context| context.with_width(Some(columns)))
    }

    /// A project whose runbook is called with these arguments.
    pub(crate) fn with_words(words: &[&str]) -> Self {
        Self::new().called_with(words)
    }

    /// The same project, its runbook called with these arguments.
    pub(crate) fn called_with(self, words: &[&str]) -> Self {
        let command = Command {
            name: "spc run test.rhai".into(),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            help: false,
        };
        self.changed(|context| context.with_command(command))
    }

    fn changed(self, change: impl FnOnce(Context) -> Context) -> Self {
        let context = Arc::into_inner(self.context).expect("nothing has the context yet");
        Self { context: Arc::new(change(context)), ..self }
    }

    fn unconnected(
        sim: &Arc<SimTaskExecutor>,
        given: impl FnOnce(SimHost) -> SimHost,
        toml: &str,
        settle: impl FnOnce(&mut RunContext),
    ) -> Self {
        let no_engine = || {
            async { Err(EngineError::new(EngineErrorKind::Unreachable, "no engine in this test")) }
                .boxed()
        };
        Self::connected(sim, given, toml, settle, Box::new(no_engine))
    }

    /// The same with settings of the run.
    pub(crate) fn connected(
        sim: &Arc<SimTaskExecutor>,
        given: impl FnOnce(SimHost) -> SimHost,
        toml: &str,
        settle: impl FnOnce(&mut RunContext),
        connector: Connector,
    ) -> Self {
        let host = Arc::new(given(SimHost::new(sim.clone())));
        // Memory of other tests in this process must not count as a script's.
        host.held.store(1, Ordering::Relaxed);
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
        Self { sim: sim.clone(), host, context: Arc::new(Context::new(run, connector)), seen }
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

    /// What was reported so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.seen.0.lock().clone()
    }

    /// What was printed so far.
    pub(crate) fn printed(&self) -> Vec<String> {
        let printed = |event| if let Event::Print { text } = event { Some(text) } else { None };
        self.events().into_iter().filter_map(printed).collect()
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
        engine.on_progress(|_| task::ending().map(Dynamic::from));
        let seen = self.seen.clone();
        engine.on_print(move |text| seen.event(&Event::Print { text: text.to_owned() }));
        let _entered = task::enter(self.context.cancel.clone());
        let mut ast = engine.compile(script).map_err(|error| failure_of(&error.into()))?;
        ast.set_source("test.rhai");
        engine.eval_ast::<Dynamic>(&ast).map_err(|error| failure_of(&error))
    }
}
