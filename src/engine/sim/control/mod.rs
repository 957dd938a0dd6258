//! The interface of the simulation for tests: counted calls, faults, crashes, invariants, initial
//! state, snapshots.

pub(super) mod builder;
pub(super) mod call;
pub(super) mod fault;
mod handle;
pub(super) mod invariants;
mod second_writer;
pub(super) mod seed;
pub(super) mod snapshot;
