//! Interrupts at each phase of a run. spc reports what it did and cleans up, and the next run
//! continues.

use std::time::Duration;

use rustix::process::Signal;

use super::docker::{containers, docker, exec, inspect, is_there, objects};
use super::images::busybox;
use super::project::Project;
use super::until::until;
use crate::support::FullPipe;

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn an_interrupt_while_waiting_keeps_created_containers_and_up_continues() {
    let project = Project::waiting("int-wait");
    let mut run = project.up().start();
    run.until_reported("db          started");
    run.signal(Signal::INT);
    let ended = run.ends(130).prints(&[
        "interrupted: finishing the steps that have started",
        "run the same command again to continue",
        "start container spct-int-wait-web-1",
    ]);
    assert!(ended.took < LIMIT);
    let made = containers(&project.name);
    assert_eq!(made.len(), 2);
    assert!(!is_there("container", "spct-int-wait.spc-lock"), "the lock is given back");

    exec(&project.container("db"), &["touch", "/tmp/well"]);
    project.up().ends(0).prints(&["ready"]).does_not_print(&["created"]);
    assert_eq!(containers(&project.name), made);
}

#[test]
fn an_interrupt_while_building_ends_the_build() {
    let project = Project::new("int-build");
    let marker = std::process::id();
    project.file(
        "app/Dockerfile",
        &format!("FROM {}\nRUN echo marked {marker}; sleep 1000\n", busybox()),
    );
    project.stack(r#"services: #{ web: #{ image: "local/spct-int-build:1", build: "./app" } }"#);
    let mut run = project.up().start();
    run.until_reported(&format!("| marked {marker}"));
    run.signal(Signal::INT);
    run.ends(130).prints(&["build image local/spct-int-build:1"]);
    let built = || docker(&["ps", "--all", "--quiet", "--filter", "name=spct-int-build"]);
    assert_eq!(built(), "");
    // The build's command is a process on this machine.
    let sleeps = || {
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let mut lines =
            processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        lines.any(|line| String::from_utf8_lossy(&line).contains(&format!("echo marked {marker}")))
    };
    until("the build's command ends", LIMIT, || (!sleeps()).then_some(()));

    project.file("app/Dockerfile", &format!("FROM {}\nCMD [\"sleep\", \"1000\"]\n", busybox()));
    project.up().ends(0).prints(&["built", "started"]);
    super::docker::remove_project(&project.name);
    docker(&["image", "rm", "local/spct-int-build:1"]);
}

#[test]
fn an_interrupt_during_a_replacement_restores_the_old_container() {
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
    run.until_reported("spct-int-replace-db-1.new");
    run.until_reported("db          started");
    run.signal(Signal::INT);
    run.ends(130).prints(&["db: the previous container is running again"]);
    assert_eq!(containers(&project.name), before);
    assert_eq!(inspect(&project.container("db"))["State"]["Running"], true);
    stack("true");
    project.up().ends(0).prints(&["unchanged"]);
}

#[test]
fn an_interrupted_run_with_blocked_output_rolls_back_and_releases_its_lock() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let project = Project::new("int-unread");
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
        let pipe = FullPipe::new();
        let run = project.up().prints_to(pipe.end()).start();
        // The new container starts after the old one has stopped.
        let runs =
            |name: &str| is_there("container", name) && inspect(name)["State"]["Running"] == true;
        until("the old container is replaced", LIMIT, || {
            (is_there("container", "spct-int-unread-db-1")
                && containers(&project.name) != before
                && runs("spct-int-unread-db-1.new"))
            .then_some(())
        });
        run.signal(signal);
        assert!(run.ends(130).took < LIMIT);
        assert_eq!(containers(&project.name), before, "{signal:?}");
        assert!(runs("spct-int-unread-db-1"), "{signal:?}");
        assert!(!is_there("container", "spct-int-unread.spc-lock"), "the lock is given back");
    }
}

#[test]
fn a_second_interrupt_exits_immediately() {
    let project = Project::new("int-twice");
    // Stopping the container takes 20 s. After one interrupt, spc would wait for it.
    let command = r#"command: ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], stop_grace_period: "20s""#;
    project.stack(&format!("services: #{{ web: #{{ image: \"{}\", {command} }} }}", busybox()));
    project.up().ends(0);
    let mut run = project.spc(&["run", "scripts/down.rhai"]).start();
    run.until_reported("stopping");
    run.signal(Signal::INT);
    run.until_reported("press Ctrl-C again to exit now");
    run.signal(Signal::INT);
    let ended = run.ends(130);
    assert!(ended.took < Duration::from_secs(15), "{:?}", ended.took);
}

#[test]
fn an_interrupt_while_waiting_for_the_lock_does_not_affect_its_owner() {
    let project = Project::new("int-lock");
    let check = r#"healthcheck: #{ test: "test -f /tmp/well", interval: "1h" }"#;
    project.stack(&format!(
        r#"services: #{{ web: #{{ image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s", {check} }} }}"#,
        busybox()
    ));
    let mut owner = project.up().start();
    owner.until_reported("web         started");
    let mut waiter = project.spc(&["run", "scripts/down.rhai"]).start();
    waiter.until_reported("changes this project");
    waiter.signal(Signal::TERM);
    waiter.ends(130);
    exec(&project.container("web"), &["touch", "/tmp/well"]);
    owner.ends(0).prints(&["ready"]);
}

#[test]
fn an_interrupted_down_continues_on_the_next_run() {
    let project = Project::new("int-down");
    let deaf = r#"command: ["sh", "-c", "trap '' TERM; touch /tmp/deaf; while :; do sleep 1; done"], stop_grace_period: "3s""#;
    project.stack(&format!(
        r#"services: #{{
            db: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s" }},
            web: #{{ image: "{image}", {deaf}, depends_on: ["db"], healthcheck: #{{ test: "test -f /tmp/deaf", interval: "1h" }} }},
        }}"#,
        image = busybox()
    ));
    project.up().ends(0);
    let mut run = project.spc(&["run", "scripts/down.rhai"]).start();
    run.until_reported("web         stopping");
    run.signal(Signal::INT);
    // spc finishes the current stop and starts no other step.
    run.ends(130).prints(&[
        "web         stopped",
        "not done",
        "remove container spct-int-down-web-1",
    ]);
    assert_eq!(containers(&project.name).len(), 2);
    assert_eq!(inspect(&project.container("db"))["State"]["Running"], true);
    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    assert_eq!(objects(&project.name), [""; 0]);
}
