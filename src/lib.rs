//! spc: a scripting host for stack automation over the Docker Engine.
//!
//! The modules from top to bottom; imports point down only:
//!
//! - [`cli`]: one file per verb; chooses the implementations of the ports
//! - [`repl`]: the prompt
//! - [`testing`]: tests of runbooks, and crash sweeps
//! - [`plan`]: what a runbook would do to the live engine
//! - [`machine`]: a simulated machine that runs runbooks in virtual time
//! - [`check`]: static checks of scripts
//! - [`script`]: the Rhai host: engine set-up, modules, error traces, interrupts
//! - [`api`]: the functions for scripts, one file per primitive
//! - [`value`]: values of scripts, and object maps as typed options
//! - [`ui`]: everything printed: progress, tables, diagnostics, JSON lines
//! - [`journal`]: the journal of a run, which consumes events as `ui` does
//! - [`apply`]: executes a plan: observe, create, readiness, lock, records
//! - [`engine`]: the port to the Docker Engine API, real and simulated
//! - [`host`]: the port to everything else outside the process, real and simulated
//! - [`policy`]: what a script may do; pure
//! - [`compose`]: Compose's own syntax: compose files, interpolation and `.env`; pure
//! - [`model`]: the description of a stack, the state of the engine, and the plan between the two;
//!   pure

pub mod api;
pub mod apply;
pub mod check;
pub mod cli;
pub mod compose;
pub mod engine;
pub mod host;
pub mod journal;
pub mod machine;
pub mod model;
pub mod plan;
pub mod policy;
pub mod repl;
pub mod script;
pub mod testing;
pub mod ui;
pub mod value;
