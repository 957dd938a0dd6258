//! Finds paths that lead through files of the host that scripts and containers can write.
//!
//! A symlink in such a folder leads wherever a script wants. So the whole path counts, not only its
//! end.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::Policy;
use super::path::within;

/// The kind of entry at a path. Symlinks are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Missing,
    Folder,
    File {
        /// Whether someone may execute it.
        is_executable: bool,
    },
    /// The target as written.
    Symlink(PathBuf),
    /// A socket, a device, a pipe.
    Other,
}

/// Looks up a path; the host implements it.
pub type PathLookup<'a> = &'a dyn Fn(&Path) -> Entry;

/// The result of following a path name by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// Canonical as far as it exists.
    pub real: PathBuf,
    pub entry: Entry,
    /// The first part of the path that scripts or containers can write.
    pub through: Option<PathBuf>,
}

/// The most symlinks in a path, as on Linux.
const MOST_SYMLINKS: usize = 40;

/// Folders in which engines store volumes and containers. Containers write files there.
const ENGINE_FOLDERS: [&str; 3] = ["/var/lib/containerd", "/var/lib/containers", "/var/lib/docker"];

impl Policy {
    /// Follows an absolute path.
    pub(super) fn route(&self, path: &Path, look: PathLookup<'_>) -> Route {
        let mut route = Route { real: PathBuf::from("/"), entry: Entry::Folder, through: None };
        let mut rest: VecDeque<OsString> = names(path).collect();
        let mut symlinks = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                route.real.pop();
                route.entry = Entry::Folder;
                continue;
            }
            let next = route.real.join(&name);
            if route.through.is_none() && self.is_written(&next) {
                route.through = Some(next.clone());
            }
            match look(&next) {
                Entry::Symlink(target) if symlinks < MOST_SYMLINKS => {
                    symlinks += 1;
                    if target.is_absolute() {
                        route.real = PathBuf::from("/");
                    }
                    for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
                        rest.push_front(name);
                    }
                    route.entry = Entry::Folder;
                }
                entry => {
                    route.entry =
                        if matches!(entry, Entry::Symlink(_)) { Entry::Missing } else { entry };
                    route.real = next;
                }
            }
        }
        // The root itself may be one of them.
        if route.through.is_none() && self.is_written(&route.real) {
            route.through = Some(route.real.clone());
        }
        route
    }

    fn is_written(&self, real: &Path) -> bool {
        within(real, &self.written) || ENGINE_FOLDERS.iter().any(|folder| real.starts_with(folder))
    }

    /// A part of `folder` that scripts or containers can write: a file in it or in a folder above
    /// it (programs search for settings there too), or a hidden folder such as `.git`. Folders
    /// below it with other names don't count.
    pub(super) fn written_in(&self, folder: &Path, look: PathLookup<'_>) -> Option<PathBuf> {
        let is_beside =
            |root: &&PathBuf| root.parent().is_some_and(|parent| folder.starts_with(parent));
        let is_hidden = |root: &Path| {
            root.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
        };
        self.written
            .iter()
            .filter(is_beside)
            .find(|root| is_hidden(root) || look(root) != Entry::Folder)
            .cloned()
    }
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}
