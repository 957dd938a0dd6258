//! The last look at what goes to an engine: no call carries a secret's token.
//!
//! Places that take no secret refuse it where it is written, with its line. A place that was
//! forgotten ends here: the token's text is no value, and must not become a label, a name or an
//! argument.

use std::sync::Arc;

use super::tap::{Asked, Tap};
use super::{Engine, EngineError, EngineErrorKind, Result};
use crate::model::token;

/// `engine`, which is not asked anything that holds a token.
pub fn checked(engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
    Arc::new(Tap::new(engine, check))
}

fn check(asked: &Asked<'_>) -> Result<()> {
    let spoken =
        format!("{} {} {}", asked.target, asked.member.unwrap_or_default(), asked.arguments);
    let name = match token::first(&spoken) {
        Some(token) => format!(" \"{}\"", token.name),
        None if asked.delivered.iter().any(|bytes| token::is_in_bytes(bytes)) => String::new(),
        None => return Ok(()),
    };
    let message = format!(
        "The engine was not asked for {}: the secret{name} would stand in it unrevealed",
        asked.method
    );
    Err(EngineError::new(EngineErrorKind::Refused, message)
        .with_hint("deliver a secret as a file with `secrets` of a service or of a build, in stdin or, exposed, in an environment"))
}

#[cfg(test)]
mod tests;
