//! Errors that a `catch` swallows without evaluating anything. The next evaluation comes after the
//! `catch`, or never.

use std::cell::RefCell;

use rhai::Position;

use super::error::take_thrown;

thread_local! {
    /// The body of the last entered `try` with a `catch` that evaluates nothing.
    static ENTERED: RefCell<Option<Body>> = const { RefCell::new(None) };
}

/// A block: its beginning, its end, and the depth of calls.
pub struct Body {
    pub source: String,
    pub begin: Position,
    pub end: Position,
    pub level: usize,
}

/// A swallowed error, and its position.
pub struct SwallowedError {
    pub source: String,
    pub line: usize,
    pub message: String,
}

impl Body {
    /// Whether an evaluation at this position and depth of calls is outside of this block.
    fn is_left(&self, position: Position, level: usize) -> bool {
        level < self.level || level == self.level && !(self.begin..=self.end).contains(&position)
    }

    fn swallowed(self) -> Option<SwallowedError> {
        Some(SwallowedError {
            line: self.begin.line()?,
            source: self.source,
            message: take_thrown()?,
        })
    }
}

/// The script on this thread enters the body of such a `try`.
pub fn enter(body: Body) {
    ENTERED.set(Some(body));
}

/// The swallowed error, if an evaluation at this position comes after the body that was entered
/// last.
pub fn before(position: Position, level: usize) -> Option<SwallowedError> {
    ENTERED
        .with_borrow_mut(|entered| entered.take_if(|body| body.is_left(position, level)))?
        .swallowed()
}

/// The last swallowed error. Call this when the evaluation on this thread has ended.
pub fn at_end() -> Option<SwallowedError> {
    ENTERED.take()?.swallowed()
}
