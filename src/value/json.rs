//! Converts Rhai values to JSON and back.
//!
//! `()` in a map means "not set" and is omitted. A duration becomes its text (`1m30s`), and so does
//! a time. A size becomes an integer, a secret its token. A value without a JSON form (a function,
//! a range, a handle) is rejected, with its path.

use std::fmt;
use std::time::Duration;

use rhai::{Dynamic, Map};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::size::SizeBudget;
use super::{Bytes, Record, SecretToken, Time, type_names};
use crate::model::Failure;
use crate::model::failure::SpecPath;
use crate::model::time::format_duration;

/// Deeper nesting is rejected: no description is so deep, and it would overflow readers of JSON.
const DEPTH: usize = 100;

/// The value as JSON. A `usage` failure with the path if a part has no JSON form, or if it is too
/// large.
pub fn to_json(value: &Dynamic) -> Result<Value, Failure> {
    convert(value, &mut ConversionState::default())
}

/// A description as a JSON object. `()` becomes null, like a key without a value in a compose file:
/// `networks: #{ back: () }`.
pub fn description_to_json(map: &Map) -> Result<Value, Failure> {
    convert_map(map, &mut ConversionState { keeps_null: true, ..ConversionState::default() })
}

/// The keys that lead to a value, and the remaining size. Texts that a value shares are copied for
/// each place.
#[derive(Default)]
struct ConversionState {
    path: Vec<String>,
    budget: SizeBudget,
    /// Whether a key with the value `()` is kept.
    keeps_null: bool,
}

fn convert(value: &Dynamic, way: &mut ConversionState) -> Result<Value, Failure> {
    let path = &way.path;
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
        return Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| refused(format!("is {number}, which JSON can't hold"), path));
    }
    if let Ok(character) = value.as_char() {
        return Ok(character.to_string().into());
    }
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        way.budget.text(text.len())?;
        return Ok(text.as_str().into());
    }
    if let Some(list) = value.read_lock::<rhai::Array>() {
        way.budget.elements(list.len())?;
        return list
            .iter()
            .enumerate()
            .map(|(index, item)| within(way, index.to_string(), item))
            .collect();
    }
    if let Some(map) = value.read_lock::<Map>() {
        return convert_map(&map, way);
    }
    if let Some(record) = value.read_lock::<Record>() {
        return convert_map(record.fields(), way);
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
    Err(refused(format!("is {}, which can't be stored as data", type_names::a(value)), &way.path))
}

fn convert_map(map: &Map, way: &mut ConversionState) -> Result<Value, Failure> {
    way.budget.keys(map.len())?;
    let keeps_null = way.keeps_null;
    let set = map.iter().filter(|(_, value)| keeps_null || !value.is_unit());
    let fields = set.map(|(key, value)| {
        way.budget.text(key.len())?;
        Ok((key.to_string(), within(way, key.to_string(), value)?))
    });
    fields.collect::<Result<_, _>>().map(Value::Object)
}

fn within(way: &mut ConversionState, key: String, value: &Dynamic) -> Result<Value, Failure> {
    way.path.push(key);
    let converted = convert(value, way);
    way.path.pop();
    converted
}

fn refused(what: String, path: &[String]) -> Failure {
    if path.is_empty() {
        return Failure::usage(format!("The value {what}"));
    }
    let path = SpecPath { keys: path.to_vec(), on_key: false };
    Failure::usage(format!("\"{path}\" {what}")).at(path)
}

/// The script value for a JSON value. An integer that is too large for scripts becomes a float.
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

/// Parses a JSON text directly into a value, with the size limit of values. The message contains
/// `what` the text is: `The file "a.json"`.
pub fn parse(text: &str, what: &str) -> Result<Dynamic, Failure> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut limits = Limits::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let value =
        Reader(&mut limits).deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match (value, limits.exceeded) {
        (_, Some(failure)) => Err(failure),
        (Ok(value), None) => Ok(value),
        (Err(error), None) => Err(Failure::usage(format!("{what} is not JSON: {error}"))),
    }
}

/// The remaining size, and why parsing ended.
#[derive(Default)]
struct Limits {
    budget: SizeBudget,
    exceeded: Option<Failure>,
}

impl Limits {
    fn take<E: de::Error>(
        &mut self,
        take: impl FnOnce(&mut SizeBudget) -> Result<(), Failure>,
    ) -> Result<(), E> {
        take(&mut self.budget).map_err(|failure| {
            let error = E::custom(&failure.message);
            self.exceeded = Some(failure);
            error
        })
    }
}

/// Builds a value while parsing.
struct Reader<'l>(&'l mut Limits);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Dynamic;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Dynamic, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_bool<E: de::Error>(self, yes: bool) -> Result<Dynamic, E> {
        Ok(yes.into())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Dynamic, E> {
        Ok(number.into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Dynamic, E> {
        Ok(from_json(&number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Dynamic, E> {
        Ok(number.into())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Dynamic, E> {
        self.0.take(|budget| budget.text(text.len()))?;
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Dynamic, A::Error> {
        let mut list = rhai::Array::new();
        while let Some(item) = items.next_element_seed(Reader(self.0))? {
            self.0.take(SizeBudget::element)?;
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Dynamic, A::Error> {
        let mut map = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            self.0.take(|budget| budget.keys(1).and_then(|()| budget.text(key.len())))?;
            map.insert(key.into(), fields.next_value_seed(Reader(self.0))?);
        }
        Ok(map.into())
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
            (
                "password".into(),
                Dynamic::from(SecretToken { name: "db".into(), token: "⟨secret⟩".into() }),
            ),
            (
                "result".into(),
                Dynamic::from(Record::new(
                    "exec result",
                    Map::from([("code".into(), 0_i64.into())]),
                )),
            ),
            ("ports".into(), Dynamic::UNIT),
        ]);
        let mut expected = json!({ "bake": "1m30s", "mem_limit": 64 << 20, "password": "⟨secret⟩", "result": { "code": 0 } });
        assert_eq!(to_json(&map.clone().into()).unwrap(), expected);
        expected["ports"] = Value::Null;
        assert_eq!(description_to_json(&map).unwrap(), expected);
    }

    #[test]
    fn a_value_that_is_no_data_is_reported_with_its_path() {
        let list: Dynamic =
            vec![Dynamic::from(1_i64), Dynamic::from(rhai::FnPtr::new("f").unwrap())].into();
        let failure = to_json(&Map::from([("steps".into(), list)]).into()).unwrap_err();
        assert_eq!(failure.message, "\"steps.1\" is a function, which can't be stored as data");
        assert_eq!(failure.path.unwrap().keys, ["steps", "1"]);
        assert_eq!(
            to_json(&f64::NAN.into()).unwrap_err().message,
            "The value is NaN, which JSON can't hold"
        );
    }

    #[test]
    fn a_value_that_shares_a_text_often_is_not_copied_that_often() {
        let text: Dynamic = "x".repeat(1 << 20).into();
        let list: Dynamic = vec![text; 100].into();
        assert_eq!(
            to_json(&list).unwrap_err().message,
            "The value is too large: more than 64 MiB of text"
        );
    }

    #[test]
    fn a_text_of_many_small_values_is_not_read_to_its_end() {
        let many = format!("[{}[]]", "[],".repeat(1_000_000));
        assert_eq!(
            parse(&many, "The text").unwrap_err().message,
            "The value is too large: a list of more than 1,000,000 elements"
        );
        let value = json!({ "a": [1, -2, 3.5, true, null, "x"], "big": u64::MAX });
        assert_eq!(
            to_json(&parse(&value.to_string(), "The text").unwrap()).unwrap(),
            to_json(&from_json(&value)).unwrap()
        );
        assert_eq!(
            parse("[1] 2", "The text").unwrap_err().message,
            "The text is not JSON: trailing characters at line 1 column 5"
        );
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
