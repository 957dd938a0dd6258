//! Ctrl-C at any moment: spc starts nothing new, finishes or undoes the current steps, and the next
//! run continues.

use super::*;

/// Runs `up` and interrupts it after `time`; its result, and the calls made from then on.
fn interrupted(
    machine: &Machine,
    description: &Value,
    time: Duration,
) -> (Result<Outcome, Failure>, Vec<Call>) {
    let ctx = machine.ctx();
    let begun = machine.executor.now();
    let cancel = async {
        machine.executor.sleep(time).await;
        ctx.cancel.cancel();
    };
    let (result, ()) = machine.up_while(&ctx, description, cancel);
    let calls = machine.engine.calls().into_iter().filter(|call| call.at >= begun + time).collect();
    (result, calls)
}

fn changed() -> Value {
    let description = with(shop(), "services.db.environment.LEVEL", "2");
    with(description, "services.web.environment", json!({"WORKERS": "4"}))
}

/// Interrupts `up` again and again, each time a little later; true for a replacement.
fn sweep(prepare: impl Fn() -> Machine, description: &Value, replaces: bool) {
    let clean = {
        let machine = prepare();
        machine.up(description).unwrap();
        machine.footprint()
    };
    for step in 0.. {
        let machine = prepare();
        let before = machine.footprint();
        let time = millis(step * 40 + 7);
        let (result, calls) = interrupted(&machine, description, time);
        let Err(failure) = result else {
            assert!(step > 20, "it ends after {time:?}");
            return;
        };
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (Kind::Interrupted, "Interrupted"),
            "after {time:?}"
        );
        let new =
            ["network_create", "volume_create", "container_create", "image_pull", "image_build"];
        let begun: Vec<_> = calls.iter().filter(|call| new.contains(&call.method)).collect();
        assert!(begun.is_empty(), "after {time:?}: {begun:?}");
        let ended = calls.last().map_or(Duration::ZERO, |call| call.at.saturating_sub(calls[0].at));
        assert!(ended < secs(3), "it ends {ended:?} after the interrupt at {time:?}");
        let found = machine.footprint();
        assert!(!found.locked, "after {time:?}");
        if replaces {
            assert!(
                found.containers.keys().eq(before.containers.keys()),
                "after {time:?}: {found:?}"
            );
            for (name, container) in &found.containers {
                assert!(
                    [&before, &clean]
                        .iter()
                        .any(|footprint| footprint.containers[name] == *container),
                    "after {time:?}: {name} {container:?}"
                );
            }
        }
        one_writer_each(&machine.state());
        machine.up(description).unwrap();
        assert_eq!(machine.footprint(), clean, "after {time:?}");
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_first_up_interrupted_at_any_moment_continues_on_the_next_run() {
    sweep(machine, &shop(), false);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_replacement_interrupted_at_any_moment_is_undone_or_finished() {
    let prepare = || {
        let machine = machine();
        machine.up(&shop()).unwrap();
        machine.pass(secs(30));
        machine
    };
    sweep(prepare, &changed(), true);
}

#[test]
fn an_interrupted_run_says_what_was_done_and_what_was_not() {
    let machine = machine();
    let (result, _) = interrupted(&machine, &shop(), millis(600));
    let failure = result.unwrap_err();
    let detail = |title: &str| {
        failure.details.iter().find(|detail| detail.title == title).unwrap().text.clone()
    };
    assert!(
        detail("done").contains("start container shop-db-1")
            && detail("done").contains("create container shop-web-1")
    );
    assert_eq!(detail("not done"), "start container shop-migrate-1\nstart container shop-web-1");
    assert_eq!(failure.hint.as_deref(), Some("run the same command again to continue"));
}

#[test]
fn a_pull_is_broken_off_by_an_interrupt() {
    let machine = machine_with(1, |builder| {
        builder.registry_image("large:1", ImageSpec::command(&["run"]), secs(600))
    });
    let (result, _) =
        interrupted(&machine, &json!({"services": {"one": {"image": "large:1"}}}), secs(5));
    assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
    assert!(machine.executor.now() < secs(6));
    assert!(!machine.footprint().locked);
}

#[test]
fn a_run_that_was_interrupted_before_it_began_does_nothing() {
    let machine = machine();
    let ctx = machine.ctx();
    ctx.cancel.cancel();
    let failure =
        machine.run(verbs::up(&ctx, &project(&shop()), &UpOptions::default())).unwrap_err();
    assert_eq!(failure.kind, Kind::Interrupted);
    assert_eq!(machine.footprint(), Footprint::default());
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_down_interrupted_at_any_moment_continues_on_the_next_run() {
    for step in 0..30 {
        let machine = machine();
        machine.up(&shop()).unwrap();
        let ctx = machine.ctx();
        let cancel = async {
            machine.executor.sleep(millis(step * 20 + 3)).await;
            ctx.cancel.cancel();
        };
        let work = verbs::down(&ctx, PROJECT, DownOptions { volumes: true, adopt: false });
        let (result, ()) = machine.run(futures::future::join(work, cancel));
        assert!(result.is_ok() || result.unwrap_err().kind == Kind::Interrupted);
        assert!(!machine.footprint().locked);
        machine.down(true).unwrap();
        assert_eq!(machine.footprint(), Footprint::default());
    }
}

/// The database is replaced by one that does not get ready, and the one before does not get ready
/// again either.
fn no_way_back() -> Machine {
    let machine = machine();
    machine.up(&shop()).unwrap();
    machine.pass(secs(30));
    for name in ["shop-db-1", "shop-db-1.new"] {
        machine.engine.set_process(name, Process::new().ready_after(secs(9000)));
    }
    machine
}

#[test]
fn an_interrupted_rollback_waits_only_shortly_for_readiness() {
    let machine = no_way_back();
    let begun = machine.executor.now();
    let (result, _) =
        interrupted(&machine, &with(shop(), "services.db.environment.LEVEL", "2"), secs(5));
    assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
    let took = machine.executor.now().saturating_sub(begun + secs(5));
    assert!(took < secs(15), "{took:?}");
    assert_eq!(
        machine.logged(),
        [
            "db: rolling back to the previous container",
            "db: wait until ready container shop-db-1, at most 10 s",
            "db: the previous container is running again, but not ready after 10 s",
        ]
    );
    assert_eq!(machine.state().container("shop-db-1").unwrap().state, "running");
    assert!(!machine.footprint().locked);
}

#[test]
fn a_rollback_after_a_failure_waits_longer_but_ends() {
    let machine = no_way_back();
    let failure = machine.up(&with(shop(), "services.db.environment.LEVEL", "2")).unwrap_err();
    let line = "db: the previous container is running again, but not ready after 1 m";
    assert!(
        failure
            .details
            .iter()
            .any(|detail| detail.title == "after the failure" && detail.text == line),
        "{failure:?}"
    );
}

#[test]
fn each_step_of_a_rollback_has_its_own_time_limit() {
    use crate::engine::sim::{Fault, FaultEffect, FaultPoint};
    let machine = no_way_back();
    let begun = machine.executor.now();
    // The old one is stopped for the new one; then the new one for the old one.
    machine
        .engine
        .fault(Fault { on: FaultPoint::method("container_stop", 2), effect: FaultEffect::Hang });
    let (result, _) =
        interrupted(&machine, &with(shop(), "services.db.environment.LEVEL", "2"), secs(5));
    result.unwrap_err();
    let took = machine.executor.now().saturating_sub(begun + secs(5));
    assert!(took < secs(45), "{took:?}");
    let undone = |event: &Event| matches!(event, Event::StepProgress { label, standing } if label.undo && standing.text == "not done after 4 s");
    assert!(machine.seen.0.lock().iter().any(undone));
    let logged = machine.logged();
    let failed = "db: the previous container could not be restored: Could not stop container shop-db-1.new within 40 s";
    assert!(logged.contains(&failed.to_owned()), "{logged:?}");
    machine.engine.set_process("shop-db-1", Process::new());
    machine.up(&shop()).unwrap();
    one_writer_each(&machine.state());
}

#[test]
fn a_job_that_was_interrupted_is_ended_whether_it_is_a_first_one_or_a_changed_one() {
    let job = |label: &str| {
        json!({"services": {
            "job": {"image": "job:1", "labels": {"release": label}},
            "web": {"image": "web:1", "depends_on": {"job": {"condition": "service_completed_successfully"}}},
        }})
    };
    let slow = || {
        machine_with(1, |builder| builder.process("job", Process::new().exits_after(secs(60), 0)))
    };
    let is_up = |machine: &Machine| {
        machine
            .state()
            .containers
            .iter()
            .any(|it| it.name.starts_with("shop-job") && it.state == "running")
    };
    // A first one: it is gone, and the next run runs it.
    let machine = slow();
    let (result, _) = interrupted(&machine, &job("1"), secs(20));
    assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
    assert!(
        !machine.state().containers.iter().any(|it| it.name.starts_with("shop-job")),
        "{:?}",
        machine.state().containers
    );
    let begun = machine.executor.now();
    machine.up(&job("1")).unwrap();
    assert!(machine.executor.now() >= begun + secs(60), "it ran anew");
    // A changed one: the one before is there again, done.
    let (result, _) = interrupted(&machine, &job("2"), secs(20));
    assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
    assert!(!is_up(&machine));
    // One that is there and is run again by name: it is ended and stays.
    let ctx = machine.ctx();
    let cancel = async {
        machine.executor.sleep(secs(20)).await;
        ctx.cancel.cancel();
    };
    let options = UpOptions { services: Some(vec!["job".to_owned()]), ..UpOptions::default() };
    let described = project(&job("1"));
    let (result, ()) =
        machine.run(async { futures::join!(verbs::up(&ctx, &described, &options), cancel) });
    assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
    assert!(!is_up(&machine));
    assert!(machine.state().containers.iter().any(|it| it.name == "shop-job-1"), "it stays");
    let begun = machine.executor.now();
    machine.up(&job("1")).unwrap();
    assert!(
        machine.executor.now() >= begun + secs(60),
        "it was not done, though it may have ended with code 0"
    );
}
