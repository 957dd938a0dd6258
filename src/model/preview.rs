//! What a runbook would do, as data: the result of `spc plan`. `ui::preview` prints it; with
//! `--json` it has exactly this shape.

use std::collections::BTreeMap;

use serde::Serialize;

use super::plan_steps::{PlanStep, SummaryKey};

/// A line of the runbook: `scripts/up.rhai`, line 31.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RunbookLine {
    pub file: String,
    pub line: usize,
}

impl std::fmt::Display for RunbookLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Begins the text for a value that is known only after a step.
const UNKNOWN: &str = "(unknown";

/// The text for a value that is known only after `step`: `(unknown until step 3)`.
pub fn unknown_until(step: Option<usize>) -> String {
    step.map_or_else(|| format!("{UNKNOWN})"), |step| format!("{UNKNOWN} until step {step})"))
}

/// The same text without steps in [`unknown_until`], for readers who don't see the numbers of
/// steps.
pub fn without_steps(text: &str) -> String {
    let mut parts = text.split(UNKNOWN);
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        result.push_str(UNKNOWN);
        let step = part
            .strip_prefix(" until step ")
            .map(|it| it.trim_start_matches(|c: char| c.is_ascii_digit()));
        result.push_str(step.filter(|rest| rest.starts_with(')')).unwrap_or(part));
    }
    result
}

/// What a runbook would do, in the order of the runbook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Errors that the runbook handles: the plan does not show its normal path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub handled_errors: Vec<HandledError>,
    pub items: Vec<PreviewItem>,
    /// Counts by kind: `create`, `replace`, `stop`. A step that belongs to another one is not
    /// counted.
    pub summary: BTreeMap<SummaryKey, usize>,
    /// Steps that run only if the image of a pull or build is different (or is the same).
    pub conditional: usize,
    /// Findings that the run does not change, and other remarks.
    pub notes: Vec<String>,
    /// Set if the plan ends before the runbook does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<PlanEnd>,
}

impl Preview {
    /// Whether the runbook would change anything.
    pub fn changes(&self) -> bool {
        self.steps().any(|step| step.changes)
    }

    /// All steps, by number.
    pub fn steps(&self) -> impl Iterator<Item = &PlanStep> {
        self.items.iter().filter_map(PreviewItem::as_call).flat_map(|call| &call.steps)
    }
}

/// One item of the preview.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PreviewItem {
    Call(Call),
    Assumption(Assumption),
}

impl PreviewItem {
    /// The call, unless it is an assumption.
    pub fn as_call(&self) -> Option<&Call> {
        match self {
            Self::Call(call) => Some(call),
            Self::Assumption(_) => None,
        }
    }
}

/// A call of the runbook that does something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<RunbookLine>,
    /// `up`; `None` for a primitive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Its steps. Steps that don't wait for each other run in parallel.
    pub steps: Vec<PlanStep>,
}

/// A line of the runbook that reads an answer which is unknown before the run. Everything after it
/// depends on this answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assumption {
    pub number: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<RunbookLine>,
    /// The source of the answer: `command python manage.py check in container spc-backend-1`.
    pub answer_of: String,
    /// The step that would get the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// The default: `code 0, no output`.
    pub assumed: String,
}

/// The plan can't continue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanEnd {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<RunbookLine>,
    pub message: String,
    /// How to let it continue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// `spc.toml` doesn't allow it, so a run would be rejected too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

/// An error that the runbook handles: `guarded` undoes its steps, or `try` or `attempt` continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandledError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<RunbookLine>,
    /// `guarded "restore" undoes its steps`.
    pub what: String,
    /// The error; empty if it is unknown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use similar_asserts::assert_eq;

    #[test]
    fn only_the_number_of_a_step_is_left_out_of_a_text() {
        let text = format!("{}, {}", unknown_until(Some(12)), unknown_until(None));
        assert_eq!(text, "(unknown until step 12), (unknown)");
        assert_eq!(without_steps(&text), "(unknown), (unknown)");
        for other in ["", "(unknown until step x)", "(unknown until step 1", "é(unknown é"] {
            assert_eq!(without_steps(other), other);
        }
    }
}
