//! `yaml::`: values as YAML, in files and texts.

use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};
use serde_json::Value;
use serde_yaml::Value as Yaml;

use super::{Raw, fs, placed};
use crate::compose::yaml;
use crate::model::Failure;
use crate::value::json::{from_json, to_json};

/// Registers `yaml::`.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("yaml", shared_module!(module, "yaml"));
}

/// Parses a YAML text and applies merge keys (`<<`); the message contains `what` it is.
fn parsed(text: &str, what: &str) -> Result<Dynamic, Failure> {
    let wrong = |error: yaml::YamlError| match error {
        yaml::YamlError::TooLong(_) => Failure::usage(format!("{what} can't be read: {error}"))
            .hint("write it in quotes to keep every digit"),
        _ => Failure::usage(format!("{what} is not YAML: {error}")),
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut value: Yaml = yaml::read(text).map_err(wrong)?;
    yaml::merge(&mut value).map_err(|error| wrong(error.into()))?;
    let value = yaml::to_json(value)
        .map_err(|strange| Failure::usage(format!("{what} {}", strange.reason)))?;
    Ok(from_json(&value))
}

/// A value as YAML text that YAML 1.1 readers read in the same way. Texts that they would read as a
/// bool, a number of base 60 or a date are quoted, which the library (YAML 1.2) doesn't do.
fn written(value: &Value) -> Result<String, Failure> {
    if has_merge_key(value) {
        return Err(Failure::usage(
            "The value can't be written as YAML: its key \"<<\" would be read as a merge",
        )
        .hint("write it as JSON, or rename the key"));
    }
    let mut quoted = Vec::new();
    let mut value = value.clone();
    set_aside(&mut value, &mut quoted);
    let text = serde_yaml::to_string(&value)
        .map_err(|error| Failure::usage(format!("The value can't be written as YAML: {error}")))?;
    Ok(put_back(&text, &quoted))
}

/// Whether a map in the value has the key `<<`. A reader would treat it as a merge, in quotes or
/// not.
fn has_merge_key(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_merge_key),
        Value::Object(fields) => {
            fields.iter().any(|(key, value)| key == "<<" || has_merge_key(value))
        }
        _ => false,
    }
}

/// The text with the quoted strings in place of their placeholders.
fn put_back(text: &str, quoted: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split(BEGIN);
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (index, rest) = piece.split_once(END).unwrap_or((piece, ""));
        if let Some(original) = index.parse::<usize>().ok().and_then(|index| quoted.get(index)) {
            out.push_str(&Value::from(original.as_str()).to_string());
        }
        out.push_str(rest);
    }
    out
}

/// Replaces the strings, also keys, that have to be quoted by placeholders.
fn set_aside(value: &mut Value, quoted: &mut Vec<String>) {
    let replaced = |text: String, quoted: &mut Vec<String>| {
        quoted.push(text);
        stand_in(quoted.len() - 1)
    };
    match value {
        Value::String(text) if is_ambiguous(text) => *text = replaced(std::mem::take(text), quoted),
        Value::Array(items) => items.iter_mut().for_each(|item| set_aside(item, quoted)),
        Value::Object(fields) => {
            for (key, mut value) in std::mem::take(fields) {
                let key = if is_ambiguous(&key) { replaced(key, quoted) } else { key };
                set_aside(&mut value, quoted);
                fields.insert(key, value);
            }
        }
        _ => {}
    }
}

/// Mark the number of a placeholder: letters of a private area. A text that contains one of them
/// gets a placeholder itself.
const BEGIN: char = '\u{f8f0}';
const END: char = '\u{f8f1}';

fn stand_in(index: usize) -> String {
    format!("{BEGIN}{index}{END}")
}

/// Whether a YAML 1.1 reader would not read the plain text as a string, or the text could be
/// confused with a placeholder.
fn is_ambiguous(text: &str) -> bool {
    let word = text.to_ascii_lowercase();
    let digits = |c: char| c.is_ascii_digit() || "+-._:,xob".contains(c);
    text.contains([BEGIN, END])
        || matches!(
            word.as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null" | "~" | "=" | "<<"
        )
        || (text.chars().any(|c| c.is_ascii_digit())
            && text.chars().all(|c| digits(c) || c.is_ascii_hexdigit() || "tTzZ ".contains(c)))
}

#[export_module]
mod module {
    /// The value in a YAML file. `null` becomes `()`. Merge keys are applied, and keys that are not
    /// text become text.
    ///
    /// Throws `not_found` if the file does not exist, `usage` with line and column if it is not
    /// YAML.
    ///
    /// ```rhai
    /// fs::write("a.yaml", "image: redis:7\nports: [6379]\n");
    /// assert_eq(yaml::read("a.yaml").ports[0], 6379);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn read(call: NativeCallContext, path: Dynamic) -> Raw<Dynamic> {
        placed(&call, |context| fs::read_value(context, &path, parsed))
    }

    /// Writes a value as a YAML file. A missing folder is created. Fields with the value `()` are
    /// omitted.
    ///
    /// ```rhai
    /// yaml::write("a.yaml", #{ image: "redis:7" });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn write(call: NativeCallContext, path: Dynamic, value: Dynamic) -> Raw<()> {
        placed(&call, |context| fs::write_value(context, &path, &value, written))
    }

    /// Parses a YAML text. Throws `usage` with line and column if it is not YAML.
    ///
    /// ```rhai
    /// assert_eq(yaml::parse("a: [1, 2]").a.len, 2);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parse(call: NativeCallContext, text: &str) -> Raw<Dynamic> {
        placed(&call, |_| parsed(text, "The text"))
    }

    /// A value as YAML text.
    ///
    /// ```rhai
    /// assert_eq(yaml::text(#{ restart: "no" }), "restart: \"no\"\n");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn text(call: NativeCallContext, value: Dynamic) -> Raw<String> {
        placed(&call, |_| written(&to_json(&value)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_is_read_with_anchors_merged_and_keys_as_text() {
        let text =
            "base: &base\n  image: a\n  restart: no\nweb:\n  <<: *base\n  image: b\n80: http\n";
        let trial = Harness::on(|host| host.with_file("/project/a.yaml", text));
        assert_eq!(
            trial.text(r#"let y = yaml::read("a.yaml"); [y.web.image, y.web.restart, y["80"]]"#),
            r#"["b", "no", "http"]"#
        );
    }

    #[test]
    fn invalid_yaml_is_reported_with_its_position_and_tags_are_rejected() {
        let trial = Harness::new();
        let failure = trial.fails(r#"yaml::parse("a: [1\nb: 2")"#);
        assert!(
            failure.message.starts_with("The text is not YAML: ")
                && failure.message.contains("line 2"),
            "{failure}"
        );
        // The library also reports where it began, as a second position.
        assert_eq!(failure.message.matches(" line ").count(), 1, "{failure}");
        assert_eq!(
            trial.fails(r#"yaml::parse("a: !reset 1")"#).message,
            "The text has the tag !reset, which is for merging files: spc reads a single one"
        );
        assert_eq!(
            trial.fails(r#"yaml::parse("a: !mine 1")"#).message,
            "The text has the tag !mine, which spc does not know"
        );
        assert_eq!(
            trial.fails(r#"yaml::parse("a: .nan")"#).message,
            "The text holds .nan, which is no number of scripts"
        );
        for digits in ["18446744073709551616", "-9223372036854775809", "0x1FFFFFFFFFFFFFFFF"] {
            let said = trial.fails(&format!(r#"yaml::parse("a: {digits}")"#)).message;
            assert_eq!(
                said,
                "The text can't be read: a whole number of more than 64 bits is no number of scripts at line 1 column 4"
            );
        }
    }

    #[test]
    fn strings_that_yaml_1_1_would_convert_are_quoted() {
        let script = r#"yaml::text(#{ a: "yes", b: "22:22", c: "0755", d: "2026-01-01", e: "1_000", f: "plain text", g: "1.5", no: "0x1F" })"#;
        let expected = "a: \"yes\"\nb: \"22:22\"\nc: \"0755\"\nd: \"2026-01-01\"\ne: \"1_000\"\nf: plain text\ng: \"1.5\"\n\"no\": \"0x1F\"\n";
        assert_eq!(Harness::new().text(script), expected);
    }

    #[test]
    fn a_key_that_would_be_read_as_a_merge_is_refused() {
        let trial = Harness::new();
        for value in [r##"#{ "<<": true }"##, r##"#{ a: [#{ "<<": #{ b: 1 } }] }"##] {
            let failure = trial.fails(&format!("yaml::text({value})"));
            assert_eq!(
                failure.message,
                "The value can't be written as YAML: its key \"<<\" would be read as a merge"
            );
        }
        assert_eq!(trial.text(r##"yaml::parse(yaml::text(#{ a: "<<" })).a"##), "<<");
    }

    proptest! {
        #[test]
        fn written_yaml_reads_back_unchanged(key in ".{0,6}", text in ".{0,8}", word in "[0-9:._+TZa-f-]{0,8}", number: i32) {
            prop_assume!(key != "<<");
            let value = serde_json::json!({ "outer": { "list": [text, word, number, null] }, key: true });
            let text = written(&value).unwrap();
            prop_assert_eq!(to_json(&parsed(&text, "The text").unwrap()).unwrap(), value, "{}", text);
        }
    }
}
