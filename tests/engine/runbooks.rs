//! Other runbooks of the reference stack, and their JSON output.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;

use super::docker::{containers, inspect};
use super::heavy;
use super::project::Project;

const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn ps_and_logs_show_running_services() {
    let _alone = heavy();
    let project = Project::reference("shown");
    // The named service starts with its dependencies.
    project.up().arg("backend").within(LIMIT).ends(0);
    assert_eq!(containers(&project.name).len(), 3);

    let table = project.spc(&["run", "scripts/ps.rhai"]).ends(0).stdout;
    for service in ["db", "redis", "backend"] {
        let line = table
            .lines()
            .find(|line| line.starts_with(&project.container(service)))
            .unwrap_or_else(|| panic!("{table}"));
        assert!(line.contains(" running "), "{line}");
    }
    let rows = project.spc(&["--project", &project.name, "--json", "ps"]).ends(0).stdout;
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows: Vec<Value> = rows.filter(|row| row["event"] == "container").collect();
    let services: Vec<&str> = rows.iter().map(|row| row["service"].as_str().unwrap()).collect();
    assert_eq!(services, ["backend", "db", "redis"]);
    assert_eq!(rows[0]["ports"][0]["published"].to_string(), project.variable("BACKEND_PORT"));
    assert_eq!(rows[0]["id"], inspect(&project.container("backend"))["Id"]);

    let logs =
        project.spc(&["run", "scripts/logs.rhai", "--tail", "3", "db", "redis"]).ends(0).stdout;
    assert!(logs.contains("db-1    | ") && logs.contains("redis-1 | "), "{logs}");
    assert!(logs.contains("database system is ready to accept connections"), "{logs}");
    assert_eq!(logs.lines().count(), 6, "{logs}");
    project
        .spc(&["run", "scripts/logs.rhai", "bakend"])
        .ends(1)
        .prints(&["did you mean \"backend\"?"]);
}

#[test]
fn json_output_contains_each_step_and_the_end() {
    let _alone = heavy();
    let project = Project::reference("told");
    let ended = project.spc(&["--json", "run", "scripts/up.rhai"]).within(LIMIT).ends(0);
    let events: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done = |service: &str, action: &str| {
        events.iter().any(|event| {
            event["event"] == "step_done"
                && event["service"] == service
                && event["action"].as_str().is_some_and(|word| word.starts_with(action))
        })
    };
    for service in ["db", "redis", "backend"] {
        for action in ["create", "start", "wait"] {
            assert!(done(service, action), "{action} {service}: {:#?}", ended.stdout);
        }
    }
    assert_eq!(events.last().unwrap()["code"], 0, "{:#?}", ended.stdout);
}

#[test]
fn prepare_creates_an_env_file_with_generated_secrets_once() {
    let project = Project::reference_files("prepare");
    let path = project.path("examples/spc/.env");
    fs::remove_file(&path).unwrap();
    let prepare = || project.spc(&["run", "scripts/prepare.rhai"]);
    prepare().ends(0).prints(&["created .env with generated secrets"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let secrets = ["POSTGRES_PASSWORD", "SECRET_KEY", "DJANGO_SUPERUSER_PASSWORD"]
        .map(|name| project.variable(name));
    assert!(secrets.iter().all(|secret| secret.len() == 40), "{secrets:?}");
    assert_ne!(secrets[0], secrets[1]);
    for (name, local) in super::images::BASE_IMAGES {
        let image = project.variable(name);
        assert!(image == local || format!("local/{image}") == local, "{name}={image}");
    }
    let made = fs::read_to_string(&path).unwrap();
    prepare().ends(0).prints(&[".env exists and was not changed"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), made);
}
