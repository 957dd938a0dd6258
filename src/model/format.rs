//! Versions of the formats in which spc keeps what its own later runs read: records in `.spc/`, the
//! lock's content, labels on the engine's objects.
//!
//! Each has a version, of which spc writes the newest and reads all: what was written before
//! versions were counts as version 1. A newer one is never guessed at and never written over: its
//! reader gets an [`FormatError`] that names the versions.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::names::LABEL_FORMAT;

/// `.spc/<project>/state.json`.
pub const STATE: u32 = 1;
/// `.spc/<project>/key.json`.
pub const KEY: u32 = 1;
/// `.spc/options.json`. Since 2, projects have a level of their own, so that none can be called as
/// the version is.
pub const OPTIONS: u32 = 2;
/// `.spc/runs/<run>.jsonl`: in the first line.
pub const JOURNAL: u32 = 1;
/// What the lock's owner writes into it.
pub const HEARTBEAT: u32 = 1;

/// The key of the version in a JSON object.
const VERSION: &str = "format";

/// The next step where something is [`FormatError::Newer`].
pub const USE_NEWER: &str = "use the version of spc that wrote it, or a later one";

/// Why this spc can't read what spc keeps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("format {version} is newer than this spc, which reads formats up to {newest}")]
    Newer { version: u64, newest: u32 },
    #[error("it is not what spc wrote there")]
    Garbage,
}

/// What is written: a JSON object that begins with its version.
#[derive(Serialize)]
pub struct VersionedContent<'a, T> {
    format: u32,
    #[serde(flatten)]
    content: &'a T,
}

impl<'a, T: Serialize> VersionedContent<'a, T> {
    /// `content` has to be a JSON object without a key of that name.
    pub fn new(version: u32, content: &'a T) -> Self {
        Self { format: version, content }
    }
}

/// A JSON object of a version up to `newest`, and its version.
pub fn parse_json(bytes: &[u8], newest: u32) -> Result<(u32, Value), FormatError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|_| FormatError::Garbage)?;
    let object = value.as_object().ok_or(FormatError::Garbage)?;
    let version = match object.get(VERSION) {
        // An object is a project of that name, in the first version of saved options.
        None | Some(Value::Object(_)) => 1,
        Some(version) => checked(version.as_u64().filter(|version| *version > 0), newest)?,
    };
    Ok((version, value))
}

/// The content of a JSON object whose versions up to `newest` are all read alike.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8], newest: u32) -> Result<T, FormatError> {
    let (_, value) = parse_json(bytes, newest)?;
    serde_json::from_value(value).map_err(|_| FormatError::Garbage)
}

/// Refuses labels of a newer spc, by their [`label::FORMAT`]. Without one, or with an empty one,
/// they are not spc's or from before versions were.
///
/// [`label::FORMAT`]: super::names::label::FORMAT
pub fn check_labels(version: Option<&str>) -> Result<(), FormatError> {
    let newest = LABEL_FORMAT.parse().unwrap_or(u32::MAX);
    match version {
        None | Some("") => Ok(()),
        Some(version) => checked(version.parse().ok(), newest).map(drop),
    }
}

fn checked(version: Option<u64>, newest: u32) -> Result<u32, FormatError> {
    let version = version.ok_or(FormatError::Garbage)?;
    match u32::try_from(version) {
        Ok(known) if known <= newest => Ok(known),
        _ => Err(FormatError::Newer { version, newest }),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Content {
        count: u32,
    }

    #[test]
    fn json_of_any_version_up_to_the_newest_is_read_and_nothing_else() {
        let read = |text: &str| read_json::<Content>(text.as_bytes(), 2);
        for text in [
            r#"{"count": 3}"#,
            r#"{"format": 1, "count": 3}"#,
            r#"{"format": 2, "count": 3, "later": 1}"#,
        ] {
            assert_eq!(read(text), Ok(Content { count: 3 }), "{text}");
        }
        for version in [3, u64::MAX] {
            // Whatever else is in it.
            let newer = Err(FormatError::Newer { version, newest: 2 });
            assert_eq!(read(&format!(r#"{{"format": {version}}}"#)), newer);
        }
        for text in [
            "",
            "{",
            "[]",
            "null",
            "3",
            "{}",
            r#"{"count": "3"}"#,
            r#"{"format": 0, "count": 3}"#,
            r#"{"format": -1, "count": 3}"#,
            r#"{"format": 1.5, "count": 3}"#,
            r#"{"format": "1", "count": 3}"#,
            r#"{"format": null, "count": 3}"#,
        ] {
            assert_eq!(read(text), Err(FormatError::Garbage), "{text}");
        }
    }

    #[test]
    fn json_is_written_with_its_version_first() {
        let written =
            serde_json::to_string(&VersionedContent::new(2, &Content { count: 3 })).unwrap();
        assert_eq!(written, r#"{"format":2,"count":3}"#);
        assert_eq!(read_json(written.as_bytes(), 2), Ok(Content { count: 3 }));
    }

    #[test]
    fn labels_of_a_newer_version_are_refused() {
        for known in [None, Some(""), Some("1"), Some(LABEL_FORMAT)] {
            assert_eq!(check_labels(known), Ok(()), "{known:?}");
        }
        assert_eq!(check_labels(Some("3")), Err(FormatError::Newer { version: 3, newest: 2 }));
        let endless = FormatError::Newer { version: 99_999_999_999, newest: 2 };
        assert_eq!(check_labels(Some("99999999999")), Err(endless));
        for garbage in ["two", "-1", "2.0", " 2"] {
            assert_eq!(check_labels(Some(garbage)), Err(FormatError::Garbage), "{garbage}");
        }
    }
}
