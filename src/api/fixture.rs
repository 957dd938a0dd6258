//! A run for tests: virtual time, the simulated host, and a plain engine with the primitives
//! registered.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::FutureExt;
use parking_lot::Mutex;
use rhai::Dynamic;

use super::context::{Command, Context, ProjectSettings, RunContext};
use super::task;
use crate::engine::{EngineError, EngineErrorKind};
use crate::host::TaskExecutor;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::model::Failure;
use crate::model::event::{Event, Sink};
use crate::value::error::failure_of;
use crate::value::text::plain;

/// Events in the order in which they arrived.
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
    pub host: Arc<SimHost>,
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
        let host = SimHost::bare(sim.clone()).with_folder("/work").with_current_folder("/work");
        // Memory of other tests in this process must not count as a script's.
        host.held.store(1, Ordering::Relaxed);
        let host = Arc::new(host);
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

    /// The printed value of a script.
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
