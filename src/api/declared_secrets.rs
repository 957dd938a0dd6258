//! The secrets that descriptions of this run declare, and the sources of their values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use parking_lot::Mutex;

/// The source of a described secret's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The content of a file; absolute.
    File(PathBuf),
    /// A variable of the process environment or `.env`.
    Variable(String),
}

/// The secrets that the descriptions of a run declare.
#[derive(Debug, Default)]
pub struct DeclaredSecrets(Mutex<BTreeMap<String, Source>>);

impl DeclaredSecrets {
    /// Declares a secret: `stack` calls this for each one in a description.
    pub fn declare(&self, name: &str, source: Source) {
        self.0.lock().insert(name.to_owned(), source);
    }

    pub(super) fn get(&self, name: &str) -> Option<Source> {
        self.0.lock().get(name).cloned()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.lock().keys().cloned().collect()
    }
}
