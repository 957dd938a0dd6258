//! The names of types for scripts, which are never Rust's.

use rhai::Dynamic;

/// The word for the type of `value`: `list`, `integer`, `nothing` for `()`.
pub fn word(value: &Dynamic) -> String {
    word_of(value.type_name())
}

/// The word with its article: `a list`, `an integer`, `nothing`.
pub fn a(value: &Dynamic) -> String {
    with_article(&word(value))
}

/// The word for a type with this name in Rhai or Rust.
///
/// The word for one of spc's own types is its last name in lower case, under which it is
/// registered.
pub fn word_of(type_name: &str) -> String {
    let name = type_name.trim().trim_start_matches("&mut ").trim_start_matches("rhai::");
    let word = match name {
        "i64" | "INT" | "int" => "integer",
        "f64" | "FLOAT" | "float" => "float",
        "()" | "" => "nothing",
        "char" => "character",
        "array" | "Array" => "list",
        "map" | "Map" => "map",
        "Fn" | "FnPtr" | "function" => "function",
        "string" | "String" | "&str" | "&str | ImmutableString | String" => "string",
        "blob" | "Blob" => "blob",
        "range" | "range=" => "range",
        "?" | "Dynamic" => "value",
        "core::time::Duration" => "duration",
        _ if name.ends_with("SecretToken") => "secret",
        _ if name.contains("ImmutableString") || name.contains("string::String") => "string",
        _ if name.contains("FnPtr") => "function",
        _ if name.contains("BTreeMap<") => "map",
        _ if name.ends_with("Vec<u8>") => "blob",
        _ if name.contains("Vec<") => "list",
        _ if name.contains("Range") => "range",
        _ => return name.rsplit("::").next().unwrap_or(name).trim_end_matches('>').to_lowercase(),
    };
    word.to_owned()
}

/// `a list`, `an integer`; `nothing` and plurals have no article.
pub fn with_article(word: &str) -> String {
    match word.chars().next() {
        _ if word == "nothing" || word == "bytes" => word.to_owned(),
        Some('a' | 'e' | 'i' | 'o' | 'u') => format!("an {word}"),
        _ => format!("a {word}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Bytes, Record};
    use std::time::Duration;

    #[test]
    fn every_type_has_a_word_of_scripts() {
        let values: Vec<(Dynamic, &str)> = vec![
            (Dynamic::UNIT, "nothing"),
            (1_i64.into(), "an integer"),
            (1.5_f64.into(), "a float"),
            ("x".into(), "a string"),
            ('x'.into(), "a character"),
            (true.into(), "a bool"),
            (rhai::Array::new().into(), "a list"),
            (rhai::Map::new().into(), "a map"),
            (Dynamic::from(rhai::FnPtr::new("f").unwrap()), "a function"),
            (Dynamic::from(0..3_i64), "a range"),
            (Dynamic::from(Duration::ZERO), "a duration"),
            (Dynamic::from(Bytes(1)), "bytes"),
            (Dynamic::from(Record::new("record", rhai::Map::new())), "a record"),
        ];
        for (value, expected) in values {
            assert_eq!(a(&value), expected);
        }
    }
}
