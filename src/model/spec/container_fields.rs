//! Fields of a service with a syntax that the engine prescribes. The engine rejects other values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reader::Field;
use crate::model::names::{ENGINE_NAME, LOCK_SUFFIX, NEW_SUFFIX, is_engine_name, is_like_id};
use crate::model::ownership::reserved_name;
use crate::model::{Failure, signal};

/// The highest number of a user or group for a container.
const LAST_ID: i64 = 0x7fff_ffff;

/// A folder in the container.
pub(super) fn working_dir(field: &Field<'_>) -> Result<String, Failure> {
    let folder = field.name_text()?;
    if folder.starts_with('/') {
        return Ok(folder);
    }
    Err(field
        .fail(format!(
            "The working directory \"{folder}\" has to be an absolute path in the container"
        ))
        .hint(format!("write \"/{}\"", folder.trim_start_matches("./"))))
}

/// A signal, by name or number.
pub(super) fn stop_signal(field: &Field<'_>) -> Result<String, Failure> {
    let text = field.name_text()?;
    if signal::is_signal(&text) {
        return Ok(text);
    }
    Err(field.fail(format!("\"{text}\" is not a signal")).hint(signal::hint(&text)))
}

/// The longest name of a release: as long as the tag of an image may be.
const LONGEST_RELEASE: usize = 128;

/// The name of a release, with the characters of an image's tag: it stands in labels and records.
pub(super) fn release(field: &Field<'_>) -> Result<String, Failure> {
    let text = field.scalar()?;
    let is_name = text.len() <= LONGEST_RELEASE
        && text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if is_name {
        return Ok(text);
    }
    Err(field.fail(format!("\"{}\" is not a name of a release", text.escape_debug())).hint(
        "up to 128 letters, digits, \"_\", \".\" and \"-\", as in the tag of an image: \"v2\"",
    ))
}

/// `USER`, `USER:GROUP`: names in the image, or numbers.
pub(super) fn user(field: &Field<'_>) -> Result<String, Failure> {
    let text = field.scalar()?;
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(field
            .fail(format!("\"{}\" is not a user: a name has no spaces", text.escape_debug()))
            .hint("write \"USER\" or \"USER:GROUP\", names or numbers"));
    }
    let is_out = |part: &str| part.parse::<i64>().is_ok_and(|id| !(0..=LAST_ID).contains(&id));
    match text.split(':').find(|part| is_out(part)) {
        Some(id) => Err(field
            .fail(format!("\"{id}\" is not the number of a user or group"))
            .hint(format!("numbers go from 0 to {LAST_ID}"))),
        None => Ok(text),
    }
}

/// Variables with names: a map, or a list of `KEY=value`.
pub(super) fn environment(
    field: &Field<'_>,
    bare: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, Failure> {
    let nameless = |field: &Field<'_>| {
        field
            .fail_key("A variable of the environment has no name")
            .hint("write \"NAME=value\", or remove it")
    };
    match field.value {
        Value::Object(_) => {
            for (key, value) in field.entries()? {
                if key.is_empty() {
                    return Err(nameless(&value));
                }
                if let Some((name, rest)) = key.split_once('=') {
                    return Err(value
                        .fail_key(format!("The name \"{key}\" of a variable contains a \"=\""))
                        .hint(format!("the engine would set \"{name}\" to a value that begins with \"{rest}=\"; remove the \"=\"")));
                }
            }
        }
        Value::Array(_) => {
            let items = field.list()?;
            if let Some(item) = items.iter().find(|item| {
                item.value.as_str().is_some_and(|text| text.is_empty() || text.starts_with('='))
            }) {
                return Err(nameless(item));
            }
        }
        _ => {}
    }
    field.pairs(bare)
}

/// A name that the engine accepts. Names in the form that spc uses for locks and replacements are
/// rejected, because spc would confuse them.
pub(super) fn container_name(field: &Field<'_>) -> Result<String, Failure> {
    let name = field.name_text()?;
    // The engine ignores a slash before a name.
    if !is_engine_name(name.strip_prefix('/').unwrap_or(&name)) {
        return Err(field.fail(format!("A container can't be named \"{name}\"")).hint(ENGINE_NAME));
    }
    if is_like_id(name.trim_start_matches('/')) {
        return Err(field
            .fail(format!("A container can't be named \"{name}\": the engine would read the name as the id of another container"))
            .hint("choose a name that is not 12 or 64 hexadecimal digits"));
    }
    match reserved_name(&name) {
        Some(what) => Err(field
            .fail(format!("A container can't be named \"{name}\": spc gives such a name to {what}"))
            .hint(format!(
                "choose a name that does not end in \"{LOCK_SUFFIX}\" or \"{NEW_SUFFIX}\""
            ))),
        None => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::super::{Project, ReadOptions};

    /// The mistake in one key of a service, as `path: message (hint)`.
    fn read(more: Value) -> Result<(), String> {
        let mut service = json!({"image": "x"});
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let options = ReadOptions { directory: Path::new("/srv"), lookup: &|_| None };
        Project::read("spc", &json!({"services": {"a": service}}), &options).map(drop).map_err(
            |failure| {
                format!(
                    "{}: {} ({})",
                    failure.path.unwrap().keys[2..].join("."),
                    failure.message,
                    failure.hint.unwrap_or_default()
                )
            },
        )
    }

    #[test]
    fn values_that_the_engine_rejects_are_rejected_with_their_position() {
        const NAME: &str = "a name has two characters or more: letters, digits, \"_\", \".\" and \"-\", beginning with a letter or digit";
        for (more, message) in [
            (
                json!({"working_dir": "rel"}),
                "working_dir: The working directory \"rel\" has to be an absolute path in the container (write \"/rel\")".to_owned(),
            ),
            (
                json!({"working_dir": "./x"}),
                "working_dir: The working directory \"./x\" has to be an absolute path in the container (write \"/x\")".to_owned(),
            ),
            (json!({"stop_signal": "SIGTREM"}), "stop_signal: \"SIGTREM\" is not a signal (did you mean \"SIGTERM\"?)".to_owned()),
            (
                json!({"stop_signal": "0"}),
                "stop_signal: \"0\" is not a signal (write a name like \"SIGTERM\", or a number from 1 to 64)".to_owned(),
            ),
            (json!({"user": -1}), "user: \"-1\" is not the number of a user or group (numbers go from 0 to 2147483647)".to_owned()),
            (
                json!({"user": "0:4294967296"}),
                "user: \"4294967296\" is not the number of a user or group (numbers go from 0 to 2147483647)".to_owned(),
            ),
            (
                json!({"user": "a b"}),
                "user: \"a b\" is not a user: a name has no spaces (write \"USER\" or \"USER:GROUP\", names or numbers)".to_owned(),
            ),
            (
                json!({"user": "app:\n"}),
                "user: \"app:\\n\" is not a user: a name has no spaces (write \"USER\" or \"USER:GROUP\", names or numbers)".to_owned(),
            ),
            (json!({"container_name": "a b"}), format!("container_name: A container can't be named \"a b\" ({NAME})")),
            (json!({"container_name": "a"}), format!("container_name: A container can't be named \"a\" ({NAME})")),
            (json!({"container_name": "/_ab"}), format!("container_name: A container can't be named \"/_ab\" ({NAME})")),
            (
                json!({"environment": {"": "x"}}),
                "environment.: A variable of the environment has no name (write \"NAME=value\", or remove it)".to_owned(),
            ),
            (
                json!({"environment": ["A=1", "=x"]}),
                "environment.1: A variable of the environment has no name (write \"NAME=value\", or remove it)".to_owned(),
            ),
            (
                json!({"environment": {"A=B": "c"}}),
                "environment.A=B: The name \"A=B\" of a variable contains a \"=\" (the engine would set \"A\" to a value that begins \
                 with \"B=\"; remove the \"=\")"
                    .to_owned(),
            ),
        ] {
            assert_eq!(read(more.clone()), Err(message), "{more}");
        }
    }

    #[test]
    fn values_that_the_engine_accepts_are_accepted() {
        for more in [
            json!({"working_dir": "/a/../b c"}),
            json!({"stop_signal": "sigrtmin+3"}),
            json!({"stop_signal": "15"}),
            json!({"user": "1000:1000"}),
            json!({"user": 2_147_483_647}),
            json!({"user": ""}),
            json!({"user": "app:0"}),
            json!({"container_name": "/Ab.c_d-e"}),
            json!({"environment": ["A", "A B=1", "C=x=y"]}),
            json!({"environment": {"A.b": null}}),
        ] {
            assert_eq!(read(more.clone()), Ok(()), "{more}");
        }
    }
}
