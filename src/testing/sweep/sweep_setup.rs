//! The machine of a crash sweep, and one run on it: undisturbed, or killed and run again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::outcome::{Outcome, not_deterministic};
use super::points::{MutationLog, NamedCall, Point, Port};
use super::report::{Finding, Problem};
use super::setup::Machine;
use super::state::{Difference, ExpectedState, Footprint, Stamps, lost, replaced, stamps};
use super::undisturbed_run::{Task, UndisturbedRun, made};
use crate::engine::sim::{SimEngineBuilder, Violation};
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::machine::process::{CompletedRun, End};
use crate::machine::world::{Subject, World};
use crate::model::diagnostic::Diagnostic;
use crate::model::{Failure, Kind};
use crate::script::project_context::plain;

/// The time after the last request in flight for which clients are watched.
const AFTERWARDS: Duration = Duration::from_secs(5);

type OnEngine = Arc<dyn Fn(SimEngineBuilder) -> SimEngineBuilder + Send + Sync>;

/// The state before the run that is killed: the same each time.
#[derive(Clone)]
pub struct SweepSetup {
    pub subject: Subject,
    /// The content of the project's `.env`.
    pub env_file: Option<Bytes>,
    /// The test file with a function `sweep` that sets up the machine before each run.
    pub setup: Option<PathBuf>,
    /// Runbooks that run before.
    pub before: Vec<Task>,
    /// Ends its runs at once.
    pub cancel: CancellationToken,
    engine: OnEngine,
}

impl SweepSetup {
    /// Only the project's files, and an empty engine.
    pub fn new(subject: Subject) -> Self {
        Self {
            subject,
            env_file: None,
            setup: None,
            before: Vec::new(),
            cancel: CancellationToken::new(),
            engine: Arc::new(|engine| engine),
        }
    }

    /// The same with this on the engine.
    #[must_use]
    pub fn on_engine(
        mut self,
        setup: impl Fn(SimEngineBuilder) -> SimEngineBuilder + Send + Sync + 'static,
    ) -> Self {
        self.engine = Arc::new(setup);
        self
    }

    /// The same over files that are read once and then kept; its runs end when `cancel` is
    /// cancelled.
    pub(super) fn frozen(&self, cancel: &CancellationToken) -> Self {
        Self { subject: self.subject.frozen(), cancel: cancel.clone(), ..self.clone() }
    }

    fn world(&self, seed: u64) -> Result<Machine, Box<Diagnostic>> {
        let host = |host: SimHost| match &self.env_file {
            Some(content) => host.with_file(self.subject.directory.join(".env"), content.clone()),
            None => host,
        };
        let executor = SimTaskExecutor::ended_by(seed, &self.cancel);
        let world =
            World::made(&self.subject, executor, seed, |engine| (self.engine)(engine), host);
        let world = Machine::new(world, self.setup.as_deref())?;
        for task in &self.before {
            done(
                world.run(&task.path, &task.words),
                &format!("{}, which runs first,", task.words()),
            )?;
        }
        Ok(world)
    }

    /// An undisturbed run, this long after the stage was set up.
    pub(super) fn clean(
        &self,
        task: &Task,
        seed: u64,
        later: Duration,
    ) -> Result<UndisturbedRun, Box<Diagnostic>> {
        let world = self.world(seed)?;
        // No wait: even a wait for nothing uses a random number.
        if later > Duration::ZERO {
            world.executor.block_on(world.executor.sleep(later));
        }
        let (given, first) = (stamps(&world.engine.state()), so_far(&world));
        done(world.run(&task.path, &task.words), &format!("{}, without a kill,", task.words()))?;
        let footprint = Footprint::of(&world, &self.subject.directory);
        requests_end(&world);
        never_wrong(&world, task)?;
        let state = world.engine.state();
        Ok(UndisturbedRun {
            mutations: self.mutations(&world, first),
            made: made(&world.engine.calls()[first.0..]),
            footprint,
            replaced: replaced(&given, &stamps(&state)),
            writers: state
                .volumes
                .iter()
                .map(|volume| (volume.name.clone(), volume.most_writers))
                .collect(),
            given,
        })
    }

    /// The actions since then.
    fn mutations(&self, world: &World, (calls, changes): (usize, usize)) -> MutationLog {
        let names = world.engine.names();
        MutationLog {
            calls: world.engine.calls()[calls..]
                .iter()
                .map(|call| NamedCall::new(call, &names))
                .collect(),
            changes: world.host.changes()[changes..]
                .iter()
                .map(|change| NamedCall::on_host(change, &self.subject.root))
                .collect(),
        }
    }
}

/// The number of calls and changes.
fn so_far(world: &World) -> (usize, usize) {
    (world.engine.calls().len(), world.host.changes().len())
}

/// The likely causes of a failure that occurs only here.
const MACHINE: &str = "on the simulated machine of a crash sweep, commands exit with code 0 and print nothing: give them other \
     answers in the function sweep() of the runbook's test file";

/// Turns a run that did not reach its end into a report.
fn done(ran: CompletedRun, who: &str) -> Result<(), Box<Diagnostic>> {
    match ran.end {
        End::Done => Ok(()),
        End::Failed(mut diagnostic) => {
            diagnostic.message = format!("{who} failed: {}", diagnostic.message);
            diagnostic.hint.get_or_insert_with(|| MACHINE.to_owned());
            Err(diagnostic)
        }
        End::Help(_) => Err(plain(Failure::usage(format!("{who} only prints its help")))),
        End::Killed => Err(plain(Failure::usage(format!("{who} was killed")))),
    }
}

/// Lets the requests that are in flight end, and others come.
fn requests_end(world: &World) {
    if let Some(longest) = world.engine.longest_request() {
        world.executor.block_on(world.executor.sleep(longest + AFTERWARDS));
    }
}

/// Invariants that were violated, and requests that were lost.
fn violations(world: &World) -> Vec<Violation> {
    let mut all = world.engine.violations();
    all.extend(world.engine.lost_requests());
    all
}

/// Rejects a runbook that violates an invariant even without a kill.
fn never_wrong(world: &World, task: &Task) -> Result<(), Box<Diagnostic>> {
    let found = violations(world);
    let Some(first) = found.first() else { return Ok(()) };
    let failure = Failure::new(
        Kind::Failed,
        format!("{} violates an invariant even without a kill: {}", task.words(), first.what),
    );
    let all: Vec<String> = found.iter().map(ToString::to_string).collect();
    Err(plain(failure.detail("when, and at which call", all.join("\n"))))
}

/// The runs that are killed.
pub(super) struct KilledRuns<'a> {
    pub stage: &'a SweepSetup,
    pub task: &'a Task,
    pub seed: u64,
    pub clean: &'a UndisturbedRun,
    pub expected: &'a ExpectedState,
}

impl KilledRuns<'_> {
    /// Kills the run at `point`, and the run after it at `second`. The next one runs to its end.
    pub fn killed(&self, point: Point, second: Option<Point>) -> Result<Outcome, Box<Diagnostic>> {
        let world = self.stage.world(self.seed)?;
        let (mutations, ran) = self.run(&world, Some(point));
        self.same_until(&mutations.calls, point)?;
        if !matches!(ran.end, End::Killed) {
            return Ok(Outcome { too_late: true, ..Outcome::default() });
        }
        let mut kept = stamps(&world.engine.state());
        let mut hit = None;
        if let Some(second) = second {
            let (mutations, ran) = self.run(&world, Some(second));
            if !matches!(ran.end, End::Killed) {
                return Ok(Outcome { too_late: true, ..Outcome::default() });
            }
            hit = mutations.at(second).map(|mutation| (second, mutation.clone()));
            kept.extend(stamps(&world.engine.state()));
        }
        let (mutations, ran) = self.run(&world, None);
        let footprint = Footprint::of(&world, &self.stage.subject.directory);
        requests_end(&world);
        let (differences, error) = match ran.end {
            End::Done => (self.differences(&world, &kept, &footprint), None),
            End::Failed(diagnostic) => (Vec::new(), Some(diagnostic)),
            End::Help(_) | End::Killed => (Vec::new(), None),
        };
        let problem = Problem { error, differences, violations: violations(&world) };
        let wrong =
            Some(problem).filter(|problem| !problem.is_none()).zip(self.clean.mutations.at(point));
        let finding = wrong.map(|(problem, mutation)| Finding {
            point,
            mutation: mutation.clone(),
            second: hit,
            problem,
        });
        Ok(Outcome { finding, recovery: mutations, too_late: false })
    }

    /// A run and its actions.
    fn run(&self, world: &World, point: Option<Point>) -> (MutationLog, CompletedRun) {
        let first = so_far(world);
        match point {
            Some(Point { on: Port::Engine, number, side }) => {
                world.engine.crash_at(number, side.into())
            }
            Some(Point { on: Port::Host, number, side }) => {
                world.host.kill_at(Some((number, side)))
            }
            None => {}
        }
        let ran = world.run(&self.task.path, &self.task.words);
        world.engine.recover();
        world.host.kill_at(None);
        if point.is_some() {
            // The next run comes later, and clients don't wait for it.
            requests_end(world);
        }
        (self.stage.mutations(world, first), ran)
    }

    fn same_until(&self, calls: &[NamedCall], point: Point) -> Result<(), Box<Diagnostic>> {
        let differs =
            calls.iter().zip(&self.clean.mutations.calls).position(|(one, other)| one != other);
        let Some(at) = differs.or((calls.len() > self.clean.mutations.calls.len())
            .then_some(self.clean.mutations.calls.len()))
        else {
            return Ok(());
        };
        let words = |calls: &[NamedCall]| calls.get(at).map(NamedCall::to_string);
        let how = format!("without a kill, and killed at {point}");
        Err(not_deterministic(
            self.task,
            at + 1,
            &how,
            words(&self.clean.mutations.calls),
            words(calls),
        ))
    }

    fn differences(&self, world: &World, kept: &Stamps, footprint: &Footprint) -> Vec<Difference> {
        let state = world.engine.state();
        let mut all = self.expected.differences(footprint);
        if footprint.locked.is_some() {
            let (expected, found) = (Some("missing".to_owned()), Some("present".to_owned()));
            all.push(Difference {
                object: "the project's lock".to_owned(),
                aspect: String::new(),
                expected,
                found,
            });
        }
        all.extend(lost(&self.clean.given, kept, &stamps(&state), &self.clean.replaced));
        for volume in &state.volumes {
            let usual = self.clean.writers.get(&volume.name).copied().unwrap_or(1).max(1);
            if volume.most_writers > usual {
                all.push(Difference {
                    object: format!("volume {}", volume.name),
                    aspect: "containers that wrote to it at once".to_owned(),
                    expected: Some(usual.to_string()),
                    found: Some(volume.most_writers.to_string()),
                });
            }
        }
        all
    }
}

impl Subject {
    /// The same with files that are read once and then kept.
    #[must_use]
    pub fn frozen(&self) -> Self {
        Self { host: Arc::new(SimHost::copying(self.host.clone(), &self.root)), ..self.clone() }
    }

    /// The runbook at `path`, from the project's folder.
    pub fn task(&self, path: &str, words: &[&str]) -> Task {
        Task {
            path: self.root.join(Path::new(path)),
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        }
    }
}
