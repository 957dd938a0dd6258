//! `up`: the created objects, their order, and the cost of a second `up`.

use super::*;
use crate::engine::Engine;
use crate::engine::StopRequest;
use crate::engine::sim::{Fault, FaultEffect, FaultPoint};

const LISTS: [&str; 4] = ["container_list", "image_list", "network_list", "volume_list"];

/// The methods that are called from the nth call on, sorted.
fn methods_from(machine: &Machine, first: usize) -> Vec<&'static str> {
    let mut methods: Vec<_> = machine.calls_from(first).iter().map(|call| call.method).collect();
    methods.sort_unstable();
    methods
}

#[test]
fn an_empty_engine_ends_with_everything_running_and_ready() {
    let machine = machine();
    let outcome = machine.up(&shop()).unwrap();
    let states: Vec<_> = outcome
        .containers
        .iter()
        .map(|container| (container.name.as_str(), container.state.word()))
        .collect();
    assert_eq!(
        states,
        [
            ("shop-db-1", "running"),
            ("shop-migrate-1", "exited"),
            ("shop-redis-1", "running"),
            ("shop-web-1", "running")
        ]
    );
    assert!(!machine.footprint().locked);
    assert!(
        machine.executor.now() < secs(4),
        "the engine's own checks come after 10 s: {:?}",
        machine.executor.now()
    );
}

#[test]
fn a_create_waits_only_for_what_it_names_and_a_start_for_its_conditions() {
    let machine = machine();
    machine.up(&shop()).unwrap();
    let when = |what: &str| machine.when(what);
    for service in ["db", "redis", "migrate", "web"] {
        // The step that delays the rest most is first for a moment. No create waits for readiness
        // of another service.
        let created = when(&format!("create shop-{service}-1"));
        assert!(
            created < when("start shop-db-1") + millis(300),
            "{service} is created before the database is ready"
        );
    }
    assert!(
        when("start shop-redis-1") < when("start shop-db-1") + millis(400),
        "redis does not wait for the database"
    );
    assert!(
        when("start shop-migrate-1") > when("start shop-db-1") + millis(700),
        "the job waits until the database is ready"
    );
    assert!(
        when("start shop-web-1") > when("die shop-migrate-1"),
        "web waits until the job is completed"
    );
}

#[test]
fn independent_branches_overlap() {
    let machine = machine_with(1, |builder| {
        let image = || ImageSpec::command(&["run"]);
        builder
            .registry_image("one:1", image(), secs(20))
            .registry_image("two:1", image(), secs(20))
            .registry_image("three:1", image(), secs(1))
    });
    let description = json!({"services": {
        "one": {"image": "one:1"},
        "two": {"image": "two:1"},
        "three": {"image": "three:1"},
        "four": {"image": "three:1", "depends_on": ["three"]},
    }});
    machine.up(&description).unwrap();
    assert!(
        machine.executor.now() < secs(25),
        "two pulls of 20 s side by side: {:?}",
        machine.executor.now()
    );
    assert!(
        machine.when("start shop-four-1") < secs(3),
        "what needs neither does not wait for them"
    );
}

#[test]
fn a_second_up_costs_four_lists_whatever_the_number_of_services() {
    for services in [3, 30] {
        let machine = machine();
        let service = |number| {
            (
                format!("s{number}"),
                json!({"image": "web:1", "healthcheck": check("curl"), "depends_on": if number > 0 { json!(["s0"]) } else { json!([]) }}),
            )
        };
        let description =
            json!({"services": (0..services).map(service).collect::<serde_json::Map<_, _>>()});
        machine.up(&description).unwrap();
        machine.pass(secs(15));
        let (calls, events) = (machine.calls(), machine.events());
        let outcome = machine.up(&description).unwrap();
        assert_eq!(methods_from(&machine, calls), LISTS);
        assert_eq!(machine.events(), events, "no event at all");
        assert_eq!((outcome.changes, outcome.containers.len()), (0, services));
        assert!(matches!(machine.seen.0.lock().last(), Some(Event::Unchanged { .. })));
    }
}

#[test]
fn health_and_exit_code_are_read_from_the_lists_text() {
    let machine = machine();
    machine.up(&shop()).unwrap();
    machine.pass(secs(15));
    let calls = machine.calls();
    let outcome = machine.up(&shop()).unwrap();
    assert_eq!(methods_from(&machine, calls), LISTS);
    let found: Vec<_> = outcome
        .containers
        .iter()
        .map(|it| (it.service.as_str(), it.health.word(), it.exit_code))
        .collect();
    assert_eq!(
        found,
        [
            ("db", "healthy", None),
            ("migrate", "", Some(0)),
            ("redis", "healthy", None),
            ("web", "healthy", None)
        ]
    );
}

#[test]
fn an_own_pass_counts_on_the_next_run_while_the_engine_says_starting() {
    let machine = machine();
    machine.up(&shop()).unwrap();
    assert_eq!(machine.state().container("shop-web-1").unwrap().health, Some("starting"));
    let calls = machine.calls();
    let outcome = machine.up(&shop()).unwrap();
    assert_eq!(outcome.changes, 0);
    let asked: Vec<_> = machine
        .calls_from(calls)
        .iter()
        .map(|call| call.method)
        .filter(|method| !LISTS.contains(method))
        .collect();
    assert_eq!(
        asked, ["container_inspect"; 3],
        "whether each that still starts was restarted since"
    );
    assert!(
        outcome
            .containers
            .iter()
            .all(|container| container.is_ready() || container.exit_code == Some(0))
    );
}

#[test]
fn an_own_pass_does_not_count_after_a_restart_of_the_container() {
    let machine = machine();
    machine.up(&shop()).unwrap();
    machine
        .run(crate::engine::Engine::container_restart(
            &machine.engine,
            "shop-db-1",
            &StopRequest::default(),
        ))
        .unwrap();
    let before = machine.executor.now();
    let calls = machine.calls();
    let outcome = machine.up(&shop()).unwrap();
    assert!(
        machine.executor.now() > before + millis(500),
        "it waits until the database is ready again"
    );
    assert!(
        machine.calls_from(calls).iter().all(|call| !call.mutates || call.method == "exec_start"),
        "and only waits"
    );
    assert_eq!((outcome.changes, outcome.waited.len()), (0, 1));
}

#[test]
fn only_the_named_services_come_up_with_what_they_need() {
    let machine = machine();
    let outcome = machine
        .up_with(
            &shop(),
            &UpOptions { services: Some(vec!["migrate".into()]), ..UpOptions::default() },
        )
        .unwrap();
    let names: Vec<_> =
        outcome.containers.iter().map(|container| container.service.as_str()).collect();
    assert_eq!(names, ["db", "migrate"]);
    assert_eq!(machine.footprint().networks, BTreeSet::from(["shop_default".to_owned()]));
}

#[test]
fn a_stopped_stack_starts_again_unchanged() {
    let machine = machine();
    machine.up(&shop()).unwrap();
    let services = BTreeSet::from(["db", "migrate", "redis", "web"].map(str::to_owned));
    machine
        .run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, verbs::Lifecycle::Stop, None))
        .unwrap();
    let events = machine.events();
    machine.up(&shop()).unwrap();
    let happened = machine.happened_from(events);
    let started: BTreeSet<_> =
        happened.iter().filter(|line| line.starts_with("start")).cloned().collect();
    assert_eq!(
        started,
        BTreeSet::from(
            ["start shop-db-1", "start shop-redis-1", "start shop-web-1"].map(str::to_owned)
        ),
        "not the job"
    );
}

#[test]
fn a_port_that_is_taken_names_who_has_it() {
    let machine = machine_with(1, |builder| builder.host_port(8000));
    let description = json!({"services": {"web": {"image": "web:1", "ports": ["8000:8000"]}}});
    let failure = machine.up(&description).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Conflict, "The port 8000 of \"shop-web-1\" is already taken")
    );
    machine.engine.free_port(8000);
    machine.up(&description).unwrap();
    assert!(!machine.footprint().locked);
}

#[test]
fn a_container_broken_by_an_engine_crash_is_reported_with_a_suggested_fix() {
    let left = Process::new().cannot_start("container with given ID already exists");
    let machine = machine_with(1, |builder| builder.process("web", left));
    let failure = machine.up(&json!({"services": {"web": {"image": "web:1"}}})).unwrap_err();
    assert!(
        failure.message.starts_with("Could not start the container \"shop-web-1\": "),
        "{failure}"
    );
    let hint = failure.hint.unwrap_or_default();
    assert!(
        hint.contains("a crash of the engine") && hint.contains("`docker rm --force`"),
        "{hint}"
    );
    machine.engine.set_process("web", Process::new());
    machine.run(machine.engine.container_remove("shop-web-1", true, false)).unwrap();
    machine.up(&json!({"services": {"web": {"image": "web:1"}}})).unwrap();
}

#[test]
fn a_full_disk_fails_the_run_and_the_next_run_continues() {
    for method in [
        "container_create",
        "network_create",
        "volume_create",
        "container_start",
        "container_upload",
    ] {
        let machine = machine();
        let nth = if method.starts_with("container_") { 2 } else { 1 };
        machine
            .engine
            .fault(Fault { on: FaultPoint::method(method, nth), effect: FaultEffect::NoSpace });
        let failure = machine.up(&shop()).unwrap_err();
        assert!(failure.message.contains("no space left"), "{method}: {failure}");
        assert!(!machine.footprint().locked, "{method}");
        machine.up(&shop()).unwrap();
        assert_eq!(machine.footprint().containers.len(), 4, "{method}");
    }
}

#[test]
fn a_failed_up_names_the_containers_that_it_leaves() {
    let machine = machine_with(1, |builder| {
        builder
            .process("redis", Process::new().exits_after(millis(50), 1))
            .process("db", Process::new().ready_after(millis(100)))
    });
    let described = json!({"services": {
        "db": {"image": "db:1", "healthcheck": check("pg_isready")},
        "redis": {"image": "redis:1", "depends_on": {"db": {"condition": "service_healthy"}}},
        "web": {"image": "web:1", "depends_on": {"redis": {"condition": "service_healthy"}}, "ports": ["8000"]},
    }});
    let left = |failure: &Failure| {
        let detail = failure.details.iter().find(|detail| detail.title == "after the failure");
        detail.map(|detail| detail.text.clone())
    };
    let failure = machine.up(&described).unwrap_err();
    assert_eq!(
        left(&failure).as_deref(),
        Some(
            "left running: db; left not running: redis, web; run the same command again to continue, or remove them with `down()`"
        )
    );
    // The next run creates nothing.
    let failure = machine.up(&described).unwrap_err();
    assert_eq!(left(&failure), None, "{failure:?}");
}
