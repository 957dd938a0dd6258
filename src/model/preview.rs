//! What a runbook would do, as data: `spc plan`'s answer. Printed by `ui::preview`; with `--json`
//! this very shape.

use std::collections::BTreeMap;

use serde::Serialize;

use super::plan_steps::{PlanStep, SummaryKey};

/// Where in the runbook: `scripts/up.rhai`, line 31.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunbookLine {
    pub file: String,
    pub line: usize,
}

impl std::fmt::Display for RunbookLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What a runbook would do, in its own order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// What the plan shows is not the way that the runbook takes when all goes well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ways_back: Vec<HandledError>,
    pub items: Vec<PreviewItem>,
    /// How many of what: `create`, `replace`, `stop`; what belongs to another step is not counted
    /// again.
    pub summary: BTreeMap<SummaryKey, usize>,
    /// Steps that are done only if what a pull or build makes is (or is not) what is there.
    pub conditional: usize,
    /// What is found and left alone, and what there is to say.
    pub notes: Vec<String>,
    /// Where the plan ends before the runbook does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends: Option<PlanEnd>,
}

impl Preview {
    /// Whether anything would be changed.
    pub fn changes(&self) -> bool {
        self.steps().any(|step| step.changes)
    }

    /// All steps, by number.
    pub fn steps(&self) -> impl Iterator<Item = &PlanStep> {
        self.items.iter().flat_map(|item| match item {
            PreviewItem::Call(call) => call.steps.as_slice(),
            PreviewItem::Assumption(_) => &[],
        })
    }
}

/// One thing after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PreviewItem {
    Call(Call),
    Assumption(Assumption),
}

/// A call of the runbook that does something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    pub at: Option<RunbookLine>,
    /// `up`; none for a primitive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Those that wait for none of the others are done side by side.
    pub steps: Vec<PlanStep>,
}

/// A line of the runbook that looks at an answer which nobody can know yet: all that follows
/// depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assumption {
    pub number: usize,
    pub at: Option<RunbookLine>,
    /// Whose answer: `command python manage.py check in container spc-backend-1`.
    pub answer_of: String,
    /// The step that would get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// The default: `code 0, no output`.
    pub assumed: String,
}

/// The plan can't go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanEnd {
    pub at: Option<RunbookLine>,
    pub message: String,
    /// What leads on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// `spc.toml` doesn't allow it: a run would be refused too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

/// An error that the runbook deals with: `guarded` undoes what was done, `try` or `attempt` goes on
/// with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HandledError {
    pub at: Option<RunbookLine>,
    /// `guarded "restore" undoes what it did`.
    pub what: String,
    /// The error; empty where it is not known.
    pub because: String,
}
