//! What a project was last brought up with: options that its runbooks keep, such as the target and the profiles, so that no
//! other runbook turns production back into development. In `.spc/options.json` of the project directory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::records;
use crate::host::{Host, HostErrorKind};
use crate::model::{Failure, Kind};
use crate::policy::{CheckedPath, Policy};

const FILE: &str = "options.json";

/// The value an option had when the project was brought up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// As it is written on the command line.
    pub value: String,
    /// What `.env` said for the option then, if anything: once it says something else, that counts.
    pub described: Option<String>,
}

/// Option → its choice.
pub type Choices = BTreeMap<String, Choice>;

/// By the name given with `--project`; without one it is empty.
type File = BTreeMap<String, Choices>;

/// What is kept for the project. Fails where there is something that can't be read: a default in its place could turn production
/// into development.
pub fn read(host: &dyn Host, policy: &Policy, project: Option<&str>) -> Result<Choices, Failure> {
    Ok(file(host, &records::folder(host, policy)?)?.remove(project.unwrap_or_default()).unwrap_or_default())
}

/// Keeps `choices`, and what was kept of other options and other projects. For the owner's eyes alone, as `.env` is.
pub fn keep(host: &dyn Host, policy: &Policy, project: Option<&str>, choices: &Choices) -> Result<(), Failure> {
    let folder = records::folder(host, policy)?;
    let before = file(host, &folder)?;
    let mut after = before.clone();
    after.entry(project.unwrap_or_default().to_owned()).or_default().extend(choices.clone());
    if after == before || choices.is_empty() {
        return Ok(());
    }
    records::make_folder(host, &folder)?;
    Ok(host.write(&folder.join(FILE), &serde_json::to_vec_pretty(&after).unwrap_or_default(), Some(0o600))?)
}

fn file(host: &dyn Host, folder: &CheckedPath) -> Result<File, Failure> {
    let path = folder.join(FILE);
    let failure = |why: &str| {
        Failure::new(
            Kind::Failed,
            format!("What the project was last brought up with can't be read from \"{}\": {why}", path.as_path().display()),
        )
        .hint("fix the file, or remove it and give options such as --target once more")
    };
    match host.read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| failure("it is not what spc wrote there")),
        Err(error) if error.kind == HostErrorKind::NotFound => Ok(File::default()),
        Err(error) if error.kind == HostErrorKind::SymlinkInPath => Err(error.into()),
        Err(error) => Err(failure(&error.message)),
    }
}
