//! The engine's disk is full: calls that free space work, calls that need space fail and say so.

use super::verbs::Lifecycle;
use super::*;
use crate::apply::lock;
use crate::engine::Engine;
use crate::model::observed_state::ContainerState;

fn running() -> Machine {
    let machine = machine();
    machine.up(&shop()).unwrap();
    machine.pass(secs(15));
    machine
}

fn lifecycle(machine: &Machine, verb: Lifecycle) -> Result<Outcome, Failure> {
    let services = BTreeSet::from(["db", "migrate", "redis", "web"].map(str::to_owned));
    machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, verb, None))
}

fn stop(machine: &Machine) -> Result<Outcome, Failure> {
    lifecycle(machine, Lifecycle::Stop)
}

fn remove(machine: &Machine) -> Result<Outcome, Failure> {
    lifecycle(machine, Lifecycle::Remove { volumes: true })
}

fn down(machine: &Machine) -> Result<Outcome, Failure> {
    machine.down(true)
}

type Verb = fn(&Machine) -> Result<Outcome, Failure>;

const MAKING_SPACE: [Verb; 3] = [stop, remove, down];

fn runs(machine: &Machine) -> usize {
    machine.state().containers.iter().filter(|container| container.state == "running").count()
}

const WARNING: &str = "The engine's disk is full, there is no space for the project's lock: continuing without it; another run must not \
                       change \"shop\" meanwhile";

#[test]
#[ignore = "slow: `make test` runs it"]
fn commands_that_free_space_work_without_the_lock_on_a_full_disk() {
    for work in MAKING_SPACE {
        // With the lock's image, and without it, so that it has to be created first.
        for has_image in [true, false] {
            let machine = running();
            if !has_image {
                machine.run(machine.engine.image_remove("spc-empty:1", true)).unwrap();
            }
            machine.engine.set_disk_full(true);
            work(&machine).unwrap();
            assert_eq!(machine.logged()[0], WARNING);
            assert_eq!(runs(&machine), 0);
            assert!(!machine.footprint().locked);
            machine.engine.set_disk_full(false);
            machine.up(&shop()).unwrap();
            assert_eq!(runs(&machine), 3);
        }
    }
}

#[test]
fn a_container_that_the_engine_lists_as_running_though_it_was_stopped_is_started() {
    let machine = running();
    machine.engine.set_disk_full(true);
    stop(&machine).unwrap();
    machine.engine.set_disk_full(false);
    let listed =
        machine.run(machine.engine.container_list(false, &crate::engine::Filters::new())).unwrap();
    assert_eq!((listed.len(), runs(&machine)), (3, 0), "as Docker 20.10 does");
    let seen = machine.run(verbs::look(&machine.ctx(), PROJECT)).unwrap();
    assert!(
        seen.containers.iter().all(|container| container.state == ContainerState::Exited),
        "{seen:?}"
    );
    assert!(machine.up(&shop()).unwrap().changes > 0);
    assert_eq!(runs(&machine), 3);
    machine.pass(secs(15));
    let calls = machine.calls();
    machine.up(&shop()).unwrap();
    assert_eq!(machine.calls_from(calls).len(), 4, "the four lists: nothing is in doubt any more");
}

#[test]
fn a_full_disk_of_this_machine_stops_no_stop_either() {
    for work in MAKING_SPACE {
        let machine = running();
        machine.engine.set_disk_full(true);
        machine.host.set_free_space(Some(0));
        work(&machine).unwrap();
        assert_eq!(runs(&machine), 0);
        assert!(machine.logged().contains(&WARNING.to_owned()));
    }
}

#[test]
fn commands_that_need_space_fail_with_a_suggested_fix_on_a_full_disk() {
    let works: [Verb; 2] = [
        |machine| machine.up(&with(shop(), "services.redis.environment", json!({"A": "1"}))),
        |machine| lifecycle(machine, Lifecycle::Restart),
    ];
    for work in works {
        let machine = running();
        machine.engine.set_disk_full(true);
        let failure = work(&machine).unwrap_err();
        assert!(failure.message.starts_with("Could not take the project's lock: "), "{failure}");
        assert_eq!(
            failure.hint.as_deref(),
            Some("free some space: `docker system df` shows what uses it")
        );
        assert_eq!(runs(&machine), 3);
    }
}

#[test]
fn a_lock_that_another_run_holds_is_waited_for_also_on_a_full_disk() {
    for has_image in [true, false] {
        let machine = running();
        let held = machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap();
        if !has_image {
            machine.run(machine.engine.image_remove("spc-empty:1", true)).unwrap();
        }
        machine.engine.set_disk_full(true);
        // On a real engine its heartbeat needs no new space. Here it stops, which is not the
        // subject of this test.
        let ctx = machine.ctx();
        let release = async {
            machine.executor.sleep(secs(20)).await;
            held.release().await.unwrap();
            machine.executor.now()
        };
        let before = machine.executor.now();
        let down = verbs::down(&ctx, PROJECT, DownOptions { volumes: true, adopt: false });
        let (result, released) = machine.run(futures::future::join(down, release));
        result.unwrap();
        assert!(released.saturating_sub(before) >= secs(20));
        let stopped = machine.when("stop shop-web-1");
        assert!(
            stopped > released,
            "stopped at {stopped:?}, while the other run had the lock until {released:?}"
        );
        assert_eq!(machine.footprint(), Footprint::default());
    }
}
