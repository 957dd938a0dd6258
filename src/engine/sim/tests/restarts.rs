//! Restart policies, restarts by hand, and restarts of the engine itself.

use bollard::models::{RestartPolicy, RestartPolicyNameEnum};
use futures::StreamExt;

use super::*;

fn policy(name: RestartPolicyNameEnum, most: i64) -> ContainerCreateBody {
    let policy = RestartPolicy { name: Some(name), maximum_retry_count: Some(most) };
    with_host("app:1", HostConfig { restart_policy: Some(policy), ..HostConfig::default() })
}

fn crashing(code: i64) -> EngineFixture {
    bed(|builder| {
        builder.process("app:1", Process::new().exits_after(Duration::from_secs(1), code))
    })
}

#[test]
fn without_a_policy_an_exit_is_the_end() {
    let bed = crashing(1);
    bed.up("web", body("app:1"));
    bed.pass(60.0);
    assert_eq!(bed.engine.state().container("web").unwrap().starts, 1);
}

#[test]
fn on_failure_is_about_failures_and_counts_them() {
    let bed = crashing(1);
    bed.up("web", policy(RestartPolicyNameEnum::ON_FAILURE, 2));
    bed.pass(60.0);
    let state = bed.engine.state();
    assert_eq!(
        (state.container("web").unwrap().starts, state.container("web").unwrap().state),
        (3, "exited")
    );
    assert_eq!(bed.run(bed.engine.container_inspect("web")).unwrap().restart_count, Some(2));

    let bed = crashing(0);
    bed.up("web", policy(RestartPolicyNameEnum::ON_FAILURE, 2));
    bed.pass(60.0);
    assert_eq!(bed.engine.state().container("web").unwrap().starts, 1);
}

#[test]
fn always_waits_twice_as_long_each_time() {
    let bed = crashing(1);
    bed.up("web", policy(RestartPolicyNameEnum::ALWAYS, 0));
    bed.pass(8.0);
    let trace = bed.engine.event_trace();
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
    assert_eq!(bed.status("web"), "Restarting (1) Less than a second ago");
}

#[test]
fn a_restarting_container_counts_as_running_and_is_stopped_without_a_signal() {
    let bed = crashing(1);
    bed.up("web", policy(RestartPolicyNameEnum::ALWAYS, 0));
    bed.pass(1.05);
    let state = bed.run(bed.engine.container_inspect("web")).unwrap().state.unwrap();
    assert_eq!((state.running, state.restarting), (Some(true), Some(true)));
    assert!(bed.run(bed.engine.container_stop("web", &StopRequest::default())).unwrap());
    bed.pass(60.0);
    assert_eq!(bed.actions("web"), ["create", "start", "die 1", "stop"]);
}

#[test]
fn what_was_stopped_by_hand_is_not_restarted() {
    for name in [RestartPolicyNameEnum::ALWAYS, RestartPolicyNameEnum::UNLESS_STOPPED] {
        let bed = plain();
        bed.up("web", policy(name, 0));
        bed.run(bed.engine.container_stop("web", &StopRequest::default())).unwrap();
        bed.pass(60.0);
        assert_eq!(bed.engine.state().container("web").unwrap().state, "exited", "{name}");
    }
}

#[test]
fn what_crashes_is_restarted() {
    let bed = plain();
    bed.up("web", policy(RestartPolicyNameEnum::UNLESS_STOPPED, 0));
    bed.engine.end_process("web", 1).unwrap();
    bed.pass(1.0);
    assert_eq!(bed.engine.state().container("web").unwrap().state, "running");
    assert_eq!(bed.actions("web"), ["create", "start", "die 1", "start"]);
}

#[test]
fn a_restart_by_hand_stops_then_starts() {
    let bed = plain();
    bed.up("web", body("app:1"));
    bed.run(bed.engine.container_restart("web", &StopRequest::default())).unwrap();
    assert_eq!(
        bed.actions("web"),
        ["create", "start", "kill", "die 0", "stop", "start", "restart"]
    );
    assert_eq!(bed.run(bed.engine.container_inspect("web")).unwrap().restart_count, Some(0));
}

#[test]
fn an_engine_restart_breaks_calls_and_streams_and_starts_again_what_its_policy_says() {
    let bed = plain();
    bed.up("always", policy(RestartPolicyNameEnum::ALWAYS, 0));
    bed.up("unless", policy(RestartPolicyNameEnum::UNLESS_STOPPED, 0));
    bed.up("stopped", policy(RestartPolicyNameEnum::UNLESS_STOPPED, 0));
    bed.up("never", body("app:1"));
    bed.run(bed.engine.container_stop("stopped", &StopRequest::default())).unwrap();
    bed.run(async {
        let mut events = bed.engine.events(&Filters::new(), None).await.unwrap();
        let wait = bed.engine.container_wait("never");
        let restart = async {
            bed.executor.sleep(Duration::from_millis(10)).await;
            bed.engine.restart(Duration::from_secs(2));
        };
        let (waited, ()) = futures::future::join(wait, restart).await;
        assert_eq!(waited.unwrap_err().kind, EngineErrorKind::Unreachable);
        while events.next().await.is_some() {}
        assert_eq!(bed.engine.version().await.unwrap_err().kind, EngineErrorKind::Unreachable);
        bed.executor.sleep(Duration::from_secs(3)).await;
        assert!(bed.engine.version().await.is_ok());
    });
    let states: Vec<_> = bed
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
fn who_waits_for_a_container_between_restarts_hears_of_its_removal() {
    let policy = models::RestartPolicy {
        name: Some(models::RestartPolicyNameEnum::ALWAYS),
        maximum_retry_count: None,
    };
    let bed = bed(|builder| {
        builder.process("app:1", Process::new().exits_after(Duration::from_secs(1), 3))
    });
    bed.up(
        "web",
        with_host("app:1", HostConfig { restart_policy: Some(policy), ..HostConfig::default() }),
    );
    // Its third exit is followed by a pause of 400 ms.
    while bed
        .engine
        .past_events()
        .iter()
        .filter(|event| event.action.as_deref() == Some("die"))
        .count()
        < 3
    {
        bed.pass(0.05);
    }
    assert_eq!(bed.engine.state().container("web").unwrap().state, "restarting");
    bed.run(async {
        let (exit, removed) = futures::future::join(bed.engine.container_wait("web"), async {
            bed.executor.sleep(Duration::from_millis(20)).await;
            bed.engine.container_remove("web", true, true).await
        })
        .await;
        assert_eq!((exit, removed), (Ok(3), Ok(())));
    });
}

#[test]
fn a_newer_engine_says_stop_and_die_in_either_order() {
    let bed = bed(|builder| builder.api_version(MODERN));
    bed.run(bed.engine.container_create("web", None, body("app:1"))).unwrap();
    for _ in 0..20 {
        bed.run(bed.engine.container_start("web")).unwrap();
        bed.run(bed.engine.container_stop("web", &StopRequest::default())).unwrap();
    }
    let actions = bed.actions("web").join(" ");
    assert!(actions.contains("die 0 stop") && actions.contains("stop die 0"), "{actions}");
}
