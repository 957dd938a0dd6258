//! Checks parts of descriptions with the same readers that read a whole one.
//!
//! Values that are not literals are omitted. A part that can't be read alone gets the parts that it
//! needs.

use serde_json::{Map, Value, json};

use crate::api::Context;
use crate::api::describe::check_possible;
use crate::model::Failure;
use crate::model::spec::network::NEEDS_SUBNET;
use crate::model::spec::reader::WRONG_TYPE;
use crate::model::spec::{Project, ReadOptions};
use crate::model::suggest;

/// A step of a path in a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Item(usize),
}

/// A path with the key after it.
pub fn with_key(path: &[Step], key: &str) -> Vec<Step> {
    path.iter().cloned().chain([Step::Key(key.to_owned())]).collect()
}

/// A path with `*` for names that the description chooses, and `#` for items.
pub fn pattern(path: &[Step]) -> Vec<&str> {
    let own = matches!(path, [Step::Key(kind), Step::Key(_), ..] if ["services", "networks", "volumes", "secrets", "configs"].contains(&kind.as_str()));
    path.iter()
        .enumerate()
        .map(|(at, step)| match step {
            Step::Key(_) if own && at == 1 => "*",
            Step::Key(key) => key,
            Step::Item(_) => "#",
        })
        .collect()
}

/// The failure for an unknown key. `kind`: the value of the key `type` beside it; `Some(None)` if
/// that is not a literal.
pub fn unknown_key(
    context: &Context,
    path: &[Step],
    key: &str,
    kind: Option<&Option<Value>>,
) -> Option<Failure> {
    let mut beside = Map::new();
    match kind {
        // Keys beside it depend on an unknown value.
        Some(None) => return None,
        Some(Some(kind)) if key != "type" => drop(beside.insert("type".into(), kind.clone())),
        _ => {}
    }
    let child = with_key(path, key);
    let leaf = needed(&child, None);
    let leaf = if leaf.is_empty() { Value::Null } else { leaf.into() };
    let failure = read(context, &described(&child, leaf, &beside))?;
    let fits =
        failure.path.as_ref().is_some_and(|found| found.on_key && found.keys == names(&child));
    fits.then(|| renumbered(failure, &child))
}

/// The intended key, if the failure for an unknown key names it.
pub fn meant(failure: &Failure) -> Option<&str> {
    suggest::suggested(failure.hint.as_ref()?)
}

/// The failure for a map or list in place of another type.
pub fn wrong_shape(context: &Context, path: &[Step], empty: Value) -> Option<Failure> {
    let failure = read(context, &described(path, empty, &Map::new()))?;
    let fits =
        failure.path.as_ref().is_some_and(|found| !found.on_key && found.keys == names(path))
            && failure.message.contains(WRONG_TYPE);
    fits.then(|| with_stack(renumbered(failure, path), path))
}

/// The failure about a whole description, with the calls that take one.
fn with_stack(failure: Failure, path: &[Step]) -> Failure {
    if path.is_empty() && failure.hint.is_none() {
        failure.hint("it takes stack() or stack(description) or stack(name, description)")
    } else {
        failure
    }
}

/// The failure for a scalar.
pub fn wrong_value(context: &Context, path: &[Step], value: Value) -> Option<Failure> {
    let failure = read(context, &described(path, value, &Map::new()))?;
    let fits = failure.path.as_ref().is_some_and(|found| found.keys.starts_with(&names(path)));
    // The subnet beside it is known only in the whole map.
    let is_alone = failure.message.ends_with(NEEDS_SUBNET);
    (fits && !is_alone).then(|| with_stack(renumbered(failure, path), path))
}

/// The failure of a part that is completely known, with the path inside it.
pub fn refused(context: &Context, path: &[Step], value: Value) -> Option<(Failure, Vec<String>)> {
    let options = ReadOptions { directory: &context.project.directory, lookup: &|_| None };
    let failure = if path.is_empty() {
        Project::read("checked", &value, &options)
            .and_then(|project| check_possible(context, &project))
            .err()?
    } else {
        read(context, &described(path, value, &Map::new()))?
    };
    let rest = failure.path.as_ref()?.keys.strip_prefix(names(path).as_slice())?.to_vec();
    Some((renumbered(failure, path), rest))
}

/// The keys of a path in the form of failures, in a description with one item in every list.
fn names(path: &[Step]) -> Vec<String> {
    path.iter()
        .map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Item(_) => "0".to_owned(),
        })
        .collect()
}

/// The failure with the real positions of the items.
fn renumbered(mut failure: Failure, path: &[Step]) -> Failure {
    let real: Vec<String> = path
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Item(index) => index.to_string(),
        })
        .collect();
    let read = names(path);
    for end in (1..=path.len()).rev().filter(|end| read[end - 1] != real[end - 1]) {
        failure.message = failure.message.replace(&read[..end].join("."), &real[..end].join("."));
    }
    failure
}

fn read(context: &Context, description: &Value) -> Option<Failure> {
    let options = ReadOptions { directory: &context.project.directory, lookup: &|_| None };
    Project::read_parts("checked", description, &options)
        .and_then(|project| check_possible(context, &project))
        .err()
}

/// A description with only `leaf` at `path`, and the parts that it needs.
fn described(path: &[Step], leaf: Value, beside: &Map<String, Value>) -> Value {
    let mut value = leaf;
    for (at, step) in path.iter().enumerate().rev() {
        value = match step {
            Step::Item(_) => Value::Array(vec![value]),
            Step::Key(key) => {
                let mut map = needed(&path[..at], Some(key));
                if at + 1 == path.len() {
                    map.extend(beside.clone());
                }
                map.insert(key.clone(), value);
                Value::Object(map)
            }
        };
    }
    value
}

/// The other keys that the reader of a map at `path` with `key` needs.
fn needed(path: &[Step], key: Option<&str>) -> Map<String, Value> {
    let needed = match pattern(path).as_slice() {
        ["services", "*"] => json!({ "image": "x" }),
        ["services", "*", "volumes", "#"] => match key {
            Some("bind") => json!({ "type": "bind", "source": "/x", "target": "/x" }),
            Some("tmpfs") => json!({ "type": "tmpfs", "target": "/x" }),
            _ => json!({ "type": "volume", "target": "/x" }),
        },
        ["services", "*", "ports", "#"] => json!({ "target": 1 }),
        ["services", "*", "secrets" | "configs", "#"] => json!({ "source": "x" }),
        ["services", "*", "env_file"] | ["services", "*", "env_file", "#"] => {
            json!({ "path": "x" })
        }
        _ => json!({}),
    };
    match needed {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
