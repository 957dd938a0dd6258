//! Executes plans on an engine: observe, compare, execute; readiness, lock, run records.
//!
//! The verbs are in [`verbs`]. Each verb observes the engine, lets `model::reconcile` make a plan,
//! and passes it to
//! [`execute`], which makes no decisions.
//!
//! - [`verbs`], [`verb_run`], [`outcome`]: a verb, its run, its result
//! - [`beside`]: the parts of a replacement, for deployments
//! - [`run_context`]: the context of all verbs; [`records`], [`saved_options`], [`record_file`]: the
//!   content of `.spc/`
//! - [`lock`], [`heartbeat`], [`held_lock`], [`settle`], [`interrupted_jobs`]: one run at a time, and
//!   leftovers of a killed or interrupted run
//! - [`observe`], [`look`]: the engine's state; [`ports`], [`start_ports`], [`log_drivers`],
//!   [`bind_sources`], [`image_checks`], [`recent_restarts`]: facts that its lists don't contain
//! - [`former_folders`], [`moved_project`], [`newer_versions`], [`name_holder`]: owners of objects
//! - [`preflight`], [`writers`], [`start_check`]: checks before the first change
//! - [`execute`], [`execution`], [`scheduler`], [`actions`]: the execution, and the engine calls of
//!   an action
//! - [`blockers`], [`patience`]: reports about waits
//! - [`create`], [`secrets`], [`secret_readback`], [`anonymous_volumes`], [`suspend_restart`],
//!   [`restore_network`]: new and replaced containers and networks
//! - [`start_failures`], [`failures`], [`left_containers`]: errors of the engine in the words of users
//! - [`readiness`], [`container_events`], [`container_signal`], [`startup_history`],
//!   [`final_check`]: ready, and still ready at the end
//! - [`exec`], [`exec_end`], [`running_commands`], [`one_off`], [`one_off_spec`]: commands
//! - [`images`], [`builds`], [`build_labels`], [`build_changes`], [`context`], [`dockerignore`],
//!   [`pull`]: images
//! - [`logs`]: logs of containers as one stream

mod actions;
mod anonymous_volumes;
pub mod beside;
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
mod heartbeat;
pub mod held_lock;
mod image_checks;
pub mod images;
mod interrupted_jobs;
mod left_containers;
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
pub mod record_file;
pub mod records;
pub mod releases;
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
mod verify;
pub mod writers;

pub use run_context::{FileVariable, OnProgress, ProjectSettings, RunContext, VerbContext};
