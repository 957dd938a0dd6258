//! Restart policies, restarts by hand, and restarts of the engine itself.

use bollard::models::{RestartPolicy, RestartPolicyNameEnum};
use futures::StreamExt;

use super::*;

fn policy(name: RestartPolicyNameEnum, most: i64) -> ContainerCreateBody {
    let policy = RestartPolicy { name: Some(name), maximum_retry_count: Some(most) };
    with_host("app:1", HostConfig { restart_policy: Some(policy), ..HostConfig::default() })
}

fn crashing(code: i64) -> EngineFixture {
    fixture(|builder| {
        builder.process("app:1", Process::new().exits_after(Duration::from_secs(1), code))
    })
}

#[test]
fn a_container_without_a_restart_policy_stays_exited() {
    let fixture = crashing(1);
    fixture.up("web", body("app:1"));
    fixture.pass(60.0);
    assert_eq!(fixture.engine.state().container("web").unwrap().starts, 1);
}

#[test]
fn on_failure_is_about_failures_and_counts_them() {
    let fixture = crashing(1);
    fixture.up("web", policy(RestartPolicyNameEnum::ON_FAILURE, 2));
    fixture.pass(60.0);
    let state = fixture.engine.state();
    assert_eq!(
        (state.container("web").unwrap().starts, state.container("web").unwrap().state),
        (3, "exited")
    );
    assert_eq!(
        fixture.run(fixture.engine.container_inspect("web")).unwrap().restart_count,
        Some(2)
    );

    let fixture = crashing(0);
    fixture.up("web", policy(RestartPolicyNameEnum::ON_FAILURE, 2));
    fixture.pass(60.0);
    assert_eq!(fixture.engine.state().container("web").unwrap().starts, 1);
}

#[test]
fn always_waits_twice_as_long_each_time() {
    let fixture = crashing(1);
    fixture.up("web", policy(RestartPolicyNameEnum::ALWAYS, 0));
    fixture.pass(8.0);
    let trace = fixture.engine.event_trace();
    let at = |action: &str| -> Vec<f64> {
        trace
            .iter()
            .filter(|line| line.contains(action))
            .map(|line| line.split(' ').next().unwrap().parse().unwrap())
            .collect()
    };
    let pauses: Vec<String> = at("die")
        .iter()
        .zip(&at("start")[1..])
        .map(|(die, start)| format!("{:.0}", (start - die - 0.13) * 1000.0))
        .collect();
    assert_eq!(pauses, ["100", "200", "400", "800"]);
    assert_eq!(fixture.status("web"), "Restarting (1) Less than a second ago");
}

#[test]
fn a_restarting_container_counts_as_running_and_is_stopped_without_a_signal() {
    let fixture = crashing(1);
    fixture.up("web", policy(RestartPolicyNameEnum::ALWAYS, 0));
    fixture.pass(1.05);
    let state = fixture.run(fixture.engine.container_inspect("web")).unwrap().state.unwrap();
    assert_eq!((state.running, state.restarting), (Some(true), Some(true)));
    assert!(fixture.run(fixture.engine.container_stop("web", &StopRequest::default())).unwrap());
    fixture.pass(60.0);
    assert_eq!(fixture.actions("web"), ["create", "start", "die 1", "stop"]);
}

#[test]
fn a_manually_stopped_container_is_not_restarted() {
    for name in [RestartPolicyNameEnum::ALWAYS, RestartPolicyNameEnum::UNLESS_STOPPED] {
        let fixture = plain();
        fixture.up("web", policy(name, 0));
        fixture.run(fixture.engine.container_stop("web", &StopRequest::default())).unwrap();
        fixture.pass(60.0);
        assert_eq!(fixture.engine.state().container("web").unwrap().state, "exited", "{name}");
    }
}

#[test]
fn a_crashed_container_is_restarted() {
    let fixture = plain();
    fixture.up("web", policy(RestartPolicyNameEnum::UNLESS_STOPPED, 0));
    fixture.engine.end_process("web", 1).unwrap();
    fixture.pass(1.0);
    assert_eq!(fixture.engine.state().container("web").unwrap().state, "running");
    assert_eq!(fixture.actions("web"), ["create", "start", "die 1", "start"]);
}

#[test]
fn a_restart_by_hand_stops_then_starts() {
    let fixture = plain();
    fixture.up("web", body("app:1"));
    fixture.run(fixture.engine.container_restart("web", &StopRequest::default())).unwrap();
    assert_eq!(
        fixture.actions("web"),
        ["create", "start", "kill", "die 0", "stop", "start", "restart"]
    );
    assert_eq!(
        fixture.run(fixture.engine.container_inspect("web")).unwrap().restart_count,
        Some(0)
    );
}

#[test]
fn an_engine_restart_breaks_calls_and_streams_and_starts_again_what_its_policy_says() {
    let fixture = plain();
    fixture.up("always", policy(RestartPolicyNameEnum::ALWAYS, 0));
    fixture.up("unless", policy(RestartPolicyNameEnum::UNLESS_STOPPED, 0));
    fixture.up("stopped", policy(RestartPolicyNameEnum::UNLESS_STOPPED, 0));
    fixture.up("never", body("app:1"));
    fixture.run(fixture.engine.container_stop("stopped", &StopRequest::default())).unwrap();
    fixture.run(async {
        let mut events = fixture.engine.events(&Filters::new(), None).await.unwrap();
        let wait = fixture.engine.container_wait("never");
        let restart = async {
            fixture.executor.sleep(Duration::from_millis(10)).await;
            fixture.engine.restart(Duration::from_secs(2));
        };
        let (waited, ()) = futures::future::join(wait, restart).await;
        assert_eq!(waited.unwrap_err().kind, EngineErrorKind::Unreachable);
        while events.next().await.is_some() {}
        assert_eq!(fixture.engine.version().await.unwrap_err().kind, EngineErrorKind::Unreachable);
        fixture.executor.sleep(Duration::from_secs(3)).await;
        assert!(fixture.engine.version().await.is_ok());
    });
    let states: Vec<_> = fixture
        .engine
        .state()
        .containers
        .into_iter()
        .map(|container| (container.name, container.state))
        .collect();
    let expected =
        [("always", "running"), ("unless", "running"), ("stopped", "exited"), ("never", "exited")];
    assert_eq!(states, expected.map(|(name, state)| (name.to_owned(), state)));
}

#[test]
fn waiting_for_a_restarting_container_ends_with_its_removal() {
    let policy = models::RestartPolicy {
        name: Some(models::RestartPolicyNameEnum::ALWAYS),
        maximum_retry_count: None,
    };
    let fixture = fixture(|builder| {
        builder.process("app:1", Process::new().exits_after(Duration::from_secs(1), 3))
    });
    fixture.up(
        "web",
        with_host("app:1", HostConfig { restart_policy: Some(policy), ..HostConfig::default() }),
    );
    // Its third exit is followed by a pause of 400 ms.
    while fixture
        .engine
        .past_events()
        .iter()
        .filter(|event| event.action.as_deref() == Some("die"))
        .count()
        < 3
    {
        fixture.pass(0.05);
    }
    assert_eq!(fixture.engine.state().container("web").unwrap().state, "restarting");
    fixture.run(async {
        let (exit, removed) = futures::future::join(fixture.engine.container_wait("web"), async {
            fixture.executor.sleep(Duration::from_millis(20)).await;
            fixture.engine.container_remove("web", true, true).await
        })
        .await;
        assert_eq!((exit, removed), (Ok(3), Ok(())));
    });
}

#[test]
fn a_newer_engine_says_stop_and_die_in_either_order() {
    let fixture = fixture(|builder| builder.api_version(MODERN));
    fixture.run(fixture.engine.container_create("web", None, body("app:1"))).unwrap();
    for _ in 0..20 {
        fixture.run(fixture.engine.container_start("web")).unwrap();
        fixture.run(fixture.engine.container_stop("web", &StopRequest::default())).unwrap();
    }
    let actions = fixture.actions("web").join(" ");
    assert!(actions.contains("die 0 stop") && actions.contains("stop die 0"), "{actions}");
}
