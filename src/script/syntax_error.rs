//! Explains syntax errors, with their positions, in the same way for runs and checks.

use rhai::{Engine, EvalAltResult, ParseErrorType, Position};

use super::common_mistakes;
use crate::model::diagnostic::Source;
use crate::model::{Failure, position};
use crate::value::rhai_messages::describe;

/// A syntax error in the words of users.
pub struct SyntaxError {
    pub failure: Failure,
    pub position: Position,
    /// A reserved word is used as a name.
    pub reserved_word: bool,
}

impl SyntaxError {
    /// The meaning of the parser's error about `source`.
    pub fn new(engine: &Engine, source: &Source, kind: ParseErrorType, position: Position) -> Self {
        let position = if position.is_none() { end_of(&source.text) } else { position };
        if let Some(failure) = reserved(engine, source, &kind, position) {
            return Self { failure, position, reserved_word: true };
        }
        if let Some((failure, position)) = common_mistakes::find(&source.text, &kind, position) {
            return Self { failure, position, reserved_word: false };
        }
        // At the end of the text, the token in the message is not the missing one.
        let at_end =
            matches!(kind, ParseErrorType::MissingToken(..)) && is_past(position, &source.text);
        let (kind, position) = if at_end {
            (ParseErrorType::UnexpectedEOF, end_of(&source.text))
        } else {
            (kind, position)
        };
        Self {
            failure: describe(&EvalAltResult::ErrorParsing(kind, position)),
            position,
            reserved_word: false,
        }
    }
}

/// Whether only white space follows.
fn is_past(position: Position, text: &str) -> bool {
    let at = position::offset(text, position.line().unwrap_or(1), position.position().unwrap_or(1));
    text[at..].trim().is_empty()
}

/// The position after the last character.
fn end_of(text: &str) -> Position {
    let (line, column) = position::position(text, text.trim_end().len());
    let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    Position::new(short(line), short(column))
}

/// The failure if the parser stopped at a reserved word: Rhai says what it expected, but not why
/// the word is not allowed.
fn reserved(
    engine: &Engine,
    source: &Source,
    error: &ParseErrorType,
    position: Position,
) -> Option<Failure> {
    let line = source.text.lines().nth(position.line()?.checked_sub(1)?)?;
    let start = line.char_indices().nth(position.position()?.checked_sub(1)?)?.0;
    let (before, after) = line.split_at(start);
    let end = after.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(after.len());
    let (word, after) = after.split_at(end);
    let (before, after) = (before.trim_end(), after.trim_start());
    // Names can't contain other letters than these.
    if !word.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) || !word.is_ascii() {
        return None;
    }
    let failure = Failure::usage(format!("\"{word}\" is a reserved word"));
    let is_key = after.starts_with(':') && !after.starts_with("::") && before.ends_with(['{', ','])
        || before.is_empty() && after.starts_with(':');
    if is_key {
        let refused = engine.compile(format!("#{{{word}: 1}}")).is_err();
        return refused
            .then(|| failure.hint(format!("as the key of a map write it in quotes: \"{word}\"")));
    }
    if before.ends_with('.') {
        let refused = engine.compile(format!("let x = #{{}}; x.{word}")).is_err();
        return refused
            .then(|| failure.hint(format!("a field of that name is written [\"{word}\"]")));
    }
    let wants_name =
        ["let", "const", "fn", "as", "for", "|"].iter().any(|end| before.ends_with(end));
    let refused = (wants_name || matches!(error, ParseErrorType::Reserved(_)))
        && engine.compile(format!("let {word} = 1;")).is_err();
    refused.then(|| {
        failure.hint(match (before, word) {
            (_, "null") => "write () for no value",
            (before, "debug") if before.ends_with("log::") => "write log::verbose",
            _ => "choose another name",
        })
    })
}
