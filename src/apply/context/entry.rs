//! What a build context consists of, as the walk found it.

use std::path::PathBuf;

use bytes::Bytes;

use crate::host::{HostError, HostErrorKind};
use crate::model::{Failure, Kind};

/// A path to send.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Relative to the context, with `/` between names.
    pub(super) path: String,
    pub(super) mode: u32,
    /// Seconds since 1970. Both builders leave times out of their cache, so the true one costs
    /// nothing; with a constant one, what compares times inside the image (collectstatic,
    /// ETags) would miss changes.
    pub(super) modified: u64,
    pub(super) content: Content,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Folder,
    /// The target as it is written.
    Symlink(PathBuf),
    File {
        /// Bytes.
        len: u64,
    },
    /// A file whose content was checked: it is sent as it was then, whatever is under its name by
    /// now.
    Checked(Bytes),
}

/// A symlink where none may be is the policy's concern; all else makes the build fail.
pub(super) fn of_host(error: HostError) -> Failure {
    if error.kind == HostErrorKind::SymlinkInPath {
        error.into()
    } else {
        Failure::new(Kind::Build, error.message)
    }
}
