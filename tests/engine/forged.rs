//! Forged labels and names: neither the labels of an image nor a container with a name that spc
//! uses affect a project.

use super::docker::{docker, inspect, is_there, try_docker};
use super::images::busybox;
use super::project::Project;

/// A project with one service, whose image has these labels. Returns the project and the image's
/// name.
fn project(name: &str, labels: &str) -> (Project, String) {
    let project = Project::new(name);
    let image = format!("local/{}-image:1", project.name);
    project.file("forged/Dockerfile", &format!("FROM {}\n{labels}\n", busybox()));
    docker(&["build", "--quiet", "--tag", &image, &project.path("forged").to_string_lossy()]);
    project.stack(&format!(
        "services: #{{ web: #{{ image: \"{image}\", command: [\"sleep\", \"1000\"], stop_grace_period: \"0s\", restart: \"always\" }} }}"
    ));
    (project, image)
}

#[test]
fn labels_of_an_image_do_not_assign_a_container_to_a_project() {
    let own = "spct-forged-labels";
    let all = [
        ("dev.spc.project", own),
        ("dev.spc.lock", own),
        ("dev.spc.service", "gone"),
        ("dev.spc.hash", "0a"),
        ("dev.spc.run", "20260101T000000-0a0a0a"),
        ("dev.spc.format", "2"),
        ("com.docker.compose.project", own),
        ("com.docker.compose.service", "gone"),
        ("com.docker.compose.container-number", "1"),
        ("com.docker.compose.config-hash", "0a"),
        ("com.docker.compose.oneoff", "True"),
    ];
    let labels = all.map(|(key, value)| format!("LABEL {key}={value}")).join("\n");
    let (project, image) = project("forged-labels", &labels);
    let stranger = format!("{own}-stranger");
    let _ = try_docker(&["rm", "--force", &stranger]);
    docker(&["run", "--detach", "--name", &stranger, &image, "sleep", "1000"]);

    project.up().ends(0);
    let labels = inspect(&project.container("web"))["Config"]["Labels"].clone();
    assert_eq!((&labels["dev.spc.lock"], &labels["dev.spc.project"]), (&"".into(), &own.into()));
    project.up().ends(0).prints(&["unchanged", "nothing to do"]);
    let listed = project.spc(&["ps"]).ends(0);
    assert!(
        listed.stdout.contains(&project.container("web")) && !listed.stdout.contains(&stranger),
        "{}",
        listed.stdout
    );
    project.script("app::describe().up((), #{ remove_orphans: true });").ends(0);
    project.spc(&["unlock"]).ends(0).prints(&["is not locked"]);
    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    assert!(!is_there("container", &project.container("web")));
    assert_eq!(inspect(&stranger)["State"]["Running"], true);
    project
        .script(&format!("container(\"{stranger}\").stop();"))
        .ends(5)
        .prints(&["no project created it"]);
    docker(&["rm", "--force", &stranger]);
    let _ = try_docker(&["image", "rm", &image]);
}

#[test]
fn a_container_with_the_name_of_the_lock_is_reported_and_not_removed() {
    let (project, image) = project("forged-lock", "");
    let name = format!("{}.spc-lock", project.name);
    let _ = try_docker(&["rm", "--force", &name]);
    docker(&["run", "--detach", "--name", &name, &image, "sleep", "1000"]);
    let said = [
        format!(
            "The project \"{}\" can't be locked: the container \"{name}\" has the name of its lock but is not a lock",
            project.name
        ),
        format!("Its image is \"{image}\", its state is running, and it was created at "),
        format!("`docker rename {name} OTHER-NAME`"),
    ];
    let said = said.each_ref().map(String::as_str);
    project.up().ends(1).prints(&said);
    project.spc(&["--yes", "unlock"]).ends(1).prints(&said);
    assert!(is_there("container", &name));
    docker(&["rm", "--force", &name]);
    project.up().ends(0);
    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    let _ = try_docker(&["image", "rm", &image]);
}
