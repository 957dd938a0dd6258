//! Quotes and escapes of one value, read by dotenvy.
//!
//! dotenvy 0.15.7 knows another dialect than Compose: bare values with blanks, quotes or
//! backslashes fail or change; `\'` ends a single-quoted value; of the escapes in double quotes it
//! knows `\\ \' \" \$ \n` and a blank, and fails at others; and it replaces `$NAME` itself, from
//! the process environment, without defaults. So a value is first said in dotenvy's words, and each
//! `$` that is to be obeyed goes through it as a mark of our own.

use super::Fault;
use super::statement::{Quotes, Value};

/// A value without quotes and escapes, its variables not yet replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub text: String,
    /// Stands in `text` for each `$` that is to be obeyed.
    pub mark: char,
    /// Bytes of the file at which those `$` stand, in order.
    pub marks: Vec<usize>,
}

pub(super) fn decode(value: &Value<'_>) -> Result<Decoded, Fault> {
    let unreadable =
        || Fault::new(value.offset, "The value can't be read", "write it in single quotes");
    let mark = ('\u{e000}'..='\u{10fffd}')
        .find(|mark| !value.text.contains(*mark))
        .ok_or_else(unreadable)?;
    let mut dialect = Dialect { text: "\"".to_owned(), mark, marks: Vec::new() };
    match value.quotes {
        // As in a shell: end the quotes, a quote of its own, begin again.
        Quotes::Single => dialect.text = format!("'{}'", value.text.replace("\\'", "'\\''")),
        Quotes::Double => dialect.double_quoted(value),
        Quotes::None => dialect.bare(value),
    }
    // Compose allows names that dotenvy does not; the value does not depend on the name.
    let line = format!("VALUE={}\n", dialect.text);
    let (_, text) = dotenvy::from_read_iter(line.as_bytes())
        .next()
        .and_then(Result::ok)
        .ok_or_else(unreadable)?;
    Ok(Decoded { text, mark, marks: dialect.marks })
}

/// A value in the words of dotenvy.
struct Dialect {
    text: String,
    mark: char,
    marks: Vec<usize>,
}

impl Dialect {
    fn bare(&mut self, value: &Value<'_>) {
        for (index, character) in value.text.char_indices() {
            match character {
                '$' => self.dollar(value.offset + index),
                _ => self.literal(character),
            }
        }
        self.text.push('"');
    }

    fn double_quoted(&mut self, value: &Value<'_>) {
        let mut rest = value.text;
        while let Some(character) = rest.chars().next() {
            let offset = value.offset + value.text.len() - rest.len();
            let after = &rest[character.len_utf8()..];
            rest = match character {
                '$' => {
                    self.dollar(offset);
                    after
                }
                '\\' => self.escape(after),
                _ => {
                    self.literal(character);
                    after
                }
            };
        }
        self.text.push('"');
    }

    /// What follows a backslash; gives the rest. An unknown escape keeps its backslash, as in
    /// Compose.
    fn escape<'t>(&mut self, after: &'t str) -> &'t str {
        if let Some(character) = octal(after) {
            self.literal(character);
            return &after[OCTAL_LENGTH..];
        }
        let mut characters = after.chars();
        let character = match characters.next() {
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{b}',
            Some(known @ ('\\' | '"' | '$')) => known,
            _ => {
                self.literal('\\');
                return after;
            }
        };
        self.literal(character);
        characters.as_str()
    }

    fn dollar(&mut self, offset: usize) {
        self.text.push(self.mark);
        self.marks.push(offset);
    }

    fn literal(&mut self, character: char) {
        if matches!(character, '\\' | '"' | '$') {
            self.text.push('\\');
        }
        self.text.push(character);
    }
}

/// Bytes of `0ddd`.
const OCTAL_LENGTH: usize = 4;

/// The character of `0ddd`; a NUL is none.
fn octal(text: &str) -> Option<char> {
    let digits = text.get(1..OCTAL_LENGTH).filter(|digits| {
        text.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit())
    })?;
    u8::from_str_radix(digits, 8).ok().filter(|code| *code != 0).map(char::from)
}

/// Writes a value so that it reads back the same: in single quotes, where nothing has a meaning, or
/// in double quotes where it holds what single quotes can't.
pub fn quote(value: &str) -> String {
    if !value.contains(['\'', '\\', '\r', '\n']) {
        return format!("'{value}'");
    }
    let mut quoted = "\"".to_owned();
    for character in value.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\\' | '"' | '$' => quoted.extend(['\\', character]),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
