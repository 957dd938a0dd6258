//! What a project was last brought up with: options that its runbooks keep, such as the target and
//! the profiles, so that no other runbook turns production back into development. In
//! `.spc/options.json` of the project directory.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::records;
use crate::host::resolve::named;
use crate::host::{Host, HostErrorKind};
use crate::model::{Failure, Kind};
use crate::policy::{CheckedPath, Policy};

const FILE: &str = "options.json";

/// The value an option had when the project was brought up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// As it is written on the command line.
    pub value: String,
    /// What `.env` said for the option then, if anything: once it says something else, that
    /// counts.
    pub described: Option<String>,
    /// The project that was brought up; unknown in what earlier versions kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// Option → its choice.
pub type Choices = BTreeMap<String, Choice>;

/// By the project's name, and below the empty name what runs without `--project` go by. What was
/// kept for one project is the same below both.
type File = BTreeMap<String, Choices>;

/// What runs without `--project` go by: a project's name is not known before its options are.
const UNNAMED: &str = "";

/// What is kept for the project that `--project` named; without one for what runs without it
/// brought up. Fails where there is something that can't be read: a default in its place could turn
/// production into development.
pub fn read(host: &dyn Host, policy: &Policy, given: Option<&str>) -> Result<Choices, Failure> {
    Ok(file(host, &records::folder(host, policy)?)?
        .remove(given.unwrap_or(UNNAMED))
        .unwrap_or_default())
}

/// Keeps `choices` for `project`, and what was kept of other options and other projects. `given`:
/// the name that `--project` gave. For the owner's eyes alone, as `.env` is.
pub fn keep(
    host: &dyn Host,
    policy: &Policy,
    given: Option<&str>,
    project: &str,
    choices: &Choices,
) -> Result<(), Failure> {
    let folder = records::folder(host, policy)?;
    let before = file(host, &folder)?;
    let mut after = before.clone();
    let of_project =
        |choice: &Choice| Choice { project: Some(project.to_owned()), ..choice.clone() };
    let kept: Choices =
        choices.iter().map(|(option, choice)| (option.clone(), of_project(choice))).collect();
    // A name that was given names the same project as its description does without one.
    let is_unnamed_too = before
        .get(UNNAMED)
        .is_some_and(|unnamed| unnamed.values().any(|it| it.project.as_deref() == Some(project)));
    if given.is_none() || is_unnamed_too {
        after.entry(UNNAMED.to_owned()).or_default().extend(kept.clone());
    }
    after.entry(project.to_owned()).or_default().extend(kept);
    if after == before || choices.is_empty() {
        return Ok(());
    }
    records::make_folder(host, &folder)?;
    Ok(host.write(
        &folder.join(FILE),
        &serde_json::to_vec_pretty(&after).unwrap_or_default(),
        Some(0o600),
    )?)
}

/// What was kept for `project` in another folder, which a person says it was in before; nothing
/// where that can't be read.
pub fn of_folder(host: &dyn Host, folder: &str, project: &str) -> Choices {
    let folder = named(host, &Path::new(folder).join(records::FOLDER));
    file(host, &folder).ok().and_then(|mut file| file.remove(project)).unwrap_or_default()
}

fn file(host: &dyn Host, folder: &CheckedPath) -> Result<File, Failure> {
    let path = folder.join(FILE);
    let failure = |why: &str| {
        Failure::new(
            Kind::Failed,
            format!(
                "What the project was last brought up with can't be read from \"{}\": {why}",
                path.as_path().display()
            ),
        )
        .hint("fix the file, or remove it and give options such as --target once more")
    };
    match host.read(&path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|_| failure("it is not what spc wrote there"))
        }
        Err(error) if error.kind == HostErrorKind::NotFound => Ok(File::default()),
        Err(error) if error.kind == HostErrorKind::SymlinkInPath => Err(error.into()),
        Err(error) => Err(failure(&error.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::resolve::resolve;
    use crate::host::sim::SimHost;
    use crate::host::sim::conductor::SimConductor;

    fn choices(tag: &str) -> Choices {
        Choices::from([(
            "tag".to_owned(),
            Choice { value: tag.to_owned(), described: None, project: None },
        )])
    }

    fn tag(host: &SimHost, policy: &Policy, given: Option<&str>) -> Option<String> {
        read(host, policy, given).unwrap().remove("tag").map(|choice| choice.value)
    }

    #[test]
    fn a_project_is_the_same_whether_its_name_is_given_or_described() {
        let host = SimHost::new(SimConductor::new(1)).with_file("/project/spc.toml", "");
        let policy = Policy::of_folder(Path::new("/project"), &|path| resolve(&host, path));
        keep(&host, &policy, None, "shop", &choices("1")).unwrap();
        assert_eq!(tag(&host, &policy, Some("shop")).as_deref(), Some("1"));
        keep(&host, &policy, Some("shop"), "shop", &choices("2")).unwrap();
        assert_eq!(tag(&host, &policy, None).as_deref(), Some("2"));
        // A second environment in the same folder is none of the first one's.
        keep(&host, &policy, Some("staging"), "staging", &choices("3")).unwrap();
        assert_eq!(tag(&host, &policy, None).as_deref(), Some("2"));
        assert_eq!(tag(&host, &policy, Some("shop")).as_deref(), Some("2"));
        assert_eq!(tag(&host, &policy, Some("staging")).as_deref(), Some("3"));
        assert_eq!(tag(&host, &policy, Some("other")), None);
    }
}
