//! Findings of checks, and code without findings.

mod calls;
mod descriptions;
mod files;
mod mutations;
mod names;
mod shipped;
mod values;

use std::path::PathBuf;

use super::{Report, check};
use crate::api::harness::Harness;
use crate::model::diagnostic::{Diagnostic, RULE};

/// Files in `/project`, where a check starts.
fn project(files: &[(&str, &str)]) -> Harness {
    let run = Harness::new();
    for (name, text) in files {
        run.host.add_file(format!("/project/{name}"), (*text).to_owned());
    }
    run
}

fn report(run: &Harness, paths: &[&str]) -> Report {
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    check(&run.context, "/project".as_ref(), &paths, &[], Some(register)).unwrap()
}

/// The functions that only tests have, here.
fn register(engine: &mut rhai::Engine) {
    engine.register_fn("runbook", |name: &str| name.to_owned());
}

/// A finding as one line: `a.rhai:1:5 rule: message | hint`.
fn line(finding: &Diagnostic) -> String {
    let place = finding
        .place
        .as_ref()
        .map(|place| format!("{}:{}:{} ", place.source.name, place.line, place.column))
        .unwrap_or_default();
    let hint = finding.hint.as_ref().map(|hint| format!(" | {hint}")).unwrap_or_default();
    format!("{place}{}: {}{hint}", finding.fields[RULE].as_str().unwrap(), finding.message)
}

/// All findings in some files.
fn found_in(files: &[(&str, &str)]) -> Vec<String> {
    report(&project(files), &[]).findings.iter().map(line).collect()
}

/// The findings in one text, without the name of its file.
fn found(text: &str) -> Vec<String> {
    found_in(&[("a.rhai", text)])
        .into_iter()
        .map(|line| line.trim_start_matches("a.rhai:").to_owned())
        .collect()
}

/// The rules that a text violates, with line and column.
fn rules(text: &str) -> Vec<String> {
    found(text).into_iter().map(|line| line.split(": ").next().unwrap().to_owned()).collect()
}
