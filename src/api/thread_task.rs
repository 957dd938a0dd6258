//! The task of a thread: its cancel token, and whether it may wait.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use crate::model::Failure;
use crate::value::error::{RefusalGuard, refused, set_refusal_aside};

/// Where a task is among those that run side by side: each call of `parallel` that led here, by a
/// number of its own, and the function in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Branch(Vec<(u64, usize)>);

impl Branch {
    /// The branches of a call of `parallel` by this one.
    pub fn split(&self) -> impl Fn(usize) -> Self + use<> {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let (number, before) = (CALLS.fetch_add(1, Ordering::Relaxed), self.0.clone());
        move |function| Self(before.iter().copied().chain([(number, function)]).collect())
    }

    /// The calls of `parallel` that led here, outermost first, and the index of the function in
    /// each.
    pub fn path(&self) -> &[(u64, usize)] {
        &self.0
    }
}

/// The branch of the task on this thread.
pub fn branch() -> Branch {
    BRANCH.with_borrow(Clone::clone)
}

/// Makes `branch` the one of this thread, which does nothing else.
pub fn enter_branch(branch: Branch) {
    BRANCH.set(branch);
}

/// The cancel token of the task on this thread, if one was entered.
pub fn token() -> Option<CancellationToken> {
    TOKEN.with_borrow(std::clone::Clone::clone)
}

thread_local! {
    static BRANCH: RefCell<Branch> = const { RefCell::new(Branch(Vec::new())) };
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
