//! Files and folders of the real host.

use std::ffi::{OsStr, OsString};
use std::fs::{File, FileType};
use std::io::{self, Read, Write};
#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;
use tokio_util::io::ReaderStream;

use super::environment;
use super::error::failed;
use super::roots::{Roots, open_name};
use crate::host::memory::{self, LARGEST_VALUE};
use crate::host::{
    FileInfo, FileKind, FolderEntry, HostError, HostErrorKind, Result, SYMLINK_IN_PATH,
};
use crate::policy::CheckedPath;

/// Permission bits of a new file, before the umask is applied.
pub(super) const NEW_FILE_MODE: u32 = 0o644;

/// Bytes of one chunk of a stream.
const CHUNK: usize = 64 << 10;

/// `Could not <action> "<path>": <cause>`, for an operation that follows no symlink.
pub(super) fn failed_at(action: &str, path: &CheckedPath, error: &io::Error) -> HostError {
    if Errno::from_io_error(error) == Some(Errno::LOOP) {
        let message =
            format!("Could not {action} \"{}\": {SYMLINK_IN_PATH}", path.as_path().display());
        return HostError::new(HostErrorKind::SymlinkInPath, message);
    }
    failed(action, path.as_path(), error)
}

/// The content of a file. A file that is too large for memory has to be streamed.
pub(super) fn read(roots: &Roots, path: &CheckedPath) -> Result<Bytes> {
    let file = open_file(roots, path)?;
    let length = file.metadata().map_err(|error| failed_at("read", path, &error))?.len();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let _room = memory::reserve(environment::memory, length.min(LARGEST_VALUE))?;
    let mut content = Vec::with_capacity(length.min(LARGEST_VALUE));
    file.take(LARGEST_VALUE as u64 + 1)
        .read_to_end(&mut content)
        .map_err(|error| failed_at("read", path, &error))?;
    if content.len() > LARGEST_VALUE {
        let message = format!(
            "Could not read \"{}\": it is larger than {} MiB",
            path.as_path().display(),
            LARGEST_VALUE >> 20
        );
        return Err(HostError::new(HostErrorKind::TooLarge, message));
    }
    Ok(content.into())
}

pub(super) fn open(
    roots: &Roots,
    path: &CheckedPath,
) -> Result<BoxStream<'static, io::Result<Bytes>>> {
    let file = tokio::fs::File::from_std(open_file(roots, path)?);
    Ok(ReaderStream::with_capacity(file, CHUNK).boxed())
}

/// Opens a regular file for reading. A pipe would wait for a writer, and a device may never end.
fn open_file(roots: &Roots, path: &CheckedPath) -> Result<File> {
    open_regular(roots, path, OFlags::RDONLY, "read")
}

/// Opens an existing regular file. Its type is checked before it is opened: a container can create
/// devices in a folder that is mounted into it, and opening one may have an effect by itself (a
/// watchdog, a tape).
fn open_regular(roots: &Roots, path: &CheckedPath, flags: OFlags, action: &str) -> Result<File> {
    let failed = |error: io::Error| failed_at(action, path, &error);
    let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    let seen = {
        let seen = File::from(
            roots.open(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty()).map_err(failed)?,
        );
        only_regular(&seen, path, action)?;
        seen
    };
    #[cfg(target_os = "linux")]
    let opened =
        match rustix::fs::open(format!("/proc/self/fd/{}", seen.as_raw_fd()), flags, Mode::empty())
        {
            // Without `/proc`, open it by its name again.
            Err(Errno::NOENT | Errno::NOTDIR) => roots.open(path, flags, Mode::empty()),
            opened => opened.map_err(io::Error::from),
        };
    #[cfg(not(target_os = "linux"))]
    let opened = roots.open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(failed)?);
    only_regular(&file, path, action)?;
    Ok(file)
}

fn only_regular(file: &File, path: &CheckedPath, action: &str) -> Result<()> {
    let failed = |error: io::Error| failed_at(action, path, &error);
    let kind = file.metadata().map_err(failed)?.file_type();
    if kind.is_symlink() {
        return Err(failed(Errno::LOOP.into()));
    }
    if kind.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if kind.is_file() { Ok(()) } else { Err(is_special(action, path, kind)) }
}

fn is_special(action: &str, path: &CheckedPath, kind: FileType) -> HostError {
    let kind = if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    HostError::new(
        HostErrorKind::Invalid,
        format!("Could not {action} \"{}\": it is {kind}", path.as_path().display()),
    )
}

pub(super) fn append(roots: &Roots, path: &CheckedPath, content: &[u8]) -> Result<()> {
    let failed = |error: io::Error| failed_at("append to", path, &error);
    let flags = OFlags::WRONLY | OFlags::APPEND;
    let new = || {
        roots.open(path, flags | OFlags::CREATE | OFlags::EXCL, Mode::from_raw_mode(NEW_FILE_MODE))
    };
    let mut file = match open_regular(roots, path, flags, "append to") {
        Err(error) if error.kind == HostErrorKind::NotFound => match new() {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                open_regular(roots, path, flags, "append to")?
            }
            opened => File::from(opened.map_err(failed)?),
        },
        opened => opened?,
    };
    file.write_all(content).map_err(failed)
}

pub(super) fn create_folder(roots: &Roots, path: &CheckedPath) -> Result<()> {
    roots.create_folder(path).map_err(|error| failed_at("make the folder", path, &error))
}

pub(super) fn list(roots: &Roots, path: &CheckedPath) -> Result<Vec<FolderEntry>> {
    let entries = || -> io::Result<Vec<FolderEntry>> {
        let folder = roots.open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        let entries = entries(&folder)?.into_iter();
        Ok(entries
            .map(|(name, kind)| FolderEntry { name: name.to_string_lossy().into_owned(), kind })
            .collect())
    };
    let mut entries = entries().map_err(|error| failed_at("list", path, &error))?;
    entries.sort();
    Ok(entries)
}

/// The entries of an open folder.
fn entries(folder: impl AsFd) -> io::Result<Vec<(OsString, FileKind)>> {
    let mut entries = Vec::new();
    for entry in rustix::fs::Dir::read_from(&folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems don't return the type here.
            rustix::fs::FileType::Unknown => {
                match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(found) => kind_of(&found),
                    Err(Errno::NOENT) => continue,
                    Err(errno) => return Err(errno.into()),
                }
            }
            known => kind(known),
        };
        entries.push((name.to_owned(), kind));
    }
    Ok(entries)
}

pub(super) fn info(roots: &Roots, path: &CheckedPath) -> Result<FileInfo> {
    let inspect = || -> io::Result<Stat> {
        if path.relative() == Path::new("") {
            return Ok(rustix::fs::fstat(roots.open(
                path,
                super::roots::FOLDER,
                Mode::empty(),
            )?)?);
        }
        let (folder, name) = roots.folder_of(path)?;
        Ok(rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?)
    };
    let found = inspect().map_err(|error| failed_at("look at", path, &error))?;
    #[expect(clippy::allow_attributes, reason = "the types differ between machines")]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::useless_conversion,
        clippy::unnecessary_cast
    )]
    let (len, seconds, nanoseconds) =
        (found.st_size as u64, found.st_mtime as i64, found.st_mtime_nsec as u32);
    let modified: DateTime<Utc> =
        DateTime::from_timestamp(seconds, nanoseconds).unwrap_or_default();
    Ok(FileInfo { kind: kind_of(&found), len, mode: permission_bits(&found), modified })
}

pub(super) fn permission_bits(found: &Stat) -> u32 {
    Mode::from_raw_mode(found.st_mode).bits() & 0o7777
}

fn kind_of(found: &Stat) -> FileKind {
    kind(rustix::fs::FileType::from_raw_mode(found.st_mode))
}

fn kind(kind: rustix::fs::FileType) -> FileKind {
    match kind {
        rustix::fs::FileType::RegularFile => FileKind::File,
        rustix::fs::FileType::Directory => FileKind::Folder,
        rustix::fs::FileType::Symlink => FileKind::Symlink,
        _ => FileKind::Other,
    }
}

pub(super) fn link_target(roots: &Roots, path: &CheckedPath) -> Result<PathBuf> {
    let target = || -> io::Result<PathBuf> {
        let (folder, name) = roots.folder_of(path)?;
        let target = rustix::fs::readlinkat(folder, name, Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    };
    target().map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => HostError::new(
            HostErrorKind::Invalid,
            format!("Could not follow \"{}\": it is not a symlink", path.as_path().display()),
        ),
        _ => failed_at("follow", path, &error),
    })
}

pub(super) fn canonicalize(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(|error| failed("find", path, &error))
}

pub(super) fn remove(roots: &Roots, path: &CheckedPath) -> Result<()> {
    let remove = || {
        let (folder, name) = roots.folder_of(path)?;
        remove_name(&folder, name)
    };
    remove().map_err(|error| failed_at("remove", path, &error))
}

/// The number of attempts to remove a name that someone turns into a symlink and a folder
/// alternately.
const TRIES: usize = 32;

/// Removes `name` in `folder`. The content of a folder is removed through the opened folder itself.
/// If someone moves the folder away meanwhile, no other files are removed, and a symlink in its
/// place is removed itself.
fn remove_name(folder: impl AsFd, name: &OsStr) -> io::Result<()> {
    for _ in 0..TRIES {
        if try_remove(folder.as_fd(), name)? {
            return Ok(());
        }
    }
    Err(io::ErrorKind::DirectoryNotEmpty.into())
}

/// See [`remove_name`]. Returns whether the name is gone, and not in use again.
fn try_remove(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<bool> {
    let unlinked = |flags: AtFlags| match rustix::fs::unlinkat(folder, name, flags) {
        Err(Errno::ISDIR | Errno::NOTDIR) => Ok(false),
        unlinked => unlinked.map(|()| true).map_err(io::Error::from),
    };
    let found = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if kind_of(&found) != FileKind::Folder {
        return unlinked(AtFlags::empty());
    }
    let opened = match open_name(folder, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) {
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::LOOP | Errno::NOTDIR)) => {
            return unlinked(AtFlags::empty());
        }
        opened => opened?,
    };
    for (inner, _) in entries(&opened)? {
        match remove_name(&opened, &inner) {
            // Another process removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
    }
    unlinked(AtFlags::REMOVEDIR)
}

pub(super) fn rename(roots: &Roots, from: &CheckedPath, to: &CheckedPath) -> Result<()> {
    let rename = || -> io::Result<()> {
        let (old, new) = (roots.folder_of(from)?, roots.folder_of(to)?);
        Ok(rustix::fs::renameat(old.0, old.1, new.0, new.1)?)
    };
    rename().map_err(|error| {
        failed_at(&format!("rename \"{}\" to", from.as_path().display()), to, &error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder with a space and non-ASCII letters in its name.
    struct Folder {
        roots: Roots,
        path: CheckedPath,
        _dir: tempfile::TempDir,
    }

    impl Folder {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let root = canonicalize(dir.path()).unwrap();
            let path = CheckedPath::root_itself(root.join("Größe 1/데이터"));
            let roots = Roots::default();
            create_folder(&roots, &path).unwrap();
            Self { roots, path, _dir: dir }
        }

        fn at(&self, name: &str) -> CheckedPath {
            self.path.join(name)
        }

        fn file(&self, name: &str, content: &[u8]) {
            append(&self.roots, &self.at(name), content).unwrap();
        }

        fn pipe(&self, name: &str) {
            rustix::fs::mkfifoat(rustix::fs::CWD, self.at(name).as_path(), Mode::RUSR | Mode::WUSR)
                .unwrap();
        }

        fn link(&self, name: &str, target: impl AsRef<Path>) {
            symlink(target, self.at(name)).unwrap();
        }
    }

    #[test]
    fn appended_text_reads_back_whole_and_as_a_stream() {
        let folder = Folder::new();
        let path = folder.at("log é.txt");
        folder.file("log é.txt", b"one\n");
        folder.file("log é.txt", b"two\n");
        assert_eq!(read(&folder.roots, &path).unwrap(), "one\ntwo\n");
        let stream = open(&folder.roots, &path).unwrap();
        let chunks: Vec<_> = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(stream.collect());
        assert_eq!(
            chunks.into_iter().map(io::Result::unwrap).collect::<Vec<_>>().concat(),
            b"one\ntwo\n"
        );
    }

    #[test]
    fn a_folder_is_listed_by_name_with_what_each_name_is() {
        let folder = Folder::new();
        create_folder(&folder.roots, &folder.at("b/c")).unwrap();
        folder.file("é", b"");
        folder.link("a", "nowhere");
        folder.pipe("pipe");
        let names: Vec<_> = list(&folder.roots, &folder.path)
            .unwrap()
            .into_iter()
            .map(|entry| (entry.name, entry.kind))
            .collect();
        let expected = [
            ("a", FileKind::Symlink),
            ("b", FileKind::Folder),
            ("pipe", FileKind::Other),
            ("é", FileKind::File),
        ];
        assert_eq!(names, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }

    #[test]
    fn inspecting_and_removing_a_symlink_does_not_follow_it() {
        let Folder { roots, path, .. } = &Folder::new();
        append(roots, &path.join("file"), b"12345").unwrap();
        let link = path.join("link");
        symlink(path, &link).unwrap();
        assert_eq!(info(roots, &link).unwrap().kind, FileKind::Symlink);
        assert_eq!(link_target(roots, &link).unwrap(), path.as_path());
        assert_eq!(canonicalize(link.join("file").as_path()).unwrap(), path.join("file").as_path());
        remove(roots, &link).unwrap();
        let file = info(roots, &path.join("file")).unwrap();
        assert_eq!((file.kind, file.len, file.mode & 0o600), (FileKind::File, 5, 0o600));
        assert_eq!(info(roots, path).unwrap().kind, FileKind::Folder);
    }

    #[test]
    fn a_folder_is_removed_with_all_it_holds_and_renamed() {
        let folder = Folder::new();
        create_folder(&folder.roots, &folder.at("a/b/c")).unwrap();
        folder.file("a/file", b"");
        folder.link("a/b/out", "/");
        rename(&folder.roots, &folder.at("a"), &folder.at("moved")).unwrap();
        assert_eq!(list(&folder.roots, &folder.at("moved")).unwrap().len(), 2);
        remove(&folder.roots, &folder.at("moved")).unwrap();
        assert_eq!(
            info(&folder.roots, &folder.at("moved")).unwrap_err().kind,
            HostErrorKind::NotFound
        );
    }

    #[test]
    fn file_errors_are_explained() {
        let folder = Folder::new();
        folder.file("file", b"");
        folder.pipe("pipe");
        let (roots, at) = (&folder.roots, |name: &str| folder.at(name));
        let says = |error: HostError, kind: HostErrorKind, cause: &str| {
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.message.ends_with(cause), "{error}");
        };
        says(
            read(roots, &at("gone")).unwrap_err(),
            HostErrorKind::NotFound,
            "gone\": it does not exist",
        );
        says(read(roots, &folder.path).unwrap_err(), HostErrorKind::Invalid, ": it is a folder");
        says(read(roots, &at("pipe")).unwrap_err(), HostErrorKind::Invalid, ": it is a pipe");
        says(
            read(roots, &at("file/x")).unwrap_err(),
            HostErrorKind::NotFound,
            ": a part of the path is not a folder",
        );
        says(open(roots, &folder.path).err().unwrap(), HostErrorKind::Invalid, ": it is a folder");
        says(
            link_target(roots, &at("file")).unwrap_err(),
            HostErrorKind::Invalid,
            ": it is not a symlink",
        );
        says(
            remove(roots, &at("gone")).unwrap_err(),
            HostErrorKind::NotFound,
            ": it does not exist",
        );
        says(
            create_folder(roots, &at("file")).unwrap_err(),
            HostErrorKind::AlreadyExists,
            ": something with that name already exists",
        );
        says(
            create_folder(roots, &at("file/x")).unwrap_err(),
            HostErrorKind::NotFound,
            ": a part of the path is not a folder",
        );
        let reader = std::fs::OpenOptions::new().read(true).write(true).open(at("pipe")).unwrap();
        says(
            append(roots, &at("pipe"), b"x").unwrap_err(),
            HostErrorKind::Invalid,
            ": it is a pipe",
        );
        drop(reader);
        let full = CheckedPath::trusted("/dev/full");
        says(
            append(roots, &full, b"x").unwrap_err(),
            HostErrorKind::Invalid,
            "\"/dev/full\": it is a device",
        );
        says(
            read(roots, &full).unwrap_err(),
            HostErrorKind::Invalid,
            "\"/dev/full\": it is a device",
        );
        says(
            append(roots, &folder.path, b"x").unwrap_err(),
            HostErrorKind::Invalid,
            ": it is a folder",
        );
    }
}
