//! The crash sweep: kills a runbook at each engine call and at each of its changes on the host, and
//! checks that the next run reaches the same state.
//!
//! - [`points`]: the points of the kills
//! - [`state`]: the state after a run, and the difference of two states
//! - [`stage`]: the machine that it finds, and one run on it
//! - [`setup`]: where the runbook's test file says more of it
//! - [`report`]: the results, as text and as JSON lines

mod outcome;
pub mod points;
pub mod report;
pub mod setup;
pub mod state;
pub mod sweep_setup;
#[cfg(test)]
mod tests;
mod undisturbed_run;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use tokio_util::sync::CancellationToken;

pub use self::points::{ChangeSide, Point, Port};
pub use self::report::{Finding, Problem, Report};
pub use self::sweep_setup::SweepSetup;
pub use self::undisturbed_run::Task;

use self::outcome::{Outcome, not_deterministic};
use self::points::{MutationLog, NamedCall};
use self::state::ExpectedState;
use self::sweep_setup::KilledRuns;
use self::undisturbed_run::{TimedCall, UndisturbedRun};
use crate::host::sim::executor::SimTaskExecutor;
use crate::model::Failure;
use crate::model::diagnostic::Diagnostic;
use crate::script::project_context::plain;

/// The default number of recovering runs that are killed too.
pub const RECOVERIES: usize = 24;

/// The time between the first undisturbed run and the next: names that are made from the time then
/// differ.
const LATER: Duration = Duration::from_secs(3600);

/// Options of a sweep.
#[derive(Debug, Clone)]
pub struct Options {
    /// All random decisions follow from it.
    pub seed: u64,
    /// Both sides of every call, not only of changes.
    pub all: bool,
    /// Only every nth point, for runbooks that take long; 1 for all.
    pub every: usize,
    /// The number of runs after a kill that are killed too, at a point from the seed.
    pub recoveries: usize,
    /// The number of threads.
    pub jobs: usize,
    /// Only this point, and one of the run after it.
    pub at: Option<(Point, Option<Point>)>,
    /// Ends the sweep early.
    pub cancel: CancellationToken,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            all: false,
            every: 1,
            recoveries: RECOVERIES,
            jobs: std::thread::available_parallelism().map_or(1, NonZero::get),
            at: None,
            cancel: CancellationToken::new(),
        }
    }
}

/// Called after every point with the number of completed points, and their total.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Kills `task` on `stage` at its points, one after another, each time on a fresh machine, and runs
/// it again.
///
/// Fails if the stage can't be set up, or if the task fails undisturbed or does not do the same
/// each time.
pub fn sweep(
    stage: &SweepSetup,
    task: &Task,
    options: &Options,
    progress: Progress<'_>,
) -> Result<Report, Box<Diagnostic>> {
    let stage = &stage.frozen(&options.cancel);
    let clean = |more: u64| {
        let clean = stage.clean(
            task,
            options.seed.wrapping_add(more),
            LATER * u32::try_from(more).unwrap_or(0),
        );
        // A cancelled run gives no information about the runbook.
        if options.cancel.is_cancelled() { Err(plain(Failure::interrupted())) } else { clean }
    };
    let (clean, again, others) = (clean(0)?, clean(0)?, [clean(1)?, clean(2)?]);
    same_calls(task, &clean.made, &again.made)?;
    others.iter().try_for_each(|other| same_names(task, &clean, other))?;
    let expected =
        ExpectedState::new(clean.footprint.clone(), &others.map(|other| other.footprint));
    let play = KilledRuns { stage, task, seed: options.seed, clean: &clean, expected: &expected };
    let mut report = Report::new(task, options.seed, &clean);

    let mut plays: Vec<(Point, Option<Point>)> = match options.at {
        Some(at) => vec![at],
        None if options.all => {
            points::all(&clean.mutations).into_iter().map(|point| (point, None)).collect()
        }
        None => points::chosen(&clean.mutations).into_iter().map(|point| (point, None)).collect(),
    };
    if options.at.is_none() {
        plays = plays.into_iter().step_by(options.every.max(1)).collect();
    }
    if let Some((point, _)) = plays.iter().find(|(point, _)| clean.mutations.at(*point).is_none()) {
        let MutationLog { calls, changes } = &clean.mutations;
        let failure =
            Failure::usage(format!("The runbook {} ends before the point {point}", task.words()));
        let hint =
            format!("it makes {} engine calls and {} host changes", calls.len(), changes.len());
        return Err(plain(failure.hint(hint)));
    }
    let more = if options.at.is_some() { 0 } else { options.recoveries };
    let total = plays.len() + more;
    let first = each(&play, &plays, options, &|done| progress(done, total))?;
    let again = drawn(&plays, &first, more, options.seed);
    let second = each(&play, &again, options, &|done| {
        progress(plays.len() + done, plays.len() + again.len())
    })?;
    report.interrupted = options.cancel.is_cancelled();
    report.points = first.len();
    report.recoveries = second.len();
    plays.extend(again);
    for outcome in first.into_iter().chain(second) {
        report.too_late += usize::from(outcome.too_late);
        report.findings.extend(outcome.finding);
    }
    Ok(report)
}

/// Plays all points, several in parallel. Returns the outcomes in their order. Ends early at the
/// first error, or when cancelled.
fn each(
    play: &KilledRuns<'_>,
    plays: &[(Point, Option<Point>)],
    options: &Options,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Outcome>, Box<Diagnostic>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<Outcome, _>)>> = Mutex::default();
    let worker = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((point, second)) = plays.get(at).filter(|_| !options.cancel.is_cancelled())
            else {
                return;
            };
            let outcome = play.killed(*point, *second);
            if options.cancel.is_cancelled() {
                return;
            }
            if outcome.is_err() {
                next.store(plays.len(), Ordering::Relaxed);
            }
            let mut done = done.lock();
            done.push((at, outcome));
            progress(done.len());
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..options.jobs.min(plays.len()) {
            scope.spawn(worker);
        }
        worker();
    });
    let mut done = done.into_inner();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// Points of recovering runs, from the seed.
fn drawn(
    plays: &[(Point, Option<Point>)],
    outcomes: &[Outcome],
    number: usize,
    seed: u64,
) -> Vec<(Point, Option<Point>)> {
    let random = SimTaskExecutor::new(seed);
    let below =
        |bound: usize| usize::try_from(random.random() % (bound as u64).max(1)).unwrap_or(0);
    let candidates: Vec<(Point, Vec<Point>)> = plays
        .iter()
        .zip(outcomes)
        .map(|((point, _), outcome)| (*point, points::chosen(&outcome.recovery)))
        .filter(|(_, points)| !points.is_empty())
        .collect();
    if candidates.is_empty() {
        return Vec::new();
    }
    let mut drawn = BTreeSet::new();
    for _ in 0..number {
        let (point, points) = &candidates[below(candidates.len())];
        drawn.insert((*point, Some(points[below(points.len())])));
    }
    drawn.into_iter().collect()
}

/// Two runs with one seed, and the calls that both made.
fn same_calls(task: &Task, one: &[TimedCall], other: &[TimedCall]) -> Result<(), Box<Diagnostic>> {
    let longest = one.len().max(other.len());
    match (0..longest).find(|at| one.get(*at) != other.get(*at)) {
        None => Ok(()),
        Some(at) => {
            let words = |made: Option<&TimedCall>| {
                made.map(|made| format!("{} at {:?}", made.call, made.at))
            };
            Err(not_deterministic(
                task,
                at + 1,
                "both without a kill",
                words(one.get(at)),
                words(other.get(at)),
            ))
        }
    }
}

/// Two runs with different seeds, and what both made.
fn same_names(
    task: &Task,
    one: &UndisturbedRun,
    other: &UndisturbedRun,
) -> Result<(), Box<Diagnostic>> {
    let made = |clean: &UndisturbedRun| {
        clean.mutations.calls.iter().filter(|call| call.names()).cloned().collect::<BTreeSet<_>>()
    };
    let (first, second) = (made(one), made(other));
    let only = |these: &BTreeSet<NamedCall>, those: &BTreeSet<NamedCall>| {
        these.difference(those).next().map(NamedCall::to_string)
    };
    let (Some(a), b) = (only(&first, &second), only(&second, &first)) else {
        return only(&second, &first).map_or(Ok(()), |_| same_names(task, other, one));
    };
    let at =
        one.mutations.calls.iter().position(|call| call.to_string() == a).map_or(0, |at| at + 1);
    let instead = b.map_or_else(|| "has no such call".to_owned(), |b| format!("has {b}"));
    let message = format!(
        "{} is not deterministic: engine call {at} is {a}, but another run {instead}, so a run can't find what an earlier one created",
        task.words(),
    );
    Err(plain(
        Failure::usage(message)
            .hint("choose names that are the same in each run, without times or random values"),
    ))
}
