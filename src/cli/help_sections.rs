//! What the help of a command shows below its options: lists and examples, in aligned columns.

use std::fmt::Write as _;

use crate::ui::terminal::{SUBJECT, styled};

/// The heading of the options that every command has.
pub const GLOBAL: &str = "Global options";

/// The longest command that has its description beside it.
const COLUMN: usize = 44;

/// Examples: a command, and what it does.
pub fn examples(rows: &[(&str, &str)]) -> String {
    section("Examples:", rows)
}

/// A heading with rows of two columns.
pub fn section(heading: &str, rows: &[(&str, &str)]) -> String {
    let widths = rows.iter().map(|(name, _)| name.chars().count());
    let column = widths.filter(|width| *width <= COLUMN).max().unwrap_or(0);
    let mut text = styled(SUBJECT, heading);
    for (name, about) in rows {
        let _ = match about.is_empty() {
            true => write!(text, "\n  {name}"),
            false if name.chars().count() > column => {
                write!(text, "\n  {name}\n  {:column$}  {about}", "")
            }
            false => write!(text, "\n  {name:column$}  {about}"),
        };
    }
    text
}
