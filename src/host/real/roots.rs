//! Opens the root of each checked path once, and everything below it in one step.
//!
//! No symlink is followed, not even one that stays below the root. A checked path is canonical, and
//! a symlink inside a project could still lead to a file that scripts may not write (`spc.toml`,
//! git hooks).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::policy::CheckedPath;

/// The flags for a folder in which other files are opened.
#[cfg(target_os = "linux")]
pub(super) const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
#[cfg(not(target_os = "linux"))]
pub(super) const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// The most roots that are kept open. A run has a handful; the root of a file that a person names
/// is its folder.
const MOST_ROOTS: usize = 64;

/// Permission bits of a new folder, before the umask is applied.
const NEW_FOLDER_MODE: Mode = Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO);

/// The roots that were opened so far. If one is replaced afterwards, it stays the same folder.
#[derive(Default)]
pub(super) struct Roots(Mutex<BTreeMap<PathBuf, Arc<OwnedFd>>>);

impl Roots {
    /// Opens the file at `path`.
    pub(super) fn open(
        &self,
        path: &CheckedPath,
        flags: OFlags,
        mode: Mode,
    ) -> io::Result<OwnedFd> {
        let root = self.root(path.root())?;
        let relative = path.relative();
        open_below(
            &root,
            if relative == Path::new("") { Path::new(".") } else { relative },
            flags,
            mode,
        )
    }

    /// The opened folder of `path`, and the last name. A root itself can't be replaced or removed.
    pub(super) fn folder_of<'p>(
        &self,
        path: &'p CheckedPath,
    ) -> io::Result<(Arc<OwnedFd>, &'p OsStr)> {
        let relative = path.relative();
        let name = relative.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let root = self.root(path.root())?;
        match relative.parent().filter(|folder| *folder != Path::new("")) {
            None => Ok((root, name)),
            Some(folder) => Ok((Arc::new(open_below(&root, folder, FOLDER, Mode::empty())?), name)),
        }
    }

    /// Creates a folder, with its missing parents.
    pub(super) fn create_folder(&self, path: &CheckedPath) -> io::Result<()> {
        let root = match self.root(path.root()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create_below(Arc::new(open_absolute(Path::new("/"))?), path.root())?;
                self.root(path.root())?
            }
            root => root?,
        };
        create_below(root, path.relative())
    }

    fn root(&self, path: &Path) -> io::Result<Arc<OwnedFd>> {
        let mut roots = self.0.lock();
        if let Some(root) = roots.get(path) {
            // A removed folder can't contain names any more. If a folder exists there now, it is
            // another one.
            if rustix::fs::fstat(root)?.st_nlink > 0 {
                return Ok(root.clone());
            }
            roots.remove(path);
        }
        let root = Arc::new(open_absolute(path)?);
        if roots.len() < MOST_ROOTS {
            roots.insert(path.to_owned(), root.clone());
        }
        Ok(root)
    }
}

fn open_absolute(path: &Path) -> io::Result<OwnedFd> {
    let top = rustix::fs::open("/", FOLDER | OFlags::CLOEXEC, Mode::empty())?;
    match path.strip_prefix("/") {
        Ok(relative) if relative == Path::new("") => Ok(top),
        Ok(relative) => open_below(&top, relative, FOLDER, Mode::empty()),
        Err(_) => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Opens `relative`, which consists of plain names below `folder`.
fn open_below(
    folder: impl AsFd,
    relative: &Path,
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::ResolveFlags;
        let way = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::io::retry_on_intr(|| rustix::fs::openat2(&folder, relative, flags, mode, way))
        {
            // Linux before 5.6, or a sandbox that forbids the call.
            Err(Errno::NOSYS | Errno::PERM) => {}
            // A folder in the path was moved out of the root meanwhile.
            Err(Errno::XDEV) => return Err(Errno::LOOP.into()),
            opened => return Ok(opened?),
        }
    }
    open_by_name(folder, relative, flags, mode)
}

/// The same, one name after another.
fn open_by_name(
    folder: impl AsFd,
    relative: &Path,
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let mut names = names(relative).peekable();
    let mut at: Option<OwnedFd> = None;
    while let Some(name) = names.next() {
        let (flags, mode) = if names.peek().is_some() {
            (FOLDER | OFlags::CLOEXEC, Mode::empty())
        } else {
            (flags, mode)
        };
        let opened = match &at {
            None => open_name(&folder, name, flags, mode)?,
            Some(at) => open_name(at, name, flags, mode)?,
        };
        at = Some(opened);
    }
    match at {
        Some(opened) => Ok(opened),
        None => Ok(rustix::fs::openat(&folder, ".", flags, mode)?),
    }
}

/// Opens one name in `folder`. A symlink is an error with its own kind.
pub(super) fn open_name(
    folder: impl AsFd,
    name: &OsStr,
    flags: OFlags,
    mode: Mode,
) -> io::Result<OwnedFd> {
    let open =
        || rustix::fs::openat(&folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode);
    let opened = rustix::io::retry_on_intr(open);
    opened
        .map_err(|errno| if is_symlink(&folder, name) { Errno::LOOP.into() } else { errno.into() })
}

fn is_symlink(folder: impl AsFd, name: &OsStr) -> bool {
    let found = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
    found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_symlink())
}

fn create_below(folder: Arc<OwnedFd>, relative: &Path) -> io::Result<()> {
    let mut at = folder;
    let mut names = names(relative).peekable();
    while let Some(name) = names.next() {
        let open = || open_name(&at, name, FOLDER, Mode::empty());
        let opened = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match rustix::fs::mkdirat(&at, name, NEW_FOLDER_MODE) {
                    // Another process was faster.
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(errno) => return Err(errno.into()),
                }
                open()
            }
            opened => opened,
        };
        let is_last = names.peek().is_none();
        at = Arc::new(opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory if is_last => io::ErrorKind::AlreadyExists.into(),
            _ => error,
        })?);
    }
    Ok(())
}

fn names(path: &Path) -> impl Iterator<Item = &OsStr> {
    path.components()
        .filter_map(|part| if let Component::Normal(name) = part { Some(name) } else { None })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Both ways to open, on the same folder: the one for old kernels must not be less strict.
    #[test]
    fn no_symlink_is_followed_with_or_without_openat2() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("root");
        std::fs::create_dir_all(root.join("folder/inner")).unwrap();
        std::fs::write(root.join("folder/inner/file"), "x").unwrap();
        symlink("folder", root.join("to-folder")).unwrap();
        symlink("inner/file", root.join("folder/to-file")).unwrap();
        symlink("/", root.join("out")).unwrap();
        let at = open_absolute(&root).unwrap();
        let (read, new) = (OFlags::RDONLY, OFlags::WRONLY | OFlags::CREATE);
        for (path, flags, expected) in [
            ("folder/inner/file", read, None),
            (".", FOLDER, None),
            ("folder/inner", FOLDER, None),
            ("folder/new", new, None),
            ("folder/to-file", read, Some(Errno::LOOP)),
            ("folder/to-file", new, Some(Errno::LOOP)),
            ("to-folder/inner/file", read, Some(Errno::LOOP)),
            ("to-folder", FOLDER, Some(Errno::LOOP)),
            ("out/etc/hostname", read, Some(Errno::LOOP)),
            ("out", read, Some(Errno::LOOP)),
            ("gone/file", read, Some(Errno::NOENT)),
            ("folder/inner/file/x", read, Some(Errno::NOTDIR)),
        ] {
            let mode = if flags == new { Mode::RUSR } else { Mode::empty() };
            for opened in [
                open_below(&at, Path::new(path), flags, mode),
                open_by_name(&at, Path::new(path), flags, mode),
            ] {
                let error = opened.err().map(|error| Errno::from_io_error(&error).unwrap());
                assert_eq!(error, expected, "{path}");
            }
        }
    }

    #[test]
    fn a_root_that_was_swapped_for_a_symlink_stays_the_folder_that_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for (folder, content) in [("root", "mine"), ("other", "theirs")] {
            std::fs::create_dir(base.join(folder)).unwrap();
            std::fs::write(base.join(folder).join("file"), content).unwrap();
        }
        let (roots, path) = (
            Roots::default(),
            CheckedPath::below(&base.join("root"), &base.join("root/file")).unwrap(),
        );
        let read = || {
            io::read_to_string(std::fs::File::from(roots.open(
                &path,
                OFlags::RDONLY,
                Mode::empty(),
            )?))
        };
        assert_eq!(read().unwrap(), "mine");
        std::fs::rename(base.join("root"), base.join("moved")).unwrap();
        symlink("other", base.join("root")).unwrap();
        assert_eq!(read().unwrap(), "mine");
        // Another process starts here: its root is not a root of this one.
        assert_eq!(
            Errno::from_io_error(
                &Roots::default().open(&path, OFlags::RDONLY, Mode::empty()).unwrap_err()
            ),
            Some(Errno::LOOP)
        );
        // Removed, so the name is free for a new folder.
        std::fs::remove_dir_all(base.join("moved")).unwrap();
        std::fs::remove_file(base.join("root")).unwrap();
        std::fs::rename(base.join("other"), base.join("root")).unwrap();
        assert_eq!(read().unwrap(), "theirs");
    }

    #[test]
    fn many_roots_do_not_keep_many_folders_open() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let roots = Roots::default();
        for number in 0..MOST_ROOTS + 5 {
            let root = base.join(number.to_string());
            roots.create_folder(&CheckedPath::root_itself(&root)).unwrap();
            roots.open(&CheckedPath::root_itself(&root), FOLDER, Mode::empty()).unwrap();
        }
        assert_eq!(roots.0.lock().len(), MOST_ROOTS);
    }
}
