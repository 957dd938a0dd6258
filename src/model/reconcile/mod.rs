//! Wanted and observed → plan. Pure: the same two always give the same plan.

mod addresses;
mod hand_over;
mod holders;
mod images_first;
mod joint;
mod left_behind;
mod lifecycle;
mod one_off;
mod order;
mod orphan_networks;
mod planner;
mod replace;
mod same_addresses;
mod same_ports;
mod secrets;
mod settings;
#[cfg(test)]
mod tests;
mod up;
mod wanted;
mod writers;

pub use addresses::taken_address_of;
pub use left_behind::left_behind;
pub use lifecycle::{DownOptions, down, remove_containers, restart, start, stop};
pub use one_off::one_off;
pub use same_addresses::taken_address;
pub use same_ports::check_ports;
pub use up::up;
pub use wanted::Wanted;
pub use writers::{SecondWriter, Writers};
