//! The answers that a test defines, and the requests of its runs. If a pattern matches nothing
//! while a request matched no pattern, this is a mistake: the test would pass without testing
//! anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::suggest::did_you_mean;
use crate::model::{Failure, Kind};

/// The patterns of a test by function, and the requests since then: cheap to clone.
#[derive(Clone, Default)]
pub struct Stubs(Arc<Mutex<BTreeMap<&'static str, Stub>>>);

#[derive(Default)]
struct Stub {
    /// Each with whether it matched a request.
    patterns: BTreeMap<String, bool>,
    /// Each with whether it matched a pattern.
    asked: BTreeMap<String, bool>,
}

impl Stubs {
    /// The test passed this pattern to `function`.
    pub fn declare(&self, function: &'static str, pattern: &str) {
        self.0.lock().entry(function).or_default().patterns.insert(pattern.to_owned(), false);
    }

    /// A request was compared with the pattern.
    pub fn ask(&self, function: &'static str, pattern: &str, asked: &str, fits: bool) {
        let mut all = self.0.lock();
        let stub = all.entry(function).or_default();
        *stub.patterns.entry(pattern.to_owned()).or_default() |= fits;
        *stub.asked.entry(asked.to_owned()).or_default() |= fits;
    }

    /// The failure of a test with a wrong pattern.
    pub fn slip(&self) -> Option<Failure> {
        self.0.lock().iter().find_map(|(function, stub)| {
            let pattern =
                stub.patterns.iter().find(|(_, fits)| !**fits).map(|(pattern, _)| pattern)?;
            let unanswered: BTreeSet<&str> = stub
                .asked
                .iter()
                .filter(|(_, fits)| !**fits)
                .map(|(asked, _)| asked.as_str())
                .collect();
            if unanswered.is_empty() {
                return None;
            }
            let failure = Failure::new(
                Kind::Failed,
                format!("Nothing that was asked is what {function}(\"{pattern}\") means"),
            );
            let hint = did_you_mean(pattern.trim_matches('*'), unanswered.iter().copied());
            Some(
                failure
                    .hint(hint.unwrap_or_else(|| {
                        "fix the pattern, or remove the call from this test".to_owned()
                    }))
                    .detail(
                        "asked without an answer",
                        unanswered.into_iter().collect::<Vec<_>>().join("\n"),
                    ),
            )
        })
    }
}
