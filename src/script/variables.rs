//! What a script finds in a variable, each time before it does.
//!
//! Rhai puts a text in backticks together before anybody sees its size, and gives `catch (e)` the
//! error with its own names in it. Both stand in a variable before anything is done with them.

use rhai::{Dynamic, Engine, EvalAltResult, EvalContext, ImmutableString, Map};

use crate::value::error::caught;
use crate::value::size;

/// Looks at each variable that is read.
pub fn watch(engine: &mut Engine) {
    #[expect(
        deprecated,
        reason = "volatile, not deprecated: nothing else sees the variable of a catch"
    )]
    engine.on_var(|name, _, mut context| look(name, &mut context));
}

/// Refuses a text that is too large, and says an error that Rhai caught in the words of scripts.
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
