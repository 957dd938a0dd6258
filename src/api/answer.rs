//! `.lines() .int() .json()` of a record with text: the output of a command, or the answer of a
//! server.

use rhai::Array;
use rhai::plugin::{Dynamic, Engine, export_module};

use super::Raw;
use super::text::quoted;
use crate::model::Failure;
use crate::value::Record;
use crate::value::json::parse;

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(methods));
}

/// The fields that contain a record's text.
const TEXTS: [&str; 2] = ["stdout", "body"];

fn text_of(record: &Record) -> Result<String, Failure> {
    let text = TEXTS
        .iter()
        .find_map(|name| record.fields().get(*name))
        .and_then(|text| text.clone().into_string().ok());
    text.ok_or_else(|| Failure::usage(format!("The {} has no text to read", record.what())))
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
mod methods {
    /// The lines of the output or answer, without their line ends.
    ///
    /// ```rhai,no_run
    /// for line in sh(["git", "status", "--short"]).lines() { print(line); }
    /// ```
    #[rhai_fn(pure, return_raw)]
    pub fn lines(record: &mut Record) -> Raw<Array> {
        Ok(text_of(record)?.lines().map(|line| line.to_owned().into()).collect())
    }

    /// The output or answer as an integer. Throws `usage` if it is not an integer.
    ///
    /// ```rhai,no_run
    /// let commits = sh(["git", "rev-list", "--count", "HEAD"]).int();
    /// ```
    #[rhai_fn(pure, return_raw)]
    pub fn int(record: &mut Record) -> Raw<i64> {
        let text = text_of(record)?;
        Ok(text
            .trim()
            .parse()
            .map_err(|_| Failure::usage(format!("{} is not an integer", quoted(&text))))?)
    }

    /// The output or answer, parsed as JSON. Throws `usage` if it is not JSON.
    ///
    /// ```rhai,no_run
    /// let health = http::get("http://localhost:8000/api/health/").json();
    /// ```
    #[rhai_fn(pure, return_raw)]
    pub fn json(record: &mut Record) -> Raw<Dynamic> {
        let text = text_of(record)?;
        Ok(parse(&text, &quoted(&text))?)
    }
}
