//! A runbook, and the facts about its undisturbed run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::points::{MutationLog, NamedCall};
use super::state::{Footprint, Stamps};
use crate::engine::sim::Call;

/// A runbook and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub path: PathBuf,
    pub words: Vec<String>,
}

impl Task {
    /// The command: `up.rhai --target production`.
    pub fn words(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        [name].into_iter().chain(self.words.iter().cloned()).collect::<Vec<_>>().join(" ")
    }
}

/// A call with its time: equal in two runs with one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimedCall {
    pub call: NamedCall,
    pub at: Duration,
}

pub(super) fn made(calls: &[Call]) -> Vec<TimedCall> {
    calls
        .iter()
        .map(|call| TimedCall { call: NamedCall::new(call, &BTreeMap::new()), at: call.at })
        .collect()
}

/// The facts about an undisturbed run.
pub(super) struct UndisturbedRun {
    pub made: Vec<TimedCall>,
    pub mutations: MutationLog,
    pub footprint: Footprint,
    /// The volumes that existed before it.
    pub given: Stamps,
    /// Those of them that it recreated.
    pub replaced: BTreeSet<String>,
    /// For each volume, the most containers that wrote to it at the same time.
    pub writers: BTreeMap<String, usize>,
}
