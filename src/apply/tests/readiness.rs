//! Readiness of containers, and the messages if a container does not become ready.

use super::*;
use crate::engine::ApiVersion;
use crate::engine::Engine;
use crate::engine::sim::{ExecAnswer, Fault, FaultEffect, FaultPoint};

/// One service `web`, whose process is `process`.
fn one(process: Process) -> Machine {
    machine_with(1, |builder| builder.process("web", process))
}

fn web(more: Value) -> Value {
    let mut service = json!({"image": "web:1"});
    service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"services": {"web": service}})
}

/// A service whose health check has this interval and timeout, in seconds, and these retries.
fn checked(interval: u64, timeout: u64, retries: u64) -> Value {
    web(
        json!({"healthcheck": {"test": "check", "interval": format!("{interval}s"), "timeout": format!("{timeout}s"), "retries": retries}}),
    )
}

/// The start of each probe, of spc and of the engine.
fn probes(machine: &Machine) -> Vec<Duration> {
    let trace = machine.engine.event_trace();
    // Excludes the exec that terminates a cancelled probe.
    let begun =
        trace.iter().filter(|line| line.contains("exec_create") && !line.contains("SPC_EXEC="));
    begun
        .map(|line| Duration::from_secs_f64(line.split(' ').next().unwrap().parse().unwrap()))
        .collect()
}

fn started(machine: &Machine) -> Duration {
    machine.when("start shop-web-1")
}

/// Details of a failure, as one text.
fn details(failure: &Failure) -> String {
    failure
        .details
        .iter()
        .map(|detail| format!("{}: {}", detail.title, detail.text))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_service_without_a_health_check_uses_the_one_of_its_image() {
    let machine = machine_with(1, |builder| {
        builder
            .image("checked:1", ImageSpec::command(&["serve"]).with_health_test("image-check"))
            .process("web", Process::new().ready_after(millis(400)))
    });
    machine.up(&json!({"services": {"web": {"image": "checked:1"}}})).unwrap();
    assert!(machine.executor.now() > started(&machine) + millis(400));
    assert!(
        machine
            .engine
            .event_trace()
            .iter()
            .any(|line| line.contains("exec_create: /bin/sh -c image-check"))
    );
}

#[test]
fn a_service_that_started_slowly_before_is_probed_later() {
    let machine = one(Process::new().ready_after(secs(4)));
    machine.up(&checked(30, 5, 3)).unwrap();
    let first = probes(&machine).len();
    machine.down(false).unwrap();
    let begun = machine.executor.now();
    let outcome = machine.up(&checked(30, 5, 3)).unwrap();
    let again: Vec<Duration> = probes(&machine).into_iter().filter(|at| *at > begun).collect();
    assert!(again.len() * 2 < first, "{} probes, {first} the first time", again.len());
    assert!(again[0] > begun + secs(3));
    assert!(outcome.ready.values().all(|took| *took < millis(4700)), "{:?}", outcome.ready);
    // Another check has its own history.
    let begun = machine.executor.now();
    machine.up(&checked(30, 4, 3)).unwrap();
    assert!(
        probes(&machine).into_iter().find(|at| *at > begun).is_some_and(|at| at < begun + secs(1))
    );
}

#[test]
fn a_disabled_check_means_ready_is_running() {
    for health in [json!({"disable": true}), json!({"test": ["NONE"]})] {
        let machine = machine_with(1, |builder| {
            builder
                .image("checked:1", ImageSpec::command(&["serve"]).with_health_test("image-check"))
                .process("web", Process::new().ready_after(secs(500)))
        });
        machine
            .up(&json!({"services": {"web": {"image": "checked:1", "healthcheck": health}}}))
            .unwrap();
        assert!(probes(&machine).is_empty());
        assert!(machine.executor.now() < secs(1));
    }
}

#[test]
fn a_check_runs_as_the_engine_would_run_it() {
    let machine = machine_with(1, |builder| {
        // The engine does not pass an image's SHELL to its containers.
        let image = ImageSpec {
            shell: vec!["/bin/bash".into(), "-ec".into()],
            ..ImageSpec::command(&["serve"]).with_health_test("check")
        };
        let seen = |request: &crate::engine::ExecRequest,
                    _: &mut crate::engine::sim::ProcessView| {
            let as_wanted = request.command == ["/bin/sh", "-c", "check"]
                && request.user.as_deref().is_none_or(|user| user == "1000");
            (!as_wanted).then(|| ExecAnswer::failure(1, "wrong"))
        };
        builder.image("checked:1", image).process("web", Process::new().on_exec(seen))
    });
    machine.up(&json!({"services": {"web": {"image": "checked:1", "user": "1000"}}})).unwrap();
    assert!(machine.executor.now() < secs(1));
}

#[test]
fn the_first_probe_comes_at_once_and_the_next_in_pauses_of_a_tenth_of_the_wait() {
    let machine = one(Process::new().ready_after(secs(15)));
    machine.up(&checked(60, 5, 3)).unwrap();
    let begun = probes(&machine);
    assert!(begun[0] < started(&machine) + millis(5), "{begun:?}");
    let mut long = 0;
    for pair in begun.windows(2) {
        let ended = pair[0] + millis(34);
        let pause = pair[1].saturating_sub(ended);
        let tenth = ended.saturating_sub(begun[0]) / 10;
        // A probe takes 34 ms here, and the minimum is twice that.
        let wanted = tenth.clamp(millis(69), secs(1));
        assert!(pause.abs_diff(wanted) <= millis(4), "{pause:?} after {:?}", pair[0]);
        long += usize::from(wanted == secs(1));
    }
    assert!(long >= 3, "{begun:?}: never longer than a second");
    assert!(machine.executor.now() < started(&machine) + secs(16) + millis(100));
}

#[test]
fn a_slow_probe_is_never_asked_sooner_than_twice_its_time_and_never_twice_at_once() {
    let slow = |_: &crate::engine::ExecRequest, view: &mut crate::engine::sim::ProcessView| {
        let answer = if view.running_for < secs(20) {
            ExecAnswer::failure(1, "no")
        } else {
            ExecAnswer::default()
        };
        Some(answer.taking(secs(2)))
    };
    let machine = one(Process::new().on_exec(slow));
    machine.up(&checked(600, 5, 3)).unwrap();
    let begun = probes(&machine);
    assert_eq!(begun.len(), 5);
    for pair in begun.windows(2) {
        assert!(pair[1] >= pair[0] + secs(6), "{begun:?}");
    }
}

#[test]
fn after_one_probe_that_timed_out_the_engines_verdict_counts() {
    let hangs = |_: &crate::engine::ExecRequest, view: &mut crate::engine::sim::ProcessView| {
        (view.running_for < secs(3)).then(|| ExecAnswer::default().taking(secs(600)))
    };
    let machine = one(Process::new().on_exec(hangs));
    machine.up(&checked(10, 1, 3)).unwrap();
    let begun = probes(&machine);
    assert_eq!(begun.len(), 2, "one of its own, then the engine's: {begun:?}");
    assert!(begun[1] >= started(&machine) + secs(10));
    assert!(machine.executor.now() < started(&machine) + secs(11));
}

#[test]
fn a_check_that_can_not_run_is_reported_at_once() {
    for (answer, code) in [
        (ExecAnswer::cannot_run("exec: \"curl\": executable file not found in $PATH"), 126),
        (ExecAnswer::failure(127, "/bin/sh: curl: not found"), 127),
        (ExecAnswer::failure(126, "/bin/sh: curl: Permission denied"), 126),
    ] {
        let machine = one(Process::new().on_exec(move |_, _| Some(answer.clone())));
        let failure = machine.up(&checked(10, 5, 3)).unwrap_err();
        assert!(machine.executor.now() < secs(1));
        assert_eq!(
            failure.message,
            format!("The health check of \"web\" can't run: exit code {code}")
        );
        assert_eq!(
            failure.hint.as_deref(),
            Some("its test is `check`: install the program in the image, or use one that it has")
        );
        assert_eq!((failure.kind, &failure.fields["probe_code"]), (Kind::Unhealthy, &json!(code)));
        assert!(details(&failure).contains("curl"));
    }
}

#[test]
fn x_spc_probe_engine_uses_only_the_engines_health_checks() {
    let machine = one(Process::new());
    let description = with(checked(10, 5, 3), "services.web.x-spc-probe", "engine");
    let outcome = machine.up(&description).unwrap();
    assert_eq!(probes(&machine).len(), 1);
    assert!(machine.executor.now() > started(&machine) + secs(10));
    assert!(outcome.containers[0].is_ready());
}

#[test]
fn the_engines_event_wins_where_it_is_earlier() {
    let slow_at_first = |_: &crate::engine::ExecRequest,
                         view: &mut crate::engine::sim::ProcessView| {
        (view.running_for < millis(100)).then(|| ExecAnswer::default().taking(secs(4)))
    };
    let modern = ApiVersion { major: 1, minor: 51 };
    let machine = machine_with(1, |builder| {
        builder.api_version(modern).process("web", Process::new().on_exec(slow_at_first))
    });
    let health = json!({"test": "check", "interval": "30s", "timeout": "10s", "start_period": "30s", "start_interval": "200ms"});
    machine.up(&web(json!({"healthcheck": health}))).unwrap();
    assert!(machine.executor.now() < started(&machine) + millis(400));
    let state = records::Records::new(&*machine.host, &machine.ctx().policy, PROJECT).state();
    assert!(
        state.passes.is_empty(),
        "an own pass is recorded only where the engine does not say so itself"
    );
}

#[test]
fn a_passing_unhealthy_before_the_deadline_is_no_failure() {
    let machine = one(Process::new().ready_after(secs(3)));
    let description = with(checked(1, 1, 1), "services.web.x-spc-probe", "engine");
    machine.up(&description).unwrap();
    let health: Vec<_> = machine
        .engine
        .event_trace()
        .into_iter()
        .filter(|line| line.contains("health_status"))
        .collect();
    assert!(
        health[0].contains("unhealthy") && health[1].contains("health_status: healthy"),
        "{health:?}"
    );
}

#[test]
fn a_check_that_never_passes_fails_with_the_last_output_the_last_lines_and_the_code() {
    let refused = |_: &crate::engine::ExecRequest, _: &mut crate::engine::sim::ProcessView| {
        Some(ExecAnswer::failure(2, "connection refused"))
    };
    let machine =
        one(Process::new().says(millis(100), "listening on the wrong port").on_exec(refused));
    let failure = machine.up(&checked(2, 1, 2)).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Unhealthy, "\"web\" is not ready after 9 s")
    );
    assert_eq!(
        (&failure.fields["service"], &failure.fields["container"]),
        (&json!("web"), &json!("shop-web-1"))
    );
    assert_eq!(failure.fields["probe_code"], json!(2));
    assert_eq!(
        failure.hint.as_deref(),
        Some("its health check sets this limit: (interval 2 s + timeout 1 s) × (retries 2 + 1)")
    );
    let details = details(&failure);
    assert!(
        details.contains("last probe, exit code 2, after ")
            && details.contains("connection refused"),
        "{details}"
    );
    assert!(details.contains("last log lines: listening on the wrong port"), "{details}");
    let took = machine.executor.now().saturating_sub(started(&machine));
    assert!(took > secs(9) && took < secs(10), "what the check itself allows: {took:?}");
}

#[test]
fn a_timeout_of_the_callers_is_an_error_of_that_kind() {
    let machine = one(Process::new().ready_after(secs(60)));
    let failure = machine
        .up_with(&checked(10, 5, 3), &UpOptions { timeout: Some(secs(4)), ..UpOptions::default() })
        .unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Timeout, "\"web\" is not ready after 4 s")
    );
    assert_eq!(failure.hint.as_deref(), Some("the call sets this limit, with `timeout`"));
}

#[test]
fn a_container_that_exits_at_once_fails_with_its_code_and_last_lines() {
    for description in [checked(10, 5, 3), web(json!({})), web(json!({"ports": ["8000"]}))] {
        let process = Process::new().ready_after(secs(9)).complains(millis(10), "no configuration");
        let machine = one(process.exits_after(millis(60), 3));
        let failure = machine.up(&description).unwrap_err();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (Kind::Unhealthy, "\"web\" exited with code 3")
        );
        assert_eq!(failure.fields["code"], json!(3));
        assert!(details(&failure).contains("last log lines: no configuration"));
        assert!(machine.executor.now() < secs(1));
    }
}

#[test]
fn a_container_without_a_check_that_exits_at_once_with_0_is_a_completed_job_or_a_failure() {
    let machine = one(Process::new().exits_after(millis(60), 0));
    machine.up(&web(json!({}))).unwrap();
    let failure = machine.up(&web(json!({"ports": ["8000"]}))).unwrap_err();
    assert_eq!(failure.message, "\"web\" exited with code 0", "what publishes a port is no job");
    let hint = failure.hint.unwrap();
    assert!(hint.starts_with("its command ended without an error."), "{hint}");
}

#[test]
fn the_end_of_a_job_is_reported_before_its_wait_ends() {
    let machine = one(Process::new().exits_after(millis(60), 0));
    machine.up(&web(json!({}))).unwrap();
    let seen = machine.seen.0.lock();
    let completed = |event: &Event| matches!(event, Event::StepProgress { standing, .. } if standing.detail == Some(crate::model::event::Detail::Completed));
    assert_eq!(seen.iter().filter(|event| completed(event)).count(), 1);
}

#[test]
fn a_container_that_keeps_exiting_under_a_restart_policy_fails_after_the_third_time() {
    for (description, code) in [(checked(10, 5, 3), 1), (web(json!({})), 1), (web(json!({})), 0)] {
        let machine = one(Process::new().ready_after(secs(9)).exits_after(millis(60), code));
        let failure = machine.up(&with(description, "services.web.restart", "always")).unwrap_err();
        assert_eq!(failure.message, format!("\"web\" exited 3 times with code {code}"));
        let deaths = machine
            .engine
            .event_trace()
            .iter()
            .filter(|line| line.contains(" container die shop-web-1"))
            .count();
        assert_eq!(deaths, 3, "as often as it is said");
    }
}

/// The log lines in a failure.
fn shown_log(failure: &Failure) -> Vec<&str> {
    failure
        .details
        .iter()
        .filter(|detail| detail.title.starts_with("last log lines"))
        .flat_map(|detail| detail.text.lines())
        .collect()
}

#[test]
fn the_last_log_lines_are_those_of_the_start_that_failed() {
    let fails = |word: &str| {
        Process::new().ready_after(secs(9)).says(millis(1), word).exits_after(millis(60), 7)
    };
    for description in [
        web(json!({})),
        checked(10, 5, 3),
        with(checked(10, 5, 3), "services.web.restart", "always"),
    ] {
        let machine = one(fails("FIRST reason"));
        assert!(
            shown_log(&machine.up(&description).unwrap_err())
                .iter()
                .all(|line| *line == "FIRST reason")
        );
        machine.engine.set_process("web", fails("SECOND reason"));
        machine.pass(secs(120));
        let log = machine.up(&description).unwrap_err();
        let log = shown_log(&log);
        assert!(
            !log.is_empty() && log.len() <= 2 && log.iter().all(|line| *line == "SECOND reason"),
            "{log:?}"
        );
        // If the last start printed nothing, the output of an earlier start does not explain the
        // failure.
        machine
            .engine
            .set_process("web", Process::new().ready_after(secs(9)).exits_after(millis(60), 7));
        machine.pass(secs(120));
        let failure = machine.up(&description).unwrap_err();
        let titles: Vec<&str> =
            failure.details.iter().map(|detail| detail.title.as_str()).collect();
        assert!(
            shown_log(&failure).is_empty()
                || titles.contains(&"last log lines, of an earlier start"),
            "{failure:?}"
        );
    }
}

#[test]
fn the_engines_last_health_check_is_one_of_the_start_that_failed() {
    let machine = one(Process::new().on_exec(|_, _| Some(ExecAnswer::failure(4, "FIRST reason"))));
    let description = with(checked(1, 1, 1), "services.web.x-spc-probe", "engine");
    assert!(details(&machine.up(&description).unwrap_err()).contains("FIRST reason"));
    machine
        .run(machine.engine.container_stop("shop-web-1", &crate::engine::StopRequest::default()))
        .unwrap();
    machine.engine.set_process(
        "web",
        Process::new().says(millis(1), "SECOND reason").exits_after(millis(60), 7),
    );
    let failure = machine.up(&description).unwrap_err();
    assert!(
        !details(&failure).contains("FIRST reason") && details(&failure).contains("SECOND reason"),
        "{failure:?}"
    );
}

#[test]
fn a_container_that_exits_once_and_then_gets_ready_is_ready() {
    let machine = one(Process::new().exits_after(millis(500), 1).ready_after(secs(2)));
    let again = async {
        machine.executor.sleep(secs(1)).await;
        machine.engine.set_process("web", Process::new().ready_after(millis(200)));
    };
    let ctx = machine.ctx();
    let (result, ()) = machine.up_while(
        &ctx,
        &with(checked(10, 5, 3), "services.web.restart", "on-failure"),
        again,
    );
    assert!(result.unwrap().containers[0].is_ready());
}

#[test]
fn an_out_of_memory_kill_is_reported() {
    for description in [checked(10, 5, 3), web(json!({}))] {
        let machine =
            one(Process::new().runs_out_of_memory_after(millis(200)).ready_after(secs(9)));
        let failure = machine.up(&description).unwrap_err();
        assert_eq!(failure.message, "\"web\" exited with code 137 (killed)");
        assert_eq!(
            failure.hint.as_deref(),
            Some("it ran out of memory: raise its limit, or make it use less")
        );
        assert_eq!(failure.fields["oom_killed"], json!(true));
    }
}

#[test]
fn an_out_of_memory_kill_under_a_restart_policy_is_reported() {
    let machine = one(Process::new().runs_out_of_memory_after(millis(200)).ready_after(secs(9)));
    let failure =
        machine.up(&with(checked(10, 5, 3), "services.web.restart", "always")).unwrap_err();
    assert_eq!(failure.fields["oom_killed"], json!(true));
}

#[test]
fn a_missed_verdict_is_found_when_the_stream_of_events_is_back() {
    let machine = one(Process::new());
    let break_stream = async {
        machine.executor.sleep(secs(10) + millis(130)).await;
        machine.engine.fault(Fault { on: FaultPoint::Call(1), effect: FaultEffect::EventsEnd });
        machine.engine.version().await.unwrap();
    };
    let ctx = machine.ctx();
    let (result, ()) = machine.up_while(
        &ctx,
        &with(checked(10, 5, 3), "services.web.x-spc-probe", "engine"),
        break_stream,
    );
    result.unwrap();
    let passed = machine.when("health_status: healthy shop-web-1");
    assert!(machine.executor.now() < passed + millis(200), "at once, not at the next verdict");
}

#[test]
fn an_engine_that_restarts_while_a_container_is_waited_for_is_waited_for_too() {
    for probe in ["own", "engine"] {
        let machine = one(Process::new().ready_after(secs(3)));
        let restart = async {
            machine.executor.sleep(secs(2)).await;
            machine.engine.restart(secs(4));
        };
        let ctx = machine.ctx();
        let description = with(
            with(checked(10, 5, 3), "services.web.restart", "always"),
            "services.web.x-spc-probe",
            probe,
        );
        let (result, ()) = machine.up_while(&ctx, &description, restart);
        assert!(result.unwrap().containers[0].is_ready(), "{probe}");
        assert!(!machine.footprint().locked);
    }
}

#[test]
fn an_engine_that_does_not_come_back_fails_the_wait() {
    let machine = one(Process::new().ready_after(secs(300)));
    let restart = async {
        machine.executor.sleep(secs(2)).await;
        machine.engine.restart(secs(86_400));
    };
    let ctx = machine.ctx();
    let (result, ()) = machine.up_while(&ctx, &checked(60, 5, 30), restart);
    assert_eq!(result.unwrap_err().kind, Kind::Engine);
    assert!(machine.executor.now() < secs(60));
}

#[test]
fn an_engine_that_does_not_come_back_fails_the_wait_for_a_job_too() {
    let machine = machine_with(1, |builder| {
        builder.process("migrate", Process::new().exits_after(secs(500), 0))
    });
    let restart = async {
        machine.executor.sleep(secs(5)).await;
        machine.engine.restart(secs(86_400));
    };
    let (result, ()) = machine.up_while(&machine.ctx(), &shop(), restart);
    assert_eq!(result.unwrap_err().kind, Kind::Engine);
    assert!(machine.executor.now() < secs(60));
}

#[test]
fn a_container_removed_while_it_is_waited_for_fails_the_wait() {
    let machine = one(Process::new().ready_after(secs(30)));
    let remove = async {
        machine.executor.sleep(secs(2)).await;
        machine.engine.container_remove("shop-web-1", true, false).await.unwrap();
    };
    let ctx = machine.ctx();
    let (result, ()) = machine.up_while(&ctx, &checked(10, 5, 3), remove);
    let failure = result.unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Unhealthy, "\"web\" was removed while spc waited for it")
    );
}

#[test]
fn many_concurrent_probes_reduce_the_probe_rate() {
    let pauses = |services: usize| {
        let names: Vec<String> = (0..services).map(|number| format!("s{number}")).collect();
        let machine = machine_with(1, |builder| {
            builder.process("shop-s*", Process::new().ready_after(secs(1)))
        });
        let check = json!({"test": "check", "interval": "60s", "timeout": "5s", "retries": 3});
        let described: serde_json::Map<String, Value> = names
            .iter()
            .map(|name| (name.clone(), json!({"image": "web:1", "healthcheck": check})))
            .collect();
        machine.up(&json!({"services": described})).unwrap();
        probes(&machine).len() / services
    };
    let (alone, together) = (pauses(1), pauses(6));
    assert!(together < alone, "{together} probes each, {alone} for one alone");
}
