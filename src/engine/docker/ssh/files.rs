//! Files that ssh leaves beside a login.

use std::path::{Path, PathBuf};

/// What a file of ssh's words holds; nothing if there is none.
pub(super) fn read(path: &Path) -> String {
    std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// Whether there is something of that name.
pub(super) fn is_there(path: &PathBuf) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}
