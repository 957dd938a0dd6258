//! What spc remembers between runs, in the project's `.spc/` folder: own probe passes, containers it
//! stopped itself, the key of the secrets' fingerprints, and a journal per run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::host::{Host, HostError, HostErrorKind};
use crate::model::event::{Event, Sink};
use crate::model::hash::hex;

const FOLDER: &str = ".spc";
const STATE: &str = "state.json";
const KEY: &str = "key.json";

/// Journals kept.
const RUNS_KEPT: usize = 50;

/// What is remembered of one project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Container → its start (the engine's own text) at which spc's probe passed.
    pub passes: BTreeMap<String, String>,
    /// Containers that spc stopped.
    pub stopped: BTreeSet<String>,
    /// The networks and volumes that were adopted from Docker Compose.
    pub adopted: BTreeSet<String>,
    /// Numbers of containers set with `scale`.
    pub scales: BTreeMap<String, Scale>,
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

/// Reads and writes the records of a project.
pub struct Records<'a> {
    host: &'a dyn Host,
    folder: PathBuf,
    project: &'a str,
}

impl<'a> Records<'a> {
    /// The records of `project` below `directory`.
    pub fn new(host: &'a dyn Host, directory: &std::path::Path, project: &'a str) -> Self {
        Self { host, folder: directory.join(FOLDER), project }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(self.project).join(name)
    }

    /// What is remembered; nothing if there is nothing, or it can't be read: it only spares work.
    pub fn state(&self) -> State {
        self.host.read(&self.path(STATE)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Changes what is remembered.
    pub fn update(&self, change: impl FnOnce(&mut State)) -> Result<(), HostError> {
        let before = self.state();
        let mut state = before.clone();
        change(&mut state);
        if state == before {
            return Ok(());
        }
        self.make_folder()?;
        let text = serde_json::to_vec_pretty(&state).unwrap_or_default();
        self.host.write(&self.path(STATE), &text, None)
    }

    /// `<key id>:<fingerprint>` of values, keyed so that none can be guessed. The key is made at the first call.
    pub fn fingerprint(&self, values: &BTreeMap<String, String>) -> Result<String, HostError> {
        let key = self.key()?;
        let wrong = || HostError::new(HostErrorKind::Invalid, format!("could not use \"{}\": it is not a key", self.path(KEY).display()));
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
        let path = self.path(KEY);
        match self.host.read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| {
                HostError::new(
                    HostErrorKind::Invalid,
                    format!("could not read \"{}\": it is not a key; remove it to have a new one made", path.display()),
                )
            }),
            Err(error) if error.kind == HostErrorKind::NotFound => {
                let mut bytes = [0; 40];
                self.host.random(&mut bytes);
                let key = Key { id: hex(&bytes[..8]), key: hex(&bytes[8..]) };
                self.make_folder()?;
                self.host.write(&path, &serde_json::to_vec(&key).unwrap_or_default(), Some(0o600))?;
                Ok(key)
            }
            Err(error) => Err(error),
        }
    }

    /// `.spc/` ignores itself, so that no repository takes it in.
    fn make_folder(&self) -> Result<(), HostError> {
        self.host.create_folder(&self.folder.join(self.project))?;
        let ignore = self.folder.join(".gitignore");
        if self.host.info(&ignore).is_err() {
            self.host.write(&ignore, b"*\n", None)?;
        }
        Ok(())
    }

    /// A journal for `run`, kept in `.spc/<project>/runs/<run>.jsonl`; the oldest ones go.
    pub fn journal(&self, run: &str) -> Result<PathBuf, HostError> {
        self.make_folder()?;
        let runs = self.path("runs");
        self.host.create_folder(&runs)?;
        let mut names: Vec<String> =
            self.host.list(&runs)?.into_iter().map(|entry| entry.name).filter(|name| name.ends_with(".jsonl")).collect();
        names.sort();
        for name in names.iter().take(names.len().saturating_sub(RUNS_KEPT - 1)) {
            self.host.remove(&runs.join(name))?;
        }
        Ok(runs.join(format!("{run}.jsonl")))
    }
}

/// A sink that also writes what changes the engine, and how it went, into a run's journal.
pub struct Journal {
    host: std::sync::Arc<dyn Host>,
    path: PathBuf,
    next: std::sync::Arc<dyn Sink>,
    /// Told once that the journal can't be written.
    broken: Mutex<bool>,
}

impl Journal {
    /// Writes to `path` and hands every event on to `next`.
    pub fn new(host: std::sync::Arc<dyn Host>, path: PathBuf, next: std::sync::Arc<dyn Sink>) -> Self {
        Self { host, path, next, broken: Mutex::new(false) }
    }
}

impl Sink for Journal {
    fn event(&self, event: &Event) {
        self.next.event(event);
        if matches!(event, Event::Print { .. } | Event::Output { .. } | Event::StepProgress { .. }) {
            return;
        }
        let mut line = serde_json::to_value(event).unwrap_or_default();
        line["time"] = self.host.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true).into();
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if *broken {
            return;
        }
        if let Err(error) = self.host.append(&self.path, format!("{line}\n").as_bytes()) {
            *broken = true;
            self.next.event(&Event::Log { level: crate::model::event::Level::Warning, text: format!("The run is not recorded: {error}") });
        }
    }
}
