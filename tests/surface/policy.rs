//! Forbidden actions of a script. A policy error names the setting that would allow the action,
//! ends the run with exit code 5, and can't be caught.

use crate::support::Spc;

#[test]
fn a_host_command_needs_its_line() {
    Spc::new()
        .runbook("sh([\"git\", \"push\"]);")
        .code(5)
        .stderr(
            r#"
            error: A script may not run the host command "git push"
             --> scripts/a.rhai:1:1
              |
            1 | sh(["git", "push"]);
              | ^^
              |
              = help: to allow it, write commands = ["git push"] under [allow] in spc.toml
            "#,
        )
        .run();
}

#[test]
fn the_line_keeps_what_is_allowed_already_and_is_as_narrow() {
    Spc::new()
        .file("spc.toml", "[allow]\ncommands = [\"echo\", \"git status\"]\n")
        .runbook("print(sh([\"echo\", \"yes\"]).stdout.trimmed());\nsh([\"git\", \"push\"]);")
        .stdout("yes\n")
        .code(5)
        .stderr(
            r#"
            echo        | yes
            error: A script may not run the host command "git push"
             --> scripts/a.rhai:2:1
              |
            2 | sh(["git", "push"]);
              | ^^
              |
              = help: to allow it, write commands = ["echo", "git status", "git push"] under [allow] in spc.toml
            "#,
        )
        .run();
}

#[test]
fn the_line_it_names_does_allow_it() {
    let run =
        || Spc::new().file("outside.txt", "read").runbook("print(fs::read(\"../outside.txt\"));");
    let refused = run().output();
    assert_eq!(refused.code, 5, "{refused}");
    let (_, line) = refused.stderr.split_once("to allow it, write ").expect("a line to write");
    let (line, _) = line.split_once(" under [allow] in spc.toml\n").expect("where to write it");
    let run = run();
    let line =
        line.replace("[project]", &run.project().canonicalize().unwrap().display().to_string());
    run.file("spc.toml", format!("project_directory = \"scripts\"\n[allow]\n{line}\n"))
        .stdout("read\n")
        .run();
}

#[test]
fn files_outside_of_the_project_need_their_line() {
    Spc::new()
        .runbook("fs::read(\"/etc/hostname\");")
        .code(5)
        .stderr(
            r#"
            error: A script may not read "/etc/hostname": it is outside of the project
             --> scripts/a.rhai:1:5
              |
            1 | fs::read("/etc/hostname");
              |     ^^^^
              |
              = help: to allow it, write read = ["/etc/hostname"] under [allow] in spc.toml
            "#,
        )
        .run();
    Spc::new()
        .link("scripts/link", "../../outside")
        .file("../outside/note", "")
        .runbook("fs::write(\"link/note\", \"x\");")
        .code(5)
        .stderr(
            r#"
            error: A script may not write "link/note": it leads to "[root]/outside/note", outside of the project
             --> scripts/a.rhai:1:5
              |
            1 | fs::write("link/note", "x");
              |     ^^^^^
              |
              = help: to allow it, write write = ["[root]/outside/note"] under [allow] in spc.toml
            "#,
        )
        .run();
}

#[test]
fn no_setting_allows_a_script_to_write_its_own_permissions() {
    Spc::new()
        .file("spc.toml", "[allow]\nwrite = [\"/\"]\n")
        .runbook("fs::write(\"spc.toml\", \"\");")
        .code(5)
        .stderr(
            r#"
            error: A script may not write "spc.toml": spc.toml defines what scripts may do, and only people change it
             --> scripts/a.rhai:1:5
              |
            1 | fs::write("spc.toml", "");
              |     ^^^^^
            "#,
        )
        .run();
}

#[test]
fn another_machine_needs_its_line() {
    Spc::new()
        .runbook("http::get(\"http://example.invalid/\");")
        .code(5)
        .stderr(
            r#"
            error: A script may not send a request to "http://example.invalid/": it is another machine
             --> scripts/a.rhai:1:7
              |
            1 | http::get("http://example.invalid/");
              |       ^^^
              |
              = help: to allow it, write network = ["example.invalid"] under [allow] in spc.toml
            "#,
        )
        .run();
}

#[test]
fn a_mount_from_outside_of_the_project_needs_its_line() {
    Spc::new()
        .runbook("stack(\"spc\", #{ services: #{ db: #{ image: \"x\", volumes: [\"/srv/data:/data\"] } } });")
        .code(5)
        .stderr(
            r#"
            error: A script may not mount "/srv/data": it is outside of the project
             --> scripts/a.rhai:1:59
              |
            1 | stack("spc", #{ services: #{ db: #{ image: "x", volumes: ["/srv/data:/data"] } } });
              |                                                           ^^^^^^^^^^^^^^^^^
              |
              = help: to allow it, write bind_mounts = ["/srv/data"] under [allow] in spc.toml
            "#,
        )
        .run();
    let socket = "stack(\"spc\", #{ services: #{ db: #{ image: \"x\", volumes: [\"/var/run/docker.sock:/s\"] } } });";
    let ended = Spc::new().runbook(socket).output();
    assert_eq!(ended.code, 5);
    assert!(
        ended.stderr.contains("it is the engine's socket\n")
            && ended.stderr.contains("write privileged = true and bind_mounts = "),
        "{ended}"
    );
}

#[test]
fn nothing_catches_a_refusal() {
    for script in [
        "try { sh([\"git\"]); } catch { print(\"caught\"); }",
        "try { sh([\"git\"]); } catch { }",
        "attempt(|| sh([\"git\"]));",
        "attempt(|| { try { sh([\"git\"]); } catch { } });",
        "retry(#{ times: 3, delay: \"1ms\" }, || sh([\"git\"]));",
        "wait_until(\"1s\", || attempt(|| sh([\"git\"])).ok);",
        "parallel([|| attempt(|| sh([\"git\"])), || 1]);",
        "attempt(|| parallel(#{ a: || { try { sh([\"git\"]); } catch { } } }));",
        "let f = || sh([\"git\"]); attempt(f);",
        "[1].map(|n| attempt(|| sh([\"git\"])));",
    ] {
        let ended = Spc::new().runbook(&format!("{script}\nprint(\"went on\");")).output();
        assert_eq!((ended.code, ended.stdout.as_str()), (5, ""), "{script}: {ended}");
        assert!(
            ended.stderr.starts_with(
                "error: A script may not run the host command \"git\"\n --> scripts/a.rhai:"
            ),
            "{script}: {ended}"
        );
    }
}
