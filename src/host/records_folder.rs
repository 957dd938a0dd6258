//! `.spc` of the project directory, with spc's records between runs and the journals of runs.

use std::path::Path;

use super::resolve::resolve;
use super::{Host, HostError, HostErrorKind};
use crate::policy::{CheckedPath, OwnAccess, Policy, Refusal};

/// The name of the folder.
pub const FOLDER: &str = ".spc";

/// The location of the folder. A symlink with this name is followed only to where scripts may
/// write.
pub fn folder(host: &dyn Host, policy: &Policy) -> Result<CheckedPath, Refusal> {
    policy.own_path(Path::new(FOLDER), OwnAccess::Write, &|path| resolve(host, path))
}

/// The same; a refusal becomes an error of the host.
pub fn usable_folder(host: &dyn Host, policy: &Policy) -> Result<CheckedPath, HostError> {
    folder(host, policy)
        .map_err(|refusal| HostError::new(HostErrorKind::SymlinkInPath, refusal.message()))
}

/// Creates the folder. It contains a `.gitignore` for itself, so that no repository includes it.
pub fn make_folder(host: &dyn Host, folder: &CheckedPath) -> Result<(), HostError> {
    host.create_folder(folder)?;
    let ignore = folder.join(".gitignore");
    if host.info(&ignore).is_err() {
        host.write(&ignore, b"*\n", None)?;
    }
    Ok(())
}
