//! Results of native functions, and the positions of their errors.

use rhai::{EvalAltResult, NativeCallContext};

use super::context::Context;
use crate::model::Failure;
use crate::value::error::throw;

/// The result of a native function.
pub type Raw<T> = Result<T, Box<EvalAltResult>>;

/// Runs a function of a module (`fs::read`), and adds the position of its call to an error. Rhai
/// adds it only if the name has no `module::`.
pub(super) fn placed<T>(
    call: &NativeCallContext,
    work: impl FnOnce(&Context) -> Result<T, Failure>,
) -> Raw<T> {
    let result = Context::of(call).and_then(|context| work(&context));
    result.map_err(|failure| {
        let mut error = throw(failure);
        error.set_position(call.call_position());
        error
    })
}
