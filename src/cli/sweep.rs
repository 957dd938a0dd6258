//! `spc test --crash-sweep`: a runbook that is killed at one point after the other, and run again.

use std::path::{Path, PathBuf};

use clap::Args;

use super::CommonOptions;
use super::session::Session;
use super::signals;
use crate::host::Host;
use crate::host::resolve::{inside, named};
use crate::machine::world::Subject;
use crate::model::diagnostic::Diagnostic;
use crate::model::time::readable;
use crate::model::{Failure, Kind};
use crate::script::project_context::plain;
use crate::testing::sweep::{Finding, Options, Point, RECOVERIES, SweepSetup, Task, setup, sweep};
use crate::ui::terminal::{FAILURE, styled};

/// The file for `.env` if `--env-file` names none.
const EXAMPLE: &str = ".env.example";

/// Options of a crash sweep.
#[derive(Args)]
#[command(next_help_heading = "Crash sweep")]
pub struct Sweep {
    /// Kill this runbook at each engine call and each change on the host in turn, run it again,
    /// and compare the result with that of a run without a kill. The function sweep() in its
    /// test file sets up each machine
    #[arg(id = "crash-sweep", long = "crash-sweep", value_name = "RUNBOOK", conflicts_with_all = ["filters", "list", "fail_fast", "seeds", "junit"])]
    pub runbook: Option<PathBuf>,
    /// Run this runbook first, without a kill: --after "scripts/up.rhai --tag v1"; repeatable
    #[arg(long, value_name = "COMMAND", requires = "crash-sweep")]
    after: Vec<String>,
    /// Kill before and after every call, also at every call that only reads
    #[arg(long, requires = "crash-sweep")]
    all: bool,
    /// Also kill this many of the second runs, at points that the seed determines
    #[arg(long, value_name = "COUNT", default_value_t = RECOVERIES, requires = "crash-sweep")]
    recoveries: usize,
    /// Kill only at this point, such as 17:after; with 17:after,3:before also kill the second run
    #[arg(long, value_name = "POINT", requires = "crash-sweep", conflicts_with_all = ["all", "recoveries"])]
    at: Option<PointPair>,
}

/// A point, and one of the run after it.
#[derive(Debug, Clone, Copy)]
struct PointPair(Point, Option<Point>);

impl std::str::FromStr for PointPair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(',') {
            Some((first, second)) => Ok(Self(first.parse()?, Some(second.parse()?))),
            None => Ok(Self(text.parse()?, None)),
        }
    }
}

/// Other options of the command.
pub struct SweepOptions<'a> {
    pub words: &'a [PathBuf],
    pub seed: u64,
    pub jobs: usize,
}

/// Runs a crash sweep.
pub fn execute(
    session: &Session,
    common: &CommonOptions,
    sweep_options: &Sweep,
    runbook: &Path,
    subject: Subject,
    rest: &SweepOptions<'_>,
) -> Result<(), Box<Diagnostic>> {
    let host = session.host.clone();
    let current =
        crate::script::project_context::current_folder(&*host, &common.wanted()).map_err(plain)?;
    let mut words: Vec<String> = rest.words.iter().map(|word| word.display().to_string()).collect();
    if common.yes {
        words.push("--yes".to_owned());
    }
    let mut stage = SweepSetup::new(subject.clone());
    stage.env_file = env_file(&*host, common, &current, &subject.directory).map_err(plain)?;
    for command in &sweep_options.after {
        let mut words = shell_words::split(command).map_err(|_| {
            plain(Failure::usage(format!("--after \"{command}\" has a quote that is never closed")))
        })?;
        if words.is_empty() {
            return Err(plain(Failure::usage("--after is empty: it names a runbook")));
        }
        let path = words.remove(0);
        stage
            .before
            .push(task(&*host, &current, &subject, Path::new(&path), words).map_err(plain)?);
    }
    let task = task(&*host, &current, &subject, runbook, words).map_err(plain)?;
    stage.setup = setup::beside(&subject, &task.path)?;
    let options = Options {
        seed: rest.seed,
        all: sweep_options.all,
        recoveries: sweep_options.recoveries,
        jobs: rest.jobs,
        at: sweep_options.at.map(|PointPair(first, second)| (first, second)),
        ..Options::default()
    };
    signals::end_in_order(options.cancel.clone(), session).map_err(plain)?;
    let begun = host.monotonic();
    let shown = !common.quiet && !common.json && session.terminal.size().is_some();
    let progress = |done: usize, total: usize| {
        if shown {
            session.terminal.show(&[format!("{}: {done} of {total}", task.words())]);
        }
    };
    let report = sweep(&stage, &task, &options, &progress);
    if shown {
        session.terminal.clear();
    }
    let report = report?;
    let took = host.monotonic().saturating_sub(begun);
    let mut previous: Vec<String> = Vec::new();
    for finding in &report.findings {
        if common.json {
            session.json_lines().result("finding", finding.json(), finding.error());
        } else {
            let lines = finding.lines();
            let shown = if lines == previous {
                vec!["the same as above".to_owned()]
            } else {
                lines.clone()
            };
            session.terminal.out(&text(
                finding,
                &shown,
                &again(finding, runbook, common, sweep_options, rest),
            ));
            previous = lines;
        }
    }
    let summary = format!("{} ({})", report.summary(), readable(took));
    if common.json {
        session.json_lines().result("sweep", report.json(), None);
    } else {
        report.notes().iter().for_each(|note| session.note(note));
    }
    if report.interrupted {
        return Err(plain(Failure::new(Kind::Interrupted, summary)));
    }
    if !report.findings.is_empty() {
        return Err(plain(Failure::new(Kind::Failed, summary)));
    }
    if !common.json {
        session.terminal.out(&summary);
    }
    Ok(())
}

fn task(
    host: &dyn Host,
    current: &Path,
    subject: &Subject,
    path: &Path,
    words: Vec<String>,
) -> Result<Task, Failure> {
    let path = host.canonicalize(&current.join(path)).map_err(|_| {
        Failure::new(Kind::Usage, format!("There is no runbook \"{}\"", path.display()))
    })?;
    if !path.starts_with(&subject.root) {
        let failure = Failure::usage(format!("\"{}\" is outside of the project", path.display()));
        return Err(failure.hint("use -C with the folder of its project"));
    }
    Ok(Task { path, words })
}

/// The `.env` of the simulated machine: from the given files, or from the project's example. An
/// empty one counts as none.
fn env_file(
    host: &dyn Host,
    common: &CommonOptions,
    current: &Path,
    directory: &Path,
) -> Result<Option<bytes::Bytes>, Failure> {
    let mut content = Vec::new();
    if common.env_file.is_empty() {
        match inside(host, directory, EXAMPLE) {
            Ok(Ok(path)) => content.extend(host.read(&path)?),
            Ok(Err(target)) => {
                let message = format!(
                    "\"{EXAMPLE}\" is a symlink that leads to \"{}\", out of the project",
                    target.display()
                );
                return Err(
                    Failure::new(Kind::Policy, message).hint("put a copy of the file in its place")
                );
            }
            // It does not exist.
            Err(_) => {}
        }
    }
    for file in &common.env_file {
        content.extend(host.read(&named(host, &current.join(file)))?);
        content.push(b'\n');
    }
    Ok(content.iter().any(|byte| !byte.is_ascii_whitespace()).then(|| content.into()))
}

fn text(finding: &Finding, lines: &[String], again: &str) -> String {
    let lines = lines.iter().map(|line| format!("\n    {line}")).collect::<String>();
    format!("{} {}{lines}\n    repeat with: {again}", styled(FAILURE, "FAILED"), finding.title())
}

/// The command that repeats exactly this.
fn again(
    finding: &Finding,
    runbook: &Path,
    common: &CommonOptions,
    options: &Sweep,
    rest: &SweepOptions<'_>,
) -> String {
    let mut words = vec![
        "spc".to_owned(),
        "test".to_owned(),
        "--crash-sweep".to_owned(),
        runbook.display().to_string(),
    ];
    if let Some(folder) = &common.directory {
        words.extend(["-C".to_owned(), folder.display().to_string()]);
    }
    if let Some(project) = &common.project {
        words.extend(["--project".to_owned(), project.clone()]);
    }
    for file in &common.env_file {
        words.extend(["--env-file".to_owned(), file.display().to_string()]);
    }
    for command in &options.after {
        words.extend(["--after".to_owned(), command.clone()]);
    }
    if rest.seed != 1 {
        words.extend(["--seed".to_owned(), rest.seed.to_string()]);
    }
    if common.yes {
        words.push("--yes".to_owned());
    }
    words.extend(["--at".to_owned(), finding.at()]);
    if !rest.words.is_empty() {
        words.push("--".to_owned());
        words.extend(rest.words.iter().map(|word| word.display().to_string()));
    }
    shell_words::join(words)
}
