//! The errors of a real engine: a status and a message.

use crate::engine::{EngineError, EngineErrorKind as Kind};

/// The engine's error. `message` is Docker's, without the full stop.
///
/// For a network, an address or a subnet, 403 means that the state doesn't allow it: a conflict, as
/// with the real engine.
pub(in crate::engine::sim) fn refusal(status: u16, message: impl Into<String>) -> EngineError {
    let kind = match status {
        401 => Kind::Denied,
        404 => Kind::NotFound,
        403 | 409 => Kind::Conflict,
        400..=499 => Kind::Invalid,
        501 => Kind::Unsupported,
        _ => Kind::Server,
    };
    EngineError::new(kind, message)
}

/// The connection is lost, or nothing listens.
pub(in crate::engine::sim) fn unreachable() -> EngineError {
    EngineError::new(Kind::Unreachable, "the connection to the Docker Engine was lost")
}

/// No answer came within the time limit of the call.
pub(in crate::engine::sim) fn too_late() -> EngineError {
    EngineError::new(Kind::Timeout, "the Docker Engine did not answer in time")
}

/// The engine's disk is full.
pub(in crate::engine::sim) fn no_space() -> EngineError {
    EngineError::new(Kind::NoSpace, "write: no space left on device")
}

/// No container has this name or id.
pub(in crate::engine::sim) fn no_such_container(name: &str) -> EngineError {
    // A text that can't be a name is shown as written.
    let odd = name.split('/').any(|part| matches!(part, "" | "." | ".."));
    refusal(
        404,
        if odd {
            format!("No such container: \"{name}\"")
        } else {
            format!("No such container: {name}")
        },
    )
}

/// The container has to be running for this.
pub(in crate::engine::sim) fn not_running(id: &str) -> EngineError {
    refusal(409, format!("Container {id} is not running"))
}
