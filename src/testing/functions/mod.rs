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
pub mod difference;
pub mod machine;
pub mod runbook;
pub mod sim;
pub mod views;

use std::sync::Arc;

use rhai::{Engine, NativeCallContext};

use super::lab::Lab;
use crate::api::Raw;
use crate::model::Failure;
use crate::value::error::throw;

const PRIMITIVES: &[fn(&mut Engine)] = &[assert::register, runbook::register, sim::register];

/// Makes them known to the engine of a test.
pub fn register(engine: &mut Engine) {
    for primitive in PRIMITIVES {
        primitive(engine);
    }
}

/// Does the work of a module's function, with the position of its call in an error: Rhai fills that
/// in only where no `module::` stands before the name.
fn placed<T>(
    call: &NativeCallContext,
    work: impl FnOnce(&Arc<Lab>) -> Result<T, Failure>,
) -> Raw<T> {
    Lab::of(call).and_then(|lab| work(&lab)).map_err(|failure| {
        let mut error = throw(failure);
        error.set_position(call.call_position());
        error
    })
}
