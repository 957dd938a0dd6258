//! Reads secrets from containers whose labels were made with a key that is missing here: in another
//! folder, or after `.spc/` was removed. spc delivered these secrets itself, so it can read and
//! compare them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use parking_lot::Mutex;

use super::VerbContext;
use super::failures::of_engine;
use super::patience::within;
use super::secrets::value;
use crate::engine::{EngineError, Result as EngineResult};
use crate::model::delivered_secrets::{DeliveredSecrets, are_of_one_key};
use crate::model::observed_state::ObservedState;
use crate::model::spec::{Project, Service};
use crate::model::time::readable;

/// The time limit for one container.
const LIMIT: Duration = Duration::from_secs(10);
/// Bytes of an archive in addition to the content of its one file.
const LARGEST_HEADER: usize = 64 << 10;

/// The results so far, by container id. Each container is read once, so spc waits only once for an
/// engine that does not answer.
#[derive(Default)]
pub(super) struct KnownSecrets(Mutex<BTreeMap<String, DeliveredSecrets>>);

impl KnownSecrets {
    /// Reads the secrets of containers whose labels can't be compared with `fingerprints` (service
    /// → `<key id>:<fingerprint>`).
    pub(super) async fn look_at(
        &self,
        ctx: &VerbContext,
        project: &Project,
        fingerprints: &BTreeMap<String, String>,
        observed: &mut ObservedState,
    ) {
        let is_open = |label: &Option<String>, wanted: &String| {
            !label.as_deref().is_some_and(|label| are_of_one_key(label, wanted))
        };
        let open = observed.containers.iter().filter_map(|container| {
            let wanted = fingerprints.get(&container.service)?;
            let service = project.services.get(&container.service)?;
            (container.ours && is_open(&container.secrets, wanted))
                .then_some((container.id.clone(), service))
        });
        let read = futures::future::join_all(open.map(|(id, service)| async {
            let known = self.0.lock().get(&id).cloned();
            let found = match known {
                Some(found) => found,
                None => look(ctx, project, service, &id).await,
            };
            (id, found)
        }))
        .await;
        self.0.lock().extend(read.iter().cloned());
        observed.delivered_secrets = read.into_iter().collect();
    }
}

async fn look(
    ctx: &VerbContext,
    project: &Project,
    service: &Service,
    id: &str,
) -> DeliveredSecrets {
    let compared = within(&*ctx.host, LIMIT, &|_| {}, changed(ctx, project, service, id)).await;
    match compared {
        Some(Ok(names)) if names.is_empty() => DeliveredSecrets::Same,
        Some(Ok(names)) => DeliveredSecrets::Changed(names),
        Some(Err(why)) => DeliveredSecrets::Unread(why),
        None => DeliveredSecrets::Unread(format!(
            "the engine did not answer within {} when they were read",
            readable(LIMIT)
        )),
    }
}

/// The names of the service's secrets that have another value in the container, or why this is
/// unknown. Covers the same as `secrets::values_of`: its files, and exposed secrets in its
/// environment.
async fn changed(
    ctx: &VerbContext,
    project: &Project,
    service: &Service,
    id: &str,
) -> Result<BTreeSet<String>, String> {
    let mut changed = BTreeSet::new();
    for mount in &service.secrets {
        let wanted = value(ctx, &mount.source, &project.secrets[&mount.source])
            .map_err(|failure| failure.message)?;
        if !has_file(ctx, id, &mount.place(), wanted.as_bytes()).await? {
            changed.insert(mount.source.clone());
        }
    }
    let exposed: Vec<_> = service
        .environment
        .iter()
        .filter(|(_, text)| !ctx.secrets.named_in(text).is_empty())
        .collect();
    if exposed.is_empty() {
        return Ok(changed);
    }
    let found = ctx
        .engine
        .container_inspect(id)
        .await
        .map_err(|error| of_engine(error, "inspect the container").message)?;
    let environment = found.config.and_then(|config| config.env).unwrap_or_default();
    for (key, text) in exposed {
        let wanted = ctx.secrets.reveal(text);
        if !environment.iter().any(|line| line.split_once('=') == Some((key, &wanted))) {
            changed.extend(ctx.secrets.named_in(text));
        }
    }
    Ok(changed)
}

/// Whether the file at `path` has this content, or why this is unknown.
async fn has_file(ctx: &VerbContext, id: &str, path: &str, content: &[u8]) -> Result<bool, String> {
    let failed = |error: EngineError| {
        if error.is_not_found() {
            format!("there is no \"{path}\" in it")
        } else {
            format!("\"{path}\" in it could not be read ({})", error.message)
        }
    };
    let stream = ctx.engine.container_download(id, path).await.map_err(failed)?;
    is_content(stream, content)
        .await
        .map_err(failed)?
        .map_err(|why| format!("\"{path}\" in it {why}"))
}

/// Whether the first file of an archive has this content, or the error in the archive. The
/// container may have put a file of any size there, so no more than the expected size is read.
async fn is_content(
    mut stream: impl Stream<Item = EngineResult<Bytes>> + Unpin,
    content: &[u8],
) -> EngineResult<Result<bool, &'static str>> {
    let (mut archive, largest) = (Vec::new(), content.len() + LARGEST_HEADER);
    while archive.len() < largest
        && let Some(chunk) = stream.next().await.transpose()?
    {
        archive.extend_from_slice(&chunk[..chunk.len().min(largest - archive.len())]);
    }
    let mut archive = tar::Archive::new(archive.as_slice());
    let Some(mut entry) = archive.entries().ok().and_then(|mut entries| entries.next()?.ok())
    else {
        return Ok(Err(UNREADABLE));
    };
    if !entry.header().entry_type().is_file() {
        return Ok(Err("is not a regular file"));
    }
    if entry.size() != content.len() as u64 {
        return Ok(Ok(false));
    }
    let mut there = Vec::new();
    Ok(std::io::Read::read_to_end(&mut entry, &mut there)
        .map(|_| there == content)
        .map_err(|_| UNREADABLE))
}

const UNREADABLE: &str = "could not be read";

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    /// The first bytes of an archive with a file of this size.
    fn header(kind: tar::EntryType, size: u64) -> Bytes {
        let mut header = tar::Header::new_gnu();
        header.set_path("token").unwrap();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_cksum();
        Bytes::copy_from_slice(header.as_bytes())
    }

    /// The result for an archive without an end, and the number of bytes that were read.
    fn read(first: Bytes) -> (Result<bool, &'static str>, usize) {
        let mut read = 0;
        let chunks =
            std::iter::once(first).chain(std::iter::repeat(Bytes::from_static(&[b'x'; 4096])));
        let counted = chunks.inspect(|chunk| read += chunk.len()).map(Ok);
        let found =
            is_content(futures::stream::iter(counted), b"value").now_or_never().unwrap().unwrap();
        (found, read)
    }

    #[test]
    fn no_more_of_an_archive_is_read_than_the_secret_would_take() {
        let cases = [
            (header(tar::EntryType::Regular, 1 << 40), Ok(false)),
            (header(tar::EntryType::Regular, 5), Ok(false)),
            (header(tar::EntryType::Symlink, 0), Err("is not a regular file")),
            (header(tar::EntryType::Directory, 0), Err("is not a regular file")),
            // The name of the next entry, which never follows.
            (header(tar::EntryType::GNULongName, 1 << 40), Err(UNREADABLE)),
            (Bytes::from_static(b"no archive"), Err(UNREADABLE)),
        ];
        for (first, expected) in cases {
            let (found, read) = read(first);
            assert_eq!(found, expected);
            assert!(read <= LARGEST_HEADER + 2 * 4096, "{read} bytes");
        }
    }
}
