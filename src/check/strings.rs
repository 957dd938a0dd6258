//! Finds `${X}` in a plain string of a description: compose files replace it by a value, runbooks
//! don't.

use regex_lite::Regex;

use std::sync::LazyLock;

use super::descriptions::{Step, pattern};
use crate::model::Failure;

/// `${X}`, `${X:-y}`, `${X:?message}`; the name, the operator, the rest.
static BRACED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])([^{}]*))?\}").ok());

/// `$NAME` by itself: in capitals, and without surroundings that make it part of a password or a
/// pattern.
static BARE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:^|[/:=, @-])\$([A-Z][A-Z0-9_]+)(?:$|[/:=, @.-])").ok());

/// `$$`, the escape in compose files.
static ESCAPED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$\$(?:\{[A-Za-z_]|[A-Za-z_][A-Za-z0-9_]*)").ok());

/// The warning for a text at `path` that would reach the container unchanged.
pub fn uninterpolated(path: &[Step], text: &str) -> Option<Failure> {
    if !text.contains('$') {
        return None;
    }
    let at = pattern(path);
    let in_shell = matches!(at.as_slice(), ["services", "*", "healthcheck", "test", ..]);
    let is_command = matches!(at.as_slice(), ["services", "*", "command" | "entrypoint", ..]);
    let words = at.len() > 3 || text.split_whitespace().any(|word| word == "-c");
    if in_shell || is_command {
        if let Some(escaped) = ESCAPED.as_ref().and_then(|regex| regex.find(text)) {
            let single = &escaped.as_str()[1..];
            let failure = Failure::usage(format!(
                "\"{}\" reaches the container with both \"$\"",
                escaped.as_str()
            ));
            return Some(failure.hint(format!("only compose files escape it: write \"{single}\"")));
        }
        // A shell in the container replaces its own variables.
        if in_shell || words {
            return None;
        }
    }
    if let Some(found) = BRACED.as_ref().and_then(|regex| regex.captures(text)) {
        let whole = found.get(0)?;
        let escaped = text[..whole.start()].ends_with('$');
        let call = match (
            found.get(2).map(|operator| operator.as_str()),
            found.get(3).map(|rest| rest.as_str()),
        ) {
            (Some(":-" | "-"), Some(default)) => format!("env(\"{}\", {default:?})", &found[1]),
            _ => format!("env(\"{}\")", &found[1]),
        };
        let failure = Failure::usage(format!(
            "\"{}\" reaches the container unchanged: nothing inserts a value",
            whole.as_str()
        ));
        return Some(if whole.as_str() == text {
            failure.hint(format!("write {call}"))
        } else if escaped {
            failure.hint("only compose files escape \"$\": write one \"$\", and use backticks to insert a value")
        } else {
            failure.hint(format!(
                "write `{}`",
                text.replacen(whole.as_str(), &format!("${{{call}}}"), 1)
            ))
        });
    }
    let found = BARE.as_ref().and_then(|regex| regex.captures(text))?;
    let name = found.get(1)?.as_str();
    let failure = Failure::usage(format!(
        "\"${name}\" reaches the container unchanged: nothing inserts a value"
    ));
    let whole = format!("${name}");
    Some(if whole == text {
        failure.hint(format!("write env(\"{name}\")"))
    } else {
        failure
            .hint(format!("write `{}`", text.replacen(&whole, &format!("${{env(\"{name}\")}}"), 1)))
    })
}
