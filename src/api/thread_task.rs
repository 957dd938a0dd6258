//! The task of a thread: its cancel token, and whether it may wait.

use std::cell::{Cell, RefCell};

use tokio_util::sync::CancellationToken;

use crate::model::Failure;
use crate::value::error::{RefusalGuard, refused, set_refusal_aside};

/// The cancel token of the task on this thread, if one was entered.
pub fn token() -> Option<CancellationToken> {
    TOKEN.with_borrow(std::clone::Clone::clone)
}

thread_local! {
    static ANSWERS: Cell<bool> = const { Cell::new(false) };
    static TOKEN: RefCell<Option<CancellationToken>> = const { RefCell::new(None) };
}

/// Whether the task on this thread was cancelled.
pub fn is_cancelled() -> bool {
    TOKEN.with_borrow(|token| token.as_ref().is_some_and(CancellationToken::is_cancelled))
}

/// Why the task on this thread has to end before anything else is evaluated: a policy violation
/// that was thrown, or its token. For `on_progress`, which gets no context.
pub fn ending() -> Option<Failure> {
    refused().or_else(|| is_cancelled().then(Failure::interrupted))
}

/// Sets `token` as the token of this thread, and forgets a policy violation, until the result is
/// dropped.
#[must_use = "the token is left when this is dropped"]
pub fn enter(token: CancellationToken) -> TaskScope {
    TaskScope { before: TOKEN.replace(Some(token)), _aside: set_refusal_aside() }
}

/// See [`enter`].
pub struct TaskScope {
    before: Option<CancellationToken>,
    _aside: RefusalGuard,
}

impl Drop for TaskScope {
    fn drop(&mut self) {
        TOKEN.set(self.before.take());
    }
}

/// Does `work`, a function that answers for a simulated machine while others wait. It must not wait
/// for anything.
pub fn answering<T>(work: impl FnOnce() -> T) -> T {
    let _entered = enter(CancellationToken::new());
    let before = ANSWERS.replace(true);
    let result = work();
    ANSWERS.set(before);
    result
}

/// Fails if waiting is not possible here: see [`answering`].
pub fn may_wait() -> Result<(), Failure> {
    if !ANSWERS.get() {
        return Ok(());
    }
    let failure = Failure::usage(
        "A function that answers for the simulated machine can't wait, nor use the engine",
    );
    Err(failure.hint("`takes: \"5s\"` in its answer says how long that takes"))
}
