//! `spc test`: runbooks, on simulated machines.

use std::path::PathBuf;

use clap::Args;
use parking_lot::Mutex;
use serde_json::json;

use super::CommonOptions;
use super::help_sections::examples;
use super::session::Session;
use super::{signals, sweep};
use crate::host::resolve::named_itself;
use crate::host::{FileSink, Host, HostErrorKind, TaskExecutor};
use crate::machine::world::{Limits, Subject};
use crate::model::diagnostic::Diagnostic;
use crate::model::time::parse_duration;
use crate::model::verdict::{Summary, TestReport};
use crate::model::{Failure, Kind};
use crate::script::project_context::{self, plain};
use crate::testing::discover::discover;
use crate::testing::junit;
use crate::testing::suite::{self, SuiteOptions};
use crate::ui::diagnostics;
use crate::ui::verdicts::{self, Verdicts};

/// Test runbooks on a simulated machine.
#[derive(Args)]
#[command(
    override_usage = "spc test [OPTIONS] [PATH]...\n       spc test [OPTIONS] --crash-sweep <RUNBOOK> [-- <ARGS>...]",
    after_help = after_help(),
)]
pub struct Test {
    /// Test files, or folders with them [default: the folder of spc.toml]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Run only tests whose name (file::function) contains this text; repeatable
    #[arg(short = 'k', long = "filter", value_name = "TEXT")]
    filters: Vec<String>,
    /// List the tests without running them
    #[arg(long)]
    list: bool,
    /// Stop after the first failed test
    #[arg(long)]
    fail_fast: bool,
    /// Seed for the order of simultaneous events and for durations
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Run each test with this many seeds, starting at --seed
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Run this many tests at the same time [default: number of processors]
    #[arg(short, long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Also write the results to this file as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Fail a test after this virtual time
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
    max_time: std::time::Duration,
    /// Fail a script after this many operations
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().operations, value_parser = clap::value_parser!(u64).range(1..))]
    max_operations: u64,
    /// Fail a test after this many engine calls
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().calls, value_parser = clap::value_parser!(u64).range(1..))]
    max_calls: u64,
    #[command(flatten)]
    sweep: sweep::Sweep,
}

fn after_help() -> String {
    let examples = examples(&[
        ("spc test", "Run all tests of the project"),
        ("spc test scripts -k backup", "Run the tests in scripts/ whose name contains \"backup\""),
        ("spc test --seeds 50 --fail-fast", "Run each test with 50 orders of events"),
        ("spc test --crash-sweep scripts/up.rhai", "Kill a runbook at each engine call in turn"),
    ]);
    format!(
        "A test is a function test_… in a file …_test.rhai. Each test has a simulated machine and\n\
         virtual time. It sees the files of the project that git does not ignore, without .env,\n\
         secrets/ and .spc/.\n\n{examples}"
    )
}

/// Options of every verb that have no meaning here, whatever is tested.
pub const REFUSED: [&str; 3] = ["host", "context", "project"];

/// Runs the tests. Returns the exit code.
pub fn main(common: &CommonOptions, test: &Test) -> u8 {
    let session = Session::new(common);
    session.end(Session::attempt(|| {
        // A sweep ends in order: what it found so far is shown.
        if test.sweep.runbook.is_none() {
            signals::leave_with_an_end(&session)?;
        }
        execute(&session, common, test)
    }))
}

fn execute(session: &Session, common: &CommonOptions, test: &Test) -> Result<(), Box<Diagnostic>> {
    refuse_engines(common, test.sweep.runbook.is_some())?;
    let current =
        project_context::current_folder(&*session.host, &common.wanted()).map_err(plain)?;
    let (root, policy) = project_context::project_of(&*session.host, &current)?;
    let root = root.unwrap_or_else(|| current.clone());
    let named = test
        .paths
        .iter()
        .chain(&test.sweep.runbook)
        .filter_map(|path| session.host.canonicalize(&current.join(path)).ok());
    let subject = Subject::new(
        session.host.clone(),
        root.clone(),
        policy.project_directory().to_path_buf(),
        named,
    );
    if let Some(runbook) = &test.sweep.runbook {
        let rest = sweep::SweepOptions { words: &test.paths, seed: test.seed, jobs: jobs(test) };
        return sweep::execute(session, common, &test.sweep, runbook, subject, &rest);
    }
    let paths = if test.paths.is_empty() {
        vec![root]
    } else {
        test.paths.iter().map(|path| current.join(path)).collect()
    };
    let files = discover(&*session.host, &subject.git, &paths).map_err(plain)?;
    if let Some(outside) = files.iter().find(|file| !file.starts_with(&subject.root)) {
        let failure =
            Failure::usage(format!("\"{}\" is outside of the project", outside.display()));
        return Err(plain(failure.hint("use -C with the folder of its project")));
    }
    let runtime = Session::runtime().map_err(plain)?;
    let executor = TaskExecutor::Real(runtime.handle().clone());
    let manner = manner(test);
    let files = suite::collect(&executor, &subject, &files, &manner).map_err(plain)?;
    if test.list {
        return list(session, common, &files);
    }
    let report = test
        .junit
        .as_ref()
        .map(|path| Report::begin(&*session.host, current.join(path)))
        .transpose()
        .map_err(plain)?;
    let reports = Mutex::new(Vec::new());
    let shown = Verdicts { terminal: &session.terminal, quiet: common.quiet };
    let lines = common.json.then(|| session.json_lines());
    let summary = suite::run(&executor, &*session.host, &subject, &files, &manner, &|one| {
        let one = with_repeat(one, test);
        match &lines {
            Some(lines) => verdicts::report_json(lines, &one),
            None => shown.tell(&one),
        }
        reports.lock().push(one);
    });
    if let Some(report) = report {
        let reports = reports.into_inner();
        let text =
            junit::report(&reports, &summary, &|it| diagnostics::text(it, None)).map_err(plain)?;
        executor.block_on(report.write(text)).map_err(plain)?;
    }
    if let Some(lines) = &lines {
        lines.summary(&summary);
    }
    if summary.failed == 0 && summary.broken == 0 {
        if lines.is_none() {
            shown.sum(&summary);
        }
        return Ok(());
    }
    Err(plain(failure(&summary)))
}

fn failure(summary: &Summary) -> Failure {
    let kind = if summary.broken > 0 { Kind::Usage } else { Kind::Failed };
    Failure::new(kind, verdicts::sentence(summary))
}

/// A test has its own machine, so an option for another engine would have no effect.
fn refuse_engines(common: &CommonOptions, sweeps: bool) -> Result<(), Box<Diagnostic>> {
    let given = [
        ("--host", common.host.is_some()),
        ("--context", common.context.is_some()),
        ("--env-file", !sweeps && !common.env_file.is_empty()),
        ("--project", common.project.is_some()),
        ("--yes", !sweeps && common.yes),
    ];
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((name, _)) => {
            let failure = Failure::usage(format!(
                "{name} can\'t be used with tests: each has its own simulated machine"
            ));
            Err(plain(failure.hint("set up the machine in the test, with sim::")))
        }
    }
}

fn jobs(test: &Test) -> usize {
    test.jobs
        .map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

fn manner(test: &Test) -> SuiteOptions {
    SuiteOptions {
        seed: test.seed,
        seeds: test.seeds,
        filters: test.filters.clone(),
        fail_fast: test.fail_fast,
        jobs: jobs(test),
        limits: Limits {
            time: test.max_time,
            operations: test.max_operations,
            calls: test.max_calls,
        },
    }
}

fn list(
    session: &Session,
    common: &CommonOptions,
    files: &[suite::File],
) -> Result<(), Box<Diagnostic>> {
    let mut broken = None;
    for file in files {
        match &file.tests {
            Ok(tests) if common.json => {
                for test in tests {
                    let fields =
                        json!({ "file": file.shown, "name": test.name, "line": test.line });
                    session.json_lines().result("test_listed", fields, None);
                }
            }
            Ok(_) => suite::full_names(file).iter().for_each(|name| session.terminal.out(name)),
            Err(diagnostic) => {
                broken.get_or_insert(diagnostic.clone());
            }
        }
    }
    broken.map_or(Ok(()), Err)
}

/// The same; a failure that depends on a seed shows how to repeat it.
fn with_repeat(reports: &TestReport, test: &Test) -> TestReport {
    let mut reports = reports.clone();
    if let TestReport::Verdict(verdict) = &mut reports
        && (test.seeds > 1 || test.seed != 1)
    {
        let again =
            format!("spc test {} -k ::{} --seed {}", verdict.file, verdict.name, verdict.seed);
        let text = format!("with seed {}; repeat with: {again}", verdict.seed);
        if let Some(failure) = &mut verdict.failure {
            failure
                .details
                .push(crate::model::failure::Detail { title: "it failed".to_owned(), text });
        }
    }
    reports
}

/// A file that is written after the tests, and checked to be writable before.
struct Report {
    path: PathBuf,
    sink: Box<dyn FileSink>,
}

impl Report {
    fn begin(host: &dyn Host, path: PathBuf) -> Result<Self, Failure> {
        let sink = host.create(&named_itself(host, &path)).map_err(|error| match error.kind {
            HostErrorKind::NotFound => {
                unwritable(&path, "its folder does not exist").hint("create the folder first")
            }
            _ => unwritable(&path, &error.message),
        })?;
        Ok(Self { path, sink })
    }

    async fn write(mut self, text: String) -> Result<(), Failure> {
        let path = self.path.clone();
        let written = async {
            self.sink.write(text.into()).await?;
            self.sink.finish().await
        };
        written.await.map_err(|error| unwritable(&path, &error.message))
    }
}

fn unwritable(path: &std::path::Path, cause: &str) -> Failure {
    let cause = cause.rsplit_once("\": ").map_or(cause, |(_, cause)| cause);
    Failure::usage(format!("Could not write the JUnit report to \"{}\": {cause}", path.display()))
}
