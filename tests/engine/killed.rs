//! `up` killed or interrupted at any point: the next one arrives, with nothing orphaned or doubled.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::process::Signal;

use super::docker::{containers, docker, exec, inspect, is_there, objects};
use super::images::busybox;
use super::project::Project;
use super::until::until;
use super::watch::Watch;

const LIMIT: Duration = Duration::from_secs(60);

/// A database with a volume, and what needs it; `word` is in the environment of both.
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

/// What a project is: its objects, and of each container whether it runs, and the hash of its description.
fn state(project: &Project) -> (Vec<String>, BTreeMap<String, (bool, String)>) {
    let containers = containers(&project.name).into_keys().map(|name| {
        let found = inspect(&name);
        let hash = found["Config"]["Labels"]["dev.spc.hash"].as_str().unwrap().to_owned();
        (name, (found["State"]["Running"] == true, hash))
    });
    (objects(&project.name), containers.collect())
}

/// Kills `up` after each of so many of the engine's events, of all there are; each time the next one must arrive at `wanted`.
fn killed_on_the_way(project: &Project, points: usize, prepare: impl Fn()) {
    prepare();
    let mut watch = Watch::on(&project.name);
    describe(project, "wanted");
    project.up().ends(0);
    let events = watch.so_far();
    let wanted = state(project);
    assert!(wanted.1.values().all(|(runs, _)| *runs), "{wanted:?}");
    assert!(events.len() > points, "{events:?}");

    for point in 0..points {
        let kth = 1 + point * (events.len() - 1) / (points - 1);
        prepare();
        let mut watch = Watch::on(&project.name);
        describe(project, "wanted");
        let run = project.up().start();
        let last = (0..kth).map(|_| watch.next()).last();
        run.kill();
        // What waits for a lost run's lock is shown elsewhere; here it would take half a minute each time.
        project.spc(&["--yes", "unlock"]).ends(0);
        project.up().ends(0);
        assert_eq!(state(project), wanted, "killed after event {kth}, {last:?}");
        project.up().ends(0).told(&["unchanged"]);
    }
}

#[test]
fn a_first_up_that_is_killed_goes_on_from_there() {
    let project = Project::new("killed");
    killed_on_the_way(&project, 8, || super::docker::remove_project(&project.name));
}

#[test]
fn a_replacement_that_is_killed_goes_on_from_there() {
    let project = Project::new("killed-new");
    killed_on_the_way(&project, 8, || {
        describe(&project, "before");
        project.up().ends(0);
        exec(&project.container("db"), &["sh", "-c", "echo kept >/data/row"]);
    });
    assert_eq!(exec(&project.container("db"), &["cat", "/data/row"]), "kept\n");
}

#[test]
fn an_interrupt_while_waiting_leaves_what_was_made_and_up_goes_on() {
    let project = Project::new("int-wait");
    let image = busybox();
    project.stack(&format!(
        r#"services: #{{
            db: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", healthcheck: #{{ test: "test -f /tmp/well", interval: "1h" }} }},
            web: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", depends_on: #{{ db: #{{ condition: "service_healthy" }} }} }},
        }}"#
    ));
    let mut run = project.up().start();
    run.until_told("db          started");
    run.signal(Signal::INT);
    let ended = run.ends(130).told(&[
        "interrupted: finishing what was begun",
        "run it again: it goes on from here",
        "start container spct-int-wait-web-1",
    ]);
    assert!(ended.took < LIMIT);
    let made = containers(&project.name);
    assert_eq!(made.len(), 2);
    assert!(!is_there("container", "spct-int-wait.spc-lock"), "the lock is given back");

    exec(&project.container("db"), &["touch", "/tmp/well"]);
    project.up().ends(0).told(&["ready"]).not_told(&["created"]);
    assert_eq!(containers(&project.name), made);
}

#[test]
fn an_interrupt_while_building_ends_the_build() {
    let project = Project::new("int-build");
    let marker = std::process::id();
    project.file("app/Dockerfile", &format!("FROM {}\nRUN echo marked {marker}; sleep 1000\n", busybox()));
    project.stack(r#"services: #{ web: #{ image: "local/spct-int-build:1", build: "./app" } }"#);
    let mut run = project.up().start();
    run.until_told(&format!("| marked {marker}"));
    run.signal(Signal::INT);
    run.ends(130).told(&["build image local/spct-int-build:1"]);
    let built = || docker(&["ps", "--all", "--quiet", "--filter", "name=spct-int-build"]);
    assert_eq!(built(), "");
    // The command in the build is a process of this machine.
    let sleeps = || {
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        lines.any(|line| String::from_utf8_lossy(&line).contains(&format!("echo marked {marker}")))
    };
    until("the build's command ends", LIMIT, || (!sleeps()).then_some(()));

    project.file("app/Dockerfile", &format!("FROM {}\nCMD [\"sleep\", \"1000\"]\n", busybox()));
    project.up().ends(0).told(&["built", "started"]);
    super::docker::remove_project(&project.name);
    docker(&["image", "rm", "local/spct-int-build:1"]);
}

#[test]
fn an_interrupt_while_replacing_brings_the_old_container_back() {
    let project = Project::new("int-replace");
    let image = busybox();
    let stack = |check: &str| {
        project.stack(&format!(
            r#"services: #{{ db: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", healthcheck: #{{ test: "{check}", interval: "1h" }} }} }}"#
        ));
    };
    stack("true");
    project.up().ends(0);
    let before = containers(&project.name);
    stack("false");
    let mut run = project.up().start();
    run.until_told("spct-int-replace-db-1.new");
    run.until_told("db          started");
    run.signal(Signal::INT);
    run.ends(130).told(&["db: the container before serves again"]);
    assert_eq!(containers(&project.name), before);
    assert_eq!(inspect(&project.container("db"))["State"]["Running"], true);
    stack("true");
    project.up().ends(0).told(&["unchanged"]);
}

#[test]
fn a_second_interrupt_leaves_at_once() {
    let project = Project::new("int-twice");
    // Its stop takes 20 s: a short call that one interrupt would wait for.
    let command = r#"command: ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], stop_grace_period: "20s""#;
    project.stack(&format!("services: #{{ web: #{{ image: \"{}\", {command} }} }}", busybox()));
    project.up().ends(0);
    let mut run = project.spc(&["run", "scripts/down.rhai"]).start();
    run.until_told("stopping");
    run.signal(Signal::INT);
    run.until_told("once more leaves at once");
    run.signal(Signal::INT);
    let ended = run.ends(130);
    assert!(ended.took < Duration::from_secs(15), "{:?}", ended.took);
}
