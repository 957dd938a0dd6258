//! Steps in JSON: in plans, in the events of runs and in journals.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::images::busybox;
use super::project::Project;
use crate::support::{json_schema, step_schema};

fn checked(events: &[Value]) -> BTreeSet<String> {
    events.iter().filter_map(step_schema::check).map(str::to_owned).collect()
}

fn events(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn plan_run_and_journal_have_the_same_step_schema() {
    let project = Project::new("step-events");
    let stack = |colour: &str| {
        let image = busybox();
        project.stack(&format!(
            r#"services: #{{
                db: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s",
                    healthcheck: #{{ test: "true", interval: "1h" }} }},
                web: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", environment: #{{ COLOUR: "{colour}" }},
                    depends_on: #{{ db: #{{ condition: "service_healthy" }} }} }},
            }}"#
        ));
    };
    for colour in ["red", "blue"] {
        stack(colour);
        let planned = project.spc(&["--json", "plan", "scripts/up.rhai"]).ends(0);
        let seen = json_schema::check_output(&planned.stdout);
        assert!(
            ["verb", "project"].iter().all(|name| seen.contains(&format!("shape call: {name}")))
        );
        assert_eq!(
            checked(&events(&planned.stdout)),
            BTreeSet::from(["plan".to_owned()]),
            "{}",
            planned.stdout
        );
        let ran = project.spc(&["--json", "run", "scripts/up.rhai"]).ends(0);
        json_schema::check_output(&ran.stdout);
        let seen = checked(&events(&ran.stdout));
        let reported = ["planned", "step_started", "step_done"];
        assert!(reported.iter().all(|name| seen.contains(*name)), "{}", ran.stdout);
        assert!(seen.contains("step_waiting") || colour == "blue", "{}", ran.stdout);
    }
    let journals = fs::read_dir(project.path(".spc/runs")).unwrap();
    for journal in journals {
        let seen =
            checked(&step_schema::journal(&fs::read_to_string(journal.unwrap().path()).unwrap()));
        assert!(seen.contains("step_started") && seen.contains("step_done"), "{seen:?}");
    }
}
