//! The task of a native function: its cancel token, and waits that the token can end.

use std::future::Future;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::thread_task::token;
use crate::model::Failure;

pub use super::thread_task::{
    Branch, TaskScope, answering, branch, ending, enter, enter_branch, is_cancelled, may_wait,
};

/// The cancel token of the task on this thread; the run's own if no task was entered.
pub fn current(context: &Context) -> CancellationToken {
    token().unwrap_or_else(|| context.cancel.clone())
}

/// Waits for `future` on the executor. Returns [`Failure::interrupted`] as soon as the task's token
/// is cancelled.
pub fn wait<T>(
    context: &Context,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    may_wait()?;
    let token = current(context);
    context.executor.block_on(async {
        futures::select_biased! {
            () = token.cancelled().fuse() => Err(Failure::interrupted()),
            result = Box::pin(future).fuse() => result,
        }
    })
}
