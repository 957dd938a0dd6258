//! `--adopt`: spc takes over a project that Docker Compose created.

use std::time::Duration;

use super::docker::{containers, docker, exec, inspect, is_there, objects};
use super::images::busybox;
use super::project::Project;
use super::until::until;

const LONG: Duration = Duration::from_secs(30);

/// Creates a project like Docker Compose does: a container `db`, a volume and a network, with
/// Compose's labels and without spc's.
fn composed(project: &Project) {
    let name = &project.name;
    let label = |key: &str, value: &str| format!("com.docker.compose.{key}={value}");
    let of_project = label("project", name);
    let (network, volume) = (format!("{name}_default"), format!("{name}_data"));
    docker(&[
        "network",
        "create",
        "--subnet",
        project.subnet(),
        "--label",
        &of_project,
        "--label",
        &label("network", "default"),
        &network,
    ]);
    docker(&[
        "volume",
        "create",
        "--label",
        &of_project,
        "--label",
        &label("volume", "data"),
        &volume,
    ]);
    let mount = format!("{volume}:/data");
    run_composed(
        project,
        &project.container("db"),
        &network,
        &mount,
        "echo row >>/data/rows; exec sleep 1000",
    );
}

/// Starts a container of `db` with Compose's labels.
fn run_composed(project: &Project, container: &str, network: &str, mount: &str, command: &str) {
    create_composed(project, &["run", "--detach"], container, network, mount, command);
}

fn create_composed(
    project: &Project,
    how: &[&str],
    container: &str,
    network: &str,
    mount: &str,
    command: &str,
) {
    let label = |key: &str, value: &str| format!("com.docker.compose.{key}={value}");
    let folder = project.path("").display().to_string();
    let labels = [
        label("project", &project.name),
        label("service", "db"),
        label("container-number", "1"),
        label("oneoff", "False"),
        label("config-hash", &"0a1b".repeat(16)),
        label("project.working_dir", &folder),
        label("version", "2.40.3"),
    ];
    let mut words = how.to_vec();
    words.extend([
        "--name",
        container,
        "--network",
        network,
        "--volume",
        mount,
        "--stop-timeout",
        "9",
    ]);
    words.extend(labels.iter().flat_map(|label| ["--label", label]));
    words.extend([busybox(), "sh", "-c", command]);
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
fn a_compose_project_stays_unchanged_without_adopt() {
    let project = Project::new("refused");
    composed(&project);
    describe(&project);
    let (before, ids) = (objects(&project.name), containers(&project.name));
    project.up().ends(1).prints(&[
        "This engine has a project \"spct-refused\" that spc did not create, with the containers spct-refused-db-1",
        "use --adopt",
    ]);
    assert_eq!((objects(&project.name), containers(&project.name)), (before.clone(), ids.clone()));
    project
        .spc(&["run", "scripts/down.rhai"])
        .ends(0)
        .prints(&["kept, because spc did not create them: spct-refused-db-1"]);
    assert_eq!((objects(&project.name), containers(&project.name)), (before, ids));
    project.script("app::describe().down(#{ volumes: true });").arg("--adopt").ends(0);
    assert_eq!(objects(&project.name), Vec::<String>::new());
}

#[test]
fn adopt_replaces_containers_and_keeps_volumes() {
    let project = Project::new("adopt");
    composed(&project);
    describe(&project);
    let old = containers(&project.name);
    project.up().arg("--adopt").ends(0).prints(&["adopted from Docker Compose"]);
    let now = containers(&project.name);
    assert_eq!(old.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>());
    assert_ne!(old, now);
    assert_eq!(
        inspect(&project.container("db"))["Config"]["Labels"]["dev.spc.project"],
        "spct-adopt"
    );
    assert_eq!(exec(&project.container("db"), &["cat", "/data/rows"]), "row\n");

    // Later runs don't need `--adopt`.
    project.up().ends(0).prints(&["unchanged"]);
    project.script("app::describe().down();").ends(0);
    assert_eq!(containers(&project.name).len(), 0);
    assert!(is_there("volume", "spct-adopt_data") && !is_there("network", "spct-adopt_default"));
    project.up().ends(0);
    assert_eq!(exec(&project.container("db"), &["cat", "/data/rows"]), "row\n");
    project.script("app::describe().down(#{ volumes: true });").ends(0);
    assert!(!is_there("volume", "spct-adopt_data") && !is_there("network", "spct-adopt_default"));
}

#[test]
fn a_volume_left_by_compose_needs_adopt() {
    let project = Project::new("adopt-left");
    composed(&project);
    docker(&["rm", "--force", &project.container("db")]);
    describe(&project);
    let left = "was created by Docker Compose for a project of this name";
    project.up().ends(1).prints(&[left, "use --adopt"]);
    project.up().arg("--adopt").ends(0);
    project.script("app::describe().down(#{ volumes: true });").ends(0);
    assert!(
        !is_there("volume", "spct-adopt-left_data")
            && !is_there("network", "spct-adopt-left_default")
    );
}

/// A database that logs its start and stop to the volume. It also logs if another writer is
/// running.
const DATABASE: &str = "[ -e /data/lock ] && echo SECOND WRITER >>/data/log; touch /data/lock; \
                        trap 'sleep 1; rm -f /data/lock; echo clean stop >>/data/log; exit 0' TERM; echo start >>/data/log; while :; do sleep 0.1; done";

#[test]
fn adopting_leftovers_of_a_killed_compose_runs_one_database_at_a_time() {
    let project = Project::new("residue");
    let (network, volume) = (format!("{}_default", project.name), format!("{}_data", project.name));
    composed(&project);
    docker(&["rm", "--force", &project.container("db")]);
    let mount = format!("{volume}:/data");
    run_composed(&project, &project.container("db"), &network, &mount, DATABASE);
    let residue = format!("0a1b2c3d4e5f_{}", project.container("db"));
    create_composed(&project, &["create"], &residue, &network, &mount, DATABASE);
    project.stack(&format!(
        r#"volumes: #{{ data: #{{}} }},
        services: #{{ db: #{{ image: "{}", command: ["sh", "-c", `{DATABASE}`], stop_grace_period: "9s", volumes: ["data:/data"] }} }}"#,
        busybox()
    ));
    let has_logged = |wanted: &str| {
        (exec(&project.container("db"), &["cat", "/data/log"]) == wanted).then_some(())
    };
    until("the first database runs", LONG, || has_logged("start\n"));
    project.up().arg("--adopt").ends(0).prints(&["a second container with this number"]);
    assert_eq!(
        containers(&project.name).keys().cloned().collect::<Vec<_>>(),
        [project.container("db")]
    );
    until("the new database runs", LONG, || has_logged("start\nclean stop\nstart\n"));
    project.up().arg("--adopt").ends(0).prints(&["unchanged"]);
    has_logged("start\nclean stop\nstart\n").unwrap();
}

#[test]
fn a_used_container_name_is_reported_with_its_project() {
    let (first, second) = (Project::new("name-first"), Project::new("name-second"));
    for project in [&first, &second] {
        project.stack(&format!(
            r#"services: #{{ a: #{{ image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s", container_name: "spct-name-shared" }} }}"#,
            busybox()
        ));
    }
    first.up().ends(0);
    let before = containers(&first.name);
    second.up().ends(1).prints(&[
        "The container name \"spct-name-shared\" is taken by another container: spc created it for the service \"a\" of the project \"spct-name-first\"",
        "its state is running, and it was created at",
        "choose another \"container_name\"",
    ]);
    assert_eq!(containers(&first.name), before);
}
