//! Checks the content of a variable each time before a script uses it.
//!
//! Rhai builds a string in backticks before anything can check its size, and passes an error with
//! Rhai's own names to `catch (e)`. Both are in a variable before the script uses them.

use rhai::{Dynamic, Engine, EvalAltResult, EvalContext, ImmutableString, Map};

use crate::value::error::caught;
use crate::value::size;

/// Checks each variable that is read.
pub fn watch(engine: &mut Engine) {
    #[expect(
        deprecated,
        reason = "volatile, not deprecated: nothing else sees the variable of a catch"
    )]
    engine.on_var(|name, _, mut context| look(name, &mut context));
}

/// Rejects a text that is too large, and translates an error that Rhai caught into the words of
/// scripts.
fn look(name: &str, context: &mut EvalContext) -> Result<Option<Dynamic>, Box<EvalAltResult>> {
    let Some(value) = context.scope().get(name) else { return Ok(None) };
    if let Some(text) = value.read_lock::<ImmutableString>() {
        size::check_text(text.len())?;
        return Ok(None);
    }
    let said = value.read_lock::<Map>().and_then(|map| caught(&map, context.source()));
    if let (Some(said), Some(mut error)) =
        (said, context.scope_mut().get_mut(name).and_then(Dynamic::write_lock::<Dynamic>))
    {
        *error = said.into();
    }
    Ok(None)
}
