//! Health checks on dockerd's schedule.

use futures::StreamExt;

use super::*;

/// Seconds from the container's start to each event with this action.
fn times(fixture: &EngineFixture, action: &str) -> Vec<f64> {
    let trace = fixture.engine.event_trace();
    let time = |line: &String| line.split(' ').next().unwrap().parse::<f64>().unwrap();
    let start = trace.iter().find(|line| line.contains("container start ")).map(time).unwrap();
    let rounded = |line| ((time(line) - start) * 1000.0).round() / 1000.0;
    trace.iter().filter(|line| line.contains(action)).map(rounded).collect()
}

#[test]
fn the_first_probe_comes_only_after_a_whole_interval() {
    let fixture = plain();
    fixture.up("web", with_health("app:1", health(10.0, 5.0, 0.0, 3)));
    assert_eq!(fixture.status("web"), "Up Less than a second (health: starting)");
    fixture.pass(9.5);
    assert_eq!(fixture.status("web"), "Up 9 seconds (health: starting)");
    fixture.pass(1.0);
    assert_eq!(fixture.status("web"), "Up 10 seconds (healthy)");
    assert_eq!(times(&fixture, "exec_create: /bin/sh -c check"), [10.0]);
    assert_eq!(times(&fixture, "health_status: healthy"), [10.033]);
}

#[test]
fn the_next_probe_comes_an_interval_after_the_last_one_ended() {
    let fixture = fixture(|builder| {
        builder.process(
            "app:1",
            Process::new()
                .on_exec(|_, _| Some(ExecAnswer::default().taking(Duration::from_secs(1)))),
        )
    });
    fixture.up("web", with_health("app:1", health(2.0, 5.0, 0.0, 3)));
    fixture.pass(9.5);
    assert_eq!(times(&fixture, "exec_create"), [2.0, 5.0, 8.0]);
}

#[test]
fn failures_count_after_the_start_period_and_only_in_a_row() {
    let fixture = fixture(|builder| {
        builder.process("app:1", Process::new().ready_after(Duration::from_secs(6)))
    });
    fixture.up("web", with_health("app:1", health(1.0, 1.0, 2.5, 2)));
    fixture.pass(8.0);
    // Probes at 1, 2.03 (in the start period), 3.07, 4.1 (the second that counts), 5.13, 6.17.
    assert_eq!(times(&fixture, "health_status: unhealthy"), [4.132]);
    assert_eq!(times(&fixture, "health_status: healthy"), [6.198]);
    let health = fixture
        .run(fixture.engine.container_inspect("web"))
        .unwrap()
        .state
        .unwrap()
        .health
        .unwrap();
    assert_eq!(health.failing_streak, Some(0));
    let log = health.log.unwrap();
    assert_eq!(
        log.iter().map(|result| result.exit_code.unwrap()).collect::<Vec<_>>(),
        [1, 1, 1, 0, 0]
    );
    assert_eq!(log[0].output.as_deref(), Some("not ready\n"));
}

#[test]
fn from_api_1_44_on_the_start_period_has_its_own_interval() {
    let start =
        models::HealthConfig { start_interval: Some(200_000_000), ..health(30.0, 5.0, 40.0, 3) };
    let modern = fixture(|builder| {
        builder
            .api_version(MODERN)
            .process("app:1", Process::new().ready_after(Duration::from_secs(1)))
    });
    modern.up("web", with_health("app:1", start.clone()));
    modern.pass(60.0);
    assert_eq!(times(&modern, "health_status: healthy"), [1.165]);
    // Five in the start period; once healthy the usual interval counts.
    assert_eq!(times(&modern, "exec_create").len(), 6);

    let old = fixture(|builder| {
        builder.process("app:1", Process::new().ready_after(Duration::from_secs(1)))
    });
    old.up("web", with_health("app:1", start));
    old.pass(60.0);
    assert_eq!(times(&old, "health_status: healthy"), [30.033]);
}

#[test]
fn the_default_start_interval_of_a_new_engine_is_five_seconds() {
    let fixture = fixture(|builder| builder.api_version(MODERN));
    fixture.up("web", with_health("app:1", health(30.0, 5.0, 40.0, 3)));
    fixture.pass(31.0);
    assert_eq!(times(&fixture, "health_status: healthy"), [5.033]);
}

#[test]
fn a_late_probe_is_a_failure() {
    let slow = || {
        Process::new().on_exec(|_, _| Some(ExecAnswer::default().taking(Duration::from_secs(5))))
    };
    let fixture = fixture(|builder| builder.process("app:1", slow()));
    fixture.up("web", with_health("app:1", health(1.0, 0.5, 0.0, 1)));
    fixture.pass(2.0);
    assert_eq!(times(&fixture, "health_status: unhealthy"), [1.5]);
    let log = fixture
        .run(fixture.engine.container_inspect("web"))
        .unwrap()
        .state
        .unwrap()
        .health
        .unwrap()
        .log
        .unwrap();
    assert_eq!(
        (log[0].exit_code, log[0].output.as_deref()),
        (Some(-1), Some("Health check exceeded timeout (500ms)"))
    );
    assert_eq!(fixture.actions("web").last().unwrap(), "exec_die 127");
}

#[test]
fn a_test_that_cannot_run_is_a_failure_without_an_exit() {
    let missing = || {
        Process::new().on_exec(|_, _| {
            Some(ExecAnswer::cannot_run("exec: \"curl\": executable file not found in $PATH"))
        })
    };
    let fixture = fixture(|builder| builder.process("app:1", missing()));
    fixture.up("web", with_health("app:1", health(1.0, 1.0, 0.0, 1)));
    fixture.pass(1.5);
    let log = fixture
        .run(fixture.engine.container_inspect("web"))
        .unwrap()
        .state
        .unwrap()
        .health
        .unwrap()
        .log
        .unwrap();
    assert_eq!(log[0].exit_code, Some(-1));
    assert!(log[0].output.as_ref().unwrap().contains("executable file not found"));
    assert!(!fixture.actions("web").iter().any(|action| action.starts_with("exec_die")));
}

#[test]
fn the_images_check_counts_unless_it_is_disabled() {
    let fixture = fixture(|builder| {
        builder.image("checked:1", ImageSpec::command(&["serve"]).with_health_test("check"))
    });
    fixture.up("web", body("checked:1"));
    assert_eq!(fixture.status("web"), "Up Less than a second (health: starting)");
    let none = models::HealthConfig {
        test: Some(vec!["NONE".to_owned()]),
        ..models::HealthConfig::default()
    };
    fixture.up("quiet", with_health("checked:1", none));
    assert_eq!(fixture.status("quiet"), "Up Less than a second");
    assert_eq!(
        fixture.run(fixture.engine.container_inspect("quiet")).unwrap().state.unwrap().health,
        None
    );
}

#[test]
fn health_can_come_and_go() {
    let second = Duration::from_secs;
    let flapping = Process::new().ready_after(second(3)).unready_between(second(10), second(14));
    let fixture = fixture(|builder| builder.process("app:1", flapping));
    fixture.up("web", with_health("app:1", health(1.0, 1.0, 0.0, 2)));
    fixture.pass(30.0);
    let verdicts: Vec<_> = fixture
        .actions("web")
        .into_iter()
        .filter(|action| action.starts_with("health_status"))
        .collect();
    assert_eq!(
        verdicts,
        ["unhealthy", "healthy", "unhealthy", "healthy"]
            .map(|verdict| format!("health_status: {verdict}"))
    );
}

#[test]
fn an_end_makes_unhealthy_and_a_start_opens_the_question_again() {
    let fixture = plain();
    fixture.up("web", with_health("app:1", health(1.0, 1.0, 0.0, 1)));
    fixture.pass(2.0);
    fixture.run(fixture.engine.container_stop("web", &StopRequest::default())).unwrap();
    assert_eq!(fixture.engine.state().container("web").unwrap().health, Some("unhealthy"));
    fixture.run(fixture.engine.container_start("web")).unwrap();
    let health = fixture
        .run(fixture.engine.container_inspect("web"))
        .unwrap()
        .state
        .unwrap()
        .health
        .unwrap();
    assert_eq!(
        (health.status, health.log.unwrap().len()),
        (Some(models::HealthStatusEnum::STARTING), 1)
    );
    fixture.pass(10.0);
    assert_eq!(fixture.engine.state().container("web").unwrap().health, Some("healthy"));
}

#[test]
fn the_event_of_health_comes_while_everyone_waits() {
    let fixture = plain();
    fixture.run(async {
        let filters = Filters::from([("event".to_owned(), vec!["health_status".to_owned()])]);
        let mut events = fixture.engine.events(&filters, None).await.unwrap();
        fixture
            .engine
            .container_create("web", None, with_health("app:1", health(30.0, 1.0, 0.0, 1)))
            .await
            .unwrap();
        fixture.engine.container_start("web").await.unwrap();
        let started = fixture.executor.now();
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(event.action.as_deref(), Some("health_status: healthy"));
        assert_eq!(
            fixture.executor.now().checked_sub(started).unwrap(),
            Duration::from_millis(30_033)
        );
    });
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn waiting_for_a_health_that_never_comes_stalls_instead_of_going_on_for_ever() {
    let fixture = fixture(|builder| {
        builder.process("app:1", Process::new().ready_after(Duration::from_secs(1_000_000_000)))
    });
    fixture.up("web", with_health("app:1", health(10.0, 1.0, 0.0, 3)));
    fixture.run(fixture.executor.stalled().cancelled());
    assert!(fixture.executor.now() > Duration::from_hours(3 * 24));
    assert_eq!(fixture.status("web"), "Up 3 days (unhealthy)");
}
