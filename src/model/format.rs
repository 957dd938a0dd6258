//! Versions of the formats that later runs of spc read: records in `.spc/`, the lock's content,
//! labels on the engine's objects.
//!
//! Each format has a version. spc writes the newest one and reads all older ones. Content without a
//! version has version 1. spc never interprets or overwrites a newer version: it reports a
//! [`FormatError`] that names both versions.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::names::LABEL_FORMAT;

/// `.spc/<project>/state.json`.
pub const STATE: u32 = 1;
/// `.spc/<project>/key.json`.
pub const KEY: u32 = 1;
/// `.spc/options.json`. Since version 2, projects are one level deeper, so that no project name can
/// collide with the version's key.
pub const OPTIONS: u32 = 2;
/// `.spc/runs/<run>.jsonl`: the version is in the first line.
pub const JOURNAL: u32 = 1;
/// The content that the lock's owner writes into it.
pub const HEARTBEAT: u32 = 1;

/// The key of the version in a JSON object.
const VERSION: &str = "format";

/// The next step for [`FormatError::Newer`].
pub const USE_NEWER: &str = "use the version of spc that wrote it, or a later one";

/// The reason why this spc can't read stored content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("format {version} is newer than this spc, which reads formats up to {newest}")]
    Newer { version: u64, newest: u32 },
    #[error("it is not what spc wrote there")]
    Garbage,
}

/// Content to write: a JSON object that begins with its version.
#[derive(Serialize)]
pub struct VersionedContent<'a, T> {
    format: u32,
    #[serde(flatten)]
    content: &'a T,
}

impl<'a, T: Serialize> VersionedContent<'a, T> {
    /// `content` has to be a JSON object without the version's key.
    pub fn new(version: u32, content: &'a T) -> Self {
        Self { format: version, content }
    }
}

/// Parses a JSON object with a version up to `newest`, and returns its version too.
pub fn parse_json(bytes: &[u8], newest: u32) -> Result<(u32, Value), FormatError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|_| FormatError::Garbage)?;
    let object = value.as_object().ok_or(FormatError::Garbage)?;
    let version = match object.get(VERSION) {
        // In the first version of the saved options, this key with an object as value is a project
        // of that name.
        None | Some(Value::Object(_)) => 1,
        Some(version) => checked(version.as_u64().filter(|version| *version > 0), newest)?,
    };
    Ok((version, value))
}

/// Parses a JSON object for which all versions up to `newest` have the same content.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8], newest: u32) -> Result<T, FormatError> {
    let (_, value) = parse_json(bytes, newest)?;
    serde_json::from_value(value).map_err(|_| FormatError::Garbage)
}

/// Rejects labels of a newer spc, by their [`label::FORMAT`]. If this label is missing or empty,
/// the labels are not spc's, or older than versions.
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
            // Other content does not matter.
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
