//! Checks options of functions with the functions' own readers.

use rhai::{Dynamic, Expr, Map};

use super::literal;
use super::rule::Rule;
use crate::api::Context;
use crate::api::options::OptionsOverload;
use crate::model::suggest::did_you_mean;
use crate::model::{Failure, Kind};

/// The failure for one key of options, or its value, if none of the forms accepts it.
pub fn refused(
    context: &Context,
    forms: &[&'static OptionsOverload],
    key: &str,
    value: &Expr,
) -> Option<(Rule, Failure)> {
    let value = literal::partial(value).unwrap_or(Dynamic::UNIT);
    let mut refused: Option<(Rule, Failure)> = None;
    for form in forms {
        let given: Map = [(key.into(), value.clone())].into();
        let failure = (form.read)(context, given).err()?;
        let path = failure
            .path
            .as_ref()
            .filter(|path| path.keys.first().is_some_and(|first| first == key));
        let on_key = path.filter(|_| failure.kind == Kind::Usage)?.on_key;
        // Among several forms, the failure of the one that knows the key is more useful.
        if refused.as_ref().is_none_or(|(rule, _)| *rule == Rule::UnknownKey) {
            refused = Some((if on_key { Rule::UnknownKey } else { Rule::WrongValue }, failure));
        }
    }
    refused
}

/// The failure for a key without a default in a script's function.
pub fn unknown(function: &str, key: &str, known: &[String]) -> Failure {
    let failure = Failure::usage(format!("The options of \"{function}\" have no \"{key}\""));
    match did_you_mean(key, known.iter().map(String::as_str)) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
