//! Projects in a renamed folder, and releases behind a symlink.

use std::os::unix::fs::symlink;

use similar_asserts::assert_eq;

use super::docker::{containers, exec, objects};
use super::images::busybox;
use super::project::Project;
use super::spc::Spc;

/// Writes a compose file with a service `a` and a volume into `folder`.
fn compose(project: &Project, folder: &str, word: &str) {
    let text = format!(
        "name: {}\nservices:\n  a: {{image: '{}', command: [sleep, '1000'], stop_grace_period: 0s, environment: {{WORD: {word}}}, volumes: ['data:/data']}}\n\
         networks: {{default: {{ipam: {{config: [{{subnet: {}}}]}}}}}}\nvolumes: {{data: {{}}}}\n",
        project.name,
        busybox(),
        project.subnet()
    );
    project
        .file(&format!("{folder}/compose.yaml"), &text)
        .file(&format!("{folder}/spc.toml"), "spc = \"0.1\"\n");
}

/// A run of this script in `folder`. The compose file sets the project name.
fn run(project: &Project, folder: &str, script: &str) -> Spc {
    Spc::new(project.path("").as_path(), &["run", "-C", folder, "-e", script])
}

const UP: &str = "compose().up();";
const DOWN: &str = "compose().down();";

#[test]
fn a_project_in_a_renamed_folder_needs_the_project_option_once() {
    let project = Project::new("renamed");
    let name = &project.name;
    compose(&project, "one", "a");
    run(&project, "one", UP).ends(0);
    exec(&project.container("a"), &["sh", "-c", "echo kept >/data/row"]);
    let before = containers(name);
    std::fs::rename(project.path("one"), project.path("two")).unwrap();
    let (hint, gone) = (format!("use --project {name}"), "/one\", which no longer exists");
    let id = before.values().next().unwrap();
    for (script, what) in [
        (UP, "change the project"),
        (DOWN, "change the project"),
        ("compose().service(\"a\").exec(\"true\");", "run a command in the service \"a\""),
        ("compose().service(\"a\").run(\"true\");", "run a one-off container of the service \"a\""),
        ("compose().service(\"a\").logs();", "read the log of the service \"a\""),
        ("compose().service(\"a\").wait(\"ready\");", "wait for the service \"a\""),
        ("compose().service(\"a\").read(\"/data/row\");", "read a file of the service \"a\""),
    ] {
        run(&project, "two", script).ends(5).prints(&[what, gone, &hint]).does_not_print(&[id]);
    }
    run(&project, "two", UP)
        .args(&["--project", name])
        .ends(0)
        .prints(&["--project is not needed here again"]);
    assert_eq!(containers(name), before, "nothing was made again");
    run(&project, "two", UP).ends(0).does_not_print(&["--project"]);
    run(&project, "two", DOWN).ends(0);
    run(&project, "two", UP).ends(0);
    assert_eq!(exec(&project.container("a"), &["cat", "/data/row"]).trim(), "kept");
    // Another folder can't use this project name, not even the folder where the project was
    // created.
    for folder in ["one", "three"] {
        compose(&project, folder, "b");
        run(&project, folder, UP).ends(5).prints(&[&hint]);
        run(&project, folder, "compose().down(#{ volumes: true });")
            .arg("--yes")
            .ends(5)
            .prints(&[&hint]);
    }
    run(&project, "two", "compose().down(#{ volumes: true });").arg("--yes").ends(0);
    assert_eq!(objects(name), Vec::<String>::new());
}

#[test]
fn releases_behind_a_symlink_take_over_the_stack() {
    let project = Project::new("released");
    let name = &project.name;
    let link = project.path("current");
    for release in ["1", "2", "3"] {
        compose(&project, &format!("releases/{release}"), release);
    }
    symlink("releases/1", &link).unwrap();
    run(&project, "current", UP).ends(0);
    for release in ["2", "3"] {
        std::fs::remove_file(&link).unwrap();
        symlink(format!("releases/{release}"), &link).unwrap();
        run(&project, "current", UP).ends(5).prints(&["in another release, use --project"]);
        run(&project, "current", UP).args(&["--project", name]).ends(0);
        assert_eq!(exec(&project.container("a"), &["sh", "-c", "echo $WORD"]).trim(), release);
        run(&project, "current", UP).ends(0);
    }
    // The previous release is no longer the project's folder.
    run(&project, "releases/2", DOWN).ends(5).prints(&["/releases/3\""]);
    run(&project, "current", DOWN).ends(0);
    run(&project, "current", "compose().down(#{ volumes: true });").arg("--yes").ends(0);
    assert_eq!(objects(name), Vec::<String>::new());
}

#[test]
fn a_release_in_another_folder_respects_the_saved_options() {
    let project = Project::new("release-kept");
    let name = &project.name;
    let script = "let o = args(#{ mode: arg::text(\"development\", \"Mode\").kept(\"MODE\") }); compose().up(); print(o.mode);";
    for folder in ["1", "2"] {
        compose(&project, folder, "a");
        project.file(&format!("{folder}/up.rhai"), script);
    }
    let up = |folder: &str| Spc::new(project.path("").as_path(), &["run", "-C", folder, "up.rhai"]);
    let named = |folder: &str| {
        Spc::new(project.path("").as_path(), &["run", "-C", folder, "--project", name, "up.rhai"])
    };
    up("1").args(&["--mode", "production"]).ends(0);
    let before = containers(name);
    named("2").ends(2).prints(&[
        &format!("The project \"{name}\" was last brought up with --mode production, in"),
        "here it would be development",
        "say which: --mode production or --mode development",
    ]);
    assert_eq!(containers(name), before);
    named("2").args(&["--mode", "production"]).ends(0);
    assert_eq!(up("2").ends(0).stdout.trim(), "production");
}
