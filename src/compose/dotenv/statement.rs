//! Finds the beginning and end of statements in a `.env` file.

use std::ops::Range;

use super::fault::Fault;

/// `name=value`, or only a name.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub name: &'a str,
    /// The byte of the file at which the name begins.
    pub offset: usize,
    pub value: Option<Value<'a>>,
}

/// A value as written, without its quotes and its comment.
#[derive(Debug)]
pub(super) struct Value<'a> {
    pub quotes: Quotes,
    pub text: &'a str,
    /// The byte of the file at which `text` begins.
    pub offset: usize,
    /// The byte of the file after `=` or `:`.
    pub assigned: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    None,
    Single,
    Double,
}

/// The statements of a file, in order.
pub(super) struct Statements<'a> {
    text: &'a str,
    /// Bytes read.
    at: usize,
}

impl<'a> Statements<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next statement; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Statement<'a>>, Fault> {
        loop {
            self.skip(char::is_whitespace);
            match self.rest().chars().next() {
                None => return Ok(None),
                Some('#') => self.skip(|character| character != '\n'),
                Some(_) => return self.statement().map(Some),
            }
        }
    }

    fn statement(&mut self) -> Result<Statement<'a>, Fault> {
        self.skip_export();
        let offset = self.at;
        let name = self.name()?;
        self.skip(is_blank);
        let value = match self.rest().chars().next() {
            Some('=' | ':') => {
                self.at += 1;
                let assigned = self.at;
                self.skip(is_blank);
                Some(self.value(name, assigned)?)
            }
            // Only a name: the line ends here.
            _ => None,
        };
        Ok(Statement { name, offset, value })
    }

    /// Skips `export` if it is a prefix and not itself the name.
    fn skip_export(&mut self) {
        let Some(rest) = self.rest().strip_prefix("export") else { return };
        let name = rest.trim_start_matches(is_blank);
        if name.len() < rest.len() && !name.starts_with(['=', ':', '\n']) && !name.is_empty() {
            self.at = self.text.len() - name.len();
        }
    }

    fn name(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        self.skip(is_name);
        let name = &self.text[start..self.at];
        let after = self.rest().trim_start_matches(is_blank);
        match after.chars().next() {
            None | Some('=' | ':' | '\n') if !name.is_empty() => Ok(name),
            Some('=' | ':') => {
                Err(Fault::new(start, "A variable's name is missing", "write NAME=value"))
            }
            found => {
                // A line that is not an assignment is usually a part of a value that spans lines.
                const HINT: &str =
                    "write NAME=value, one to a line; a value that spans lines needs quotes";
                let blank = after.len() < self.rest().len();
                let shown = if blank {
                    " ".to_owned()
                } else {
                    found.map_or(String::new(), |found| found.escape_debug().to_string())
                };
                Err(Fault::new(
                    self.at,
                    format!("A variable's name can't contain \"{shown}\""),
                    HINT,
                ))
            }
        }
    }

    fn value(&mut self, name: &str, assigned: usize) -> Result<Value<'a>, Fault> {
        let (quotes, quote) = match self.rest().chars().next() {
            Some('\'') => (Quotes::Single, '\''),
            Some('"') => (Quotes::Double, '"'),
            _ => return Ok(self.bare(assigned)),
        };
        let opening = self.at;
        let offset = opening + 1;
        let Some(length) = until_quote(&self.text[offset..], quote) else {
            let hint =
                format!("close it with {quote}; inside, write \\{quote} for the quote itself");
            return Err(Fault::new(
                opening,
                format!("The quoted value of \"{name}\" is not closed"),
                hint,
            ));
        };
        self.at = offset + length + 1;
        let value = Value { quotes, text: &self.text[offset..offset + length], offset, assigned };
        self.skip(is_blank);
        match self.rest().chars().next() {
            None | Some('\n' | '#') => {
                self.skip(|character| character != '\n');
                Ok(value)
            }
            Some(_) => Err(Fault::new(
                self.at,
                format!("Something follows the quoted value of \"{name}\""),
                format!("quote the whole value; inside, write \\{quote} for the quote itself"),
            )),
        }
    }

    /// The rest of the line, up to a comment.
    fn bare(&mut self, assigned: usize) -> Value<'a> {
        let offset = self.at;
        let line = self.rest().split('\n').next().unwrap_or_default();
        self.at += line.len();
        // A comment needs a blank before it. "a#b" is a value, and so are "#b" and, as in Compose,
        // "#b" after a tab.
        let text = line.split(" #").next().unwrap_or_default().trim_end();
        Value { quotes: Quotes::None, text, offset, assigned }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self, skipped: impl Fn(char) -> bool) {
        self.at = self.text.len() - self.rest().trim_start_matches(skipped).len();
    }
}

impl Value<'_> {
    /// The bytes of the file that the value takes, with its quotes. Blanks before an empty value
    /// are no part of it: one of them may belong to the line end.
    pub(super) fn span(&self) -> Range<usize> {
        let end = self.offset + self.text.len();
        match self.quotes {
            Quotes::None if self.text.is_empty() => self.assigned..self.assigned,
            Quotes::None => self.offset..end,
            Quotes::Single | Quotes::Double => self.offset - 1..end + 1,
        }
    }

    /// Whether the value was probably intended as a comment: `NAME=  # choose one`.
    pub(super) fn is_bare_hash(&self) -> bool {
        matches!(self.quotes, Quotes::None) && self.text.starts_with('#')
    }
}

/// The bytes before the closing quote. A backslash removes the meaning of the next character.
fn until_quote(text: &str, quote: char) -> Option<usize> {
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        if character == quote {
            return Some(index);
        }
        if character == '\\' {
            characters.next();
        }
    }
    None
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.' | '-' | '[' | ']')
}

/// White space within a line.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{a0}')
}
