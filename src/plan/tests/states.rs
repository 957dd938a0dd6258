//! Services that are unhealthy when a plan is made. A run may find them healthy again, so the plan
//! continues.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use similar_asserts::assert_eq;

use super::{changed, planned, planned_and_run, stack, text, try_plan, up, world};
use crate::engine::sim::Process;
use crate::machine::World;

const CHECK: &str =
    r#"healthcheck: #{ test: ["CMD", "check"], interval: "1s", retries: 2, timeout: "1s" }"#;

/// The state of a service when the plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InitialState {
    /// The engine is about to restart it.
    Restarting,
    /// The same, listed while it runs.
    BetweenExits,
    Unhealthy,
    Starting,
}

const ALL: [InitialState; 4] = [
    InitialState::Restarting,
    InitialState::BetweenExits,
    InitialState::Unhealthy,
    InitialState::Starting,
];

impl InitialState {
    fn process(self) -> Process {
        let never = Process::new().ready_after(Duration::from_hours(1000));
        match self {
            Self::Restarting | Self::BetweenExits => {
                never.exits_after(Duration::from_millis(900), 1)
            }
            Self::Unhealthy | Self::Starting => never,
        }
    }

    fn is(self, world: &World) -> bool {
        let db = world
            .engine
            .state()
            .containers
            .into_iter()
            .find(|container| container.name == "shop-db-1")
            .unwrap();
        let (state, health) = (db.state, db.health.unwrap_or_default());
        match self {
            Self::Restarting => state == "restarting",
            Self::BetweenExits => state == "running" && db.starts > 2,
            Self::Unhealthy => state == "running" && health == "unhealthy",
            Self::Starting => state == "running" && health == "starting",
        }
    }
}

fn rest(world: &World, time: Duration) {
    world.executor.block_on(world.executor.sleep(time));
}

fn db(more: &str) -> String {
    format!(r#"db: #{{ image: "db:1", restart: "always", {CHECK}{more} }}"#)
}

/// A machine with these services, on which `db` became unhealthy.
fn ill(how: InitialState, services: &str, files: &[(&str, &str)]) -> World {
    let first = world(&[("first.rhai", &up(services))]);
    planned_and_run(&first, "first.rhai");
    first.engine.set_process("db", how.process());
    first.engine.end_process("shop-db-1", 1).unwrap();
    for _ in 0..200 {
        if how.is(&first) {
            return changed(&first, files, "red");
        }
        rest(&first, Duration::from_millis(100));
    }
    panic!("db does not get {how:?}: {:?}", first.engine.state().containers);
}

#[test]
fn a_service_that_is_not_ready_now_is_taken_to_get_ready() {
    for how in ALL {
        let world = ill(how, &db(""), &[("up.rhai", &up(&db("")))]);
        let preview = planned(&world, "up.rhai");
        assert!(preview.ends.is_none(), "{how:?}: {preview:?}");
        assert!(!preview.changes(), "{how:?}: {preview:?}");
        world.engine.set_process("db", Process::new());
        // One that is about to restart has no process to end.
        let _ = world.engine.end_process("shop-db-1", 1);
        // It runs again by now.
        let ills = ["keeps restarting, last exit code 1", "unhealthy"];
        let of_now =
            |said: String| ills.iter().fold(said, |said, ill| said.replace(ill, "not ready yet"));
        assert_eq!(
            of_now(text(&planned_and_run(&world, "up.rhai"))),
            of_now(text(&preview)),
            "{how:?}"
        );
    }
}

#[test]
fn a_service_that_only_the_engine_may_probe_is_taken_to_get_ready() {
    let db = db(r#", "x-spc-probe": "engine""#);
    for how in ALL {
        let world =
            ill(how, &db, &[("up.rhai", &(stack(&db) + "shop.up((), #{ timeout: \"3s\" });"))]);
        let preview = planned(&world, "up.rhai");
        assert!(preview.ends.is_none() && !preview.changes(), "{how:?}: {preview:?}");
    }
}

#[test]
fn a_dependent_of_an_unready_service_is_planned() {
    let all = |colour: &str| {
        format!(
            r#"{}, web: #{{ image: "web:1", environment: #{{ C: "{colour}" }}, depends_on: #{{ db: #{{ condition: "service_healthy" }} }} }}"#,
            db("")
        )
    };
    for how in ALL {
        let world = ill(how, &all("red"), &[("up.rhai", &up(&all("blue")))]);
        let said = text(&planned(&world, "up.rhai"));
        assert!(
            said.contains("wait until ready container shop-db-1")
                || how == InitialState::BetweenExits,
            "{how:?}: {said}"
        );
        assert!(said.ends_with("1 to replace"), "{how:?}: {said}");
    }
}

#[test]
fn a_service_that_is_not_ready_is_replaced_as_a_run_does_it() {
    for how in ALL {
        for order in ["stop-first", "start-first"] {
            let changed = db(&format!(
                r#", environment: #{{ C: "blue" }}, deploy: #{{ update_config: #{{ order: "{order}" }} }}"#
            ));
            let world = ill(how, &db(""), &[("up.rhai", &up(&changed))]);
            let said = text(&planned(&world, "up.rhai"));
            assert!(said.ends_with("1 to replace"), "{how:?}: {said}");
            world.engine.set_process("db", Process::new());
            if order == "stop-first" {
                planned_and_run(&world, "up.rhai");
            }
        }
    }
}

#[test]
fn a_service_that_is_not_ready_is_restarted_and_scaled_in_a_plan() {
    for how in ALL {
        let code = |verb: &str| format!("{}shop.service(\"db\").{verb};\n", stack(&db("")));
        let world = ill(
            how,
            &db(""),
            &[("restart.rhai", &code("restart()")), ("scale.rhai", &code("scale(2)"))],
        );
        let said = text(&planned(&world, "restart.rhai"));
        assert!(said.ends_with("1 to restart"), "{how:?}: {said}");
        let said = text(&planned(&world, "scale.rhai"));
        assert!(said.ends_with("1 to create"), "{how:?}: {said}");
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_job_that_failed_and_is_started_again_is_taken_to_end_well() {
    let services = r#"job: #{ image: "job:1", restart: "on-failure" }, web: #{ image: "web:1", depends_on: #{ job: #{ condition: "service_completed_successfully" } } }"#;
    let alone = r#"job: #{ image: "job:1", restart: "on-failure" }"#;
    let world = world(&[("up.rhai", &up(services)), ("first.rhai", &up(alone))]);
    world.engine.set_process("job", Process::new().exits_after(Duration::from_millis(200), 1));
    let ran = world.run_until(Path::new("/project/first.rhai"), &[], Some(Duration::from_secs(20)));
    assert_ne!(ran.code(), 0);
    let mut states = BTreeSet::new();
    for _ in 0..200 {
        states.insert(world.engine.state().containers[0].state.to_owned());
        let said = text(&planned(&world, "up.rhai"));
        assert!(said.ends_with("1 to create"), "{said}");
        rest(&world, Duration::from_millis(70));
    }
    assert!(states.contains("running") && states.contains("restarting"), "{states:?}");
    world.engine.set_process("job", Process::new().exits_after(Duration::from_millis(200), 0));
    planned_and_run(&world, "up.rhai");
}

#[test]
fn a_planned_wait_for_readiness_continues_and_is_marked_as_an_assumption() {
    let code = stack(&db(""))
        + "shop.service(\"db\").wait(\"ready\", \"2s\");\nfs::write(shop.service(\"db\").state, \"x\");\n";
    for how in ALL {
        let world = ill(how, &db(""), &[("wait.rhai", &code)]);
        let expected = "\
wait.rhai:3: the steps below depend on the container shop-db-1; assumed: it becomes ready
wait.rhai:4
  1  write file running  requested in line 4
1 to write";
        assert_eq!(text(&planned(&world, "wait.rhai")), expected, "{how:?}");
    }
    let world = world(&[("up.rhai", &up(&db(""))), ("wait.rhai", &code)]);
    planned_and_run(&world, "up.rhai");
    rest(&world, Duration::from_secs(3));
    assert_eq!(
        text(&planned(&world, "wait.rhai")),
        "wait.rhai:4\n  1  write file running  requested in line 4\n1 to write"
    );
}

#[test]
fn an_inspected_service_keeps_its_initial_state_in_the_plan() {
    let code = stack(&db("")) + "sleep(\"10m\");\nfs::write(shop.service(\"db\").state, \"x\");\n";
    let world = ill(InitialState::Restarting, &db(""), &[("look.rhai", &code)]);
    let said = text(&planned(&world, "look.rhai"));
    assert!(said.contains("write file restarting"), "{said}");
}

#[test]
fn wait_until_assumes_success_in_a_plan_and_lists_its_steps_once() {
    let code = stack(&db(""))
        + "wait_until(\"1m\", || { http::post(\"http://localhost/\", #{}); shop.service(\"db\").state == \"running\" });\nfs::write(\"done\", \"x\");\n";
    let world = ill(InitialState::Restarting, &db(""), &[("until.rhai", &code)]);
    let expected = "\
until.rhai:3
  1  request POST http://localhost/  requested in line 3
until.rhai:3: the steps below depend on the condition that this line waits for; assumed: it becomes true
until.rhai:4
  2  write file done                 requested in line 4
1 to request, 1 to write";
    assert_eq!(text(&planned(&world, "until.rhai")), expected);
}

#[test]
fn a_wait_that_runs_out_of_virtual_time_ends_the_plan_and_is_no_failure_of_it() {
    let code = stack(&db(""))
        + "retry(#{ timeout: \"5s\" }, || { while shop.service(\"db\").state != \"running\" { sleep(\"1s\"); } });\n";
    let world = ill(InitialState::Restarting, &db(""), &[("loop.rhai", &code)]);
    let preview = try_plan(&world, "loop.rhai").unwrap();
    assert!(preview.ends.is_some(), "{preview:?}");
}

#[test]
fn a_container_that_has_ended_stays_so_and_a_wait_for_it_fails_as_in_a_run() {
    let once = format!(r#"db: #{{ image: "db:1", {CHECK} }}"#);
    let world = world(&[
        ("up.rhai", &up(&once)),
        ("wait.rhai", &(stack(&once) + "shop.service(\"db\").wait(\"ready\");\n")),
    ]);
    planned_and_run(&world, "up.rhai");
    world.engine.end_process("shop-db-1", 1).unwrap();
    let failure = try_plan(&world, "wait.rhai").unwrap_err();
    assert_eq!(failure.message, "\"db\" exited with code 1");
}

#[test]
fn a_job_that_is_asked_for_by_name_is_planned_run_and_waited_for() {
    let job = r#"report: #{ image: "report:1" }"#;
    let code = stack(job)
        + "shop.up([\"report\"]);\nshop.service(\"report\").wait(\"completed\");\nfs::write(\"done\", \"x\");\n";
    let world = world(&[("report.rhai", &code)]);
    world.engine.set_process("report", Process::new().exits_after(Duration::from_secs(100), 0));
    planned_and_run(&world, "report.rhai");
    let begun = world.executor.now();
    let said = text(&planned_and_run(&world, "report.rhai"));
    assert!(
        said.contains("start container shop-report-1")
            && said.contains("requested by name")
            && said.contains("write file done"),
        "{said}"
    );
    assert!(
        world.executor.now().saturating_sub(begun) >= Duration::from_secs(100),
        "the end of this run is waited for, not that of the last"
    );
}
