//! Runs that are killed at any point. The next run reaches the described state and leaves no
//! orphaned or duplicate objects.

use super::docker::{containers, exec, inspect, objects};
use super::images::busybox;
use super::project::Project;
use super::spc::{RunningSpc, Spc};
use super::watch::{EventWatch, is_of_a_check};
use std::collections::BTreeMap;

/// Describes a database with a volume and a service that depends on it. Both have `word` in their
/// environment.
fn describe(project: &Project, word: &str) {
    let image = busybox();
    project.file("pass", "told to nobody");
    project.stack(&format!(
        r#"volumes: #{{ data: #{{}} }},
        secrets: #{{ pass: #{{ file: "./pass" }} }},
        services: #{{
            db: #{{
                image: "{image}", command: ["sh", "-c", "date >>/data/started; touch /tmp/well; exec sleep 1000"], stop_grace_period: "0s",
                environment: #{{ WORD: "{word}" }}, volumes: ["data:/data"], secrets: ["pass"],
                healthcheck: #{{ test: "test -f /tmp/well", interval: "1s" }},
            }},
            web: #{{
                image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", environment: #{{ WORD: "{word}" }},
                depends_on: #{{ db: #{{ condition: "service_healthy" }} }},
            }},
        }}"#
    ));
}

/// The state of a project: its objects, and for each container whether it runs and the hash of its
/// configuration.
fn state(project: &Project) -> (Vec<String>, BTreeMap<String, (bool, String)>) {
    let containers = containers(&project.name).into_keys().map(|name| {
        let found = inspect(&name);
        let hash = found["Config"]["Labels"]["dev.spc.hash"].as_str().unwrap().to_owned();
        (name, (found["State"]["Running"] == true, hash))
    });
    (objects(&project.name), containers.collect())
}

/// Kills `run` at this many evenly spaced points, each after an event of the engine. After each
/// kill, `next` must reach the same state as without a kill.
fn kill_at_points(
    project: &Project,
    points: usize,
    prepare: impl Fn(),
    run: impl Fn() -> Spc,
    next: impl Fn() -> Spc,
) {
    prepare();
    let mut watch = EventWatch::on(&project.name);
    run().start().end();
    let events = watch.so_far().iter().filter(|event| !is_of_a_check(event)).count();
    next().ends(0);
    let wanted = state(project);
    assert!(wanted.1.values().all(|(runs, _)| *runs), "{wanted:?}");
    assert!(events > points, "{events}");

    for point in 0..points {
        let kth = 1 + point * (events - 1) / (points - 1);
        prepare();
        let mut watch = EventWatch::on(&project.name);
        let killed = run().start();
        let last = (0..kth).map(|_| watch.next_but_checks()).last();
        killed.kill();
        // The engine finishes its running calls.
        watch.until_quiet();
        // Waiting until the killed run's lock is stale would take half a minute each time. Another
        // test covers that.
        project.spc(&["--yes", "unlock"]).ends(0);
        next().ends(0);
        assert_eq!(state(project), wanted, "killed after event {kth}, {last:?}");
        next().ends(0).prints(&["unchanged"]);
    }
}

/// Describes the project with `word`. Returns an `up`.
fn up(project: &Project, word: &str) -> Spc {
    describe(project, word);
    project.up()
}

/// Brings the project up as it was before the change, with a row in its database.
fn before(project: &Project) {
    up(project, "before").ends(0);
    exec(&project.container("db"), &["sh", "-c", "echo kept >/data/row"]);
}

fn assert_row_is_kept(project: &Project) {
    assert_eq!(exec(&project.container("db"), &["cat", "/data/row"]), "kept\n");
}

#[test]
fn a_killed_first_up_continues_on_the_next_run() {
    let project = Project::new("killed");
    let wanted = || up(&project, "wanted");
    kill_at_points(&project, 8, || super::docker::remove_project(&project.name), wanted, wanted);
}

#[test]
fn a_killed_replacement_continues_on_the_next_run() {
    let project = Project::new("killed-new");
    let wanted = || up(&project, "wanted");
    kill_at_points(&project, 8, || before(&project), wanted, wanted);
    assert_row_is_kept(&project);
}

#[test]
fn a_killed_replacement_can_be_reverted() {
    let project = Project::new("killed-back");
    kill_at_points(
        &project,
        6,
        || before(&project),
        || up(&project, "wanted"),
        || up(&project, "before"),
    );
    assert_row_is_kept(&project);
}

#[test]
fn a_failed_replacement_killed_during_its_rollback_can_be_reverted() {
    let project = Project::new("killed-bad");
    // The new container exits immediately, so spc restores the old one.
    let bad = || {
        describe(&project, "wanted");
        project.edit("scripts/stack.rhai", "touch /tmp/well; exec sleep 1000", "exit 3");
        project.up()
    };
    kill_at_points(&project, 8, || before(&project), bad, || up(&project, "before"));
    assert_row_is_kept(&project);
}

#[test]
fn a_killed_start_first_replacement_continues_on_the_next_run() {
    let project = Project::new("killed-beside");
    let describe = |word: &str| {
        project.stack(&format!(
            r#"services: #{{ web: #{{
                image: "{}", command: ["sh", "-c", "touch /tmp/well; exec sleep 1000"], stop_grace_period: "0s", scale: 2,
                environment: #{{ WORD: "{word}" }}, healthcheck: #{{ test: "test -f /tmp/well", interval: "1s" }},
                deploy: #{{ update_config: #{{ order: "start-first" }} }},
            }} }}"#,
            busybox()
        ));
        project.up()
    };
    kill_at_points(
        &project,
        8,
        || drop(describe("before").ends(0)),
        || describe("wanted"),
        || describe("wanted"),
    );
}

#[test]
fn a_killed_down_continues_on_the_next_run() {
    let project = Project::new("killed-down");
    let down = || project.spc(&["run", "scripts/down.rhai"]);
    kill_at_points(&project, 6, || before(&project), down, down);
    assert_eq!(objects(&project.name), [""; 0]);
}

#[test]
fn concurrent_runs_create_every_object_once() {
    let project = Project::new("at-once");
    describe(&project, "wanted");
    let mut watch = EventWatch::on(&project.name);
    let runs: Vec<RunningSpc> = (0..4).map(|_| project.up().start()).collect();
    for run in runs {
        run.ends(0);
    }
    let events = watch.so_far();
    // The engine also reports a volume as created if a container uses an existing one.
    for made in [
        "network create spct-at-once_default",
        "container start spct-at-once-db-1",
        "container start spct-at-once-web-1",
    ] {
        assert_eq!(events.iter().filter(|event| *event == made).count(), 1, "{made}: {events:#?}");
    }
}
