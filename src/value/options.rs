//! Options of a host function: a map that is read key by key; unknown keys are rejected.
//!
//! ```ignore
//! let mut options = Options::new(map, "exec options");
//! let timeout = options.duration("timeout")?;
//! let check = options.bool("check")?.unwrap_or(true);
//! options.finish()?;
//! ```
//!
//! A key with the value `()` counts as not given. Every failure has the key as its path, so that
//! the position in the script can be shown.

use std::collections::BTreeMap;
use std::time::Duration;

use rhai::{Dynamic, FnPtr, Map};

use super::size::SizeBudget;
use super::{Bytes, Record, SecretToken, type_names};
use crate::model::Failure;
use crate::model::failure::SpecPath;
use crate::model::size::parse_bytes;
use crate::model::suggest::did_you_mean;
use crate::model::time::parse_duration;
use crate::model::token;

/// An options map that is being read.
pub struct Options {
    what: String,
    map: Map,
    /// For everything that is read from these options.
    budget: SizeBudget,
    /// The keys that were read so far. At the end these are all valid keys.
    known: Vec<&'static str>,
}

impl Options {
    /// The options in `map`; messages contain `what` they are: `exec options`.
    pub fn new(map: Map, what: impl Into<String>) -> Self {
        Self { what: what.into(), map, budget: SizeBudget::new(), known: Vec::new() }
    }

    /// The options in a map, a record or `()`.
    pub fn of(value: &Dynamic, what: impl Into<String>) -> Result<Self, Failure> {
        let what = what.into();
        if value.is_unit() {
            return Ok(Self::new(Map::new(), what));
        }
        if let Some(map) = value.read_lock::<Map>() {
            return Ok(Self::new(map.clone(), what));
        }
        match value.read_lock::<Record>() {
            Some(record) => Ok(Self::new(record.fields().clone(), what)),
            None => {
                Err(Failure::usage(format!("The {what} are a map, not {}", type_names::a(value)))
                    .hint("write #{ key: value }"))
            }
        }
    }

    /// Takes the unchanged value; `None` if the key is missing or `()`.
    pub fn take(&mut self, key: &'static str) -> Option<Dynamic> {
        self.known.push(key);
        self.map.remove(key).filter(|value| !value.is_unit()).map(Dynamic::flatten)
    }

    pub fn bool(&mut self, key: &'static str) -> Result<Option<bool>, Failure> {
        self.read(key, "true or false", |value| value.as_bool().ok())
    }

    pub fn integer(&mut self, key: &'static str) -> Result<Option<i64>, Failure> {
        self.read(key, "an integer", |value| value.as_int().ok())
    }

    /// An integer that isn't negative.
    pub fn count(&mut self, key: &'static str) -> Result<Option<u64>, Failure> {
        self.read(key, "an integer from 0 up", |value| {
            value.as_int().ok().and_then(|number| number.try_into().ok())
        })
    }

    /// A float; an integer is also accepted.
    pub fn float(&mut self, key: &'static str) -> Result<Option<f64>, Failure> {
        self.read(key, "a number", number)
    }

    /// A string without a secret in it.
    pub fn text(&mut self, key: &'static str) -> Result<Option<String>, Failure> {
        let text = self.read(key, "a string", text)?;
        self.without_secret(key, text.iter())?;
        Ok(text)
    }

    /// A list of strings without a secret in them; a single string is a list of one.
    pub fn list_of_text(&mut self, key: &'static str) -> Result<Option<Vec<String>>, Failure> {
        let texts =
            self.read(key, "a list of strings", |value| match value.read_lock::<rhai::Array>() {
                Some(list) => list.iter().filter(|item| !item.is_unit()).map(text).collect(),
                None => text(value).map(|one| vec![one]),
            })?;
        self.without_secret(key, texts.iter().flatten())?;
        Ok(texts)
    }

    /// A map of strings, like Compose's `environment`: numbers and bools become text, `()` is
    /// omitted. A secret is its token, and the caller decides about it.
    pub fn map_of_text(
        &mut self,
        key: &'static str,
    ) -> Result<Option<BTreeMap<String, String>>, Failure> {
        self.read(key, "a map of strings", |value| {
            let map = value.read_lock::<Map>()?;
            map.iter()
                .filter(|(_, value)| !value.is_unit())
                .map(|(name, value)| Some((name.to_string(), scalar_text(value)?)))
                .collect()
        })
    }

    /// A duration value, or its text in Compose's form. A number without a unit is rejected.
    pub fn duration(&mut self, key: &'static str) -> Result<Option<Duration>, Failure> {
        let Some(value) = self.take(key) else { return Ok(None) };
        duration_of(&value).map(Some).map_err(|failure| self.placed(key, failure))
    }

    /// A size value, its text in Compose's form, or an integer of bytes.
    pub fn bytes(&mut self, key: &'static str) -> Result<Option<Bytes>, Failure> {
        let Some(value) = self.take(key) else { return Ok(None) };
        bytes_of(&value).map(Some).map_err(|failure| self.placed(key, failure))
    }

    pub fn function(&mut self, key: &'static str) -> Result<Option<FnPtr>, Failure> {
        self.read(key, "a function", |value| value.clone().try_cast::<FnPtr>())
    }

    /// A failure about the value of `key`, with its position.
    pub fn wrong(&self, key: &str, message: impl Into<String>) -> Failure {
        Failure::usage(message).at(SpecPath { keys: vec![key.to_owned()], on_key: false })
    }

    /// Rejects a secret, exposed or not. Options that accept one use another type.
    fn without_secret<'a>(
        &self,
        key: &str,
        mut texts: impl Iterator<Item = &'a String>,
    ) -> Result<(), Failure> {
        match texts.find_map(|text| token::first(text)) {
            None => Ok(()),
            Some(token) => {
                let message = format!(
                    "The secret \"{}\" can't be used in \"{key}\" of the {}",
                    token.name, self.what
                );
                Err(self
                    .wrong(key, message)
                    .hint("pass a secret in stdin or, exposed, in an environment"))
            }
        }
    }

    /// Rejects keys that were not read.
    pub fn finish(self) -> Result<(), Failure> {
        let Some(key) = self.map.keys().find(|key| !self.known.contains(&key.as_str())) else {
            return Ok(());
        };
        let failure = Failure::usage(format!("The {} have no \"{key}\"", self.what))
            .at(SpecPath { keys: vec![key.to_string()], on_key: true });
        Err(match did_you_mean(key, self.known.iter().copied()) {
            Some(hint) => failure.hint(hint),
            None => failure,
        })
    }

    fn read<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        convert: impl Fn(&Dynamic) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let Some(value) = self.take(key) else { return Ok(None) };
        self.budget.value(&value)?;
        match convert(&value) {
            Some(converted) => Ok(Some(converted)),
            // For a number, the value is wrong.
            None if value.is_int() && wanted.starts_with("an integer") => Err(self.wrong(
                key,
                format!("\"{key}\" of the {} has to be {wanted}, not {value}", self.what),
            )),
            None => Err(self.wrong(
                key,
                format!(
                    "\"{key}\" of the {} has to be {wanted}, not {}",
                    self.what,
                    type_names::a(&value)
                ),
            )),
        }
    }

    fn placed(&self, key: &str, failure: Failure) -> Failure {
        let message = format!("\"{key}\" of the {}: {}", self.what, failure.message);
        Failure { message, ..failure }.at(SpecPath { keys: vec![key.to_owned()], on_key: false })
    }
}

/// A number: integer or float.
#[expect(clippy::cast_precision_loss, reason = "an integer where a float is wanted")]
pub fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|number| number as f64))
}

/// A string, a character or a secret's token.
pub fn text(value: &Dynamic) -> Option<String> {
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        return Some(text.to_string());
    }
    if let Ok(character) = value.as_char() {
        return Some(character.to_string());
    }
    value.read_lock::<SecretToken>().map(|secret| secret.token.clone())
}

fn scalar_text(value: &Dynamic) -> Option<String> {
    let plain = value.is_int() || value.is_float() || value.is_bool();
    if plain { Some(super::text::plain(value)) } else { text(value) }
}

/// The duration of a duration value, or of its text in Compose's form.
pub fn duration_of(value: &Dynamic) -> Result<Duration, Failure> {
    if let Some(time) = value.read_lock::<Duration>() {
        return Ok(*time);
    }
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        return parse_duration(&text).map_err(Failure::usage);
    }
    let failure = Failure::usage(format!("{} is not a duration", super::text::literal(value)));
    Err(match number(value) {
        Some(_) => {
            failure.hint(format!("add a unit: \"{0}s\" or \"{0}m\"", super::text::plain(value)))
        }
        None => failure.hint("write it like \"1m30s\" or \"500ms\""),
    })
}

/// The size of a size value, of its text in Compose's form, or of an integer of bytes.
pub fn bytes_of(value: &Dynamic) -> Result<Bytes, Failure> {
    if let Some(size) = value.read_lock::<Bytes>() {
        return Ok(*size);
    }
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        return parse_bytes(&text).map(Bytes).map_err(Failure::usage);
    }
    match value.as_int().ok().and_then(|number| u64::try_from(number).ok()) {
        Some(size) => Ok(Bytes(size)),
        None => Err(Failure::usage(format!("{} is not a size", super::text::literal(value)))
            .hint("write it like \"64m\" or \"1gb\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(fields: Vec<(&str, Dynamic)>) -> Options {
        Options::new(
            fields.into_iter().map(|(key, value)| (key.into(), value)).collect(),
            "exec options",
        )
    }

    #[test]
    fn values_are_read_by_type_and_unit_is_not_given() {
        let list: Dynamic = vec![Dynamic::from("a"), ().into(), "b".into()].into();
        let map = Map::from([
            ("PORT".into(), 80_i64.into()),
            ("DEBUG".into(), true.into()),
            ("X".into(), ().into()),
        ]);
        let mut options = options(vec![
            ("check", false.into()),
            ("timeout", "1m30s".into()),
            ("interval", Dynamic::from(Duration::from_millis(5))),
            ("rate", 2_i64.into()),
            ("command", list),
            ("environment", map.into()),
            ("user", ().into()),
            ("memory", "64m".into()),
        ]);
        assert_eq!(options.bool("check"), Ok(Some(false)));
        assert_eq!(options.duration("timeout"), Ok(Some(Duration::from_secs(90))));
        assert_eq!(options.duration("interval"), Ok(Some(Duration::from_millis(5))));
        assert_eq!(options.float("rate"), Ok(Some(2.0)));
        assert_eq!(options.list_of_text("command"), Ok(Some(vec!["a".into(), "b".into()])));
        let environment =
            BTreeMap::from([("PORT".into(), "80".into()), ("DEBUG".into(), "true".into())]);
        assert_eq!(options.map_of_text("environment"), Ok(Some(environment)));
        assert_eq!(options.text("user"), Ok(None));
        assert_eq!(options.bytes("memory"), Ok(Some(Bytes(64 << 20))));
        assert_eq!(options.finish(), Ok(()));
    }

    #[test]
    fn an_unknown_key_is_refused_at_its_place_with_the_nearest() {
        let mut options = options(vec![("timout", "5s".into())]);
        assert_eq!(options.duration("timeout"), Ok(None));
        assert_eq!(options.bool("check"), Ok(None));
        let failure = options.finish().unwrap_err();
        assert_eq!(failure.message, "The exec options have no \"timout\"");
        assert_eq!(failure.hint.as_deref(), Some("did you mean \"timeout\"?"));
        assert_eq!(*failure.path.unwrap(), SpecPath { keys: vec!["timout".into()], on_key: true });
    }

    #[test]
    fn a_wrong_type_names_the_key_and_what_it_takes() {
        let mut options = options(vec![
            ("check", "no".into()),
            ("timeout", 30_i64.into()),
            ("tail", (-1_i64).into()),
        ]);
        assert_eq!(
            options.bool("check").unwrap_err().message,
            "\"check\" of the exec options has to be true or false, not a string"
        );
        assert_eq!(
            options.count("tail").unwrap_err().message,
            "\"tail\" of the exec options has to be an integer from 0 up, not -1"
        );
        let failure = options.duration("timeout").unwrap_err();
        assert_eq!(failure.message, "\"timeout\" of the exec options: 30 is not a duration");
        assert_eq!(failure.hint.as_deref(), Some("add a unit: \"30s\" or \"30m\""));
    }
}
