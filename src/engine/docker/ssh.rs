//! The way to an engine over `ssh`: this machine's own program, with the user's keys and
//! configuration.
//!
//! One login serves a whole run. The engine's socket is forwarded to a socket here, to which each
//! connection costs no more than a message there and back; where the machine forwards none, each
//! connection is a session of its own over the same login (`sessions.rs`), in which Docker's client
//! there (`docker system dial-stdio`) passes the bytes on, as Docker's own client does it.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the way to a real engine is this implementation's own"
)]

mod files;
mod line;
mod login;
mod sessions;
mod ssh_messages;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

use super::address::SshAddress;
use super::advice::Advice;
use line::Line;
use sessions::{Session, Sessions};

/// How a connection is led through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SshTransport {
    /// By the forwarded socket.
    Forward,
    /// By Docker's client over there.
    Dial,
}

/// A machine that is logged in to. Dropped, or when spc is gone, whatever its end was, the login
/// ends.
pub(super) struct Tunnel {
    line: Arc<Line>,
    sessions: Arc<Sessions>,
}

impl Tunnel {
    /// Logs in.
    pub(super) async fn open(machine: &SshAddress, asks: bool) -> Result<Self, Advice> {
        let line = Arc::new(Line::open(machine, asks, true).await?);
        Ok(Self { sessions: Arc::new(Sessions::new(line.clone())), line })
    }

    /// Opens a connection to the engine.
    pub(super) async fn connect(&self, way: SshTransport) -> io::Result<Connection> {
        self.line.check()?;
        match way {
            SshTransport::Forward => {
                // It is ssh that listens, not the engine.
                let stream = UnixStream::connect(self.line.login.socket()).await;
                let stream = stream.map_err(|_| io::Error::other(self.line.login.lost()))?;
                Ok(Connection { stream, _session: None })
            }
            SshTransport::Dial => {
                let (stream, session) = self.sessions.open().await?;
                Ok(Connection { stream, _session: Some(session) })
            }
        }
    }

    /// Why neither way led to an engine.
    pub(super) fn refusal(&self) -> Advice {
        match self.line.check() {
            Err(why) => Advice { why: why.to_string(), hint: self.line.login.by_hand() },
            Ok(()) => self.line.login.no_engine(),
        }
    }
}

/// A connection to the engine; with the session that it goes through, if it has one of its own.
pub(super) struct Connection {
    stream: UnixStream,
    _session: Option<Session>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
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
