//! An engine with a full disk: commands that free space still work.

use super::images::busybox;
use super::project::Project;
use super::second_engine::SecondEngine;

#[test]
fn stop_and_down_work_on_an_engine_with_a_full_disk() {
    let image = busybox();
    let engine = SecondEngine::with_disk("64m");
    engine.load(&[image]);
    let project = Project::new("full-disk");
    project.stack(&format!(
        r#"volumes: #{{ data: #{{}} }},
        services: #{{
            db: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", volumes: ["data:/data"] }},
            web: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", depends_on: ["db"] }},
        }}"#
    ));
    let spc = |words: &[&str]| project.spc(words).env("DOCKER_HOST", engine.host());
    let script = |text: &str| project.script(text).env("DOCKER_HOST", engine.host());
    let running = |name: &str| {
        engine
            .docker(&["inspect", "--format", "{{.State.Running}}", &project.container(name)])
            .unwrap()
    };
    spc(&["run", "scripts/up.rhai"]).ends(0);
    // Without this image, spc can't create its lock container.
    engine.docker(&["image", "rm", "--force", "spc-empty:1"]).unwrap();
    let filler = engine.fill_disk();

    spc(&["run", "scripts/up.rhai"]).ends(0).prints(&["unchanged"]);
    script("app::describe().restart();")
        .ends(1)
        .prints(&["no space left on device", "`docker system df`"]);
    let warning = "The engine's disk is full, there is no space for the project's lock: continuing without it";
    script("app::describe().stop();").ends(0).prints(&[warning]);
    assert_eq!((running("db").trim(), running("web").trim()), ("false", "false"));
    // The engine could not store the new state, so `docker ps` still lists the containers.
    assert!(!engine.docker(&["ps", "--quiet"]).unwrap().is_empty());
    spc(&["run", "scripts/down.rhai"]).ends(0).prints(&[warning]);
    assert_eq!(engine.docker(&["ps", "--all", "--quiet"]).unwrap(), "");
    assert!(!engine.docker(&["network", "ls"]).unwrap().contains(&project.name));

    std::fs::remove_file(filler).unwrap();
    spc(&["run", "scripts/up.rhai"]).ends(0).prints(&["started"]).does_not_print(&[warning]);
    spc(&["run", "scripts/down.rhai"]).ends(0);
}
