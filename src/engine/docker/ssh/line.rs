//! A login that is created, and watched until it ends.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::login::{Login, Ssh};
use crate::engine::docker::address::SshAddress;
use crate::engine::docker::advice::Advice;
use crate::engine::docker::transport::within;

/// The time limit of a login without questions.
const LOGIN: Duration = Duration::from_secs(30);
/// The pause between two checks whether the login is complete.
const LOOK: Duration = Duration::from_millis(4);

/// A login. It ends when this is dropped.
pub(super) struct Line {
    pub login: Login,
    /// Why `ssh` has ended, if it has.
    ended: Arc<OnceLock<String>>,
    /// Cancelled when this is dropped.
    alive: CancellationToken,
}

impl Line {
    /// Logs in; with `forwards`, forwards the engine's socket.
    pub(super) async fn open(
        machine: &SshAddress,
        asks: bool,
        forwards: bool,
    ) -> Result<Self, Advice> {
        let folder = private_folder().map_err(|error| Advice {
            why: format!("could not create a folder for its connection: {error}"),
            hint: "set TMPDIR to a folder that can be written to".to_owned(),
        })?;
        let login = Login { machine: machine.clone(), folder: folder.path().to_owned(), asks };
        let mut ssh = login.start(forwards).map_err(|error| login.not_started(&error))?;
        // Its guard removes it at the end.
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
                let failure = login.refused(code);
                ssh.release().await;
                return Err(failure);
            }
            Ok(Err(error)) => return Err(login.not_started(&error)),
            Err(_) => return Err(login.too_slow(LOGIN)),
        }
        let line = Self { login, ended: Arc::default(), alive: CancellationToken::new() };
        line.watch(ssh);
        Ok(line)
    }

    /// Waits for the end of `ssh` in the background. Dropping this ends `ssh`.
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

    /// An error with the reason, once it has ended.
    pub(super) fn check(&self) -> io::Result<()> {
        self.ended.get().map_or(Ok(()), |why| Err(io::Error::other(why.clone())))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.alive.cancel();
    }
}

/// A folder that only this user can access, with a name that is short enough for sockets in it.
fn private_folder() -> io::Result<TempDir> {
    /// The address of a socket has at most 107 bytes, on some systems 103. ssh first uses a name
    /// that is 17 bytes longer.
    const LONGEST: usize = 103 - "/control".len() - 17;
    let folder = tempfile::Builder::new().prefix("spc-ssh-").tempdir()?;
    if folder.path().as_os_str().len() <= LONGEST {
        return Ok(folder);
    }
    tempfile::Builder::new().prefix("spc-ssh-").tempdir_in("/tmp")
}
