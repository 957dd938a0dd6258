//! New files that appear under their name whole or not at all.
//!
//! The content goes into a hidden neighbour, to the disk, and only then takes the name.
//! A file that was there keeps its permission bits and its owner unless a mode is given.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt;

use super::error::failed;
use super::files::NEW_FILE_MODE;
use crate::host::{FileSink, HostError, Result};

pub(super) fn write(path: &Path, content: &[u8], mode: Option<u32>) -> Result<()> {
    let write = || {
        let (mut file, replacement) = Replacement::begin(path, mode)?;
        file.write_all(content)?;
        file.sync_all()?;
        replacement.finish()
    };
    write().map_err(|error| failed("write", path, &error))
}

pub(super) fn create(path: &Path) -> Result<Box<dyn FileSink>> {
    let (file, replacement) = Replacement::begin(path, None).map_err(|error| failed("write", path, &error))?;
    Ok(Box::new(Sink { file: tokio::fs::File::from_std(file), replacement, failed: None }))
}

struct Sink {
    file: tokio::fs::File,
    replacement: Replacement,
    /// A part is missing: the file never takes its name.
    failed: Option<HostError>,
}

#[async_trait]
impl FileSink for Sink {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let result = self.file.write_all(&bytes).await.map_err(|error| failed("write", &self.replacement.path, &error));
        self.failed = self.failed.take().or_else(|| result.clone().err());
        result
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let path = self.replacement.path.clone();
        let finish = async {
            self.file.flush().await?;
            self.file.sync_all().await?;
            self.replacement.finish()
        };
        finish.await.map_err(|error| failed("write", &path, &error))
    }
}

/// A file on its way to its name; gone if it is dropped before.
struct Replacement {
    temporary: TempPath,
    path: PathBuf,
    permissions: Option<Permissions>,
}

impl Replacement {
    fn begin(path: &Path, mode: Option<u32>) -> io::Result<(File, Self)> {
        let existing = match std::fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if metadata.is_file() => Some(metadata),
            _ => None,
        };
        let mode = mode.or(existing.as_ref().map(|existing| existing.mode() & 0o7777));
        // The mode may be a secret's: nobody else reads the file before it is set.
        let first_mode = if mode.is_some() { 0o600 } else { NEW_FILE_MODE };
        let (file, temporary) = tempfile::Builder::new()
            .prefix(".spc-")
            .suffix(".tmp")
            .permissions(Permissions::from_mode(first_mode))
            .tempfile_in(folder_of(path))?
            .into_parts();
        if let Some(existing) = &existing {
            // Only root may give a file away; for anybody else it was theirs.
            let _ = std::os::unix::fs::fchown(&file, Some(existing.uid()), Some(existing.gid()));
        }
        Ok((file, Self { temporary, path: path.to_owned(), permissions: mode.map(Permissions::from_mode) }))
    }

    /// Takes the name. The content must be on the disk.
    fn finish(self) -> io::Result<()> {
        if let Some(permissions) = self.permissions {
            std::fs::set_permissions(&self.temporary, permissions)?;
        }
        self.temporary.persist(&self.path)?;
        // The name itself, too. Some file systems can't, and the file is there anyway.
        let _ = File::open(folder_of(&self.path)).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostErrorKind;

    fn names(folder: &Path) -> Vec<String> {
        super::super::files::list(folder).unwrap().into_iter().map(|entry| entry.name).collect()
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
    fn a_file_that_was_there_keeps_its_mode_and_owner_unless_told_otherwise() {
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
        assert!(error.message.starts_with("Could not write \"") && error.message.ends_with("/gone/b\": it is not there"), "{error}");
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
            let (_, replacement) = Replacement::begin(&path, None).unwrap();
            let full = tokio::fs::OpenOptions::new().write(true).open("/dev/full").await.unwrap();
            let mut sink = Box::new(Sink { file: full, replacement, failed: None });
            for _ in 0..writes {
                // Which of the two calls hears of it is the runtime's affair.
                let _ = sink.write("part".into()).await;
            }
            assert_eq!(sink.finish().await.unwrap_err().kind, HostErrorKind::NoSpace);
            assert_eq!(names(folder.path()), Vec::<String>::new());
        }
    }
}
