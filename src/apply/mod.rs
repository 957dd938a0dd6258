//! Walks plans on an engine: observe, compare, execute; readiness, lock, run records.
//!
//! The verbs stand in [`verbs`]; each observes, has `model::reconcile` make a plan, and gives it to
//! [`execute`], which decides nothing of its own.

mod anonymous;
pub mod bind_sources;
mod build_changes;
pub mod build_labels;
pub mod builds;
pub mod choices;
mod container_signal;
pub mod context;
pub mod create;
mod delivered;
pub mod dockerignore;
pub mod exec;
mod exec_end;
pub mod execute;
pub mod execution;
pub mod failures;
mod former_folders;
pub mod held_lock;
pub mod hub;
mod image_checks;
pub mod images;
mod interrupted_jobs;
mod last_look;
pub mod lock;
mod log_drivers;
pub mod logs;
mod look;
pub mod moved;
mod name_holder;
mod newer;
pub mod observe;
mod one_off_spec;
pub mod oneoff;
pub mod outcome;
pub mod pace;
mod patience;
mod perform;
mod ports;
pub mod preflight;
mod pull;
pub mod readiness;
pub mod records;
mod relied_on;
mod restarted;
pub mod restore_network;
mod run_context;
mod secrets;
mod settle;
mod standby;
pub mod start_failures;
mod start_ports;
#[cfg(test)]
mod tests;
mod turns;
pub mod under_way;
pub mod verbs;
mod waits;
mod work;
pub mod writers;

pub use run_context::{RunContext, Told};
