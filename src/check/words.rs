//! Reserved words where a name is wanted: Rhai says what it expected, not why the word can't be it.

use rhai::{Engine, ParseErrorType, Position};

use crate::model::Failure;
use crate::model::diagnostic::Source;

/// The failure, if a reserved word is what the parser stumbled over.
pub fn reserved(engine: &Engine, source: &Source, error: &ParseErrorType, position: Position) -> Option<Failure> {
    let line = source.text.lines().nth(position.line()?.checked_sub(1)?)?;
    let start = line.char_indices().nth(position.position()?.checked_sub(1)?)?.0;
    let (before, after) = line.split_at(start);
    let end = after.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(after.len());
    let (word, after) = after.split_at(end);
    let (before, after) = (before.trim_end(), after.trim_start());
    // Other letters than these are in no name at all.
    if !word.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) || !word.is_ascii() {
        return None;
    }
    let failure = Failure::usage(format!("\"{word}\" is a reserved word"));
    let is_key =
        after.starts_with(':') && !after.starts_with("::") && before.ends_with(['{', ',']) || before.is_empty() && after.starts_with(':');
    if is_key {
        let refused = engine.compile(format!("#{{{word}: 1}}")).is_err();
        return refused.then(|| failure.hint(format!("as the key of a map write it in quotes: \"{word}\"")));
    }
    if before.ends_with('.') {
        let refused = engine.compile(format!("let x = #{{}}; x.{word}")).is_err();
        return refused.then(|| failure.hint(format!("a field of that name is written [\"{word}\"]")));
    }
    let wants_name = ["let", "const", "fn", "as", "for", "|"].iter().any(|end| before.ends_with(end));
    let refused = (wants_name || matches!(error, ParseErrorType::Reserved(_))) && engine.compile(format!("let {word} = 1;")).is_err();
    refused.then(|| failure.hint("take another name"))
}
