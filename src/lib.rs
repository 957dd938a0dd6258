//! spc: a scripting host for stack automation over the Docker Engine.
//!
//! The rooms, from the top down; imports point down only:
//!
//! - [`host`]: the port to everything outside the process that is not the engine, real and simulated
//! - [`engine`]: the port to the Docker Engine API, real and simulated
//! - [`model`]: what a stack is, what is there, and the plan between the two; pure

pub mod api;
pub mod apply;
pub mod engine;
pub mod host;
pub mod model;
