//! Quotes and escapes of one value.

use super::fault::Fault;
use super::statement::{Quotes, Value};

/// A value without quotes and escapes, its variables not yet replaced.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DecodedValue {
    pub text: String,
    /// Stands in `text` for each `$` that is to be obeyed.
    pub mark: char,
    /// Bytes of the file at which those `$` stand, in order.
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

/// What a backslash before this text stands for, and how many bytes of the text belong to it. An
/// unknown escape keeps its backslash, as in Compose.
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

/// Bytes of `0ddd`.
const OCTAL_LENGTH: usize = 4;

/// The character of `0ddd`; a NUL is none.
fn octal(text: &str) -> Option<char> {
    let digits = text.get(1..OCTAL_LENGTH).filter(|digits| {
        text.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit())
    })?;
    u8::from_str_radix(digits, 8).ok().filter(|code| *code != 0).map(char::from)
}

/// Writes a value so that it reads back the same, also in the programs of the project that read the
/// file with a library of the kind of dotenvy: as it is where both readers take it so, else
/// [`quote`]d. Nothing for a value that no file can hold.
pub fn quoted(value: &str) -> Option<String> {
    // Where a variable is looked up, and where a comment begins, differs between readers.
    let is_plain = !value.contains(['$', '#'])
        && by_dotenvy(value).as_deref() == Some(value)
        && by_compose(value).as_deref() == Some(value);
    let written = if is_plain { value.to_owned() } else { quote(value) };
    (by_compose(&written).as_deref() == Some(value)).then_some(written)
}

/// The same, always in quotes: in single ones, where nothing has a meaning, or in double ones where
/// it holds what single quotes can't.
fn quote(value: &str) -> String {
    let single = format!("'{value}'");
    if !value.contains(['\\', '\r', '\n']) && by_dotenvy(&single).as_deref() == Some(value) {
        return single;
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

/// What [`super::parse`] reads of a value as it is written.
fn by_compose(written: &str) -> Option<String> {
    let file = super::parse(format!("VALUE={written}\n").as_bytes(), &|_| None).ok()?;
    let is_alone = file.variables.len() == 1 && file.remarks().is_empty();
    file.variables.get("VALUE").filter(|_| is_alone).map(|variable| variable.value.clone())
}

/// What dotenvy reads of a value as it is written; nothing where it can't. It reads another dialect
/// than Compose: bare values with blanks, quotes or backslashes fail or change, `\'` ends a value in
/// single quotes, of the escapes it knows the fewest, and it replaces variables without defaults,
/// from the process environment. So it can't read a project's `.env`.
pub(super) fn by_dotenvy(written: &str) -> Option<String> {
    let line = format!("VALUE={written}\n");
    Some(dotenvy::from_read_iter(line.as_bytes()).next()?.ok()?.1)
}
