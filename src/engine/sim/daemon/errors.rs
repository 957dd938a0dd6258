//! What a real engine answers instead of success: a status, and its words.

use crate::engine::{EngineError, EngineErrorKind as Kind};

/// The engine's refusal. `message` is Docker's, without the full stop.
///
/// 403 says of a network, an address or a subnet that the state forbids it: a conflict, as at the
/// real engine.
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

/// The connection is gone, or nobody listens.
pub(in crate::engine::sim) fn unreachable() -> EngineError {
    EngineError::new(Kind::Unreachable, "the connection to the Docker Engine was lost")
}

/// No answer came in the time that a call is waited for.
pub(in crate::engine::sim) fn too_late() -> EngineError {
    EngineError::new(Kind::Timeout, "the Docker Engine did not begin to answer in time")
}

/// The engine's disk is full.
pub(in crate::engine::sim) fn no_space() -> EngineError {
    EngineError::new(Kind::NoSpace, "write: no space left on device")
}

/// No container has this name or id.
pub(in crate::engine::sim) fn no_such_container(name: &str) -> EngineError {
    // What could be no name at all is shown as it was written.
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

/// The container has to run for this.
pub(in crate::engine::sim) fn not_running(id: &str) -> EngineError {
    refusal(409, format!("Container {id} is not running"))
}
