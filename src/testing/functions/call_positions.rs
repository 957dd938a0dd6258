//! Calls of a test's functions, whose errors stand where they are called.

use std::sync::Arc;

use rhai::NativeCallContext;

use crate::api::Raw;
use crate::model::Failure;
use crate::testing::test_context::TestContext;
use crate::value::error::throw;

/// Does the work of a module's function, with the position of its call in an error: Rhai fills that
/// in only where no `module::` stands before the name.
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
