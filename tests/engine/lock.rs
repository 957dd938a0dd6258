//! The project lock: only one run at a time changes a project, even if that run is killed.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::docker::{docker, exec, is_there};
use super::images::busybox;
use super::project::Project;
use super::spc::RunningSpc;
use super::until::until;
use super::watch::EventWatch;

/// Another run takes a lock over if its counter does not change for this time.
const STALE: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(120);
/// Without `--wait-lock` a run waits this long.
const DEFAULT_WAIT: Duration = Duration::from_secs(120);

/// A project in which `db` becomes ready on request and `web` starts afterwards. So the test
/// decides how long an `up` holds the lock.
fn project(name: &str) -> Project {
    let project = Project::new(name);
    let image = busybox();
    project.stack(&format!(
        r#"services: #{{
            db: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", healthcheck: #{{ test: "test -f /tmp/well", interval: "5s" }} }},
            web: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", depends_on: #{{ db: #{{ condition: "service_healthy" }} }} }},
        }}"#
    ));
    project
}

fn lock(project: &Project) -> String {
    format!("{}.spc-lock", project.name)
}

/// Starts an `up` that holds the lock and waits for `db`.
fn owner(project: &Project) -> RunningSpc {
    let mut run = project.up().start();
    run.until_reported("db          started");
    assert!(is_there("container", &lock(project)));
    run
}

/// The same for a project in which `db` already runs.
fn owner_again(project: &Project) -> RunningSpc {
    let run = project.up().start();
    until("the lock is taken", LIMIT, || is_there("container", &lock(project)).then_some(()));
    run
}

fn let_db_get_ready(project: &Project) {
    exec(&project.container("db"), &["touch", "/tmp/well"]);
}

/// The number of start events of a service's container.
fn starts(events: &[String], project: &Project, service: &str) -> usize {
    events
        .iter()
        .filter(|event| **event == format!("container start {}", project.container(service)))
        .count()
}

#[test]
fn a_second_run_waits_for_the_first_and_then_changes_nothing() {
    let project = project("lock-wait");
    let mut watch = EventWatch::on(&project.name);
    let first = owner(&project);
    let mut second = project.up().start();
    second.until_reported("changes this project");
    let plan = project.spc(&["plan", "scripts/up.rhai"]).ends(0);
    let said = format!("{}{}", plan.stdout, plan.stderr);
    assert!(said.contains("changes this project") && !said.contains("taken over"), "{said}");
    let_db_get_ready(&project);
    first.ends(0);
    second.ends(0).does_not_print(&["created", "started"]);
    assert_eq!(starts(&watch.so_far(), &project, "web"), 1);
    assert!(!is_there("container", &lock(&project)));
}

#[test]
fn a_run_that_waited_for_a_release_does_not_revert_it() {
    let project = Project::new("lock-kept");
    let image = busybox();
    let service =
        r#"command: ["sleep", "1000"], stop_grace_period: "0s", environment: #{ TAG: o.tag }"#;
    let check =
        r#"healthcheck: #{ test: `test -f /tmp/well || test ${o.tag} = 1`, interval: "5s" }"#;
    let runbook = |end: &str| {
        format!(
            r#"let o = args(#{{ tag: arg::text("1", "Release").kept("TAG") }});
            let app = stack("{}", #{{ services: #{{ web: #{{ image: "{image}", {service}, {check} }} }} }});
            {end}"#,
            project.name
        )
    };
    project.file("scripts/release.rhai", &runbook("app.up();"));
    project
        .file("scripts/guarded.rhai", &runbook(r#"guarded(app, "release", |g| { app.up(); });"#));
    let run = |runbook: &str, words: &[&str]| project.spc(&["run", runbook]).args(words);
    run("scripts/release.rhai", &[]).ends(0);
    let mut first = run("scripts/release.rhai", &["--tag", "2"]).start();
    first.until_reported("web         started");
    let waiting = ["scripts/release.rhai", "scripts/guarded.rhai"].map(|runbook| {
        let mut waits = run(runbook, &[]).start();
        waits.until_reported("changes this project");
        waits
    });
    exec(&format!("{}.new", project.container("web")), &["touch", "/tmp/well"]);
    first.ends(0);
    for waits in waiting {
        waits
            .ends(1)
            .prints(&[
                "up with --tag 2 meanwhile; this one began with 1",
                "run it again to go on with 2",
            ])
            .does_not_print(&["created"]);
    }
    run("scripts/release.rhai", &[]).ends(0).prints(&["unchanged"]);
    run("scripts/release.rhai", &["--tag", "1"]).ends(0).prints(&["(environment TAG"]);
}

#[test]
fn the_lock_of_a_killed_run_is_taken_over_immediately() {
    let project = project("lock-at-once");
    let mut watch = EventWatch::on(&project.name);
    owner(&project).kill();
    let begun = Instant::now();
    let mut waiters = [project.up().start(), project.up().start()];
    let left = lock(&project);
    waiters[0].until_reported("lock        waiting");
    let_db_get_ready(&project);
    let ended = waiters.map(|waiter| waiter.ends(0));
    assert!(begun.elapsed() < STALE / 2, "{:?}", begun.elapsed());
    let took_over = ended
        .iter()
        .filter(|ended| ended.stderr.contains("whose process is gone: taken over"))
        .count();
    assert!(took_over >= 1, "{ended:?}");

    let events = watch.so_far();
    assert_eq!(
        (starts(&events, &project, "db"), starts(&events, &project, "web")),
        (1, 1),
        "{events:?}"
    );
    let turns: Vec<&str> = events
        .iter()
        .filter_map(|event| event.strip_suffix(&format!(" {left}")))
        .filter(|event| !event.contains("archive") && !event.contains("extract"))
        .collect();
    assert!(
        turns.chunks(2).all(|pair| pair == ["container create", "container destroy"]),
        "{turns:?}"
    );
}

#[test]
fn one_of_two_waiters_in_other_pid_namespaces_takes_over_a_stale_lock() {
    let project = project("lock-killed");
    let mut watch = EventWatch::on(&project.name);
    owner(&project).kill();
    let begun = Instant::now();
    // Each runs in a PID namespace, as in a container, so it can't see the owner's process.
    let mut waiters =
        [project.up().in_own_namespace().start(), project.up().in_own_namespace().start()];
    for waiter in &mut waiters {
        waiter.until_reported("changes this project");
    }
    let left = lock(&project);
    let id = docker(&["inspect", "--format", "{{.Id}}", &left]);
    until("the lock is taken over", LIMIT, || {
        super::docker::try_docker(&["inspect", "--format", "{{.Id}}", &left])
            .is_ok_and(|now| now != id)
            .then_some(())
    });
    assert!(begun.elapsed() >= STALE, "{:?}", begun.elapsed());
    let_db_get_ready(&project);
    let ended = waiters.map(|waiter| waiter.ends(0));
    let took_over = ended.iter().filter(|ended| ended.stderr.contains("taken over")).count();
    assert!(took_over >= 1, "{ended:?}");

    let events = watch.so_far();
    assert_eq!(
        (starts(&events, &project, "db"), starts(&events, &project, "web")),
        (1, 1),
        "{events:?}"
    );
    // The lock container is created and removed alternately, so there are never two owners.
    let turns: Vec<&str> = events
        .iter()
        .filter_map(|event| event.strip_suffix(&format!(" {left}")))
        .filter(|event| !event.contains("archive") && !event.contains("extract"))
        .collect();
    assert!(
        turns.chunks(2).all(|pair| pair == ["container create", "container destroy"]),
        "{turns:?}"
    );
    assert_eq!(turns.len(), 6, "{turns:?}");
}

#[test]
fn a_paused_lock_owner_stops_after_its_lock_was_taken_over() {
    let project = project("lock-paused");
    let mut watch = EventWatch::on(&project.name);
    let first = owner(&project);
    first.signal(Signal::STOP);
    let mut second = project.up().start();
    second.until_reported("taken over");
    let_db_get_ready(&project);
    second.ends(0).prints(&["ready"]);
    // The first run's own probe has timed out, so it uses the engine's health check.
    first.signal(Signal::CONT);
    first.ends(4).prints(&["This run lost the project's lock"]);
    assert_eq!(starts(&watch.so_far(), &project, "web"), 1);
    assert!(!is_there("container", &lock(&project)));
}

#[test]
fn a_lock_owner_stops_after_its_lock_was_removed() {
    let project = project("lock-pruned");
    let first = owner(&project);
    docker(&["rm", &lock(&project)]);
    let_db_get_ready(&project);
    first.ends(4).prints(&["This run lost the project's lock", "run the same command again"]);
    project.up().ends(0).prints(&["started"]);
}

#[test]
fn a_run_that_does_not_want_to_wait_fails_at_once_and_names_the_owner() {
    let project = project("lock-wait");
    let owner = owner(&project);
    let begun = Instant::now();
    let failed = project.up().args(&["--wait-lock", "0s"]).ends(4);
    failed.prints(&["is locked", "--wait-lock"]);
    assert!(begun.elapsed() < DEFAULT_WAIT, "it waited");
    let waiting = project.up().args(&["--wait-lock", "10m"]).start();
    let_db_get_ready(&project);
    owner.ends(0);
    waiting.ends(0);
}

#[test]
fn unlock_removes_the_lock_of_a_running_process_only_with_yes() {
    let project = project("unlock");
    project.spc(&["unlock"]).ends(0).prints(&["is not locked"]);
    let live = owner(&project);
    project.spc(&["unlock"]).ends(2).prints(&[
        "The project \"spct-unlock\" is locked by",
        "which is running on this machine",
        "--yes",
    ]);
    assert!(is_there("container", &lock(&project)));
    live.kill();
    project.spc(&["unlock"]).ends(0).prints(&["The lock of \"spct-unlock\" is removed"]);
    assert!(!is_there("container", &lock(&project)));

    let live = owner_again(&project);
    project.spc(&["--yes", "unlock"]).ends(0).prints(&["The lock of \"spct-unlock\" is removed"]);
    assert!(!is_there("container", &lock(&project)));
    drop(live);
}
