//! The integration tests: one binary, so that no file can be forgotten.
#![allow(clippy::unwrap_used, reason = "a failed test may panic anywhere, helpers included")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests stand outside of the ports, with the real world"
)]

mod conformance;
mod docker;
mod engine;
mod fuzz;
mod load;
mod messages;
mod readme;
mod sim;
mod support;
mod surface;
mod upgrade;
mod walls;
