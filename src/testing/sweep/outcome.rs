//! The outcome of one kill, or of a runbook with two runs that can't be compared.

use super::points::MutationLog;
use super::report::Finding;
use super::undisturbed_run::Task;
use crate::model::Failure;
use crate::model::diagnostic::Diagnostic;
use crate::script::project_context::plain;

/// The outcome of a point.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) finding: Option<Finding>,
    /// The result of the run after the kill.
    pub(super) recovery: MutationLog,
    /// The run ended before it could be killed there.
    pub(super) too_late: bool,
}

pub(super) fn not_deterministic(
    task: &Task,
    call: usize,
    how: &str,
    one: Option<String>,
    other: Option<String>,
) -> Box<Diagnostic> {
    let words = |made: Option<String>| made.unwrap_or_else(|| "no call".to_owned());
    let message = format!(
        "{} is not deterministic: engine call {call} of two runs on the same machine ({how}) is {} in one and {} in the other",
        task.words(),
        words(one),
        words(other)
    );
    plain(
        Failure::usage(message).hint("change the runbook so that it makes the same calls in each run: a crash sweep compares runs"),
    )
}
