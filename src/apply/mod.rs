//! Walks plans on an engine: observe, compare, execute; readiness, lock, run records.
//!
//! The verbs stand in [`verbs`]; each observes, has `model::reconcile` make a plan, and gives it to
//! [`execute`], which decides nothing of its own.

mod actions;
mod anonymous_volumes;
pub mod bind_sources;
mod blockers;
mod build_changes;
pub mod build_labels;
pub mod builds;
pub mod container_events;
mod container_signal;
pub mod context;
pub mod create;
pub mod dockerignore;
pub mod exec;
mod exec_end;
pub mod execute;
pub mod execution;
pub mod failures;
mod final_check;
mod former_folders;
pub mod held_lock;
mod image_checks;
pub mod images;
mod interrupted_jobs;
pub mod lock;
mod log_drivers;
pub mod logs;
mod look;
pub mod moved_project;
mod name_holder;
mod newer_versions;
pub mod observe;
pub mod one_off;
mod one_off_spec;
pub mod outcome;
mod patience;
mod ports;
pub mod preflight;
mod pull;
pub mod readiness;
mod recent_restarts;
pub mod records;
pub mod restore_network;
mod run_context;
pub mod running_commands;
pub mod saved_options;
mod scheduler;
mod secret_readback;
mod secrets;
mod settle;
mod start_check;
pub mod start_failures;
mod start_ports;
pub mod startup_history;
mod suspend_restart;
#[cfg(test)]
mod tests;
mod verb_run;
pub mod verbs;
pub mod writers;

pub use run_context::{FileVariable, OnProgress, ProjectSettings, RunContext, VerbContext};
