//! Warnings about old content: an anonymous volume that a new container keeps, and an image that
//! was built from another description.

use similar_asserts::assert_eq;

use super::docker::{docker, exec, inspect, is_there, try_docker};
use super::images::busybox;
use super::project::Project;

/// Describes `a` with these keys under `build`. Its image declares an anonymous volume for its
/// dependencies.
fn describe(project: &Project, build: &str) {
    project.stack(&format!(
        r#"services: #{{ a: #{{ build: #{{ context: "app", {build} }}, command: ["sleep", "1000"], stop_grace_period: "0s" }} }}"#
    ));
}

/// The volume at `/app/deps` in the container.
fn volume(project: &Project) -> String {
    let mounts = inspect(&project.container("a"))["Mounts"].take();
    mounts.as_array().unwrap().iter().find(|mount| mount["Destination"] == "/app/deps").unwrap()["Name"].as_str().unwrap().to_owned()
}

#[test]
fn old_anonymous_volumes_are_reported_and_renewed_on_request() {
    let project = Project::new("stale");
    let image = format!("{}-a", project.name);
    let _ = try_docker(&["rmi", "--force", &image]);
    project.file(
        "app/Dockerfile",
        &format!(
            "FROM {} AS one\nARG V=1\nRUN mkdir -p /app/deps && echo \"deps $V\" >/app/deps/list\nVOLUME /app/deps\nFROM one AS two\n",
            busybox()
        ),
    );
    let list = || exec(&project.container("a"), &["cat", "/app/deps/list"]).trim().to_owned();
    describe(&project, r#"target: "one", args: #{ V: "1" }"#);
    project.up().ends(0).does_not_print(&["keeps what", "changed since it was built"]);
    let first = volume(&project);
    assert_eq!(list(), "deps 1");
    // If the description changes without a build, spc warns and changes nothing.
    describe(&project, r#"target: "two", args: #{ V: "2" }"#);
    let said = format!(
        "the description of the image \"{image}\" changed since it was built (target, arguments)"
    );
    project.spc(&["plan", "scripts/up.rhai"]).ends(0).printed(&["nothing to do", &said]);
    project.up().ends(0).prints(&[&said]);
    assert_eq!((volume(&project), list()), (first.clone(), "deps 1".to_owned()));
    // After a build, the new container keeps the volume with its old content.
    let kept = "a: the image changed, and \"/app/deps\" still has the anonymous volume";
    let built = "let s = app::describe();\ns.build();\ns.up();";
    project.script(built).ends(0).prints(&[kept, "--renew-anon-volumes"]);
    assert_eq!((volume(&project), list()), (first.clone(), "deps 1".to_owned()));
    project.spc(&["plan", "scripts/up.rhai"]).ends(0).printed(&["nothing to do"]);
    // `--renew-anon-volumes` creates a volume with the new image's content. spc does not remove the
    // old volume.
    let renewing = ["plan", "--renew-anon-volumes", "scripts/up.rhai"];
    project.spc(&renewing).ends(0).printed(&["anonymous volumes are renewed", &first]);
    assert_eq!(volume(&project), first);
    project.up().arg("--renew-anon-volumes").ends(0).prints(&[&first]);
    assert!(volume(&project) != first && is_there("volume", &first));
    assert_eq!(list(), "deps 2");
    project.script("app::describe().down(#{ volumes: true });").arg("--yes").ends(0);
    docker(&["volume", "rm", &first]);
    docker(&["rmi", &image]);
}

#[test]
fn a_foreign_image_that_inherits_labels_of_spc_is_not_compared() {
    let project = Project::new("stale-base");
    let (base, app) = (format!("{}-base", project.name), format!("{}-app", project.name));
    let _ = try_docker(&["rmi", "--force", &app, &base]);
    project.file("base/Dockerfile", &format!("FROM {}\nRUN echo base >/base\n", busybox()));
    project.file("app/Dockerfile", &format!("FROM {base}\nARG V\nRUN echo app >/app\n"));
    let service = r#"command: ["sleep", "1000"], stop_grace_period: "0s""#;
    project.stack(&format!(r#"services: #{{ base: #{{ build: "base", {service} }} }}"#));
    project.up().ends(0);
    docker(&["build", "--quiet", "--tag", &app, project.path("app").to_str().unwrap()]);
    let label = |image: &str, key: &str| inspect(image)["Config"]["Labels"][key].clone();
    assert_eq!(
        label(&app, "dev.spc.arguments"),
        label(&base, "dev.spc.arguments"),
        "labels are inherited"
    );
    let described = |value: &str| {
        let app = format!(
            r#"app: #{{ build: #{{ context: "app", args: #{{ V: "{value}" }} }}, {service} }}"#
        );
        project.stack(&format!(r#"services: #{{ base: #{{ build: "base", {service} }}, {app} }}"#));
    };
    described("1");
    project.up().ends(0).does_not_print(&["changed since it was built"]);
    project.script("app::describe().build();").ends(0);
    assert_eq!(label(&app, "dev.spc.image"), format!("{app}:latest"));
    described("2");
    project.up().ends(0).prints(&[&format!(
        "the description of the image \"{app}\" changed since it was built (arguments)"
    )]);
    project.script("app::describe().down();").ends(0);
    docker(&["rmi", &app, &base]);
}
