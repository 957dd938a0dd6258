//! Masks secrets in JSON that is printed directly, not as an event or a diagnostic.

use serde_json::Value;

use crate::model::secret::Secrets;
use crate::model::texts::Texts;

/// A result of spc's own with its secrets hidden in texts and numbers. Its keys are spc's own
/// words: a secret that is the same word must not take them from the programs that read them.
pub fn masked_texts(value: &Value, secrets: &Secrets) -> Value {
    match value {
        Value::String(text) => secrets.mask(text).into(),
        Value::Array(values) => values.iter().map(|value| masked_texts(value, secrets)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), masked_texts(value, secrets)))
            .collect(),
        // A number with a secret becomes a text: a script may have made it of one.
        Value::Number(_) => value.clone().with_texts(|text| secrets.mask(text)),
        Value::Null | Value::Bool(_) => value.clone(),
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

    #[test]
    fn a_number_that_is_a_secret_becomes_a_text_without_it() {
        let secrets = Secrets::new();
        secrets.add("pin", &Secrets::token("pin", [1; 16]), "48151623");
        let value = serde_json::json!({
            "a": 48_151_623, "b": [-48_151_623, 48_151_623.5, 4815, true, null], "c": { "d": 48_151_623_u64 },
            "e": "-48151623", "f": 1.5e-7
        });
        let expected = serde_json::json!({
            "a": "[secret pin]", "b": ["-[secret pin]", "[secret pin].5", 4815, true, null], "c": { "d": "[secret pin]" },
            "e": "-[secret pin]", "f": 1.5e-7
        });
        assert_eq!(masked_value(&value, &secrets), expected);
        assert_eq!(masked_texts(&value, &secrets), expected);
    }
}
