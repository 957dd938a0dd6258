//! The error a script and a user see: a kind, a sentence, a next step.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use strum::VariantArray as _;

use super::url_credentials::without_credentials;

/// The kind of a failure, by what a caller can do about it. A script compares the name with
/// `error.kind`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// A wrong argument, key, type or name in the runbook or on the command line.
    Usage,
    NotFound,
    /// The name, port or address is taken, or the object's state forbids it.
    Conflict,
    /// A container exited, or its health check does not pass.
    Unhealthy,
    Timeout,
    /// An image that does not exist here and can't be pulled.
    Image,
    Build,
    /// A command in a container or on the host ended with a code other than 0.
    Exec,
    /// The engine is not reachable, or reported an error.
    Engine,
    /// `spc.toml` does not allow it.
    Policy,
    /// Another run is changing the project.
    Lock,
    Interrupted,
    /// A script's own `throw` of something that is not an error map.
    Failed,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The word for scripts.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// The kind for a word.
    pub fn from_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    /// The exit code of a run that ends with this failure.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Lock => 4,
            Self::Policy => 5,
            Self::Interrupted => 130,
            _ => 1,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The next step if a container is paused.
pub fn unpause(container: &str) -> String {
    format!("resume it with `docker unpause {container}`")
}

/// Where the wrong value is in a description: `["services", "db", "ports", "0"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecPath {
    pub keys: Vec<String>,
    /// The last key itself is wrong, not its value.
    pub on_key: bool,
}

impl fmt::Display for SpecPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.keys.join("."))
    }
}

/// The position of the mistake in a file that is not a script, such as a compose file. Lines and
/// columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSpan {
    /// The name that a user would use: relative to the working folder.
    pub file: String,
    pub line: usize,
    pub column: usize,
    /// Characters to underline; at least 1.
    pub width: usize,
}

/// A failure in the words of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    pub kind: Kind,
    /// Sentence case, no full stop; values in quotes.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
    /// Additional fields of the error map: `service`, `code`, `stderr`, `path`.
    pub fields: BTreeMap<String, Value>,
    /// Blocks shown below the message: a title and its lines (last log lines, probe output).
    pub details: Vec<Detail>,
    /// The position in the description.
    pub path: Option<Box<SpecPath>>,
    /// The position in a file; takes precedence over `path`.
    pub place: Option<Box<FileSpan>>,
}

/// A block of text with a title, below a message. The text comes from outside: control characters
/// are shown as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    pub title: String,
    pub text: String,
}

/// The most bytes of a message and of a hint. A longer text is not a sentence, and takes time to
/// process.
const LONGEST_TEXT: usize = 16 << 10;
/// The most bytes of a detail's text, and of a text in a field when the failure is shown.
const LONGEST_DETAIL: usize = 64 << 10;

/// The beginning of a text that is too long.
fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
        text.shrink_to_fit();
        text.push('…');
    }
    text
}

/// The text without the credentials of URLs.
fn hidden(text: String) -> String {
    match without_credentials(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(text) => text,
    }
}

/// The value with shortened texts, for display.
fn cut_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = cut(std::mem::take(text), LONGEST_DETAIL),
        Value::Array(items) => items.iter_mut().for_each(cut_value),
        Value::Object(fields) => fields.values_mut().for_each(cut_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Failure {
    /// A failure of `kind`. A message that is too long is cut off. The credentials of URLs in it
    /// are hidden, because a script that catches the failure may print the message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = cut(hidden(message.into()), LONGEST_TEXT);
        Self {
            kind,
            message,
            hint: None,
            fields: BTreeMap::new(),
            details: Vec::new(),
            path: None,
            place: None,
        }
    }

    /// A wrong argument, key, type or name.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The run was interrupted.
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "Interrupted")
    }

    /// A container that is paused. spc does not unpause containers.
    pub fn paused(container: &str) -> Self {
        Self::new(Kind::Conflict, format!("The container \"{container}\" is paused"))
            .hint(unpause(container))
    }

    /// The same failure with a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(cut(hidden(hint.into()), LONGEST_TEXT));
        self
    }

    /// The same failure with a field of the error map.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// The same failure with a block of text. An empty block is omitted. If a block with this title
    /// exists, the text is added to it.
    #[must_use]
    pub fn detail(mut self, title: impl Into<String>, text: impl Into<String>) -> Self {
        let (title, text) = (title.into(), text.into());
        // A title describes all of its block, so the texts can be joined.
        if let Some(there) = self
            .details
            .iter_mut()
            .find(|detail| detail.title == title)
            .filter(|_| !text.trim().is_empty())
        {
            there.text = cut(format!("{}\n{text}", there.text.trim_end()), LONGEST_DETAIL);
        } else if !text.trim().is_empty() {
            self.details
                .push(Detail { title: cut(title, LONGEST_TEXT), text: cut(text, LONGEST_DETAIL) });
        }
        self
    }

    /// Its fields for display: long texts are cut off.
    pub fn shown_fields(fields: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        let mut fields = fields;
        fields.values_mut().for_each(cut_value);
        fields
    }

    /// The same failure with a position in the description.
    #[must_use]
    pub fn at(mut self, path: SpecPath) -> Self {
        self.path = Some(Box::new(path));
        self
    }

    /// The same failure with a position in a file.
    #[must_use]
    pub fn in_file(mut self, place: FileSpan) -> Self {
        self.place = Some(Box::new(place));
        self
    }
}

/// `text` with a capital letter at its beginning.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_one_title_are_one_block() {
        let failure = Failure::usage("x")
            .detail("after", "one\n")
            .detail("other", "two")
            .detail("after", "three")
            .detail("after", " ");
        let details: Vec<(&str, &str)> = failure
            .details
            .iter()
            .map(|detail| (detail.title.as_str(), detail.text.as_str()))
            .collect();
        assert_eq!(details, [("after", "one\nthree"), ("other", "two")]);
    }

    #[test]
    fn a_kinds_word_leads_back_to_it() {
        for &kind in Kind::ALL {
            assert_eq!(Kind::from_word(kind.word()), Some(kind));
        }
        assert_eq!(Kind::from_word("nonsense"), None);
    }
}
