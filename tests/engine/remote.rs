//! An engine behind a TCP port, and how much is asked of an engine.

use std::time::Duration;

use super::docker::{containers, docker, exec, objects};
use super::images::busybox;
use super::project::Project;
use super::relay::Relay;
use super::until::until;

fn describe(project: &Project, services: usize) {
    let services: Vec<String> = (1..=services)
        .map(|number| {
            format!(r#"s{number}: #{{ image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s", healthcheck: #{{ test: "true", interval: "1s" }} }}"#, busybox())
        })
        .collect();
    project.stack(&format!("services: #{{ {} }}", services.join(", ")));
}

#[test]
fn a_remote_engine_serves_as_a_local_one_does() {
    let project = Project::new("remote");
    let relay = Relay::new();
    project.file("pass", "told to nobody").file("app/Dockerfile", &format!("FROM {}\nCOPY note /\nCMD [\"sleep\", \"1000\"]\n", busybox()));
    project.file("app/note", "sent\n");
    project.stack(
        r#"secrets: #{ pass: #{ file: "./pass" } },
        services: #{ web: #{
            image: "local/spct-remote:1", build: "./app", secrets: ["pass"], stop_grace_period: "0s", read_only: true,
            healthcheck: #{ test: "test -f /note", interval: "1h" },
        } }"#,
    );
    let on_remote = |spc: super::spc::Spc| spc.env("DOCKER_HOST", relay.docker_host());
    on_remote(project.up()).ends(0).told(&["built", "ready"]);
    assert!(!relay.take().is_empty(), "it went through the port");
    assert_eq!(exec(&project.container("web"), &["cat", "/note", "/run/secrets/pass"]), "sent\ntold to nobody");
    let script = r#"let web = app::describe().service("web"); print(web.exec("cat").stdout); print(web.exec("cat; echo done >&2", #{ stdin: "given" }));"#;
    on_remote(project.script(script)).ends(0).printed(&["given", "done"]);
    on_remote(project.spc(&["run", "scripts/down.rhai"])).ends(0);
    assert_eq!(objects(&project.name), [""; 0]);
    docker(&["image", "rm", "local/spct-remote:1"]);
}

#[test]
fn nothing_to_do_costs_the_same_few_calls_whatever_the_number_of_services() {
    let project = Project::new("calls");
    let relay = Relay::new();
    let calls = || {
        // Until the engine says so itself, each own pass is compared with its container's start.
        until("the engine has checked them all", Duration::from_secs(60), || {
            let health = |id: &String| docker(&["inspect", "--format", "{{.State.Health.Status}}", id]);
            containers(&project.name).values().all(|id| health(id).trim() == "healthy").then_some(())
        });
        project.up().env("DOCKER_HOST", relay.docker_host()).ends(0).told(&["unchanged"]);
        let mut calls = relay.take();
        calls.sort();
        calls
    };
    describe(&project, 1);
    project.up().ends(0);
    let of_one = calls();
    describe(&project, 6);
    project.up().ends(0);
    assert_eq!(containers(&project.name).len(), 6);
    let of_six = calls();
    assert_eq!(of_one, of_six);
    assert_eq!(of_six.len(), 5, "{of_six:#?}");
    assert!(of_six.iter().all(|call| call.starts_with("GET ")), "{of_six:#?}");
}
