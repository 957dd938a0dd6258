//! Reads a file of `.spc/`: its content, or nothing if it does not exist, or the reason why it
//! can't be read.

use std::fmt;
use std::path::Path;

use bytes::Bytes;

use crate::host::{FileKind, Host, HostError, HostErrorKind};
use crate::model::format::{FormatError, USE_NEWER};
use crate::model::{Failure, Kind};
use crate::policy::CheckedPath;

/// Permission bits of every record. Only the owner can read it, as with `.env`.
pub const RECORD_MODE: u32 = 0o600;

/// The reason why a record can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    /// It exists, or may exist, and can't be read.
    Unreadable { kind: HostErrorKind, why: String },
    /// This spc does not understand the content.
    Content(FormatError),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { why, .. } => f.write_str(why),
            Self::Content(why) => why.fmt(f),
        }
    }
}

impl From<FormatError> for RecordError {
    fn from(error: FormatError) -> Self {
        Self::Content(error)
    }
}

impl RecordError {
    pub(super) fn of_host(error: &HostError, path: &Path) -> Self {
        Self::Unreadable { kind: error.kind, why: error.why_unread(path).to_owned() }
    }

    /// The failure about `what`, which that file contains. `otherwise`: the next step if no newer
    /// spc wrote the file.
    pub(super) fn failure(&self, what: &str, path: &Path, otherwise: &str) -> Failure {
        let message = format!("Could not read {what} from \"{}\": {self}", path.display());
        let (kind, hint) = match self {
            Self::Content(error) if error.is_newer() => (Kind::Failed, USE_NEWER.to_owned()),
            Self::Content(_) => (Kind::Failed, format!("fix the file, or {otherwise}")),
            Self::Unreadable { kind: HostErrorKind::PermissionDenied, .. } => (
                Kind::Failed,
                format!("give the user who runs spc read and write access to it, or {otherwise}"),
            ),
            Self::Unreadable { kind: HostErrorKind::SymlinkInPath, .. } => {
                (Kind::Policy, format!("replace the symlink with the file itself, or {otherwise}"))
            }
            Self::Unreadable { .. } => (Kind::Failed, format!("repair it, or {otherwise}")),
        };
        Failure::new(kind, message).hint(hint)
    }
}

/// The content of the record `path` in `.spc`, which is `folder`. `None` only if there is no such
/// file.
pub(super) fn read(
    host: &dyn Host,
    folder: &CheckedPath,
    path: &CheckedPath,
) -> Result<Option<Bytes>, RecordError> {
    match host.read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind == HostErrorKind::NotFound => {
            match not_a_folder(host, folder, path) {
                Some(at) => Err(RecordError::Unreadable {
                    kind: HostErrorKind::Invalid,
                    why: format!("\"{}\" is not a folder", at.as_path().display()),
                }),
                None => Ok(None),
            }
        }
        Err(error) => Err(RecordError::of_host(&error, path.as_path())),
    }
}

/// Finds a file in place of a folder between `.spc` and a record. The system reports a record below
/// it as missing, and nothing can be written there.
fn not_a_folder(host: &dyn Host, folder: &CheckedPath, path: &CheckedPath) -> Option<CheckedPath> {
    std::iter::successors(path.parent(), CheckedPath::parent)
        .take_while(|at| at.as_path().starts_with(folder.as_path()))
        .filter(|at| host.info(at).is_ok_and(|info| info.kind != FileKind::Folder))
        .last()
}
