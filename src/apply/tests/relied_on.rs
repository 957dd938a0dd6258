//! What was ready has to go on running until the verb returns.

use super::*;

/// `web`, which dies a second and a half after its start, and a database that takes five seconds to get ready.
fn dying(code: i64, restart: &str) -> (Machine, Value) {
    let machine = machine_with(1, |builder| {
        let web = Process::new().exits_after(millis(1500), code);
        builder.process("web", web).process("db", Process::new().ready_after(secs(5)))
    });
    let description = json!({"services": {
        "db": {"image": "db:1", "healthcheck": check("pg_isready")},
        "web": {"image": "web:1", "ports": ["8000:8000"], "restart": restart},
    }});
    (machine, description)
}

#[test]
fn a_container_without_a_check_that_dies_before_the_verb_returns_fails_it() {
    for (restart, again) in [("no", ""), ("on-failure", ", and the engine starts it again"), ("always", ", and the engine starts it again")]
    {
        let (machine, description) = dying(1, restart);
        let failure = machine.up(&description).unwrap_err();
        let message = format!("\"web\" was ready, then exited with code 1{again}");
        assert_eq!((failure.kind, failure.message), (Kind::Unhealthy, message), "{restart}");
        assert_eq!(failure.fields["service"].to_string().trim_matches('"'), "web");
        let died = machine.when("die shop-web-1");
        assert!(machine.conductor.now() < died + secs(1), "at once, not when the database is ready");
        assert!(!machine.footprint().locked);
    }
}

#[test]
fn a_verb_that_returns_before_is_not_held_up() {
    let (machine, _) = dying(1, "no");
    machine.up(&json!({"services": {"web": {"image": "web:1", "ports": ["8000:8000"]}}})).unwrap();
    assert!(machine.conductor.now() < machine.when("start shop-web-1") + secs(1));
}

#[test]
fn a_start_and_a_restart_watch_what_they_started_too() {
    for verb in [verbs::Lifecycle::Start, verbs::Lifecycle::Restart] {
        let (machine, description) = dying(1, "no");
        machine.engine.set_process("shop-web-1", Process::new());
        machine.up(&description).unwrap();
        let services = BTreeSet::from(["db".to_owned(), "web".to_owned()]);
        machine.run(verbs::lifecycle(&machine.around(), PROJECT, &services, verbs::Lifecycle::Stop, None)).unwrap();
        machine.engine.set_process("shop-web-1", Process::new().exits_after(millis(1500), 1));
        let failure = machine.run(verbs::lifecycle(&machine.around(), PROJECT, &services, verb, None)).unwrap_err();
        assert_eq!(failure.message, "\"web\" was ready, then exited with code 1");
    }
}

#[test]
fn a_job_that_ends_meanwhile_is_done() {
    let machine = machine_with(1, |builder| {
        let job = Process::new().exits_after(millis(1500), 0);
        builder.process("migrate", job).process("db", Process::new().ready_after(secs(5)))
    });
    let db = json!({"image": "db:1", "healthcheck": check("pg_isready")});
    machine.up(&json!({"services": {"db": db, "job": {"image": "job:1"}}})).unwrap();
    assert_eq!(machine.state().container("shop-job-1").unwrap().state, "exited");
}

#[test]
fn one_that_nobody_requires_is_warned_of() {
    let (machine, mut description) = dying(1, "no");
    description["services"]["db"]["depends_on"] = json!({"web": {"condition": "service_started", "required": false}});
    machine.up(&description).unwrap();
    let warning = "\"web\" was ready, then exited with code 1: not required, going on without it";
    assert!(machine.logged().contains(&warning.to_owned()), "{:?}", machine.logged());
}

#[test]
fn one_with_a_check_that_the_engine_starts_again_is_waited_for_once_more() {
    let (machine, mut description) = dying(1, "always");
    description["services"]["web"]["healthcheck"] = check("curl");
    machine.engine.set_process("shop-web-1", Process::new().ready_after(millis(300)));
    let around = machine.around();
    let end = async {
        machine.conductor.sleep(millis(5500)).await;
        machine.engine.end_process("shop-web-1", 1).unwrap();
    };
    let (result, ()) = machine.up_while(&around, &description, end);
    result.unwrap();
    let started = machine.engine.event_trace().iter().filter(|line| line.contains("start shop-web-1")).count();
    assert_eq!(started, 2);
    // Not again and again.
    let (machine, mut description) = dying(1, "always");
    description["services"]["web"]["healthcheck"] = check("curl");
    let failure = machine.up(&description).unwrap_err();
    assert_eq!(failure.message, "\"web\" was ready, then exited with code 1, and the engine starts it again");
}

#[test]
fn what_a_replacement_stops_on_purpose_is_no_death() {
    let machine = machine();
    machine.up(&shop()).unwrap();
    machine.up(&with(shop(), "services.db.environment.LEVEL", "2")).unwrap();
    machine.engine.set_process("shop-web-1.new", Process::new().ready_after(secs(9000)));
    let failure = machine.up(&with(shop(), "services.web.environment", json!({"A": "1"}))).unwrap_err();
    assert!(failure.message.starts_with("\"web\" is not ready after"), "{failure}");
}
