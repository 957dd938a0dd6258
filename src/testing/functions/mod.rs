//! The functions that only tests have: one file per primitive, one table.
//!
//! - [`assert`], [`difference`]: assertions
//! - [`runbook`]: a run and its result
//! - [`sim`]: the simulated machine; [`machine`], [`requests`] and [`answers`] set its behaviour,
//!   [`views`] show its state

#![allow(
    clippy::wildcard_imports,
    clippy::unwrap_used,
    reason = "what rhai's `export_module` needs and expands to; no other code here unwraps"
)]

pub mod answers;
pub mod assert;
mod call_positions;
pub mod difference;
pub mod machine;
pub mod requests;
pub mod runbook;
pub mod sim;
pub mod views;

use rhai::Engine;

const PRIMITIVES: &[fn(&mut Engine)] = &[assert::register, runbook::register, sim::register];

/// Registers them with the engine of a test.
pub fn register(engine: &mut Engine) {
    for primitive in PRIMITIVES {
        primitive(engine);
    }
}
