//! Files and folders, as they are found.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::BoxStream;
use rustix::fs::OFlags;
use tokio_util::io::ReaderStream;

use super::error::failed;
use crate::host::{FileInfo, FileKind, FolderEntry, HostError, HostErrorKind, Result};

/// Permission bits of a new file, less what the umask takes.
pub(super) const NEW_FILE_MODE: u32 = 0o644;

/// Bytes of one chunk of a stream.
const CHUNK: usize = 64 << 10;

/// Bytes that are read at once; what is larger is streamed.
const LARGEST_READ: u64 = 64 << 20;

pub(super) fn read(path: &Path) -> Result<Bytes> {
    let mut content = Vec::new();
    let mut file = open_file(path)?.take(LARGEST_READ + 1);
    file.read_to_end(&mut content).map_err(|error| failed("read", path, &error))?;
    if content.len() as u64 > LARGEST_READ {
        let message = format!("Could not read \"{}\": it is larger than {} MiB", path.display(), LARGEST_READ >> 20);
        return Err(HostError::new(HostErrorKind::Invalid, message));
    }
    Ok(content.into())
}

pub(super) fn open(path: &Path) -> Result<BoxStream<'static, io::Result<Bytes>>> {
    let file = tokio::fs::File::from_std(open_file(path)?);
    Ok(ReaderStream::with_capacity(file, CHUNK).boxed())
}

/// Opens a regular file to read. A pipe would wait for a writer, a device may never end.
fn open_file(path: &Path) -> Result<File> {
    let failed = |error: io::Error| failed("read", path, &error);
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
    let kind = file.metadata().map_err(failed)?.file_type();
    if kind.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if !kind.is_file() {
        let message = format!("Could not read \"{}\": it is {}", path.display(), special(kind));
        return Err(HostError::new(HostErrorKind::Invalid, message));
    }
    Ok(file)
}

fn special(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

pub(super) fn append(path: &Path, content: &[u8]) -> Result<()> {
    let mut options = OpenOptions::new();
    let opened = options.append(true).create(true).mode(NEW_FILE_MODE).open(path);
    opened.and_then(|mut file| file.write_all(content)).map_err(|error| failed("append to", path, &error))
}

pub(super) fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| failed("make the folder", path, &error))
}

pub(super) fn list(path: &Path) -> Result<Vec<FolderEntry>> {
    let entries = || -> io::Result<Vec<FolderEntry>> {
        std::fs::read_dir(path)?
            .map(|entry| {
                let entry = entry?;
                Ok(FolderEntry { name: entry.file_name().to_string_lossy().into_owned(), kind: kind(entry.file_type()?) })
            })
            .collect()
    };
    let mut entries = entries().map_err(|error| failed("list", path, &error))?;
    entries.sort();
    Ok(entries)
}

pub(super) fn info(path: &Path) -> Result<FileInfo> {
    let inspect = || -> io::Result<(Metadata, DateTime<Utc>)> {
        let metadata = std::fs::symlink_metadata(path)?;
        let modified = metadata.modified()?.into();
        Ok((metadata, modified))
    };
    let (metadata, modified) = inspect().map_err(|error| failed("look at", path, &error))?;
    Ok(FileInfo { kind: kind(metadata.file_type()), len: metadata.len(), mode: metadata.mode() & 0o7777, modified })
}

fn kind(kind: FileType) -> FileKind {
    if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Folder
    } else if kind.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    }
}

pub(super) fn link_target(path: &Path) -> Result<PathBuf> {
    std::fs::read_link(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => {
            HostError::new(HostErrorKind::Invalid, format!("Could not follow \"{}\": it is not a symlink", path.display()))
        }
        _ => failed("follow", path, &error),
    })
}

pub(super) fn canonicalize(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(|error| failed("find", path, &error))
}

pub(super) fn remove(path: &Path) -> Result<()> {
    let remove = || {
        // A symlink to a folder is removed itself.
        if std::fs::symlink_metadata(path)?.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
    };
    remove().map_err(|error| failed("remove", path, &error))
}

pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|error| failed(&format!("rename \"{}\" to", from.display()), to, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A folder with a blank and letters beyond ASCII in its name.
    fn folder() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("Größe 1/데이터");
        create_folder(&folder).unwrap();
        (root, folder)
    }

    #[test]
    fn what_is_appended_is_read_back_whole_and_as_a_stream() {
        let (_root, folder) = folder();
        let path = folder.join("log é.txt");
        append(&path, b"one\n").unwrap();
        append(&path, b"two\n").unwrap();
        assert_eq!(read(&path).unwrap(), "one\ntwo\n");
        let chunks: Vec<_> = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(open(&path).unwrap().collect());
        assert_eq!(chunks.into_iter().map(io::Result::unwrap).collect::<Vec<_>>().concat(), b"one\ntwo\n");
    }

    #[test]
    fn a_folder_is_listed_by_name_with_what_each_name_is() {
        let (_root, folder) = folder();
        create_folder(&folder.join("b/c")).unwrap();
        append(&folder.join("é"), b"").unwrap();
        symlink("nowhere", folder.join("a")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("pipe"), rustix::fs::Mode::RUSR).unwrap();
        let names: Vec<_> = list(&folder).unwrap().into_iter().map(|entry| (entry.name, entry.kind)).collect();
        let expected = [("a", FileKind::Symlink), ("b", FileKind::Folder), ("pipe", FileKind::Other), ("é", FileKind::File)];
        assert_eq!(names, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }

    #[test]
    fn a_symlink_is_looked_at_and_removed_itself() {
        let (_root, folder) = folder();
        append(&folder.join("file"), b"12345").unwrap();
        symlink(&folder, folder.join("link")).unwrap();
        assert_eq!(info(&folder.join("link")).unwrap().kind, FileKind::Symlink);
        assert_eq!(link_target(&folder.join("link")).unwrap(), folder);
        assert_eq!(canonicalize(&folder.join("link/file")).unwrap(), canonicalize(&folder.join("file")).unwrap());
        remove(&folder.join("link")).unwrap();
        let file = info(&folder.join("file")).unwrap();
        assert_eq!((file.kind, file.len), (FileKind::File, 5));
    }

    #[test]
    fn a_folder_is_removed_with_all_it_holds_and_renamed() {
        let (root, folder) = folder();
        append(&folder.join("file"), b"").unwrap();
        rename(&folder, &root.path().join("moved")).unwrap();
        assert_eq!(list(&root.path().join("moved")).unwrap().len(), 1);
        remove(&root.path().join("moved")).unwrap();
        assert_eq!(info(&root.path().join("moved")).unwrap_err().kind, HostErrorKind::NotFound);
    }

    #[test]
    fn what_is_not_as_expected_is_said_in_words() {
        let (_root, folder) = folder();
        append(&folder.join("file"), b"").unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("pipe"), rustix::fs::Mode::RUSR).unwrap();
        let says = |error: HostError, kind: HostErrorKind, cause: &str| {
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.message.ends_with(cause), "{error}");
        };
        says(read(&folder.join("gone")).unwrap_err(), HostErrorKind::NotFound, "gone\": it is not there");
        says(read(&folder).unwrap_err(), HostErrorKind::Invalid, ": it is a folder");
        says(read(&folder.join("pipe")).unwrap_err(), HostErrorKind::Invalid, ": it is a pipe");
        says(read(&folder.join("file/x")).unwrap_err(), HostErrorKind::NotFound, ": a part of the path is not a folder");
        says(open(&folder).err().unwrap(), HostErrorKind::Invalid, ": it is a folder");
        says(link_target(&folder).unwrap_err(), HostErrorKind::Invalid, ": it is not a symlink");
        says(remove(&folder.join("gone")).unwrap_err(), HostErrorKind::NotFound, ": it is not there");
        says(create_folder(&folder.join("file")).unwrap_err(), HostErrorKind::AlreadyExists, ": something of that name is there");
        says(append(Path::new("/dev/full"), b"x").unwrap_err(), HostErrorKind::NoSpace, "\"/dev/full\": the disk is full");
    }
}
