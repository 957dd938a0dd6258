//! The Rhai host: engine, imports, errors, runs.
//!
//! - [`project_context`]: the project a run belongs to: its folder, `spc.toml`, variables
//! - [`run`]: a runbook from its file to its value, its help or a diagnostic
//! - [`functions`]: a script's functions called from outside: tests
//! - [`session`]: line after line, for the prompt; [`statement_runner`]: a text whose values are reported;
//!   [`printer`]: values as text
//! - [`engine`]: Rhai set up, every limit stated
//! - [`library`]: the sources of a run: compiled once, their closures at home wherever they are
//!   called
//! - [`function_names`]: function names that two files have, kept apart
//! - [`resolver`]: what an import leads to; [`standard_library`]: `std/…`
//! - [`rules`]: what a source may not do, found before it runs
//! - [`errors`]: Rhai errors → diagnostics with excerpt and trace; [`names`]: the nearest name to
//!   an unknown one; [`syntax_error`]: what can't be parsed, the same in runs and checks;
//!   [`common_mistakes`]: what a beginner meant by it; [`delimiters`]: brackets and strings of any text

mod catches;
mod common_mistakes;
pub mod delimiters;
pub mod engine;
pub mod errors;
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
