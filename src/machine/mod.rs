//! A simulated machine that runs runbooks in virtual time, for tests of runbooks and tests of
//! plans.
//!
//! - [`world`]: its engine, files and time, over the project's files
//! - [`process`]: one run of a runbook on it, as its own process would be
//! - [`waits`]: the current waits of its runs

pub mod process;
pub mod waits;
pub mod world;

pub use process::{CompletedRun, End};
pub use world::World;
