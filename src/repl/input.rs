//! The source of a session's lines.

use super::Interrupts;
use crate::model::diagnostic::Diagnostic;

/// The prompts for a line and for its continuation.
pub const PROMPT: &str = "spc> ";
pub const MORE: &str = "...> ";

/// The result of reading a line.
#[derive(Debug, PartialEq, Eq)]
pub enum PromptInput {
    /// A line, or several that belong together.
    Text(String),
    /// The line was cancelled, or is empty.
    Nothing,
    /// The end of the input.
    End,
}

/// Reads lines.
pub trait Input {
    /// Waits for a text that is complete.
    fn read(&mut self, interrupts: &Interrupts) -> Result<PromptInput, Box<Diagnostic>>;

    /// Stores a text in the history.
    fn keep(&mut self, text: &str);
}
