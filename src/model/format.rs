//! Versions of the formats that later runs of spc read: records in `.spc/`, the lock's content,
//! labels on the engine's objects.
//!
//! Each format has a version. spc writes the newest one and reads all older ones. Content without a
//! version has version 1. spc never interprets or overwrites a newer version: it reports a
//! [`FormatError`] that names both versions.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::names::LABEL_FORMAT;
use super::strict_json::{self, StrictJsonError};

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
    Newer { version: String, newest: u32 },
    #[error("its content was not written by spc")]
    Garbage,
    #[error("its content was not written by spc: the key \"{0}\" is in it twice")]
    RepeatedKey(String),
    /// The value in the place of the version.
    #[error("its content was not written by spc: its format is {0}, not a whole number from 1 on")]
    NoVersion(String),
}

impl FormatError {
    /// Whether a newer spc wrote it.
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Newer { .. })
    }
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

/// Parses a JSON object in which no key is repeated.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, FormatError> {
    match strict_json::parse(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) | Err(StrictJsonError::Syntax) => Err(FormatError::Garbage),
        Err(StrictJsonError::RepeatedKey(key)) => Err(FormatError::RepeatedKey(key)),
    }
}

/// The version of a JSON object, up to `newest`.
pub fn version_of(object: &Map<String, Value>, newest: u32) -> Result<u32, FormatError> {
    match object.get(VERSION) {
        None => Ok(1),
        Some(value) => match (value.as_u64(), value.as_f64()) {
            (Some(version), _) if version > 0 => known(version, newest),
            // The parser turns a whole number that is too large into a fraction.
            (None, Some(number)) if number >= MORE_THAN_ANY => Err(too_large(newest)),
            _ => Err(FormatError::NoVersion(shown(value))),
        },
    }
}

/// Parses a JSON object for which all versions up to `newest` have the same content.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8], newest: u32) -> Result<T, FormatError> {
    let object = parse_object(bytes)?;
    version_of(&object, newest)?;
    serde_json::from_value(Value::Object(object)).map_err(|_| FormatError::Garbage)
}

/// Rejects labels of a newer spc, by their [`label::FORMAT`]. If this label is missing or empty,
/// the labels are not spc's, or older than versions. Only the spelling that spc writes counts.
///
/// [`label::FORMAT`]: super::names::label::FORMAT
pub fn check_labels(version: Option<&str>) -> Result<(), FormatError> {
    let newest = LABEL_FORMAT.parse().unwrap_or(u32::MAX);
    let Some(text) = version.filter(|text| !text.is_empty()) else { return Ok(()) };
    if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FormatError::NoVersion(shown(&text.into())));
    }
    text.parse().map_or_else(|_| Err(too_large(newest)), |version| known(version, newest).map(drop))
}

/// 2⁶⁴.
const MORE_THAN_ANY: f64 = 18_446_744_073_709_551_616.0;

fn too_large(newest: u32) -> FormatError {
    FormatError::Newer { version: format!("above {}", u64::MAX), newest }
}

fn known(version: u64, newest: u32) -> Result<u32, FormatError> {
    match u32::try_from(version) {
        Ok(known) if known <= newest => Ok(known),
        _ => Err(FormatError::Newer { version: version.to_string(), newest }),
    }
}

/// The most characters of a value that an error shows.
const SHOWN: usize = 40;

fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "a map".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        scalar => {
            let text = scalar.to_string();
            match text.char_indices().nth(SHOWN) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
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

    fn newer(version: &str) -> FormatError {
        FormatError::Newer { version: version.to_owned(), newest: 2 }
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
        for (version, named) in [
            ("3", "3"),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "above 18446744073709551615"),
            ("99999999999999999999999999", "above 18446744073709551615"),
        ] {
            // Other content does not matter.
            assert_eq!(read(&format!(r#"{{"format": {version}}}"#)), Err(newer(named)));
        }
        for text in ["", "{", "[]", "null", "3", "{}", r#"{"count": "3"}"#] {
            assert_eq!(read(text), Err(FormatError::Garbage), "{text}");
        }
        for (version, named) in [
            ("0", "0"),
            ("-1", "-1"),
            ("1.5", "1.5"),
            ("1.0", "1.0"),
            ("1e3", "1000.0"),
            (r#""1""#, r#""1""#),
            ("null", "null"),
            ("true", "true"),
            ("{}", "a map"),
            ("[1]", "a list"),
        ] {
            let read = read(&format!(r#"{{"format": {version}, "count": 3}}"#));
            assert_eq!(read, Err(FormatError::NoVersion(named.to_owned())), "{version}");
        }
        for text in
            [r#"{"count": 3, "count": 4}"#, r#"{"format": 3, "x": [{"count": 3, "count": 3}]}"#]
        {
            assert_eq!(read(text), Err(FormatError::RepeatedKey("count".to_owned())), "{text}");
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
        assert_eq!(check_labels(Some("3")), Err(newer("3")));
        assert_eq!(check_labels(Some("99999999999")), Err(newer("99999999999")));
        assert_eq!(
            check_labels(Some("18446744073709551616")),
            Err(newer("above 18446744073709551615"))
        );
        for garbage in ["two", "-1", "2.0", " 2", "2 ", "0", "+2", "02", "00", "٢", "2\n"] {
            let read = check_labels(Some(garbage));
            assert_eq!(read, Err(FormatError::NoVersion(shown(&garbage.into()))), "{garbage}");
        }
        let long = check_labels(Some(&"x".repeat(1_000))).unwrap_err();
        assert!(long.to_string().len() < 200, "{long}");
    }
}
