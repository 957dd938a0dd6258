//! Faults in descriptions that only a real engine reveals. Each error says what failed, why, and
//! how to fix it.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use super::docker::{containers, docker, inspect, is_there, objects};
use super::images::busybox;
use super::project::{Project, free_port};

/// One service `web` with these keys.
fn web(name: &str, keys: &str) -> Project {
    let project = Project::new(name);
    project.stack(&format!("services: #{{ web: #{{ image: \"{}\", {keys} }} }}", busybox()));
    project
}

#[test]
fn a_port_conflict_with_a_process_names_the_process() {
    let taken = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let project =
        web("port-process", &format!("command: [\"sleep\", \"1000\"], ports: [\"{port}:80\"]"));
    let process = format!("(pid {})", std::process::id());
    let said = format!("The port {port} of \"web\" is already taken by the process");
    project.up().ends(1).prints(&[
        &said,
        &process,
        "scripts/stack.rhai:",
        "publish another host port",
    ]);
    assert_eq!(objects(&project.name), [""; 0], "before anything is made");
    project.spc(&["plan", "scripts/up.rhai"]).ends(1).prints(&[&said]);
    drop(taken);
    project.up().ends(0).prints(&["started"]);
}

#[test]
fn a_port_conflict_with_a_container_names_the_container() {
    let port = free_port();
    let keys = format!("command: [\"sleep\", \"1000\"], ports: [\"{port}:80\"]");
    let first = web("port-first", &keys);
    let second = web("port-second", &keys);
    first.up().ends(0);
    let taken = format!(
        "The service \"web\" needs the host port {port}, which is taken by the container \"spct-port-first-web-1\""
    );
    second.up().ends(1).prints(&[&taken, "scripts/stack.rhai:", "publish another host port"]);
    assert_eq!(objects(&second.name), [""; 0]);
}

#[test]
fn a_missing_image_with_an_unreachable_registry_is_reported() {
    let project = Project::new("no-image");
    project.stack(r#"services: #{ web: #{ image: "127.0.0.1:1/spct/none:1" } }"#);
    project.up().ends(1).prints(&[
        "The image \"127.0.0.1:1/spct/none:1\" is not here and could not be pulled",
        "connection refused",
        "check its name and the connection to the registry",
    ]);
    assert_eq!(containers(&project.name).len(), 0);
}

#[test]
fn a_failed_build_shows_its_step_and_output() {
    let project = Project::new("bad-build");
    project.file("app/Dockerfile", &format!("FROM {}\nRUN echo about to fail; false\n", busybox()));
    project.stack(r#"services: #{ web: #{ image: "local/spct-bad-build:1", build: "./app" } }"#);
    project.up().ends(1).prints(&[
        "The build of \"local/spct-bad-build:1\" failed",
        "RUN echo about to fail; false\" failed with exit code 1",
        "about to fail",
    ]);
    assert!(!is_there("image", "local/spct-bad-build:1"));
    project.file("app/Dockerfile", &format!("FROM {}\nCMD [\"sleep\", \"1000\"]\n", busybox()));
    project.up().ends(0).prints(&["built", "started"]);
    docker(&["rm", "--force", &project.container("web")]);
    docker(&["image", "rm", "local/spct-bad-build:1"]);
}

#[test]
fn a_failing_health_check_is_reported_with_its_output_and_the_log() {
    let check = r#"healthcheck: #{ test: "echo not well >&2; exit 4", interval: "1s", timeout: "1s", retries: 1 }"#;
    let project = web(
        "never-well",
        &format!("command: [\"sh\", \"-c\", \"echo in the log; exec sleep 1000\"], {check}"),
    );
    project.up().ends(1).prints(&[
        "\"web\" is not ready after 4 s",
        "last probe, exit code 4",
        "not well",
        "last log lines",
        "in the log",
    ]);
    // The container stays for inspection, and the next run waits for it again.
    assert_eq!(inspect(&project.container("web"))["State"]["Running"], true);
    project
        .up()
        .ends(1)
        .prints(&["\"web\" is not ready after 4 s"])
        .does_not_print(&["created", "started"]);
}

#[test]
fn a_late_health_check_is_awaited_after_the_engine_reported_unhealthy() {
    // The engine reports "unhealthy" after a second. spc's deadline is later.
    let check = r#"healthcheck: #{ test: "test -f /tmp/well", interval: "500ms", timeout: "30s", retries: 1 }"#;
    let project = web("late-well", &format!("command: [\"sleep\", \"1000\"], {check}"));
    let run = project.up().start();
    let health = || {
        docker(&[
            "inspect",
            "--format",
            "{{if .State.Health}}{{.State.Health.Status}}{{end}}",
            &project.container("web"),
        ])
    };
    super::until::until("the container is there", Duration::from_secs(60), || {
        is_there("container", &project.container("web")).then_some(())
    });
    super::until::until("the engine calls it unhealthy", Duration::from_secs(60), || {
        (health().trim() == "unhealthy").then_some(())
    });
    docker(&["exec", &project.container("web"), "touch", "/tmp/well"]);
    run.ends(0).prints(&["ready"]);
}

#[test]
fn a_health_check_that_can_not_run_fails_immediately() {
    let check = r#"healthcheck: #{ test: ["CMD", "curl", "http://localhost/"], interval: "1h", timeout: "1h" }"#;
    let project = web("no-curl", &format!("command: [\"sleep\", \"1000\"], {check}"));
    project.up().ends(1).prints(&[
        "The health check of \"web\" can't run: exit code 12",
        "curl http://localhost/",
        "install the program in the image",
    ]);
}

#[test]
fn a_service_that_exits_is_reported_with_its_exit_code_and_log() {
    let project = web(
        "exits",
        r#"command: ["sh", "-c", "echo no configuration >&2; exit 7"], restart: "no""#,
    );
    project.up().ends(1).prints(&[
        "\"web\" exited with code 7",
        "last log lines",
        "no configuration",
    ]);
    let project = web(
        "exits-again",
        r#"command: ["sh", "-c", "echo no configuration >&2; exit 7"], restart: "unless-stopped""#,
    );
    project.up().ends(1).prints(&[
        "\"web\" exited 3 times with code 7",
        "last log lines",
        "no configuration",
    ]);
}

#[test]
fn a_service_command_missing_in_the_image_is_reported() {
    let project = web("no-command", r#"command: ["no-such-program"]"#);
    project.up().ends(1).prints(&[
        "The command of \"spct-no-command-web-1\" can't run: exec: \"no-such-program\": executable file not found in $PATH",
        "check that the image has this program",
    ]);
}

#[test]
fn a_job_runs_again_only_after_its_description_changed() {
    let project = Project::new("job");
    let image = busybox();
    let stack = |word: &str| {
        project.stack(&format!(
            r#"volumes: #{{ data: #{{}} }},
            services: #{{
                job: #{{ image: "{image}", command: ["sh", "-c", "echo {word} >>/data/ran"], volumes: ["data:/data"] }},
                web: #{{ image: "{image}", command: ["sleep", "1000"], volumes: ["data:/data:ro"], depends_on: #{{ job: #{{ condition: "service_completed_successfully" }} }} }},
            }}"#
        ));
    };
    let ran = || super::docker::exec(&project.container("web"), &["cat", "/data/ran"]);
    stack("one");
    project.up().ends(0).prints(&["completed"]);
    assert_eq!(ran(), "one\n");
    project.up().ends(0).prints(&["unchanged"]);
    assert_eq!(ran(), "one\n");
    stack("two");
    project.up().ends(0).prints(&["completed", "command changed"]);
    assert_eq!(ran(), "one\ntwo\n");
}

#[test]
fn a_service_does_not_start_after_its_job_failed() {
    let project = Project::new("bad-job");
    let image = busybox();
    project.stack(&format!(
        r#"services: #{{
            job: #{{ image: "{image}", command: ["sh", "-c", "echo no migration; exit 5"] }},
            web: #{{ image: "{image}", command: ["sleep", "1000"], depends_on: #{{ job: #{{ condition: "service_completed_successfully" }} }} }},
        }}"#
    ));
    project.up().ends(1).prints(&["\"job\" exited with code 5", "no migration"]);
    assert_eq!(inspect(&project.container("web"))["State"]["Status"], "created");
}

#[test]
fn a_subnet_conflict_is_reported_with_a_suggested_fix() {
    let keys = r#"command: ["sleep", "1000"]"#;
    let first = web("subnet-first", keys);
    first.up().ends(0);
    let second = web("subnet-second", keys);
    second.edit("scripts/stack.rhai", second.subnet(), first.subnet());
    let needs = "The network \"spct-subnet-second_default\" needs the subnet";
    second.up().ends(1).prints(&[
        needs,
        "of the network \"spct-subnet-first_default\"",
        "choose another `subnet`",
    ]);
    assert_eq!(objects(&second.name), [""; 0]);
}
