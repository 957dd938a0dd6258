//! Readiness: spc probes with the effective health check of a container.

use std::time::Duration;

use super::docker::{containers, docker, exec};
use super::images::busybox;
use super::project::{Project, free_port};

fn health(project: &Project) -> String {
    docker(&["inspect", "--format", "{{.State.Health.Status}}", &project.container("web")])
        .trim()
        .to_owned()
}

/// A service `web` with these keys. Its image is built with these Dockerfile instructions.
fn built(name: &str, instructions: &str, keys: &str) -> Project {
    let project = Project::new(name);
    project.file("app/Dockerfile", &format!("FROM {}\n{instructions}\n", busybox()));
    project.stack(&format!(
        r#"services: #{{ web: #{{ image: "local/{}:1", build: "./app", stop_grace_period: "0s", {keys} }} }}"#,
        project.name
    ));
    project
}

fn remove_image(project: &Project) {
    super::docker::remove_project(&project.name);
    docker(&["image", "rm", &format!("local/{}:1", project.name)]);
}

#[test]
fn the_health_check_of_an_image_runs_with_its_shell_and_user() {
    // The check passes only as this user and in this shell. The engine's first check comes much
    // later.
    let instructions = r#"USER 1000
SHELL ["sh", "-e", "-c"]
HEALTHCHECK --interval=1h CMD test $(id -u) = 1000; case $- in *e*) ;; *) false;; esac; test -f /tmp/well
CMD ["sh", "-c", "sleep 1; touch /tmp/well; exec sleep 1000"]"#;
    let project = built("own-check", instructions, "");
    let ended = project.up().ends(0).prints(&["ready"]);
    assert!(ended.took < Duration::from_secs(60), "{:?}", ended.took);
    exec(&project.container("web"), &["test", "-f", "/tmp/well"]);
    assert_eq!(health(&project), "starting", "the engine has not asked yet");
    // spc stores the result of its probe, so the next run does not wait for the engine.
    project.up().ends(0).prints(&["unchanged"]);
    let script = r#"print(app::describe().ps()[0].ready); print(app::describe().service("web").probe().ok);"#;
    project.script(script).ends(0).printed(&["true\ntrue\n"]);
    // A restart invalidates the stored result.
    docker(&["restart", "--time", "0", &project.container("web")]);
    project.up().ends(0).prints(&["ready"]).does_not_print(&["started"]);
    remove_image(&project);
}

#[test]
fn a_service_with_a_disabled_health_check_is_ready_when_it_runs() {
    let instructions = "HEALTHCHECK --interval=1h CMD false\nCMD [\"sleep\", \"1000\"]";
    let project = built("no-check", instructions, "healthcheck: #{ disable: true }");
    project.up().ends(0).prints(&["ready"]);
    remove_image(&project);
}

#[test]
fn probing_can_be_left_to_the_engine() {
    let project = Project::new("engine-probe");
    // Each check appends a line to a file.
    let keys = r#"command: ["sleep", "1000"], stop_grace_period: "0s", "x-spc-probe": "engine", healthcheck: #{ test: "echo asked >>/tmp/asked", interval: "2s" }"#;
    project.stack(&format!(r#"services: #{{ web: #{{ image: "{}", {keys} }} }}"#, busybox()));
    let ended = project.up().ends(0).prints(&["ready"]);
    assert!(ended.took >= Duration::from_secs(2), "{:?}", ended.took);
    assert_eq!(health(&project), "healthy");
}

#[test]
fn probing_is_left_to_the_engine_after_a_probe_timed_out() {
    let project = Project::new("slow-probe");
    // The first two checks hang: spc's probe and the engine's first check.
    let test =
        "n=$(cat /tmp/n 2>/dev/null || echo 0); echo $((n+1)) >/tmp/n; test $n -gt 1 || sleep 1000";
    let keys = format!(
        r#"command: ["sleep", "1000"], stop_grace_period: "0s", healthcheck: #{{ test: "{test}", interval: "1s", timeout: "1s", retries: 10 }}"#
    );
    project.stack(&format!(r#"services: #{{ web: #{{ image: "{}", {keys} }} }}"#, busybox()));
    project.up().ends(0).prints(&["ready"]);
    assert_eq!(health(&project), "healthy");
    // One probe of spc and two checks of the engine.
    assert_eq!(exec(&project.container("web"), &["cat", "/tmp/n"]), "3\n");
}

#[test]
fn a_dependent_service_starts_as_soon_as_the_health_check_passes() {
    let project = Project::new("gated");
    let image = busybox();
    let keys = |after: &str, test: &str| {
        format!(
            r#"image: "{image}", command: ["sh", "-c", "sleep 1; touch /tmp/well; exec sleep 1000"], stop_grace_period: "0s", healthcheck: #{{ test: "{test}", interval: "1h" }}, depends_on: {after}"#
        )
    };
    let healthy =
        |service: &str| format!(r#"#{{ {service}: #{{ condition: "service_healthy" }} }}"#);
    project.stack(&format!(
        "services: #{{ one: #{{ {} }}, two: #{{ {} }}, three: #{{ {} }}, beside: #{{ {} }} }}",
        keys("[]", "test -f /tmp/well"),
        keys(&healthy("one"), "test -f /tmp/well"),
        keys(&healthy("two"), "test -f /tmp/well"),
        keys("[]", "true"),
    ));
    // Waiting for the engine's checks would take an hour per service.
    project.up().ends(0);
    let started = |service: &str| {
        docker(&["inspect", "--format", "{{.State.StartedAt}}", &project.container(service)])
    };
    let order = ["one", "two", "three"].map(started);
    assert!(order.is_sorted(), "{order:?}");
    assert!(started("beside") < order[1], "an independent branch waits for nobody");
    assert_eq!(containers(&project.name).len(), 4);
}

#[test]
fn a_service_that_dies_while_others_become_ready_fails_the_run() {
    let project = Project::new("relied-on");
    let image = busybox();
    project.stack(&format!(
        r#"services: #{{
            db: #{{
                image: "{image}", command: ["sh", "-c", "sleep 8; touch /tmp/well; sleep 1000"], stop_grace_period: "0s",
                healthcheck: #{{ test: "test -f /tmp/well", interval: "1h" }},
            }},
            web: #{{ image: "{image}", command: ["sh", "-c", "sleep 1.5; exit 3"], ports: ["{}:80"], restart: "always" }},
        }}"#,
        free_port()
    ));
    project
        .up()
        .ends(1)
        .prints(&["\"web\" was ready, then exited with code 3, and the engine starts it again"]);
}
