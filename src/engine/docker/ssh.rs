//! The way to an engine over `ssh`: this machine's own program, with the user's keys and configuration.
//!
//! One login serves a whole run. The engine's socket is forwarded to a socket here, to which each connection costs no more
//! than a message there and back; where the machine forwards none, each connection is a session of its own over the same
//! login, in which Docker's client there (`docker system dial-stdio`) passes the bytes on, as Docker's own client does it.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the way to a real engine is this inhabitant's own")]

mod login;
mod words;

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::address::SshAddress;
use super::failure::Told;
use super::wire::within;
use login::{Login, Ssh};

/// How long logging in may take where nobody can be asked.
const LOGIN: Duration = Duration::from_secs(30);
/// Between two looks whether it is done.
const LOOK: Duration = Duration::from_millis(4);

/// How many sessions may be beginning at one time. One for which the login has no room logs in anew, and a server turns
/// some away where more than ten do so at once.
const BEGINNING: usize = 6;
/// A session that has not said anything for so long has begun, and waits for what was asked of it.
const BEGUN: Duration = Duration::from_secs(2);

/// How a connection is led through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By the forwarded socket.
    Forward,
    /// By Docker's client over there.
    Dial,
}

/// A machine that is logged in to. Dropped, or when spc is gone, whatever its end was, the login ends.
pub(super) struct Tunnel {
    login: Login,
    /// Why `ssh` has ended, when it has.
    ended: Arc<OnceLock<String>>,
    /// Cancelled when this is dropped.
    alive: CancellationToken,
    /// Held by sessions that begin.
    beginning: Arc<Semaphore>,
}

impl Tunnel {
    /// Logs in.
    pub(super) async fn open(machine: &SshAddress, asks: bool) -> Result<Self, Told> {
        let folder = private_folder().map_err(|error| Told {
            why: format!("no folder could be made for its connection: {error}"),
            hint: "set TMPDIR to a folder that can be written to".to_owned(),
        })?;
        let login = Login { machine: machine.clone(), folder: folder.path().to_owned(), asks };
        let mut ssh = login.start().map_err(|error| login.not_started(&error))?;
        // Its guard removes it in the end.
        let _ = folder.keep();
        let done = async {
            loop {
                tokio::select! {
                    status = ssh.child.wait() => return status.map(|status| status.code()),
                    () = tokio::time::sleep(LOOK) => if login.is_done() { return Ok(None) },
                }
            }
        };
        let ended = if asks { Ok(done.await) } else { within(LOGIN, done).await };
        match ended {
            Ok(Ok(None)) if login.is_done() => {}
            Ok(Ok(code)) => {
                let told = login.refused(code);
                ssh.release().await;
                return Err(told);
            }
            Ok(Err(error)) => return Err(login.not_started(&error)),
            Err(_) => return Err(login.too_slow(LOGIN)),
        }
        let tunnel = Self { login, ended: Arc::default(), alive: CancellationToken::new(), beginning: Arc::new(Semaphore::new(BEGINNING)) };
        tunnel.watch(ssh);
        Ok(tunnel)
    }

    /// Waits for the end of `ssh`, as nobody else does; `ssh` ends with this at the latest.
    fn watch(&self, mut ssh: Ssh) {
        let (login, ended, alive) = (self.login.clone(), self.ended.clone(), self.alive.clone());
        tokio::spawn(async move {
            tokio::select! {
                _ = ssh.child.wait() => {
                    let _ = ended.set(login.lost());
                    ssh.release().await;
                }
                () = alive.cancelled() => {}
            }
        });
    }

    /// Opens a connection to the engine.
    pub(super) async fn connect(&self, way: Way) -> io::Result<Connection> {
        if let Some(why) = self.ended.get() {
            return Err(io::Error::other(why.clone()));
        }
        match way {
            Way::Forward => {
                // It is ssh that listens, not the engine.
                let stream = UnixStream::connect(self.login.socket()).await.map_err(|_| io::Error::other(self.login.lost()))?;
                Ok(Connection { stream, session: None })
            }
            Way::Dial => self.dial().await,
        }
    }

    /// Begins a session of its own.
    async fn dial(&self) -> io::Result<Connection> {
        let turn = self.beginning.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (stream, theirs) = UnixStream::pair()?;
        let theirs: OwnedFd = theirs.into_std()?.into();
        rustix::io::ioctl_fionbio(&theirs, false)?;
        let said = OpenOptions::new().create(true).append(true).open(self.login.dial_log())?;
        let mut command = self.login.dial();
        // Ctrl-C is spc's to answer, and only when this connection is dropped is it to end.
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::from(theirs.try_clone()?)).stdout(Stdio::from(theirs)).stderr(said);
        let session = Session { _ssh: command.spawn()?, begun: CancellationToken::new() };
        tokio::spawn({
            let begun = session.begun.clone();
            async move {
                let _ = within(BEGUN, begun.cancelled()).await;
                drop(turn);
            }
        });
        Ok(Connection { stream, session: Some(session) })
    }

    /// Why neither way led to an engine.
    pub(super) fn refusal(&self) -> Told {
        match self.ended.get() {
            Some(why) => Told { why: why.clone(), hint: self.login.by_hand() },
            None => self.login.no_engine(),
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.alive.cancel();
    }
}

/// A folder of this user's alone, with a name that is short enough for the sockets in it.
fn private_folder() -> io::Result<TempDir> {
    /// A socket's address holds 107 bytes, on some systems 103; ssh first takes a name longer by 17.
    const LONGEST: usize = 103 - "/control".len() - 17;
    let folder = tempfile::Builder::new().prefix("spc-ssh-").tempdir()?;
    if folder.path().as_os_str().len() <= LONGEST {
        return Ok(folder);
    }
    tempfile::Builder::new().prefix("spc-ssh-").tempdir_in("/tmp")
}

/// A connection to the engine; with the session that it goes through, if it has one of its own.
pub(super) struct Connection {
    stream: UnixStream,
    session: Option<Session>,
}

/// Ended with its connection.
struct Session {
    _ssh: Child,
    /// Cancelled when it has said something, or has ended.
    begun: CancellationToken,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.begun.cancel();
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let (Poll::Ready(_), Some(session)) = (&read, &self.session) {
            session.begun.cancel();
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What a file of ssh's words holds; nothing if there is none.
fn read(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Whether there is something of that name.
fn is_there(path: &PathBuf) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}
