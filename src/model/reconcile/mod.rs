//! Makes a plan from the desired and the observed state. Pure: the same input always gives the same
//! plan.

mod addresses;
mod batches;
mod beside;
mod conditions;
mod container_steps;
mod desired_state;
mod existing;
mod hand_over;
mod holders;
mod images_first;
mod leftover_one_offs;
mod lifecycle;
mod merged_groups;
mod one_off;
mod order;
mod orphan_networks;
mod planner;
mod removals;
mod replace;
mod same_addresses;
mod same_ports;
mod secrets;
mod settings;
mod shared_objects;
#[cfg(test)]
mod tests;
mod up;
mod writers;

pub use addresses::taken_address_of;
pub use beside::{BesidePart, attach, remove_new_ones, start_beside, take_over, take_over_all};
pub use desired_state::DesiredState;
pub use leftover_one_offs::left_behind;
pub use lifecycle::{DownOptions, down, remove_containers, restart, start, stop};
pub use one_off::one_off;
pub use same_addresses::taken_address;
pub use same_ports::check_ports;
pub use up::up;
pub use writers::{SecondWriter, Writers};
