//! The heartbeat: the owner of a lock writes it again and again, and other runs read it.

use std::io::Read;

use futures::StreamExt;
use serde::{Deserialize, Serialize};

use crate::engine::{Engine, EngineError, EngineErrorKind};
use crate::host::ProcessMark;
use crate::model::format::{self, FormatError, VersionedContent};

const HEARTBEAT_FILE: &str = "spc-lock.json";
/// The most bytes of the archive with a heartbeat. One that spc wrote has a tenth of this.
const LARGEST_HEARTBEAT: usize = 64 << 10;

/// The content that the owner writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `user@machine`.
    pub who: String,
    pub run: String,
    /// RFC 3339.
    pub since: String,
    pub beat: u64,
    /// Its process. Version 0.1.0 doesn't write this, and not every system provides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessMark>,
}

/// The reason why the holder of a lock can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeartbeatError {
    #[error("{0}")]
    Format(#[from] FormatError),
    #[error("it is larger than {} KiB", LARGEST_HEARTBEAT >> 10)]
    TooLarge,
    /// The engine's own words.
    #[error("the engine did not return it: {0}")]
    Engine(String),
}

impl HeartbeatError {
    /// Whether a newer spc took the lock.
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Format(error) if error.is_newer())
    }
}

/// Writes `holder` into the lock `id`.
pub(super) async fn write_holder(
    engine: &dyn Engine,
    id: &str,
    holder: &Holder,
) -> crate::engine::Result<()> {
    let text =
        serde_json::to_vec(&VersionedContent::new(format::HEARTBEAT, holder)).unwrap_or_default();
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o444);
    header.set_mtime(0);
    let mut archive = tar::Builder::new(Vec::new());
    let packed = archive
        .append_data(&mut header, HEARTBEAT_FILE, text.as_slice())
        .and_then(|()| archive.into_inner());
    let packed =
        packed.map_err(|error| EngineError::new(EngineErrorKind::Failed, error.to_string()))?;
    engine.container_upload(id, "/", packed.into()).await
}

/// Reads the lock's content. `None` if the owner has just taken the lock and not written yet, or if
/// the content was lost.
pub(super) async fn read_holder(
    engine: &dyn Engine,
    id: &str,
) -> Result<Option<Holder>, HeartbeatError> {
    match download_heartbeat(engine, id).await? {
        // After a power cut some file systems leave a file of zeros.
        Some(text) if text.iter().any(|byte| *byte != 0) => {
            Ok(Some(format::read_json(&text, format::HEARTBEAT)?))
        }
        _ => Ok(None),
    }
}

async fn download_heartbeat(
    engine: &dyn Engine,
    id: &str,
) -> Result<Option<Vec<u8>>, HeartbeatError> {
    let failed = |error: EngineError| HeartbeatError::Engine(error.to_string());
    let mut stream = match engine.container_download(id, &format!("/{HEARTBEAT_FILE}")).await {
        Ok(stream) => stream,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
        if bytes.len() > LARGEST_HEARTBEAT {
            return Err(HeartbeatError::TooLarge);
        }
    }
    Ok(Some(unpacked(&bytes).ok_or(FormatError::Garbage)?))
}

/// The content of the only file in an archive.
fn unpacked(archive: &[u8]) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    let mut text = Vec::new();
    entry.read_to_end(&mut text).ok()?;
    entry.header().entry_type().is_file().then_some(text)
}
