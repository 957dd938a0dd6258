//! Finds out which errors a script catches, by the statement that it evaluates next: Rhai does not
//! report that a `catch` was entered.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use rhai::{ASTNode, Expr, Position, Stmt};

use crate::value::error::{forget_thrown, take_thrown};
use crate::value::swallowed_errors::{self, Body};

/// The beginning of a statement: source, line, column.
type StatementStart = (String, usize, usize);

/// The first statements of the `catch` of every `try` that was entered.
#[derive(Default)]
pub struct Catches {
    first: Mutex<BTreeSet<StatementStart>>,
}

impl Catches {
    /// The line and message of a caught error, if this node is evaluated because of it. The message
    /// is empty if it is unknown. `level`: the depth of calls.
    pub fn caught(&self, node: ASTNode<'_>, source: &str, level: usize) -> Option<(usize, String)> {
        let is_first = beginning(source, node.position())
            .is_some_and(|place| self.first.lock().contains(&place));
        let swallowed =
            swallowed_errors::before(node.position(), level).map(|it| (it.line, it.message));
        let entered = || Some((node.position().line()?, take_thrown().unwrap_or_default()));
        let caught = if is_first { swallowed.or_else(entered) } else { swallowed };
        if let ASTNode::Stmt(Stmt::TryCatch(parts, ..)) = node {
            forget_thrown();
            match parts.branch.statements().iter().find(|statement| is_seen(statement)) {
                // Rhai evaluates the expression.
                Some(Stmt::Expr(first)) => {
                    self.first.lock().extend(beginning(source, first.position()))
                }
                Some(first) => self.first.lock().extend(beginning(source, first.position())),
                None => {
                    let span = parts.body.span();
                    swallowed_errors::enter(Body {
                        source: source.to_owned(),
                        begin: span.start(),
                        end: span.end(),
                        level,
                    });
                }
            }
        }
        caught
    }
}

/// Whether Rhai reports the evaluation of this statement. It does not for a plain value.
fn is_seen(statement: &Stmt) -> bool {
    match statement {
        Stmt::Noop(_) => false,
        Stmt::Expr(value) => !value.is_constant() && !matches!(**value, Expr::Unit(_)),
        _ => true,
    }
}

fn beginning(source: &str, position: Position) -> Option<StatementStart> {
    Some((source.to_owned(), position.line()?, position.position()?))
}
