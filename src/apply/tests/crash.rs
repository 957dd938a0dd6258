//! A run that is killed at any call of the engine: the next one reaches the same state as an
//! undisturbed one.

use std::collections::BTreeMap;

use similar_asserts::SimpleDiff;

use super::*;
use crate::engine::sim::CallSide;

/// The action during the kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CrashCase {
    FirstUp,
    ChangedUp,
    Down,
    DownWithVolumes,
}

impl CrashCase {
    /// The state before.
    fn prepare(self) -> Machine {
        let machine = machine();
        if self != Self::FirstUp {
            machine.up(&shop()).unwrap();
            machine.pass(secs(60));
        }
        machine
    }

    async fn run(self, ctx: &VerbContext) -> Result<Outcome, Failure> {
        match self {
            Self::FirstUp => verbs::up(ctx, &project(&shop()), &UpOptions::default()).await,
            Self::ChangedUp => verbs::up(ctx, &project(&changed()), &UpOptions::default()).await,
            Self::Down => {
                verbs::down(ctx, PROJECT, DownOptions { volumes: false, adopt: false }).await
            }
            Self::DownWithVolumes => {
                verbs::down(ctx, PROJECT, DownOptions { volumes: true, adopt: false }).await
            }
        }
    }

    /// The state after an undisturbed run, and its calls.
    fn clean(self) -> (Footprint, Vec<Call>) {
        let machine = self.prepare();
        let calls = machine.calls();
        machine.run(self.run(&machine.ctx())).unwrap();
        (machine.footprint(), machine.calls_from(calls))
    }
}

/// Database, job and web, changed from [`shop`].
fn changed() -> Value {
    let description = with(shop(), "services.db.environment.LEVEL", "2");
    let description = with(description, "services.migrate.environment", json!({"TO": "2"}));
    with(description, "services.web.environment", json!({"WORKERS": "4"}))
}

fn stamps(state: &EngineState) -> BTreeMap<String, (u64, u64)> {
    let named =
        state.volumes.iter().filter(|volume| !crate::apply::observe::is_anonymous(&volume.name));
    named.map(|volume| (volume.name.clone(), (volume.stamp, volume.writes))).collect()
}

/// Kills the work at each call, then repeats it in a new run. Skips kills after a call that only
/// reads, because they can leave nothing behind.
fn sweep(work: CrashCase) {
    let (clean, calls) = work.clean();
    assert!(calls.len() > 20, "{calls:?}");
    let mut wrong = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        let sides: &[CallSide] =
            if call.mutates { &[CallSide::Before, CallSide::After] } else { &[CallSide::Before] };
        for &when in sides {
            let machine = work.prepare();
            machine.engine.crash_at(at as u64 + 1, when);
            let result = machine.killed(work.run(&machine.ctx()));
            assert!(result.is_none(), "the same seed makes the same calls");
            if let Err(difference) = finish(&machine, work, &clean) {
                wrong.push(format!(
                    "{work:?} killed {when:?} {} {}: {difference}",
                    call.method, call.target
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Breaks the connection permanently at each call that changes something. The run has to notice it
/// and end.
fn lose(work: CrashCase) {
    let (clean, calls) = work.clean();
    let mut wrong = Vec::new();
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| call.mutates) {
        for when in [CallSide::Before, CallSide::After] {
            let machine = work.prepare();
            machine.engine.crash_at(at as u64 + 1, when);
            let begun = machine.executor.now();
            let result = machine.run(work.run(&machine.ctx()));
            // Only the lock may be lost.
            let kind = result.err().map_or(Kind::Engine, |failure| failure.kind);
            let took = machine.executor.now().saturating_sub(begun);
            if kind != Kind::Engine || took > secs(60) {
                wrong.push(format!(
                    "{work:?} cut off {when:?} {} {}: ends with {kind} after {took:?}",
                    call.method, call.target
                ));
            }
            if let Err(difference) = finish(&machine, work, &clean) {
                wrong.push(format!(
                    "{work:?} cut off {when:?} {} {}: {difference}",
                    call.method, call.target
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The next run, and the differences afterwards.
fn finish(machine: &Machine, work: CrashCase, clean: &Footprint) -> Result<(), String> {
    let before = stamps(&machine.state());
    machine.engine.recover();
    let calls = machine.calls();
    machine
        .run(work.run(&machine.ctx()))
        .map_err(|failure| format!("{failure} {:?} {:?}", failure.hint, failure.details))?;
    let mut found = machine.footprint();
    if matches!(work, CrashCase::FirstUp | CrashCase::ChangedUp)
        && machine.calls_from(calls).iter().all(|call| !call.mutates || call.method == "exec_start")
    {
        // If nothing is left to change, the lock does not matter; the next run that changes
        // something takes it over.
        found.locked = false;
    }
    same(clean, &found)?;
    one_writer_each(&machine.state());
    for (name, (stamp, writes)) in stamps(&machine.state()) {
        if !before.get(&name).is_none_or(|(old, before)| *old == stamp && *before <= writes) {
            return Err(format!("{name} lost its data"));
        }
    }
    machine.down(true).map_err(|failure| format!("down afterwards: {failure}"))?;
    same(&Footprint::default(), &machine.footprint())
}

fn same(wanted: &Footprint, found: &Footprint) -> Result<(), String> {
    if wanted == found {
        return Ok(());
    }
    Err(SimpleDiff::from_str(&format!("{wanted:#?}"), &format!("{found:#?}"), "wanted", "found")
        .to_string())
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_first_up_killed_at_any_call_is_finished_by_the_next_run() {
    sweep(CrashCase::FirstUp);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_replacement_killed_at_any_call_is_finished_by_the_next_run() {
    sweep(CrashCase::ChangedUp);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_down_killed_at_any_call_is_finished_by_the_next_run() {
    sweep(CrashCase::Down);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_down_with_volumes_killed_at_any_call_is_finished_by_the_next_run() {
    sweep(CrashCase::DownWithVolumes);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_first_up_that_loses_the_engine_at_any_change_is_finished_by_the_next_run() {
    lose(CrashCase::FirstUp);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_replacement_that_loses_the_engine_at_any_change_is_finished_by_the_next_run() {
    lose(CrashCase::ChangedUp);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_killed_replacement_and_an_engine_that_restarts_never_give_a_volume_two_writers() {
    let described =
        |level: &str| with(super::replacement::db(level), "services.db.restart", "always");
    let prepared = || {
        let machine = machine();
        machine.up(&described("1")).unwrap();
        machine.pass(secs(60));
        machine
    };
    let clean = prepared();
    let first = clean.calls();
    clean.up(&described("2")).unwrap();
    let calls = clean.calls_from(first);
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| call.mutates) {
        let machine = prepared();
        machine.engine.crash_at(at as u64 + 1, CallSide::After);
        assert!(
            machine
                .killed(verbs::up(&machine.ctx(), &project(&described("2")), &UpOptions::default()))
                .is_none()
        );
        machine.engine.recover();
        machine.engine.restart(secs(1));
        machine.pass(secs(60));
        let most = machine.state().volume("shop_data").unwrap().most_writers;
        assert_eq!(most, 1, "killed after {} {}", call.method, call.target);
        machine.up(&described("2")).unwrap();
        assert_eq!(super::replacement::level(&machine, "shop-db-1"), "2");
        one_writer_each(&machine.state());
    }
}

#[test]
fn an_old_container_that_serves_again_has_its_restart_policy_back() {
    let described =
        |level: &str| with(super::replacement::db(level), "services.db.restart", "always");
    let machine = machine();
    machine.up(&described("1")).unwrap();
    machine.pass(secs(60));
    machine
        .engine
        .set_process("*db-1.new", Process::new().ready_after(secs(5)).exits_after(millis(50), 1));
    let first = machine.calls();
    let failure = machine.up(&described("2")).unwrap_err();
    assert_eq!(failure.kind, Kind::Unhealthy);
    let old = machine.state().container("shop-db-1").unwrap().id.clone();
    let calls =
        machine.calls_from(first).into_iter().filter(|call| call.target == old && call.mutates);
    let methods: Vec<&str> =
        calls.map(|call| call.method).filter(|method| !method.starts_with("exec")).collect();
    assert_eq!(
        methods,
        ["container_update", "container_stop", "container_start", "container_update"]
    );
}
