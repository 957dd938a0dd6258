//! What a script sees: one file per primitive, one table that registers them.

pub mod context;
pub mod task;
