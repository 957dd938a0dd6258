//! What a test of runbooks came to.

use std::time::Duration;

use super::diagnostic::Diagnostic;

/// A test, once it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The file it is in, as the user would name it.
    pub file: String,
    pub name: String,
    /// Where it is defined, from 1.
    pub line: usize,
    /// Of the last run: the one that failed, if one did.
    pub seed: u64,
    /// How many seeds it ran with.
    pub seeds: u64,
    /// Time that it took.
    pub took: Duration,
    /// Virtual time that passed in it, with all seeds.
    pub simulated: Duration,
    pub failure: Option<Box<Diagnostic>>,
}

impl Verdict {
    /// `scripts/up_test.rhai::test_comes_up`.
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.file, self.name)
    }
}

/// What a run of tests tells, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestReport {
    Verdict(Verdict),
    /// A file whose tests can't be run.
    Broken(String, Box<Diagnostic>),
}

/// What all tests came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    pub passed: usize,
    pub failed: usize,
    /// Files whose tests could not be run.
    pub broken: usize,
    /// Tests that were not run, after a failure.
    pub left_out: usize,
    pub took: Duration,
}
