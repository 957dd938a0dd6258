//! Results of tests of runbooks.

use std::time::Duration;

use super::diagnostic::Diagnostic;

/// The result of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its file, by the name that a user would use.
    pub file: String,
    pub name: String,
    /// The line where it is defined, from 1.
    pub line: usize,
    /// The seed of the last run, which is the failed one if one failed.
    pub seed: u64,
    /// The number of seeds that it ran with.
    pub seeds: u64,
    /// The real time that it took.
    pub took: Duration,
    /// The virtual time that passed in it, with all seeds.
    pub simulated: Duration,
    pub failure: Option<Box<Diagnostic>>,
}

impl Verdict {
    /// `scripts/up_test.rhai::test_comes_up`.
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.file, self.name)
    }
}

/// The events of a run of tests, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestReport {
    Verdict(Verdict),
    /// A file whose tests can't be run.
    Broken(String, Box<Diagnostic>),
}

/// The totals of all tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub passed: usize,
    pub failed: usize,
    /// The number of files whose tests could not run.
    pub broken: usize,
    /// The number of tests that did not run because of an earlier failure.
    pub left_out: usize,
    pub took: Duration,
}
