//! A ready container has to keep running until the verb returns.

use super::*;
use crate::engine::Engine;
use crate::model::observed_state::ContainerState as State;

/// `web`, which dies a second and a half after its start, and a database that takes five seconds to
/// get ready.
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
    for (restart, again) in [
        ("no", ""),
        ("on-failure", ", and the engine starts it again"),
        ("always", ", and the engine starts it again"),
    ] {
        let (machine, description) = dying(1, restart);
        let failure = machine.up(&description).unwrap_err();
        let message = format!("\"web\" was ready, then exited with code 1{again}");
        assert_eq!((failure.kind, failure.message), (Kind::Unhealthy, message), "{restart}");
        assert_eq!(failure.fields["service"].to_string().trim_matches('"'), "web");
        let died = machine.when("die shop-web-1");
        assert!(machine.executor.now() < died + secs(1), "at once, not when the database is ready");
        assert!(!machine.footprint().locked);
    }
}

#[test]
fn a_verb_that_returns_before_is_not_held_up() {
    let (machine, _) = dying(1, "no");
    machine.up(&json!({"services": {"web": {"image": "web:1", "ports": ["8000:8000"]}}})).unwrap();
    assert!(machine.executor.now() < machine.when("start shop-web-1") + secs(1));
}

#[test]
fn a_start_and_a_restart_watch_what_they_started_too() {
    for verb in [verbs::Lifecycle::Start, verbs::Lifecycle::Restart] {
        let (machine, description) = dying(1, "no");
        machine.engine.set_process("shop-web-1", Process::new());
        machine.up(&description).unwrap();
        let services = BTreeSet::from(["db".to_owned(), "web".to_owned()]);
        machine
            .run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, verbs::Lifecycle::Stop, None))
            .unwrap();
        machine.engine.set_process("shop-web-1", Process::new().exits_after(millis(1500), 1));
        let failure = machine
            .run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, verb, None))
            .unwrap_err();
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
fn a_dead_optional_service_is_a_warning() {
    let (machine, mut description) = dying(1, "no");
    description["services"]["db"]["depends_on"] =
        json!({"web": {"condition": "service_started", "required": false}});
    machine.up(&description).unwrap();
    let warning = "\"web\" was ready, then exited with code 1: not required, continuing without it";
    assert!(machine.logged().contains(&warning.to_owned()), "{:?}", machine.logged());
}

#[test]
fn one_with_a_check_that_the_engine_starts_again_is_waited_for_once_more() {
    let (machine, mut description) = dying(1, "always");
    description["services"]["web"]["healthcheck"] = check("curl");
    machine.engine.set_process("shop-web-1", Process::new().ready_after(millis(300)));
    let ctx = machine.ctx();
    let end = async {
        machine.executor.sleep(millis(5500)).await;
        machine.engine.end_process("shop-web-1", 1).unwrap();
    };
    let (result, ()) = machine.up_while(&ctx, &description, end);
    result.unwrap();
    let started = machine
        .engine
        .event_trace()
        .iter()
        .filter(|line| line.contains("start shop-web-1"))
        .count();
    assert_eq!(started, 2);
    // Not again and again.
    let (machine, mut description) = dying(1, "always");
    description["services"]["web"]["healthcheck"] = check("curl");
    let failure = machine.up(&description).unwrap_err();
    assert_eq!(
        failure.message,
        "\"web\" was ready, then exited with code 1, and the engine starts it again"
    );
}

#[test]
fn a_container_stopped_for_its_replacement_does_not_count_as_dead() {
    let machine = machine();
    machine.up(&shop()).unwrap();
    machine.up(&with(shop(), "services.db.environment.LEVEL", "2")).unwrap();
    machine.engine.set_process("shop-web-1.new", Process::new().ready_after(secs(9000)));
    let failure =
        machine.up(&with(shop(), "services.web.environment", json!({"A": "1"}))).unwrap_err();
    assert!(failure.message.starts_with("\"web\" is not ready after"), "{failure}");
}

/// `web`, unchanged and running, while a new `db` takes five seconds to get ready.
fn unchanged(restart: &str, checked: bool) -> (Machine, Value) {
    let machine = machine_with(1, |builder| {
        let db = Process::new().ready_after(secs(5));
        builder
            .process("db", db)
            .process("web", Process::new().ready_after(millis(100)).says(millis(10), "serving"))
    });
    let mut web = json!({"image": "web:1", "ports": ["8000:8000"], "restart": restart});
    if checked {
        web["healthcheck"] =
            json!({"test": "curl", "interval": "1s", "timeout": "1s", "retries": 2});
    }
    machine.up(&json!({"services": {"web": web}})).unwrap();
    (
        machine,
        json!({"services": {"web": web, "db": {"image": "db:1", "healthcheck": check("pg_isready")}}}),
    )
}

#[test]
fn an_unchanged_container_that_dies_meanwhile_fails_the_verb() {
    for (restart, again) in [("no", ""), ("always", ", and the engine starts it again")] {
        let (machine, description) = unchanged(restart, false);
        let begun = machine.executor.now();
        let end = async {
            machine.executor.sleep(millis(1500)).await;
            machine.engine.say("shop-web-1", "out of ideas").unwrap();
            machine.engine.end_process("shop-web-1", 3).unwrap();
        };
        let (result, ()) = machine.up_while(&machine.ctx(), &description, end);
        let failure = result.unwrap_err();
        assert_eq!(failure.message, format!("\"web\" was ready, then exited with code 3{again}"));
        assert_eq!(failure.kind, Kind::Unhealthy);
        assert_eq!(failure.fields["code"].to_string(), "3");
        assert!(
            failure.details.iter().any(|detail| detail.text.contains("out of ideas")),
            "{failure:?}"
        );
        assert!(
            machine.executor.now() < begun + secs(3),
            "at once, not when the database is ready"
        );
        assert!(!machine.footprint().locked);
    }
}

#[test]
fn an_unchanged_container_that_is_removed_meanwhile_fails_the_verb() {
    let (machine, description) = unchanged("always", false);
    let end = async {
        machine.executor.sleep(millis(1500)).await;
        machine.engine.container_remove("shop-web-1", true, false).await.unwrap();
    };
    let (result, ()) = machine.up_while(&machine.ctx(), &description, end);
    assert_eq!(
        result.unwrap_err().message,
        "\"web\" was ready, but another program removed its container"
    );
}

#[test]
fn an_unchanged_container_with_a_check_may_come_back_before_the_verb_returns() {
    let (machine, description) = unchanged("always", true);
    let end = async {
        machine.executor.sleep(millis(1500)).await;
        machine.engine.end_process("shop-web-1", 3).unwrap();
    };
    let (result, ()) = machine.up_while(&machine.ctx(), &description, end);
    result.unwrap();
    assert_eq!(machine.state().container("shop-web-1").unwrap().state, "running");
}

#[test]
fn an_unchanged_container_that_is_unhealthy_at_the_end_is_waited_for_once_more() {
    for (recovers_at, recovers) in [(14, true), (90_000, false)] {
        let machine = machine_with(1, |builder| {
            let web =
                Process::new().ready_after(millis(100)).unready_between(secs(3), secs(recovers_at));
            builder.process("web", web).process("db", Process::new().ready_after(secs(9)))
        });
        let check_often = json!({"test": "curl", "interval": "1s", "timeout": "1s", "retries": 2});
        let web = json!({"image": "web:1", "healthcheck": check_often});
        machine.up(&json!({"services": {"web": web}})).unwrap();
        let begun = machine.executor.now();
        let result = machine.up(&json!({"services": {"web": web, "db": {"image": "db:1", "healthcheck": check("pg_isready")}}}));
        assert_eq!(result.is_ok(), recovers, "{result:?}");
        assert!(machine.executor.now() > begun + secs(10), "not when the database was ready");
        if let Err(failure) = result {
            assert_eq!(failure.fields["service"].to_string().trim_matches('"'), "web", "{failure}");
        }
    }
}

#[test]
fn the_last_look_finds_what_no_event_reported() {
    use super::super::final_check::{FinalCheck, UnchangedContainer};
    let (machine, description) = unchanged("always", false);
    let (ctx, project) = (machine.ctx(), project(&description));
    let observed = machine.run(verbs::look(&ctx, PROJECT)).unwrap();
    let web = UnchangedContainer { id: observed.containers[0].id.clone(), service: "web".into() };
    let plan = crate::model::plan::Plan { project: PROJECT.into(), ..Default::default() };
    let still_up = FinalCheck { ctx: &ctx, project: &project, plan: &plan, deadline: None };
    let look = |state: Option<State>| {
        let mut observed = observed.clone();
        match state {
            Some(state) => observed.containers[0].state = state,
            None => observed.containers.clear(),
        }
        machine.run(still_up.check(&observed, std::slice::from_ref(&web)))
    };
    assert_eq!(look(Some(State::Running)), Ok(false));
    let paused = look(Some(State::Paused)).unwrap_err();
    assert_eq!(
        (paused.message.as_str(), paused.hint.as_deref().unwrap()),
        ("\"web\" was ready and is paused now", "resume it with `docker unpause shop-web-1`")
    );
    assert_eq!(
        look(None).unwrap_err().message,
        "\"web\" was ready, but another program removed its container"
    );
    for state in [State::Exited, State::Restarting, State::Dead] {
        let failure = look(Some(state)).unwrap_err();
        assert!(
            failure.message.starts_with("\"web\" was ready, then exited with code"),
            "{failure}"
        );
    }
}

#[test]
fn optional_and_unnamed_services_are_not_part_of_the_final_check() {
    let (machine, mut description) = unchanged("no", false);
    description["services"]["db"]["depends_on"] =
        json!({"web": {"condition": "service_started", "required": false}});
    let end = async {
        machine.executor.sleep(millis(1500)).await;
        machine.engine.end_process("shop-web-1", 3).unwrap();
    };
    let (result, ()) = machine.up_while(&machine.ctx(), &description, end);
    result.unwrap();
    let (machine, description) = unchanged("no", false);
    let project = project(&description);
    let options = UpOptions { services: Some(vec!["db".into()]), ..UpOptions::default() };
    let ctx = machine.ctx();
    let end = async {
        machine.executor.sleep(millis(1500)).await;
        machine.engine.end_process("shop-web-1", 3).unwrap();
    };
    let (result, ()) = machine.run(futures::future::join(verbs::up(&ctx, &project, &options), end));
    result.unwrap();
}
