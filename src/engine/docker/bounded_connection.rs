//! Limits the size of an answer of the engine: the other side may be broken, or not an engine.
//!
//! bollard collects a whole answer and parses it before anyone sees it. So this counts the bytes as
//! they arrive, and the objects in them too, because each object needs far more memory than it has
//! characters.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::transport::Stream;

/// The most bytes of an answer. A list has about 3 KB per container.
const BYTES: usize = 64 << 20;
/// The most objects in an answer. A list has about ten per container, and each parsed object takes
/// up to a kilobyte.
const OBJECTS: usize = 500_000;
/// The most commas in an answer, one per value. A list has about a hundred per container. A label
/// takes some hundred bytes, however short it is.
const VALUES: usize = 1_000_000;

/// An answer beyond these limits is not read to its end.
pub(super) const WORDS: &str =
    "it is larger than 64 MiB, or holds more than 500,000 objects or 1,000,000 values";

/// The rest of the limits for one answer.
#[derive(Default)]
pub(super) struct Budget {
    bytes: AtomicUsize,
    objects: AtomicUsize,
    values: AtomicUsize,
    /// Whether the limits apply: a stream may continue for any time.
    limits: AtomicBool,
}

impl Budget {
    /// Resets the limits for the next answer, which is limited if it is collected as a whole.
    pub(super) fn renew(&self, limits: bool) {
        self.bytes.store(BYTES, Ordering::Relaxed);
        self.objects.store(OBJECTS, Ordering::Relaxed);
        self.values.store(VALUES, Ordering::Relaxed);
        self.limits.store(limits, Ordering::Relaxed);
    }

    /// Counts what arrived. Returns whether it was too much.
    fn take(&self, came: &[u8]) -> bool {
        if !self.limits.load(Ordering::Relaxed) {
            return false;
        }
        let number = |of: u8| came.split(|byte| *byte == of).skip(1).count();
        let is_spent = |left: &AtomicUsize, taken: usize| {
            let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left.saturating_sub(taken))
            });
            before.is_ok_and(|before| before < taken)
        };
        let spent = [
            is_spent(&self.bytes, came.len()),
            is_spent(&self.objects, number(b'{')),
            is_spent(&self.values, number(b',')),
        ];
        spent.contains(&true)
    }
}

/// A connection that carries answers one after another.
pub(super) struct BoundedConnection {
    stream: Box<dyn Stream>,
    budget: Arc<Budget>,
}

impl BoundedConnection {
    pub(super) fn new(stream: Box<dyn Stream>, budget: Arc<Budget>) -> Self {
        Self { stream, budget }
    }
}

impl AsyncRead for BoundedConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let is_too_much = self.budget.take(buffer.filled().get(before..).unwrap_or_default());
        Poll::Ready(if is_too_much {
            Err(io::Error::new(io::ErrorKind::FileTooLarge, WORDS))
        } else {
            Ok(())
        })
    }
}

impl AsyncWrite for BoundedConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
