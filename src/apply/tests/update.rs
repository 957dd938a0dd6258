//! `deploy.update_config`: batches, monitoring, and what happens if a container fails.

use similar_asserts::assert_eq;

use super::replacement::{level, names, running, watched, web};
use super::*;
use crate::engine::sim::CallSide;

/// Three containers of `web`, with these keys of `update_config`.
fn three(value: &str, order: &str, update: Value) -> Value {
    let mut description = with(web(value, order), "services.web.scale", 3);
    let config = description.pointer_mut("/services/web/deploy/update_config").unwrap();
    config.as_object_mut().unwrap().extend(update.as_object().unwrap().clone());
    description
}

fn levels(machine: &Machine) -> Vec<String> {
    (1..=3).map(|number| level(machine, &format!("shop-web-{number}"))).collect()
}

fn after_the_failure(failure: &Failure) -> Vec<&str> {
    let of = failure.details.iter().filter(|detail| detail.title == "after the failure");
    of.flat_map(|detail| detail.text.lines()).collect()
}

fn never_ready() -> Process {
    Process::new().ready_after(secs(9000))
}

fn ids(machine: &Machine) -> Vec<String> {
    machine.state().containers.iter().map(|container| container.id.clone()).collect()
}

#[test]
fn batches_follow_each_other_after_the_delay() {
    let update = json!({"parallelism": 2, "delay": "10s", "monitor": "5s"});
    let machine = running(&three("1", "stop-first", update.clone()));
    machine.up(&three("2", "stop-first", update)).unwrap();
    assert_eq!((levels(&machine), names(&machine).len()), (vec!["2".to_owned(); 3], 3));
    let at = |event: &str| machine.when(event);
    let apart = |one: Duration, other: Duration| other.saturating_sub(one);
    let (one, two) = (at("start shop-web-1.new"), at("start shop-web-2.new"));
    assert!(apart(one.min(two), one.max(two)) < secs(1), "one batch");
    assert!(apart(two, at("stop shop-web-3")) > secs(15), "the monitoring and the delay");
    let last = at("start shop-web-3.new");
    assert!(apart(last, at("destroy shop-web-1")) > secs(5), "it stays until the last is proven");
}

#[test]
fn a_failure_in_the_last_batch_restores_all_containers_of_the_service() {
    for order in ["stop-first", "start-first"] {
        let machine = running(&three("1", order, json!({})));
        machine.engine.keep_ready("web", 1);
        let before = ids(&machine);
        machine.engine.set_process("shop-web-3.new", never_ready());
        let (ctx, changed) = (machine.ctx(), project(&three("2", order, json!({}))));
        let (mut fewest, options) = (3, UpOptions::default());
        let work = verbs::up(&ctx, &changed, &options);
        let failure = watched(&machine, millis(20), work, |state| {
            let running = state.containers.iter().filter(|it| it.state == "running");
            fewest = fewest.min(running.count());
        })
        .unwrap_err();
        assert_eq!(failure.kind, Kind::Unhealthy);
        assert_eq!(
            after_the_failure(&failure),
            ["web: the 3 previous containers are running again"]
        );
        assert_eq!(levels(&machine), ["1", "1", "1"]);
        let mut now = ids(&machine);
        let mut before = before;
        now.sort();
        before.sort();
        assert_eq!(now, before, "they are the same containers");
        assert!(fewest >= if order == "start-first" { 3 } else { 2 }, "{order}: {fewest}");
        let calls = machine.calls();
        machine.up(&three("1", order, json!({}))).unwrap();
        assert!(machine.calls_from(calls).iter().all(|call| !call.mutates), "it is as it was");
    }
}

#[test]
fn a_paused_update_says_how_many_containers_are_new_and_goes_on_later() {
    let update = json!({"failure_action": "pause"});
    let machine = running(&three("1", "stop-first", update.clone()));
    machine.engine.set_process("shop-web-2.new", never_ready());
    let changed = three("2", "stop-first", update);
    let failure = machine.up(&changed).unwrap_err();
    assert_eq!(
        after_the_failure(&failure),
        [
            "web: the previous container is running again",
            "web: the update is paused, 1 of 3 containers are new; the next `up` continues it"
        ]
    );
    assert_eq!(levels(&machine), ["2", "1", "1"]);
    machine.engine.set_process("shop-web-2.new", Process::new());
    machine.up(&changed).unwrap();
    assert_eq!(levels(&machine), ["2", "2", "2"]);
}

#[test]
fn an_update_that_goes_on_restores_a_failed_container_first_and_fails_at_the_end() {
    let update = json!({"failure_action": "continue"});
    let machine = running(&three("1", "stop-first", update.clone()));
    machine.engine.set_process("shop-web-1.new", never_ready());
    machine.engine.set_process("shop-web-2.new", never_ready());
    let changed = three("2", "stop-first", update);
    let events = machine.events();
    let failure = machine.up(&changed).unwrap_err();
    assert_eq!(levels(&machine), ["1", "1", "2"]);
    assert_eq!(
        after_the_failure(&failure),
        [
            "web: the previous container is running again",
            "web: the previous container is running again",
            "web: 1 of 3 containers are new"
        ]
    );
    assert!(failure.details.iter().any(|detail| detail.title == "also failed"), "{failure:?}");
    let happened = machine.happened_from(events);
    let at = |event: &str| happened.iter().position(|it| it == event).unwrap();
    assert!(at("start shop-web-1") < at("create shop-web-2.new"), "{happened:#?}");
}

#[test]
fn failures_within_the_ratio_are_tolerated_and_more_restore_everything() {
    let update = json!({"max_failure_ratio": 0.34});
    let machine = running(&three("1", "stop-first", update.clone()));
    machine.engine.set_process("shop-web-1.new", never_ready());
    let changed = three("2", "stop-first", update);
    let failure = machine.up(&changed).unwrap_err();
    assert_eq!(levels(&machine), ["1", "2", "2"]);
    assert_eq!(after_the_failure(&failure).last().unwrap(), &"web: 2 of 3 containers are new");

    let machine = running(&changed);
    machine.engine.set_process("shop-web-1.new", never_ready());
    machine.engine.set_process("shop-web-3.new", never_ready());
    let failure = machine.up(&with(changed, "services.web.environment.LEVEL", "3")).unwrap_err();
    assert_eq!(levels(&machine), ["2", "2", "2"]);
    assert_eq!(
        after_the_failure(&failure),
        [
            "web: the previous container is running again",
            "web: the 2 previous containers are running again"
        ]
    );
}

#[test]
fn an_exit_or_a_failed_check_while_it_is_monitored_is_a_failure() {
    for (process, reason) in [
        (
            Process::new().exits_after(secs(3), 7),
            "\"web\" was ready, then exited with code 7 while its update was monitored for 5 s",
        ),
        (
            Process::new().unready_between(secs(3), secs(9000)),
            "\"web\" was ready, then its health check fails while its update was monitored for 5 s",
        ),
    ] {
        let machine = running(&web("1", "start-first"));
        machine.engine.keep_ready("web", 1);
        machine.engine.set_process("shop-web-1.new", process);
        let failure = machine.up(&web("2", "start-first")).unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (Kind::Unhealthy, reason));
        assert!(!failure.details.iter().any(|detail| detail.title == "also failed"), "{failure:?}");
        assert_eq!(
            (level(&machine, "shop-web-1").as_str(), names(&machine).len()),
            ("1", 1),
            "{reason}"
        );
        assert_eq!(machine.state().container("shop-web-1").unwrap().starts, 1, "never stopped");
    }
}

#[test]
fn a_check_that_only_fails_for_a_moment_is_no_failure() {
    let machine = running(&web("1", "stop-first"));
    machine
        .engine
        .set_process("shop-web-1.new", Process::new().unready_between(secs(3), millis(5600)));
    machine.up(&web("2", "stop-first")).unwrap();
    assert_eq!(level(&machine, "shop-web-1"), "2");
}

#[test]
fn an_interrupt_keeps_what_is_proven_and_restores_the_rest() {
    let update = json!({"monitor": "20s"});
    let machine = running(&three("1", "stop-first", update.clone()));
    let (ctx, changed) = (machine.ctx(), three("2", "stop-first", update));
    let cancel = async {
        machine.executor.sleep(secs(30)).await;
        ctx.cancel.cancel();
    };
    let (result, ()) = machine.up_while(&ctx, &changed, cancel);
    assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
    assert_eq!(levels(&machine), ["2", "1", "1"]);
    assert_eq!(names(&machine), ["shop-web-1", "shop-web-2", "shop-web-3"]);
    machine.up(&changed).unwrap();
    assert_eq!(levels(&machine), ["2", "2", "2"]);
}

#[test]
fn a_rollback_stops_at_a_container_that_does_not_come_back_if_it_is_to_pause() {
    let described = |value: &str, action: &str| {
        let update = json!({"rollback_config": {"failure_action": action}});
        let mut description = three(value, "stop-first", json!({"monitor": "0s"}));
        let deploy = description.pointer_mut("/services/web/deploy").unwrap();
        deploy.as_object_mut().unwrap().extend(update.as_object().unwrap().clone());
        description
    };
    for (action, levels_after) in [("pause", ["2", "2"]), ("continue", ["1", "1"])] {
        let machine = running(&described("1", action));
        machine.engine.set_process("shop-web-3.new", never_ready());
        machine.engine.set_process("shop-web-3", Process::new().cannot_start("exec: not found"));
        let failure = machine.up(&described("2", action)).unwrap_err();
        let lines = after_the_failure(&failure).join("\n");
        assert!(lines.contains("of 3 previous containers could not be restored"), "{lines}");
        let found = [1, 2].map(|number| {
            let state = machine.state();
            let is_it = |name: &str| {
                let at = |suffix: &str| format!("shop-web-{number}{suffix}");
                name == at("") || name == at(".new")
            };
            let running = state
                .containers
                .iter()
                .find(|it| is_it(&it.name) && it.state == "running")
                .unwrap()
                .name
                .clone();
            level(&machine, &running)
        });
        assert_eq!(found, levels_after, "{action}: {lines}");
    }
}

/// Kills an update after every `nth` change, then brings up `then`. With `start-first`, there are
/// never fewer than three containers, except if the next run has another description again.
fn killed_update(order: &str, then: &str, nth: usize) {
    let update = json!({"parallelism": 2, "monitor": "300ms"});
    let (first, second) = (three("1", order, update.clone()), three("2", order, update.clone()));
    let prepare = || {
        let machine = running(&first);
        machine.engine.keep_ready("web", 1);
        machine
    };
    let clean = prepare();
    let calls = clean.calls();
    clean.up(&second).unwrap();
    let made = clean.calls_from(calls);
    let changes = made.iter().enumerate().filter(|(_, call)| call.mutates);
    for (at, call) in changes.step_by(nth) {
        let machine = prepare();
        machine.engine.crash_at(at as u64 + 1, CallSide::After);
        let ctx = machine.ctx();
        let (changed, options) = (project(&second), UpOptions::default());
        let work = verbs::up(&ctx, &changed, &options);
        assert!(machine.killed(work).is_none());
        machine.engine.recover();
        let (ctx, last) = (machine.ctx(), project(&three(then, order, update.clone())));
        let mut fewest = 3;
        watched(&machine, millis(100), verbs::up(&ctx, &last, &options), |state| {
            let running = state.containers.iter().filter(|it| it.state == "running").count();
            fewest = fewest.min(running);
        })
        .unwrap();
        if order == "start-first" && then != "3" {
            assert!(fewest >= 3, "{fewest} after a kill after {call:?}");
        }
        assert_eq!(names(&machine).len(), 3, "killed after {call:?}");
        assert_eq!(levels(&machine), vec![then.to_owned(); 3], "killed after {call:?}");
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_killed_update_is_finished_by_the_next_run() {
    killed_update("stop-first", "2", 1);
    killed_update("start-first", "2", 1);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_killed_update_is_called_off_or_replaced_by_the_next_run() {
    killed_update("stop-first", "1", 2);
    killed_update("start-first", "1", 2);
    killed_update("start-first", "3", 3);
}
