//! A simulated machine that runbooks are run on, in virtual time: what tests of runbooks and tests
//! of plans both need.
//!
//! - [`world`]: its engine, files and time, over the project's files
//! - [`process`]: one run of a runbook on it, as its own process would be
//! - [`waits`]: what its runs wait for

pub mod process;
pub mod waits;
pub mod world;

pub use process::{CompletedRun, End};
pub use world::World;
