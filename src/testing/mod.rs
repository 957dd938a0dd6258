//! Tests of runbooks on a simulated machine ([`crate::machine`]), in virtual time.
//!
//! - [`discover`]: finds test files; [`suite`]: runs all their tests in parallel; [`case`]: runs
//!   one
//! - [`test_context`]: the context of a test; [`functions`]: the functions that only tests have
//! - [`stubs`]: requests to the machine, and patterns of a test that match none of them
//! - [`junit`]: the results for CI
//! - [`sweep`]: kills a runbook at each engine call in turn, and runs it again

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
