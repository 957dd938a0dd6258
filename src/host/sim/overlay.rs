//! The files below those of a simulated host: files of another host, which are read and never
//! written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::errno::Errno;
use crate::host::git::GitFiles;
use crate::host::{FileInfo, FileKind, Host, HostErrorKind};
use crate::policy::CheckedPath;

/// The part of another host that is visible where the simulated one has changed nothing.
#[derive(Clone)]
pub struct Overlay {
    host: Arc<dyn Host>,
    /// These paths are visible, with everything below them.
    roots: Vec<PathBuf>,
    /// These are not visible, although they are below one.
    hidden: Vec<PathBuf>,
    /// Only files that git has or would add are visible.
    git: Option<Arc<GitFiles>>,
    /// Paths that the simulation removed or moved away.
    removed: BTreeSet<PathBuf>,
}

/// The entry below a path.
pub(super) enum LowerEntry {
    File(FileInfo),
    Folder(FileInfo),
    Symlink(FileInfo, PathBuf),
    Other(FileInfo),
    /// A folder that only leads to visible paths.
    Way,
}

impl Overlay {
    /// Shows `roots` of `host`, which are absolute paths without symlinks.
    pub fn new(host: Arc<dyn Host>, roots: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            host,
            roots: roots.into_iter().collect(),
            hidden: Vec::new(),
            git: None,
            removed: BTreeSet::new(),
        }
    }

    /// Whether permission bits don't restrict the process.
    pub(super) fn ignores_permissions(&self) -> bool {
        self.host.ignores_permissions()
    }

    /// The same without `path` and everything below it.
    #[must_use]
    pub fn without(mut self, path: impl Into<PathBuf>) -> Self {
        self.hidden.push(path.into());
        self
    }

    /// The same without the files that `git` hides.
    #[must_use]
    pub fn as_git_has_it(self, git: Arc<GitFiles>) -> Self {
        Self { git: Some(git), ..self }
    }

    /// Why the file at `path` is not visible.
    pub(super) fn left_out(&self, path: &Path) -> Option<&'static str> {
        let info = self.host.info(&self.at(path)?).ok()?;
        if self.hidden.iter().any(|hidden| path.starts_with(hidden)) {
            return Some(
                "no test sees it, as it is somebody's own: sim::file makes one for a test",
            );
        }
        let is_ignored =
            self.git.as_ref().is_some_and(|git| git.hides(&*self.host, path, info.kind));
        is_ignored.then_some("git ignores it, and a test sees only what a clone of the project has: sim::file makes one for a test")
    }

    pub(super) fn look(&self, path: &Path) -> Option<LowerEntry> {
        if path.ancestors().any(|above| self.removed.contains(above))
            || self.hidden.iter().any(|hidden| path.starts_with(hidden))
        {
            return None;
        }
        if !self.roots.iter().any(|root| path.starts_with(root)) {
            return self.roots.iter().any(|root| root.starts_with(path)).then_some(LowerEntry::Way);
        }
        let path = &self.at(path)?;
        let info = self.host.info(path).ok()?;
        if self.git.as_ref().is_some_and(|git| git.hides(&*self.host, path.as_path(), info.kind)) {
            return None;
        }
        Some(match info.kind {
            FileKind::File => LowerEntry::File(info),
            FileKind::Folder => LowerEntry::Folder(info),
            FileKind::Symlink => LowerEntry::Symlink(info, self.host.link_target(path).ok()?),
            FileKind::Other => LowerEntry::Other(info),
        })
    }

    /// The names in a folder.
    pub(super) fn names(&self, folder: &Path) -> Vec<String> {
        let next = |root: &PathBuf| {
            Some(
                root.strip_prefix(folder)
                    .ok()?
                    .components()
                    .next()?
                    .as_os_str()
                    .to_string_lossy()
                    .into_owned(),
            )
        };
        match self.at(folder) {
            Some(folder) => self
                .host
                .list(&folder)
                .unwrap_or_default()
                .into_iter()
                .map(|entry| entry.name)
                .collect(),
            None => self.roots.iter().filter_map(next).collect(),
        }
    }

    pub(super) fn read(&self, path: &Path) -> Result<Bytes, Errno> {
        self.host.read(&self.at(path).ok_or(Errno::NotFound)?).map_err(|error| match error.kind {
            HostErrorKind::NotFound => Errno::NotFound,
            HostErrorKind::Invalid => Errno::IsAFolder,
            HostErrorKind::SymlinkInPath => Errno::SymlinkInPath,
            HostErrorKind::TooLarge => Errno::TooLarge,
            _ => Errno::Denied,
        })
    }

    /// The location on the other host of a path without symlinks, if it is visible.
    fn at(&self, path: &Path) -> Option<CheckedPath> {
        self.roots.iter().find_map(|root| CheckedPath::below(root, path))
    }

    pub(super) fn remove(&mut self, path: &Path) {
        self.removed.insert(path.to_path_buf());
    }

    /// Paths of the other host that the simulation has removed.
    pub(super) fn removed(&self) -> impl Iterator<Item = &PathBuf> {
        self.removed
            .iter()
            .filter(|path| self.at(path).is_some_and(|path| self.host.info(&path).is_ok()))
    }
}

impl std::fmt::Debug for Overlay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay")
            .field("roots", &self.roots)
            .field("hidden", &self.hidden)
            .finish_non_exhaustive()
    }
}
