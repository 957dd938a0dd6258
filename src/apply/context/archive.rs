//! The tar stream of a build context.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tar::{Builder, EntryType, Header};

use super::entry::{Content, Entry};
use crate::host::Host;
use crate::policy::CheckedPath;

/// Small files and headers are sent together, in chunks of at least this many bytes.
const CHUNK: usize = 64 * 1024;
const BLOCK: u64 = 512;
/// The longest link target that fits into the header.
const HEADER_LINK: usize = 100;

/// Sends `entries` of `folder`. Reads each file only when it is sent.
pub(super) fn stream(
    host: Arc<dyn Host>,
    folder: CheckedPath,
    entries: Arc<[Entry]>,
) -> BoxStream<'static, io::Result<Bytes>> {
    async_stream::try_stream! {
        // The builder writes headers (and the GNU entries for long names). This code adds the
        // content.
        let mut tar = Builder::new(Vec::new());
        for entry in entries.iter() {
            append_header(&mut tar, entry)?;
            if let Content::File { len } = entry.content {
                let place = folder.join(&entry.path);
                let mut content = host.open(&place).map_err(|error| io::Error::other(error.message))?;
                let mut left = len;
                while let Some(chunk) = content.next().await {
                    let chunk = chunk.map_err(|error| io::Error::new(error.kind(), format!("Could not read \"{}\": {error}", place.as_path().display())))?;
                    left = left.checked_sub(chunk.len() as u64).ok_or_else(|| changed(place.as_path(), len))?;
                    tar.get_mut().extend_from_slice(&chunk);
                    if tar.get_ref().len() >= CHUNK {
                        yield take(&mut tar);
                    }
                }
                if left > 0 {
                    Err(changed(place.as_path(), len))?;
                }
                tar.get_mut().extend((len..len.next_multiple_of(BLOCK)).map(|_| 0));
            }
            if let Content::Checked(content) = &entry.content {
                tar.get_mut().extend_from_slice(content);
                let len = content.len() as u64;
                tar.get_mut().extend((len..len.next_multiple_of(BLOCK)).map(|_| 0));
            }
            if tar.get_ref().len() >= CHUNK {
                yield take(&mut tar);
            }
        }
        yield Bytes::from(tar.into_inner()?);
    }
    .boxed()
}

fn take(tar: &mut Builder<Vec<u8>>) -> Bytes {
    std::mem::replace(tar.get_mut(), Vec::with_capacity(CHUNK)).into()
}

fn append_header(tar: &mut Builder<Vec<u8>>, entry: &Entry) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(entry.modified);
    header.set_size(0);
    match &entry.content {
        Content::Folder => {
            header.set_entry_type(EntryType::Directory);
            tar.append_data(&mut header, format!("{}/", entry.path), io::empty())
        }
        Content::Symlink(target) => {
            header.set_entry_type(EntryType::Symlink);
            let written = target.as_os_str().as_encoded_bytes();
            if written.len() > HEADER_LINK {
                return tar.append_link(&mut header, &entry.path, target);
            }
            // Exactly as written: `append_link` would shorten `./x` to `x`.
            header.set_link_name_literal(written)?;
            tar.append_data(&mut header, &entry.path, io::empty())
        }
        Content::File { len } => append_file(tar, header, &entry.path, *len),
        Content::Checked(content) => append_file(tar, header, &entry.path, content.len() as u64),
    }
}

fn append_file(
    tar: &mut Builder<Vec<u8>>,
    mut header: Header,
    path: &str,
    len: u64,
) -> io::Result<()> {
    header.set_entry_type(EntryType::Regular);
    header.set_size(len);
    tar.append_data(&mut header, path, io::empty())
}

fn changed(place: &Path, len: u64) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        format!(
            "\"{}\" changed while it was sent to the builder: it no longer has {len} bytes; try again, or leave it out in .dockerignore",
            place.display()
        ),
    )
}
