//! Files of `ssh` for a login.

use std::path::{Path, PathBuf};

/// The content of a file with `ssh`'s messages; empty if there is none.
pub(super) fn read(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// Whether a file with this name exists.
pub(super) fn is_there(path: &PathBuf) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}
