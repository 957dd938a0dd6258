//! A limit on what the engine may answer at once: whoever answers may be broken, or no engine.
//!
//! bollard collects an answer whole and makes values of it before anybody sees it. So the bytes are
//! counted where they arrive, and the objects in them too, because each takes far more memory than
//! it has letters.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::transport::Stream;

/// Bytes of an answer. A list has some 3 KB for each container.
const BYTES: usize = 64 << 20;
/// Objects in an answer. A list has some ten for each container; a value is made of each that takes
/// up to a kilobyte.
const OBJECTS: usize = 500_000;
/// Commas in an answer, one for each value: a list has some hundred for each container. A label
/// takes some hundred bytes, however short.
const VALUES: usize = 1_000_000;

/// What an answer is larger than that is not read to its end.
pub(super) const WORDS: &str =
    "it is larger than 64 MiB, or holds more than 500,000 objects or 1,000,000 values";

/// What an answer may still have.
#[derive(Default)]
pub(super) struct Budget {
    bytes: AtomicUsize,
    objects: AtomicUsize,
    values: AtomicUsize,
    /// Whether the answer is one: a stream that is read as it comes may last.
    limits: AtomicBool,
}

impl Budget {
    /// For the next answer, which is limited where it is collected whole.
    pub(super) fn renew(&self, limits: bool) {
        self.bytes.store(BYTES, Ordering::Relaxed);
        self.objects.store(OBJECTS, Ordering::Relaxed);
        self.values.store(VALUES, Ordering::Relaxed);
        self.limits.store(limits, Ordering::Relaxed);
    }

    /// Counts what came; whether it was too much.
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

/// A connection on which answers come, one after the other.
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
