//! YAML as JSON-like data.

use std::fmt;

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Map, Number, Value};
use serde_yaml::Value as Yaml;

/// A value that JSON can't express.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedValue {
    /// The path of keys that leads to it.
    pub path: Vec<String>,
    /// A clause about the text: `holds .nan, which …`.
    pub reason: String,
}

/// The deepest nesting of brackets, far more than any reader accepts.
const DEEPEST: usize = 10_000;

/// The most values in one text: the library holds some hundred bytes for each before the caller
/// sees any of them.
const MOST: usize = 200_000;

/// The most bytes of all texts in it, including those that aliases repeat.
pub(super) const MOST_TEXT: usize = 64 << 20;

/// Why a text can't be read.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// It would take too much memory or time, so no further mistakes are searched.
    #[error("{0}")]
    TooLarge(String),
    /// A whole number that is too large for the library and for scripts.
    #[error("a whole number of more than 64 bits is no number of scripts{}", place(.0))]
    TooLong(serde_yaml::Error),
    #[error("{}{}", said(.0), place(.0))]
    Syntax(serde_yaml::Error),
}

impl From<serde_yaml::Error> for YamlError {
    fn from(error: serde_yaml::Error) -> Self {
        let said = error.to_string();
        // The library's message contains the number, which may be a secret, and the name of a Rust
        // type.
        if said.contains("` as u128") || said.contains("` as i128") {
            Self::TooLong(error)
        } else {
            Self::Syntax(error)
        }
    }
}

/// The library's message without positions: it may contain several.
pub fn said(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let mut parts = text.split(" at line ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |said, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        match rest.strip_prefix(" column ") {
            Some(rest) if rest.len() < part.len() => {
                said + rest.trim_start_matches(|c: char| c.is_ascii_digit())
            }
            _ => said + " at line " + part,
        }
    })
}

fn place(error: &serde_yaml::Error) -> String {
    error
        .location()
        .map_or_else(String::new, |at| format!(" at line {} column {}", at.line(), at.column()))
}

/// The value in a text.
pub fn read(text: &str) -> Result<Yaml, YamlError> {
    if marks(text) > MOST {
        return Err(YamlError::TooLarge(format!("it holds more than {MOST} values")));
    }
    // The library gives up at a depth of 128, but only after it has read the whole text, in
    // quadratic time.
    let mut depth = 0_usize;
    for byte in text.bytes() {
        depth = match byte {
            b'[' | b'{' => depth + 1,
            b']' | b'}' => depth.saturating_sub(1),
            _ => continue,
        };
        if depth > DEEPEST {
            return Err(YamlError::TooLarge("it is nested too deeply".to_owned()));
        }
    }
    // First without storing anything, so that repeated aliases need no memory. An error occurs
    // again below.
    let mut left = RemainingBudget { values: MOST, text: MOST_TEXT, exceeded: false };
    let counted = Count(&mut left).deserialize(serde_yaml::Deserializer::from_str(text));
    if left.exceeded {
        return Err(YamlError::TooLarge(
            counted.err().map_or_else(|| "it is too large".to_owned(), |error| error.to_string()),
        ));
    }
    Ok(serde_yaml::from_str(text)?)
}

/// The number of characters that may begin a value, a little more than the number of values.
fn marks(text: &str) -> usize {
    let bytes = text.as_bytes();
    let blank = |at: usize| bytes.get(at).is_none_or(u8::is_ascii_whitespace);
    bytes
        .iter()
        .enumerate()
        .filter(|(at, byte)| {
            matches!(byte, b',' | b'[' | b'{')
                || matches!(byte, b':' | b'-' | b'?') && blank(at + 1)
        })
        .count()
}

/// The remaining limits.
struct RemainingBudget {
    values: usize,
    text: usize,
    exceeded: bool,
}

/// Reads a value and only counts it.
struct Count<'l>(&'l mut RemainingBudget);

impl Count<'_> {
    fn take<E: de::Error>(self, text: usize) -> Result<(), E> {
        match (self.0.values.checked_sub(1), self.0.text.checked_sub(text)) {
            (Some(values), Some(text)) => {
                (self.0.values, self.0.text) = (values, text);
                Ok(())
            }
            _ => {
                self.0.exceeded = true;
                Err(E::custom(format!(
                    "it holds more than {MOST} values, or {} MiB of text, with those that aliases repeat",
                    MOST_TEXT >> 20
                )))
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Count<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Count<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.take(0)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.take(0)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.take(0)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        self.take(0)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.take(0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.take(text.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Count(self.0))?.is_some() {}
        self.take(0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while fields.next_key_seed(Count(self.0))?.is_some() {
            fields.next_value_seed(Count(self.0))?;
        }
        self.take(0)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (_, value) = tagged.variant::<de::IgnoredAny>()?;
        value.newtype_variant_seed(self)
    }
}

/// Applies merge keys (`<<`), from the inside out, because a merged map may itself contain one. The
/// library works from the outside in and would leave a `<<` in the inner map.
pub fn merge(value: &mut Yaml) -> Result<(), serde_yaml::Error> {
    match value {
        Yaml::Sequence(items) => items.iter_mut().try_for_each(merge),
        Yaml::Mapping(fields) => {
            fields.iter_mut().try_for_each(|(_, value)| merge(value))?;
            if fields.contains_key("<<") { value.apply_merge() } else { Ok(()) }
        }
        Yaml::Tagged(tagged) => merge(&mut tagged.value),
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::String(_) => Ok(()),
    }
}

/// The value as JSON. Keys become text. A tag is rejected, because its meaning would be lost.
pub fn to_json(value: Yaml) -> Result<Value, UnsupportedValue> {
    convert(value, &mut Vec::new())
}

/// The text of a key; only scalars have one.
pub fn key_text(key: &Yaml) -> Option<String> {
    match key {
        Yaml::Null => Some("null".to_owned()),
        Yaml::Bool(yes) => Some(yes.to_string()),
        Yaml::Number(number) => Some(number.to_string()),
        Yaml::String(text) => Some(text.clone()),
        Yaml::Sequence(_) | Yaml::Mapping(_) | Yaml::Tagged(_) => None,
    }
}

fn convert(value: Yaml, path: &mut Vec<String>) -> Result<Value, UnsupportedValue> {
    let strange =
        |path: &[String], reason: String| UnsupportedValue { path: path.to_vec(), reason };
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(yes) => Value::Bool(yes),
        Yaml::Number(number) => json_number(&number).ok_or_else(|| {
            strange(path, format!("holds {number}, which is no number of scripts"))
        })?,
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => {
            let items = items
                .into_iter()
                .enumerate()
                .map(|(index, item)| within(path, index.to_string(), item));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(fields) => {
            let mut object = Map::new();
            for (key, value) in fields {
                let key = key_text(&key)
                    .ok_or_else(|| strange(path, "has a list or a map as a key".to_owned()))?;
                object.insert(key.clone(), within(path, key, value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => {
            let why = match tagged.tag.to_string().as_str() {
                "!reset" | "!override" => "which is for merging files: spc reads a single one",
                _ => "which spc does not know",
            };
            return Err(strange(path, format!("has the tag {}, {why}", tagged.tag)));
        }
    })
}

fn within(path: &mut Vec<String>, key: String, value: Yaml) -> Result<Value, UnsupportedValue> {
    path.push(key);
    let converted = convert(value, path)?;
    path.pop();
    Ok(converted)
}

fn json_number(number: &serde_yaml::Number) -> Option<Value> {
    let whole = number.as_i64().map(Number::from).or_else(|| number.as_u64().map(Number::from));
    whole.or_else(|| number.as_f64().and_then(Number::from_f64)).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Value {
        let mut value: Yaml = serde_yaml::from_str(text).unwrap();
        merge(&mut value).unwrap();
        to_json(value).unwrap()
    }

    #[test]
    fn a_text_of_too_many_values_or_repetitions_is_refused() {
        let refused = |text: &str| super::read(text).unwrap_err().to_string();
        assert_eq!(
            refused(&format!("[{}]", "[],".repeat(MOST))),
            "it holds more than 200000 values"
        );
        let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 100].join(", "));
        assert!(
            refused(&text).contains("64 MiB of text, with those that aliases repeat"),
            "{}",
            refused(&text)
        );
        assert!(super::read("a: !tag {b: 1}\nc: [1, 2.5, ~, x, true]\n").is_ok());
    }

    #[test]
    fn a_merged_map_may_contain_merges() {
        let value = read(
            "a: &a {x: 1, y: 1, z: 1}\nb: &b {<<: *a, y: 2, w: {<<: *a, x: 5}}\nc: {<<: *b, z: 3}\n",
        );
        assert_eq!(value["c"], json!({"x": 1, "y": 2, "z": 3, "w": {"x": 5, "y": 1, "z": 1}}));
    }

    #[test]
    fn the_first_of_several_merged_maps_has_priority() {
        let value = read(
            "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: &c {x: 3, y: 3, z: 3}\nd: {<<: [*b, *c]}\n",
        );
        assert_eq!(value["d"], json!({"x": 1, "y": 2, "z": 3}));
    }
}
