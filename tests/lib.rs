//! The integration tests: one binary, so that none can be forgotten.
#![allow(clippy::unwrap_used, reason = "a failed test may panic anywhere, helpers included")]

mod conformance;
mod docker;
