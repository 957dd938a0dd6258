//! What scripts and containers can write on the host, and the paths that lead through it.
//!
//! A symlink in such a folder leads wherever a script wants it to. So the way of a path counts, not
//! only its end.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::Policy;
use super::path::within;

/// What is at a path, a symlink not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Missing,
    Folder,
    File {
        /// Whether anybody may execute it.
        is_executable: bool,
    },
    /// Where it leads, as it is written.
    Symlink(PathBuf),
    /// A socket, a device, a pipe.
    Other,
}

/// Tells what is at a path; the host's answer.
pub type PathLookup<'a> = &'a dyn Fn(&Path) -> Entry;

/// Where a path leads, followed name by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// Canonical as far as it exists.
    pub real: PathBuf,
    pub entry: Entry,
    /// The first place on the way that scripts or containers can write.
    pub through: Option<PathBuf>,
}

/// Symlinks followed before a path leads nowhere, as Linux has it.
const MOST_SYMLINKS: usize = 40;

/// Where engines keep volumes and containers, whose files containers write.
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

    /// What scripts or containers can write that counts as a part of `folder`: a file in it or in a
    /// folder above it, where programs look for settings too, or a hidden folder such as
    /// `.git`. Folders of other names below it don't count.
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
