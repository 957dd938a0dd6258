//! Runbooks on a simulated engine and host, in virtual time.
//!
//! - [`world`]: a machine of its own for a test, over the project's files
//! - [`waits`]: what its runs wait for
//! - [`process`]: one run of a runbook in it, as its own process would be
//! - [`discover`]: which files hold tests; [`suite`]: all their tests, side by side; [`case`]: one
//! - [`lab`]: what a test works with; [`functions`]: what it can call beside what runbooks can
//! - [`stubs`]: what the machine was asked, and which patterns of a test fit none of it
//! - [`junit`]: what came of them, for CI
//! - [`sweep`]: a runbook killed at one engine call after the other, and run again
//! - [`plan`]: what one would do to the live engine

pub mod case;
pub mod discover;
pub mod functions;
pub mod junit;
pub mod lab;
pub mod plan;
pub mod process;
pub mod stubs;
pub mod suite;
pub mod sweep;
pub mod waits;
pub mod world;

#[cfg(test)]
mod tests;

pub use process::{End, Ran};
pub use world::World;
