//! New files that appear under their name completely or not at all.
//!
//! The content is written to a hidden file in the same folder and synced to the disk, and then this
//! file is renamed. A replaced file's permission bits and owner are kept, unless a mode is given.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use tokio::io::AsyncWriteExt;

use super::clock;
use super::files::{NEW_FILE_MODE, failed_at, permission_bits};
use super::roots::{Roots, open_name};
use crate::host::{FileSink, HostError, Result};
use crate::policy::CheckedPath;

/// The most names that are tried for the hidden file.
const MOST_NAMES: usize = 100;

pub(super) fn write(
    roots: &Roots,
    path: &CheckedPath,
    content: &[u8],
    mode: Option<u32>,
) -> Result<()> {
    let write = || {
        let (mut file, replacement) = Replacement::begin(roots, path, mode)?;
        file.write_all(content)?;
        file.sync_all()?;
        replacement.finish(&file)
    };
    write().map_err(|error| failed_at("write", path, &error))
}

pub(super) fn create(roots: &Roots, path: &CheckedPath) -> Result<Box<dyn FileSink>> {
    let (file, replacement) =
        Replacement::begin(roots, path, None).map_err(|error| failed_at("write", path, &error))?;
    Ok(Box::new(Sink {
        file: tokio::fs::File::from_std(file),
        replacement,
        path: path.clone(),
        failed: None,
    }))
}

struct Sink {
    file: tokio::fs::File,
    replacement: Replacement,
    path: CheckedPath,
    /// A part is missing, so the file never gets its name.
    failed: Option<HostError>,
}

#[async_trait]
impl FileSink for Sink {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let result = self
            .file
            .write_all(&bytes)
            .await
            .map_err(|error| failed_at("write", &self.path, &error));
        self.failed = self.failed.take().or_else(|| result.clone().err());
        result
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let Self { mut file, replacement, path, failed } = *self;
        if let Some(error) = failed {
            return Err(error);
        }
        let finish = async {
            file.flush().await?;
            file.sync_all().await?;
            replacement.finish(&file.into_std().await)
        };
        finish.await.map_err(|error| failed_at("write", &path, &error))
    }
}

/// A file before it gets its final name. If this is dropped before, the file is removed.
struct Replacement {
    /// The folder of both names, opened once: the file appears in this folder, even if another one
    /// is put in its place.
    folder: Arc<OwnedFd>,
    /// `None` once the file has its name.
    temporary: Option<OsString>,
    name: OsString,
    permissions: Option<Permissions>,
}

impl Replacement {
    fn begin(roots: &Roots, path: &CheckedPath, mode: Option<u32>) -> io::Result<(File, Self)> {
        let (folder, name) = roots.folder_of(path)?;
        let existing = existing(&folder, name)?;
        let mode = mode.or(existing.as_ref().map(permission_bits));
        // The mode may be that of a secret file, so no other user may read the file before it is
        // set.
        let first_mode = if mode.is_some() { 0o600 } else { NEW_FILE_MODE };
        let (file, temporary) = new_neighbour(&folder, first_mode)?;
        let permissions = mode.map(Permissions::from_mode);
        let replacement =
            Self { folder, temporary: Some(temporary), name: name.to_owned(), permissions };
        if let Some(existing) = &existing {
            // Only root can change the owner. For anyone else, the file already was their own.
            let _ = std::os::unix::fs::fchown(&file, Some(existing.st_uid), Some(existing.st_gid));
        }
        Ok((file, replacement))
    }

    /// Renames the file. Its content must be on the disk.
    fn finish(mut self, file: &File) -> io::Result<()> {
        if let Some(permissions) = self.permissions.take() {
            // On the opened file, because its name may denote another file by now.
            file.set_permissions(permissions)?;
        }
        if let Some(temporary) = &self.temporary {
            rustix::fs::renameat(&self.folder, temporary, &self.folder, &self.name)?;
        }
        self.temporary = None;
        // Sync the name too. Some file systems can't, and the file exists anyway.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let _ =
            rustix::fs::openat(&self.folder, ".", flags, Mode::empty()).and_then(rustix::fs::fsync);
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // If it can't be removed, nothing can be done about it here.
            let _ = rustix::fs::unlinkat(&self.folder, temporary, AtFlags::empty());
        }
    }
}

/// The existing file. A symlink or a pipe does not count: the new file replaces it.
fn existing(folder: &OwnedFd, name: &OsStr) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
        Ok(found) => match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => Err(io::ErrorKind::IsADirectory.into()),
            FileType::RegularFile => Ok(Some(found)),
            _ => Ok(None),
        },
    }
}

/// A new hidden file in `folder`, and its name.
fn new_neighbour(folder: &OwnedFd, mode: u32) -> io::Result<(File, OsString)> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    for _ in 0..MOST_NAMES {
        let mut nonce = [0; 6];
        clock::random(&mut nonce);
        let name = OsString::from(format!(".spc-{}.tmp", crate::model::hash::hex(&nonce)));
        match open_name(folder, &name, flags, Mode::from_raw_mode(mode)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            opened => return Ok((opened?.into(), name)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::Path;

    use super::*;
    use crate::host::HostErrorKind;

    fn names(folder: &Path) -> Vec<String> {
        let folder = CheckedPath::root_itself(folder);
        super::super::files::list(&Roots::default(), &folder)
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect()
    }

    fn write(path: &Path, content: &[u8], mode: Option<u32>) -> Result<()> {
        super::write(&Roots::default(), &CheckedPath::trusted(path), content, mode)
    }

    fn create(path: &Path) -> Result<Box<dyn FileSink>> {
        super::create(&Roots::default(), &CheckedPath::trusted(path))
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_file_is_written_whole_with_the_mode_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("geheim 1 é");
        write(&path, b"secret", Some(0o600)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"secret");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(names(folder.path()), ["geheim 1 é"]);
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_and_owner_by_default() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"1", Some(0o750)).unwrap();
        let is_root = std::os::unix::fs::chown(&path, Some(1234), Some(1235)).is_ok();
        write(&path, b"2", None).unwrap();
        assert_eq!(mode(&path), 0o750);
        if is_root {
            let metadata = std::fs::metadata(&path).unwrap();
            assert_eq!((metadata.uid(), metadata.gid()), (1234, 1235));
        }
        write(&path, b"3", Some(0o644)).unwrap();
        assert_eq!(mode(&path), 0o644);
    }

    #[test]
    fn a_new_file_is_everybodys_to_read() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("a"), b"", None).unwrap();
        let umask = rustix::process::umask(rustix::fs::Mode::empty());
        rustix::process::umask(umask);
        assert_eq!(mode(&folder.path().join("a")), 0o644 & !umask.as_raw_mode());
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_content_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        let error = write(&folder.path().join("a"), b"1", None).unwrap_err();
        assert_eq!(error.kind, HostErrorKind::Invalid);
        assert!(error.message.ends_with("/a\": it is a folder"), "{error}");
        let error = write(&folder.path().join("gone/b"), b"1", None).unwrap_err();
        assert!(
            error.message.starts_with("Could not write \"")
                && error.message.ends_with("/gone/b\": it does not exist"),
            "{error}"
        );
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[tokio::test]
    async fn a_stream_appears_under_its_name_when_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup.tar");
        let mut sink = create(&path).unwrap();
        sink.write("one ".into()).await.unwrap();
        sink.write("two".into()).await.unwrap();
        assert!(!path.exists());
        sink.finish().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one two");
        assert_eq!(names(folder.path()), ["backup.tar"]);
    }

    #[tokio::test]
    async fn a_stream_that_is_not_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = create(&folder.path().join("backup.tar")).unwrap();
        sink.write("half".into()).await.unwrap();
        assert_eq!(names(folder.path()).len(), 1);
        drop(sink);
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_stream_that_the_disk_did_not_take_whole_never_appears() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup.tar");
        for writes in [1, 2] {
            let checked = CheckedPath::trusted(&path);
            let (_, replacement) = Replacement::begin(&Roots::default(), &checked, None).unwrap();
            let full = tokio::fs::OpenOptions::new().write(true).open("/dev/full").await.unwrap();
            let mut sink = Box::new(Sink { file: full, replacement, path: checked, failed: None });
            for _ in 0..writes {
                // Either of the two calls may get the error.
                let _ = sink.write("part".into()).await;
            }
            assert_eq!(sink.finish().await.unwrap_err().kind, HostErrorKind::NoSpace);
            assert_eq!(names(folder.path()), Vec::<String>::new());
        }
    }

    #[tokio::test]
    async fn a_folder_that_is_swapped_while_a_stream_is_written_gets_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        for folder in ["project/data", "other"] {
            std::fs::create_dir_all(base.join(folder)).unwrap();
        }
        let roots = Roots::default();
        let path =
            CheckedPath::below(&base.join("project"), &base.join("project/data/dump")).unwrap();
        let mut sink = super::create(&roots, &path).unwrap();
        sink.write("half".into()).await.unwrap();
        std::fs::rename(base.join("project/data"), base.join("project/moved")).unwrap();
        symlink(base.join("other"), base.join("project/data")).unwrap();
        sink.write(" whole".into()).await.unwrap();
        sink.finish().await.unwrap();
        assert_eq!(std::fs::read(base.join("project/moved/dump")).unwrap(), b"half whole");
        assert_eq!(names(&base.join("other")), Vec::<String>::new());
        let error = super::write(&roots, &path, b"x", None).unwrap_err();
        assert_eq!(error.kind, HostErrorKind::SymlinkInPath);
        assert!(
            error.message.ends_with(": a symlink is in its path, which spc does not follow"),
            "{error}"
        );
    }

    #[test]
    fn a_symlink_under_the_name_of_a_new_file_is_replaced_itself() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("other"), "kept").unwrap();
        symlink("other", dir.path().join("a")).unwrap();
        write(&dir.path().join("a"), b"new", Some(0o600)).unwrap();
        assert_eq!(
            (std::fs::read(dir.path().join("a")).unwrap(), mode(&dir.path().join("a"))),
            (b"new".to_vec(), 0o600)
        );
        assert_eq!(std::fs::read(dir.path().join("other")).unwrap(), b"kept");
    }
}
