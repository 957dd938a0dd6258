//! Steps in JSON have the same schema in all events. `engine::step_events` checks those of a real
//! engine.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use similar_asserts::assert_eq;
use spc::engine::sim::{Process, SimEngine};
use spc::host::Host;
use spc::host::sim::SimHost;
use spc::host::sim::executor::SimTaskExecutor;
use spc::machine::World;
use spc::model::event::Event;
use spc::policy::CheckedPath;

use crate::support::Spc;
use crate::support::step_schema;

/// `db` becomes ready before `web`; `services` adds more.
fn stack(colour: &str, services: &str) -> String {
    format!(
        r#"
        let shop = stack("shop", #{{ services: #{{
            db: #{{ image: "db:1", healthcheck: #{{ test: ["CMD", "check"], interval: "1s" }} }},
            web: #{{ image: "web:1", environment: #{{ COLOUR: "{colour}" }},
                depends_on: #{{ db: #{{ condition: "service_healthy" }} }} }},
            {services}
        }} }});
        shop.pull(["db"]);
        shop.up();
        "#
    )
}

/// The names of the events with steps. Checks their schema.
fn checked<'a>(events: impl IntoIterator<Item = &'a Value>) -> BTreeSet<String> {
    events.into_iter().filter_map(step_schema::check).map(str::to_owned).collect()
}

/// Runs on a simulated machine: a first `up`, a replacement, and one that fails.
struct SimulatedRuns {
    /// Their events as JSON.
    events: Vec<Value>,
    /// The lines of their journals.
    journals: Vec<Value>,
}

fn simulated_runs() -> SimulatedRuns {
    let executor = SimTaskExecutor::new(7);
    let engine = SimEngine::builder(executor.clone())
        .open_registry()
        .process("db", Process::new().ready_after(Duration::from_secs(3)))
        .process("never:1", Process::new().ready_after(Duration::from_secs(9000)))
        .process("missing", Process::new().cannot_start("exec: \"missing\": not found"))
        .build();
    let host = SimHost::new(executor.clone())
        .with_file("/project/spc.toml", "spc = \"0.1\"\n")
        .with_file("/project/first.rhai", stack("red", ""))
        .with_file("/project/second.rhai", stack("blue", ""))
        .with_file(
            "/project/third.rhai",
            stack("blue", r#"bad: #{ image: "bad:1", command: ["missing"] }"#),
        )
        .with_file("/project/fourth.rhai", stack("blue", "").replace("db:1", "never:1"));
    let world = World::of(executor, engine, host, 7);
    let mut events = Vec::new();
    for (file, code) in [
        ("first.rhai", 0),
        ("second.rhai", 0),
        ("second.rhai", 0),
        ("third.rhai", 1),
        ("fourth.rhai", 1),
    ] {
        let ran = world.run(&Path::new("/project").join(file), &[]);
        assert_eq!(ran.code(), code, "{:?}", ran.end);
        events.extend(ran.events.iter().map(line_of));
    }
    let runs = CheckedPath::root_itself("/project").join(".spc/runs");
    let mut journals = Vec::new();
    for entry in world.host.list(&runs).unwrap() {
        let content = world.host.read(&runs.join(entry.name)).unwrap();
        journals.extend(step_schema::journal(std::str::from_utf8(&content).unwrap()));
    }
    SimulatedRuns { events, journals }
}

/// An event as it is written on a line.
pub fn line_of(event: &Event) -> Value {
    let mut line = serde_json::to_value(event).unwrap();
    line["time"] = "2026-01-01T00:00:00.000Z".into();
    line
}

/// The events of the runs above.
pub fn simulated_events() -> Vec<Value> {
    simulated_runs().events
}

#[test]
fn the_steps_of_a_run_have_one_shape_in_its_events_and_its_journal() {
    let SimulatedRuns { events, journals } = simulated_runs();
    let reported = ["planned", "step_done", "step_failed", "step_started", "step_waiting"];
    let seen = checked(&events);
    assert!(reported.iter().all(|name| seen.contains(*name)), "{seen:?}");
    let has = |field: &str| events.iter().any(|event| event.get(field).is_some());
    assert!(has("rollbacks"), "a replacement has a way back");
    let undone: Vec<&Value> = events
        .iter()
        .filter(|event| event["event"] == "step_done" && event["undo"] == true)
        .map(|event| &event["action"])
        .collect();
    assert_eq!(undone, ["stop", "start", "remove", "wait_until_ready"], "a rollback has events");
    let outside = |event: &&Value| event["event"] == "step_started" && event.get("step").is_none();
    assert!(events.iter().any(|event| outside(&event)), "a pull by itself is no step of a plan");

    let seen = checked(&journals);
    assert!(
        ["step_done", "step_failed", "step_started"].iter().all(|name| seen.contains(*name)),
        "{seen:?}"
    );
}

#[test]
fn the_steps_of_a_plan_have_the_shape_of_those_of_a_run() {
    let ended = Spc::new()
        .file(
            "scripts/a.rhai",
            "fs::write(\"out\", \"x\");\nif http::get(\"http://localhost/\").ok { fs::remove(\"out\"); }",
        )
        .args(["plan", "--json", "scripts/a.rhai"])
        .output();
    let events: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(checked(&events), BTreeSet::from(["plan".to_owned()]), "{ended}");
}

#[test]
fn the_table_in_the_guide_lists_each_field_and_each_word_once() {
    let guide = include_str!("../../docs/json.md");
    let table = guide
        .lines()
        .skip_while(|line| !line.starts_with("| Field of a step |"))
        .skip(2)
        .take_while(|line| line.starts_with("| "));
    let rows: Vec<Vec<&str>> =
        table.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect();
    let names = rows.iter().flat_map(|row| row[0].split(", ")).map(|name| name.trim_matches('`'));
    assert_eq!(names.collect::<Vec<_>>(), step_schema::fields().collect::<Vec<_>>());
    let text = rows.iter().map(|row| row.join(" ")).collect::<Vec<_>>().join(" ");
    for word in step_schema::words() {
        assert!(text.contains(&format!("`{word}`")), "\"{word}\" is missing");
    }
}
