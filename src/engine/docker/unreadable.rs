//! Responses that don't conform to the Engine API: explains the error in plain words and names the
//! field. The decoder's own messages name types of this program.

use std::fmt;

use crate::engine::{EngineError, EngineErrorKind};

/// The next step where an answer is none of an engine's.
const OTHER_ENGINE: &str = "check that a Docker Engine answers at this address, and not a proxy or another program: `docker version` shows what does";

/// The error for a response that does not conform to the Engine API.
pub(super) fn unreadable(cause: impl fmt::Display) -> EngineError {
    let message = format!("could not read the Docker Engine's answer: {cause}");
    EngineError::new(EngineErrorKind::Server, message).with_hint(OTHER_ENGINE)
}

/// The answer `content` that the decoder could not read, with its words.
pub(super) fn not_as_described(said: &str, content: &[u8]) -> EngineError {
    if content.trim_ascii_start().starts_with(b"<") {
        return unreadable("it is a page (HTML), not JSON");
    }
    let (said, place) = said.rsplit_once(" at line ").unwrap_or((said, ""));
    let path = offset(place, content).map(|offset| path(content, offset)).unwrap_or_default();
    let wrong = Wrong::of(said);
    unreadable(match (&wrong, path.as_str()) {
        (Wrong::NotJson | Wrong::TooShort, _) => format!("it {wrong}"),
        (_, "") => format!("it {wrong}"),
        (_, path) => format!("\"{path}\" {wrong}"),
    })
}

/// The predicate of the message, which follows the subject.
#[derive(Debug, PartialEq, Eq)]
enum Wrong {
    NotJson,
    TooShort,
    Misses(String),
    Twice(String),
    OtherType { found: &'static str, wanted: Option<&'static str> },
    OtherValue,
}

impl Wrong {
    /// By the decoder's words, without the place in them.
    fn of(said: &str) -> Self {
        let name = || said.split('`').nth(1).unwrap_or_default().to_owned();
        if let Some(types) = said.strip_prefix("invalid type: ") {
            let (found, wanted) = types.rsplit_once(", expected ").unwrap_or((types, ""));
            Self::OtherType { found: found_type(found), wanted: wanted_type(wanted) }
        } else if said.starts_with("missing field ") {
            Self::Misses(name())
        } else if said.starts_with("duplicate field ") {
            Self::Twice(name())
        } else if said.starts_with("EOF ") {
            Self::TooShort
        } else if is_syntax(said) {
            Self::NotJson
        } else {
            Self::OtherValue
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("is not JSON"),
            Self::TooShort => f.write_str("ends too early"),
            Self::Misses(field) => write!(f, "has no field \"{field}\""),
            Self::Twice(field) => write!(f, "has the field \"{field}\" twice"),
            Self::OtherType { found, wanted: Some(wanted) } => {
                write!(f, "is {found} where {wanted} belongs")
            }
            Self::OtherType { found, wanted: None } => write!(f, "is {found}"),
            Self::OtherValue => f.write_str("is a value that the Engine API does not have there"),
        }
    }
}

/// Whether the words are of a text that is no JSON.
fn is_syntax(said: &str) -> bool {
    const WORDS: [&str; 11] = [
        "expected value",
        "expected ident",
        "expected `",
        "trailing ",
        "key must be",
        "invalid escape",
        "invalid number",
        "invalid unicode",
        "control character",
        "lone leading surrogate",
        "recursion limit",
    ];
    WORDS.iter().any(|words| said.starts_with(words))
}

fn found_type(said: &str) -> &'static str {
    match said.split(' ').next().unwrap_or_default() {
        "string" | "character" | "byte" => "a text",
        "integer" | "floating" | "number" => "a number",
        "boolean" => "true or false",
        "map" => "an object",
        "sequence" => "a list",
        "null" | "unit" | "Option" => "null",
        _ => "something else",
    }
}

fn wanted_type(said: &str) -> Option<&'static str> {
    let said = said.trim_start_matches("a ").trim_start_matches("an ");
    let is_number = |word: &str| matches!(word.as_bytes(), [b'i' | b'u' | b'f', rest @ ..] if !rest.is_empty() && rest.iter().all(u8::is_ascii_digit));
    match said.split(' ').next().unwrap_or_default() {
        "struct" | "map" => Some("an object"),
        "sequence" | "tuple" => Some("a list"),
        "string" | "borrowed" | "str" | "enum" | "variant" | "formatted" => Some("a text"),
        "boolean" => Some("true or false"),
        "RFC" => Some("a time"),
        "integer" | "number" | "usize" | "isize" => Some("a number"),
        word if is_number(word) => Some("a number"),
        _ => None,
    }
}

/// The offset at which the decoder stopped, parsed from its message: `1 column 34`.
fn offset(place: &str, content: &[u8]) -> Option<usize> {
    let (line, column) = place.split_once(" column ")?;
    let (line, column): (usize, usize) = (line.parse().ok()?, column.trim().parse().ok()?);
    let before: usize = content
        .split_inclusive(|byte| *byte == b'\n')
        .take(line.checked_sub(1)?)
        .map(<[u8]>::len)
        .sum();
    Some((before + column).min(content.len()))
}

/// An open object or list at a position in JSON.
enum Level {
    Object { key: Option<String>, at_key: bool },
    List(usize),
}

/// The field that the first `end` bytes of JSON lead to: `[3].Ports[0].PublicPort`.
fn path(content: &[u8], end: usize) -> String {
    const LONGEST: usize = 200;
    let mut levels: Vec<Level> = Vec::new();
    let mut at = 0;
    while at < end {
        match content[at] {
            b'"' => {
                let length = string_length(&content[at..]);
                if let Some(Level::Object { key, at_key: true }) = levels.last_mut() {
                    *key = serde_json::from_slice(&content[at..at + length]).ok();
                }
                at += length - 1;
            }
            b'{' => levels.push(Level::Object { key: None, at_key: true }),
            b'[' => levels.push(Level::List(0)),
            b':' => {
                if let Some(Level::Object { at_key, .. }) = levels.last_mut() {
                    *at_key = false;
                }
            }
            b',' => match levels.last_mut() {
                Some(Level::Object { at_key, .. }) => *at_key = true,
                Some(Level::List(index)) => *index += 1,
                None => {}
            },
            // The decoder reports a missing field at the end of the object.
            b'}' | b']' => drop(levels.pop()),
            _ => {}
        }
        at += 1;
    }
    // The innermost level is still empty, so the error is about this value itself.
    if matches!(levels.last(), Some(Level::Object { key: None, .. } | Level::List(0)))
        && matches!(content.get(end.saturating_sub(1)), Some(b'{' | b'['))
    {
        levels.pop();
    }
    let mut path = String::new();
    for level in &levels {
        match level {
            Level::List(index) => path.push_str(&format!("[{index}]")),
            Level::Object { key: Some(key), .. } => {
                path.push_str(if path.is_empty() { "" } else { "." });
                path.push_str(key);
            }
            Level::Object { key: None, .. } => {}
        }
    }
    if path.len() > LONGEST {
        path.truncate(path.floor_char_boundary(LONGEST));
        path.push('…');
    }
    path
}

/// The length of the string at the beginning, its quotes counted.
fn string_length(text: &[u8]) -> usize {
    let mut is_escaped = true;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;
