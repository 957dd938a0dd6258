//! Replacing changed containers: update order, scale, and what stays unchanged.

use super::docker::{containers, docker, exec, inspect};
use super::images::busybox;
use super::project::Project;
use super::watch::EventWatch;

/// Describes a service `web` with `keys` and a volume `data` with the keys in `volume`. The service
/// sleeps unless `keys` contains a command.
fn web(project: &Project, keys: &str, volume: &str) {
    let command = if keys.contains("command:") { "" } else { "command: [\"sleep\", \"1000\"], " };
    project.stack(&format!(
        r#"volumes: #{{ data: #{{ {volume} }} }},
        services: #{{ web: #{{ image: "{}", stop_grace_period: "0s", {command}{keys} }} }}"#,
        busybox()
    ));
}

/// The position of the first event that equals `event`.
fn place(events: &[String], event: &str) -> usize {
    events.iter().position(|there| there == event).unwrap_or_else(|| panic!("{event}: {events:#?}"))
}

#[test]
fn stop_first_keeps_the_stopped_container_until_the_new_one_is_ready() {
    let project = Project::new("stop-first");
    web(&project, "environment: #{ A: \"1\" }, volumes: [\"data:/data\", \"/cache\"]", "");
    project.up().ends(0);
    exec(&project.container("web"), &["sh", "-c", "echo row >/data/row; echo hit >/cache/hit"]);
    let mut watch = EventWatch::on(&project.name);
    web(&project, "environment: #{ A: \"2\" }, volumes: [\"data:/data\", \"/cache\"]", "");
    project.up().ends(0).prints(&["environment A changed"]);
    let (events, web) = (watch.so_far(), project.container("web"));
    let order = [
        format!("container create {web}.new"),
        format!("container die {web}"),
        format!("container start {web}.new"),
        format!("container destroy {web}"),
        format!("container rename {web}"),
    ];
    let places: Vec<usize> = order.iter().map(|event| place(&events, event)).collect();
    assert!(places.is_sorted(), "{events:#?}");
    assert_eq!(exec(&web, &["cat", "/data/row", "/cache/hit"]), "row\nhit\n");
    assert_eq!(exec(&web, &["sh", "-c", "echo $A"]), "2\n");
    project.up().ends(0).prints(&["unchanged"]);
}

#[test]
fn start_first_starts_the_new_container_before_the_old_one_stops() {
    let project = Project::new("start-first");
    let describe = |a: u32| {
        let keys = format!(
            r#"environment: #{{ A: "{a}" }}, command: ["sh", "-c", "touch /tmp/well; exec sleep 1000"],
            deploy: #{{ update_config: #{{ order: "start-first" }} }}, healthcheck: #{{ test: "test -f /tmp/well", interval: "1h" }}"#
        );
        web(&project, &keys, "");
    };
    describe(1);
    project.up().ends(0);
    let mut watch = EventWatch::on(&project.name);
    describe(2);
    project.up().ends(0);
    let (events, web) = (watch.so_far(), project.container("web"));
    let order = [
        format!("container start {web}.new"),
        format!("container die {web}"),
        format!("container destroy {web}"),
        format!("container rename {web}"),
    ];
    let places: Vec<usize> = order.iter().map(|event| place(&events, event)).collect();
    assert!(places.is_sorted(), "{events:#?}");
    // The service's name resolves only to the new container.
    let address =
        inspect(&web)["NetworkSettings"]["Networks"]["spct-start-first_default"]["IPAddress"]
            .as_str()
            .unwrap()
            .to_owned();
    let found = exec(&web, &["nslookup", "web"]);
    assert!(found.contains(&address), "{found}");
    project.up().ends(0).prints(&["unchanged"]);
}

#[test]
fn start_first_with_a_writable_volume_is_rejected_before_any_change() {
    let project = Project::new("two-writers");
    let keys = r#"volumes: ["data:/data"], deploy: #{ update_config: #{ order: "start-first" } }"#;
    web(&project, keys, "");
    project.up().ends(2).prints(&[
        "\"start-first\" is not possible: the service \"web\" writes to the volume \"data\"",
        "x-spc-shared",
    ]);
    web(&project, r#"volumes: ["data:/data"], scale: 2"#, "");
    project.up().ends(2).prints(&["2 containers would write to the volume \"data\" at once: web"]);
    assert_eq!(super::docker::objects(&project.name), [""; 0]);

    web(&project, keys, r#""x-spc-shared": true"#);
    project.up().ends(0);
    web(&project, r#"volumes: ["data:/data"], scale: 2"#, r#""x-spc-shared": true"#);
    project.up().ends(0);
    assert_eq!(containers(&project.name).len(), 2);
}

#[test]
fn a_service_scales_up_and_down_and_keeps_its_scale() {
    let project = Project::new("scale");
    let names = || containers(&project.name).into_keys().collect::<Vec<_>>();
    web(&project, "scale: 1", "");
    project.up().ends(0);
    let first = containers(&project.name);
    web(&project, "scale: 3", "");
    project.up().ends(0).prints(&["spct-scale-web-2", "spct-scale-web-3"]);
    assert_eq!(names(), ["spct-scale-web-1", "spct-scale-web-2", "spct-scale-web-3"]);
    assert_eq!(
        containers(&project.name)["spct-scale-web-1"],
        first["spct-scale-web-1"],
        "a number is no reason to replace"
    );
    web(&project, "scale: 2", "");
    project.up().ends(0).prints(&["scale is 2"]);
    assert_eq!(names(), ["spct-scale-web-1", "spct-scale-web-2"]);

    // A scale that a script sets holds until the next `up` if the service describes a scale, and
    // otherwise until `down`.
    let scale =
        |number: u32| project.script(&format!("app::describe().service(\"web\").scale({number});"));
    scale(3).ends(0);
    assert_eq!(names().len(), 3);
    project.up().ends(0).prints(&["scale is 2"]);
    assert_eq!(names().len(), 2);
    web(&project, "", "");
    scale(3).ends(0);
    project.up().ends(0).prints(&["unchanged"]);
    assert_eq!(names().len(), 3);
    project.script("app::describe().down();").ends(0);
    project.up().ends(0);
    assert_eq!(names(), ["spct-scale-web-1"]);
}

#[test]
fn an_env_file_is_compared_by_its_variables() {
    let project = Project::new("env-file");
    web(&project, "env_file: \"web.env\"", "");
    project.file("web.env", "A=1\n");
    project.up().ends(0);
    let before = containers(&project.name);
    project.file("web.env", "# a remark\nA=1\n");
    project.up().ends(0).prints(&["unchanged"]);
    assert_eq!(containers(&project.name), before);
    project.file("web.env", "A=2\n");
    project.up().ends(0).prints(&["environment A changed"]);
    assert_eq!(exec(&project.container("web"), &["sh", "-c", "echo $A"]), "2\n");
}

#[test]
fn stop_start_and_restart_keep_the_container() {
    let project = Project::new("lifecycle");
    web(&project, "restart: \"unless-stopped\"", "");
    project.up().ends(0);
    let before = containers(&project.name);
    let state = || inspect(&project.container("web"))["State"].clone();
    let started = state()["StartedAt"].clone();
    project.script("app::describe().restart([\"web\"]);").ends(0).prints(&["restarted"]);
    assert_ne!(state()["StartedAt"], started);
    project.script("app::describe().stop();").ends(0).prints(&["stopped"]);
    assert_eq!(state()["Running"], false);
    project.script("app::describe().stop();").ends(0).prints(&["unchanged"]);
    project.script("app::describe().start();").ends(0).prints(&["started"]);
    assert_eq!(state()["Running"], true);
    docker(&["kill", &project.container("web")]);
    project.up().ends(0).prints(&["started", "exited with code 137"]);
    assert_eq!(containers(&project.name), before);
}

#[test]
fn an_orphaned_service_is_removed_only_with_remove_orphans() {
    let project = Project::new("orphans");
    let image = busybox();
    project.stack(&format!(r#"services: #{{ web: #{{ image: "{image}", command: ["sleep", "1000"] }}, old: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s" }} }}"#));
    project.up().ends(0);
    project.stack(&format!(
        r#"services: #{{ web: #{{ image: "{image}", command: ["sleep", "1000"] }} }}"#
    ));
    project
        .up()
        .ends(0)
        .prints(&["spct-orphans-old-1 belongs to no described service", "--remove-orphans"]);
    assert_eq!(containers(&project.name).len(), 2);
    project.up().arg("--remove-orphans").ends(0).prints(&["no longer described"]);
    assert_eq!(
        containers(&project.name).into_keys().collect::<Vec<_>>(),
        [project.container("web")]
    );
}

#[test]
fn a_rebuilt_image_replaces_its_containers() {
    let project = Project::new("new-image");
    let dockerfile = |word: &str| {
        project.file(
            "app/Dockerfile",
            &format!("FROM {}\nRUN echo {word} >/word\nCMD [\"sleep\", \"1000\"]\n", busybox()),
        );
    };
    project.stack(r#"services: #{ web: #{ image: "local/spct-new-image:1", build: "./app", stop_grace_period: "0s" } }"#);
    let build = "app::describe().build(); app::describe().up();";
    dockerfile("one");
    project.script(build).ends(0);
    let before = containers(&project.name);
    project.script(build).ends(0).prints(&["unchanged"]);
    assert_eq!(containers(&project.name), before);
    dockerfile("two");
    project.script(build).ends(0).prints(&["image changed"]);
    assert_eq!(exec(&project.container("web"), &["cat", "/word"]), "two\n");
    super::docker::remove_project(&project.name);
    docker(&["image", "rm", "local/spct-new-image:1"]);
}
