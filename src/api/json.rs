//! `json::`: values as JSON, in files and texts.

use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};
use serde_json::Value;

use super::{Raw, fs, placed};
use crate::model::Failure;
use crate::value::json::{self, to_json};

/// Registers `json::`.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("json", shared_module!(module, "json"));
}

fn written(value: &Value) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n")
        .map_err(|error| Failure::usage(format!("The value can't be written as JSON: {error}")))
}

#[export_module]
mod module {
    /// The value in a JSON file. `null` becomes `()`.
    ///
    /// Throws `not_found` if the file does not exist, `usage` with line and column if it is not
    /// JSON.
    ///
    /// ```rhai
    /// json::write("manifest.json", #{ release: "v2" });
    /// assert_eq(json::read("manifest.json").release, "v2");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn read(call: NativeCallContext, path: Dynamic) -> Raw<Dynamic> {
        placed(&call, |context| fs::read_value(context, &path, json::parse))
    }

    /// Writes a value as a JSON file, with indentation. A missing folder is created. Fields with
    /// the value `()` are omitted.
    ///
    /// ```rhai
    /// json::write("manifest.json", #{ release: "v2", files: ["a", "b"] });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn write(call: NativeCallContext, path: Dynamic, value: Dynamic) -> Raw<()> {
        placed(&call, |context| fs::write_value(context, &path, &value, written))
    }

    /// The value of a JSON text. Throws `usage` with line and column if it is not JSON.
    ///
    /// ```rhai
    /// assert_eq(json::parse("[1, 2]").len, 2);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parse(call: NativeCallContext, text: &str) -> Raw<Dynamic> {
        placed(&call, |_| json::parse(text, "The text"))
    }

    /// A value as JSON text on one line.
    ///
    /// ```rhai
    /// assert_eq(json::text(#{ a: [1, ()] }), "{\"a\":[1,null]}");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn text(call: NativeCallContext, value: Dynamic) -> Raw<String> {
        placed(&call, |_| Ok(to_json(&value)?.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    #[test]
    fn a_value_is_written_and_read_back() {
        let trial = Harness::new();
        trial.text(
            r#"json::write("out/manifest.json", #{ release: "v2", files: ["a", ()], gone: () })"#,
        );
        assert_eq!(
            trial.file("/project/out/manifest.json"),
            "{\n  \"files\": [\n    \"a\",\n    null\n  ],\n  \"release\": \"v2\"\n}\n"
        );
        assert_eq!(trial.text(r#"json::read("out/manifest.json").files"#), r#"["a", ()]"#);
    }

    #[test]
    fn invalid_json_is_reported_with_its_position() {
        let trial =
            Harness::on(|host| host.with_file("/project/a.json", "\u{feff}{\n  \"a\": oops }"));
        let failure = trial.fails(r#"json::read("a.json")"#);
        assert_eq!(
            failure.message,
            "The file \"a.json\" is not JSON: expected value at line 2 column 8"
        );
        assert_eq!(
            trial.fails(r#"json::parse("")"#).message,
            "The text is not JSON: EOF while parsing a value at line 1 column 0"
        );
    }

    #[test]
    fn a_text_is_on_one_line_and_functions_have_none() {
        assert_eq!(
            Harness::new().text(r#"json::text(#{ a: [1, 0.5, "x"] })"#),
            r#"{"a":[1,0.5,"x"]}"#
        );
        assert_eq!(
            Harness::new().fails(r"json::text(#{ f: || 1 })").message,
            "\"f\" is a function, which can't be stored as data"
        );
    }

    #[test]
    fn an_exposed_secret_with_quotes_leaves_the_file_well_formed() {
        let trial = Harness::on(|host| host.with_file("/project/secrets/odd", "a\"b\\c"));
        trial.text(
            r#"json::write("a.json", #{ key: "x" + expose(secret("odd")) }); yaml::write("a.yaml", #{ key: expose(secret("odd")) })"#,
        );
        assert_eq!(trial.text(r#"json::read("a.json").key"#), "xa\"b\\c");
        assert_eq!(trial.text(r#"yaml::read(fs::file("a.yaml")).key"#), "a\"b\\c");
    }

    #[test]
    fn a_secret_is_written_only_when_exposed() {
        let trial = Harness::new();
        assert_eq!(
            trial.fails(r#"json::write("a.json", #{ key: random_secret("key", 20) })"#).message,
            "The secret \"key\" can't be used in the file \"a.json\""
        );
        trial.text(r#"json::write("a.json", #{ key: expose(random_secret("key", 20)) })"#);
        assert_eq!(trial.file("/project/a.json").len(), "{\n  \"key\": \"\"\n}\n".len() + 20);
    }
}
