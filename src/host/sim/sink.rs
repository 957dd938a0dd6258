//! A file of the simulated host that is written as a stream.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use super::conductor::SimConductor;
use super::files::Files;
use super::{date, failure, lock};
use crate::host::{FileSink, Result};

pub(super) struct SimFile {
    conductor: Arc<SimConductor>,
    files: Arc<Mutex<Files>>,
    path: PathBuf,
    content: BytesMut,
}

impl SimFile {
    pub(super) fn new(conductor: Arc<SimConductor>, files: Arc<Mutex<Files>>, path: &Path) -> Self {
        Self { conductor, files, path: path.to_path_buf(), content: BytesMut::new() }
    }
}

#[async_trait]
impl FileSink for SimFile {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.content.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<()> {
        let now = date(self.conductor.now());
        lock(&self.files).replace(&self.path, self.content.freeze(), None, now).map_err(|errno| failure(errno, "write", &self.path))
    }
}
