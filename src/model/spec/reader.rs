//! Reads values with Compose's structure, and reports the path of a mistake.
//!
//! A map from a script contains no null: `()` removes the key. In YAML a key may have no value.
//! Then the key is not set, or it is an entry with only defaults (`volumes: { data: }`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::model::failure::{Failure, SpecPath};
use crate::model::image_reference::{fault, how_to_name};
use crate::model::names::is_reserved_label;
use crate::model::{suggest, time};

/// The middle of the message for a wrong type, between the key and the expected type.
pub const WRONG_TYPE: &str = " has to be ";

const UNKNOWN_KEY: &str = "Unknown key \"";
const UNSUPPORTED_KEY: &str = "The Compose key \"";

/// Whether the failure is about a key that does not exist or is not supported.
pub fn is_unknown_key(failure: &Failure) -> bool {
    [UNKNOWN_KEY, UNSUPPORTED_KEY].iter().any(|words| failure.message.starts_with(words))
}

/// The expected type of values without a short form.
const MAP: &str = "a map";

/// A value and its path.
#[derive(Clone)]
pub struct Field<'a> {
    pub value: &'a Value,
    path: Vec<String>,
}

impl<'a> Field<'a> {
    /// The root of a description.
    pub fn root(value: &'a Value) -> Self {
        Self { value, path: Vec::new() }
    }

    /// A value at `path`.
    pub fn at(value: &'a Value, path: &[&str]) -> Self {
        Self { value, path: path.iter().map(|&key| key.to_owned()).collect() }
    }

    /// The keys that lead here, joined by dots.
    pub fn name(&self) -> String {
        self.path.join(".")
    }

    /// The last key.
    pub fn key(&self) -> &str {
        self.path.last().map_or("the description", String::as_str)
    }

    /// A failure about this value.
    pub fn fail(&self, message: impl Into<String>) -> Failure {
        Failure::usage(message).at(SpecPath { keys: self.path.clone(), on_key: false })
    }

    /// A failure about a key below this value.
    pub(super) fn fail_below(&self, keys: &[&str], message: impl Into<String>) -> Failure {
        let keys =
            self.path.iter().cloned().chain(keys.iter().map(|&key| key.to_owned())).collect();
        Failure::usage(message).at(SpecPath { keys, on_key: true })
    }

    /// A failure about the value of a key below this value.
    pub(super) fn fail_value(&self, keys: &[&str], message: impl Into<String>) -> Failure {
        let keys =
            self.path.iter().cloned().chain(keys.iter().map(|&key| key.to_owned())).collect();
        Failure::usage(message).at(SpecPath { keys, on_key: false })
    }

    /// A failure about the last key itself.
    pub fn fail_key(&self, message: impl Into<String>) -> Failure {
        Failure::usage(message).at(SpecPath { keys: self.path.clone(), on_key: true })
    }

    /// A failure about a value of the wrong type; `wanted`: `a map`, `a string or a list of
    /// strings`.
    pub(super) fn wrong_type(&self, wanted: &str) -> Failure {
        let name = match self.path.as_slice() {
            [] => "The description".to_owned(),
            _ => format!("\"{}\"", self.name()),
        };
        let failure =
            self.fail(format!("{name}{WRONG_TYPE}{wanted}, but it is {}", describe(self.value)));
        match self.value {
            Value::String(_) if wanted == "a list" => {
                failure.hint(format!("write [{}]", self.value))
            }
            // Not the number itself: `1.10` was read as 1.1.
            Value::Number(_) if wanted == "a string" => failure.hint("write it in quotes"),
            _ => failure,
        }
    }

    fn child(&self, key: impl Into<String>, value: &'a Value) -> Self {
        let mut path = self.path.clone();
        path.push(key.into());
        Self { value, path }
    }

    /// A string.
    pub fn text(&self) -> Result<String, Failure> {
        self.value.as_str().map(str::to_owned).ok_or_else(|| self.wrong_type("a string"))
    }

    /// A string that is not empty.
    pub fn name_text(&self) -> Result<String, Failure> {
        let text = self.text()?;
        if text.trim().is_empty() {
            Err(self.fail(format!("\"{}\" is empty", self.name())))
        } else {
            Ok(text)
        }
    }

    /// The name of an image.
    pub fn image_name(&self) -> Result<String, Failure> {
        let name = self.name_text()?;
        match fault(&name) {
            None => Ok(name),
            Some(reason) => Err(self
                .fail(format!("\"{name}\" is not an image name: {reason}"))
                .hint(how_to_name(&name))),
        }
    }

    /// A string, number or boolean, as text: the value of an environment variable or label.
    pub fn scalar(&self) -> Result<String, Failure> {
        match self.value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(value) => Ok(value.to_string()),
            _ => Err(self.wrong_type("a string, a number or a truth value")),
        }
    }

    /// A boolean; also as a word, as in interpolated values and older YAML.
    pub fn bool(&self) -> Result<bool, Failure> {
        let word = match self.value {
            Value::Bool(value) => return Ok(*value),
            Value::String(text) => text.to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "true" | "yes" | "y" | "on" => Ok(true),
            "false" | "no" | "n" | "off" => Ok(false),
            _ => Err(self.wrong_type("true or false")),
        }
    }

    /// A whole number from 0 on, also as digits in a string.
    pub fn number(&self) -> Result<u64, Failure> {
        match self.value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
        .ok_or_else(|| self.wrong_type("a whole number from 0 on"))
    }

    /// A duration such as `"1m30s"`.
    pub fn duration(&self) -> Result<std::time::Duration, Failure> {
        match self.value {
            Value::String(text) => time::parse_duration(text).map_err(|message| self.fail(message)),
            Value::Number(number) => Err(self
                .fail(format!("\"{}\" needs a unit", self.name()))
                .hint(format!("write \"{number}s\" for seconds"))),
            _ => Err(self.wrong_type("a duration like \"10s\"")),
        }
    }

    /// The items of a list.
    pub fn list(&self) -> Result<Vec<Field<'a>>, Failure> {
        let Value::Array(items) = self.value else { return Err(self.wrong_type("a list")) };
        Ok(items.iter().enumerate().map(|(at, item)| self.child(at.to_string(), item)).collect())
    }

    /// One string, or a list of strings.
    pub fn texts(&self) -> Result<Vec<String>, Failure> {
        match self.value {
            Value::String(text) => Ok(vec![text.clone()]),
            Value::Array(_) => self.list()?.iter().map(Field::scalar).collect(),
            _ => Err(self.wrong_type("a string or a list of strings")),
        }
    }

    /// The entries of a map.
    pub fn entries(&self) -> Result<Vec<(String, Field<'a>)>, Failure> {
        let Value::Object(map) = self.value else { return Err(self.wrong_type("a map")) };
        Ok(map.iter().map(|(key, value)| (key.clone(), self.child(key, value))).collect())
    }

    /// A map with known keys; an empty one for a key without a value.
    pub fn map(&self) -> Result<MapReader<'a>, Failure> {
        self.long_form(MAP)
    }

    /// Whether this is an item of a list. The key of a map may also be a number.
    fn is_item(&self) -> bool {
        self.path.last().is_some_and(|key| key.parse::<usize>().is_ok())
    }

    /// The long form, a map, of a value that also has a short form. `wanted` names both: `a folder
    /// or a map`.
    pub fn long_form(&self, wanted: &str) -> Result<MapReader<'a>, Failure> {
        static EMPTY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        let map = match self.value {
            Value::Object(map) => map,
            // An empty item of a list is not an entry with only defaults.
            Value::Null if wanted == MAP || !self.is_item() => &EMPTY,
            _ => return Err(self.wrong_type(wanted)),
        };
        Ok(MapReader { map, field: self.clone(), known: Vec::new() })
    }

    /// Labels, as a map or a list of `KEY=value`. Labels that identify the owner of an object are
    /// rejected.
    pub fn labels(&self) -> Result<BTreeMap<String, String>, Failure> {
        let labels = self.pairs(&|_| Some(String::new()))?;
        match labels.keys().find(|key| is_reserved_label(key)) {
            Some(key) => Err(self
                .fail(format!("The label \"{key}\" is reserved for spc"))
                .hint("choose another key")),
            None => Ok(labels),
        }
    }

    /// `{KEY: value}` or `["KEY=value"]`. `bare` returns the value for a key without one, a list
    /// item without `=`.
    pub fn pairs(
        &self,
        bare: &dyn Fn(&str) -> Option<String>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let mut pairs = BTreeMap::new();
        match self.value {
            Value::Object(_) => {
                for (key, field) in self.entries()? {
                    let value =
                        if field.value.is_null() { bare(&key) } else { Some(field.scalar()?) };
                    pairs.extend(value.map(|value| (key, value)));
                }
                Ok(pairs)
            }
            Value::Array(_) => {
                for item in self.list()? {
                    let text = item.text()?;
                    match text.split_once('=') {
                        Some((key, value)) => {
                            pairs.insert(key.to_owned(), value.to_owned());
                        }
                        None => {
                            if let Some(value) = bare(&text) {
                                pairs.insert(text, value);
                            }
                        }
                    }
                }
                Ok(pairs)
            }
            _ => Err(self.wrong_type("a map or a list of \"KEY=value\"")),
        }
    }

    /// One of a few words.
    pub fn one_of(&self, words: &[&str]) -> Result<String, Failure> {
        let text = self.text()?;
        if words.contains(&text.as_str()) {
            return Ok(text);
        }
        let failure = self.fail(format!("\"{}\" can't be \"{text}\"", self.name()));
        Err(match suggest::did_you_mean(&text, words.iter().copied()) {
            Some(hint) => failure.hint(hint),
            None => failure,
        })
    }
}

/// A map that is read key by key. [`MapReader::finish`] rejects the keys that were not read.
pub struct MapReader<'a> {
    map: &'a Map<String, Value>,
    field: Field<'a>,
    known: Vec<&'static str>,
}

impl<'a> MapReader<'a> {
    /// The value of `key`, unless it is not set (missing or null).
    pub fn get(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        self.map.get(key).filter(|value| !value.is_null()).map(|value| self.field.child(key, value))
    }

    /// Like [`MapReader::get`], read by `read`.
    pub fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Field<'a>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        self.get(key).map(|field| read(&field)).transpose()
    }

    /// Like [`MapReader::read`], but an empty text counts as not set, as in Compose: `"${X}"` is
    /// empty if X is not set.
    pub fn read_filled<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Field<'a>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        self.get(key)
            .filter(|field| field.value.as_str() != Some(""))
            .map(|field| read(&field))
            .transpose()
    }

    /// A required key.
    pub fn required(&mut self, key: &'static str) -> Result<Field<'a>, Failure> {
        self.get(key).ok_or_else(|| {
            self.field.fail_key(format!("\"{}\" needs the key \"{key}\"", self.field.name()))
        })
    }

    /// Rejects every key that was not asked for; `unsupported` are keys of Compose that are not
    /// supported here. Keys `x-…` are free.
    pub fn finish(self, unsupported: &[&str]) -> Result<(), Failure> {
        for (key, value) in self.map {
            if self.known.contains(&key.as_str()) || key.starts_with("x-") {
                continue;
            }
            let field = self.field.child(key, value);
            let place = if self.field.path.is_empty() {
                String::new()
            } else {
                format!(" in \"{}\"", self.field.name())
            };
            if unsupported.contains(&key.as_str()) {
                let failure =
                    field.fail_key(format!("{UNSUPPORTED_KEY}{key}\"{place} is not supported yet"));
                return Err(match (key.as_str(), self.supported()) {
                    ("expose", _) => failure
                        .hint("remove it: containers on one network reach all ports of each other"),
                    ("links", _) => {
                        failure.hint("remove it: services on one network reach each other by name")
                    }
                    (_, Some(keys)) => failure.hint(keys),
                    (_, None) => failure,
                });
            }
            let failure = field.fail_key(format!("{UNKNOWN_KEY}{key}\"{place}"));
            return Err(match suggest::did_you_mean(key, self.known.iter().copied()) {
                Some(hint) => failure.hint(hint),
                None => failure,
            });
        }
        Ok(())
    }
}

impl MapReader<'_> {
    /// Which keys are read of such a map, as a hint.
    fn supported(&self) -> Option<String> {
        let mut known: Vec<&str> = self.known.clone();
        known.sort_unstable();
        known.dedup();
        (!known.is_empty()).then(|| format!("supported here: {}", known.join(", ")))
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::Bool(value) => format!("the truth value {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string \"{text}\""),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}
