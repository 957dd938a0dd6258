//! Masks secrets in JSON that is printed directly, not as an event or a diagnostic.

use serde_json::Value;

use crate::model::secret::Secrets;
use crate::model::texts::Texts;

/// A result of spc's own with its secrets hidden in texts. Its keys are spc's own words: a secret
/// that is the same word must not take them from the programs that read them.
pub fn masked_texts(value: &Value, secrets: &Secrets) -> Value {
    match value {
        Value::String(text) => secrets.mask(text).into(),
        Value::Array(values) => values.iter().map(|value| masked_texts(value, secrets)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), masked_texts(value, secrets)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A value with its secrets hidden, in keys too.
pub fn masked_value(value: &Value, secrets: &Secrets) -> Value {
    value.clone().with_texts(|text| secrets.mask(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_masked_and_keys_only_where_they_are_a_scripts() {
        let secrets = Secrets::new();
        for (index, value) in ["text", "rin", "a\"b", "c\\d"].into_iter().enumerate() {
            secrets.add("key", &Secrets::token("key", [u8::try_from(index).unwrap(); 16]), value);
        }
        let value = serde_json::json!({ "text": "the text, a\"b c\\d", "all": ["print", { "rin": null }], "n": 1 });
        assert_eq!(
            masked_texts(&value, &secrets),
            serde_json::json!({
                "text": "the [secret key], [secret key] [secret key]", "all": ["p[secret key]t", { "rin": null }], "n": 1
            })
        );
        let value = masked_value(&serde_json::json!({ "a text": ["text"] }), &secrets);
        assert_eq!(value, serde_json::json!({ "a [secret key]": ["[secret key]"] }));
    }
}
