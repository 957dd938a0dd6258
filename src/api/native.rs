//! What native functions of scripts answer, and where their errors stand.

use rhai::{EvalAltResult, NativeCallContext};

use super::context::Context;
use crate::model::Failure;
use crate::value::error::throw;

/// What a native function of scripts answers.
pub type Raw<T> = Result<T, Box<EvalAltResult>>;

/// Does the work of a module's function (`fs::read`), with the position of its call in an error:
/// Rhai fills that in only where no `module::` stands before the name.
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
