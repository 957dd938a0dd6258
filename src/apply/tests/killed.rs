//! A replacement that is killed, and the next run, with the same or another description.

use super::replacement::{db, level, names, running, watched, web, worker};
use super::*;
use crate::engine::sim::CallSide;

/// Kills the work at every call that changes something; `after` checks the result of the next run.
fn killed_at_every_change(
    prepare: impl Fn() -> Machine,
    work: &Value,
    after: impl Fn(&Machine, &Call),
) {
    let machine = prepare();
    let calls = machine.calls();
    machine.up(work).unwrap();
    let made = machine.calls_from(calls);
    for (at, call) in made.iter().enumerate().filter(|(_, call)| call.mutates) {
        for when in [CallSide::Before, CallSide::After] {
            let machine = prepare();
            machine.engine.crash_at(at as u64 + 1, when);
            assert!(
                machine
                    .killed(verbs::up(&machine.ctx(), &project(work), &UpOptions::default()))
                    .is_none()
            );
            machine.engine.recover();
            after(&machine, call);
        }
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_killed_replacement_that_is_called_off_leaves_the_old_one_running() {
    for describe in [db, worker] {
        let name = if describe("1") == db("1") { "shop-db-1" } else { "shop-redis-1" };
        killed_at_every_change(
            || running(&describe("1")),
            &describe("2"),
            |machine, call| {
                machine.up(&describe("1")).unwrap();
                assert_eq!(
                    (level(machine, name).as_str(), names(machine)),
                    ("1", vec![name.to_owned()]),
                    "killed at {call:?}"
                );
                one_writer_each(&machine.state());
            },
        );
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn the_next_run_rolls_back_a_killed_replacement_if_the_new_container_fails() {
    killed_at_every_change(
        || running(&db("1")),
        &db("2"),
        |machine, call| {
            machine.engine.set_process("shop-db-1.new", Process::new().ready_after(secs(9000)));
            let state = machine.state();
            let new = state.container("shop-db-1.new").is_some_and(|new| new.state == "running");
            let done = state.container("shop-db-1").is_none_or(|db| db.environment == ["LEVEL=2"]);
            let result = machine.up(&with(db("2"), "services.db.environment.MORE", "x"));
            if !done && !new {
                result.unwrap_err();
            }
            let level = level(machine, "shop-db-1");
            assert!(level == "1" || done || new, "killed at {call:?}: {level}");
            assert_eq!(names(machine), ["shop-db-1"], "killed at {call:?}");
            one_writer_each(&machine.state());
        },
    );
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_killed_start_first_replacement_is_finished_without_a_gap() {
    killed_at_every_change(
        || {
            let machine = running(&web("1", "start-first"));
            machine.engine.keep_ready("web", 1);
            machine
        },
        &web("2", "start-first"),
        |machine, call| {
            let (ctx, changed) = (machine.ctx(), project(&web("2", "start-first")));
            watched(
                machine,
                millis(50),
                verbs::up(&ctx, &changed, &UpOptions::default()),
                |state| {
                    assert!(
                        state.containers.iter().any(|container| container.state == "running"),
                        "killed at {call:?}"
                    );
                },
            )
            .unwrap();
            assert_eq!(
                (level(machine, "shop-web-1").as_str(), names(machine).len()),
                ("2", 1),
                "killed at {call:?}"
            );
            let networks = machine.state().container("shop-web-1").unwrap().networks.clone();
            assert_eq!(
                (networks["shop_front"].aliases.len(), networks["shop_back"].aliases.len()),
                (2, 1),
                "killed at {call:?}"
            );
        },
    );
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_job_that_was_completed_before_the_kill_does_not_run_twice() {
    let changed = with(shop(), "services.migrate.environment", json!({"TO": "2"}));
    let runs = |machine: &Machine| {
        machine
            .engine
            .event_trace()
            .iter()
            .filter(|line| line.contains("die shop-migrate-1"))
            .count()
    };
    killed_at_every_change(
        || running(&shop()),
        &changed,
        |machine, call| {
            machine.pass(secs(5));
            let before = runs(machine);
            machine.up(&changed).unwrap();
            assert_eq!(runs(machine), before.max(2), "killed at {call:?}");
        },
    );
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn services_stopped_by_a_killed_stop_or_down_start_again() {
    for stop in [true, false] {
        for call in 1..40 {
            let machine = running(&worker("1"));
            machine.engine.crash_at(call, CallSide::After);
            let ctx = machine.ctx();
            let services = BTreeSet::from(["redis".to_owned()]);
            let work = async {
                if stop {
                    verbs::lifecycle(&ctx, PROJECT, &services, verbs::Lifecycle::Stop, None).await
                } else {
                    verbs::down(&ctx, PROJECT, DownOptions { volumes: false, adopt: false }).await
                }
            };
            if machine.killed(work).is_some() {
                break;
            }
            machine.engine.recover();
            machine.up(&worker("1")).unwrap();
            assert_eq!(level(&machine, "shop-redis-1"), "1", "killed after call {call}");
        }
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_killed_replacement_of_a_scaled_service_is_finished_for_every_container() {
    let described = |level: &str| with(web(level, "stop-first"), "services.web.scale", 3);
    let wanted = {
        let machine = running(&described("2"));
        machine.footprint().containers
    };
    killed_at_every_change(
        || running(&described("1")),
        &described("2"),
        |machine, call| {
            machine.up(&described("2")).unwrap();
            assert_eq!(machine.footprint().containers, wanted, "killed at {call:?}");
        },
    );
}
