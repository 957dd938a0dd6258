//! Places that accept no secret.

use serde_json::Value;

use crate::model::{Failure, token};

/// Rejects a secret, exposed or not, where none is delivered: `place` is for example `the name of
/// an image`.
pub fn none_in(text: &str, place: &str) -> Result<(), Failure> {
    match token::first(text) {
        None => Ok(()),
        Some(token) => Err(Failure::usage(format!("The secret \"{}\" can't be used in {place}", token.name))
            .hint("a secret is delivered as a file with `secrets` of a service, in stdin, or, exposed, in an environment")),
    }
}

/// The same for every text in a value.
pub fn none_in_value(value: &Value, place: &str) -> Result<(), Failure> {
    match value {
        Value::String(text) => none_in(text, place),
        Value::Array(items) => items.iter().try_for_each(|item| none_in_value(item, place)),
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            none_in(key, place).and_then(|()| none_in_value(value, place))
        }),
        _ => Ok(()),
    }
}
