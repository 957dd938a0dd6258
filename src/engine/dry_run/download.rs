//! Files of the live engine's containers, with a size limit for plans.

use bytes::Bytes;
use futures::stream::{BoxStream, TryStreamExt};

use crate::engine::Result;
use crate::host::memory::LARGEST_VALUE;

/// The archive. If it is larger than a script may read, only enough of it to show this: a container
/// may have put a file of any size there.
pub(super) async fn beginning(
    mut archive: BoxStream<'static, Result<Bytes>>,
) -> Result<Vec<Bytes>> {
    let (mut chunks, mut length) = (Vec::new(), 0);
    while length <= LARGEST_VALUE
        && let Some(chunk) = archive.try_next().await?
    {
        length += chunk.len();
        chunks.push(chunk);
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    #[test]
    fn an_archive_without_an_end_is_not_read_for_ever() {
        let chunk = Bytes::from(vec![0; 1 << 20]);
        let endless = futures::stream::repeat_with(move || Ok(chunk.clone())).boxed();
        let length: usize =
            beginning(endless).now_or_never().unwrap().unwrap().iter().map(Bytes::len).sum();
        assert!((LARGEST_VALUE + 1..LARGEST_VALUE + (2 << 20)).contains(&length), "{length}");
    }
}
