//! Restart policies: a job that ends by itself is completed, and a container that the engine
//! restarts again and again is not ready.

use similar_asserts::assert_eq;

use super::*;

/// `web`, which ends `after` its start, beside a database that becomes ready after five seconds.
fn ending(after: Duration, code: i64, web: Value) -> (Machine, Value) {
    let machine = machine_with(1, |builder| {
        builder
            .process("web", Process::new().exits_after(after, code))
            .process("db", Process::new().ready_after(secs(5)))
    });
    let mut web = web;
    web["image"] = json!("web:1");
    (
        machine,
        json!({"services": {"web": web, "db": {"image": "db:1", "healthcheck": check("pg_isready")}}}),
    )
}

#[test]
fn a_service_that_exits_with_code_0_and_is_not_restarted_is_completed() {
    for restart in [None, Some("no"), Some("on-failure"), Some("on-failure:3")] {
        for after in [millis(100), millis(1500)] {
            let web = restart.map_or_else(|| json!({}), |restart| json!({"restart": restart}));
            let (machine, description) = ending(after, 0, web);
            machine
                .up(&description)
                .unwrap_or_else(|failure| panic!("{restart:?} {after:?}: {failure}"));
            assert_eq!(machine.state().container("shop-web-1").unwrap().state, "exited");
            // A later run reports the exit, unless the description expects it.
            let calls = machine.calls();
            machine.up(&description).unwrap();
            assert!(machine.calls_from(calls).iter().all(|call| !call.mutates), "{restart:?}");
            let said = machine.logged().into_iter().rfind(|text| text.starts_with("shop-web-1"));
            let is_warned = said.is_some_and(|said| {
                said.starts_with("shop-web-1 exited with code 0 and counts as a completed job")
            });
            assert_eq!(is_warned, restart.is_none(), "{restart:?}");
        }
    }
}

#[test]
fn a_job_without_dependents_fails_up_only_if_it_fails_before_it_counts_as_ready() {
    for restart in [json!({}), json!({"restart": "no"})] {
        let up = |after: Duration| {
            let machine = machine_with(1, |builder| {
                builder.process(
                    "job",
                    Process::new().says(Duration::ZERO, "no table").exits_after(after, 3),
                )
            });
            let mut job = restart.clone();
            job["image"] = json!("job:1");
            let description = json!({"services": {"job": job}});
            (machine.up(&description), machine, description)
        };
        let (result, _, _) = up(millis(200));
        let failure = result.unwrap_err();
        assert_eq!((failure.kind, &failure.fields["code"]), (Kind::Unhealthy, &json!(3)));
        assert!(
            failure.details.iter().any(|detail| detail.text.contains("no table")),
            "{failure:?}"
        );
        // Like any service without a health check. A service that needs its completion waits for
        // it.
        let (result, machine, description) = up(secs(1));
        result.unwrap();
        machine.pass(secs(2));
        assert_eq!(machine.state().container("shop-job-1").unwrap().exit_code, 3);
        assert!(machine.up(&description).is_ok());
        let starts = machine.engine.past_events();
        let starts = starts.iter().filter(|it| it.action.as_deref() == Some("start")).count();
        assert_eq!(starts, 2, "the next one starts it again");
    }
}

#[test]
fn a_service_with_ports_that_exits_with_code_0_is_not_completed() {
    for restart in ["no", "on-failure", "always"] {
        let (machine, description) =
            ending(millis(1500), 0, json!({"restart": restart, "ports": ["8000:8000"]}));
        let failure = machine.up(&description).unwrap_err();
        assert_eq!(failure.kind, Kind::Unhealthy, "{restart}: {failure}");
    }
}

#[test]
fn a_service_in_a_restart_loop_always_fails_the_run() {
    for restart in ["always", "on-failure", "unless-stopped"] {
        for passed in [1, 2, 3, 7, 20, 50] {
            let machine = machine_with(1, |builder| {
                builder.process("web", Process::new().exits_after(secs(1), 1))
            });
            let description = json!({"services": {"web": {"image": "web:1", "restart": restart}}});
            // The container has run for 0.3 s. After the `up`, no run watches it.
            machine.up(&description).unwrap();
            machine.pass(secs(passed) + millis(500));
            let failure = machine.up(&description).unwrap_err();
            assert_eq!(failure.kind, Kind::Unhealthy, "{restart}, after {passed} s: {failure}");
            assert!(failure.message.starts_with("\"web\" exited "), "{failure}");
            assert!(failure.message.ends_with(" times with code 1"), "{failure}");
        }
    }
}

#[test]
fn a_service_that_recovers_from_a_restart_loop_becomes_ready() {
    let machine =
        machine_with(1, |builder| builder.process("web", Process::new().exits_after(secs(1), 1)));
    let description = json!({"services": {"web": {"image": "web:1", "restart": "always"}}});
    machine.up(&description).unwrap();
    machine.engine.set_process("web", Process::new());
    machine.engine.set_process("shop-web-1", Process::new());
    machine.pass(secs(3));
    let begun = machine.executor.now();
    machine.up(&description).unwrap();
    let waited = machine.executor.now().saturating_sub(begun);
    assert!(waited > secs(5) && waited < secs(12), "{waited:?}");
    // Later it is unchanged: nothing to do.
    machine.pass(secs(60));
    let calls = machine.calls();
    machine.up(&description).unwrap();
    assert!(
        machine.calls_from(calls).iter().all(|call| call.method.ends_with("_list")),
        "four lists are all that is asked"
    );
}

#[test]
fn a_job_that_fails_shows_what_it_wrote_last() {
    let job = Process::new()
        .says(millis(10), "migrating")
        .complains(millis(20), "no such table")
        .exits_after(millis(100), 3);
    let machine = machine_with(1, |builder| builder.process("job", job));
    let description = json!({"services": {
        "job": {"image": "job:1"},
        "web": {"image": "web:1", "depends_on": {"job": {"condition": "service_completed_successfully"}}},
    }});
    let failure = machine.up(&description).unwrap_err();
    assert_eq!(failure.message, "\"job\" exited with code 3");
    let log = failure.details.iter().find(|detail| detail.title == "last log lines").unwrap();
    assert_eq!(log.text, "migrating\nno such table");
}
