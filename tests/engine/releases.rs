//! Releases on the engine: recorded, restored, and what `docker … prune` removes of them.

use std::process::Command;

use super::docker::{containers, docker, exec, is_there};
use super::images::busybox;
use super::project::Project;

const RECORD: &str = "let it = app::describe(); it.up(); print(it.record_release()?.id);";
const LIST: &str = "for it in app::describe().releases() { print(`${it.id} ${it.name} ${it.outcome} runs ${it.runs} target ${it.rollback_target} images ${it.images}`); }";
const ROLL_BACK: &str = "let it = app::describe(); let to = it.recorded_release(()); it.restore_release(to.id).up(); it.record_release(#{ strategy: \"rollback\", restores: to.id });";

/// Two containers of `web` with this release, configuration and image.
fn web(project: &Project, release: &str, level: &str, image: &str) {
    project.stack(&format!(
        r#"services: #{{ web: #{{
            image: "{image}", command: ["sleep", "1000"], environment: #{{ LEVEL: "{level}" }}, stop_grace_period: "0s",
            scale: 2, "x-spc-release": "{release}",
        }} }}"#
    ));
}

fn levels(project: &Project) -> Vec<String> {
    let names = containers(&project.name).into_keys();
    names.map(|name| exec(&name, &["sh", "-c", "echo $LEVEL"]).trim().to_owned()).collect()
}

/// An image of its own with the label `spct`, so that a prune can be limited to it.
fn own_image(name: &str, content: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("Dockerfile"),
        format!("FROM {}\nLABEL spct=releases\nENV CONTENT={content}\n", busybox()),
    )
    .unwrap();
    let built = Command::new("docker")
        .args(["build", "--quiet", "--tag", name])
        .arg(folder.path())
        .env("DOCKER_BUILDKIT", "0")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    docker(&["image", "inspect", "--format", "{{.Id}}", name]).trim().to_owned()
}

#[test]
fn a_release_that_differs_in_its_configuration_is_restored() {
    let project = Project::new("releases-configuration");
    web(&project, "v1", "1", busybox());
    project.script(RECORD).ends(0).printed(&["1"]);
    web(&project, "v1", "2", busybox());
    project.script(RECORD).ends(0).printed(&["2"]);
    assert_eq!(levels(&project), ["2", "2"]);
    project.script(ROLL_BACK).ends(0);
    assert_eq!(levels(&project), ["1", "1"]);
    project.script(LIST).ends(0).printed(&[
        "3 v1 good runs true target false images true",
        "2 v1 rolled back runs false target false images true",
        "1 v1 good",
    ]);
    let failed = project.script(ROLL_BACK).ends(1);
    failed.prints(&["There is no release of", "before the one that runs"]);
    assert_eq!(levels(&project), ["1", "1"]);
}

#[test]
fn pruned_volumes_lose_the_history_and_nothing_else() {
    let project = Project::new("releases-volumes");
    web(&project, "v1", "1", busybox());
    project.script(RECORD).ends(0);
    web(&project, "v2", "2", busybox());
    project.script(RECORD).ends(0);
    let record = format!("{}.spc-release.1", project.name);
    let filter = format!("label=dev.spc.project={}", project.name);
    assert!(is_there("volume", &record));
    docker(&["container", "prune", "--force", "--filter", &filter]);
    docker(&["network", "prune", "--force", "--filter", &filter]);
    assert!(is_there("volume", &record), "only a prune of volumes removes records");
    let is_old = docker(&["version", "--format", "{{.Server.Version}}"]).starts_with("20.");
    let all: &[&str] = if is_old { &[] } else { &["--all"] };
    docker(&[&["volume", "prune", "--force", "--filter", &filter], all].concat());
    assert!(!is_there("volume", &record));
    assert_eq!(levels(&project), ["2", "2"]);
    project.script(LIST).ends(0);
    let failed = project.script(ROLL_BACK).ends(1);
    failed.prints(&["none is recorded on this engine", "docker volume prune"]);
    assert_eq!(levels(&project), ["2", "2"]);
    project.script(RECORD).ends(0).printed(&["1"]);
}

#[test]
fn a_moved_tag_is_restored_and_a_pruned_image_named_before_anything_changes() {
    let project = Project::new("releases-images");
    let image = format!("local/{}:stable", project.name);
    let first = own_image(&image, "1");
    web(&project, "v1", "1", &image);
    project.script(RECORD).ends(0);
    // The tag moves on; the record still keeps the image.
    let second = own_image(&image, "2");
    web(&project, "v2", "2", &image);
    project.script(RECORD).ends(0);
    docker(&["image", "prune", "--force", "--filter", "label=spct=releases"]);
    assert!(is_there("image", &first), "an image with a name is not pruned");
    project.script(ROLL_BACK).ends(0).prints(&["is the image of release 1 again"]);
    assert_eq!(docker(&["image", "inspect", "--format", "{{.Id}}", &image]).trim(), first);
    assert_eq!(levels(&project), ["1", "1"]);
    // Release 3 restores release 1; release 4 is the second image again.
    docker(&["tag", &second, &image]);
    web(&project, "v2", "2", &image);
    project.script(RECORD).ends(0);
    docker(&["image", "prune", "--all", "--force", "--filter", "label=spct=releases"]);
    assert!(!is_there("image", &first));
    project
        .script(LIST)
        .ends(0)
        .printed(&["4 v2 good runs true", "3 v1 good runs false target true images false"]);
    let failed = project.script(ROLL_BACK).ends(1);
    failed.prints(&["is no longer on the engine", "docker image prune --all"]);
    assert_eq!(levels(&project), ["2", "2"]);
    drop(project);
    docker(&["image", "prune", "--all", "--force", "--filter", "label=spct=releases"]);
}
