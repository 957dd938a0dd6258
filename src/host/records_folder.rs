//! `.spc` of the project directory: where spc keeps what it remembers between runs, and the journals
//! of runs.

use std::path::Path;

use super::resolve::resolve;
use super::{Host, HostError, HostErrorKind};
use crate::policy::{CheckedPath, OwnAccess, Policy, Refusal};

/// Its name.
pub const FOLDER: &str = ".spc";

/// Where it is. A symlink under that name is followed only where scripts may write.
pub fn folder(host: &dyn Host, policy: &Policy) -> Result<CheckedPath, Refusal> {
    policy.own_path(Path::new(FOLDER), OwnAccess::Write, &|path| resolve(host, path))
}

/// The same; a refusal as an error of the host.
pub fn usable_folder(host: &dyn Host, policy: &Policy) -> Result<CheckedPath, HostError> {
    folder(host, policy)
        .map_err(|refusal| HostError::new(HostErrorKind::SymlinkInPath, refusal.message()))
}

/// Makes it. It ignores itself, so that no repository takes it in.
pub fn make_folder(host: &dyn Host, folder: &CheckedPath) -> Result<(), HostError> {
    host.create_folder(folder)?;
    let ignore = folder.join(".gitignore");
    if host.info(&ignore).is_err() {
        host.write(&ignore, b"*\n", None)?;
    }
    Ok(())
}
