//! Findings with a position in a source text, as data; `ui` renders them.

use std::sync::Arc;

use super::failure::{Detail, Kind};

/// A text that positions refer to: a runbook, a module, a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The name that a user would use: relative to the working folder, or `std/deploy`.
    pub name: String,
    pub text: String,
}

/// A position in a source. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpan {
    pub source: Arc<Source>,
    pub line: usize,
    pub column: usize,
    /// Characters to underline; at least 1.
    pub width: usize,
}

/// The severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
    /// Advice about something that works as intended.
    Note,
}

/// The field of a finding that contains the name of its rule.
pub const RULE: &str = "rule";

/// The name of a function without a name in a frame.
pub const CLOSURE: &str = "closure";

/// One call of the trace, innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function called there, or [`CLOSURE`].
    pub function: String,
    /// The position of the call.
    pub place: SourceSpan,
}

/// A message and its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub kind: Kind,
    pub message: String,
    pub hint: Option<String>,
    /// The position for the excerpt with the caret.
    pub place: Option<SourceSpan>,
    /// The calls that led to the failure, innermost first.
    pub trace: Vec<Frame>,
    pub details: Vec<Detail>,
    /// Further fields for machines: `service`, `code`.
    pub fields: std::collections::BTreeMap<String, serde_json::Value>,
    /// Whether the run had changed something before.
    pub after_changes: bool,
}

impl Diagnostic {
    /// The exit code of a run that ended with it. The code for usage errors promises that nothing
    /// was changed, so a usage error after a change has the code of a failure.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage if self.after_changes => Kind::Failed.exit_code(),
            kind => kind.exit_code(),
        }
    }
}
