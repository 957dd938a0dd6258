//! What a project was last brought up with: options that its runbooks keep, such as the target and the profiles, so that no
//! other runbook turns production back into development. In `.spc/options.json` of the project directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::records;
use crate::host::{Host, HostError};

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

/// What is kept for the project; nothing if there is nothing, or it can't be read.
pub fn read(host: &dyn Host, directory: &Path, project: Option<&str>) -> Choices {
    file(host, directory).remove(project.unwrap_or_default()).unwrap_or_default()
}

/// Keeps `choices`, and what was kept of other options.
pub fn keep(host: &dyn Host, directory: &Path, project: Option<&str>, choices: &Choices) -> Result<(), HostError> {
    let before = file(host, directory);
    let mut after = before.clone();
    after.entry(project.unwrap_or_default().to_owned()).or_default().extend(choices.clone());
    if after == before || choices.is_empty() {
        return Ok(());
    }
    records::make_folder(host, directory)?;
    host.write(&path(directory), &serde_json::to_vec_pretty(&after).unwrap_or_default(), None)
}

fn file(host: &dyn Host, directory: &Path) -> File {
    host.read(&path(directory)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn path(directory: &Path) -> PathBuf {
    directory.join(records::FOLDER).join(FILE)
}
