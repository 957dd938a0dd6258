//! Files, secrets and variables of others.

use super::{line, refused};
use crate::support::Spc;

fn project() -> Spc {
    Spc::new()
        .file("spc.toml", "project_directory = \"own\"\n")
        .file("own/note", "kept")
        .file("../secret", "told")
        .link("own/file", "../../secret")
        .link("own/folder", "../..")
        .link("own/gone", "../../new")
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn nothing_outside_is_read() {
    for path in [
        "../spc.toml",
        "../../secret",
        "file",
        "folder/secret",
        "gone",
        "/etc/shadow",
        "/proc/self/environ",
        "/proc/1/root/etc/shadow",
    ] {
        for script in [
            format!("fs::read(\"{path}\")"),
            format!("fs::file(\"{path}\").exists"),
            format!("json::read(\"{path}\")"),
            format!("yaml::read(\"{path}\")"),
            format!("fs::copy(\"{path}\", \"mine\")"),
            format!("compose(\"{path}\")"),
            format!(
                "stack(\"x\", #{{ services: #{{ a: #{{ image: \"a\" }} }}, secrets: #{{ s: #{{ file: \"{path}\" }} }} }})"
            ),
            format!(
                "stack(\"x\", #{{ services: #{{ a: #{{ image: \"a\", env_file: \"{path}\" }} }} }})"
            ),
            format!("stack(\"x\", #{{ services: #{{ a: #{{ build: \"{path}\" }} }} }})"),
            format!("image(\"a\").build(#{{ context: \"{path}\" }})"),
        ] {
            let ended = project().runbook(&format!("{script};\nprint(\"went on\");")).output();
            // Some of these functions don't exist.
            assert!(matches!(ended.code, 2 | 5), "{script}: {ended}");
            assert!(
                !ended.stdout.contains("went on") && !ended.stderr.contains("told"),
                "{script}: {ended}"
            );
        }
    }
}

#[test]
fn a_secret_or_a_context_from_outside_needs_the_line_for_reading() {
    for described in [
        "services: #{ a: #{ image: \"a\" } }, secrets: #{ s: #{ file: \"/etc/hostname\" } }",
        "services: #{ a: #{ image: \"a\", env_file: [#{ path: \"/etc/hostname\", required: false }] } }",
        "services: #{ a: #{ build: #{ context: \"/etc/hostname\" } } }",
    ] {
        let ended = refused(Spc::new(), &format!("stack(\"x\", #{{ {described} }}).up();"));
        assert_eq!(line(&ended), "read = [\"/etc/hostname\"]", "{ended}");
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_script_can_not_write_or_remove_files_outside() {
    for path in [
        "../spc.toml",
        "spc.toml",
        "../../secret",
        "file",
        "folder/secret",
        "gone",
        "/etc/hostname",
        ".git/hooks/pre-commit",
        ".",
    ] {
        for call in [
            "fs::write(\"PATH\", \"x\")",
            "fs::append(\"PATH\", \"x\")",
            "fs::remove(\"PATH\")",
            "fs::mkdir(\"PATH/x\")",
            "fs::rename(\"note\", \"PATH\")",
        ] {
            if (path, call) == (".", "fs::mkdir(\"PATH/x\")") {
                continue;
            }
            let run = project();
            let kept = ["project/spc.toml", "project/own/note", "secret"]
                .map(|path| run.root().join(path));
            let read = || kept.clone().map(|path| std::fs::read(path).ok());
            let before = read();
            let script = call.replace("PATH", path);
            let held = run.runbook(&format!("{script};\nprint(\"went on\");"));
            let (ended, after) = held.start().ends_then(read);
            assert!(matches!(ended.code, 2 | 5) && ended.stdout.is_empty(), "{script}: {ended}");
            assert_eq!(after, before, "{script}");
        }
    }
}

#[test]
fn a_file_of_variables_does_not_choose_the_engine() {
    let asked = super::EngineRequests::default();
    let run = Spc::new()
        .file(".env", "DOCKER_HOST=tcp://127.0.0.1:9\nDOCKER_CONTEXT=other\n")
        .engine(asked.engine(|_| None));
    run.runbook("print(image(\"a\").exists());").stdout("false\n").run();
}

/// A project in which one of spc's own files is a symlink out of the project.
fn led_out(own: &str, target: &str) -> Spc {
    Spc::new()
        .file("spc.toml", "")
        .link(own, target)
        .file("../outside/shared", "A=told\n")
        .folder("../outside/records")
}

#[test]
fn a_file_of_variables_that_leads_out_is_refused_with_the_line_that_allows_it() {
    let message = "error: spc may not read \".env\": it leads to \"[root]/outside/shared\", outside of the project\n\
        help: to allow it, write read = [\"[root]/outside/shared\"] under [allow] in spc.toml\n";
    led_out(".env", "../outside/shared")
        .runbook("print(env(\"A\"));")
        .code(5)
        .stderr(message)
        .run();
    led_out(".env", "../outside/gone")
        .runbook("print(1);")
        .code(5)
        .stderr("error: spc may not read \".env\": it is a symlink that can't be followed\n")
        .run();
    let allowed =
        led_out(".env", "../outside/shared").file("spc.toml", "[allow]\nread = [\"../outside\"]\n");
    allowed.runbook("print(env(\"A\"));").stdout("told\n").run();
    // The user names this file.
    led_out(".env", "../outside/gone")
        .args(["--env-file", "../outside/shared"])
        .runbook("print(env(\"A\"));")
        .stdout("told\n")
        .run();
    // This symlink stays in the project.
    Spc::new()
        .file("spc.toml", "")
        .file("config/dev.env", "A=mine\n")
        .link(".env", "config/dev.env")
        .runbook("print(env(\"A\"));")
        .stdout("mine\n")
        .run();
}

#[test]
fn records_are_never_written_out_of_the_project() {
    let message = "error: spc may not write \".spc\": it leads to \"[root]/outside/records\", outside of the project\n\
        help: to allow it, write write = [\"[root]/outside/records\"] under [allow] in spc.toml\n";
    for verb in ["print(\"went on\");", "project().up();"] {
        led_out(".spc", "../outside/records").runbook(verb).code(5).stderr(message).run();
    }
    led_out(".spc", "../outside/records")
        .file("spc.toml", "[allow]\nwrite = [\"../outside/records\"]\n")
        .runbook("print(1);")
        .stdout("1\n")
        .run();
}

#[test]
fn a_settings_file_that_leads_out_is_refused() {
    Spc::new()
        .link("spc.toml", "../outside/spc.toml")
        .file("../outside/spc.toml", "[allow]\nread = [\"/\"]\n")
        .runbook("print(1);")
        .code(5)
        .stderr(
            "error: \"[project]/spc.toml\" is a symlink that leads to \"[root]/outside/spc.toml\", out of its folder\n\
             help: put a copy of the file in its place\n",
        )
        .run();
    Spc::new()
        .link("spc.toml", "config/spc.toml")
        .file("config/spc.toml", "")
        .runbook("print(1);")
        .stdout("1\n")
        .run();
}
