//! Prints values outside of a script, in the form of `print`.

use rhai::{Dynamic, Engine, GlobalRuntimeState, NativeCallContext, Position};

use crate::api::record::printed;

/// Prints values in the state of a run, because spc's own types print themselves.
pub struct Printer<'a> {
    engine: &'a Engine,
    global: &'a GlobalRuntimeState,
}

impl<'a> Printer<'a> {
    /// A printer for values of this run.
    pub fn new(engine: &'a Engine, global: &'a GlobalRuntimeState) -> Self {
        Self { engine, global }
    }

    /// The value in the form of `print`.
    pub fn text(&self, value: &Dynamic) -> String {
        let context = NativeCallContext::new_with_all_fields(
            self.engine,
            "print",
            None,
            self.global,
            Position::NONE,
        );
        printed(&context, value)
    }
}
