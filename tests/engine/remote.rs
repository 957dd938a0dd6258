//! A remote engine behind a TCP port, and the number of calls to it.

use std::time::Duration;

use super::docker::{containers, docker, objects};
use super::images::busybox;
use super::project::Project;
use super::relay::Relay;
use super::spc::Spc;
use super::until::until;

fn describe(project: &Project, services: usize) {
    let services: Vec<String> = (1..=services)
        .map(|number| {
            format!(r#"s{number}: #{{ image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s", healthcheck: #{{ test: "true", interval: "1s" }} }}"#, busybox())
        })
        .collect();
    project.stack(&format!("services: #{{ {} }}", services.join(", ")));
}

/// Brings up a stack with a build and a secret, uses it, and takes it down. `leads` directs a run
/// to the engine under test, and `docker` runs Docker's client on it. Returns the number of runs.
pub fn serves_as_a_local_engine(
    project: &Project,
    leads: &dyn Fn(Spc) -> Spc,
    docker: &dyn Fn(&[&str]) -> String,
) -> usize {
    let image = format!("local/{}:1", project.name);
    if !docker(&["image", "ls", "--quiet", &image]).is_empty() {
        docker(&["image", "rm", "--force", &image]);
    }
    project.file("pass", "told to nobody").file("app/note", "sent\n");
    project.file(
        "app/Dockerfile",
        &format!(
            "FROM {}\nCOPY note /\nCMD [\"sh\", \"-c\", \"echo begun; sleep 1000\"]\n",
            busybox()
        ),
    );
    project.stack(&format!(
        r#"secrets: #{{ pass: #{{ file: "./pass" }} }},
        services: #{{ web: #{{
            image: "{image}", build: "./app", secrets: ["pass"], stop_grace_period: "0s", read_only: true,
            healthcheck: #{{ test: "test -f /note", interval: "1h" }},
        }} }}"#
    ));
    leads(project.up()).ends(0).prints(&["built", "ready"]);
    assert_eq!(
        docker(&["exec", &project.container("web"), "cat", "/note", "/run/secrets/pass"]),
        "sent\ntold to nobody"
    );
    let script = r#"
        let web = app::describe().service("web");
        print(web.exec("cat", #{ stdin: "given" }).stdout);
        print(web.exec("seq 1 200000").lines().len());
        print(parallel([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map(|n| || web.exec(`sleep 0.2; echo ${n}`).stdout.int())));
        print(web.logs()[0].text);
    "#;
    let numbers: Vec<String> = (1..=12).map(|number| number.to_string()).collect();
    leads(project.script(script)).ends(0).printed(&[
        "given\n200000\n",
        &format!("[{}]", numbers.join(", ")),
        "begun",
    ]);
    leads(project.spc(&["ps"])).ends(0).printed(&[&project.container("web"), "running"]);
    leads(project.spc(&["run", "scripts/down.rhai"])).ends(0);
    let label = format!("label=com.docker.compose.project={}", project.name);
    assert_eq!(docker(&["ps", "--all", "--quiet", "--filter", &label]), "");
    docker(&["image", "rm", &image]);
    4
}

#[test]
fn a_remote_engine_behaves_like_a_local_one() {
    let project = Project::new("remote");
    let relay = Relay::new();
    serves_as_a_local_engine(&project, &|spc| spc.env("DOCKER_HOST", relay.docker_host()), &docker);
    assert!(!relay.take().is_empty(), "it went through the port");
    assert_eq!(objects(&project.name), [""; 0]);
}

#[test]
fn an_up_without_changes_makes_the_same_calls_for_any_number_of_services() {
    let project = Project::new("calls");
    let relay = Relay::new();
    let calls = || {
        // Before the engine's first check, spc inspects each container to compare its start with
        // spc's own probe.
        until("the engine has checked them all", Duration::from_secs(60), || {
            let health =
                |id: &String| docker(&["inspect", "--format", "{{.State.Health.Status}}", id]);
            containers(&project.name)
                .values()
                .all(|id| health(id).trim() == "healthy")
                .then_some(())
        });
        project.up().env("DOCKER_HOST", relay.docker_host()).ends(0).prints(&["unchanged"]);
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
