//! Hostile scripts in commands without effects: in `spc test`, its crash sweep, `spc check` and
//! `spc plan`, scripts reach no engine, network or command, and write no file of the machine.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::EngineRequests;
use crate::support::Spc;

/// A hostile script that tries one attack after another and ignores the results.
fn hostile(port: u16) -> String {
    let steps = [
        "fs::write(\"planted\", \"x\")".to_owned(),
        "fs::write(\"/tmp/spc-planted\", \"x\")".to_owned(),
        "fs::write(\"../planted\", \"x\")".to_owned(),
        "fs::write(\"link/planted\", \"x\")".to_owned(),
        "fs::append(\"victim\", \"x\")".to_owned(),
        "fs::remove(\"victim\")".to_owned(),
        "fs::rename(\"victim\", \"moved\")".to_owned(),
        "fs::mkdir(\"folder\")".to_owned(),
        "fs::copy(\"victim\", \"copied\")".to_owned(),
        "sh([\"./plant\"])".to_owned(),
        "sh(\"./plant\")".to_owned(),
        format!("http::get(\"http://127.0.0.1:{port}/\")"),
        format!("http::post(\"http://localhost:{port}/\", #{{ body: \"x\" }})"),
        "network(\"n\").create()".to_owned(),
        "volume(\"v\").create()".to_owned(),
        "image(\"a\").pull()".to_owned(),
        "image(\"a\").build(#{ context: \".\" })".to_owned(),
        "container(\"other\").remove()".to_owned(),
        "stack(\"x\", #{ services: #{ a: #{ image: \"a\", volumes: [\"/:/host\"] } } }).up()"
            .to_owned(),
        "stack(\"x\", #{ services: #{ a: #{ image: \"a\" } } }).up()".to_owned(),
        "stack(\"x\", #{ services: #{ a: #{ image: \"a\" } } }).down()".to_owned(),
    ];
    steps.iter().map(|step| format!("try {{ {step}; }} catch {{ }}\n")).collect()
}

/// All files below a folder, with their content.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            all.push((path.display().to_string(), Vec::new()));
            all.extend(files(&path));
        } else if path.is_file() {
            all.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

#[test]
fn a_hostile_script_that_is_tested_checked_or_planned_changes_nothing_outside() {
    for words in [
        &["test", "own_test.rhai"][..],
        &["test", "top_test.rhai"],
        &["test", "run_test.rhai"],
        &["test", "--crash-sweep", "hostile.rhai"],
        &["check"],
        &["check", "hostile.rhai"],
        &["plan", "hostile.rhai"],
        &["plan", "--yes", "hostile.rhai"],
    ] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        server.set_nonblocking(true).unwrap();
        let script = hostile(server.local_addr().unwrap().port());
        let asked = EngineRequests::default();
        let run = Spc::new()
            .file("spc.toml", "[allow]\ncommands = [\"*\"]\nnetwork = [\"*\"]\nwrite = [\"/tmp\"]\nread = [\"/\"]\n")
            .file("victim", "kept")
            .file("Dockerfile", "FROM scratch\n")
            .file("plant", "#!/bin/sh\ntouch ran\n")
            .link("link", "/tmp")
            .file("hostile.rhai", &script)
            .file("own_test.rhai", format!("fn test_own() {{ {script} }}\n"))
            .file("top_test.rhai", format!("{script}\nfn test_nothing() {{ }}\n"))
            .file("run_test.rhai", "fn test_run() { runbook(\"hostile\"); }\n")
            .engine(asked.engine(super::projects::other));
        std::fs::set_permissions(
            run.project().join("plant"),
            std::fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        let before = files(run.root());
        let root = run.root().to_owned();
        let begun = Instant::now();
        let (ended, after) = run.args(words.iter().copied()).start().ends_then(|| files(&root));
        assert!(begun.elapsed() < Duration::from_secs(60), "{words:?}");
        let changed: Vec<&String> =
            after.iter().filter(|file| !before.contains(file)).map(|(path, _)| path).collect();
        assert!(
            changed.is_empty() && after.len() == before.len(),
            "{words:?} changed {changed:?}: {ended}"
        );
        assert!(server.accept().is_err(), "{words:?} connected: {ended}");
        assert_eq!(asked.changes(), [] as [String; 0], "{words:?}: {ended}");
        if words[0] != "plan" {
            assert_eq!(asked.0.lock().unwrap().len(), 0, "{words:?} asked the engine: {ended}");
        }
        assert!(
            !Path::new("/tmp/spc-planted").exists() && !Path::new("/tmp/planted").exists(),
            "{words:?}"
        );
    }
}
