//! `spc repl` with a running stack.

use super::images::busybox;
use super::project::Project;
use crate::support::{RunningSpc, Spc};

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// A project with two running services and one that never becomes ready.
fn project(name: &str) -> Project {
    let project = Project::new(name);
    let image = busybox();
    project.stack(&format!(
        r#"services: #{{
            cache: #{{ image: "{image}", command: ["sh", "-c", "while :; do echo tick; sleep 1; done"], stop_grace_period: "0s" }},
            collector: #{{ image: "{image}", command: "sleep 1000", stop_grace_period: "0s" }},
            never: #{{ image: "{image}", command: "sleep 1000", stop_grace_period: "0s", profiles: ["never"], healthcheck: #{{ test: "false", interval: "1s", start_period: "1h" }} }},
        }}"#
    ));
    project.up().ends(0);
    project
}

/// Starts `spc repl` in the project.
fn prompt(project: &Project) -> RunningSpc {
    let engine =
        std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
    let spc = Spc::new()
        .at_terminal()
        .env("TERM", "xterm")
        .env("NO_COLOR", "1")
        .env("DOCKER_HOST", engine);
    let folder = project.path("").display().to_string();
    let mut run = spc.args(["repl", "-C", &folder, "--project", &project.name]).start();
    run.until_shown(&format!("project \"{}\"; type help for help", project.name));
    run.until_shown("spc> ");
    run
}

#[test]
fn the_prompt_shows_and_completes_live_services() {
    let project = project("repl");
    let mut run = prompt(&project);
    // The completion is the first request to the engine.
    run.types_keys("let c = service(\"cac\t");
    run.until_shown("he");
    run.types_keys("\"); c.exec(\"echo from the cache\").stdout\r");
    run.until_shown("\nfrom the cache\r\n");
    run.until_shown("spc> ");
    run.says_at_prompt("stack().ps().filter(|s| s.service == \"cache\");", "NAME");
    let table = run.shown();
    assert!(
        table.contains(&format!("\r\n{}   cache     running", project.container("cache"))),
        "{table}"
    );
    run.says_at_prompt("c", "service cache\r\n");
    run.says_at_prompt("[c, stack()]", &format!("[service cache, stack {}]\r\n", project.name));
    run.types_keys("stack().logs([\"cache\", \"col\t");
    run.until_shown("lector");
    run.types_keys("\"]).len() > 0\r");
    run.until_shown("\ntrue\r\n");
    run.until_shown("spc> ");
    // The completion offers a described service even if it has no container.
    run.says_at_prompt("import \"stack\" as app; let spc = app::describe(); 1", "1\r\n");
    run.types_keys("spc.up([\"nev\t");
    run.until_shown("er");
    run.types_keys(CTRL_C);
    run.until_shown("spc> ");
    run.types_keys(CTRL_D);
    assert_eq!(run.ends().code, 0);
}

#[test]
fn ctrl_c_ends_the_operation_and_keeps_the_session() {
    let project = project("repl-interrupt");
    let mut run = prompt(&project);
    run.says_at_prompt(
        "import \"stack\" as app; let spc = app::describe(); let kept = 41; 1",
        "1\r\n",
    );
    // Following a log continues until Ctrl-C.
    run.types_keys("service(\"cache\").logs(#{ follow: true, tail: 1 }).grep(\"tick\")\r");
    run.until_shown("cache-1 | tick\r\n");
    run.until_shown("cache-1 | tick\r\n");
    run.types_keys(CTRL_C);
    run.until_shown("spc> ");
    let shown = run.shown();
    assert!(!shown.contains("interrupted") && !shown.contains("error"), "{shown}");
    for line in [
        "spc.up([\"never\"])",
        "service(\"never\").wait(\"ready\", \"1h\")",
        "service(\"cache\").exec(\"sleep 1000\")",
    ] {
        run.types_keys(&format!("print(\"begun\"); {line}\r"));
        run.until_shown("\nbegun\r\n");
        if line.contains("up") {
            run.until_shown("started");
        }
        run.types_keys(CTRL_C);
        run.until_shown("interrupted: ");
        run.until_shown("error: Interrupted");
        run.until_shown("spc> ");
        run.says_at_prompt("kept + 1", "42\r\n");
    }
    run.says_at_prompt("service(\"cache\").state", "running\r\n");
    run.types_keys(CTRL_D);
    assert_eq!(run.ends().code, 0);
}
