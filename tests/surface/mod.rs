//! What a user meets: the real binary, without an engine or with one that is made up.

mod args;
mod attacks;
mod certificate;
mod check;
mod cli;
mod compose;
mod connection;
mod control;
mod descriptions;
mod env;
mod errors;
mod interrupts;
mod json;
mod modules;
mod output;
mod plan;
mod policy;
mod project;
mod prompt;
mod questions;
mod repl;
mod runbooks;
mod secrets;
mod sweep;
mod tables;
mod testing;
