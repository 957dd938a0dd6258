//! Adds the positions of calls to errors of a test's functions.

use std::sync::Arc;

use rhai::NativeCallContext;

use crate::api::Raw;
use crate::model::Failure;
use crate::testing::test_context::TestContext;
use crate::value::error::throw;

/// Runs a function of a module, and adds the position of its call to an error. Rhai adds it only if
/// the name has no `module::`.
pub(super) fn placed<T>(
    call: &NativeCallContext,
    work: impl FnOnce(&Arc<TestContext>) -> Result<T, Failure>,
) -> Raw<T> {
    TestContext::of(call).and_then(|test_context| work(&test_context)).map_err(|failure| {
        let mut error = throw(failure);
        error.set_position(call.call_position());
        error
    })
}
