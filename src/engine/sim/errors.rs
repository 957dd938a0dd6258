//! What a real engine answers instead of success: a status, and its words.

use crate::engine::{EngineError, EngineErrorKind as Kind};

/// The engine's refusal. `message` is Docker's, without the full stop.
pub(super) fn refusal(status: u16, message: impl Into<String>) -> EngineError {
    let kind = match status {
        401 | 403 => Kind::Denied,
        404 => Kind::NotFound,
        409 => Kind::Conflict,
        400..=499 => Kind::Invalid,
        _ => Kind::Server,
    };
    EngineError::new(kind, message)
}

/// A refusal of a network call. There 403 says that the state forbids it, not that the asker may not.
pub(super) fn network_refusal(status: u16, message: impl Into<String>) -> EngineError {
    match status {
        403 => EngineError::new(Kind::Conflict, message),
        status => refusal(status, message),
    }
}

/// The connection is gone, or nobody listens.
pub(super) fn unreachable() -> EngineError {
    EngineError::new(Kind::Unreachable, "the connection to the simulated engine was lost")
}

/// The engine's disk is full.
pub(super) fn no_space() -> EngineError {
    refusal(500, "write: no space left on device")
}

/// No container has this name or id.
pub(super) fn no_such_container(name: &str) -> EngineError {
    refusal(404, format!("No such container: {name}"))
}

/// The container has to run for this.
pub(super) fn not_running(id: &str) -> EngineError {
    refusal(409, format!("Container {id} is not running"))
}
