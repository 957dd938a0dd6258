//! An allowed host command runs only the allowed program. Variables, folders, program files and
//! symlinks of a script or container can't redirect it to another program.
//!
//! `attempts.txt` contains the rejected ones, under the heading "commands". The stack's files are
//! in `deploy`, which scripts and containers can write; `shared` is a folder that containers may
//! mount. Every planted program writes `ran`, and prints a message.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Spc, SpcOutput};

const PLANTED: &str = "#!/bin/sh\necho told >&2\ntouch \"$(dirname \"$0\")/ran\"\n";

/// The permissions for the attempts of the table.
pub(super) const ALLOWED: &str = "commands = [\"git status\", \"./deploy/git\", \"./deploy/new\", \"./shared/git\", \"./tools/link\", \"./tools/through\", \"./deploy/link\", \"./deploy/bin/good\"]";

/// The project: a git repository with a stack in `deploy`, and programs planted wherever a script
/// or a container could write.
pub(super) fn project(allow: &str) -> Spc {
    let spc = Spc::new()
        .file("spc.toml", format!("project_directory = \"deploy\"\n[allow]\n{allow}\nbind_mounts = [\"shared\"]\nread = [\"shared\"]\n"))
        .file("deploy/git", PLANTED)
        .file("deploy/pager", PLANTED)
        .file("shared/git", PLANTED)
        .file("tools/good", "#!/bin/sh\necho good\n")
        .link("deploy/link", "/usr/bin/git")
        .link("deploy/bin", "../tools")
        .link("tools/link", "../deploy/git")
        .link("tools/through", "../deploy/link")
        .file("tools/runs.sh", "#!/bin/sh\npwd\n");
    let root = spc.project();
    for program in ["deploy/git", "deploy/pager", "shared/git", "tools/good", "tools/runs.sh"] {
        std::fs::set_permissions(root.join(program), std::fs::Permissions::from_mode(0o755))
            .unwrap();
    }
    for repository in [".", "deploy", "shared"] {
        git(&root.join(repository), &["init", "--quiet"]);
    }
    // Files that a container with this mount can write.
    for repository in ["deploy", "shared"] {
        let folder = root.join(repository);
        git(&folder, &["config", "core.fsmonitor", folder.join("git").to_str().unwrap()]);
    }
    spc
}

fn git(folder: &Path, words: &[&str]) {
    let status = Command::new("git")
        .args(words)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .status();
    assert!(status.expect("these tests need git").success(), "git {words:?}");
}

/// Runs a runbook. Returns its result and whether a planted program ran.
fn run(spc: Spc, script: &str) -> (SpcOutput, bool) {
    let root = spc.project();
    let folders = ["deploy", "shared", "tools", "."].map(|folder| root.join(folder).join("ran"));
    spc.runbook(script).start().ends_then(|| folders.iter().any(|file| file.exists()))
}

const GIT: &str = "commands = [\"git status\"]";

#[test]
fn a_command_folder_that_scripts_or_containers_can_write_runs_nothing() {
    for folder in ["deploy", "shared"] {
        let (ended, planted) = run(
            project(&format!("{GIT}\ncommand_folder = \"{folder}\"")),
            "sh([\"git\", \"status\"]);",
        );
        let reason = format!(
            "it would run in \"[project]/{folder}\", and scripts or containers can write \"[project]/{folder}\""
        );
        assert!(ended.code == 5 && !planted && ended.stderr.contains(&reason), "{ended}");
    }
}

#[test]
fn a_plan_refuses_it_too() {
    for script in [
        r#"sh(["git", "status"], #{ environment: #{ PAGER: "x" } });"#,
        r#"sh(["git", "status"], #{ working_dir: "." });"#,
        r#"fs::write("tool", "x", #{ mode: 0o755 }); sh(["./deploy/tool"]);"#,
    ] {
        let ended = project("commands = [\"git status\", \"./deploy/tool\"]")
            .file("scripts/a.rhai", script)
            .args(["plan", "scripts/a.rhai"])
            .output();
        assert_eq!(ended.code, 5, "{script}: {ended}");
    }
}

#[test]
fn the_simulated_machine_of_a_test_refuses_it_too() {
    let ended = project("commands = [\"git status\", \"./deploy/git\"]")
        .file(
            "scripts/a_test.rhai",
            r#"
            fn test_a_variable() { sim::command("git *", ""); sh(["git", "status"], #{ environment: #{ PAGER: "x" } }); }
            fn test_a_folder() { sim::command("git *", ""); sh(["git", "status"], #{ working_dir: "." }); }
            fn test_a_program() { sim::command("*", ""); sh(["./deploy/git"]); }
            "#,
        )
        .args(["test"])
        .output();
    assert_eq!(ended.code, 1, "{ended}");
    for reason in [
        "give a host command the variable \"PAGER\"",
        "run a host command in \".\"",
        "run the host command \"./deploy/git\"",
    ] {
        assert!(
            ended.stdout.contains(reason) || ended.stderr.contains(reason),
            "{reason}: {ended}"
        );
    }
}

#[test]
fn an_allowed_command_runs_beside_all_that_was_planted() {
    // spc's own search path and environment lead to the planted programs.
    let spc = project(
        "commands = [\"git status\", \"env\", \"./tools/good\", \"./tools/runs.sh\"]\ncommand_env = [\"GIT_TERMINAL_PROMPT\", \"LISTED\"]",
    );
    let path = format!(
        "deploy:.:{}:{}",
        spc.project().join("shared").display(),
        std::env::var("PATH").unwrap()
    );
    let environment = [
        ("PATH", path.as_str()),
        ("GIT_EXTERNAL_DIFF", "deploy/git"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "core.fsmonitor"),
        ("GIT_CONFIG_VALUE_0", "./deploy/git"),
        ("LISTED", "mine"),
        ("PAGER", "deploy/pager"),
        ("LC_ALL", "C"),
        ("TERM", "xterm"),
        ("TOKEN", "secret"),
    ];
    let spc = environment.iter().fold(spc, |spc, (name, value)| spc.env(name, *value));
    let script = r#"
        let quiet = #{ quiet: true };
        assert(sh(["git", "status", "--porcelain"], quiet).ok);
        print(sh(["env"], quiet).lines().filter(|line| !line.starts_with("HOME=")).join("\n"));
        print(sh(["env"], quiet + #{ environment: #{ GIT_TERMINAL_PROMPT: "0" } }).lines().filter(|line| line.starts_with("GIT_")).join("\n"));
        print(sh(["./tools/good"], quiet).stdout.trimmed());
        print(sh(["./tools/runs.sh"], quiet).stdout.trimmed());
        print(sh(["./tools/runs.sh"], quiet + #{ working_dir: "../scripts" }).stdout.trimmed());
    "#
    .replace("assert(", "(|ok| if !ok { fail(\"failed\", \"not ok\"); }).call(");
    let (ended, planted) = run(spc, &script);
    assert!(ended.code == 0 && !planted, "{ended}");
    let mut lines: Vec<&str> = ended.stdout.lines().collect();
    lines[..3].sort_unstable();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(
        lines,
        [
            "LC_ALL=C",
            "LISTED=mine",
            path,
            "GIT_TERMINAL_PROMPT=0",
            "good",
            "[project]",
            "[project]/scripts"
        ]
    );
}

#[test]
fn commands_run_in_the_root_folder_if_scripts_can_write_the_project_folder() {
    Spc::new()
        .file("spc.toml", "[allow]\ncommands = [\"pwd\"]\n")
        .file("scripts/pwd", PLANTED)
        .env("PATH", "scripts")
        .runbook("print(sh([\"pwd\"], #{ quiet: true }).stdout.trimmed());")
        .stdout("/\n")
        .run();
}

#[test]
fn a_star_still_means_any_program_in_any_folder_with_any_variable() {
    let script = r#"print(sh(["./deploy/git"]).ok); print(sh("echo $X; pwd", #{ quiet: true, working_dir: ".", environment: #{ X: "x" } }).stdout);"#;
    let (ended, planted) = run(project("commands = [\"*\"]"), script);
    assert!(planted);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (0, "true\nx\n[project]/deploy\n\n"),
        "{ended}"
    );
}

#[test]
fn a_home_folder_that_a_script_can_write_is_not_git_s() {
    let spc = project(GIT).file("deploy/.gitconfig", "[core]\n\tfsmonitor = deploy/git\n");
    let home = spc.project().join("deploy").display().to_string();
    let (ended, planted) =
        run(spc.env("HOME", home), "sh([\"git\", \"status\"], #{ quiet: true });");
    assert!(ended.code == 0 && !planted, "{ended}");
}
