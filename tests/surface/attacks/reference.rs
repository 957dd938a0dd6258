//! The reference stack's own `spc.toml`: what stands in it is needed, and nothing else is.

use std::path::Path;

use super::line;
use crate::support::{Answer, Spc};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn settings() -> String {
    std::fs::read_to_string(root().join("spc.toml")).unwrap()
}

/// A run of one of the reference stack's runbooks with that `spc.toml`, on an engine that holds nothing, and with programs of its own.
fn run(toml: &str, runbook: &str) -> Spc {
    let mut run = Spc::new().file("spc.toml", toml).folder("examples/spc");
    for file in ["base_images.rhai", "certificate.rhai", "tls.rhai"] {
        run = run.file(&format!("scripts/{file}"), std::fs::read(root().join("scripts").join(file)).unwrap());
    }
    let empty = |request: &str| match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
    };
    run.engine(empty).env("PYTHON_IMAGE", "local/python:1").args(["run", runbook])
}

/// The settings without one entry of one list.
fn without(entry: &str) -> String {
    let quoted = format!("\"{entry}\"");
    let text = settings();
    assert!(text.contains(&quoted), "{entry} stands in spc.toml");
    text.replace(&format!("{quoted}, "), "").replace(&format!(", {quoted}"), "").replace(&quoted, "")
}

#[test]
fn every_entry_is_needed_by_a_runbook_whose_refusal_names_it() {
    let (certificate, images) = ("scripts/certificate.rhai", "scripts/base_images.rhai");
    let entries = [
        ("openssl req", certificate),
        ("openssl x509", certificate),
        ("apt-config dump", images),
        ("mmdebstrap", images),
        ("/etc/apt/sources.list", images),
        ("/etc/apt/sources.list.d/debian.sources", images),
    ];
    let mut left = settings().lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    for (entry, runbook) in entries {
        let mut refused = run(&without(entry), runbook).output();
        if entry == "openssl x509" {
            // It asks until when a certificate that is there is valid.
            refused = run(&without(entry), runbook)
                .file("examples/spc/certificates/tls.crt", "x")
                .file("examples/spc/certificates/tls.key", "x")
                .output();
        }
        assert_eq!(refused.code, 5, "{entry}: {refused}");
        assert!(line(&refused).contains(&format!("\"{}", entry.split(' ').next().unwrap())), "{entry}: {refused}");
        left = left.replace(&format!("\"{entry}\""), "");
    }
    let left: String = left.split_whitespace().collect();
    assert_eq!(left, "spc=\"0.1\"project_directory=\"examples/spc\"[allow]commands=[,,,]read=[,]", "an entry that no runbook needs");
}

#[test]
fn every_entry_says_what_it_is_for() {
    let settings = settings();
    let lines: Vec<&str> = settings.lines().collect();
    for (at, entry) in lines.iter().enumerate().filter(|(_, line)| line.contains(" = [")) {
        assert!(lines[at - 1].starts_with("# "), "no comment above {entry}");
    }
}
