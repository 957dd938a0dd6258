//! The behaviour of everything on and around a simulated engine, as a test defines it: processes in
//! containers, builds, registries, traffic.

pub(super) mod access_log;
pub(super) mod build;
mod celery;
mod nginx;
pub(super) mod process;
pub(super) mod processes;
pub(super) mod registry;
pub(super) mod requests;
pub(super) mod traffic;
pub(super) mod view;
