//! Parses JSON and rejects a key that is in a map twice. A reader that takes the last value would
//! ignore half of the text.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The reason why a text is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StrictJsonError {
    Syntax,
    /// The key that is twice in one map.
    RepeatedKey(String),
}

/// Parses a text that is JSON with nothing after it.
pub fn parse(bytes: &[u8]) -> Result<Value, StrictJsonError> {
    let repeated = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = StrictValue { repeated: &repeated }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    read.map_err(|_| match repeated.take() {
        Some(key) => StrictJsonError::RepeatedKey(key),
        None => StrictJsonError::Syntax,
    })
}

/// Reads a value, and notes the key that was repeated.
#[derive(Clone, Copy)]
struct StrictValue<'a> {
    repeated: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for StrictValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if values.contains_key(&key) {
                let error = A::Error::custom("a key is defined twice");
                self.repeated.replace(Some(key));
                return Err(error);
            }
            values.insert(key, map.next_value_seed(self)?);
        }
        Ok(values.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_unchanged() {
        for text in [
            r#"{"a": [1, -2, 2.5, null, true, "x\n"], "b": {"a": {}}, "c": 18446744073709551615}"#,
            "[]",
            "3",
        ] {
            assert_eq!(
                parse(text.as_bytes()).unwrap(),
                serde_json::from_str::<Value>(text).unwrap()
            );
        }
    }

    #[test]
    fn a_duplicate_key_is_reported_at_every_depth() {
        for (text, key) in [
            (r#"{"a": 1, "a": 1}"#, "a"),
            (r#"{"a": 1, "\u0061": 2}"#, "a"),
            (r#"{"b": [{"x": {"c": 1, "d": 1, "c": 1}}]}"#, "c"),
        ] {
            assert_eq!(parse(text.as_bytes()), Err(StrictJsonError::RepeatedKey(key.to_owned())));
        }
        for text in ["", "{", "{} {}", "{a: 1}", "\u{feff}{}"] {
            assert_eq!(parse(text.as_bytes()), Err(StrictJsonError::Syntax), "{text}");
        }
    }
}
