//! The entries of a build context, as the walk found them.

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
    /// Seconds since 1970. Both builders ignore times in their cache, so the real time costs
    /// nothing. With a constant time, programs in the image that compare times (collectstatic,
    /// ETags) would miss changes.
    pub(super) modified: u64,
    pub(super) content: Content,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Folder,
    /// The target as written.
    Symlink(PathBuf),
    File {
        /// Bytes.
        len: u64,
    },
    /// A file with checked content. This content is sent even if the file changes meanwhile.
    Checked(Bytes),
}

/// A symlink that is not allowed is a policy failure. All other errors make the build fail.
pub(super) fn of_host(error: HostError) -> Failure {
    if error.kind == HostErrorKind::SymlinkInPath {
        error.into()
    } else {
        Failure::new(Kind::Build, error.message)
    }
}
