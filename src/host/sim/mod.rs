//! The simulated host: virtual time, files in memory, scripted answers.

pub mod conductor;
