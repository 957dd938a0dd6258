//! Why something outside of the process failed.

use crate::model::failure::sentence;
use crate::model::{Failure, Kind};

/// What the host could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HostError {
    pub kind: HostErrorKind,
    /// The action, the value in quotes and the cause: `could not read "x": permission denied`.
    pub message: String,
}

/// The cases a caller tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostErrorKind {
    NotFound,
    PermissionDenied,
    AlreadyExists,
    /// The disk is full.
    NoSpace,
    /// No answer in time.
    Timeout,
    /// Nobody listens, the name does not resolve, the connection was lost.
    Unreachable,
    /// A script's request that leads where none may.
    Refused,
    /// The content is not what was expected (not UTF-8, a folder instead of a file).
    Invalid,
    /// A symlink is in a path that was checked: what it leads to was not.
    SymlinkInPath,
    /// More than is held at once, or than a run may hold.
    TooLarge,
    Other,
}

/// Why nothing is done at a path that a symlink is in.
pub(crate) const SYMLINK_IN_PATH: &str = "a symlink is in its path, which spc does not follow";

impl HostError {
    /// An error of `kind`.
    pub fn new(kind: HostErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let kind = match error.kind {
            HostErrorKind::NotFound => Kind::NotFound,
            HostErrorKind::AlreadyExists => Kind::Conflict,
            HostErrorKind::Timeout => Kind::Timeout,
            HostErrorKind::Invalid | HostErrorKind::TooLarge => Kind::Usage,
            HostErrorKind::Refused | HostErrorKind::SymlinkInPath => Kind::Policy,
            HostErrorKind::PermissionDenied
            | HostErrorKind::NoSpace
            | HostErrorKind::Unreachable
            | HostErrorKind::Other => Kind::Failed,
        };
        let failure = Self::new(kind, sentence(&error.message));
        match error.kind {
            HostErrorKind::SymlinkInPath => failure.hint(
                "a container or another program may have put it there after the path was checked",
            ),
            HostErrorKind::TooLarge => failure.hint(STREAM),
            _ => failure,
        }
    }
}

/// Shorthand of the port.
pub type Result<T> = std::result::Result<T, HostError>;

/// The next step for who meets a limit.
pub const STREAM: &str =
    "stream what is large, with fs::file(…) as stdin or stdout, or go through it in parts";
