//! Wanted and observed → plan. Pure: the same two always give the same plan.

mod hand_over;
mod joint;
mod lifecycle;
mod order;
mod replace;
mod settings;
#[cfg(test)]
mod tests;
mod up;
mod writers;

pub use lifecycle::{DownOptions, down, remove_containers, restart, start, stop};
pub use up::{Wanted, up};
pub use writers::{SecondWriter, Writers};
