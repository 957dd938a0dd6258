//! Runbooks on a simulated engine and host, in virtual time.
//!
//! - [`world`]: a machine of its own for a test, over the project's files
//! - [`process`]: one run of a runbook in it, as its own process would be

pub mod process;
pub mod world;

#[cfg(test)]
mod tests;

pub use process::{End, Ran};
pub use world::World;
