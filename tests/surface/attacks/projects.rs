//! Access to objects of another project.

use super::{EngineRequests, line};
use crate::support::{Answer, Spc, SpcOutput};

/// The responses of an engine with a container, a network and a volume of the project `other`,
/// which was created from another folder.
pub(super) fn other(request: &str) -> Option<Answer> {
    let labels = r#"{"com.docker.compose.project":"other","com.docker.compose.service":"web","com.docker.compose.project.working_dir":"/srv/other","dev.spc.project":"other"}"#;
    let body = match request.split_once(' ')? {
        ("GET", "/containers/other-web-1/json" | "/containers/0123/json") => {
            format!(
                r#"{{"Id":"0123","Name":"/other-web-1","Config":{{"Labels":{labels},"Env":["PASSWORD=told"]}},"State":{{"Status":"running","Running":true}}}}"#
            )
        }
        ("GET", path) if path.starts_with("/containers/json") => {
            format!(r#"[{{"Id":"0123","Names":["/other-web-1"],"State":"running","Status":"Up 2 hours","Labels":{labels}}}]"#)
        }
        ("GET", path) if path.starts_with("/networks/other_net") || path.starts_with("/networks/0b11") => {
            format!(r#"{{"Id":"0b11","Name":"other_net","Driver":"bridge","Labels":{labels},"Containers":{{"0123":{{"Name":"told"}}}}}}"#)
        }
        ("GET", path) if path.starts_with("/networks") && !path.contains("/networks/") => {
            format!(r#"[{{"Id":"0b11","Name":"other_net","Driver":"bridge","Labels":{labels}}}]"#)
        }
        ("GET", path) if path.starts_with("/volumes/other_data") => {
            format!(
                r#"{{"Name":"other_data","Driver":"local","Mountpoint":"","Scope":"local","Options":{{"o":"password=told"}},"Labels":{labels}}}"#
            )
        }
        ("GET", path) if path.starts_with("/volumes/shared") => {
            r#"{"Name":"shared","Driver":"local","Mountpoint":"","Scope":"local","Options":{"o":"password=told"},"Labels":null}"#.to_owned()
        }
        ("GET", path) if path.starts_with("/volumes") && !path.contains("/volumes/") => {
            format!(
                r#"{{"Volumes":[{{"Name":"other_data","Driver":"local","Mountpoint":"","Scope":"local","Options":null,"Labels":{labels}}}]}}"#
            )
        }
        // The image of lock containers.
        ("GET", path) if path.starts_with("/images/spc") => r#"{"Id":"sha256:01"}"#.to_owned(),
        ("GET", path) if path.starts_with("/images/json") => "[]".to_owned(),
        _ => return None,
    };
    Some(Answer::of_api("1.41", &body))
}

#[track_caller]
fn run(script: &str) -> (SpcOutput, Vec<String>) {
    let asked = EngineRequests::default();
    let ended = Spc::new()
        .engine(asked.engine(other))
        .runbook(&format!("{script}\nprint(\"went on\");"))
        .output();
    (ended, asked.changes())
}

/// Asserts that the policy rejects the run with the line to add, and that nothing on the engine
/// changed.
#[track_caller]
fn refused(script: &str) {
    let (ended, changes) = run(script);
    assert_eq!((ended.code, ended.stdout.as_str()), (5, ""), "{script}: {ended}");
    assert_eq!(line(&ended), "projects = [\"other\"]", "{script}: {ended}");
    assert_eq!(changes, [] as [String; 0], "{script}");
    assert!(!ended.stderr.contains("told"), "{ended}");
}

const DESCRIBED: &str = "stack(\"other\", #{ services: #{ web: #{ image: \"a\" } } })";

#[test]
#[ignore = "slow: `make test` runs it"]
fn containers_of_another_project_are_not_touched_nor_looked_into() {
    for call in [
        "start()",
        "stop()",
        "restart()",
        "kill()",
        "kill(\"HUP\")",
        "remove()",
        "exec(\"id\")",
        "read(\"/etc/passwd\")",
        "write(\"/a\", \"x\")",
        "logs()",
        "inspect()",
    ] {
        refused(&format!("container(\"other-web-1\").{call};"));
        refused(&format!("attempt(|| container(\"other-web-1\").{call});"));
    }
    refused("exec(container(\"other-web-1\"), \"id\");");
    refused("healthcheck(container(\"other-web-1\"), #{ test: \"id\" });");
    refused("volume(\"other_data\").remove();");
}

#[test]
fn describing_a_project_does_not_make_the_script_its_owner() {
    for script in [
        "down();",
        "down(#{ volumes: true });",
        "stop();",
        "restart();",
        "up();",
        "up((), #{ adopt: true, remove_orphans: true });",
        "service(\"web\").exec(\"id\");",
        "service(\"web\").kill();",
        "service(\"web\").logs();",
        "service(\"web\").read(\"/etc/passwd\");",
        "service(\"web\").write(\"/a\", \"x\");",
    ] {
        let (ended, changes) = run(&format!("let s = {DESCRIBED};\ns.{script}"));
        assert_eq!(changes, [] as [String; 0], "{script}");
        // `up` may fail earlier, because the image is not on the engine.
        assert!(ended.code != 0 && ended.stdout.is_empty(), "{script}: {ended}");
        if !script.starts_with("up") {
            assert_eq!(
                (ended.code, line(&ended).as_str()),
                (5, "projects = [\"other\"]"),
                "{script}: {ended}"
            );
        }
    }
    refused(&format!("{DESCRIBED};\nexec(\"web\", \"id\");"));
    refused(&format!("{DESCRIBED};\ncontainer(\"other-web-1\").remove();"));
    refused(&format!("guarded({DESCRIBED}, \"mine\", |g| ());"));
}

#[test]
fn the_existence_and_state_of_other_projects_is_readable() {
    let (ended, changes) = run(&format!(
        "print(container(\"other-web-1\").exists());\nprint({DESCRIBED}.service(\"web\").state);"
    ));
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "true\nrunning\nwent on\n"), "{ended}");
    assert_eq!(changes, [] as [String; 0]);
}

#[test]
fn a_person_can_name_it() {
    let stops = |run: Spc| {
        let asked = EngineRequests::default();
        let engine = asked.engine(|request| match request {
            "POST /containers/0123/stop?" => Some(Answer::of_api("1.41", "").with_status(204)),
            _ => other(request),
        });
        let ended = run.engine(engine).runbook("container(\"other-web-1\").stop();").output();
        (ended.code, asked.changes())
    };
    let stopped = (0, vec!["POST /containers/0123/stop?".to_owned()]);
    assert_eq!(stops(Spc::new().file("spc.toml", "[allow]\nprojects = [\"other\"]\n")), stopped);
    assert_eq!(stops(Spc::new().args(["--project", "other"])), stopped);
    assert_eq!(stops(Spc::new().env("COMPOSE_PROJECT_NAME", "other")), stopped);
    // A script can write this file, so it must not select a project of another folder.
    assert_eq!(stops(Spc::new().file(".env", "COMPOSE_PROJECT_NAME=other\n")), (5, Vec::new()));
}

const USES_OTHER: &str = "let s = stack(\"x\", #{ services: #{ a: #{ image: \"a\", volumes: [\"v:/v:ro\"] } }, volumes: #{ v: #{ external: true, name: \"other_data\" } } });\n";

#[test]
fn a_rejected_run_stores_nothing() {
    for call in ["s.up((), #{ adopt: true });", "s.service(\"a\").scale(2);"] {
        let asked = EngineRequests::default();
        let run = Spc::new()
            .file("spc.toml", "")
            .engine(asked.engine(other))
            .runbook(&format!("{USES_OTHER}{call}"));
        let records = run.project().join(".spc/x/state.json");
        let (ended, is_kept) = run.start().ends_then(|| records.exists());
        assert!(ended.code == 5 && !is_kept, "{call}: {ended}");
        assert_eq!(asked.changes(), [] as [String; 0], "{call}");
    }
}

#[test]
fn a_plan_refuses_what_the_run_would_with_the_place_in_the_file() {
    let compose = "services:\n  a:\n    image: a\n    volumes: [\"v:/v\"]\nvolumes:\n  v:\n    external: true\n    name: other_data\n";
    for command in ["plan", "run"] {
        let asked = EngineRequests::default();
        let run = Spc::new()
            .file("spc.toml", "")
            .file("compose.yaml", compose)
            .file("scripts/a.rhai", "compose(\"compose.yaml\").up();");
        let ended = run.engine(asked.engine(other)).args([command, "scripts/a.rhai"]).output();
        assert_eq!(ended.code, 5, "{command}: {ended}");
        assert!(
            ended.stderr.contains("A script may not mount the volume \"other_data\""),
            "{command}: {ended}"
        );
        assert!(ended.stderr.contains("compose.yaml:6:3"), "{command}: {ended}");
        assert_eq!(asked.changes(), [] as [String; 0], "{command}");
    }
}

#[test]
fn a_volume_that_a_stack_uses_is_shown_without_its_password() {
    let script = "stack(\"x\", #{ services: #{ a: #{ image: \"a\", volumes: [\"v:/v\"] } }, volumes: #{ v: #{ external: true, name: \"shared\" } } });\nprint(volume(\"shared\").inspect().Options.o);";
    let (ended, _) = run(script);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "password=***\nwent on\n"), "{ended}");
}
