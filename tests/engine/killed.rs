//! A run that is killed at any point: the next one reaches the state, and leaves nothing orphaned
//! or duplicated.

use super::docker::{containers, exec, inspect, objects};
use super::images::busybox;
use super::project::Project;
use super::spc::{RunningSpc, Spc};
use super::watch::{EventWatch, is_of_a_check};
use std::collections::BTreeMap;

/// A database with a volume, and a service that depends on it; `word` is in the environment of
/// both.
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

/// The state of a project: its objects, and for each container whether it runs, and the hash of its
/// description.
fn state(project: &Project) -> (Vec<String>, BTreeMap<String, (bool, String)>) {
    let containers = containers(&project.name).into_keys().map(|name| {
        let found = inspect(&name);
        let hash = found["Config"]["Labels"]["dev.spc.hash"].as_str().unwrap().to_owned();
        (name, (found["State"]["Running"] == true, hash))
    });
    (objects(&project.name), containers.collect())
}

/// Kills a run after each of this many events of the engine, evenly chosen. Each time `next` must
/// reach the same state as without a kill.
fn killed_on_the_way(
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
        // Another test covers the wait for a lost run's lock; here it would take half a minute each
        // time.
        project.spc(&["--yes", "unlock"]).ends(0);
        next().ends(0);
        assert_eq!(state(project), wanted, "killed after event {kth}, {last:?}");
        next().ends(0).prints(&["unchanged"]);
    }
}

/// An `up` of this description.
fn up(project: &Project, word: &str) -> Spc {
    describe(project, word);
    project.up()
}

/// The project as it was before, with a row in its database.
fn before(project: &Project) {
    up(project, "before").ends(0);
    exec(&project.container("db"), &["sh", "-c", "echo kept >/data/row"]);
}

fn assert_row_is_kept(project: &Project) {
    assert_eq!(exec(&project.container("db"), &["cat", "/data/row"]), "kept\n");
}

#[test]
fn a_first_up_that_is_killed_goes_on_from_there() {
    let project = Project::new("killed");
    let wanted = || up(&project, "wanted");
    killed_on_the_way(&project, 8, || super::docker::remove_project(&project.name), wanted, wanted);
}

#[test]
fn a_replacement_that_is_killed_goes_on_from_there() {
    let project = Project::new("killed-new");
    let wanted = || up(&project, "wanted");
    killed_on_the_way(&project, 8, || before(&project), wanted, wanted);
    assert_row_is_kept(&project);
}

#[test]
fn a_replacement_that_is_killed_can_be_taken_back() {
    let project = Project::new("killed-back");
    killed_on_the_way(
        &project,
        6,
        || before(&project),
        || up(&project, "wanted"),
        || up(&project, "before"),
    );
    assert_row_is_kept(&project);
}

#[test]
fn a_replacement_that_fails_and_is_killed_on_its_way_back_can_be_taken_back() {
    let project = Project::new("killed-bad");
    // Its check fails at once, so the old one is restored.
    let bad = || {
        describe(&project, "wanted");
        project.edit("scripts/stack.rhai", "touch /tmp/well; exec sleep 1000", "exit 3");
        project.up()
    };
    killed_on_the_way(&project, 8, || before(&project), bad, || up(&project, "before"));
    assert_row_is_kept(&project);
}

#[test]
fn a_start_first_replacement_that_is_killed_goes_on_from_there() {
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
    killed_on_the_way(
        &project,
        8,
        || drop(describe("before").ends(0)),
        || describe("wanted"),
        || describe("wanted"),
    );
}

#[test]
fn a_down_that_is_killed_goes_on_from_there() {
    let project = Project::new("killed-down");
    let down = || project.spc(&["run", "scripts/down.rhai"]);
    killed_on_the_way(&project, 6, || before(&project), down, down);
    assert_eq!(objects(&project.name), [""; 0]);
}

#[test]
fn runs_that_begin_at_once_make_everything_once() {
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
