//! Reasons why a file operation fails, and their texts.

use std::path::Path;

use crate::host::{HostError, HostErrorKind, SYMLINK_IN_PATH};

/// Why a file operation failed, as the operating system reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errno {
    NotFound,
    NotAFolder,
    IsAFolder,
    NotEmpty,
    Exists,
    Denied,
    Loop,
    NoSpace,
    /// A symlink in a place where none is followed.
    SymlinkInPath,
    /// Larger than one read may be.
    TooLarge,
    /// A relative path, a folder moved into itself, or a path that should be a symlink and isn't.
    Invalid,
}

impl Errno {
    pub(super) fn kind(self) -> HostErrorKind {
        match self {
            Self::NotFound | Self::NotAFolder => HostErrorKind::NotFound,
            Self::Denied => HostErrorKind::PermissionDenied,
            Self::NotEmpty | Self::Exists => HostErrorKind::AlreadyExists,
            Self::NoSpace => HostErrorKind::NoSpace,
            Self::IsAFolder | Self::Invalid => HostErrorKind::Invalid,
            Self::SymlinkInPath => HostErrorKind::SymlinkInPath,
            Self::TooLarge => HostErrorKind::TooLarge,
            Self::Loop => HostErrorKind::Other,
        }
    }

    /// The cause in the words of the real host.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NotFound => "it does not exist",
            Self::NotAFolder => "a part of the path is not a folder",
            Self::IsAFolder => "it is a folder",
            Self::NotEmpty => "the folder is not empty",
            Self::Exists => "something with that name already exists",
            Self::Denied => "permission denied",
            Self::Loop => "symlinks form a loop",
            Self::NoSpace => "the disk is full",
            Self::SymlinkInPath => SYMLINK_IN_PATH,
            Self::TooLarge => "it is larger than 64 MiB",
            Self::Invalid => "invalid argument",
        }
    }
}

pub(super) fn failure(errno: Errno, action: &str, path: &Path) -> HostError {
    HostError::new(
        errno.kind(),
        format!("Could not {action} \"{}\": {}", path.display(), errno.words()),
    )
}
