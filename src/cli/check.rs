//! `spc check`: static checks of scripts.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::CommonOptions;
use super::help_sections::{examples, section};
use super::session::Session;
use super::signals;
use crate::check::{self, Report, Rule};
use crate::model::diagnostic::{Diagnostic, Severity};
use crate::script::project_context::{self, RunOptions, plain};
use crate::testing::functions;
use crate::ui::diagnostics;

/// Find mistakes in scripts and compose files without running them.
#[derive(Args)]
#[command(after_help = after_help())]
pub struct Check {
    /// Scripts, compose files and folders; scripts are checked with their imports [default: all
    /// files of the project that git does not ignore]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Runs the checks. Returns the exit code.
pub fn main(common: &CommonOptions, check: &Check) -> u8 {
    let session = Session::new(common);
    match Session::attempt(|| {
        signals::leave_with_an_end(&session)?;
        execute(&session, common, check)
    }) {
        Ok(report) => {
            let code = tell(&session, common, &report);
            session.end_with(code, code == 0)
        }
        Err(diagnostic) => session.end(Err(diagnostic)),
    }
}

fn execute(
    session: &Session,
    common: &CommonOptions,
    check: &Check,
) -> Result<Report, Box<Diagnostic>> {
    let current =
        project_context::current_folder(&*session.host, &common.wanted()).map_err(plain)?;
    let mut place = project_context::find(&*session.host, &common.wanted(), &current)?;
    // Reported here, as findings.
    let remarks = std::mem::take(&mut place.warnings);
    let runtime = Session::runtime().map_err(plain)?;
    let context = Arc::new(session.context(common, place, runtime.handle(), RunOptions::default()));
    let report =
        check::check(&context, &current, &check.paths, &remarks, Some(functions::register));
    runtime.shutdown_background();
    report
}

/// Reports the findings. Returns the exit code.
fn tell(session: &Session, common: &CommonOptions, report: &Report) -> u8 {
    let count = |severity: Severity| {
        report.findings.iter().filter(|finding| finding.severity == severity).count()
    };
    let (errors, warnings, notes) =
        (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    if common.json {
        let lines = session.json_lines();
        report.findings.iter().for_each(|finding| lines.diagnostic(finding));
        lines.checked(report.files, errors, warnings, notes);
    } else {
        for finding in without_repeated_hints(&report.findings) {
            diagnostics::print(&session.terminal, &finding);
            session.terminal.err("");
        }
        session.note(&summary(
            report.files,
            &[(errors, "error"), (warnings, "warning"), (notes, "note")],
        ));
    }
    if errors + warnings == 0 { 0 } else { 2 }
}

/// The findings for a person: a long hint, such as a list of keys, is shown only below the first
/// finding that has it.
fn without_repeated_hints(findings: &[Diagnostic]) -> Vec<Diagnostic> {
    const SHORT: usize = 80;
    let mut shown = BTreeSet::new();
    let mut findings = findings.to_vec();
    for finding in &mut findings {
        finding.hint.take_if(|hint| hint.len() > SHORT && !shown.insert(hint.clone()));
    }
    findings
}

/// `2 files, 1 error, 2 notes`.
fn summary(files: usize, findings: &[(usize, &str)]) -> String {
    let found: Vec<String> = findings
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!(", {}", counted(*number, what)))
        .collect();
    let found = if found.is_empty() { ", nothing found".to_owned() } else { found.concat() };
    format!("{}{found}", counted(files, "file"))
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn after_help() -> String {
    let rules: Vec<_> = Rule::ALL.iter().map(|rule| (rule.name(), rule.about())).collect();
    let examples = examples(&[
        ("spc check", "Check the whole project"),
        ("spc check scripts/up.rhai", "Check one script and its imports"),
        (r"spc check --json | jq -r 'select(.rule) | .message'", "Print only the messages"),
    ]);
    let codes = "The exit code is 2 if there are errors or warnings. Notes don't change it.";
    format!("{}\n\n{codes}\n\n{examples}", section("Rules:", &rules))
}
