//! The messages of spc by subject. Each file in `cases/` has one mistake per line, under headings.
//! The snapshot of the same name shows each mistake with its message, to be read from top to bottom.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Spc, SpcOutput};

/// A case without a message: it no longer shows what it was written for.
const SILENT: &str = "    (no message)\n";

enum Line {
    Heading(&'static str),
    Case(&'static str),
}

fn lines(cases: &'static str) -> impl Iterator<Item = Line> {
    cases
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.strip_prefix("# ").map_or_else(|| Line::Case(line), Line::Heading))
}

/// The snapshot `name`: every heading and case, and what `said` returns for the case.
pub(super) fn assert_catalogue(
    name: &str,
    cases: &'static str,
    mut said: impl FnMut(usize, &'static str) -> String,
) {
    let (mut out, mut count) = (String::new(), 0);
    for line in lines(cases) {
        match line {
            Line::Heading(heading) => {
                let _ = write!(out, "# {heading}\n\n");
            }
            Line::Case(case) => {
                count += 1;
                let said = said(count, case);
                let said = if said.is_empty() { SILENT } else { &said };
                let _ = writeln!(out, "{case}\n{said}");
            }
        }
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, out);
    });
    assert!(!out.contains(SILENT), "a case has no message:\n{out}");
}

fn cases(text: &'static str) -> impl Iterator<Item = &'static str> {
    lines(text).filter_map(|line| match line {
        Line::Case(case) => Some(case),
        Line::Heading(_) => None,
    })
}

/// The message, the hint and the details of an error in JSON.
fn shown(error: &Value) -> String {
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    let mut out = indented(&text("message"));
    if let Some(hint) = error["hint"].as_str() {
        out += &indented(&format!("help: {hint}"));
    }
    for detail in error["details"].as_array().into_iter().flatten() {
        let text = detail["text"].as_str().unwrap_or_default().trim();
        if !text.is_empty() {
            out += &indented(&format!("{}:", detail["title"].as_str().unwrap_or_default()));
            out += &indented(&indented(text));
        }
    }
    out
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |out, line| out + "    " + line + "\n")
}

fn events(ended: &SpcOutput) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{ended}"));
    ended.stdout.lines().map(parse).collect()
}

/// The diagnostics of `spc check`, each with its severity and rule.
fn diagnostic(event: &Value) -> String {
    let word = |key: &str| event[key].as_str().unwrap_or_default();
    format!("    {}[{}]\n{}", word("severity"), word("rule"), shown(event))
}

/// The error that ends a run.
pub(super) fn end(ended: &SpcOutput) -> String {
    let last = events(ended).pop().unwrap_or_default();
    if last["error"].is_null() { String::new() } else { shown(&last["error"]) }
}

/// Checks a script that has one case in each line.
fn checked(name: &str, text: &'static str, line_of: impl Fn(&str) -> String) {
    let script: String = cases(text).map(|case| line_of(case) + "\n").collect();
    let ended = Spc::new()
        .file("scripts/a.rhai", script)
        .args(["check", "--json", "scripts/a.rhai"])
        .output();
    let mut found: BTreeMap<u64, String> = BTreeMap::new();
    for event in events(&ended).iter().filter(|event| event["event"] == "diagnostic") {
        let line = event["place"]["line"].as_u64().unwrap_or_default();
        *found.entry(line).or_default() += &diagnostic(event);
    }
    assert_catalogue(name, text, |number, _| found.remove(&(number as u64)).unwrap_or_default());
}

#[test]
fn the_messages_about_keys_of_a_service_are_these() {
    checked("services", include_str!("cases/services.txt"), |case| {
        let has_image = case.starts_with("image:") || case.starts_with("build:");
        let image = if has_image { "" } else { "image: \"nginx\", " };
        format!("stack(\"shop\", #{{ services: #{{ web: #{{ {image}{case} }} }} }});")
    });
}

#[test]
fn the_messages_about_the_other_parts_of_a_stack_are_these() {
    checked("stacks", include_str!("cases/stacks.txt"), |case| {
        format!("stack(\"shop\", #{{ {case} }});")
    });
}

#[test]
fn the_messages_about_options_of_functions_are_these() {
    checked("calls", include_str!("cases/calls.txt"), str::to_owned);
}

#[test]
fn the_messages_about_compose_files_are_these() {
    assert_catalogue("compose_files", include_str!("cases/compose_files.txt"), |_, case| {
        let file = case.replace("\\n", "\n").replace("\\t", "\t") + "\n";
        let run = Spc::new().file("compose.yaml", file);
        let ended = run.args(["check", "--json", "compose.yaml"]).output();
        let events = events(&ended);
        events.iter().filter(|event| event["event"] == "diagnostic").map(diagnostic).collect()
    });
}

#[test]
fn the_messages_about_spc_toml_are_these() {
    assert_catalogue("settings", include_str!("cases/settings.txt"), |_, case| {
        let run = Spc::new().file("spc.toml", case.replace(" | ", "\n") + "\n");
        end(&run.args(["run", "--json", "-e", "1"]).output())
    });
}

#[test]
fn the_messages_of_runs_without_an_engine_are_these() {
    assert_catalogue("runs", include_str!("cases/runs.txt"), |_, case| {
        let run = Spc::new()
            .file("spc.toml", "[allow]\ncommands = [\"allowed\"]\n")
            .file("scripts/tool", "#!/bin/sh\n")
            .file("secrets/key", "the secret value")
            .file("latin.txt", b"\xff")
            .file(".env", "WORD=many\n");
        end(&run.args(["run", "--json", "-e", case]).output())
    });
}

/// Functions for the runbooks of `machine.txt`.
const STACKS: &str = r#"
fn web() { stack("shop", #{ services: #{ web: #{ image: "web:1" } } }) }
fn checked(test) { stack("shop", #{ services: #{ web: #{ image: "web:1", healthcheck: #{ test: ["CMD-SHELL", test], interval: "1s", retries: 2, timeout: "2s" } } } }) }
fn published() { stack("shop", #{ services: #{ web: #{ image: "web:1", ports: ["8000:80"] } } }) }
fn built(build) { stack("shop", #{ services: #{ web: #{ build: build, image: "web:1" } } }) }
"#;

/// What a test does with the error of the runbook: it fails with this error.
const REPORT: &str = r#"if e != () { throw #{ kind: e.kind, message: e.message, hint: e.hint, details: [#{ title: "details", text: `${e.details}` }] }; }"#;

/// Each case is what the test does on the simulated machine, ` | ` and the runbook.
#[test]
fn the_messages_of_runs_on_an_engine_are_these() {
    let text = include_str!("cases/machine.txt");
    let mut run = Spc::new()
        .file("spc.toml", "[allow]\ncommands = [\"git\"]\nprojects = [\"other\"]\n")
        .file("app/Dockerfile", "FROM base:1\nRUN make\n")
        .file("notes.txt", "x\n");
    let mut tests = String::new();
    for (index, case) in cases(text).enumerate() {
        let number = index + 1;
        let (machine, runbook) = case.split_once("| ").unwrap();
        run = run.file(&format!("scripts/case{number}.rhai"), format!("{runbook}{STACKS}"));
        let _ = writeln!(
            tests,
            "fn test_{number}() {{ {machine} let e = runbook(\"case{number}\").error; {REPORT} }}"
        );
    }
    let ended = run.file("scripts/all_test.rhai", tests).args(["test", "--json"]).output();
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for event in events(&ended).iter_mut().filter(|event| event["error"].is_object()) {
        let name = event["name"].as_str().unwrap_or_default().to_owned();
        let error = &mut event["error"];
        if let Some(details) = error["details"].as_array_mut() {
            details.retain(|detail| detail["title"] == "details");
        }
        said.insert(name, shown(error));
    }
    assert_catalogue("machine", text, |number, _| {
        said.remove(&format!("test_{number}")).unwrap_or_default()
    });
}
