//! What runs on a simulated engine and around it, as a test says: processes in containers, builds,
//! registries, traffic.

pub(super) mod build;
pub(super) mod process;
pub(super) mod processes;
pub(super) mod registry;
pub(super) mod traffic;
pub(super) mod view;
