//! A WebSocket client (RFC 6455) for short texts. It masks with zeros: the mask protects proxies
//! from hostile pages, and there are none here.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::connect;
use super::failure::{Failure, FailureClass};

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// Masking key of zeros: masked bytes are the bytes themselves.
const MASK: [u8; 4] = [0; 4];

/// Why an open WebSocket ended although its client wanted to keep it.
pub(super) type CutReason = String;

pub(super) struct WebSocket {
    stream: TcpStream,
    /// Bytes that arrived and are no whole frame yet.
    buffer: Vec<u8>,
}

impl WebSocket {
    /// Opens `/ws/load/`. The handshake is a request: it fails as one.
    pub(super) async fn open(port: u16, user: &str, limit: Duration) -> Result<Self, Failure> {
        let opened = timeout(limit, Self::handshake(port, user)).await;
        opened.unwrap_or_else(|_| {
            Err(Failure::new(FailureClass::Timeout, format!("no handshake within {limit:?}")))
        })
    }

    async fn handshake(port: u16, user: &str) -> Result<Self, Failure> {
        let mut stream = connect(port).await?;
        let request = format!(
            "GET /ws/load/ HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: {user}\r\nCookie: load={user}\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: c3BjIHRlc3RzIG5vbmNlIQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        let reset = |error: std::io::Error| Failure::new(FailureClass::Reset, error);
        stream.write_all(request.as_bytes()).await.map_err(reset)?;
        let mut buffer = Vec::new();
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut buffer).await.map_err(reset)? == 0 {
                let class =
                    if buffer.is_empty() { FailureClass::Reset } else { FailureClass::Truncated };
                return Err(Failure::new(class, "closed in the handshake"));
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        let status = head.lines().next().unwrap_or_default();
        if !status.starts_with("HTTP/1.1 101") {
            return Err(Failure::new(FailureClass::Status, status));
        }
        buffer.drain(..end + 4);
        Ok(Self { stream, buffer })
    }

    /// Sends a text and waits until it comes back.
    pub(super) async fn echo(&mut self, text: &str, limit: Duration) -> Result<(), CutReason> {
        self.write(TEXT, text.as_bytes()).await?;
        let answer = timeout(limit, async {
            loop {
                let (kind, payload) = self.read().await?;
                if kind == TEXT {
                    return Ok::<_, CutReason>(payload);
                }
            }
        });
        match answer.await {
            Ok(Ok(payload)) if payload == text.as_bytes() => Ok(()),
            Ok(Ok(payload)) => Err(format!("another text: {}", String::from_utf8_lossy(&payload))),
            Ok(Err(reason)) => Err(reason),
            Err(_) => Err(format!("no answer to a message within {limit:?}")),
        }
    }

    /// Keeps it open for this time, and answers pings.
    pub(super) async fn idle(&mut self, time: Duration) -> Result<(), CutReason> {
        let unasked = timeout(time, async {
            loop {
                self.read().await?;
            }
        });
        // The time is over, or it was cut.
        unasked.await.unwrap_or(Ok(()))
    }

    /// Says goodbye. The server's answer doesn't matter.
    pub(super) async fn close(mut self) {
        let _ = self.write(CLOSE, &1000_u16.to_be_bytes()).await;
    }

    /// The next text or pong. Answers pings. A close is an error.
    async fn read(&mut self) -> Result<(u8, Vec<u8>), CutReason> {
        loop {
            if let Some((kind, payload)) = self.take_frame()? {
                match kind {
                    PING => self.write(PONG, &payload).await?,
                    CLOSE => return Err(close_reason(&payload)),
                    _ => return Ok((kind, payload)),
                }
                continue;
            }
            // Safe to be dropped while it waits: what was read is in the buffer.
            let read = self.stream.read_buf(&mut self.buffer).await;
            if read.map_err(|error| format!("connection lost: {error}"))? == 0 {
                return Err("closed without a close frame".to_owned());
            }
        }
    }

    /// Removes a whole frame from the buffer. Texts here are short: one frame each.
    fn take_frame(&mut self) -> Result<Option<(u8, Vec<u8>)>, CutReason> {
        let [first, second, ..] = self.buffer[..] else { return Ok(None) };
        let (length, start) = match second {
            126 => match self.buffer[2..] {
                [high, low, ..] => (usize::from(u16::from_be_bytes([high, low])), 4),
                _ => return Ok(None),
            },
            127.. => return Err("a frame that is too long or masked".to_owned()),
            length => (usize::from(length), 2),
        };
        if self.buffer.len() < start + length {
            return Ok(None);
        }
        let payload = self.buffer[start..start + length].to_vec();
        self.buffer.drain(..start + length);
        Ok(Some((first & 0x0f, payload)))
    }

    async fn write(&mut self, kind: u8, payload: &[u8]) -> Result<(), CutReason> {
        let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126);
        let length = length.ok_or("a message of less than 126 bytes")?;
        let frame = [&[0x80 | kind, 0x80 | length], &MASK[..], payload].concat();
        let written = self.stream.write_all(&frame).await;
        written.map_err(|error| format!("connection lost: {error}"))
    }
}

fn close_reason(payload: &[u8]) -> CutReason {
    match payload {
        [high, low, ..] => format!("closed with code {}", u16::from_be_bytes([*high, *low])),
        _ => "closed without a code".to_owned(),
    }
}
