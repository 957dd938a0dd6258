//! `spc test --crash-sweep`: its output.

use regex_lite::Regex;
use similar_asserts::assert_eq;

use crate::support::{Spc, SpcOutput};

/// A sweep of this runbook.
fn swept(runbook: &str, options: &[&str]) -> SpcOutput {
    let spc = Spc::new().file("spc.toml", "spc = \"0.1\"\n").file("scripts/make.rhai", runbook);
    let mut ended = spc
        .args(["test", "--crash-sweep", "scripts/make.rhai"])
        .args(options.iter().copied())
        .output();
    for text in [&mut ended.stdout, &mut ended.stderr] {
        *text = Regex::new(r"\(\d+(\.\d s| ms| m \d\d s)\)")
            .unwrap()
            .replace_all(text, "([took])")
            .into_owned();
    }
    ended
}

#[track_caller]
fn said(ended: SpcOutput, code: i32, stdout: &str, stderr: &str) {
    let expected = SpcOutput { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
    assert_eq!(ended.to_string(), expected.to_string());
}

const ANEW: &str =
    r#"let data = volume("data"); if data.exists() { data.remove(); } data.create();"#;

#[test]
fn a_runbook_that_recovers_has_one_line() {
    let stdout = "make.rhai: 4 engine calls (1 change), 0 host changes; killed at 5 points; every next run reached the expected state ([took])\n";
    said(swept(r#"volume("data").create();"#, &["--recoveries", "0"]), 0, stdout, "");
}

#[test]
fn a_failed_sweep_prints_the_command_that_repeats_it() {
    let ended = swept(ANEW, &["--recoveries", "0"]);
    assert!(
        ended.code == 1
            && ended.stdout.contains(
                "    repeat with: spc test --crash-sweep scripts/make.rhai --at 6:after\n"
            ),
        "{ended}"
    );
    let again = swept(ANEW, &["--at", "6:after"]);
    said(
        again,
        1,
        "FAILED killed after engine call 6 (volume_create project_data)
    volume project_data: content: expected its content from before the kill, found a new, empty volume
    repeat with: spc test --crash-sweep scripts/make.rhai --at 6:after
",
        "error: make.rhai: 6 engine calls (1 change), 0 host changes; killed at 1 point; 1 next run did not reach the expected state ([took])\n",
    );
    let json = swept(ANEW, &["--at", "6:after", "--json"]);
    assert!(
        json.stdout.contains(r#""at":"6:after""#) && json.stdout.contains(r#""event":"sweep""#),
        "{json}"
    );
}

#[test]
fn wrong_words_are_refused() {
    let ended = swept(ANEW, &["--at", "6"]);
    assert!(ended.code == 2 && ended.stderr.contains("\"6\" is not a point of a run"), "{ended}");
    let ended = swept(ANEW, &["--after", "scripts/missing.rhai"]);
    assert!(
        ended.code == 2 && ended.stderr.contains("There is no runbook \"scripts/missing.rhai\""),
        "{ended}"
    );
    let ended = swept("volume(`data-${time::now().unix}`).create();", &[]);
    assert!(
        ended.code == 2 && ended.stderr.contains("make.rhai is not deterministic: engine call "),
        "{ended}"
    );
}

#[test]
fn the_test_file_sets_the_machine_up() {
    let spc = Spc::new()
        .file("spc.toml", "spc = \"0.1\"\n[allow]\ncommands = [\"make\"]\n")
        .file("scripts/make.rhai", r#"sh(["make", "all"]); volume("data").create();"#)
        .file("scripts/make_test.rhai", r#"fn sweep() { sim::command("make all", "made"); }"#);
    let ended =
        spc.args(["test", "--crash-sweep", "scripts/make.rhai", "--recoveries", "0"]).output();
    assert!(
        ended.code == 0 && ended.stdout.contains("every next run reached the expected state"),
        "{ended}"
    );
}
