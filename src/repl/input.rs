//! Where the lines of a session come from.

use super::Interrupts;
use crate::model::diagnostic::Diagnostic;

/// What is asked before a line, and before one that goes on.
pub const PROMPT: &str = "spc> ";
pub const MORE: &str = "...> ";

/// What came of asking for a line.
#[derive(Debug, PartialEq, Eq)]
pub enum PromptInput {
    /// A line, or several that belong together.
    Text(String),
    /// The line was given up, or is empty.
    Nothing,
    /// The end of the input.
    End,
}

/// Asks for lines.
pub trait Input {
    /// Waits for a text that is complete.
    fn read(&mut self, interrupts: &Interrupts) -> Result<PromptInput, Box<Diagnostic>>;

    /// Keeps a text, to be found again in this session and later ones.
    fn keep(&mut self, text: &str);
}
