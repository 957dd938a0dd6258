//! The compose files of a project: finds them, and explains why one can't be read.

use super::context::Context;
use super::paths;
use crate::compose::file::{FILE_NAMES, OVERRIDE_NAMES};
use crate::host::FileKind;
use crate::host::resolve::shown;
use crate::model::Failure;
use crate::model::event::{Event, Level};
use crate::model::suggest::nearest;

/// The variable with the project's compose files, and the one with their separator.
const FILE: &str = "COMPOSE_FILE";
const SEPARATOR: &str = "COMPOSE_PATH_SEPARATOR";

/// The compose files that the project names, or the one with a default name. Named files need not
/// exist.
pub fn default_files(context: &Context) -> Vec<String> {
    let named = named_files(context);
    if !named.is_empty() {
        return named;
    }
    FILE_NAMES
        .into_iter()
        .find(|name| paths::exists(context, name).unwrap_or(false))
        .map(str::to_owned)
        .into_iter()
        .collect()
}

/// The failure for one of the [`default_files`] that can't be read.
pub fn unreadable(context: &Context, name: &str) -> Failure {
    let by = if named_files(context).is_empty() { "" } else { ", which COMPOSE_FILE names" };
    could_not_read(context, name, by)
}

/// The failure for a compose file that a script names and that can't be read.
pub fn unreadable_of_script(context: &Context, name: &str) -> Failure {
    could_not_read(context, name, "")
}

fn could_not_read(context: &Context, name: &str, by: &str) -> Failure {
    let failure = Failure::usage(format!("Could not read the compose file \"{name}\"{by}"));
    let kind = paths::to_read(context, name)
        .ok()
        .and_then(|path| context.host.info(&path).ok())
        .map(|found| found.kind);
    match kind {
        Some(FileKind::Folder) => {
            failure.hint("it is a folder: a compose file is a file of that name")
        }
        Some(_) => failure.hint("check whether you have read access to it"),
        None => match paths::meant(context, name) {
            Some(near) => failure.hint(format!("did you mean \"{near}\"?")),
            None => failure.hint("a path is relative to the project directory"),
        },
    }
}

/// The error in the file names of `COMPOSE_FILE`, if there is one.
pub fn wrong_names(context: &Context) -> Option<Failure> {
    let named = named_files(context);
    (named.len() > 1).then(|| {
        Failure::usage(format!(
            "{FILE} names several files, \"{}\", which is not supported yet",
            named.join("\", \"")
        ))
        .hint(format!("name one: compose(\"{}\")", named[0]))
    })
}

/// The files of `COMPOSE_FILE`, separated by `COMPOSE_PATH_SEPARATOR`, by default a colon.
fn named_files(context: &Context) -> Vec<String> {
    let separator =
        context.variable(SEPARATOR).filter(|separator| !separator.is_empty()).unwrap_or(":");
    let given = context.variable(FILE).unwrap_or_default();
    given.split(separator).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The failure for a compose file that is not there.
pub(super) fn missing(context: &Context, path: &str) -> Failure {
    let failure = Failure::usage(format!("There is no compose file \"{path}\""));
    let there: Vec<&str> = FILE_NAMES
        .into_iter()
        .filter(|name| paths::exists(context, name).unwrap_or(false))
        .collect();
    let near = paths::meant(context, path)
        .or_else(|| nearest(path, there.iter().copied()).map(str::to_owned))
        .or_else(|| there.first().map(|name| (*name).to_owned()));
    match near {
        Some(near) => failure.hint(format!("did you mean \"{near}\"?")),
        None => failure.hint("a path is relative to the project directory"),
    }
}

/// The compose file of the project: `COMPOSE_FILE`, or the first existing one of the names that
/// Compose knows.
pub(super) fn found(context: &Context) -> Result<String, Failure> {
    if let Some(failure) = wrong_names(context) {
        return Err(failure);
    }
    if let Some(named) = named_files(context).pop() {
        return Ok(named);
    }
    let there = |names: [&'static str; 4]| -> Result<Vec<&str>, Failure> {
        names
            .into_iter()
            .filter_map(|name| {
                paths::exists(context, name).map(|yes| yes.then_some(name)).transpose()
            })
            .collect()
    };
    let files = there(FILE_NAMES)?;
    let Some((first, others)) = files.split_first() else {
        let folder = shown(&*context.host, &context.project.directory);
        return Err(Failure::usage(format!("There is no compose file in \"{folder}\"")).hint(
            format!(
                "name it {}, or pass another name: compose(\"stack.yaml\")",
                FILE_NAMES.join(", ")
            ),
        ));
    };
    if let Some(over) = there(OVERRIDE_NAMES)?.first() {
        // Compose would merge this file. If spc ignored it, the stack would differ from Compose's.
        return Err(Failure::usage(format!(
            "Compose would merge \"{over}\" into \"{first}\", which is not supported yet"
        ))
        .hint(format!("to use only the first file, write compose(\"{first}\")")));
    }
    if !others.is_empty() {
        warn(
            context,
            format!(
                "there are several compose files: spc uses \"{first}\", as Compose does, not \"{}\"",
                others.join("\", \"")
            ),
        );
    }
    Ok((*first).to_owned())
}

/// Prints a warning about a compose file.
pub(super) fn warn(context: &Context, text: String) {
    context.events.event(&Event::Log { level: Level::Warning, text });
}
