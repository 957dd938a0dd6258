//! Walks plans on an engine: observe, compare, execute; readiness, lock, run records.
//!
//! The verbs stand in [`verbs`]; each observes, has `model::reconcile` make a plan, and gives it to
//! [`execute`], which decides nothing of its own.

mod actions;
mod anonymous;
pub mod bind_sources;
mod blockers;
mod build_changes;
pub mod build_labels;
pub mod builds;
pub mod container_events;
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
mod patience;
mod ports;
pub mod preflight;
mod pull;
pub mod readiness;
pub mod records;
mod relied_on;
mod restarted;
pub mod restore_network;
mod run_context;
pub mod saved_options;
mod scheduler;
mod secrets;
mod settle;
pub mod start_failures;
mod start_ports;
pub mod startup_history;
mod suspend_restart;
#[cfg(test)]
mod tests;
pub mod under_way;
pub mod verbs;
mod work;
pub mod writers;

pub use run_context::{OnProgress, RunContext};
