//! All tests of some files: selected, run in parallel, reported in order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::case::{self, Outcome};
use crate::host::executor::Job;
use crate::host::resolve::shown;
use crate::host::{Host, TaskExecutor};
use crate::machine::world::{Limits, Subject};
use crate::model::Failure;
use crate::model::diagnostic::Diagnostic;
use crate::model::suggest::did_you_mean;
use crate::model::verdict::{Summary, TestReport, Verdict};
use crate::script::functions::Entry;

/// Options of a test run.
#[derive(Debug, Clone)]
pub struct SuiteOptions {
    /// For the first run of each test.
    pub seed: u64,
    /// The number of seeds for each test.
    pub seeds: u64,
    /// Only tests whose full name contains one of these.
    pub filters: Vec<String>,
    /// Start no test after one that failed.
    pub fail_fast: bool,
    /// The number of parallel tests.
    pub jobs: usize,
    pub limits: Limits,
}

/// A file's tests, or why they can't run.
pub struct File {
    pub path: PathBuf,
    /// The name that a user would use.
    pub shown: String,
    pub tests: Result<Vec<Entry>, Box<Diagnostic>>,
}

/// Reads the files and selects the tests that match `filters`.
pub fn collect(
    executor: &TaskExecutor,
    subject: &Subject,
    paths: &[PathBuf],
    manner: &SuiteOptions,
) -> Result<Vec<File>, Failure> {
    let read = |path: &Path| File {
        path: path.to_path_buf(),
        shown: shown(&*subject.host, path),
        tests: case::tests_of(subject, path),
    };
    let mut files = side_by_side(executor, manner.jobs, paths, &|path| Some(read(path)), &|_| {});
    if manner.filters.is_empty() {
        return Ok(files);
    }
    let names: Vec<String> = files.iter().flat_map(full_names).collect();
    for file in &mut files {
        let shown = file.shown.clone();
        if let Ok(tests) = &mut file.tests {
            tests.retain(|test| passes(&manner.filters, &full_name(&shown, test)));
        }
    }
    files.retain(|file| {
        file.tests
            .as_ref()
            .map_or_else(|_| passes(&manner.filters, &file.shown), |tests| !tests.is_empty())
    });
    if files.is_empty() {
        return Err(no_match(&manner.filters, &names));
    }
    Ok(files)
}

fn passes(filters: &[String], name: &str) -> bool {
    filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
}

fn no_match(filters: &[String], names: &[String]) -> Failure {
    let filter = filters.join("\" or \"");
    let failure = Failure::usage(format!("No test's name contains \"{filter}\""));
    let short = names.iter().filter_map(|name| name.rsplit("::").next());
    match did_you_mean(&filter, short.collect::<Vec<_>>()) {
        Some(hint) if hint.starts_with("did you mean") => failure.hint(hint),
        _ => failure.hint("--list shows their names"),
    }
}

fn full_name(file: &str, test: &Entry) -> String {
    format!("{file}::{}", test.name)
}

/// The full names of a file's tests.
pub fn full_names(file: &File) -> Vec<String> {
    file.tests.iter().flatten().map(|test| full_name(&file.shown, test)).collect()
}

/// Runs the tests and reports each, in the order of the files. Returns the totals.
pub fn run(
    executor: &TaskExecutor,
    clock: &dyn Host,
    subject: &Subject,
    files: &[File],
    manner: &SuiteOptions,
    tell: &(dyn Fn(&TestReport) + Sync),
) -> Summary {
    let begun = clock.monotonic();
    let work: Vec<(&File, Option<&Entry>)> = files
        .iter()
        .flat_map(|file| match &file.tests {
            Ok(tests) => tests.iter().map(|test| (file, Some(test))).collect::<Vec<_>>(),
            Err(_) => vec![(file, None)],
        })
        .collect();
    let failed = AtomicBool::new(false);
    let one = |(file, test): &(&File, Option<&Entry>)| {
        if manner.fail_fast && failed.load(Ordering::SeqCst) {
            return None;
        }
        let reported = match (test, &file.tests) {
            (Some(test), _) => TestReport::Verdict(verdict(clock, subject, file, test, manner)),
            (None, Err(diagnostic)) => TestReport::Broken(file.shown.clone(), diagnostic.clone()),
            (None, Ok(_)) => return None,
        };
        if matches!(&reported, TestReport::Broken(..))
            || matches!(&reported, TestReport::Verdict(verdict) if verdict.failure.is_some())
        {
            failed.store(true, Ordering::SeqCst);
        }
        Some(reported)
    };
    let results = side_by_side(executor, manner.jobs, &work, &one, &|reported| tell(reported));
    let mut summary = Summary { left_out: work.len() - results.len(), ..Summary::default() };
    for reported in &results {
        match reported {
            TestReport::Broken(..) => summary.broken += 1,
            TestReport::Verdict(verdict) if verdict.failure.is_some() => summary.failed += 1,
            TestReport::Verdict(_) => summary.passed += 1,
        }
    }
    Summary { took: clock.monotonic().saturating_sub(begun), ..summary }
}

/// Runs a test with all seeds, until one fails.
fn verdict(
    clock: &dyn Host,
    subject: &Subject,
    file: &File,
    test: &Entry,
    manner: &SuiteOptions,
) -> Verdict {
    let begun = clock.monotonic();
    let mut verdict = Verdict {
        file: file.shown.clone(),
        name: test.name.clone(),
        line: test.line,
        seed: manner.seed,
        seeds: 0,
        took: std::time::Duration::ZERO,
        simulated: std::time::Duration::ZERO,
        failure: None,
    };
    for seed in (0..manner.seeds).map(|more| manner.seed.wrapping_add(more)) {
        let Outcome { simulated, failure } =
            case::run(subject, &file.path, test, seed, manner.limits);
        verdict = Verdict {
            seed,
            seeds: verdict.seeds + 1,
            simulated: verdict.simulated + simulated,
            failure,
            ..verdict
        };
        if verdict.failure.is_some() {
            break;
        }
    }
    Verdict { took: clock.monotonic().saturating_sub(begun), ..verdict }
}

/// Runs `work` on all items, with this many in parallel. Reports each result in the order of the
/// items, as soon as those before it are known.
fn side_by_side<I: Sync, T: Send>(
    executor: &TaskExecutor,
    jobs: usize,
    items: &[I],
    work: &(dyn Fn(&I) -> Option<T> + Sync),
    tell: &(dyn Fn(&T) + Sync),
) -> Vec<T> {
    struct OrderedResults<T> {
        /// By the item's index: results that wait for one before them.
        waiting: BTreeMap<usize, Option<T>>,
        reported: Vec<T>,
        next: usize,
    }
    let next = AtomicUsize::new(0);
    let done =
        Mutex::new(OrderedResults { waiting: BTreeMap::new(), reported: Vec::new(), next: 0 });
    let worker = || {
        loop {
            let at = next.fetch_add(1, Ordering::SeqCst);
            let Some(item) = items.get(at) else { return };
            let answer = work(item);
            let mut done = done.lock();
            done.waiting.insert(at, answer);
            while let Some(answer) = {
                let at = done.next;
                done.waiting.remove(&at)
            } {
                done.next += 1;
                if let Some(answer) = answer {
                    tell(&answer);
                    done.reported.push(answer);
                }
            }
        }
    };
    let workers = (0..jobs.clamp(1, items.len().max(1)))
        .map(|_| -> Job<'_, ()> { Box::new(worker) })
        .collect();
    if executor.tasks(workers).is_err() {
        // One after another; if no thread can be started, each reports it.
        worker();
    }
    done.into_inner().reported
}
