//! A file of the simulated host that is written as a stream.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;

use super::changes::Changes;
use super::epoch::date;
use super::errno::failure;
use super::executor::SimTaskExecutor;
use super::files::{Files, LastSymlink};
use crate::host::{FileSink, Result};
use crate::policy::CheckedPath;

pub(super) struct SimFile {
    executor: Arc<SimTaskExecutor>,
    files: Arc<Mutex<Files>>,
    path: CheckedPath,
    changes: Changes,
    content: BytesMut,
}

impl SimFile {
    pub(super) fn new(
        executor: Arc<SimTaskExecutor>,
        files: Arc<Mutex<Files>>,
        changes: Changes,
        path: &CheckedPath,
    ) -> Self {
        Self { executor, files, path: path.clone(), changes, content: BytesMut::new() }
    }
}

#[async_trait]
impl FileSink for SimFile {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.content.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let Self { executor, files, path, changes, content } = *self;
        let now = date(executor.now());
        let (files, path) = (&mut files.lock(), path.as_path());
        changes.make("write", path, || {
            let written = files
                .without_symlinks(path, LastSymlink::Keep)
                .and_then(|()| files.replace(path, content.freeze(), None, now));
            written.map_err(|errno| failure(errno, "write", path))
        })
    }
}
