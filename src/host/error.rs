//! Errors of everything outside the process, except the engine.

use std::path::Path;

use crate::model::failure::sentence;
use crate::model::{Failure, Kind};

/// An operation that the host could not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HostError {
    pub kind: HostErrorKind,
    /// The action, the value in quotes and the cause: `could not read "x": permission denied`.
    pub message: String,
}

/// The kinds that callers distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostErrorKind {
    NotFound,
    PermissionDenied,
    AlreadyExists,
    /// The disk is full.
    NoSpace,
    /// No answer in time.
    Timeout,
    /// Nothing listens, the name does not resolve, or the connection was lost.
    Unreachable,
    /// A script's request to an address that is never allowed.
    Refused,
    /// The content is not as expected (not UTF-8, or a folder instead of a file).
    Invalid,
    /// A checked path contains a symlink, whose target was not checked.
    SymlinkInPath,
    /// More than a value, or than a run, may hold.
    TooLarge,
    Other,
}

/// The reason if a path contains a symlink.
pub(crate) const SYMLINK_IN_PATH: &str = "a symlink is in its path, which spc does not follow";

impl HostError {
    /// An error of `kind`.
    pub fn new(kind: HostErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Why `path` could not be read, without the action and the path.
    pub fn why_unread(&self, path: &Path) -> &str {
        let action = format!("Could not read \"{}\": ", path.display());
        self.message.strip_prefix(&action).unwrap_or(&self.message)
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

/// The result type of the port.
pub type Result<T> = std::result::Result<T, HostError>;

/// The next step when a limit is reached.
pub const STREAM: &str =
    "stream what is large, with fs::file(…) as stdin or stdout, or go through it in parts";
