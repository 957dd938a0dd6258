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
fn nothing_outside_is_read() {
    for path in
        ["../spc.toml", "../../secret", "file", "folder/secret", "gone", "/etc/shadow", "/proc/self/environ", "/proc/1/root/etc/shadow"]
    {
        for script in [
            format!("fs::read(\"{path}\")"),
            format!("fs::file(\"{path}\").exists"),
            format!("json::read(\"{path}\")"),
            format!("yaml::read(\"{path}\")"),
            format!("fs::copy(\"{path}\", \"mine\")"),
            format!("compose(\"{path}\")"),
            format!("stack(\"x\", #{{ services: #{{ a: #{{ image: \"a\" }} }}, secrets: #{{ s: #{{ file: \"{path}\" }} }} }})"),
            format!("stack(\"x\", #{{ services: #{{ a: #{{ image: \"a\", env_file: \"{path}\" }} }} }})"),
            format!("stack(\"x\", #{{ services: #{{ a: #{{ build: \"{path}\" }} }} }})"),
            format!("image(\"a\").build(#{{ context: \"{path}\" }})"),
        ] {
            let ended = project().runbook(&format!("{script};\nprint(\"went on\");")).output();
            // Some of these functions there are not.
            assert!(matches!(ended.code, 2 | 5), "{script}: {ended}");
            assert!(!ended.stdout.contains("went on") && !ended.stderr.contains("told"), "{script}: {ended}");
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
fn nothing_outside_is_written_and_what_is_there_stays() {
    for path in ["../spc.toml", "spc.toml", "../../secret", "file", "folder/secret", "gone", "/etc/hostname", ".git/hooks/pre-commit", "."]
    {
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
            let kept = ["project/spc.toml", "project/own/note", "secret"].map(|path| run.root().join(path));
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
    let asked = super::Asked::default();
    let run = Spc::new().file(".env", "DOCKER_HOST=tcp://127.0.0.1:9\nDOCKER_CONTEXT=other\n").engine(asked.engine(|_| None));
    run.runbook("print(image(\"a\").exists());").stdout("false\n").run();
}
