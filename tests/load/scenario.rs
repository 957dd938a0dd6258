//! A scenario: a load, and a deploy that is repeated under it.

use std::time::{Duration, Instant};

use super::releases::{BadRelease, RELEASES};
use super::report::{Report, Row};
use super::stack::LoadStack;
use crate::support::load_generator::{Load, RunningLoad};

/// The load runs this long before the first deploy, and after each.
const GAP: Duration = Duration::from_secs(4);

/// A run with so many deploys is a full one.
const FULL: usize = 20;

/// What the table says of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A failed request fails the test.
    NoFailure,
    /// A control: without a failed request, the measurement would be blind, and the test fails.
    Failures,
    /// A failed request fails the test, unless this bad release answered it.
    FailuresOf(BadRelease),
    /// Only reported.
    Any,
}

/// What changes from one deploy to the next.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// `{tag}` in the command is one of the [`RELEASES`] in turn. The first deploy has the second.
    Tag,
    /// `{tag}` is always this release. The other one goes on serving.
    Bad(BadRelease),
    /// An environment variable with these values in turn.
    Variable(&'static str, [&'static str; 2]),
    /// The command finds the release before by itself, as a rollback does. The other release is
    /// deployed before, with these arguments, which doesn't count as a deploy.
    Back(&'static [&'static str]),
}

/// How often the deploy is repeated.
#[derive(Clone, Copy, Debug)]
pub enum Repeats {
    /// The number of the run: [`deploys`].
    Full,
    Times(usize),
    /// Once for each of its kills, three times in a full run.
    EachKill,
}

/// Stands for the other release in the arguments.
pub const TAG: &str = "{tag}";

/// A command of spc under load. The table in `deploys.rs` has them all.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// The arguments of spc.
    pub command: &'static [&'static str],
    pub change: Change,
    pub repeats: Repeats,
    /// The exit code of each deploy.
    pub code: i32,
    pub expected: Expected,
    /// Changes the load.
    pub load: fn(Load) -> Load,
    /// Moments to kill spc at, one per deploy in turn: the first line of `--json` that contains all
    /// of these texts. Then the same command runs again.
    pub kills: &'static [&'static [&'static str]],
}

impl Scenario {
    /// A deploy of both releases in turn, under the mixed load, without a failed request.
    pub const fn new(name: &'static str, command: &'static [&'static str]) -> Self {
        Self {
            name,
            command,
            change: Change::Tag,
            repeats: Repeats::Full,
            code: 0,
            expected: Expected::NoFailure,
            load: |load| load,
            kills: &[],
        }
    }

    /// Runs it on a stack that serves `serving`, and adds its row to the report. Returns the release
    /// that serves afterwards.
    pub fn run(
        &self,
        stack: &LoadStack,
        report: &mut Report,
        serving: &'static str,
    ) -> &'static str {
        let mut serving = serving;
        if let Change::Bad(release) = self.change {
            release.make();
        }
        let times = match self.repeats {
            Repeats::Full => deploys(),
            Repeats::Times(times) => times,
            Repeats::EachKill if deploys() >= FULL => 3 * self.kills.len(),
            Repeats::EachKill => self.kills.len(),
        };
        let prepare = |_| {
            if let Change::Back(command) = self.change {
                let other = other_than(serving);
                stack.spc(&words(command, other)).ends(0);
                stack.assert_serves(other);
            }
        };
        let row = under_load(self.name, (self.load)(stack.load()), times, prepare, |number| {
            let (arguments, variable, next) = self.deploy(number, serving);
            self.run_once(stack, &arguments, variable, number);
            stack.assert_serves(next);
            serving = next;
        });
        report.add(row, self.expected);
        if let Change::Variable(..) = self.change {
            // What follows runs without the variable.
            let (arguments, _, _) = self.deploy(0, serving);
            self.run_once(stack, &arguments, None, 0);
        }
        serving
    }

    /// The arguments, the variable and the release that serves after this deploy.
    fn deploy(
        &self,
        number: usize,
        serving: &'static str,
    ) -> (Vec<&'static str>, Option<(&'static str, &'static str)>, &'static str) {
        let other = other_than(serving);
        let (tag, variable, next) = match self.change {
            Change::Tag => (other, None, other),
            Change::Bad(release) => (release.tag(), None, serving),
            Change::Variable(name, values) => {
                (serving, Some((name, values[(number + 1) % 2])), serving)
            }
            Change::Back(_) => (serving, None, serving),
        };
        let next = if self.code == 0 { next } else { serving };
        (words(self.command, tag), variable, next)
    }

    fn run_once(
        &self,
        stack: &LoadStack,
        arguments: &[&str],
        variable: Option<(&str, &str)>,
        number: usize,
    ) {
        let spc = |first: &[&str]| {
            let spc = stack.spc(first).args(arguments);
            match variable {
                Some((name, value)) => spc.env(name, value),
                None => spc,
            }
        };
        if !self.kills.is_empty() {
            let at = self.kills[number % self.kills.len()];
            let mut killed = spc(&["--json"]).start();
            let printed = killed.printed_before_its_end(at);
            assert!(printed, "{}: {at:?} was not printed before the end", self.name);
            killed.kill();
        }
        spc(&[]).ends(self.code);
    }
}

/// The arguments of a command that deploys this release.
fn words(command: &'static [&'static str], release: &'static str) -> Vec<&'static str> {
    command.iter().map(|word| if *word == TAG { release } else { word }).collect()
}

fn other_than(release: &str) -> &'static str {
    RELEASES[usize::from(release == RELEASES[0])]
}

/// The number of deploys of a full scenario. `make load` sets it.
pub fn deploys() -> usize {
    let deploys = std::env::var("SPC_LOAD_DEPLOYS").unwrap_or_else(|_| "3".to_owned());
    deploys.parse().unwrap_or_else(|error| panic!("SPC_LOAD_DEPLOYS is {deploys:?}: {error}"))
}

/// The load without any deploy. A failed request makes every other figure void.
pub fn positive_control(load: Load, report: &mut Report) {
    let time = GAP * u32::try_from(deploys()).unwrap().clamp(5, 30);
    let begun = Instant::now();
    let running = load.start();
    std::thread::sleep(time);
    let measured = running.stop();
    let row = Row::new("no deploy (positive control)", Vec::new(), measured);
    progress(&format!(
        "{}: {} requests in {:?}",
        row.name,
        row.measured.requests(),
        begun.elapsed()
    ));
    let failed = row.measured.failed();
    assert_eq!(
        failed, 0,
        "the run is void: requests fail without a deploy: {:?}",
        row.measured.notes
    );
    assert_eq!(row.measured.cuts.len(), 0, "the run is void: {:?}", row.measured.cuts);
    report.add(row, Expected::NoFailure);
}

/// Repeats `deploy` under a load, each time after `prepare`.
pub fn under_load(
    name: &'static str,
    load: Load,
    times: usize,
    mut prepare: impl FnMut(usize),
    mut deploy: impl FnMut(usize),
) -> Row {
    let running = load.start();
    wait_for_load(&running);
    let mut took = Vec::new();
    for number in 0..times {
        prepare(number);
        let begun = Instant::now();
        running.during(|| deploy(number));
        took.push(begun.elapsed());
        std::thread::sleep(GAP);
        progress(&format!(
            "{name}: {}/{times} in {:.1?}, {} requests, {} failed",
            number + 1,
            took[number],
            running.requests(),
            running.failed(),
        ));
    }
    let measured = running.stop();
    assert!(!measured.exhausted, "{name}: the load ended before the deploys: raise its limits");
    Row::new(name, took, measured)
}

/// Waits until every kind of client had time to begin.
fn wait_for_load(running: &RunningLoad) {
    std::thread::sleep(GAP);
    assert!(running.requests() > 0, "no request ended within {GAP:?}");
}

#[expect(
    clippy::print_stderr,
    reason = "a full run takes hours, and --nocapture shows how far it is"
)]
fn progress(text: &str) {
    eprintln!("load: {text}");
}
