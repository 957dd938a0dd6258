//! The bytes of a file as text.

use crate::model::position::position;

/// A file that does not contain text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoText {
    /// From 1.
    pub line: usize,
    /// Characters, from 1.
    pub column: usize,
    pub message: &'static str,
    pub hint: &'static str,
}

/// The text of a file, without a byte order mark.
pub(super) fn decode(content: &[u8]) -> Result<&str, NoText> {
    let no_text = |before: &str, message| {
        let (line, column) = position(before, before.len());
        NoText { line, column, message, hint: "save the file as UTF-8" }
    };
    if content.starts_with(&[0xff, 0xfe]) || content.starts_with(&[0xfe, 0xff]) {
        return Err(no_text("", "The file is written in UTF-16"));
    }
    let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content);
    std::str::from_utf8(content).map_err(|error| {
        no_text(
            &String::from_utf8_lossy(&content[..error.valid_up_to()]),
            "The file is not written in UTF-8",
        )
    })
}
