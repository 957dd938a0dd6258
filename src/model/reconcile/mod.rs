//! Wanted and observed → plan. Pure: the same two always give the same plan.

mod lifecycle;
mod replace;
#[cfg(test)]
mod tests;
mod up;
mod writers;

pub use lifecycle::{DownOptions, down, remove_containers, restart, start, stop};
pub use up::{Wanted, up};
pub use writers::{SecondWriter, Writers};
