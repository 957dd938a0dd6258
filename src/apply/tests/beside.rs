//! The parts of a replacement: start beside, attach, take over, remove; and what `up` makes of one
//! that was killed.

use super::replacement::{level, names, running};
use super::*;
use crate::apply::beside;
use crate::engine::sim::CallSide;
use crate::model::reconcile::BesidePart;

/// Two containers on one network.
fn web(level: &str) -> Value {
    json!({"services": {"web": {
        "image": "web:1",
        "environment": {"LEVEL": level},
        "healthcheck": check("curl"),
        "restart": "always",
        "scale": 2,
        "x-spc-release": format!("v{level}"),
    }}})
}

fn part(machine: &Machine, description: &Value, part: BesidePart) -> Result<Outcome, Failure> {
    let project = project(description);
    machine.run(beside::run(&machine.ctx(), &project, "web", None, part, None))
}

/// The running containers that the service's name leads to.
fn reached(machine: &Machine) -> Vec<String> {
    let state = machine.state();
    let reached = state.containers.iter().filter(|container| {
        container.state == "running"
            && container
                .networks
                .values()
                .any(|endpoint| endpoint.aliases.iter().any(|alias| alias == "web"))
    });
    let mut names: Vec<String> = reached.map(|container| container.name.clone()).collect();
    names.sort();
    names
}

#[test]
fn the_parts_replace_a_service_and_the_old_containers_run_until_the_last() {
    let machine = running(&web("1"));
    let before = machine.state().container("shop-web-1").unwrap().id.clone();
    let started = part(&machine, &web("2"), BesidePart::Start).unwrap();
    assert_eq!(started.containers.iter().filter(|it| it.is_new()).count(), 2);
    assert_eq!(reached(&machine), ["shop-web-1", "shop-web-2"], "nothing reaches the new ones");
    part(&machine, &web("2"), BesidePart::Attach).unwrap();
    assert_eq!(reached(&machine).len(), 4);
    assert_eq!(machine.state().container("shop-web-1").unwrap().id, before);
    part(&machine, &web("2"), BesidePart::TakeOver).unwrap();
    assert_eq!(names(&machine), ["shop-web-1", "shop-web-2"]);
    assert_eq!(level(&machine, "shop-web-2"), "2");
    assert_eq!(reached(&machine), ["shop-web-1", "shop-web-2"]);
    assert_eq!(machine.up(&web("2")).unwrap().changes, 0, "`up` finds what it wants");
}

#[test]
fn nothing_starts_beside_a_service_that_is_as_described() {
    let machine = running(&web("1"));
    assert_eq!(part(&machine, &web("1"), BesidePart::Start).unwrap().changes, 0);
    assert_eq!(names(&machine), ["shop-web-1", "shop-web-2"]);
}

#[test]
fn a_new_container_that_fails_takes_all_new_ones_with_it() {
    let machine = running(&web("1"));
    machine.engine.set_process("shop-web-2.new", Process::new().ready_after(secs(9000)));
    let failure = part(&machine, &web("2"), BesidePart::Start).unwrap_err();
    assert_eq!(failure.fields["service"], json!("web"), "{failure}");
    assert_eq!(names(&machine), ["shop-web-1", "shop-web-2"]);
    assert_eq!(level(&machine, "shop-web-1"), "1");
}

#[test]
fn removed_new_containers_leave_the_old_ones_alone() {
    let machine = running(&web("1"));
    let calls = machine.events();
    part(&machine, &web("2"), BesidePart::Start).unwrap();
    part(&machine, &web("2"), BesidePart::Remove).unwrap();
    assert_eq!(names(&machine), ["shop-web-1", "shop-web-2"]);
    let touched: Vec<String> =
        machine.happened_from(calls).into_iter().filter(|line| line.ends_with("web-1")).collect();
    assert!(touched.is_empty(), "{touched:?}");
}

#[test]
fn a_service_that_can_not_run_twice_is_rejected_before_anything_changes() {
    for (key, value, message) in [
        ("ports", json!(["8000:8000"]), "its containers need the host port 8000"),
        ("volumes", json!(["data:/data"]), "it writes to the volume \"shop_data\""),
    ] {
        let mut description = with(web("1"), "services.web.scale", 1);
        description = with(description, &format!("services.web.{key}"), value);
        description["volumes"] = json!({"data": {}});
        let machine = running(&description);
        let next = with(description, "services.web.environment.LEVEL", "2");
        let failure = part(&machine, &next, BesidePart::Start).unwrap_err();
        assert!(failure.message.contains(message), "{failure}");
        assert_eq!(failure.path.unwrap().keys[2], key);
        assert_eq!(names(&machine), ["shop-web-1"]);
    }
}

async fn all_parts(machine: &Machine) {
    for part in [BesidePart::Start, BesidePart::Attach, BesidePart::TakeOver] {
        beside::run(&machine.ctx(), &project(&web("2")), "web", None, part, None).await.unwrap();
    }
}

/// Kills the parts at every change; then `up` with the old or the new description.
#[test]
fn up_settles_parts_that_were_killed_anywhere() {
    let machine = running(&web("1"));
    let first = machine.calls();
    machine.run(all_parts(&machine));
    let made = machine.calls_from(first);
    let changes = made.iter().enumerate().filter(|(_, call)| call.mutates);
    let kills: Vec<(usize, &Call)> = changes.collect();
    assert!(kills.len() > 20, "{} changes", kills.len());
    for wanted in ["1", "2"] {
        for (at, call) in &kills {
            let machine = running(&web("1"));
            machine.engine.crash_at(*at as u64 + 1, CallSide::After);
            assert!(machine.killed(all_parts(&machine)).is_none());
            machine.engine.recover();
            machine.up(&web(wanted)).unwrap_or_else(|failure| panic!("{call:?}: {failure}"));
            assert_eq!(names(&machine), ["shop-web-1", "shop-web-2"], "killed at {call:?}");
            assert_eq!(reached(&machine), ["shop-web-1", "shop-web-2"], "killed at {call:?}");
            for name in ["shop-web-1", "shop-web-2"] {
                assert_eq!(level(&machine, name), wanted, "{name}, killed at {call:?}");
            }
        }
    }
}
