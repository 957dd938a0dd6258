//! Masks secrets in JSON that is printed directly, not as an event or a diagnostic.

use crate::model::secret::Secrets;
use crate::model::texts::Texts;

/// Masks the texts in a line of JSON. Keys are words of spc, and so are the values that say what
/// kind of line it is. They stay as they are even if a secret is the same word, so that programs
/// can still read the line. Keys from outside are masked where they become keys.
pub fn masked_json(line: &str, secrets: &Secrets) -> String {
    /// The values of these keys never come from outside.
    const OWN: [&str; 4] = ["\"event\"", "\"level\"", "\"severity\"", "\"time\""];
    let mut masked = String::with_capacity(line.len());
    let (mut rest, mut key) = (line, "");
    while let Some(begin) = rest.find('"') {
        let end = begin + string_length(&rest[begin..]);
        let literal = &rest[begin..end];
        masked.push_str(&rest[..begin]);
        let is_key = rest[end..].starts_with(':');
        if is_key {
            key = literal;
        }
        let hidden =
            (!is_key && !OWN.contains(&key)).then(|| masked_literal(literal, secrets)).flatten();
        masked.push_str(hidden.as_deref().unwrap_or(literal));
        rest = &rest[end..];
    }
    masked + rest
}

/// The length of the JSON string at the beginning of `text`, with its quotes.
fn string_length(text: &str) -> usize {
    let mut is_escaped = true;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Masks a JSON string; `None` if it contains no secret.
fn masked_literal(literal: &str, secrets: &Secrets) -> Option<String> {
    let text: String = serde_json::from_str(literal).ok()?;
    let masked = secrets.mask(&text);
    (masked != text).then(|| serde_json::Value::from(masked).to_string())
}

/// Masks a value and its keys.
pub fn masked_value(value: &serde_json::Value, secrets: &Secrets) -> serde_json::Value {
    value.clone().with_texts(|text| secrets.mask(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_masked_in_its_texts_and_stays_json_whatever_the_secret_is() {
        let secrets = Secrets::new();
        for (index, value) in
            ["event", "text", "rin", "\":\"", "a\"b", "c\\d"].into_iter().enumerate()
        {
            secrets.add("key", &Secrets::token("key", [u8::try_from(index).unwrap(); 16]), value);
        }
        let line = serde_json::json!({ "event": "print", "text": "the text, a\"b c\\d", "all": ["print", { "more": "x\":\"y" }], "n": 1 })
            .to_string();
        let masked: serde_json::Value =
            serde_json::from_str(&masked_json(&line, &secrets)).unwrap();
        let expected = serde_json::json!({
            "event": "print", "text": "the [secret key], [secret key] [secret key]", "all": ["p[secret key]t", { "more": "x[secret key]y" }], "n": 1
        });
        assert_eq!(masked, expected);
        let value = masked_value(&serde_json::json!({ "a text": ["text"] }), &secrets);
        assert_eq!(value, serde_json::json!({ "a [secret key]": ["[secret key]"] }));
    }
}
