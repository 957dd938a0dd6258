//! Splits bytes into the units that the port promises: output chunks and JSON lines.

use bytes::{Buf, Bytes, BytesMut};
use futures::stream::{BoxStream, Stream, StreamExt};
use http_body_util::{BodyDataStream, BodyExt, Limited};
use hyper::Response;
use hyper::body::Incoming;

use super::errors;
use super::unreadable::not_as_described;
use crate::engine::{EngineError, EngineErrorKind, OutputChunk, OutputKind, OutputStream, Result};

/// The body of an answer.
pub(super) fn body(response: Response<Incoming>) -> BoxStream<'static, Result<Bytes>> {
    BodyDataStream::new(response.into_body())
        .map(|chunk| chunk.map_err(|error| errors::connection(&error)))
        .boxed()
}

/// The whole body of a short answer.
pub(super) async fn whole(response: Response<Incoming>) -> Result<Bytes> {
    let body = Limited::new(response.into_body(), LONGEST_LINE).collect().await;
    let body = body.map_err(|error| match error.downcast_ref::<hyper::Error>() {
        Some(error) => errors::connection(error),
        None => errors::unreadable(format!("it has more than {} MiB", LONGEST_LINE >> 20)),
    });
    Ok(body?.to_bytes())
}

/// The output in `bytes`: raw for a terminal, else in the engine's frames, in pieces as they
/// arrive.
pub(super) fn output(
    bytes: impl Stream<Item = Result<Bytes>> + Send + 'static,
    terminal: bool,
) -> OutputStream {
    chunks(bytes, terminal, Frames::default())
}

/// The same with whole frames: in a log each is a message.
pub(super) fn messages(
    bytes: impl Stream<Item = Result<Bytes>> + Send + 'static,
    terminal: bool,
) -> OutputStream {
    chunks(bytes, terminal, Frames { whole: true, ..Frames::default() })
}

fn chunks(
    bytes: impl Stream<Item = Result<Bytes>> + Send + 'static,
    terminal: bool,
    mut frames: Frames,
) -> OutputStream {
    if terminal {
        return bytes
            .map(|chunk| chunk.map(|bytes| OutputChunk { kind: OutputKind::Stdout, bytes }))
            .boxed();
    }
    async_stream::try_stream! {
        futures::pin_mut!(bytes);
        while let Some(chunk) = bytes.next().await {
            frames.push(&chunk?);
            while let Some(chunk) = frames.next()? {
                yield chunk;
            }
        }
        frames.end()?;
    }
    .boxed()
}

/// The most bytes of a line of JSON, or of a message, that are held until its end arrives. Events
/// and reports have some hundred.
pub(super) const LONGEST_LINE: usize = 16 << 20;

/// The lines of JSON in `bytes`, without line ends.
pub(super) fn lines(
    bytes: impl Stream<Item = Result<Bytes>> + Send + 'static,
) -> BoxStream<'static, Result<Bytes>> {
    async_stream::try_stream! {
        let mut buffer = BytesMut::new();
        futures::pin_mut!(bytes);
        while let Some(chunk) = bytes.next().await {
            let mut searched = buffer.len();
            buffer.extend_from_slice(&chunk?);
            while let Some(end) = buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line = buffer.split_to(searched + end + 1);
                line.truncate(searched + end);
                searched = 0;
                if !line.trim_ascii().is_empty() {
                    yield line.freeze();
                }
            }
            if buffer.len() > LONGEST_LINE {
                Err(errors::unreadable(format!("a line of more than {} MiB", LONGEST_LINE >> 20)))?;
            }
        }
    }
    .boxed()
}

/// A line of JSON, or a whole answer.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(content: &[u8]) -> Result<T> {
    serde_json::from_slice(content).map_err(|error| not_as_described(&error.to_string(), content))
}

/// The same stream, once its first item has arrived. So an immediate failure belongs to the call
/// and not to the stream.
pub(super) async fn begun<T: Send + 'static>(
    mut stream: BoxStream<'static, Result<T>>,
) -> Result<BoxStream<'static, Result<T>>> {
    match stream.next().await {
        Some(first) => {
            let first = first?;
            Ok(futures::stream::once(std::future::ready(Ok(first))).chain(stream).boxed())
        }
        None => Ok(stream),
    }
}

/// The engine's frames: a kind, three zeros, the length (big endian), then this many bytes.
#[derive(Default)]
struct Frames {
    buffer: BytesMut,
    /// The current frame, and the number of its missing bytes.
    open: Option<(Frame, usize)>,
    /// Whether a frame of output is held until it is complete.
    whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Output(OutputKind),
    /// The engine's message why the output ends here.
    Error,
}

const HEADER: usize = 8;

impl Frames {
    fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next piece of output: the available part of a frame, without waiting for the rest.
    fn next(&mut self) -> Result<Option<OutputChunk>> {
        loop {
            match self.open {
                None => {
                    let Some(header) = self.buffer.first_chunk::<HEADER>() else { return Ok(None) };
                    let frame = match header[0] {
                        0 | 1 => Frame::Output(OutputKind::Stdout),
                        2 => Frame::Output(OutputKind::Stderr),
                        3 => Frame::Error,
                        other => {
                            return Err(errors::unreadable(format!(
                                "output of the unknown kind {other}"
                            )));
                        }
                    };
                    let length =
                        u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
                    self.buffer.advance(HEADER);
                    self.open = (length > 0).then_some((frame, length));
                }
                Some((Frame::Error, length)) if length > LONGEST_LINE => {
                    return Err(errors::unreadable(format!(
                        "a message of more than {} MiB",
                        LONGEST_LINE >> 20
                    )));
                }
                Some((Frame::Error, length)) => {
                    if self.buffer.len() < length {
                        return Ok(None);
                    }
                    let words = String::from_utf8_lossy(&self.buffer[..length]).trim().to_owned();
                    return Err(EngineError::new(EngineErrorKind::Server, words));
                }
                Some((Frame::Output(kind), length)) => {
                    let is_held =
                        self.whole && self.buffer.len() < length && length <= LONGEST_LINE;
                    if self.buffer.is_empty() || is_held {
                        return Ok(None);
                    }
                    let bytes = self.buffer.split_to(length.min(self.buffer.len())).freeze();
                    let rest = length - bytes.len();
                    self.open = (rest > 0).then_some((Frame::Output(kind), rest));
                    return Ok(Some(OutputChunk { kind, bytes }));
                }
            }
        }
    }

    /// At the end of the bytes: an error if it is inside a frame.
    fn end(&self) -> Result<()> {
        if self.buffer.is_empty() && self.open.is_none() {
            Ok(())
        } else {
            Err(errors::cut_off("the end of the output"))
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[kind, 0, 0, 0], length.as_slice(), content].concat()
    }

    /// The stream of `bytes` in pieces of this `size`.
    fn pieces(bytes: &[u8], size: usize) -> impl Stream<Item = Result<Bytes>> + Send + 'static {
        stream::iter(
            bytes.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect::<Vec<_>>(),
        )
    }

    async fn collect(stream: OutputStream) -> (Vec<u8>, Vec<u8>, Option<EngineError>) {
        let (mut stdout, mut stderr, mut failure) = (Vec::new(), Vec::new(), None);
        for chunk in stream.collect::<Vec<_>>().await {
            match chunk {
                Ok(OutputChunk { kind: OutputKind::Stdout, bytes }) => {
                    stdout.extend_from_slice(&bytes)
                }
                Ok(OutputChunk { kind: OutputKind::Stderr, bytes }) => {
                    stderr.extend_from_slice(&bytes)
                }
                Err(error) => failure = Some(error),
            }
        }
        (stdout, stderr, failure)
    }

    #[tokio::test]
    async fn frames_are_decoded_for_every_split_of_the_bytes() {
        let bytes =
            [frame(1, b"out\n"), frame(2, b"err\n"), frame(1, b""), frame(1, b"\x00\x01\x02 more")]
                .concat();
        for size in 1..=bytes.len() {
            assert_eq!(
                collect(output(pieces(&bytes, size), false)).await,
                (b"out\n\x00\x01\x02 more".to_vec(), b"err\n".to_vec(), None),
                "{size}"
            );
        }
    }

    #[tokio::test]
    async fn each_message_of_a_log_is_a_chunk_however_the_bytes_are_cut() {
        let bytes =
            [frame(1, b"time one\n"), frame(2, b"time oops\n"), frame(1, b"time tail")].concat();
        for size in 1..=bytes.len() {
            let chunks: Vec<_> = messages(pieces(&bytes, size), false)
                .map(|chunk| chunk.unwrap().bytes)
                .collect()
                .await;
            assert_eq!(chunks, ["time one\n", "time oops\n", "time tail"], "{size}");
        }
    }

    #[tokio::test]
    async fn a_terminals_bytes_are_untouched() {
        let bytes = b"\x01\x02prompt without a line end";
        assert_eq!(
            collect(output(pieces(bytes, 1), true)).await,
            (bytes.to_vec(), Vec::new(), None)
        );
    }

    #[tokio::test]
    async fn the_engines_own_words_end_the_output() {
        let bytes = [frame(1, b"one\n"), frame(3, b"error reading the log\n")].concat();
        let (stdout, _, failure) = collect(output(pieces(&bytes, 5), false)).await;
        assert_eq!(
            (stdout.as_slice(), failure.unwrap().message.as_str()),
            (b"one\n".as_slice(), "error reading the log")
        );
    }

    #[tokio::test]
    async fn an_end_inside_a_frame_is_a_lost_connection() {
        let bytes = frame(1, b"complete");
        let (stdout, _, failure) =
            collect(output(pieces(&bytes[..bytes.len() - 2], 64), false)).await;
        assert_eq!(
            (stdout.as_slice(), failure.unwrap().kind),
            (b"comple".as_slice(), EngineErrorKind::Unreachable)
        );
    }

    #[tokio::test]
    async fn lines_are_whole_however_the_bytes_are_cut() {
        let bytes = b"{\"a\":1}\n\r\n{\"b\":2}\n{\"cut";
        for size in 1..=bytes.len() {
            let lines: Vec<_> =
                lines(pieces(bytes, size)).map(|line| line.unwrap()).collect().await;
            assert_eq!(
                lines,
                [Bytes::from_static(b"{\"a\":1}"), Bytes::from_static(b"{\"b\":2}")],
                "{size}"
            );
        }
    }

    #[tokio::test]
    async fn a_stream_that_fails_at_once_fails_the_call() {
        let broken: BoxStream<'static, Result<Bytes>> =
            stream::iter([Err(errors::cut_off("anything"))]).boxed();
        assert!(begun(broken).await.is_err());
        let late: BoxStream<'static, Result<u8>> =
            stream::iter([Ok(1), Err(errors::cut_off("the rest"))]).boxed();
        assert_eq!(begun(late).await.unwrap().collect::<Vec<_>>().await.len(), 2);
    }
}
