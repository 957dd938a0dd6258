//! `env`: variables of the process environment and of `.env`.

use std::time::Duration;

use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};
use rhai::{Array, ImmutableString};

use super::context::Context;
use super::{Raw, placed};
use crate::compose::{dotenv, dotenv_quoting};
use crate::model::Failure;
use crate::model::size::parse_bytes;
use crate::model::suggest::nearest;
use crate::model::time::parse_duration;
use crate::value::{Bytes, type_names};

/// Registers the functions of this file, and `env::`.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(functions));
    engine.register_static_module("env", shared_module!(module, "env"));
}

/// A value in the form for a `.env` file. A token of a secret stays a token, in the quotes that the
/// secret's value needs.
fn quoted(context: &Context, value: &str) -> Result<ImmutableString, Failure> {
    let revealed = context.secrets.reveal(value);
    let written = dotenv_quoting::quoted(&revealed)
        .ok_or_else(|| Failure::usage("A value with a NUL byte can't be written to a .env file"))?;
    if revealed == value {
        return Ok(written.into());
    }
    match written.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        None if written == revealed => Ok(value.into()),
        Some(inside) if inside == revealed => Ok(format!("'{value}'").into()),
        _ => Err(Failure::usage("This secret's value can't be written to a .env file")
            .hint("only a value without quotes, backslashes and line ends can")),
    }
}

/// The text of a `.env` file with `written` as the value of `name`.
fn with_line(text: &str, name: &str, written: &str) -> Result<String, Failure> {
    let begins = |c: char| c == '_' || c.is_ascii_alphabetic();
    let is_name = name.starts_with(begins)
        && name.chars().all(|c| begins(c) || c.is_ascii_digit() || c == '.' || c == '-');
    if !is_name {
        return Err(Failure::usage(format!("\"{name}\" is not the name of a variable"))
            .hint("use letters, digits and \"_\", and no digit at the beginning"));
    }
    if !dotenv::is_value(written) {
        let message =
            format!("\"{name}\" can't be set: the text is not a single value of a .env file");
        return Err(Failure::usage(message).hint("write env::quoted(value)"));
    }
    let changed = dotenv::with_value(text, name, written).map_err(|error| {
        let (line, column) = (error.line, error.column);
        Failure::usage(format!(
            "The .env text can't be read in line {line}, column {column}: {}",
            error.message
        ))
        .hint(error.hint)
    })?;
    // A bare value may mean something else beside what follows it in its line.
    let read = |text: &str| {
        let variables = dotenv::parse(text.as_bytes(), &|_| None).ok()?.variables;
        variables.into_iter().find(|(found, _)| found == name).map(|(_, variable)| variable.value)
    };
    if read(&changed) == read(&format!("{name}={written}\n")) {
        Ok(changed)
    } else {
        Err(Failure::usage(format!("\"{name}\" can't be set to this value in its line"))
            .hint("write env::quoted(value), or put the comment in a line of its own"))
    }
}

/// The value of a required variable.
fn required(context: &Context, name: &str) -> Result<ImmutableString, Failure> {
    let environment = &context.project.environment;
    let Some(value) = set(context, name) else {
        let state = if environment.contains_key(name) { "empty" } else { "not set" };
        let failure =
            Failure::usage(format!("The variable \"{name}\" is {state}")).field("variable", name);
        return Err(
            match nearest(name, environment.keys().map(String::as_str)).filter(|near| *near != name)
            {
                Some(near) => failure.hint(format!(
                    "did you mean \"{near}\"? Otherwise set it in the environment or in .env"
                )),
                None => failure.hint(
                    "set it in the environment or in .env, or give a default: env(name, default)",
                ),
            },
        );
    };
    Ok(value.into())
}

/// The value of a variable with the type of `default`, or `default`.
fn or_default(context: &Context, name: &str, default: Dynamic) -> Result<Dynamic, Failure> {
    let Some(text) = set(context, name) else {
        context.script.defaulted(name, default.to_string());
        return Ok(default);
    };
    like(text, &default).map_err(|expected| {
        Failure::usage(format!("The variable \"{name}\" is \"{text}\", which is not {expected}"))
            .hint(format!("its default is {}", crate::value::text::literal(&default)))
            .field("variable", name)
    })
}

/// An empty value counts as not set, as in Compose's `${NAME:-default}`.
fn set<'a>(context: &'a Context, name: &str) -> Option<&'a str> {
    context.variable(name).filter(|value| !value.is_empty())
}

/// `text` as a value with the type of `example`, or the name of this type if it can't be converted.
fn like(text: &str, example: &Dynamic) -> Result<Dynamic, String> {
    if example.is_string() || example.is_unit() {
        return Ok(text.into());
    }
    let text = text.trim();
    if example.is_int() {
        return text.parse::<i64>().map(Dynamic::from).map_err(|_| "a whole number".to_owned());
    }
    if example.is_float() {
        return text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Dynamic::from)
            .ok_or_else(|| "a number".to_owned());
    }
    if example.is_bool() {
        return boolean(text).map(Dynamic::from).ok_or_else(|| "\"true\" or \"false\"".to_owned());
    }
    if example.read_lock::<Duration>().is_some() {
        return parse_duration(text)
            .map(Dynamic::from)
            .map_err(|_| "a duration like \"1m30s\"".to_owned());
    }
    if example.read_lock::<Bytes>().is_some() {
        return parse_bytes(text)
            .map(|size| Dynamic::from(Bytes(size)))
            .map_err(|_| "a size like \"64m\"".to_owned());
    }
    let Some(list) = example.read_lock::<Array>() else {
        return Err(format!("{}: a variable cannot hold one", type_names::a(example)));
    };
    let item = list.first().cloned().unwrap_or_else(|| "".into());
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let items: Result<Array, String> = items.map(|text| like(text, &item)).collect();
    items
        .map(Dynamic::from)
        .map_err(|expected| format!("a list, separated by commas, of which each is {expected}"))
}

/// The usual words; case does not matter.
fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[export_module]
mod functions {
    /// The value of an environment variable, or of the `.env` file if the process has none.
    ///
    /// Variables are read once, when the run begins. Later changes of `.env`, also by the run
    /// itself, take effect in the next run.
    ///
    /// Throws `usage` if the variable is not set or empty.
    ///
    /// ```rhai
    /// let user = env("POSTGRES_USER");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn env(call: NativeCallContext, name: &str) -> Raw<ImmutableString> {
        let context = Context::of(&call)?;
        Ok(required(&context, name)?)
    }

    /// The value of an environment variable, or `default` if it is not set or empty.
    ///
    /// The value has the type of the default: an integer, a float, a bool (`true yes on 1`, `false
    /// no off 0`), a duration, a size in bytes, a string, or a list (separated by commas, with
    /// elements like the default's first). Throws `usage` if it can't be converted to this type.
    ///
    /// ```rhai
    /// let port = env("POSTGRES_PORT", 5432);
    /// let profiles = env("COMPOSE_PROFILES", []);
    /// ```
    #[rhai_fn(name = "env", return_raw)]
    pub fn env_or(call: NativeCallContext, name: &str, default: Dynamic) -> Raw<Dynamic> {
        let context = Context::of(&call)?;
        Ok(or_default(&context, name, default)?)
    }
}

#[export_module]
mod module {
    /// The text of a `.env` file with `written` as the value of `name`, in its last statement or in
    /// a new line at the end. Every other byte stays as it is. `written` comes from `env::quoted`.
    /// `dotenv::set` in `std/dotenv` does both.
    ///
    /// Throws `usage` if the text can't be read as a `.env` file.
    ///
    /// ```rhai
    /// assert_eq(env::with_line("A=1\nB = 2\n", "B", env::quoted("x y")), "A=1\nB = 'x y'\n");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn with_line(
        call: NativeCallContext,
        text: &str,
        name: &str,
        written: &str,
    ) -> Raw<String> {
        placed(&call, |_| super::with_line(text, name, written))
    }

    /// `value` in the form for a line `NAME=…` of a `.env` file: as it is, or in the quotes that it
    /// needs, so that spc, Docker Compose and dotenv libraries read the same value.
    ///
    /// Throws `usage` if a `.env` file can't contain it.
    ///
    /// ```rhai
    /// assert_eq(env::quoted("plain"), "plain");
    /// assert_eq(env::quoted("two words"), "'two words'");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn quoted(call: NativeCallContext, value: &str) -> Raw<ImmutableString> {
        placed(&call, |context| super::quoted(context, value))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_line_that_would_read_as_another_value_is_refused() {
        let trial = Harness::new();
        for (call, message) in [
            (
                r##"env::with_line("A='x'# c\n", "A", "it's")"##,
                "\"A\" can't be set to this value in its line",
            ),
            (r##"env::with_line("", "A\nB", "x")"##, "\"A\nB\" is not the name of a variable"),
            (r##"env::with_line("", "", "x")"##, "\"\" is not the name of a variable"),
        ] {
            assert_eq!(trial.fails(call).message, message);
        }
        assert_eq!(trial.text(r##"env::with_line("A='x'# c\n", "A", "y")"##), "A='y'# c\n");
    }

    use super::super::harness::Harness;
    use super::{dotenv_quoting, quoted};
    use crate::model::secret::Secrets;

    #[test]
    fn a_secret_is_written_in_the_quotes_that_its_value_needs() {
        let trial = Harness::new();
        for (number, (value, written)) in
            [("plain", "TOKEN"), ("two words", "'TOKEN'"), ("a#b $c", "'TOKEN'")]
                .into_iter()
                .enumerate()
        {
            let token = Secrets::token("key", [u8::try_from(number).unwrap(); 16]);
            trial.context.secrets.add("key", &token, value);
            let got = quoted(&trial.context, &token).unwrap();
            assert_eq!(got, written.replace("TOKEN", &token));
            assert_eq!(trial.context.secrets.reveal(&got), dotenv_quoting::quoted(value).unwrap());
        }
        let token = Secrets::token("key", [9; 16]);
        trial.context.secrets.add("key", &token, "it's \"x\"");
        let failure = quoted(&trial.context, &token).unwrap_err();
        assert_eq!(failure.message, "This secret's value can't be written to a .env file");
    }

    #[test]
    fn a_variable_that_is_set_is_its_text() {
        assert_eq!(Harness::with_variables(&[("USER", " anna ")]).text(r#"env("USER")"#), " anna ");
    }

    #[test]
    fn a_variable_that_is_not_set_or_empty_is_an_error_with_a_next_step() {
        let trial = Harness::with_variables(&[("POSTGRES_USER", "p"), ("EMPTY", "")]);
        let failure = trial.fails(r#"env("POSTGRES_USR")"#);
        assert_eq!(
            (failure.kind.word(), failure.message.as_str()),
            ("usage", "The variable \"POSTGRES_USR\" is not set")
        );
        assert!(failure.hint.unwrap().starts_with("did you mean \"POSTGRES_USER\"?"));
        assert_eq!(trial.fails(r#"env("EMPTY")"#).message, "The variable \"EMPTY\" is empty");
    }

    #[test]
    fn a_value_has_the_type_of_its_default() {
        let trial = Harness::with_variables(&[
            ("PORT", "5433"),
            ("RATE", "0.5"),
            ("DEBUG", "Yes"),
            ("BAKE", "1m30s"),
            ("LIMIT", "64m"),
            ("PROFILES", "a, b,"),
            ("STEPS", "5,25"),
            ("TEXT", " as it is "),
            ("EMPTY", ""),
        ]);
        for (script, expected) in [
            (r#"env("PORT", 5432) + 1"#, "5434"),
            (r#"env("RATE", 0.1) + 1.0"#, "1.5"),
            (r#"env("DEBUG", false)"#, "true"),
            (r#"env("BAKE", duration("1s")) > duration("1m")"#, "true"),
            (r#"env("LIMIT", bytes("1m")).bytes"#, "67108864"),
            (r#"env("PROFILES", [])"#, r#"["a", "b"]"#),
            (r#"env("STEPS", [1])"#, "[5, 25]"),
            (r#"env("TEXT", "")"#, " as it is "),
            (r#"env("TEXT", ())"#, " as it is "),
            (r#"env("EMPTY", 7)"#, "7"),
            (r#"env("MISSING", ()) ?? "none""#, "none"),
        ] {
            assert_eq!(trial.text(script), expected, "{script}");
        }
    }

    #[test]
    fn a_value_of_another_type_names_the_variable_and_the_value() {
        let trial = Harness::with_variables(&[("PORT", "high"), ("STEPS", "5,many")]);
        let failure = trial.fails(r#"env("PORT", 5432)"#);
        assert_eq!(
            failure.message,
            "The variable \"PORT\" is \"high\", which is not a whole number"
        );
        assert_eq!(
            (failure.kind.word(), failure.hint.as_deref()),
            ("usage", Some("its default is 5432"))
        );
        let list = trial.fails(r#"env("STEPS", [1])"#).message;
        assert_eq!(
            list,
            "The variable \"STEPS\" is \"5,many\", which is not a list, separated by commas, of which each is a whole number"
        );
        assert!(
            trial
                .fails(r#"env("PORT", #{})"#)
                .message
                .contains("a map: a variable cannot hold one")
        );
    }
}
