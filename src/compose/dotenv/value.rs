//! Quotes and escapes of one value.

use super::fault::Fault;
use super::statement::{Quotes, Value};

/// A value without quotes and escapes. Its variables are not replaced yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DecodedValue {
    pub text: String,
    /// Replaces in `text` each `$` that begins a variable.
    pub mark: char,
    /// The bytes of the file at which these `$` are, in order.
    pub marks: Vec<usize>,
}

pub(super) fn decode(value: &Value<'_>) -> Result<DecodedValue, Fault> {
    let mark =
        ('\u{e000}'..='\u{10fffd}').find(|mark| !value.text.contains(*mark)).ok_or_else(|| {
            Fault::new(value.offset, "The value can't be read", "write it in single quotes")
        })?;
    let mut decoded = DecodedValue { text: String::new(), mark, marks: Vec::new() };
    match value.quotes {
        Quotes::Single => decoded.text = value.text.replace("\\'", "'"),
        Quotes::Double => decoded.read(value, true),
        Quotes::None => decoded.read(value, false),
    }
    Ok(decoded)
}

impl DecodedValue {
    fn read(&mut self, value: &Value<'_>, has_escapes: bool) {
        let mut rest = value.text;
        while let Some(character) = rest.chars().next() {
            let offset = value.offset + value.text.len() - rest.len();
            rest = &rest[character.len_utf8()..];
            match character {
                '$' => {
                    self.text.push(self.mark);
                    self.marks.push(offset);
                }
                '\\' if has_escapes => {
                    let (escaped, length) = escape(rest);
                    self.text.push(escaped);
                    rest = &rest[length..];
                }
                _ => self.text.push(character),
            }
        }
    }
}

/// The character for a backslash before this text, and the number of bytes of the text that belong
/// to the escape. An unknown escape keeps its backslash, as in Compose.
fn escape(after: &str) -> (char, usize) {
    if let Some(character) = octal(after) {
        return (character, OCTAL_LENGTH);
    }
    let character = match after.chars().next() {
        Some('a') => '\u{7}',
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('v') => '\u{b}',
        Some(known @ ('\\' | '"' | '$')) => known,
        _ => return ('\\', 0),
    };
    (character, 1)
}

/// The length of `0ddd` in bytes.
const OCTAL_LENGTH: usize = 4;

/// The character of `0ddd`; `None` for NUL.
fn octal(text: &str) -> Option<char> {
    let digits = text.get(1..OCTAL_LENGTH).filter(|digits| {
        text.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit())
    })?;
    u8::from_str_radix(digits, 8).ok().filter(|code| *code != 0).map(char::from)
}
