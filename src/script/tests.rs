//! Whole runs: errors with their traces, closures across modules, imports, limits, help.

mod closures;
mod errors;
mod imports;
mod limits;
mod runs;
