//! The last look at what goes to an engine: no call carries a secret's token.
//!
//! Spans that take no secret refuse it where it is written, with its line. A place that was
//! forgotten ends here: the token's text is no value, and must not become a label, a name or an
//! argument.

use std::sync::Arc;

use super::calls::Piece;
use super::observer::Observer;
use super::{Call, Engine, EngineError, EngineErrorKind, Result};
use crate::model::token;

/// `engine`, which is not asked anything that holds a token.
pub fn checked(engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
    Arc::new(Observer::new(engine, check))
}

fn check(call: &Call<'_>) -> Result<()> {
    // What stands for the token's name in a refusal; empty where only its bytes were found.
    let mut found: Option<String> = None;
    call.pieces(&mut |piece| {
        if found.as_ref().is_some_and(|name| !name.is_empty()) {
            return;
        }
        match piece {
            Piece::Text(text) => {
                if let Some(token) = token::first(text) {
                    found = Some(format!(" \"{}\"", token.name));
                }
            }
            Piece::Delivery(bytes) if token::is_in_bytes(bytes) => {
                found.get_or_insert_default();
            }
            Piece::Delivery(_) => {}
        }
    });
    let Some(name) = found else { return Ok(()) };
    let message = format!(
        "The engine was not asked for {}: the secret{name} would stand in it unrevealed",
        call.method()
    );
    let hint = "deliver a secret as a file with `secrets` of a service or of a build, in stdin or, exposed, in an environment";
    Err(EngineError::new(EngineErrorKind::Refused, message).with_hint(hint))
}

#[cfg(test)]
mod tests;
