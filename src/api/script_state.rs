//! The state that a script collects while it runs. The context of the run is in its [`RunContext`].
//!
//! [`RunContext`]: crate::apply::RunContext

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

use super::changes::Changes;
use super::declared_secrets::DeclaredSecrets;
use super::option_choices::OptionChoices;
use crate::apply::lock::Lock;
use crate::model::diagnostic::Source;
use crate::model::help::Help;
use crate::model::spec::Project;
use crate::value::Time;

/// Everything that the script of one run has declared, read and described, and its locks.
#[derive(Default)]
pub struct ScriptState {
    /// The secrets that descriptions have declared so far.
    pub declared_secrets: DeclaredSecrets,
    /// The options of this run that `up` keeps.
    pub options: OptionChoices,
    /// Set by `args` when help is requested.
    help: OnceLock<Help>,
    /// The variables that were read in this run. If one is not set: the default that was used.
    read: Mutex<BTreeMap<String, Option<String>>>,
    /// The described projects, the last one of each name; the latest at the end.
    described: Mutex<Vec<Arc<Project>>>,
    /// Networks and volumes that descriptions of this run use and don't create.
    externals: Mutex<BTreeSet<String>>,
    /// The texts of source files by name, so that a failure can show its line.
    texts: Mutex<BTreeMap<String, Arc<Source>>>,
    /// Locks that `guarded` holds, by project.
    locks: Mutex<BTreeMap<String, Arc<Lock>>>,
    /// Whether the run changed something.
    pub changes: Changes,
    /// The time in the last stamp.
    stamp: Mutex<Option<Time>>,
}

impl ScriptState {
    /// The project that was described last in this run.
    pub fn described_project(&self) -> Option<String> {
        self.described.lock().last().map(|project| project.name.clone())
    }

    /// The time for a stamp: now, or a millisecond after the last stamp if that is later.
    pub(super) fn next_stamp(&self, now: DateTime<Utc>) -> Time {
        let mut last = self.stamp.lock();
        let after = last.and_then(|last| last.later(Duration::from_millis(1)));
        let next = after.map_or(Time(now), |after| after.max(Time(now)));
        *last = Some(next);
        next
    }

    pub(super) fn add_described(&self, project: &Arc<Project>) {
        let mut described = self.described.lock();
        described.retain(|other| other.name != project.name);
        described.push(project.clone());
    }

    /// The stack of this run that builds an image, and the service of the build. If there are
    /// several, the last one.
    pub(super) fn builder_of(&self, image: &str) -> Option<(Arc<Project>, String)> {
        let described = self.described.lock();
        described.iter().rev().find_map(|project| {
            let service = project.builder_of(image, &BTreeSet::new())?;
            Some((project.clone(), service.name.clone()))
        })
    }

    /// Records networks and volumes that a description uses and doesn't create.
    pub(super) fn add_externals(&self, names: impl Iterator<Item = String>) {
        self.externals.lock().extend(names);
    }

    /// Whether a description of this run uses the network or volume with this name without creating
    /// it.
    pub(super) fn uses_external(&self, name: &str) -> bool {
        self.externals.lock().contains(name)
    }

    /// Records that a variable was read.
    pub(super) fn add_variable(&self, name: &str) {
        self.read.lock().entry(name.to_owned()).or_default();
    }

    /// The names of the variables that were read in this run.
    pub(super) fn variables_read(&self) -> BTreeSet<String> {
        self.read.lock().keys().cloned().collect()
    }

    /// Records the default that was used for a variable without a value.
    pub(super) fn defaulted(&self, name: &str, default: String) {
        self.read.lock().insert(name.to_owned(), Some(default));
    }

    /// The variables that were read in this run and have this value, from `environment` or by their
    /// defaults.
    pub(super) fn variables_that_gave(
        &self,
        text: &str,
        environment: &BTreeMap<String, String>,
    ) -> Vec<String> {
        let gave = |name: &str, default: &Option<String>| {
            let set = environment.get(name).map(String::as_str).filter(|value| !value.is_empty());
            set.or(default.as_deref()).is_some_and(|value| value.trim() == text)
        };
        let read = self.read.lock();
        read.iter()
            .filter(|(name, default)| gave(name, default))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Stores a file's text, so that a failure can show its line.
    pub(super) fn keep_text(&self, source: Arc<Source>) {
        self.texts.lock().insert(source.name.clone(), source);
    }

    /// The name and text of a file. The text is empty if the file was not read in this run.
    pub fn text(&self, name: &str) -> Arc<Source> {
        let known = self.texts.lock().get(name).cloned();
        known.unwrap_or_else(|| Arc::new(Source { name: name.to_owned(), text: String::new() }))
    }

    /// The lock of `project`, if `guarded` holds it.
    pub(super) fn held_lock(&self, project: &str) -> Option<Arc<Lock>> {
        self.locks.lock().get(project).cloned()
    }

    /// Stores a lock until [`ScriptState::take_lock`].
    pub(super) fn hold_lock(&self, project: &str, lock: Arc<Lock>) {
        self.locks.lock().insert(project.to_owned(), lock);
    }

    pub(super) fn take_lock(&self, project: &str) -> Option<Arc<Lock>> {
        self.locks.lock().remove(project)
    }

    /// The options that `args` declared, if help was requested.
    pub fn help(&self) -> Option<&Help> {
        self.help.get()
    }

    /// Stores the declaration of the runbook; only the first one counts.
    pub(super) fn set_help(&self, help: Help) {
        let _ = self.help.set(help);
    }
}
