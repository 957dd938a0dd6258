//! The simulation from outside of the port: calls counted, faults, crashes, invariants, seeding,
//! snapshots.

pub(super) mod builder;
pub(super) mod call;
pub(super) mod fault;
mod handle;
pub(super) mod invariants;
mod second_writer;
pub(super) mod seed;
pub(super) mod snapshot;
