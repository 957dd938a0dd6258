//! One test on its own simulated machine.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use super::functions;
use super::test_context::{TestContext, folder_of};
use crate::api::Context;
use crate::api::context::Command;
use crate::engine::sim::{UnusedBehaviour, matches};
use crate::machine::World;
use crate::machine::process::End;
use crate::machine::world::{Limits, Subject};
use crate::model::diagnostic::{Diagnostic, Source, SourceSpan};
use crate::model::event::Event;
use crate::model::failure::Detail;
use crate::model::masking::{Consumer, Masked};
use crate::model::suggest::did_you_mean;
use crate::model::{Failure, Kind};
use crate::script::functions::Entry;
use crate::script::names::Names;
use crate::script::project_context::{self, ProjectOptions, RunOptions};
use crate::script::{Extensions, Runbook, Script, on_script_thread};

/// The function of a test file that sets up the machine for a crash sweep.
pub const SWEEP: &str = "sweep";

/// The functions of a test's engine.
static NAMES: OnceLock<Names> = OnceLock::new();

/// The prefix of the names of tests.
pub const PREFIX: &str = "test_";

/// The result of a test.
#[derive(Debug)]
pub struct Outcome {
    /// The virtual time that passed.
    pub simulated: Duration,
    pub failure: Option<Box<Diagnostic>>,
}

/// The output of the test itself.
#[derive(Default)]
struct PrintedLines(Mutex<Vec<String>>);

impl Consumer for PrintedLines {
    fn event(&self, event: &Masked<Event>) -> Result<(), String> {
        if let Event::Print { text } | Event::Log { text, .. } = &**event {
            self.0.lock().push(text.clone());
        }
        Ok(())
    }
}

/// A test's world before the test runs.
struct Bench {
    test_context: Arc<TestContext>,
    context: Arc<Context>,
    printed: Arc<PrintedLines>,
}

/// The tests of a file, in the order of its text, or why they can't run.
pub fn tests_of(subject: &Subject, file: &Path) -> Result<Vec<Entry>, Box<Diagnostic>> {
    let Bench { test_context, context, .. } = bench(World::new(subject, 1), file)?;
    let (entries, others) = on_script_thread(&context, || {
        let script = open(&test_context, &context, file)?;
        Ok((script.entries(), script.with_parameters()))
    })?;
    // Nothing could call it: if it were silently ignored, it would look like a test that passes.
    if let Some(Entry { name, line }) = others.iter().find(|entry| entry.name.starts_with(PREFIX)) {
        let shown = crate::host::resolve::shown(&*subject.host, file);
        let failure = Failure::usage(format!(
            "\"{name}\" in line {line} of \"{shown}\" takes parameters, and a test takes none"
        ));
        return Err(project_context::plain(
            failure.hint("if it helps other tests, begin its name otherwise, or write private fn"),
        ));
    }
    let (tests, other_entries): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| entry.name.starts_with(PREFIX));
    // A crash sweep of a runbook needs no test beside it.
    if tests.is_empty() && !other_entries.iter().any(|entry| entry.name == SWEEP) {
        let shown = crate::host::resolve::shown(&*subject.host, file);
        let failure = Failure::usage(format!("There are no tests in \"{shown}\""));
        return Err(project_context::plain(
            failure.hint("a test is a function without parameters whose name begins with test_"),
        ));
    }
    Ok(tests)
}

/// The functions of a file without parameters.
pub fn functions_of(subject: &Subject, file: &Path) -> Result<Vec<Entry>, Box<Diagnostic>> {
    let Bench { test_context, context, .. } = bench(World::new(subject, 1), file)?;
    on_script_thread(&context, || Ok(open(&test_context, &context, file)?.entries()))
}

/// Sets up `world` with a function of a test file. The caller keeps the script as long as its
/// functions answer.
pub fn set_up(
    world: World,
    file: &Path,
    function: &str,
) -> Result<(Arc<TestContext>, Arc<Script>), Box<Diagnostic>> {
    let Bench { test_context, context, .. } = bench(world, file)?;
    let executor = test_context.world.executor.clone();
    let ended = executor.process(|| {
        on_script_thread(&context, || {
            let script = open(&test_context, &context, file)?;
            script.call(function)?;
            Ok(script)
        })
    });
    let ended = ended.unwrap_or_else(|failure| Some(Err(project_context::plain(failure))));
    let trouble = test_context
        .trouble()
        .or_else(|| executor.stop().map(|stop| test_context.stopped(stop, None)));
    match (trouble, ended) {
        (None, Some(Ok(script))) => Ok((test_context, script)),
        (Some(mut diagnostic), _) | (None, Some(Err(mut diagnostic))) => {
            diagnostic.details.extend(test_context.said());
            Err(test_context.world.masked(&diagnostic))
        }
        (None, None) => {
            Err(project_context::plain(Failure::usage(format!("{function}() was killed"))))
        }
    }
}

/// Runs a test.
pub fn run(subject: &Subject, file: &Path, test: &Entry, seed: u64, limits: Limits) -> Outcome {
    let Bench { test_context, context, printed } =
        match bench(World::new(subject, seed).limited(limits), file) {
            Ok(bench) => bench,
            Err(failure) => return Outcome { simulated: Duration::ZERO, failure: Some(failure) },
        };
    let executor = test_context.world.executor.clone();
    let ended = executor.process(|| {
        on_script_thread(&context, || open(&test_context, &context, file)?.call(&test.name))
    });
    let end = match ended.unwrap_or_else(|failure| Some(Err(project_context::plain(failure)))) {
        None => End::Killed,
        Some(Ok(())) => End::Done,
        Some(Err(diagnostic)) => End::Failed(diagnostic),
    };
    let failure = test_context.trouble().or_else(|| test_context.ending(&end)).or(match end {
        End::Failed(diagnostic) => Some(diagnostic),
        // Only a limit kills a test.
        End::Killed => executor.stop().map(|stop| test_context.stopped(stop, None)),
        End::Done | End::Help(_) => None,
    });
    let failure = failure
        .or_else(|| violated(&test_context))
        .or_else(|| unused(&test_context))
        .or_else(|| test_context.slip())
        .map(|mut diagnostic| {
            if diagnostic.place.is_none() {
                diagnostic.place = definition(subject, file, test);
            }
            let likely = unused(&test_context).or_else(|| test_context.slip());
            if let Some(slip) = likely.filter(|slip| {
                // Only a misspelt pattern: others may be for what did not happen any more.
                slip.message != diagnostic.message
                    && slip.hint.as_ref().is_some_and(|hint| hint.starts_with("did you mean"))
            }) {
                let hint = slip.hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
                let text = format!("{}{hint}", slip.message);
                diagnostic.details.push(Detail { title: "the cause may be".to_owned(), text });
            }
            diagnostic.details.extend(test_context.said());
            let text = printed.0.lock().join("\n");
            if !text.is_empty() {
                diagnostic.details.push(Detail { title: "the test printed".to_owned(), text });
            }
            test_context.world.masked(&diagnostic)
        });
    Outcome { simulated: executor.now(), failure }
}

/// The failure of a test in which an invariant was violated.
fn violated(test_context: &TestContext) -> Option<Box<Diagnostic>> {
    let found = test_context.world.engine.violations();
    let first = found.first()?;
    let all: Vec<String> = found.iter().map(ToString::to_string).collect();
    let failure = Failure::new(Kind::Failed, format!("Invariant violated: {}", first.what));
    Some(project_context::plain(failure.detail("when, and at which call", all.join("\n"))))
}

/// The failure of a test with a behaviour for a container that does not exist. Otherwise the test
/// would pass without testing anything.
fn unused(test_context: &TestContext) -> Option<Box<Diagnostic>> {
    let described = test_context.world.waits.described();
    let means = |pattern: &str| described.iter().any(|name| matches(pattern, name));
    let unused = test_context.world.engine.unused_processes();
    // If nothing was described or started, the names are unknown.
    let unused =
        unused.iter().filter(|unused| !(described.is_empty() && unused.started.is_empty()));
    let UnusedBehaviour { pattern, is_late, started } =
        unused.into_iter().find(|unused| unused.is_late || !means(&unused.pattern))?;
    let failure = Failure::new(
        Kind::Failed,
        format!("No container that was started afterwards matches sim::process(\"{pattern}\")"),
    );
    let failure = if *is_late {
        failure.hint("it applies to containers that are started later: call it before the run that starts them")
    } else {
        let known: BTreeSet<&str> = described.iter().chain(started).map(String::as_str).collect();
        match did_you_mean(pattern.trim_matches('*'), known.iter().copied()) {
            Some(hint) => failure.hint(hint),
            None => failure
                .hint(format!("available: {}", known.into_iter().collect::<Vec<_>>().join(", "))),
        }
    };
    Some(project_context::plain(failure))
}

/// The position of a test's definition, for failures without a better position.
fn definition(subject: &Subject, file: &Path, test: &Entry) -> Option<SourceSpan> {
    let text = String::from_utf8(
        subject.host.read(&crate::host::resolve::named(&*subject.host, file)).ok()?.into(),
    )
    .ok()?;
    let column = text.lines().nth(test.line - 1)?.find(&test.name).map_or(1, |at| at + 1);
    let source = Source { name: crate::host::resolve::shown(&*subject.host, file), text };
    Some(SourceSpan { source: Arc::new(source), line: test.line, column, width: test.name.len() })
}

/// The context of a test in a fresh world.
fn bench(world: World, file: &Path) -> Result<Bench, Box<Diagnostic>> {
    let folder = folder_of(file);
    let place = project_context::find(&*world.host, &ProjectOptions::default(), &folder)?;
    let printed = Arc::new(PrintedLines::default());
    let command = Command { name: "spc test".to_owned(), words: Vec::new(), help: false };
    let context = world.context(&place, RunOptions::default(), command, printed.clone());
    let test_context = Arc::new(TestContext::new(world, folder));
    Ok(Bench {
        test_context: test_context.clone(),
        context: Arc::new(context.with_extension(test_context)),
        printed,
    })
}

fn open(
    test_context: &TestContext,
    context: &Arc<Context>,
    file: &Path,
) -> Result<Arc<Script>, Box<Diagnostic>> {
    let beside = Extensions { extend: functions::register, names: &NAMES, ..Extensions::default() };
    let script =
        Arc::new(Script::open_with(context.clone(), &Runbook::File(file.to_path_buf()), beside)?);
    test_context.set_script(&script);
    Ok(script)
}
