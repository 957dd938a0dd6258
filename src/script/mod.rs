//! The Rhai host: engine, imports, errors, runs.
//!
//! - [`project_context`]: the project of a run: its folder, `spc.toml`, variables
//! - [`run`]: a runbook from its file to its value, its help or a diagnostic
//! - [`functions`]: calls of a script's functions from outside: tests
//! - [`session`]: lines one after another, for the prompt; [`statement_runner`]: a text whose
//!   values are printed;
//!   [`printer`]: values as text
//! - [`engine`]: the set-up of Rhai, with all its limits
//! - [`library`]: the sources of a run, compiled once, with bound closures
//! - [`function_names`]: keeps functions with the same name in two files apart
//! - [`resolver`]: resolves imports; [`standard_library`]: `std/…`
//! - [`rules`]: what a source may not do, checked before it runs
//! - [`errors`]: turns Rhai errors into diagnostics with excerpt and trace; [`names`]: the most
//!   similar name to an unknown one; [`syntax_error`]: syntax errors, the same in runs and checks;
//!   [`common_mistakes`]: beginners' mistakes behind them; [`delimiters`]: brackets and strings of
//!   any text

mod catches;
mod common_mistakes;
pub mod delimiters;
pub mod engine;
pub mod errors;
mod foreign_syntax;
pub mod function_names;
pub mod functions;
pub mod library;
mod memory;
pub mod names;
pub mod open_comment;
mod parsing;
pub mod printer;
pub mod project_context;
pub mod resolver;
pub mod rules;
pub mod run;
pub mod session;
pub mod standard_library;
pub mod statement_runner;
pub mod syntax_error;
mod variables;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use library::Library;
pub use printer::Printer;
pub use run::{Extensions, Outcome, Runbook, Script, on_script_thread, run, run_reporting};
pub use session::Session;
