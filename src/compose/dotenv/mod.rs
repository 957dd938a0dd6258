//! `.env` files, parsed as Compose does.
//!
//! - `NAME=value`, also `NAME: value` and `export NAME=value`; `#` begins a comment, but after a
//!   value only if a blank precedes it.
//! - `'…'` is literal (`\'` is a quote); `"…"` supports `\n \r \t \\ \" \$` and similar escapes.
//!   Both may span lines.
//! - `$VAR` and its other forms are replaced in `"…"` and in bare values, from the environment
//!   first, then from earlier lines.
//! - `NAME` alone takes its value from the environment, if there is one.
//!
//! Stricter than Compose in two cases in which Compose silently loses text: only a comment may
//! follow a closing quote, and a name must not be empty.

mod edit;
mod fault;
mod statement;
mod value;

use indexmap::IndexMap;

use super::interpolate::interpolate_marked;
use super::{LARGEST_TEXT, Lookup, text};
use crate::model::position::position;
pub use edit::{is_value, with_value};
use fault::Fault;
use statement::Statements;

/// The content of a `.env` file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dotenv {
    /// In the file's order. A repeated name has its last value at its first position.
    pub variables: IndexMap<String, Variable>,
    /// Variables without a value that other values use without a default.
    pub unset: Vec<UnsetVariable>,
    /// Variables whose bare values begin with `#`: in Compose this is not a comment.
    pub hashes: Vec<UnsetVariable>,
}

impl Dotenv {
    /// Warnings, with their lines from 1.
    pub fn remarks(&self) -> Vec<(usize, String)> {
        let unset = self.unset.iter().map(|unset| {
            (unset.line, format!("the variable \"{}\" is not set, so it is empty", unset.name))
        });
        let hashes = self.hashes.iter().map(|hash| {
            let text =
                format!("the value of \"{0}\" begins with \"#\", which begins no comment there: write {0}= for an empty value", hash.name);
            (hash.line, text)
        });
        let mut all: Vec<(usize, String)> = unset.chain(hashes).collect();
        all.sort();
        all
    }
}

/// One variable of a `.env` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub value: String,
    /// From 1.
    pub line: usize,
}

/// A variable that needs a remark about its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsetVariable {
    pub name: String,
    /// From 1.
    pub line: usize,
}

/// A mistake in a `.env` file. It contains no values, because most of them are passwords.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DotenvError {
    /// From 1.
    pub line: usize,
    /// Characters, from 1.
    pub column: usize,
    /// Sentence case, no full stop. The caller adds the name of the file.
    pub message: String,
    /// A suggested fix.
    pub hint: String,
}

fn placed(fault: Fault, text: &str) -> DotenvError {
    let (line, column) = position(text, fault.offset);
    DotenvError { line, column, message: fault.message, hint: fault.hint }
}

/// Parses the content of a `.env` file. `lookup` is the process environment, and takes precedence
/// over earlier lines if a value uses a variable. The caller decides whether the environment also
/// overrides the parsed values: it does for a project's `.env`, but not for a service's `env_file`.
pub fn parse(content: &[u8], lookup: Lookup<'_>) -> Result<Dotenv, DotenvError> {
    let text = decode(content)?;
    let mut dotenv = Dotenv::default();
    let mut statements = Statements::new(text);
    let mut held = 0;
    let (mut line, mut counted) = (1, 0);
    while let Some(statement) = statements.next().map_err(|fault| placed(fault, text))? {
        line += text[counted..statement.offset].matches('\n').count();
        counted = statement.offset;
        let value = match &statement.value {
            Some(value) => {
                if value.is_bare_hash() {
                    dotenv.hashes.push(UnsetVariable { name: statement.name.to_owned(), line });
                }
                evaluate(value, line, &mut dotenv, lookup).map_err(|fault| placed(fault, text))?
            }
            None => match lookup(statement.name) {
                Some(value) => value,
                None => continue,
            },
        };
        held += value.len();
        if held > LARGEST_TEXT {
            let message = format!(
                "The values are larger than {} MiB with their variables replaced",
                LARGEST_TEXT >> 20
            );
            let hint = "does a variable contain another one many times?";
            return Err(placed(Fault::new(statement.offset, message, hint), text));
        }
        dotenv.variables.insert(statement.name.to_owned(), Variable { value, line });
    }
    Ok(dotenv)
}

fn evaluate(
    value: &statement::Value<'_>,
    line: usize,
    dotenv: &mut Dotenv,
    lookup: Lookup<'_>,
) -> Result<String, Fault> {
    let decoded = value::decode(value)?;
    let known = |name: &str| {
        lookup(name).or_else(|| dotenv.variables.get(name).map(|variable| variable.value.clone()))
    };
    let interpolated =
        interpolate_marked(&decoded.text, decoded.mark, &known).map_err(|error| {
            let marks_before = decoded.text[..error.span.start].matches(decoded.mark).count();
            let offset = decoded.marks.get(marks_before).copied().unwrap_or(value.offset);
            Fault { offset, message: error.message, hint: error.hint }
        })?;
    dotenv.unset.extend(interpolated.unset.into_iter().map(|name| UnsetVariable { name, line }));
    Ok(interpolated.text)
}

/// The text of the file, without NUL, which no variable can contain.
fn decode(content: &[u8]) -> Result<&str, DotenvError> {
    let text = text::decode(content).map_err(|wrong| DotenvError {
        line: wrong.line,
        column: wrong.column,
        message: wrong.message.to_owned(),
        hint: wrong.hint.to_owned(),
    })?;
    match text.find('\0') {
        Some(offset) => {
            let fault = Fault::new(offset, "A variable can't contain a NUL byte", "remove it");
            Err(placed(fault, text))
        }
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests;
