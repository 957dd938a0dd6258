//! Tests of runbooks on a simulated machine ([`crate::machine`]), in virtual time.
//!
//! - [`discover`]: which files hold tests; [`suite`]: all their tests, side by side; [`case`]: one
//! - [`test_context`]: what a test works with; [`functions`]: what it can call beside what runbooks can
//! - [`stubs`]: what the machine was asked, and which patterns of a test fit none of it
//! - [`junit`]: what came of them, for CI
//! - [`sweep`]: a runbook killed at one engine call after the other, and run again

pub mod case;
pub mod discover;
pub mod functions;
pub mod junit;
pub mod stubs;
pub mod suite;
pub mod sweep;
pub mod test_context;

#[cfg(test)]
mod tests;
