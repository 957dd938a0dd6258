//! What a test can call beside what runbooks can: one file per primitive, one table.
//!
//! - [`assert`], [`difference`]: what has to hold
//! - [`runbook`]: a run, and what came of it
//! - [`sim`]: the simulated machine; [`machine`] and [`answers`] say how it behaves, [`views`] what
//!   is there

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
pub mod runbook;
pub mod sim;
pub mod views;

use rhai::Engine;

const PRIMITIVES: &[fn(&mut Engine)] = &[assert::register, runbook::register, sim::register];

/// Makes them known to the engine of a test.
pub fn register(engine: &mut Engine) {
    for primitive in PRIMITIVES {
        primitive(engine);
    }
}
