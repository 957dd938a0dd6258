//! The options of the last `up` that a project keeps, such as the target and the profiles, so that
//! another runbook doesn't turn production back into development. Stored in `.spc/options.json` of
//! the project directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record_file::{self, RECORD_MODE};
use crate::host::resolve::named;
use crate::host::{Host, records_folder};
use crate::model::Failure;
use crate::model::format::{self, FormatError, VersionedContent};
use crate::policy::{CheckedPath, Policy};

const FILE: &str = "options.json";

/// The value of an option when the project was brought up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedOption {
    /// As on the command line.
    pub value: String,
    /// The value in `.env` for the option at that time, if any. Once `.env` has another value, that
    /// one counts.
    pub described: Option<String>,
    /// The project that was brought up; unknown in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// Option → its value.
pub type SavedOptions = BTreeMap<String, SavedOption>;

/// By the project's name, and below the empty name for runs without `--project`. The values of one
/// project are equal below both.
type File = BTreeMap<String, SavedOptions>;

/// The content beside the version. Version 1 is the [`File`] alone.
#[derive(Serialize, Deserialize)]
struct Content {
    projects: File,
}

/// For runs without `--project`: a project's name is known only after its options are.
const UNNAMED: &str = "";

/// The values for the project that `--project` named; without it, those of runs without
/// `--project`. Fails if a value can't be read, because a default instead could turn
/// production into development.
pub fn read(
    host: &dyn Host,
    policy: &Policy,
    given: Option<&str>,
) -> Result<SavedOptions, Failure> {
    Ok(file(host, &records_folder::folder(host, policy)?)?
        .remove(given.unwrap_or(UNNAMED))
        .unwrap_or_default())
}

/// Stores `choices` for `project`, beside other options and other projects, and removes the options
/// `forgotten`. `given`: the name from `--project`.
pub fn keep(
    host: &dyn Host,
    policy: &Policy,
    given: Option<&str>,
    project: &str,
    choices: &SavedOptions,
    forgotten: &BTreeSet<String>,
) -> Result<(), Failure> {
    let folder = records_folder::folder(host, policy)?;
    let before = file(host, &folder)?;
    let mut after = before.clone();
    let of_project =
        |choice: &SavedOption| SavedOption { project: Some(project.to_owned()), ..choice.clone() };
    let kept: SavedOptions =
        choices.iter().map(|(option, choice)| (option.clone(), of_project(choice))).collect();
    // A given name denotes the same project as the name in its description.
    let is_unnamed_too = before
        .get(UNNAMED)
        .is_some_and(|unnamed| unnamed.values().any(|it| it.project.as_deref() == Some(project)));
    let names = (given.is_none() || is_unnamed_too).then_some(UNNAMED).into_iter().chain([project]);
    for name in names {
        if let Some(there) = after.get_mut(name) {
            there.retain(|option, _| !forgotten.contains(option));
        }
        if !kept.is_empty() {
            after.entry(name.to_owned()).or_default().extend(kept.clone());
        }
    }
    if after == before {
        return Ok(());
    }
    records_folder::make_folder(host, &folder)?;
    let content = Content { projects: after };
    Ok(host.write(
        &folder.join(FILE),
        &serde_json::to_vec_pretty(&VersionedContent::new(format::OPTIONS, &content))
            .unwrap_or_default(),
        Some(RECORD_MODE),
    )?)
}

/// The values for `project` in another folder, which a person named as a former one.
pub fn of_folder(host: &dyn Host, folder: &str, project: &str) -> Result<SavedOptions, Failure> {
    let folder = named(host, &Path::new(folder).join(records_folder::FOLDER));
    Ok(file(host, &folder)?.remove(project).unwrap_or_default())
}

fn file(host: &dyn Host, folder: &CheckedPath) -> Result<File, Failure> {
    let path = folder.join(FILE);
    let read = record_file::read(host, folder, &path).and_then(|content| match content {
        Some(bytes) => Ok(parsed(&bytes)?),
        None => Ok(File::default()),
    });
    read.map_err(|error| {
        error.failure(
            "the saved options of the project",
            path.as_path(),
            "remove it, and pass options such as --target again",
        )
    })
}

fn parsed(bytes: &[u8]) -> Result<File, FormatError> {
    let object = format::parse_object(bytes)?;
    let version = match object.get("format") {
        // A project of that name, in the first version.
        Some(Value::Object(_)) => 1,
        _ => format::version_of(&object, format::OPTIONS)?,
    };
    let value = Value::Object(object);
    // Version 1 had no version in it, and was never written without a project.
    if value == Value::Object(serde_json::Map::new()) {
        return Err(FormatError::Garbage);
    }
    let file = match version {
        1 => serde_json::from_value(value),
        _ => serde_json::from_value(value).map(|content: Content| content.projects),
    };
    file.map_err(|_| FormatError::Garbage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::resolve::resolve;
    use crate::host::sim::SimHost;
    use crate::host::sim::executor::SimTaskExecutor;

    fn choices(tag: &str) -> SavedOptions {
        SavedOptions::from([(
            "tag".to_owned(),
            SavedOption { value: tag.to_owned(), described: None, project: None },
        )])
    }

    fn tag(host: &SimHost, policy: &Policy, given: Option<&str>) -> Option<String> {
        read(host, policy, given).unwrap().remove("tag").map(|choice| choice.value)
    }

    #[test]
    fn a_project_is_the_same_whether_its_name_is_given_or_described() {
        let host = SimHost::new(SimTaskExecutor::new(1)).with_file("/project/spc.toml", "");
        let policy = Policy::of_folder(Path::new("/project"), &|path| resolve(&host, path));
        keep(&host, &policy, None, "shop", &choices("1"), &BTreeSet::new()).unwrap();
        assert_eq!(tag(&host, &policy, Some("shop")).as_deref(), Some("1"));
        keep(&host, &policy, Some("shop"), "shop", &choices("2"), &BTreeSet::new()).unwrap();
        assert_eq!(tag(&host, &policy, None).as_deref(), Some("2"));
        // A second environment in the same folder doesn't share values with the first.
        keep(&host, &policy, Some("staging"), "staging", &choices("3"), &BTreeSet::new()).unwrap();
        assert_eq!(tag(&host, &policy, None).as_deref(), Some("2"));
        assert_eq!(tag(&host, &policy, Some("shop")).as_deref(), Some("2"));
        assert_eq!(tag(&host, &policy, Some("staging")).as_deref(), Some("3"));
        assert_eq!(tag(&host, &policy, Some("other")), None);
    }

    #[test]
    fn a_file_without_any_content_is_no_record_of_an_old_version() {
        assert_eq!(parsed(b"{}"), Err(FormatError::Garbage));
        assert_eq!(parsed(b"{\"format\": 1}"), Err(FormatError::Garbage));
        assert_eq!(parsed(b"{\"shop\": {}}").unwrap().len(), 1);
        assert!(parsed(b"{\"format\": 2, \"projects\": {}}").unwrap().is_empty());
    }

    const KEPT: &str = "/project/.spc/options.json";

    fn kept_as(text: &str) -> (SimHost, Policy) {
        let host = SimHost::new(SimTaskExecutor::new(1))
            .with_file("/project/spc.toml", "")
            .with_file(KEPT, text.to_owned());
        let policy = Policy::of_folder(Path::new("/project"), &|path| resolve(&host, path));
        (host, policy)
    }

    fn content(host: &SimHost) -> String {
        String::from_utf8(host.read(&named(host, Path::new(KEPT))).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn options_of_every_version_up_to_this_one_are_read_and_written_as_this_ones() {
        let options = r#"{"tag": {"value": "1", "described": null, "project": "format"}}"#;
        for text in [
            format!(r#"{{"": {options}, "format": {options}}}"#),
            format!(r#"{{"format": 2, "projects": {{"": {options}, "format": {options}}}}}"#),
        ] {
            let (host, policy) = kept_as(&text);
            assert_eq!(tag(&host, &policy, None).as_deref(), Some("1"), "{text}");
            assert_eq!(tag(&host, &policy, Some("format")).as_deref(), Some("1"), "{text}");
            keep(&host, &policy, None, "format", &choices("2"), &BTreeSet::new()).unwrap();
            assert!(content(&host).starts_with("{\n  \"format\": 2,\n"), "{}", content(&host));
            assert_eq!(tag(&host, &policy, Some("format")).as_deref(), Some("2"), "{text}");
        }
    }

    #[test]
    fn options_of_a_newer_version_and_garbage_are_rejected_and_kept() {
        for (text, why, hint) in [
            (
                r#"{"format": 3, "projects": {}}"#,
                "format 3 is newer than this spc, which reads formats up to 2",
                "use the version of spc that wrote it, or a later one",
            ),
            ("{bad", "its content was not written by spc", "fix the file, or remove it"),
            (
                r#"{"format": 2}"#,
                "its content was not written by spc",
                "fix the file, or remove it",
            ),
            (r#"{"format": 1, "a": 3}"#, "its content was not written by spc", "fix the file, or"),
        ] {
            let (host, policy) = kept_as(text);
            for failure in [
                read(&host, &policy, None).unwrap_err(),
                keep(&host, &policy, None, "shop", &choices("2"), &BTreeSet::new()).unwrap_err(),
            ] {
                assert_eq!(
                    failure.message,
                    format!(
                        "Could not read the saved options of the project from \"{KEPT}\": {why}"
                    )
                );
                assert!(failure.hint.unwrap().starts_with(hint), "{text}");
            }
            assert_eq!(content(&host), text);
        }
    }
}
