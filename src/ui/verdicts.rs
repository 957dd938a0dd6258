//! Prints results of tests: one line each, a failure with its excerpt, a total.

use super::diagnostics;
use super::json_lines::JsonLines;
use super::terminal::{ASIDE, FAILURE, SUCCESS, Terminal, styled};
use crate::model::diagnostic::Diagnostic;
use crate::model::time::readable;
use crate::model::verdict::{Summary, TestReport, Verdict};

/// Shows tests to people, on standard output.
pub struct Verdicts<'a> {
    pub terminal: &'a Terminal,
    /// Print only failures.
    pub quiet: bool,
}

impl Verdicts<'_> {
    /// A test or a file, with its failure.
    pub fn tell(&self, reported: &TestReport) {
        match reported {
            TestReport::Broken(file, diagnostic) => {
                self.failed(&format!("{} {file}", styled(FAILURE, "BROKEN")), diagnostic)
            }
            TestReport::Verdict(verdict) => match &verdict.failure {
                None if self.quiet => {}
                None => self.terminal.out(&line(&styled(SUCCESS, "ok    "), verdict)),
                Some(diagnostic) => {
                    self.failed(&line(&styled(FAILURE, "FAILED"), verdict), diagnostic)
                }
            },
        }
    }

    fn failed(&self, line: &str, diagnostic: &Diagnostic) {
        self.terminal
            .out(&format!("{line}\n{}\n", diagnostics::text(diagnostic, self.terminal.width())));
    }

    /// All of them, if none failed.
    pub fn sum(&self, summary: &Summary) {
        if !self.quiet {
            self.terminal.out(&format!(
                "{} passed in {}",
                tests(summary.passed),
                readable(summary.took)
            ));
        }
    }
}

fn line(word: &str, verdict: &Verdict) -> String {
    let seeds =
        if verdict.seeds > 1 { format!(", {} seeds", verdict.seeds) } else { String::new() };
    let times =
        format!("{}, {} simulated{seeds}", readable(verdict.took), readable(verdict.simulated));
    format!("{word} {}  {}", verdict.full_name(), styled(ASIDE, &times))
}

/// `1 test`, `3 tests`.
pub fn tests(count: usize) -> String {
    if count == 1 { "1 test".to_owned() } else { format!("{count} tests") }
}

/// The message about failed tests: `1 of 9 tests failed`.
pub fn sentence(summary: &Summary) -> String {
    let all = summary.passed + summary.failed;
    let failed = format!("{} of {} failed", summary.failed, tests(all));
    let broken = match summary.broken {
        1 => "1 file could not be tested".to_owned(),
        count => format!("{count} files could not be tested"),
    };
    let left_out = if summary.left_out > 0 {
        format!("; {} not run", tests(summary.left_out))
    } else {
        String::new()
    };
    let said = match (summary.failed, summary.broken) {
        (_, 0) => failed,
        (0, _) => broken,
        _ => format!("{failed}, and {broken}"),
    };
    format!("{said}{left_out}")
}

/// Prints results for programs: `{"event": "test", …}` each.
pub fn report_json(lines: &JsonLines, reported: &TestReport) {
    match reported {
        TestReport::Broken(file, diagnostic) => lines.broken(file, diagnostic),
        TestReport::Verdict(verdict) => lines.verdict(verdict),
    }
}
