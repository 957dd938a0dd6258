//! A checked path in the form that the host opens: a root, and names below it.
//!
//! The host opens the root once and everything else relative to it, without following symlinks. The
//! check canonicalizes first, so the path of an allowed symlink is the path of its target. If
//! someone puts a symlink into the path after the check, the operation fails.

use std::path::{Component, Path, PathBuf};

/// A location below a root. No operation of the host leaves the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckedPath {
    /// Absolute, without symlinks, `.` and `..`.
    root: PathBuf,
    /// The root and the names below it.
    path: PathBuf,
}

impl CheckedPath {
    /// `path` below `root`, both absolute and canonical; `None` if `path` is neither the root
    /// itself nor below it.
    pub fn below(root: &Path, path: &Path) -> Option<Self> {
        let is_plain = |path: &Path| {
            path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
        };
        let is_below = root.is_absolute() && path.starts_with(root) && is_plain(path);
        is_below.then(|| Self { root: root.to_owned(), path: path.to_owned() })
    }

    /// The folder `root` itself: absolute and canonical.
    pub fn root_itself(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { path: root.clone(), root }
    }

    /// A path that needs no permission, because a person named it or it belongs to a tool of this
    /// machine. Absolute and canonical. Its folder is the root.
    pub fn trusted(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { root: path.parent().unwrap_or(&path).to_owned(), path }
    }

    /// The path `names` below this path. A part that leads up, or to the root of the file system,
    /// starts at the root of this location and never leaves it.
    #[must_use]
    pub fn join(&self, names: impl AsRef<Path>) -> Self {
        let mut path = self.path.clone();
        for part in names.as_ref().components() {
            match part {
                Component::Normal(name) => path.push(name),
                Component::ParentDir if path != self.root => drop(path.pop()),
                Component::ParentDir | Component::CurDir | Component::Prefix(_) => {}
                Component::RootDir => path.clone_from(&self.root),
            }
        }
        Self { root: self.root.clone(), path }
    }

    /// Its folder; `None` for the root itself.
    pub fn parent(&self) -> Option<Self> {
        if self.path == self.root {
            return None;
        }
        Some(Self { root: self.root.clone(), path: self.path.parent()?.to_owned() })
    }

    /// The folder that the host opens once.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The names below the root; empty for the root itself.
    pub fn relative(&self) -> &Path {
        self.path.strip_prefix(&self.root).unwrap_or(Path::new(""))
    }

    /// The whole path, for messages and comparisons.
    pub fn as_path(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for CheckedPath {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_never_leaves_its_root() {
        let root = CheckedPath::root_itself("/work/app");
        for (names, expected) in [
            ("a/b", "/work/app/a/b"),
            ("./a/../b", "/work/app/b"),
            ("..", "/work/app"),
            ("../../etc/passwd", "/work/app/etc/passwd"),
            ("a/../../../x", "/work/app/x"),
            ("/etc/passwd", "/work/app/etc/passwd"),
            ("", "/work/app"),
        ] {
            let joined = root.join("in/ner").parent().unwrap().parent().unwrap().join(names);
            assert_eq!(joined.as_path(), Path::new(expected), "{names}");
            assert_eq!(joined.root(), Path::new("/work/app"), "{names}");
        }
        assert_eq!(root.join("in").join("../../x").as_path(), Path::new("/work/app/x"));
        assert_eq!(root.parent(), None);
    }

    #[test]
    fn only_a_plain_path_below_the_root_is_a_location_there() {
        let below = |path: &str| {
            CheckedPath::below(Path::new("/work/app"), Path::new(path))
                .map(|path| path.relative().to_owned())
        };
        assert_eq!(below("/work/app/a/b").unwrap(), Path::new("a/b"));
        assert_eq!(below("/work/app").unwrap(), Path::new(""));
        for path in ["/work/apple", "/work", "/work/app/../x", "/work/app/a/..", "a", "/"] {
            assert_eq!(below(path), None, "{path}");
        }
        assert_eq!(CheckedPath::below(Path::new("work"), Path::new("work/a")), None);
    }

    #[test]
    fn the_root_of_a_path_that_a_person_named_is_its_folder() {
        let path = CheckedPath::trusted("/home/a/x.rhai");
        assert_eq!((path.root(), path.relative()), (Path::new("/home/a"), Path::new("x.rhai")));
        let all = CheckedPath::trusted("/");
        assert_eq!(
            (all.root(), all.relative(), all.join("a").as_path()),
            (Path::new("/"), Path::new(""), Path::new("/a"))
        );
    }
}
