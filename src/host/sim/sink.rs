//! A file of the simulated host that is written as a stream.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::changes::Changes;
use super::conductor::SimConductor;
use super::files::Files;
use super::{date, failure, lock};
use crate::host::{FileSink, Result};

pub(super) struct SimFile {
    conductor: Arc<SimConductor>,
    files: Arc<Mutex<Files>>,
    path: PathBuf,
    changes: Changes,
    content: BytesMut,
}

impl SimFile {
    pub(super) fn new(conductor: Arc<SimConductor>, files: Arc<Mutex<Files>>, changes: Changes, path: &Path) -> Self {
        Self { conductor, files, path: path.to_path_buf(), changes, content: BytesMut::new() }
    }
}

#[async_trait]
impl FileSink for SimFile {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.content.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let Self { conductor, files, path, changes, content } = *self;
        let now = date(conductor.now());
        changes.make("write", &path, || {
            lock(&files).replace(&path, content.freeze(), None, now).map_err(|errno| failure(errno, "write", &path))
        })
    }
}
