//! Rhai values ↔ JSON.
//!
//! `()` in a map means "not set" and is left out. A duration becomes its text (`1m30s`), a time its own, a size an integer, a secret its
//! token. What has no JSON (a function, a range, a handle) is refused, with its path.

use std::time::Duration;

use rhai::{Dynamic, Map};
use serde_json::{Number, Value};

use super::{Bytes, Record, SecretToken, Time, words};
use crate::model::Failure;
use crate::model::failure::SpecPath;
use crate::model::time::format_duration;

/// Nesting deeper than this is refused: no description is, and readers of JSON overflow on it.
const DEPTH: usize = 100;

/// The value as JSON; a usage failure with the path of what has none.
pub fn to_json(value: &Dynamic) -> Result<Value, Failure> {
    convert(value, &mut Vec::new())
}

/// A map as a JSON object.
pub fn map_to_json(map: &Map) -> Result<Value, Failure> {
    convert_map(map, &mut Vec::new())
}

fn convert(value: &Dynamic, path: &mut Vec<String>) -> Result<Value, Failure> {
    if path.len() > DEPTH {
        return Err(refused(format!("is nested more than {DEPTH} deep"), path));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(yes) = value.as_bool() {
        return Ok(Value::Bool(yes));
    }
    if let Ok(number) = value.as_int() {
        return Ok(number.into());
    }
    if let Ok(number) = value.as_float() {
        return Number::from_f64(number).map(Value::Number).ok_or_else(|| refused(format!("is {number}, which JSON can't hold"), path));
    }
    if let Ok(character) = value.as_char() {
        return Ok(character.to_string().into());
    }
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        return Ok(text.as_str().into());
    }
    if let Some(list) = value.read_lock::<rhai::Array>() {
        return list.iter().enumerate().map(|(index, item)| within(path, index.to_string(), item)).collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return convert_map(&map, path);
    }
    if let Some(record) = value.read_lock::<Record>() {
        return convert_map(record.fields(), path);
    }
    if let Some(time) = value.read_lock::<Duration>() {
        return Ok(format_duration(*time).into());
    }
    if let Some(size) = value.read_lock::<Bytes>() {
        return Ok(size.0.into());
    }
    if let Some(time) = value.read_lock::<Time>() {
        return Ok(time.to_string().into());
    }
    if let Some(secret) = value.read_lock::<SecretToken>() {
        return Ok(secret.token.clone().into());
    }
    Err(refused(format!("is {}, which has no place in data", words::a(value)), path))
}

fn convert_map(map: &Map, path: &mut Vec<String>) -> Result<Value, Failure> {
    let set = map.iter().filter(|(_, value)| !value.is_unit());
    set.map(|(key, value)| Ok((key.to_string(), within(path, key.to_string(), value)?))).collect::<Result<_, _>>().map(Value::Object)
}

fn within(path: &mut Vec<String>, key: String, value: &Dynamic) -> Result<Value, Failure> {
    path.push(key);
    let converted = convert(value, path);
    path.pop();
    converted
}

fn refused(what: String, path: &[String]) -> Failure {
    if path.is_empty() {
        return Failure::usage(format!("The value {what}"));
    }
    let path = SpecPath { keys: path.to_vec(), on_key: false };
    Failure::usage(format!("\"{path}\" {what}")).at(path)
}

/// The value of a JSON text's value. An integer beyond those of scripts becomes a float.
pub fn from_json(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(yes) => (*yes).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(list) => list.iter().map(from_json).collect::<rhai::Array>().into(),
        Value::Object(fields) => object(fields).into(),
    }
}

/// The map of a JSON object.
pub fn object(fields: &serde_json::Map<String, Value>) -> Map {
    fields.iter().map(|(key, value)| (key.into(), from_json(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn types_of_scripts_become_what_compose_reads() {
        let map = Map::from([
            ("bake".into(), Dynamic::from(Duration::from_secs(90))),
            ("mem_limit".into(), Dynamic::from(Bytes(64 << 20))),
            ("password".into(), Dynamic::from(SecretToken { name: "db".into(), token: "⟨secret⟩".into() })),
            ("result".into(), Dynamic::from(Record::new("exec result", Map::from([("code".into(), 0_i64.into())])))),
            ("ports".into(), Dynamic::UNIT),
        ]);
        let expected = json!({ "bake": "1m30s", "mem_limit": 64 << 20, "password": "⟨secret⟩", "result": { "code": 0 } });
        assert_eq!(map_to_json(&map).unwrap(), expected);
    }

    #[test]
    fn what_is_no_data_is_named_by_its_path() {
        let list: Dynamic = vec![Dynamic::from(1_i64), Dynamic::from(rhai::FnPtr::new("f").unwrap())].into();
        let failure = to_json(&Map::from([("steps".into(), list)]).into()).unwrap_err();
        assert_eq!(failure.message, "\"steps.1\" is a function, which has no place in data");
        assert_eq!(failure.path.unwrap().keys, ["steps", "1"]);
        assert_eq!(to_json(&f64::NAN.into()).unwrap_err().message, "The value is NaN, which JSON can't hold");
    }

    #[test]
    fn a_value_nested_without_end_is_refused() {
        let mut value = Dynamic::UNIT;
        for _ in 0..500 {
            value = vec![value].into();
        }
        assert!(to_json(&value).unwrap_err().message.contains("nested more than 100 deep"));
    }

    proptest! {
        #[test]
        fn json_survives_the_way_through_a_script(numbers in proptest::collection::vec(any::<i64>(), 0..5), text in ".*") {
            let value = json!({ "numbers": numbers, "text": text, "nested": { "yes": true, "half": 0.5 } });
            prop_assert_eq!(to_json(&from_json(&value)).unwrap(), value);
        }
    }
}
