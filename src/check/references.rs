//! Finds names that a description refers to and doesn't define.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::descriptions::{Step, pattern};
use crate::model::Failure;
use crate::model::spec::project::unknown;

/// The names of the description by kind (`services`, `networks`, …). A kind is missing if not all
/// of its names are known.
pub type KnownNames = BTreeMap<&'static str, BTreeSet<String>>;

/// The kinds of names in a description.
pub const KINDS: [&str; 5] = ["services", "networks", "volumes", "secrets", "configs"];

/// The failure for a value that refers to an unknown name.
pub fn dangling(known: &KnownNames, path: &[Step], value: &Value) -> Option<Failure> {
    let text = value.as_str()?;
    let (kind, name) = match pattern(path).as_slice() {
        ["services", "*", "depends_on", "#"] => ("service", text),
        ["services", "*", "networks", "#"] if text != "default" => ("network", text),
        ["services", "*", "secrets", "#"] | ["services", "*", "secrets", "#", "source"] => {
            ("secret", text)
        }
        ["services", "*", "configs", "#"] | ["services", "*", "configs", "#", "source"] => {
            ("config", text)
        }
        ["services", "*", "volumes", "#"] => {
            ("volume", text.split_once(':').map(|(source, _)| source)?)
        }
        _ => return None,
    };
    missing(known, kind, name)
}

/// The same for a key.
pub fn dangling_key(known: &KnownNames, path: &[Step], key: &str) -> Option<Failure> {
    match pattern(path).as_slice() {
        ["services", "*", "depends_on"] => missing(known, "service", key),
        ["services", "*", "networks"] if key != "default" => missing(known, "network", key),
        _ => None,
    }
}

fn missing(known: &KnownNames, kind: &str, name: &str) -> Option<Failure> {
    if name.starts_with(['.', '/', '~']) {
        return None;
    }
    let (_, names) = known.iter().find(|(kinds, _)| kinds.strip_suffix('s') == Some(kind))?;
    if names.contains(name) {
        return None;
    }
    let failure = unknown(kind, name, names.iter());
    Some(match kind {
        "volume" => failure.hint(format!(
            "declare \"{name}\" under \"volumes\", beside \"services\"; a path begins with \"./\""
        )),
        _ if failure.hint.is_none() => {
            failure.hint(format!("declare it under \"{kind}s\", beside \"services\""))
        }
        _ => failure,
    })
}
