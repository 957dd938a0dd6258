//! The records that spc keeps between runs, in the project's `.spc/` folder: passes of its own
//! probes, containers that it stopped, and the key of the secrets' fingerprints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::Sha256;

use super::record_file::{self, RECORD_MODE, RecordError};
use super::startup_history::StartupHistory;
use crate::host::records_folder::{make_folder, usable_folder};
use crate::host::{Host, HostError, HostErrorKind};
use crate::model::Failure;
use crate::model::format::{self, FormatError, USE_NEWER, VersionedContent};
use crate::model::hash::hex;
use crate::model::spec::MOST_CONTAINERS;
use crate::policy::{CheckedPath, Policy};

const STATE: &str = "state.json";
const KEY: &str = "key.json";
/// The next step where the key can't be used.
const REMOVE_KEY: &str = "remove it, and spc creates a new one";

/// The record of one project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Container → its start (in the engine's form) at which spc's probe passed.
    pub passes: BTreeMap<String, String>,
    /// Container → milliseconds from the beginning of its start until it was ready.
    pub ready: BTreeMap<String, u64>,
    /// Service → how long its containers took to become ready.
    #[serde(rename = "paces")]
    pub startup_histories: BTreeMap<String, StartupHistory>,
    /// Containers that spc stopped.
    pub stopped: BTreeSet<String>,
    /// Networks and volumes of Docker Compose that this project adopted.
    pub adopted: BTreeSet<String>,
    /// Volumes that the description marks as shared. External ones and those of Docker Compose have
    /// no label for this.
    pub shared: BTreeSet<String>,
    /// Numbers of containers that `scale` set for services without a number in the description;
    /// kept until `down`.
    pub scales: BTreeMap<String, Scale>,
    /// `guarded` functions that began and did not end, by their labels: killed, or ended by a
    /// second Ctrl-C.
    pub guarded: BTreeMap<String, UnfinishedGuard>,
}

/// A `guarded` function that did not end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedGuard {
    /// The id of the run.
    pub run: String,
    /// `spc run restore.rhai`.
    pub command: String,
    /// RFC 3339.
    pub since: String,
    /// Its undo list, last entry first.
    pub undo: Vec<String>,
    /// Set if it ended and this could not be undone. Otherwise it was cut off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

impl State {
    /// Removes the records of containers that no longer exist.
    pub fn keep_only(&mut self, is_there: impl Fn(&str) -> bool) {
        self.passes.retain(|id, _| is_there(id));
        self.ready.retain(|id, _| is_there(id));
        self.stopped.retain(|id| is_there(id));
    }
}

/// A number of containers that is valid as long as the description has not changed since it was
/// set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    #[serde(deserialize_with = "count")]
    pub described: u32,
    #[serde(deserialize_with = "count")]
    pub wanted: u32,
}

/// A number of containers that a description could also have.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let count = u32::deserialize(deserializer)?;
    if count > MOST_CONTAINERS {
        let message = format!("{count} containers of one service are more than {MOST_CONTAINERS}");
        return Err(serde::de::Error::custom(message));
    }
    Ok(count)
}

/// The key of the fingerprints, with its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Key {
    id: String,
    /// Hexadecimal.
    key: String,
}

/// A cache of each project's records, for one verb.
#[derive(Default)]
pub struct ReadRecords {
    states: Mutex<BTreeMap<String, Result<Arc<State>, RecordError>>>,
    keys: Mutex<BTreeMap<String, Key>>,
}

/// Reads and writes the records of a project. Each record is read once, and again before a change
/// and by [`Self::read_again`], because other runs may have changed it.
pub struct Records<'a> {
    host: &'a dyn Host,
    policy: &'a Policy,
    project: &'a str,
    read: Arc<ReadRecords>,
}

impl<'a> Records<'a> {
    /// The records of `project` in the project directory of `policy`.
    pub fn new(host: &'a dyn Host, policy: &'a Policy, project: &'a str) -> Self {
        Self { host, policy, project, read: Arc::default() }
    }

    /// The same, with the records that others have already read.
    #[must_use]
    pub fn sharing(self, read: Arc<ReadRecords>) -> Self {
        Self { read, ..self }
    }

    /// `.spc`, or the reason why it is not used.
    fn folder(&self) -> Result<CheckedPath, HostError> {
        usable_folder(self.host, self.policy)
    }

    fn path(&self, name: &str) -> Result<CheckedPath, HostError> {
        Ok(self.folder()?.join(self.project).join(name))
    }

    /// The record; empty if there is none or it can't be read. A verb that depends on it first
    /// calls [`Self::check`].
    pub fn state(&self) -> Arc<State> {
        self.known().unwrap_or_default()
    }

    /// Fails if a record exists that this spc can't read or does not understand.
    pub fn check(&self) -> Result<(), Failure> {
        let Err(error) = self.known() else { return Ok(()) };
        let path = self.path(STATE)?;
        Err(error.failure(
            &format!("the record of the project \"{}\"", self.project),
            path.as_path(),
            "remove it; spc then forgets numbers set with `scale`, and objects of Docker Compose need --adopt again",
        ))
    }

    /// Reads the record again after a wait for the lock, because another run may have changed it.
    pub fn read_again(&self) {
        let _ = self.read();
    }

    fn known(&self) -> Result<Arc<State>, RecordError> {
        let known = self.read.states.lock().get(self.project).cloned();
        known.unwrap_or_else(|| self.read())
    }

    fn read(&self) -> Result<Arc<State>, RecordError> {
        self.know(self.read_file().map(Arc::new))
    }

    fn know(&self, state: Result<Arc<State>, RecordError>) -> Result<Arc<State>, RecordError> {
        self.read.states.lock().insert(self.project.to_owned(), state.clone());
        state
    }

    /// Only a file that does not exist counts as missing: nothing else stores the numbers set with
    /// `scale`.
    fn read_file(&self) -> Result<State, RecordError> {
        let reached = self.folder().and_then(|folder| Ok((folder, self.path(STATE)?)));
        let (folder, path) =
            reached.map_err(|error| RecordError::of_host(&error, Path::new(STATE)))?;
        match record_file::read(self.host, &folder, &path)? {
            Some(bytes) => Ok(format::read_json(&bytes, format::STATE)?),
            None => Ok(State::default()),
        }
    }

    /// Changes the current record, which other tasks and runs may change too. A file that this spc
    /// can't read is not changed; [`Self::check`] reports it.
    pub fn update(&self, change: impl FnOnce(&mut State)) -> Result<(), HostError> {
        let Ok(before) = self.read() else { return self.folder().map(drop) };
        let mut state = State::clone(&before);
        change(&mut state);
        if state == *before {
            return Ok(());
        }
        self.make_folder()?;
        let content = VersionedContent::new(format::STATE, &state);
        let text = serde_json::to_vec_pretty(&content).unwrap_or_default();
        let path = self.path(STATE)?;
        // Secrets in the file are masked. An existing file keeps its mode, because its owner may
        // share it with other users.
        let mode = if self.host.info(&path).is_ok() { None } else { Some(RECORD_MODE) };
        self.host.write(&path, &text, mode)?;
        let _ = self.know(Ok(Arc::new(state)));
        Ok(())
    }

    /// The fingerprint of values: `<key id>:<fingerprint>`. The key prevents guessing the values.
    /// The first call creates the key.
    pub fn fingerprint(&self, values: &BTreeMap<String, String>) -> Result<String, HostError> {
        let key = self.key()?;
        let path = self.path(KEY)?;
        let wrong = || {
            HostError::new(
                HostErrorKind::Invalid,
                format!("could not use \"{}\": it is not a key", path.as_path().display()),
            )
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(key.key.as_bytes()).map_err(|_| wrong())?;
        for (name, value) in values {
            // The lengths separate neighbouring values.
            for part in [name, value] {
                mac.update(&part.len().to_le_bytes());
                mac.update(part.as_bytes());
            }
        }
        Ok(format!("{}:{}", key.id, &hex(&mac.finalize().into_bytes())[..32]))
    }

    fn key(&self) -> Result<Key, HostError> {
        if let Some(key) = self.read.keys.lock().get(self.project) {
            return Ok(key.clone());
        }
        let key = self.read_key()?;
        self.read.keys.lock().insert(self.project.to_owned(), key.clone());
        Ok(key)
    }

    fn read_key(&self) -> Result<Key, HostError> {
        let path = self.path(KEY)?;
        let unusable = |error: RecordError| {
            let (kind, why) = match error {
                RecordError::Content(newer @ FormatError::Newer { .. }) => {
                    (HostErrorKind::Invalid, format!("{newer}; {USE_NEWER}"))
                }
                RecordError::Content(FormatError::Garbage) => {
                    (HostErrorKind::Invalid, format!("it is not a key; {REMOVE_KEY}"))
                }
                RecordError::Content(other) => {
                    (HostErrorKind::Invalid, format!("{other}; {REMOVE_KEY}"))
                }
                RecordError::Unreadable { kind: kind @ HostErrorKind::PermissionDenied, why } => (
                    kind,
                    format!("{why}; give the user who runs spc read access to it, or {REMOVE_KEY}"),
                ),
                RecordError::Unreadable { kind, why } => (kind, format!("{why}; {REMOVE_KEY}")),
            };
            HostError::new(kind, format!("could not read \"{}\": {why}", path.as_path().display()))
        };
        let content = record_file::read(self.host, &self.folder()?, &path).map_err(unusable)?;
        if let Some(bytes) = content {
            return match format::read_json::<Key>(&bytes, format::KEY) {
                Ok(key) if key.id.is_empty() || key.key.is_empty() => {
                    Err(unusable(FormatError::Garbage.into()))
                }
                read => read.map_err(|error| unusable(error.into())),
            };
        }
        let mut bytes = [0; 40];
        self.host.random(&mut bytes);
        let key = Key { id: hex(&bytes[..8]), key: hex(&bytes[8..]) };
        self.make_folder()?;
        let content = VersionedContent::new(format::KEY, &key);
        let text = serde_json::to_vec(&content).unwrap_or_default();
        self.host.write(&path, &text, Some(RECORD_MODE))?;
        Ok(key)
    }

    fn make_folder(&self) -> Result<(), HostError> {
        let folder = self.folder()?;
        make_folder(self.host, &folder)?;
        self.host.create_folder(&folder.join(self.project))
    }
}

/// The id of a new run: its time and random digits, so that ids sort by time and are unique.
pub fn new_run(host: &dyn Host) -> String {
    let mut nonce = [0; 3];
    host.random(&mut nonce);
    format!("{}-{}", host.now().format("%Y%m%dT%H%M%S"), hex(&nonce))
}
