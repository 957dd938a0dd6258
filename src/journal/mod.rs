//! The journal of a run: its changes of the engine and their results, in `.spc/runs/<run>.jsonl`.
//!
//! It consumes events beside the terminal and JSON lines, so it never gets a secret.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::host::records_folder::{make_folder, usable_folder};
use crate::host::{Host, HostError};
use crate::model::event::Event;
use crate::model::format;
use crate::model::masking::{Consumer, Masked};
use crate::model::open_verbs::OpenVerbs;
use crate::model::visible::escaped_json;
use crate::policy::{CheckedPath, Policy};

/// The number of journals that are kept.
const RUNS_KEPT: usize = 50;
/// Permission bits of a journal: what containers wrote is for the owner's eyes alone.
const MODE: u32 = 0o600;

/// Writes the journal of one run. The file is created at the first verb that has something to do,
/// or at the first step outside of a verb, so a run that does nothing leaves no journal.
pub struct Journal {
    host: Arc<dyn Host>,
    policy: Policy,
    run: String,
    state: Mutex<JournalState>,
    verbs: Mutex<OpenVerbs<()>>,
}

enum JournalState {
    NotBegun,
    At(CheckedPath),
    /// It can't be written; this was reported.
    Broken,
}

impl Journal {
    /// Writes below the project directory of `policy`.
    pub fn new(host: Arc<dyn Host>, policy: Policy, run: String) -> Self {
        Self {
            host,
            policy,
            run,
            state: Mutex::new(JournalState::NotBegun),
            verbs: Mutex::default(),
        }
    }

    fn write(&self, state: &mut JournalState, event: &Masked<Event>) -> Result<(), HostError> {
        if let JournalState::NotBegun = state {
            let path = begin(&*self.host, &self.policy, &self.run)?;
            let first = serde_json::json!({ "format": format::JOURNAL, "run": self.run });
            self.host.write(&path, format!("{first}\n").as_bytes(), Some(MODE))?;
            *state = JournalState::At(path);
        }
        let JournalState::At(path) = state else { return Ok(()) };
        let mut line = serde_json::to_value(event).unwrap_or_default();
        line["time"] = self.host.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true).into();
        self.host.append(path, format!("{}\n", escaped_json(&line.to_string())).as_bytes())
    }
}

impl Consumer for Journal {
    fn event(&self, event: &Masked<Event>) -> Result<(), String> {
        let mut state = self.state.lock();
        if !self.verbs.lock().admit(event, ()) {
            return Ok(());
        }
        let wanted = match &**event {
            // A reader needs the ends of verbs to separate the steps of one verb from the next.
            Event::VerbStarted { .. }
            | Event::StepStarted { .. }
            | Event::StepDone { .. }
            | Event::StepFailed { .. }
            | Event::StepInterrupted { .. } => true,
            Event::VerbDone { .. } | Event::Log { .. } | Event::Waiting { .. } => {
                matches!(*state, JournalState::At(_))
            }
            _ => false,
        };
        if !wanted {
            return Ok(());
        }
        self.write(&mut state, event).map_err(|error| {
            *state = JournalState::Broken;
            format!("Could not record the run in the journal: {error}")
        })
    }
}

/// The file for the journal of `run`; removes the oldest ones.
fn begin(host: &dyn Host, policy: &Policy, run: &str) -> Result<CheckedPath, HostError> {
    let folder = usable_folder(host, policy)?;
    make_folder(host, &folder)?;
    let runs = folder.join("runs");
    host.create_folder(&runs)?;
    let mut names: Vec<String> = host
        .list(&runs)?
        .into_iter()
        .map(|entry| entry.name)
        .filter(|name| name.ends_with(".jsonl"))
        .collect();
    names.sort();
    for name in names.iter().take(names.len().saturating_sub(RUNS_KEPT - 1)) {
        host.remove(&runs.join(name))?;
    }
    Ok(runs.join(format!("{run}.jsonl")))
}

#[cfg(test)]
mod tests;
