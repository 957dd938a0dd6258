//! Whole runs: errors with their traces, closures across modules, imports, limits, help; the
//! reference stack's two descriptions.

mod closures;
mod errors;
mod imports;
mod limits;
mod reference;
mod runs;
mod type_names;
