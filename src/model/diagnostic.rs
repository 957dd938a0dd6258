//! Findings with a place in a source text, as data; `ui` renders them.

use std::sync::Arc;

use super::failure::{Detail, Kind};

/// A text that positions refer to: a runbook, a module, a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// As the user would name it: relative to the working folder, or `std/deploy`.
    pub name: String,
    pub text: String,
}

/// A place in a source. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpan {
    pub source: Arc<Source>,
    pub line: usize,
    pub column: usize,
    /// Characters to underline; at least 1.
    pub width: usize,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// The field of a finding with the name of the rule that it is about.
pub const RULE: &str = "rule";

/// A call on the way to the failure, the innermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function called there, or `closure`.
    pub function: String,
    /// Where the call stands.
    pub place: SourceSpan,
}

/// A message with the place it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub kind: Kind,
    pub message: String,
    pub hint: Option<String>,
    /// The excerpt with the caret.
    pub place: Option<SourceSpan>,
    /// The calls that led there, the innermost first.
    pub trace: Vec<Frame>,
    pub details: Vec<Detail>,
    /// Further fields for machines: `service`, `code`.
    pub fields: std::collections::BTreeMap<String, serde_json::Value>,
}
