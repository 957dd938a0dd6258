use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};

use crate::host::{
    CommandEvent, CommandRequest, FileInfo, FileKind, FileSink, FolderEntry, Host, HostError, HostErrorKind, HttpRequest, HttpResponse,
    Result as HostResult, StandardStream,
};

/// The part of a host that a build context is made through, on real files.
#[derive(Default)]
pub(super) struct FolderHost {
    /// Files that the user may not read: root may read all.
    pub denied: BTreeSet<PathBuf>,
    /// The folders listed, in order.
    pub listed: Mutex<Vec<PathBuf>>,
}

impl FolderHost {
    fn checked<T>(&self, path: &Path, result: std::io::Result<T>) -> HostResult<T> {
        let kind = match &result {
            _ if self.denied.contains(path) => HostErrorKind::PermissionDenied,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                HostErrorKind::NotFound
            }
            _ => HostErrorKind::Other,
        };
        match result {
            Ok(value) if kind != HostErrorKind::PermissionDenied => Ok(value),
            _ => Err(HostError::new(kind, format!("Could not read \"{}\": {kind:?}", path.display()))),
        }
    }
}

fn kind_of(kind: std::fs::FileType) -> FileKind {
    match kind {
        kind if kind.is_file() => FileKind::File,
        kind if kind.is_dir() => FileKind::Folder,
        kind if kind.is_symlink() => FileKind::Symlink,
        kind => {
            assert!(kind.is_socket() || kind.is_fifo());
            FileKind::Other
        }
    }
}

#[async_trait::async_trait]
impl Host for FolderHost {
    fn read(&self, path: &Path) -> HostResult<Bytes> {
        self.checked(path, std::fs::read(path)).map(Bytes::from)
    }

    fn list(&self, path: &Path) -> HostResult<Vec<FolderEntry>> {
        self.listed.lock().unwrap().push(path.to_owned());
        let entries = self.checked(path, std::fs::read_dir(path))?;
        let mut names: Vec<FolderEntry> = entries
            .map(|entry| entry.unwrap())
            .map(|entry| FolderEntry { name: entry.file_name().to_string_lossy().into_owned(), kind: kind_of(entry.file_type().unwrap()) })
            .collect();
        names.sort();
        Ok(names)
    }

    fn info(&self, path: &Path) -> HostResult<FileInfo> {
        let data = self.checked(path, std::fs::symlink_metadata(path))?;
        Ok(FileInfo { kind: kind_of(data.file_type()), len: data.len(), mode: data.mode(), modified: data.modified().unwrap().into() })
    }

    fn link_target(&self, path: &Path) -> HostResult<PathBuf> {
        self.checked(path, std::fs::read_link(path))
    }

    fn open(&self, path: &Path) -> HostResult<BoxStream<'static, std::io::Result<Bytes>>> {
        let content = self.read(path)?;
        let chunks: Vec<_> = content.chunks(1000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        Ok(stream::iter(chunks).boxed())
    }

    fn now(&self) -> DateTime<Utc> {
        unused()
    }
    fn monotonic(&self) -> Duration {
        unused()
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        unused()
    }
    fn random(&self, _: &mut [u8]) {
        unused()
    }
    fn variable(&self, _: &str) -> Option<String> {
        unused()
    }
    fn environment(&self) -> BTreeMap<String, String> {
        unused()
    }
    fn current_folder(&self) -> HostResult<PathBuf> {
        unused()
    }
    fn identity(&self) -> String {
        unused()
    }
    fn write(&self, _: &Path, _: &[u8], _: Option<u32>) -> HostResult<()> {
        unused()
    }
    fn append(&self, _: &Path, _: &[u8]) -> HostResult<()> {
        unused()
    }
    fn create_folder(&self, _: &Path) -> HostResult<()> {
        unused()
    }
    fn canonicalize(&self, _: &Path) -> HostResult<PathBuf> {
        unused()
    }
    fn remove(&self, _: &Path) -> HostResult<()> {
        unused()
    }
    fn rename(&self, _: &Path, _: &Path) -> HostResult<()> {
        unused()
    }
    fn create(&self, _: &Path) -> HostResult<Box<dyn FileSink>> {
        unused()
    }
    fn spawn(&self, _: &CommandRequest) -> HostResult<BoxStream<'static, HostResult<CommandEvent>>> {
        unused()
    }
    async fn http(&self, _: &HttpRequest) -> HostResult<HttpResponse> {
        unused()
    }
    async fn tcp_connect(&self, _: &str, _: Duration) -> HostResult<()> {
        unused()
    }
    fn port_owner(&self, _: u16) -> Option<String> {
        unused()
    }
    fn is_terminal(&self, _: StandardStream) -> bool {
        unused()
    }
    async fn ask(&self, _: &str) -> HostResult<Option<String>> {
        unused()
    }
    async fn read_stdin(&self) -> HostResult<Bytes> {
        unused()
    }
}

fn unused() -> ! {
    panic!("a build context only lists, inspects and reads")
}
