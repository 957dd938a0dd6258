//! What spc remembers between runs, in the project's `.spc/` folder: own probe passes, containers
//! it stopped itself, and the key of the secrets' fingerprints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::startup_history::StartupHistory;
use crate::host::records_folder::{make_folder, usable_folder};
use crate::host::{Host, HostError, HostErrorKind};
use crate::model::format::{self, FormatError, USE_NEWER, VersionedContent};
use crate::model::hash::hex;
use crate::model::{Failure, Kind};
use crate::policy::{CheckedPath, Policy};

const STATE: &str = "state.json";
const KEY: &str = "key.json";

/// What is remembered of one project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Container → its start (the engine's own text) at which spc's probe passed.
    pub passes: BTreeMap<String, String>,
    /// Container → milliseconds from the begin of its start until it was ready.
    pub ready: BTreeMap<String, u64>,
    /// Service → how long its containers took to get ready.
    #[serde(rename = "paces")]
    pub startup_histories: BTreeMap<String, StartupHistory>,
    /// Containers that spc stopped.
    pub stopped: BTreeSet<String>,
    /// Networks and volumes that Docker Compose made and this project took over.
    pub adopted: BTreeSet<String>,
    /// Volumes that the description marks as shared: those of Docker Compose and external ones
    /// carry no label that says it.
    pub shared: BTreeSet<String>,
    /// Numbers of containers set with `scale`, of services whose description has none, until
    /// `down`.
    pub scales: BTreeMap<String, Scale>,
    /// `guarded` functions that began and did not end, by their labels: killed, or left by a
    /// second Ctrl-C.
    pub guarded: BTreeMap<String, UnfinishedGuard>,
}

/// A `guarded` function that did not end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnfinishedGuard {
    /// The run's id.
    pub run: String,
    /// `spc run restore.rhai`.
    pub command: String,
    /// RFC 3339.
    pub since: String,
    /// What its undo list holds, the last first.
    pub undo: Vec<String>,
    /// It ended, and this could not be undone. Else it was cut off.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

impl State {
    /// Forgets containers that are gone.
    pub fn keep_only(&mut self, is_there: impl Fn(&str) -> bool) {
        self.passes.retain(|id, _| is_there(id));
        self.ready.retain(|id, _| is_there(id));
        self.stopped.retain(|id| is_there(id));
    }
}

/// A number of containers that holds as long as the description says what it said when it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    pub described: u32,
    pub wanted: u32,
}

/// The key of the fingerprints, and its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Key {
    id: String,
    /// Hexadecimal.
    key: String,
}

/// What was read of each project's records: what one verb knows of them.
#[derive(Default)]
pub struct ReadRecords {
    states: Mutex<BTreeMap<String, Result<Arc<State>, FormatError>>>,
    keys: Mutex<BTreeMap<String, Key>>,
}

/// Reads and writes the records of a project. What was read once is not read again, but before it
/// is changed and by [`Self::read_again`]: other runs may have changed it.
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

    /// The same, knowing what others read already.
    #[must_use]
    pub fn sharing(self, read: Arc<ReadRecords>) -> Self {
        Self { read, ..self }
    }

    /// `.spc`, or why it is not used.
    fn folder(&self) -> Result<CheckedPath, HostError> {
        usable_folder(self.host, self.policy)
    }

    fn path(&self, name: &str) -> Result<CheckedPath, HostError> {
        Ok(self.folder()?.join(self.project).join(name))
    }

    /// What is remembered; nothing if there is nothing, or it can't be read. A verb that goes by it
    /// begins with [`Self::check`].
    pub fn state(&self) -> Arc<State> {
        self.known().unwrap_or_default()
    }

    /// Fails where something is remembered that this spc does not understand.
    pub fn check(&self) -> Result<(), Failure> {
        let Err(unreadable) = self.known() else { return Ok(()) };
        let path = self.path(STATE)?;
        Err(Failure::new(
            Kind::Failed,
            format!(
                "What spc remembers of the project \"{}\" can't be read from \"{}\": {unreadable}",
                self.project,
                path.as_path().display()
            ),
        )
        .hint(match unreadable {
            FormatError::Newer { .. } => USE_NEWER,
            FormatError::Garbage => {
                "fix the file, or remove it: then numbers set with `scale` are forgotten, and what Docker Compose made needs --adopt again"
            }
        }))
    }

    /// Reads what another run may have changed since: the lock was waited for.
    pub fn read_again(&self) {
        let _ = self.read();
    }

    fn known(&self) -> Result<Arc<State>, FormatError> {
        let known = self.read.states.lock().get(self.project).cloned();
        known.unwrap_or_else(|| self.read())
    }

    fn read(&self) -> Result<Arc<State>, FormatError> {
        self.know(self.read_file().map(Arc::new))
    }

    fn know(&self, state: Result<Arc<State>, FormatError>) -> Result<Arc<State>, FormatError> {
        self.read.states.lock().insert(self.project.to_owned(), state.clone());
        state
    }

    /// A file that can't be reached counts as none: records on a disk that is read-only or full
    /// only spare work.
    fn read_file(&self) -> Result<State, FormatError> {
        match self.path(STATE).and_then(|path| self.host.read(&path)) {
            Ok(bytes) => format::read_json(&bytes, format::STATE),
            Err(_) => Ok(State::default()),
        }
    }

    /// Changes what is remembered, as it is now: other tasks and runs change it too. A file that
    /// this spc does not understand is left as it is: [`Self::check`] says so.
    pub fn update(&self, change: impl FnOnce(&mut State)) -> Result<(), HostError> {
        let Ok(before) = self.read() else { return Ok(()) };
        let mut state = State::clone(&before);
        change(&mut state);
        if state == *before {
            return Ok(());
        }
        self.make_folder()?;
        let content = VersionedContent::new(format::STATE, &state);
        let text = serde_json::to_vec_pretty(&content).unwrap_or_default();
        self.host.write(&self.path(STATE)?, &text, None)?;
        let _ = self.know(Ok(Arc::new(state)));
        Ok(())
    }

    /// `<key id>:<fingerprint>` of values, keyed so that none can be guessed. The key is made at
    /// the first call.
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
            // Lengths keep neighbours apart.
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
        match self.host.read(&path) {
            Ok(bytes) => format::read_json(&bytes, format::KEY).map_err(|unreadable| {
                let why = match unreadable {
                    FormatError::Newer { .. } => format!("{unreadable}; {USE_NEWER}"),
                    FormatError::Garbage => {
                        "it is not a key; remove it to have a new one made".to_owned()
                    }
                };
                HostError::new(
                    HostErrorKind::Invalid,
                    format!("could not read \"{}\": {why}", path.as_path().display()),
                )
            }),
            Err(error) if error.kind == HostErrorKind::NotFound => {
                let mut bytes = [0; 40];
                self.host.random(&mut bytes);
                let key = Key { id: hex(&bytes[..8]), key: hex(&bytes[8..]) };
                self.make_folder()?;
                self.host.write(
                    &path,
                    &serde_json::to_vec(&VersionedContent::new(format::KEY, &key))
                        .unwrap_or_default(),
                    Some(0o600),
                )?;
                Ok(key)
            }
            Err(error) => Err(error),
        }
    }

    fn make_folder(&self) -> Result<(), HostError> {
        let folder = self.folder()?;
        make_folder(self.host, &folder)?;
        self.host.create_folder(&folder.join(self.project))
    }
}

/// The id of a new run: its time and some randomness, so that ids sort by time and never meet.
pub fn new_run(host: &dyn Host) -> String {
    let mut nonce = [0; 3];
    host.random(&mut nonce);
    format!("{}-{}", host.now().format("%Y%m%dT%H%M%S"), hex(&nonce))
}
