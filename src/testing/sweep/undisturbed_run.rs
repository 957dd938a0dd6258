//! A runbook, and what is known of its run when nothing disturbs it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::points::{MutationLog, NamedCall};
use super::state::{Footprint, Stamps};
use crate::engine::sim::Call;

/// A runbook and the words that would stand after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub path: PathBuf,
    pub words: Vec<String>,
}

impl Task {
    /// How people write it: `up.rhai --target production`.
    pub fn words(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        [name].into_iter().chain(self.words.iter().cloned()).collect::<Vec<_>>().join(" ")
    }
}

/// A call with its time: what two runs with one seed have in common.
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

/// What is known of a run that nothing disturbed.
pub(super) struct UndisturbedRun {
    pub made: Vec<TimedCall>,
    pub mutations: MutationLog,
    pub footprint: Footprint,
    /// The volumes there were before it.
    pub given: Stamps,
    /// Those of them that it made anew.
    pub replaced: BTreeSet<String>,
    /// The most containers that wrote to each volume at once.
    pub writers: BTreeMap<String, usize>,
}
