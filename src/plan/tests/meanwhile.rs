//! Objects that are removed from the engine while a plan is made, for example because another run
//! replaces containers.

use similar_asserts::assert_eq;

use super::{planned_and_run, text, try_plan, up, world};
use crate::engine::sim::{Fault, FaultEffect, FaultPoint};
use crate::engine::{EngineError, EngineErrorKind};
use crate::machine::World;
use crate::model::Kind;

/// A machine with a container that the second runbook replaces.
fn replacing() -> World {
    let with = |version: &str| {
        up(&format!(r#"web: #{{ image: "web:1", environment: #{{ V: "{version}" }} }}"#))
    };
    let world = world(&[("first.rhai", &with("1")), ("second.rhai", &with("2"))]);
    planned_and_run(&world, "first.rhai");
    world
}

/// The next `times` inspects of a container report that it does not exist.
fn removed(world: &World, times: u64) {
    for nth in 1..=times {
        let effect = FaultEffect::FailBefore(EngineError::new(
            EngineErrorKind::NotFound,
            "No such container: web",
        ));
        world.engine.fault(Fault { on: FaultPoint::method("container_inspect", nth), effect });
    }
}

#[test]
fn a_plan_restarts_if_a_container_was_removed_during_it() {
    let world = replacing();
    let asked =
        || world.engine.calls().iter().filter(|call| call.method == "container_inspect").count();
    let before = asked();
    let expected = text(&try_plan(&world, "second.rhai").unwrap());
    let once = asked() - before;
    for times in 1..5 {
        let before = asked();
        removed(&world, times);
        assert_eq!(text(&try_plan(&world, "second.rhai").unwrap()), expected, "{times}");
        assert!(asked() - before > once, "it was looked at again");
    }
}

#[test]
fn a_plan_on_a_permanently_changing_engine_fails_with_a_message() {
    let world = replacing();
    removed(&world, 100);
    let diagnostic = try_plan(&world, "second.rhai").unwrap_err();
    assert_eq!(diagnostic.kind, Kind::Engine);
    assert_eq!(
        diagnostic.message,
        "The engine changed during the plan: the container shop-web-1 was removed"
    );
    assert_eq!(
        diagnostic.hint.as_deref(),
        Some("plan again when the run that changes it has ended")
    );
}
