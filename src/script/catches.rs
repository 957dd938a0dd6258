//! Which errors a script catches, seen by what it evaluates next: Rhai tells nobody that a `catch` was entered.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use rhai::{ASTNode, Position, Stmt};

use crate::value::error::{forget_thrown, take_thrown};

/// Where a statement begins: source, line, column.
type Beginning = (String, usize, usize);

thread_local! {
    /// The body of a `try` that was entered and whose `catch` is empty: what is evaluated after an error is what comes after it.
    static SWALLOWS: Cell<Option<Body>> = const { Cell::new(None) };
}

/// A block: from where to where, and how many calls deep.
#[derive(Clone, Copy)]
struct Body {
    begin: Position,
    end: Position,
    level: usize,
}

impl Body {
    /// Whether what is evaluated there comes after it.
    fn is_left(&self, position: Position, level: usize) -> bool {
        level < self.level || level == self.level && !(self.begin..=self.end).contains(&position)
    }
}

/// The first statements of the `catch`es of every `try` that was entered.
#[derive(Default)]
pub struct Catches {
    first: Mutex<BTreeSet<Beginning>>,
}

impl Catches {
    /// The line and message of an error that was caught, if this node is evaluated because of that; the message is empty if it is not known.
    /// `level`: how many calls deep.
    pub fn caught(&self, node: ASTNode<'_>, source: &str, level: usize) -> Option<(usize, String)> {
        let is_first = beginning(source, node.position()).is_some_and(|place| self.lock().contains(&place));
        let left = SWALLOWS.get().filter(|body| body.is_left(node.position(), level));
        let swallowed = left.and_then(|body| Some((body.begin.line()?, take_thrown()?)));
        if left.is_some() {
            SWALLOWS.set(None);
        }
        let entered = || Some((node.position().line()?, take_thrown().unwrap_or_default()));
        let caught = if is_first { swallowed.or_else(entered) } else { swallowed };
        if let ASTNode::Stmt(Stmt::TryCatch(parts, ..)) = node {
            forget_thrown();
            match parts.branch.statements().first() {
                // What is evaluated is the expression.
                Some(Stmt::Expr(first)) => self.lock().extend(beginning(source, first.position())),
                Some(first) => self.lock().extend(beginning(source, first.position())),
                None => {
                    let span = parts.body.span();
                    SWALLOWS.set(Some(Body { begin: span.start(), end: span.end(), level }));
                }
            }
        }
        caught
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<Beginning>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn beginning(source: &str, position: Position) -> Option<Beginning> {
    Some((source.to_owned(), position.line()?, position.position()?))
}
