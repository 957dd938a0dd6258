//! A project of the same name that Docker Compose made.

use super::docker::{containers, docker, exec, inspect, is_there, objects};
use super::images::busybox;
use super::project::Project;

/// Makes what Compose would have made of a `db` with a volume, on a network: with its labels, not with spc's.
fn composed(project: &Project) {
    let name = &project.name;
    let label = |key: &str, value: &str| format!("com.docker.compose.{key}={value}");
    let of_project = label("project", name);
    let (network, volume) = (format!("{name}_default"), format!("{name}_data"));
    docker(&["network", "create", "--subnet", project.subnet(), "--label", &of_project, "--label", &label("network", "default"), &network]);
    docker(&["volume", "create", "--label", &of_project, "--label", &label("volume", "data"), &volume]);
    let labels =
        [of_project, label("service", "db"), label("container-number", "1"), label("oneoff", "False"), label("config-hash", "0a1b")];
    let (container, mount) = (project.container("db"), format!("{volume}:/data"));
    let mut words = vec!["run", "--detach", "--name", &container, "--network", &network, "--volume", &mount];
    words.extend(labels.iter().flat_map(|label| ["--label", label]));
    words.extend([busybox(), "sh", "-c", "echo row >>/data/rows; exec sleep 1000"]);
    docker(&words);
}

fn describe(project: &Project) {
    project.stack(&format!(
        r#"volumes: #{{ data: #{{}} }},
        services: #{{ db: #{{ image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s", volumes: ["data:/data"] }} }}"#,
        busybox()
    ));
}

#[test]
fn a_compose_project_is_refused_and_left_alone_without_adopt() {
    let project = Project::new("refused");
    composed(&project);
    describe(&project);
    let (before, ids) = (objects(&project.name), containers(&project.name));
    project
        .up()
        .ends(1)
        .told(&["A project \"spct-refused\" that spc did not make is on this engine: spct-refused-db-1", "--adopt takes it over"]);
    assert_eq!((objects(&project.name), containers(&project.name)), (before.clone(), ids.clone()));
    project.spc(&["run", "scripts/down.rhai"]).ends(0).told(&["left alone, because spc did not make them: spct-refused-db-1"]);
    assert_eq!((objects(&project.name), containers(&project.name)), (before, ids));
}

#[test]
fn adopt_replaces_the_containers_and_uses_the_volumes_in_place() {
    let project = Project::new("adopt");
    composed(&project);
    describe(&project);
    let old = containers(&project.name);
    project.up().arg("--adopt").ends(0).told(&["adopted from Docker Compose"]);
    let now = containers(&project.name);
    assert_eq!(old.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
    assert_ne!(old, now);
    assert_eq!(inspect(&project.container("db"))["Config"]["Labels"]["dev.spc.project"], "spct-adopt");
    assert_eq!(exec(&project.container("db"), &["cat", "/data/rows"]), "row\n");

    // From now on it is spc's, without the option; but the volume is removed by nobody who isn't asked for it by name.
    project.up().ends(0).told(&["unchanged"]);
    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    assert_eq!(containers(&project.name).len(), 0);
    assert!(is_there("volume", "spct-adopt_data"));
    project.up().ends(0);
    assert_eq!(exec(&project.container("db"), &["cat", "/data/rows"]), "row\n");
}
