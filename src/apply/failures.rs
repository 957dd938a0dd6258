//! What the engine answered, in the user's words.

use crate::engine::{EngineError, EngineErrorKind};
use crate::model::failure::sentence;
use crate::model::{Failure, Kind};

/// Why no engine could be connected to: such an error describes itself.
pub fn of_connecting(error: EngineError) -> Failure {
    let failure = Failure::new(kind_of(error.kind), sentence(&error.message));
    match error.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn kind_of(kind: EngineErrorKind) -> Kind {
    match kind {
        EngineErrorKind::NotFound => Kind::NotFound,
        EngineErrorKind::Conflict => Kind::Conflict,
        EngineErrorKind::Timeout => Kind::Timeout,
        EngineErrorKind::Invalid => Kind::Usage,
        EngineErrorKind::Refused => Kind::Policy,
        _ => Kind::Engine,
    }
}

/// An engine's error while doing something: `doing` is what failed, as in `create the container "x"`.
pub fn of_engine(error: EngineError, doing: &str) -> Failure {
    let kind = kind_of(error.kind);
    let failure = match error.kind {
        // These describe themselves; what was being done adds nothing.
        EngineErrorKind::Unreachable | EngineErrorKind::PermissionDenied | EngineErrorKind::TooOld | EngineErrorKind::Refused => {
            Failure::new(kind, sentence(&error.message))
        }
        _ => Failure::new(kind, format!("Could not {doing}: {}", error.message.trim_end_matches('.'))),
    };
    match (error.hint, error.kind) {
        (Some(hint), _) => failure.hint(hint),
        (None, EngineErrorKind::Server) if failure.message.contains("no space left") => {
            failure.hint("free some space: `docker system df` says what takes it")
        }
        _ => failure,
    }
}

/// The host port that a start found taken, if that is what failed.
pub fn taken_port(error: &EngineError) -> Option<u16> {
    let text = &error.message;
    let is_taken =
        text.contains("port is already allocated") || text.contains("address already in use") || text.contains("ports are not available");
    if !is_taken {
        return None;
    }
    // "Bind for 0.0.0.0:8000 failed", "listen tcp4 0.0.0.0:8000: bind": the last number after a colon that is a port.
    let words = text.split(|c: char| c.is_whitespace() || c == '(' || c == ')');
    words.filter_map(|word| word.trim_end_matches([':', ',']).rsplit_once(':')).filter_map(|(_, port)| port.parse().ok()).next_back()
}

/// The exit code a shell would give, where a start failed because the command can't be executed.
pub fn not_executable(error: &EngineError) -> Option<i64> {
    let text = cause_of(&error.message);
    if !text.starts_with("exec: ") {
        return None;
    }
    if text.contains("executable file not found") || text.contains("no such file or directory") {
        Some(127)
    } else {
        text.contains("permission denied").then_some(126)
    }
}

/// A failed start without the layers of the runtime: `exec: "x": executable file not found in $PATH`.
pub fn cause_of(message: &str) -> &str {
    let cause = message.rsplit_once("unable to start container process: ").map_or(message, |(_, cause)| cause);
    cause.strip_suffix(": unknown").unwrap_or(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_not_in_the_image_is_told_from_other_failed_starts() {
        const RUNTIME: &str =
            "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ";
        let code = |cause: &str| not_executable(&EngineError::new(EngineErrorKind::Invalid, format!("{RUNTIME}{cause}: unknown")));
        assert_eq!(code("exec: \"nginx\": executable file not found in $PATH"), Some(127));
        assert_eq!(code("exec: \"/nginx\": stat /nginx: no such file or directory"), Some(127));
        assert_eq!(code("exec: \"/etc\": permission denied"), Some(126));
        assert_eq!(code("error mounting \"/a\" to rootfs: no such file or directory"), None);
    }

    #[test]
    fn a_taken_port_is_read_from_both_of_dockers_wordings() {
        let by_container = EngineError::new(
            EngineErrorKind::Server,
            "driver failed programming external connectivity on endpoint spc-db-1 (0a1b): Bind for 0.0.0.0:5432 failed: port is already allocated",
        );
        let by_process = EngineError::new(
            EngineErrorKind::Server,
            "driver failed programming external connectivity on endpoint x (0a): Error starting userland proxy: listen tcp4 0.0.0.0:8000: bind: address already in use",
        );
        assert_eq!(taken_port(&by_container), Some(5432));
        assert_eq!(taken_port(&by_process), Some(8000));
        assert_eq!(taken_port(&EngineError::new(EngineErrorKind::Server, "no such network: a:1")), None);
    }
}
