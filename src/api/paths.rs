//! Checks paths of scripts against the policy and the files of the host.

use std::path::Path;

use bytes::Bytes;

use super::context::Context;
use super::secret_rules;
use crate::host::HostErrorKind;
use crate::host::resolve::resolve;
use crate::model::Failure;
use crate::model::suggest::nearest;
use crate::policy::CheckedPath;

/// A path to read; relative to the project directory.
pub fn to_read(context: &Context, given: &str) -> Result<CheckedPath, Failure> {
    Ok(context
        .policy
        .read_path(Path::new(not_empty(given)?), &|path| resolve(context.host.as_ref(), path))?)
}

/// The content of a file; one that is not there comes with the path that was probably meant.
pub fn read(context: &Context, given: &str) -> Result<Bytes, Failure> {
    let path = to_read(context, given)?;
    context.host.read(&path).map_err(|error| {
        let near = (error.kind == HostErrorKind::NotFound).then(|| meant(context, given));
        let failure = Failure::from(error);
        match near.flatten() {
            Some(near) => failure.hint(format!("did you mean \"{near}\"?")),
            None => failure,
        }
    })
}

/// The path of a file that differs in one misspelt name from `given`, where nothing is.
pub(super) fn meant(context: &Context, given: &str) -> Option<String> {
    const LONGEST: usize = 256;
    const MOST_ENTRIES: usize = 1_000;
    if given.len() > LONGEST {
        return None;
    }
    let names: Vec<&str> = given.split('/').collect();
    let upto = |end: usize| names[..end].join("/");
    let wrong = (1..=names.len()).find(|&end| !exists(context, &upto(end)).unwrap_or(true))?;
    let folder = if wrong == 1 { ".".to_owned() } else { upto(wrong - 1) };
    let entries = context.host.list(&to_read(context, &folder).ok()?).ok()?;
    let near = nearest(
        names[wrong - 1],
        entries.iter().take(MOST_ENTRIES).map(|entry| entry.name.as_str()),
    )?;
    let mut corrected = names.clone();
    corrected[wrong - 1] = near;
    let corrected = corrected.join("/");
    exists(context, &corrected).ok()?.then_some(corrected)
}

/// A path to write, create or remove; relative to the project directory.
pub fn to_write(context: &Context, given: &str) -> Result<CheckedPath, Failure> {
    Ok(context
        .policy
        .write_path(Path::new(not_empty(given)?), &|path| resolve(context.host.as_ref(), path))?)
}

/// The same; a missing folder is created.
pub fn to_create(context: &Context, given: &str) -> Result<CheckedPath, Failure> {
    let path = to_write(context, given)?;
    if let Some(folder) = path.parent() {
        context.host.create_folder(&folder)?;
    }
    Ok(path)
}

/// Whether something exists at a path that may be read.
pub fn exists(context: &Context, given: &str) -> Result<bool, Failure> {
    match context.host.info(&to_read(context, given)?) {
        Ok(_) => Ok(true),
        Err(error) if error.kind == HostErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn not_empty(given: &str) -> Result<&str, Failure> {
    secret_rules::none_in(given, "a path")?;
    if given.is_empty() {
        Err(Failure::usage("A path is empty").hint("\".\" is the project directory"))
    } else {
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    #[test]
    fn a_misspelt_path_comes_with_the_one_that_was_meant() {
        let trial = Harness::on(|host| {
            host.with_file("/project/config/nginx.conf", "x").with_file("/project/note.txt", "x")
        });
        for (given, meant) in [
            ("confg/nginx.conf", Some("config/nginx.conf")),
            ("config/ngnix.conf", Some("config/nginx.conf")),
            ("nte.txt", Some("note.txt")),
            ("confg/other.conf", None),
            ("something", None),
        ] {
            for call in ["fs::read", "json::read", "yaml::read"] {
                let failure = trial.fails(&format!("{call}(\"{given}\")"));
                let hint = meant.map(|path| format!("did you mean \"{path}\"?"));
                assert_eq!((failure.kind.word(), failure.hint), ("not_found", hint), "{given}");
            }
        }
    }
}
