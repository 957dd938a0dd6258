//! The last check of calls to the engine: no call contains a secret's token.
//!
//! Options that accept no secret reject it where it is written, with its line. This check catches
//! any place that was forgotten: the text of a token is not a value, and must not become a label, a
//! name or an argument.

use std::sync::Arc;

use super::calls::Piece;
use super::observer::Observer;
use super::{Call, Engine, EngineError, EngineErrorKind, Result};
use crate::model::token;

/// `engine`, which gets no call with a token.
pub fn checked(engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
    Arc::new(Observer::new(engine, check))
}

fn check(call: &Call<'_>) -> Result<()> {
    // The name of the token for the refusal; empty if only its bytes were found.
    let mut found: Option<String> = None;
    call.pieces(&mut |piece| {
        if found.as_ref().is_some_and(|name| !name.is_empty()) {
            return;
        }
        match piece {
            Piece::Text(text) => {
                if let Some(token) = token::first(text) {
                    found = Some(format!("the secret \"{}\"", token.name));
                }
            }
            Piece::Delivery(bytes) if token::is_in_bytes(bytes) => {
                found.get_or_insert_with(|| "a secret".to_owned());
            }
            Piece::Delivery(_) => {}
        }
    });
    let Some(name) = found else { return Ok(()) };
    let message = format!(
        "The call {} was not sent: it contains the placeholder of {name} in place of the value",
        call.method()
    );
    let hint = "deliver a secret as a file with `secrets` of a service or of a build, in stdin or, exposed, in an environment";
    Err(EngineError::new(EngineErrorKind::Refused, message).with_hint(hint))
}

#[cfg(test)]
mod tests;
