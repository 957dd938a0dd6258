//! Only one run at a time changes a project.

use super::*;
use crate::apply::lock;
use crate::engine::sim::{CallSide, Fault, FaultEffect, FaultPoint};
use crate::engine::{Engine, EngineError, EngineErrorKind};
use crate::host::executor::Job;

/// Runs each piece of work in parallel, as a separate run.
fn beside<T: Send>(machine: &Machine, work: Vec<Box<dyn FnOnce() -> T + Send + '_>>) -> Vec<T> {
    let jobs: Vec<Job<'_, T>> = work;
    TaskExecutor::Sim(machine.executor.clone())
        .tasks(jobs)
        .unwrap()
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

fn creates(machine: &Machine, container: &str) -> usize {
    machine
        .engine
        .event_trace()
        .iter()
        .filter(|line| line.ends_with(&format!(" container create {container}")))
        .count()
}

fn waits(machine: &Machine) -> Vec<String> {
    let text =
        |event: &Event| if let Event::Waiting { text } = event { Some(text.clone()) } else { None };
    machine.seen.0.lock().iter().filter_map(text).collect()
}

/// One service whose image takes long to pull.
fn slow(seconds: u64) -> (Machine, Value) {
    let machine = machine_with(1, |builder| {
        builder.registry_image("large:1", ImageSpec::command(&["run"]), secs(seconds))
    });
    (machine, json!({"services": {"one": {"image": "large:1"}}}))
}

/// The changes from `time` on, without the lock's own calls and exits.
fn changes_since(machine: &Machine, time: Duration) -> Vec<String> {
    let calls = machine
        .engine
        .calls()
        .into_iter()
        .filter(|call| call.mutates && call.at > time && call.method != "container_upload");
    calls.map(|call| format!("{} {}", call.method, call.target)).collect()
}

#[test]
fn the_second_of_two_concurrent_runs_waits_and_changes_nothing() {
    for seed in 0..10 {
        let machine = machine_with(seed, |builder| builder);
        let (one, other) = (|| machine.up(&shop()), || machine.up(&shop()));
        let results = beside(&machine, vec![Box::new(one), Box::new(other)]);
        let mut changes: Vec<usize> =
            results.into_iter().map(|result| result.unwrap().changes).collect();
        changes.sort_unstable();
        assert!(changes[0] == 0 && changes[1] > 0, "{changes:?}");
        for container in ["shop-db-1", "shop-migrate-1", "shop-redis-1", "shop-web-1"] {
            assert_eq!(creates(&machine, container), 1);
        }
        assert_eq!(waits(&machine).len(), 1);
        assert!(
            waits(&machine)[0].starts_with("operator@simulation (run "),
            "{:?}",
            waits(&machine)
        );
        assert!(waits(&machine)[0].ends_with(" changes this project"));
        assert!(!machine.footprint().locked);
        assert!(
            matches!(machine.seen.0.lock().last(), Some(Event::Unchanged { .. })),
            "and says so"
        );
    }
}

#[test]
fn a_run_with_nothing_to_do_waits_for_one_at_work_and_looks_again() {
    let machine = machine();
    machine.up(&shop()).unwrap();
    machine.pass(secs(15));
    let held = machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap();
    let before = machine.executor.now();
    let ctx = machine.ctx();
    let other = async {
        machine.executor.sleep(secs(40)).await;
        machine.engine.container_remove("shop-web-1", true, true).await.unwrap();
        held.release().await.unwrap();
    };
    let (result, ()) = machine.up_while(&ctx, &shop(), other);
    assert!(result.unwrap().changes > 0, "what the other did");
    let waited = machine.executor.now().saturating_sub(before);
    assert!(waited > secs(40) && waited < secs(45), "{waited:?}");
    assert_eq!(waits(&machine).len(), 1);
    assert!(waits(&machine)[0].ends_with(" changes this project"), "{:?}", waits(&machine));
    assert!(!machine.footprint().locked);
}

#[test]
fn a_dead_run_s_lock_goes_though_there_is_nothing_to_do() {
    let nothing_to_do: [fn(&Machine) -> Outcome; 2] = [
        |machine| machine.up(&shop()).unwrap(),
        |machine| {
            let redis = BTreeSet::from(["redis".to_owned()]);
            machine
                .run(verbs::lifecycle(
                    &machine.ctx(),
                    PROJECT,
                    &redis,
                    verbs::Lifecycle::Start,
                    None,
                ))
                .unwrap()
        },
    ];
    for work in nothing_to_do {
        let machine = machine();
        machine.up(&shop()).unwrap();
        machine.pass(secs(15));
        // The heartbeat ends with the run, but the lock container stays.
        drop(machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap());
        assert!(machine.footprint().locked);
        let before = machine.executor.now();
        assert_eq!(work(&machine).changes, 0);
        let waited = machine.executor.now().saturating_sub(before);
        assert!(waited > secs(30) && waited < secs(35), "{waited:?}");
        assert!(
            waits(&machine)[1].starts_with("the lock was left by operator@simulation"),
            "{:?}",
            waits(&machine)
        );
        assert!(!machine.footprint().locked);
        let calls = machine.calls();
        assert_eq!(work(&machine).changes, 0);
        assert_eq!(machine.calls_from(calls).len(), 4, "the four lists, and no look at a lock");
    }
}

#[test]
fn the_heartbeat_keeps_a_long_run_s_lock() {
    let (machine, description) = slow(100);
    let later = || {
        machine.pass(secs(1));
        machine.up(&description)
    };
    let results = beside(&machine, vec![Box::new(|| machine.up(&description)), Box::new(later)]);
    for result in results {
        result.unwrap();
    }
    assert_eq!(creates(&machine, "shop-one-1"), 1);
    assert!(machine.executor.now() > secs(100) && machine.executor.now() < secs(103));
}

#[test]
fn a_run_gives_up_waiting_after_two_minutes() {
    let (machine, description) = slow(300);
    let later = || {
        machine.pass(secs(1));
        machine.up(&description)
    };
    let results = beside(&machine, vec![Box::new(|| machine.up(&description)), Box::new(later)]);
    results[0].as_ref().unwrap();
    let failure = results[1].as_ref().unwrap_err();
    assert_eq!(failure.kind, Kind::Lock);
    assert!(
        failure.message.starts_with("The project \"shop\" is locked: operator@simulation (run "),
        "{failure}"
    );
    assert_eq!(
        failure.hint.as_deref(),
        Some(
            "wait for it to end, with --wait-lock for longer; `spc unlock` removes a lock that nobody holds"
        )
    );
}

#[test]
fn a_wait_for_the_lock_is_ended_by_an_interrupt() {
    let machine = machine();
    let held = machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap();
    let ctx = machine.ctx();
    let cancel = async {
        machine.executor.sleep(secs(4)).await;
        ctx.cancel.cancel();
    };
    let (result, ()) = machine.up_while(&ctx, &shop(), cancel);
    assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
    assert!(machine.executor.now() < secs(5));
    machine.run(held.release()).unwrap();
    assert_eq!(machine.footprint(), Footprint::default());
}

/// A machine on which a run was killed while it held the lock.
fn left_locked() -> Machine {
    let machine = machine();
    machine.engine.crash_at(40, CallSide::Before);
    assert!(
        machine
            .killed(verbs::up(&machine.ctx(), &project(&shop()), &UpOptions::default()))
            .is_none()
    );
    machine.engine.recover();
    assert!(machine.footprint().locked);
    machine
}

#[test]
fn a_lock_with_an_unchanged_counter_is_taken_over_after_thirty_seconds() {
    let machine = left_locked();
    let before = machine.executor.now();
    machine.up(&shop()).unwrap();
    let taken = machine.executor.now().saturating_sub(before);
    assert!(taken > secs(30) && taken < secs(35), "{taken:?}");
    assert!(
        waits(&machine)[1].starts_with("the lock was left by operator@simulation"),
        "{:?}",
        waits(&machine)
    );
    assert!(!machine.footprint().locked);
}

/// A machine with a running project and the lock of a killed process that no longer exists.
fn left_by_a_dead_process() -> Machine {
    let machine = machine();
    machine.up(&shop()).unwrap();
    machine.pass(secs(15));
    let killed = machine.executor.process(|| {
        let _lock = machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap();
        machine.executor.kill_here(SimTaskExecutor::current_process());
    });
    assert!(killed.unwrap().is_none() && machine.footprint().locked);
    machine
}

#[test]
fn a_lock_of_a_dead_process_on_this_machine_is_taken_over_immediately() {
    let machine = left_by_a_dead_process();
    let before = machine.executor.now();
    machine.up(&with(shop(), "services.redis.environment", json!({"A": "1"}))).unwrap();
    let taken = machine.executor.now().saturating_sub(before);
    assert!(taken < secs(5), "{taken:?}");
    assert_eq!(waits(&machine).len(), 1);
    assert!(
        waits(&machine)[0].starts_with("the lock was left by operator@simulation (run "),
        "{:?}",
        waits(&machine)
    );
    assert!(
        waits(&machine)[0].ends_with(", whose process is gone: taken over"),
        "{:?}",
        waits(&machine)
    );
    assert!(!machine.footprint().locked);
}

#[test]
fn a_lock_of_another_machine_with_the_same_name_is_not_taken_over_immediately() {
    let mut machine = left_by_a_dead_process();
    // The other machine has the same pids and the same user name.
    machine.host = Arc::new(SimHost::new(machine.executor.clone()).with_boot("another"));
    let before = machine.executor.now();
    machine.up(&shop()).unwrap();
    assert!(machine.executor.now().saturating_sub(before) > secs(30));
    assert!(!waits(&machine)[1].contains("is gone"), "{:?}", waits(&machine));
}

#[test]
fn a_machine_of_the_same_name_never_takes_the_lock_of_a_live_run() {
    let machine = machine();
    let process = || {
        machine
            .executor
            .process(|| machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap())
    };
    let _held = process().unwrap();
    // The process has ended, but the heartbeat continues. This machine knows that the owner is
    // gone. The other machine doesn't know it.
    let mut other = machine.ctx();
    Arc::make_mut(&mut other.run).host =
        Arc::new(SimHost::new(machine.executor.clone()).with_boot("another"));
    let failure = machine.run(lock::acquire(&other, PROJECT, secs(100))).err().unwrap();
    assert_eq!(failure.kind, Kind::Lock);
}

#[test]
fn the_second_of_two_concurrent_takeovers_waits_for_the_first() {
    for seed in 0..10 {
        let machine = left_by_a_dead_process();
        for _ in 0..seed {
            machine.executor.random();
        }
        let changed = with(shop(), "services.redis.environment", json!({"A": "1"}));
        let first = creates(&machine, "shop-redis-1.new");
        let run = || machine.executor.process(|| machine.up(&changed)).unwrap().unwrap();
        for result in beside(&machine, vec![Box::new(run), Box::new(run)]) {
            result.unwrap();
        }
        assert_eq!(creates(&machine, "shop-redis-1.new") - first, 1);
        assert!(!machine.footprint().locked);
    }
}

#[test]
fn a_dead_runs_rollback_that_started_the_old_container_again_is_not_waited_for() {
    let machine = super::replacement::running(&super::replacement::db("1"));
    machine.engine.set_process("shop-db-1.new", Process::new().ready_after(secs(9000)));
    let killed = machine.executor.process(|| {
        let kill = async {
            while machine.state().container("shop-db-1").is_none_or(|db| db.starts < 2) {
                machine.executor.sleep(millis(20)).await;
            }
            machine.executor.sleep(millis(20)).await;
            machine.executor.kill_here(SimTaskExecutor::current_process());
        };
        let (ctx, changed) = (
            machine.ctx(),
            project(&with(super::replacement::db("2"), "services.db.restart", "no")),
        );
        let options = UpOptions::default();
        machine.run(futures::future::join(verbs::up(&ctx, &changed, &options), kill)).0
    });
    assert!(killed.unwrap().is_none() && machine.footprint().locked);
    let before = machine.executor.now();
    machine.up(&super::replacement::db("1")).unwrap();
    let took = machine.executor.now().saturating_sub(before);
    assert!(took < secs(5), "{took:?}");
    assert!(!machine.footprint().locked);
}

#[test]
fn a_container_that_a_dead_run_noted_to_stop_and_did_not_is_waited_for_no_longer_than_its_grace_period()
 {
    let machine = left_by_a_dead_process();
    let ctx = machine.ctx();
    let id = machine.state().container("shop-redis-1").unwrap().id.clone();
    records::Records::new(&*ctx.host, &ctx.policy, PROJECT)
        .update(|state| state.stopped.extend([id]))
        .unwrap();
    let before = machine.executor.now();
    machine.up(&with(shop(), "services.redis.environment", json!({"A": "1"}))).unwrap();
    let took = machine.executor.now().saturating_sub(before);
    assert!(took > secs(10) && took < secs(20), "ten seconds are Docker's grace period: {took:?}");
}

#[test]
fn a_takeover_waits_for_engine_calls_of_the_dead_run() {
    for stop in [true, false] {
        // The stop takes eight seconds. The engine continues it even if the client is gone.
        let machine = machine_with(1, |builder| {
            builder.process("redis", Process::new().ready_after(millis(100)).stop_takes(secs(8)))
        });
        machine.up(&shop()).unwrap();
        machine.pass(secs(15));
        let redis = BTreeSet::from(["redis".to_owned()]);
        let killed = machine.executor.process(|| {
            let ctx = machine.ctx();
            let kill = async {
                machine.executor.sleep(secs(3)).await;
                machine.executor.kill_here(SimTaskExecutor::current_process());
            };
            let work = async {
                if stop {
                    verbs::lifecycle(&ctx, PROJECT, &redis, verbs::Lifecycle::Stop, None).await
                } else {
                    verbs::down(&ctx, PROJECT, DownOptions { volumes: false, adopt: false }).await
                }
            };
            machine.run(futures::future::join(work, kill)).0
        });
        assert!(killed.unwrap().is_none());
        machine.up(&shop()).unwrap();
        machine.pass(secs(20));
        assert_eq!(
            machine.state().container("shop-redis-1").unwrap().state,
            "running",
            "what `up` says holds"
        );
        assert!(!machine.footprint().locked);
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn only_one_of_two_recovering_runs_gets_the_lock_at_a_time() {
    for seed in 0..10 {
        let machine = left_locked();
        // Each seed results in another order of simultaneous events.
        for _ in 0..seed {
            machine.executor.random();
        }
        let later = || {
            machine.pass(millis(seed * 100));
            machine.up(&shop())
        };
        for result in beside(&machine, vec![Box::new(|| machine.up(&shop())), Box::new(later)]) {
            result.unwrap();
        }
        for container in ["shop-db-1", "shop-migrate-1", "shop-redis-1", "shop-web-1"] {
            assert_eq!(creates(&machine, container), 1);
        }
        assert!(!machine.footprint().locked);
        one_writer_each(&machine.state());
    }
}

#[test]
fn a_run_without_its_lock_stops_before_its_next_change() {
    for time in [200, 300, 500, 900, 1300, 1700, 2000] {
        let machine = machine();
        let ctx = machine.ctx();
        let prune = async {
            machine.executor.sleep(millis(time)).await;
            let id = lock::holder(&machine.ctx(), PROJECT).await.unwrap()?.id;
            lock::remove(&machine.engine, &id).await.unwrap();
            Some((machine.executor.now(), id))
        };
        let (result, removed) = machine.up_while(&ctx, &shop(), prune);
        let Some((gone, id)) = removed else {
            assert!(time > 1900 && result.is_ok(), "it had ended after {time} ms: {result:?}");
            continue;
        };
        let after = changes_since(&machine, gone);
        let harmless = |call: &&String| call.starts_with("exec_start") || call.ends_with(&id);
        assert_eq!(
            after.iter().filter(harmless).count(),
            after.len(),
            "after {time} ms: {after:?}"
        );
        match result {
            Ok(_) => assert!(time > 1500, "nothing was left to change after {time} ms"),
            Err(failure) => {
                assert_eq!(failure.kind, Kind::Lock, "{failure}");
                assert_eq!(failure.message, "This run lost the project's lock and stops here");
            }
        }
        machine.up(&shop()).unwrap();
        assert!(!machine.footprint().locked);
    }
}

#[test]
fn a_run_that_stood_still_finds_its_lock_taken_and_stops() {
    let (machine, description) = slow(100);
    // The heartbeat stops for 35 s, as if the machine were suspended.
    for beat in 2..9 {
        let error = EngineError::new(EngineErrorKind::Unreachable, "no route to host");
        machine.engine.fault(Fault {
            on: FaultPoint::method("container_upload", beat),
            effect: FaultEffect::FailBefore(error),
        });
    }
    let other = json!({"services": {"two": {"image": "redis:1"}}});
    let later = || {
        machine.pass(secs(7));
        machine.up(&other)
    };
    let results = beside(&machine, vec![Box::new(|| machine.up(&description)), Box::new(later)]);
    assert_eq!(results[0].as_ref().unwrap_err().kind, Kind::Lock);
    results[1].as_ref().unwrap();
    assert_eq!(machine.footprint().containers.keys().collect::<Vec<_>>(), ["shop-two-1"]);
    assert!(!machine.footprint().locked);
}

#[test]
fn a_lock_that_a_busy_engine_does_not_give_out_is_waited_for() {
    let (machine, description) = slow(20);
    for call in 1..=40 {
        let error = EngineError::new(EngineErrorKind::Server, "too many requests");
        machine.engine.fault(Fault {
            on: FaultPoint::method("container_download", call),
            effect: FaultEffect::FailBefore(error),
        });
    }
    let other = json!({"services": {"two": {"image": "redis:1"}}});
    let later = || {
        machine.pass(secs(2));
        machine.up(&other)
    };
    let results = beside(&machine, vec![Box::new(|| machine.up(&description)), Box::new(later)]);
    for result in results {
        result.unwrap();
    }
    assert!(!machine.footprint().locked);
}

#[test]
fn a_lock_that_says_nothing_of_its_holder_is_waited_for_and_taken_over() {
    // After a power failure, some file systems leave a file full of zeros.
    for content in [None, Some(""), Some("\0\0\0")] {
        let machine = left_locked();
        let id = machine.run(lock::holder(&machine.ctx(), PROJECT)).unwrap().unwrap().id;
        machine.run(lock::remove(&machine.engine, &id)).unwrap();
        let body = crate::apply::create::lock(PROJECT, "another");
        let created = machine
            .run(machine.engine.container_create(&lock_container(PROJECT), None, body))
            .unwrap();
        if let Some(content) = content {
            let mut archive = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o444);
            archive.append_data(&mut header, "spc-lock.json", content.as_bytes()).unwrap();
            machine
                .run(machine.engine.container_upload(
                    &created.id,
                    "/",
                    archive.into_inner().unwrap().into(),
                ))
                .unwrap();
        }
        let before = machine.executor.now();
        machine.up(&shop()).unwrap();
        assert!(machine.executor.now() > before + secs(30));
        assert_eq!(
            waits(&machine),
            ["another run changes this project", "the lock was left by another run: taken over"]
        );
        assert!(!machine.footprint().locked);
    }
}

#[test]
fn a_holder_as_version_0_1_0_writes_it_says_nothing_of_its_process() {
    let text = r#"{"who":"anna@desk","run":"20260101T000000-1a2b3c","since":"2026-01-01T00:00:00Z","beat":3}"#;
    let holder: lock::Holder = serde_json::from_str(text).unwrap();
    assert_eq!(holder.process, None);
    assert_eq!(
        serde_json::to_string(&holder).unwrap(),
        text,
        "and it reads what this version writes, less what it doesn't know"
    );
}

#[test]
fn a_lock_that_could_not_be_written_is_not_left() {
    let machine = machine();
    machine.engine.fault(Fault {
        on: FaultPoint::method("container_upload", 1),
        effect: FaultEffect::NoSpace,
    });
    let failure = machine.up(&shop()).unwrap_err();
    assert!(
        failure.message.starts_with("Could not write the heartbeat of the project's lock: "),
        "{failure}"
    );
    assert_eq!(machine.footprint(), Footprint::default());
}

#[test]
fn a_lock_that_is_held_already_is_used_and_kept() {
    let machine = machine();
    let held = Arc::new(machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap());
    let mut ctx = machine.ctx();
    ctx.lock = Some(held.clone());
    machine.run(verbs::up(&ctx, &project(&shop()), &UpOptions::default())).unwrap();
    machine.run(verbs::down(&ctx, PROJECT, DownOptions { volumes: true, adopt: false })).unwrap();
    assert_eq!(creates(&machine, &lock_container(PROJECT)), 1);
    assert!(machine.footprint().locked, "it belongs to who took it");
    drop(ctx);
    machine.run(Arc::into_inner(held).unwrap().release()).unwrap();
    assert_eq!(machine.footprint(), Footprint::default());
}

#[test]
fn projects_do_not_wait_for_each_other() {
    let machine = machine();
    let held = machine.run(lock::acquire(&machine.ctx(), "another", secs(1))).unwrap();
    machine.up(&shop()).unwrap();
    assert!(machine.executor.now() < secs(4));
    machine.run(held.release()).unwrap();
}

#[test]
fn two_functions_of_one_run_take_no_notice_of_another_run() {
    let machine = machine();
    let (ctx, described, options) = (machine.ctx(), project(&shop()), UpOptions::default());
    let up = || verbs::up(&ctx, &described, &options);
    let (one, other) = machine.run(async { futures::join!(up(), up()) });
    assert!(one.unwrap().changes > 0 && other.unwrap().changes == 0);
    assert_eq!(waits(&machine), Vec::<String>::new());
    let text = "waiting for another function of this run, which changes this project";
    assert_eq!(machine.logged(), [text]);
}
