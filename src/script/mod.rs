//! The Rhai host: engine, imports, errors, runs.
//!
//! - [`run`]: a runbook from its file to its value, its help or a diagnostic
//! - [`engine`]: Rhai set up, every limit stated
//! - [`library`]: the sources of a run: compiled once, their closures at home wherever they are called
//! - [`resolver`]: what an import leads to; [`standard`]: `std/…`
//! - [`rules`]: what a source may not do, found before it runs
//! - [`errors`]: Rhai errors → diagnostics with excerpt and trace; [`names`]: the nearest name to an unknown one

pub mod engine;
pub mod errors;
pub mod library;
pub mod names;
pub mod resolver;
pub mod rules;
pub mod run;
pub mod standard;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use library::Library;
pub use run::{Outcome, Runbook, Script, on_script_thread, run};
