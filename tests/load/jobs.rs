//! Jobs of the queue while their workers are replaced: whether one is lost or runs twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::releases::RELEASES;
use super::stack::{COMMAND_LIMIT, LoadStack, ProxyRetries};
use crate::engine::docker::exec;
use crate::engine::heavy;
use crate::engine::project::Project;
use crate::engine::spc::Spc;
use crate::engine::until::until;

/// The jobs of one round. They take 3 to 5 s each, on two processes.
const JOBS: usize = 60;
/// The time limit of one round.
const LIMIT: Duration = Duration::from_secs(300);

const REPLACE: &str = r#"
import "std/celery" as celery;
let spc = app::describe(args(app::options()));
let done = celery::replace(spc.service("celery-worker"), #{ redis: spc.service("redis"), drain: "3m" });
print(`cut ${done.cut}`);
"#;

/// How often each job of a round began and ended, by its number.
#[derive(Debug)]
struct Runs(BTreeMap<usize, (usize, usize)>);

impl Runs {
    fn read(project: &Project) -> Self {
        let mut runs: BTreeMap<_, _> = (0..JOBS).map(|number| (number, (0, 0))).collect();
        let lines = redis(project, &["-n", "3", "lrange", "load-jobs", "0", "-1"]);
        for line in lines.lines() {
            let (what, number) = line.split_once(' ').unwrap();
            let run = runs.get_mut(&number.parse().unwrap()).unwrap();
            if what == "start" {
                run.0 += 1;
            } else {
                run.1 += 1;
            }
        }
        Self(runs)
    }

    fn ended(&self) -> usize {
        self.0.values().filter(|(_, ends)| *ends > 0).count()
    }

    /// The jobs that did not begin and end exactly once.
    fn wrong(&self) -> Vec<(usize, (usize, usize))> {
        self.0.iter().filter(|(_, run)| **run != (1, 1)).map(|(job, run)| (*job, *run)).collect()
    }
}

fn redis(project: &Project, words: &[&str]) -> String {
    exec(&project.container("redis"), &[&["redis-cli"], words].concat())
}

fn spc(run: Spc, release: &str) -> Spc {
    run.args(&["--tag", release]).env("BUILD_TARGET", "production").within(COMMAND_LIMIT)
}

/// Fills the queue, and waits until the workers have ended some jobs.
fn fill(project: &Project) {
    redis(project, &["-n", "3", "del", "load-jobs"]);
    let send = format!(
        "from config.celery import app\nfor n in range({JOBS}): app.send_task('config.load_jobs.noted', args=[n, 3 + n % 3])"
    );
    exec(&project.container("celery-worker"), &["python", "-c", &send]);
    until("the workers end jobs", LIMIT, || (Runs::read(project).ended() >= 4).then_some(()));
}

/// The containers get one second to stop, so that only draining saves a job.
#[test]
#[ignore = "slow"]
fn each_job_runs_once_while_the_workers_are_replaced() {
    let _alone = heavy();
    let project = LoadStack::files("load-jobs", ProxyRetries::Off);
    project.edit("scripts/stack.rhai", "stop_grace_period: \"40s\"", "stop_grace_period: \"1s\"");
    let up = |release: &str| {
        let run = project.spc(&["run", "scripts/up.rhai", "celery-worker"]);
        spc(run, release).ends(0);
    };
    up(RELEASES[0]);

    fill(&project);
    let begun = Instant::now();
    let done = spc(project.script(REPLACE), RELEASES[1]).ends(0).prints(&["draining: "]);
    assert!(done.stdout.contains("cut 0"), "{}", done.stdout);
    let took = begun.elapsed();
    let at_end = Runs::read(&project).ended();
    until("all jobs end", LIMIT, || (Runs::read(&project).ended() == JOBS).then_some(()));
    let runs = Runs::read(&project);
    report(&format!("replaced in {took:.1?}, with {at_end} of {JOBS} jobs done: {runs:?}"));
    assert_eq!(runs.wrong(), [], "job, begun, ended");
    assert_eq!(redis(&project, &["llen", "celery"]), "0\n");
    until("no job is unacknowledged", Duration::from_secs(20), || {
        (redis(&project, &["hlen", "unacked"]) == "0\n").then_some(())
    });

    // The control: without draining, jobs are cut.
    fill(&project);
    up(RELEASES[0]);
    until("all others end", LIMIT, || {
        (redis(&project, &["llen", "celery"]) == "0\n").then_some(())
    });
    let runs = Runs::read(&project);
    report(&format!("without draining, not once: {:?}", runs.wrong()));
    assert!(!runs.wrong().is_empty(), "without draining, no job was cut: {runs:?}");
}

#[expect(clippy::print_stderr, reason = "--nocapture shows the figures")]
fn report(text: &str) {
    eprintln!("load: {text}");
}
