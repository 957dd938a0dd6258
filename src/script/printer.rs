//! Values as `print` shows them, outside of a script.

use rhai::{Dynamic, Engine, GlobalRuntimeState, NativeCallContext, Position};

use crate::api::record::printed;

/// Makes text of values, in the state of a run: types of spc's own say themselves what they are.
pub struct Printer<'a> {
    engine: &'a Engine,
    global: &'a GlobalRuntimeState,
}

impl<'a> Printer<'a> {
    /// A printer for values of that run.
    pub fn new(engine: &'a Engine, global: &'a GlobalRuntimeState) -> Self {
        Self { engine, global }
    }

    /// The value as `print` shows it.
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
