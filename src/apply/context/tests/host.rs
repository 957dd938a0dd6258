use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use parking_lot::Mutex;

use crate::host::real::RealHost;
use crate::host::{
    CommandEvent, CommandRequest, FileInfo, FileSink, FolderEntry, Host, HostError, HostErrorKind,
    HttpRequest, HttpResponse, Result as HostResult, StandardStream,
};
use crate::policy::CheckedPath;

/// The part of a host that a build context is made through, on real files.
#[derive(Default)]
pub(super) struct FolderHost {
    real: RealHost,
    /// Files that the user may not read: root may read all.
    pub denied: BTreeSet<PathBuf>,
    /// The folders listed, in order.
    pub listed: Mutex<Vec<PathBuf>>,
    /// Done once, before a folder is listed.
    pub before_list: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl FolderHost {
    fn checked(&self, path: &CheckedPath) -> HostResult<()> {
        if self.denied.contains(path.as_path()) {
            return Err(HostError::new(
                HostErrorKind::PermissionDenied,
                format!("Could not read \"{}\"", path.as_path().display()),
            ));
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Host for FolderHost {
    fn read(&self, path: &CheckedPath) -> HostResult<Bytes> {
        self.checked(path)?;
        self.real.read(path)
    }

    fn list(&self, path: &CheckedPath) -> HostResult<Vec<FolderEntry>> {
        self.listed.lock().push(path.as_path().to_owned());
        self.checked(path)?;
        if let Some(change) = self.before_list.lock().take() {
            change();
        }
        self.real.list(path)
    }

    fn info(&self, path: &CheckedPath) -> HostResult<FileInfo> {
        self.checked(path)?;
        self.real.info(path)
    }

    fn link_target(&self, path: &CheckedPath) -> HostResult<PathBuf> {
        self.real.link_target(path)
    }

    fn canonicalize(&self, path: &Path) -> HostResult<PathBuf> {
        self.real.canonicalize(path)
    }

    fn open(&self, path: &CheckedPath) -> HostResult<BoxStream<'static, std::io::Result<Bytes>>> {
        self.checked(path)?;
        self.real.open(path)
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
    fn write(&self, _: &CheckedPath, _: &[u8], _: Option<u32>) -> HostResult<()> {
        unused()
    }
    fn append(&self, _: &CheckedPath, _: &[u8]) -> HostResult<()> {
        unused()
    }
    fn create_folder(&self, _: &CheckedPath) -> HostResult<()> {
        unused()
    }
    fn remove(&self, _: &CheckedPath) -> HostResult<()> {
        unused()
    }
    fn rename(&self, _: &CheckedPath, _: &CheckedPath) -> HostResult<()> {
        unused()
    }
    fn create(&self, _: &CheckedPath) -> HostResult<Box<dyn FileSink>> {
        unused()
    }
    fn spawn(
        &self,
        _: &CommandRequest,
    ) -> HostResult<BoxStream<'static, HostResult<CommandEvent>>> {
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
