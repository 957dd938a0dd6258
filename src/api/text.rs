//! Additional functions of strings and lists: `lines`, `trimmed`, `int`, `json`, `join`.

use rhai::plugin::{Dynamic, Engine, ImmutableString, NativeCallContext, export_module};
use rhai::{Array, Map};

use super::Raw;
use super::growth::{collected, replace};
use super::printing::joined;
use crate::model::Failure;
use crate::value::json::{self, parse};
use crate::value::size::ELEMENTS;
use crate::value::text::literal;

/// The most characters of a text in a message.
const SHOWN: usize = 60;

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(functions));
}

/// The text in quotes, shortened.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(SHOWN).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    literal(&format!("{short}{more}").into())
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod functions {
    /// The lines, without their ends. A line end at the very end begins no further line.
    ///
    /// ```rhai
    /// assert_eq("a\nb\n".lines(), ["a", "b"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn lines(call: NativeCallContext, text: &str) -> Raw<Array> {
        collected(&call, text.len(), text.lines().take(ELEMENTS + 1).count(), text.lines())
    }

    /// A copy without white space around it.
    ///
    /// ```rhai
    /// assert_eq("  a b \n".trimmed(), "a b");
    /// ```
    pub fn trimmed(text: &str) -> ImmutableString {
        text.trim().into()
    }

    /// Removes white space around the text, and returns the text. Changes the text itself.
    ///
    /// ```rhai
    /// let text = "  a b \n";
    /// text.trim();
    /// assert_eq(text, "a b");
    /// assert_eq(" c ".trim(), "c");
    /// ```
    pub fn trim(text: &mut ImmutableString) -> ImmutableString {
        if text.trim().len() < text.len() {
            *text = text.trim().into();
        }
        text.clone()
    }

    /// Replaces each `find` in the text by `with`, and returns the text. Changes the text itself.
    ///
    /// Throws `usage` if the text would become too large.
    ///
    /// ```rhai
    /// let text = "a-b-c";
    /// text.replace("-", ", ");
    /// assert_eq(text, "a, b, c");
    /// ```
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_text(
        call: NativeCallContext,
        text: &mut ImmutableString,
        find: &str,
        with: &str,
    ) -> Raw<ImmutableString> {
        replace(&call, text, find, with)?;
        Ok(text.clone())
    }

    /// Replaces each such character by a text, and returns the text. Changes the text itself.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_letter(
        call: NativeCallContext,
        text: &mut ImmutableString,
        find: char,
        with: &str,
    ) -> Raw<ImmutableString> {
        replace(&call, text, find.encode_utf8(&mut [0; 4]), with)?;
        Ok(text.clone())
    }

    /// Replaces each `find` by a character, and returns the text. Changes the text itself.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_by_letter(
        call: NativeCallContext,
        text: &mut ImmutableString,
        find: &str,
        with: char,
    ) -> Raw<ImmutableString> {
        replace(&call, text, find, with.encode_utf8(&mut [0; 4]))?;
        Ok(text.clone())
    }

    /// Replaces each such character by another, and returns the text. Changes the text itself.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_letters(
        call: NativeCallContext,
        text: &mut ImmutableString,
        find: char,
        with: char,
    ) -> Raw<ImmutableString> {
        replace(&call, text, find.encode_utf8(&mut [0; 4]), with.encode_utf8(&mut [0; 4]))?;
        Ok(text.clone())
    }

    /// Parses the text as an integer; white space around it is allowed. Throws `usage` if it is not
    /// an integer.
    ///
    /// ```rhai
    /// assert_eq(" 42\n".int(), 42);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn int(text: &str) -> Raw<i64> {
        Ok(text
            .trim()
            .parse()
            .map_err(|_| Failure::usage(format!("{} is not an integer", quoted(text))))?)
    }

    /// Parses the text as an integer. Throws `usage` if it is not an integer.
    ///
    /// ```rhai
    /// assert_eq(parse_int("42"), 42);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parse_int(text: &str) -> Raw<i64> {
        int(text)
    }

    /// Parses the text as an integer with digits of a base from 2 to 36. Throws `usage` if it is
    /// not an integer.
    ///
    /// ```rhai
    /// assert_eq(parse_int("ff", 16), 255);
    /// ```
    #[rhai_fn(name = "parse_int", return_raw)]
    pub fn parse_int_of_base(text: &str, base: i64) -> Raw<i64> {
        let radix = u32::try_from(base).ok().filter(|radix| (2..=36).contains(radix));
        let Some(radix) = radix else {
            return Err(
                Failure::usage(format!("{base} is not a base: use a number from 2 to 36")).into()
            );
        };
        let number = i64::from_str_radix(text.trim(), radix);
        Ok(number.map_err(|_| {
            Failure::usage(format!("{} is not an integer of base {base}", quoted(text)))
        })?)
    }

    /// Parses the text as a number. Throws `usage` if it is not a number.
    ///
    /// ```rhai
    /// assert_eq(parse_float("0.5"), 0.5);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parse_float(text: &str) -> Raw<f64> {
        Ok(text
            .trim()
            .parse()
            .map_err(|_| Failure::usage(format!("{} is not a number", quoted(text))))?)
    }

    /// Parses the text as JSON. Throws `usage` if it is not JSON.
    ///
    /// ```rhai
    /// assert_eq(`{"jobs": [1, 2]}`.json().jobs, [1, 2]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn json(text: &str) -> Raw<Dynamic> {
        Ok(parse(text, &quoted(text))?)
    }

    /// Parses the text as JSON. Throws `usage` if it is not JSON.
    ///
    /// ```rhai
    /// assert_eq(parse_json(`{"a": null}`), #{ a: () });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parse_json(text: &str) -> Raw<Dynamic> {
        json(text)
    }

    /// The map as JSON. `()` means not set and is omitted. Throws `usage` for a value that is not
    /// data: a function.
    ///
    /// ```rhai
    /// assert_eq(#{ a: 1, b: () }.to_json(), `{"a":1}`);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn to_json(map: &mut Map) -> Raw<String> {
        Ok(json::to_json(&map.clone().into())?.to_string())
    }

    /// The printed elements, one after the other.
    ///
    /// ```rhai
    /// assert_eq([1, "b"].join(), "1b");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn join(context: NativeCallContext, list: &mut Array) -> Raw<String> {
        joined(&context, list, "")
    }

    /// The printed elements, with `separator` between them.
    ///
    /// ```rhai
    /// assert_eq(["db", "redis"].join(", "), "db, redis");
    /// ```
    #[rhai_fn(name = "join", return_raw, pure)]
    pub fn join_with(context: NativeCallContext, list: &mut Array, separator: &str) -> Raw<String> {
        joined(&context, list, separator)
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    #[test]
    fn every_example_runs() {
        Harness::examples(super::register);
    }

    #[test]
    fn strings_are_cut_and_read() {
        let run = Harness::new();
        for (script, expected) in [
            (r#""a\r\nb\n\nc".lines()"#, r#"["a", "b", "", "c"]"#),
            (r#""".lines()"#, "[]"),
            (r#"let x = " a "; x.trimmed() + x"#, "a a "),
            (r#"" -7\n".int() + 1"#, "-6"),
            (r#"`{"a": [1, 2.5, null, "x"]}`.json().a"#, r#"[1, 2.5, (), "x"]"#),
            (r#"parse_json(`{"a": null}`)"#, "#{a: ()}"),
            (r#"#{ a: 1, b: (), c: duration("90s") }.to_json()"#, r#"{"a":1,"c":"1m30s"}"#),
            (r#"[1, "b", duration("2s")].join("-")"#, "1-b-2s"),
            (r#"const LIST = ["a", "b"]; LIST.join()"#, "ab"),
        ] {
            assert_eq!(run.text(script), expected, "{script}");
        }
    }

    #[test]
    fn a_parse_error_quotes_the_start_of_the_text() {
        let run = Harness::new();
        assert_eq!(run.fails(r#""5 apples".int()"#).message, "\"5 apples\" is not an integer");
        assert_eq!(
            run.fails(r#""{".json()"#).message,
            "\"{\" is not JSON: EOF while parsing an object at line 1 column 1"
        );
        let long = run.fails(r#"let x = ""; x.pad(500, "z"); x.int()"#).message;
        assert!(long.len() < 100 && long.contains("z…\""), "{long}");
    }
}
