//! Records: maps that throw an error for an unknown field.

use std::fmt;
use std::sync::Arc;

use rhai::{Dynamic, Map};

use crate::model::Failure;
use crate::model::suggest::did_you_mean;

/// Fields with fixed names: the result of `args`, `exec` or `ps`. Cheap to clone; immutable.
#[derive(Clone)]
pub struct Record {
    what: Arc<str>,
    pub(super) fields: Arc<Map>,
    reader: Option<Reader>,
}

/// Called with the name of each field that is read; `*` if all are.
pub type Reader = Arc<dyn Fn(&str) + Send + Sync>;

impl Record {
    /// A record; the message for an unknown field contains `what` it is: `args`, `exec result`.
    pub fn new(what: &str, fields: impl Into<Map>) -> Self {
        Self { what: what.into(), fields: Arc::new(fields.into()), reader: None }
    }

    /// The same record; `reader` is called for each field that is read.
    #[must_use]
    pub fn read_by(mut self, reader: Option<Reader>) -> Self {
        self.reader = reader;
        self
    }

    fn read(&self, name: &str) {
        if let Some(reader) = &self.reader {
            reader(name);
        }
    }

    /// The kind of record.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// All fields, by name.
    pub fn fields(&self) -> &Map {
        self.read("*");
        &self.fields
    }

    /// The field's value; a `usage` failure with the most similar name if it doesn't exist.
    pub fn get(&self, name: &str) -> Result<Dynamic, Failure> {
        if let Some(value) = self.fields.get(name) {
            self.read(name);
            return Ok(value.clone());
        }
        let failure = Failure::usage(format!("The {} has no field \"{name}\"", self.what));
        Err(match did_you_mean(name, self.fields.keys().map(rhai::Identifier::as_str)) {
            Some(hint) => failure.hint(hint),
            None => failure,
        })
    }

    /// The same record with the fields of `over` added; they override its own.
    #[must_use]
    pub fn with(&self, over: &Map) -> Self {
        let mut fields = (*self.fields).clone();
        fields.extend(over.iter().map(|(name, value)| (name.clone(), value.flatten_clone())));
        Self { what: self.what.clone(), fields: Arc::new(fields), reader: self.reader.clone() }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("what", &self.what)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_field_names_the_nearest() {
        let record = Record::new(
            "exec result",
            Map::from([("code".into(), 0_i64.into()), ("stdout".into(), "".into())]),
        );
        assert_eq!(record.get("code").unwrap().as_int(), Ok(0));
        let failure = record.get("stduot").unwrap_err();
        assert_eq!(failure.message, "The exec result has no field \"stduot\"");
        assert_eq!(failure.hint.as_deref(), Some("did you mean \"stdout\"?"));
    }
}
