//! spc: a scripting host for stack automation over the Docker Engine.
//!
//! The modules, from the top down; imports point down only:
//!
//! - [`cli`]: one file per verb; chooses the implementations of the ports
//! - [`repl`]: the prompt
//! - [`testing`]: tests of runbooks, and runbooks killed at each engine call
//! - [`plan`]: what a runbook would do to the live engine
//! - [`machine`]: a simulated machine that runbooks are run on, in virtual time
//! - [`check`]: static checks of scripts
//! - [`script`]: the Rhai host: engine set-up, modules, error traces, interrupts
//! - [`api`]: what a script sees, one file per primitive
//! - [`value`]: object maps as typed options, and what scripts' values are in between
//! - [`ui`]: everything printed: progress, tables, diagnostics, JSON lines
//! - [`journal`]: the journal of a run, a consumer of events beside those of `ui`
//! - [`apply`]: walks a plan: observe, create, readiness, lock, records
//! - [`engine`]: the port to the Docker Engine API, real and simulated
//! - [`host`]: the port to everything outside the process that is not the engine, real and
//!   simulated
//! - [`policy`]: what a script may do; pure
//! - [`compose`]: Compose's own syntax: compose files, interpolation and `.env`; pure
//! - [`model`]: what a stack is, what is there, and the plan between the two; pure

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
