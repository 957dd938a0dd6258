//! Connects to an engine over `ssh`: with this machine's own program, and the user's keys and
//! configuration.
//!
//! One login serves a whole run. The engine's socket is forwarded to a local socket, so a
//! connection costs only one round trip. If the machine doesn't forward sockets, each connection is
//! a session of its own over the same login (`sessions.rs`). In this session, Docker's client on
//! that machine (`docker system dial-stdio`) passes the bytes on, as Docker's own client does it.

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

/// How connections are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SshTransport {
    /// Through the forwarded socket.
    Forward,
    /// Through Docker's client on the other machine.
    Dial,
}

/// A machine with a login. When this is dropped, or spc ends in any way, the login ends.
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
                // `ssh` listens there, not the engine.
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

/// A connection to the engine, with its own session if it has one.
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
