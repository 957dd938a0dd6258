//! Lines of `.env` that nothing reads. Usually the name is misspelt, and the default is silently
//! used.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::context::Context;
use crate::host::FileKind;
use crate::model::event::{Event, Level};
use crate::model::suggest::nearest;
use crate::policy::CheckedPath;

/// Variables of Compose, Docker, BuildKit and spc themselves.
const OF_TOOLS: [&str; 4] = ["COMPOSE_", "DOCKER_", "BUILDKIT_", "SPC_"];
/// Files that may use a variable: runbooks, compose files, `.env.example`.
const READERS: [&str; 4] = ["rhai", "yml", "yaml", "example"];

/// Reports the lines of `.env` that nothing has read in this run and that no file of the project
/// mentions.
pub(super) fn hint(context: &Context) {
    let read = context.script.variables_read();
    let unread = |name: &&String| {
        !read.contains(*name) && !OF_TOOLS.iter().any(|prefix| name.starts_with(prefix))
    };
    let names: Vec<&String> = context.project.files.keys().filter(unread).collect();
    if names.is_empty() {
        return;
    }
    let texts = texts(context);
    let mut unspoken: BTreeSet<&str> = names.into_iter().map(String::as_str).collect();
    for word in texts.iter().flat_map(|text| words(text)) {
        unspoken.remove(word);
    }
    if unspoken.is_empty() {
        return;
    }
    let spoken_of: BTreeSet<&str> = texts.iter().flat_map(|text| words(text)).collect();
    for name in unspoken {
        let known = read
            .iter()
            .map(String::as_str)
            .chain(spoken_of.iter().copied())
            .filter(|known| looks_like_one(known));
        let meant = nearest(name, known)
            .map_or_else(String::new, |near| format!("; did you mean \"{near}\"?"));
        // Other texts may be lines of a key without its quotes.
        let named =
            if looks_like_one(name) { format!(" \"{name}\"") } else { " of this line".to_owned() };
        let text = format!(
            "{}: nothing uses the variable{named}{meant}",
            context.project.files[name].place
        );
        context.events.event(&Event::Log { level: Level::Warning, text });
    }
}

fn looks_like_one(word: &str) -> bool {
    word.chars().any(|c| c.is_ascii_uppercase()) && !word.chars().any(|c| c.is_ascii_lowercase())
}

/// The files of the project that may read variables.
fn texts(context: &Context) -> Vec<String> {
    let root = context.project.scripts.clone().map(CheckedPath::root_itself);
    let directory = CheckedPath::root_itself(&context.project.directory);
    let folders = root.into_iter().flat_map(|root| [root.join("scripts"), root]).chain([directory]);
    // The same folder may be below two roots.
    let folders: BTreeMap<PathBuf, CheckedPath> =
        folders.map(|folder| (folder.as_path().to_owned(), folder)).collect();
    let paths = folders.values().flat_map(|folder| readers(context, folder));
    // A file that can't be read counts as no reader.
    paths
        .filter_map(|path| context.host.read(&path).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

fn readers(context: &Context, folder: &CheckedPath) -> Vec<CheckedPath> {
    let entries = context.host.list(folder).unwrap_or_default().into_iter();
    let is_reader =
        |name: &str| name.rsplit_once('.').is_some_and(|(_, end)| READERS.contains(&end));
    entries
        .filter(|entry| entry.kind == FileKind::File && is_reader(&entry.name))
        .map(|entry| folder.join(entry.name))
        .collect()
}
