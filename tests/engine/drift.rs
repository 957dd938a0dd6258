//! `up` corrects manual changes and touches nothing else.

use super::docker::{containers, docker, inspect};
use super::images::busybox;
use super::project::Project;

/// A running project with the services `db` and `web`.
fn project(name: &str) -> Project {
    let project = Project::new(name);
    let sleeps =
        format!(r#"image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s""#, busybox());
    project.stack(&format!(
        r#"volumes: #{{ data: #{{}} }}, services: #{{ db: #{{ {sleeps}, volumes: ["data:/data"] }}, web: #{{ {sleeps}, depends_on: ["db"] }} }}"#
    ));
    project.up().ends(0);
    project
}

fn runs(container: &str) -> bool {
    inspect(container)["State"]["Running"] == true
}

#[test]
fn a_removed_container_is_recreated() {
    let project = project("removed");
    let before = containers(&project.name);
    docker(&["rm", "--force", &project.container("db")]);
    project.up().ends(0).prints(&["db          created"]).does_not_print(&["web          "]);
    let after = containers(&project.name);
    assert_eq!(after.len(), 2);
    assert_eq!(after[&project.container("web")], before[&project.container("web")]);
}

#[test]
fn a_stopped_container_is_started() {
    let project = project("stopped");
    let before = containers(&project.name);
    docker(&["stop", "--time", "0", &project.container("db")]);
    project.up().ends(0).prints(&["db          started"]).does_not_print(&["web          "]);
    assert_eq!(containers(&project.name), before);
    assert!(runs(&project.container("db")));
}

#[test]
fn a_paused_container_is_reported_with_a_suggested_fix() {
    let project = project("paused");
    docker(&["pause", &project.container("db")]);
    let said = ["The container \"spct-paused-db-1\" is paused", "docker unpause spct-paused-db-1"];
    project.up().ends(1).prints(&said);
    project.script("app::describe().start();").ends(1).prints(&said);
    project.script("app::describe().service(\"db\").exec(\"true\");").ends(1).prints(&said);
    docker(&["unpause", &project.container("db")]);
    project.up().ends(0).prints(&["unchanged"]);
}

#[test]
fn a_removed_network_is_recreated_and_its_containers_are_reconnected() {
    let project = project("net-gone");
    for service in ["db", "web"] {
        docker(&[
            "network",
            "disconnect",
            "--force",
            "spct-net-gone_default",
            &project.container(service),
        ]);
    }
    docker(&["network", "rm", "spct-net-gone_default"]);
    project.up().ends(0);
    for service in ["db", "web"] {
        let networks = inspect(&project.container(service))["NetworkSettings"]["Networks"].clone();
        assert!(
            networks["spct-net-gone_default"]["IPAddress"]
                .as_str()
                .is_some_and(|address| !address.is_empty()),
            "{service}: {networks}"
        );
    }
    project.up().ends(0).prints(&["unchanged"]);
}

#[test]
fn a_container_name_in_use_is_reported() {
    let project = Project::new("name-taken");
    let name = project.container("web");
    let _ = super::docker::try_docker(&["rm", "--force", &name]);
    docker(&["create", "--name", &name, busybox(), "true"]);
    project.stack(&format!(r#"services: #{{ web: #{{ image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s" }} }}"#, busybox()));
    project.up().ends(1).prints(&[
        "The container name \"spct-name-taken-web-1\" is taken by another container: neither spc nor Docker Compose created it",
        "--project",
    ]);
    docker(&["rm", &name]);
    project.up().ends(0);
}

#[test]
fn changed_network_settings_need_down_and_up() {
    let project = project("other-net");
    project.edit(
        "scripts/stack.rhai",
        "\"default\": #{ ipam",
        "\"default\": #{ internal: true, ipam",
    );
    project.up().ends(1).prints(&[
        "The network \"spct-other-net_default\" was created with other settings",
        "run `down`, then `up`",
    ]);
    assert!(runs(&project.container("web")));
    project.script("app::describe().down();").ends(0);
    project.up().ends(0);
    assert_eq!(
        docker(&["network", "inspect", "--format", "{{.Internal}}", "spct-other-net_default"]),
        "true\n"
    );
}
