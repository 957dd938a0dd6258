//! One login: how `ssh` is called, what is in its folder, what it said.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};

use super::files::{is_there, read};
use super::ssh_messages::{self, BEGUN};
use crate::engine::docker::address::SshAddress;
use crate::engine::docker::advice::Advice;

/// The engine's socket over there, where the address names none.
const ENGINE_SOCKET: &str = "/var/run/docker.sock";

/// The search path where none is given.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A shell's code for a program that is not there. `ssh` itself ends with 255.
const NO_SUCH_PROGRAM: i32 = 127;

/// A login to a machine.
#[derive(Clone)]
pub(super) struct Login {
    pub machine: SshAddress,
    /// Private. Removed by the guard when the login has ended.
    pub folder: PathBuf,
    /// Whether `ssh` may ask at the terminal.
    pub asks: bool,
}

/// `ssh`, and what holds it.
pub(super) struct Ssh {
    pub child: Child,
    /// When it is closed without a word, the login is ended: also where spc is killed.
    lifeline: ChildStdin,
}

impl Ssh {
    /// Says that `ssh` has ended by itself, and must not be killed: its number may be another
    /// process's by now.
    pub(super) async fn release(mut self) {
        let _ = self.lifeline.write_all(b"\n").await;
    }
}

impl Login {
    /// The end of the forwarded socket that is here.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("engine")
    }

    /// Where sessions join this login.
    fn control(&self) -> PathBuf {
        self.folder.join("control")
    }

    /// What `ssh` says of the login.
    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// What the sessions of [`super::SshTransport::Dial`] say.
    pub(super) fn dial_log(&self) -> PathBuf {
        self.folder.join("dial-log")
    }

    /// Whether it is logged in, and the socket is there: this is what `ssh` makes last.
    pub(super) fn is_done(&self) -> bool {
        is_there(&self.control())
    }

    /// Starts it, under a shell's guard.
    pub(super) fn start(&self, forwards: bool) -> io::Result<Ssh> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(guard(self.asks)).arg(&self.folder).arg(program());
        // Of the user's own forwards one that fails, as its port is in use, is no matter here.
        command.args([
            "-N",
            "-o",
            "ControlMaster=yes",
            "-o",
            "ControlPersist=no",
            "-o",
            "ExitOnForwardFailure=no",
        ]);
        if forwards {
            let engine = self.machine.socket.as_deref().unwrap_or(ENGINE_SOCKET);
            command.arg("-L").arg(format!(
                "{}:{}",
                forwardable(&self.socket().to_string_lossy()),
                forwardable(engine)
            ));
        } else {
            command.args(["-o", "ClearAllForwardings=yes"]);
        }
        self.add_destination(&mut command, self.asks);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(self.log())?)
            .spawn()?;
        let lifeline =
            child.stdin.take().ok_or_else(|| io::Error::other("its input is not there"))?;
        Ok(Ssh { child, lifeline })
    }

    /// A session in which Docker's client over there passes bytes on.
    pub(super) fn dial(&self) -> Command {
        let mut command = Command::new(program());
        // Where the login has no room for it, ssh would make another login: instead it fails to.
        command.args(["-o", "ControlMaster=no", "-o", "ProxyCommand=false"]);
        self.add_destination(&mut command, false);
        command.args(["echo", BEGUN, "&&", "docker"]);
        if let Some(socket) = &self.machine.socket {
            command.arg("--host").arg(shell_words::quote(&format!("unix://{socket}")).as_ref());
        }
        command.args(["system", "dial-stdio"]);
        command
    }

    fn add_destination(&self, command: &mut Command, asks: bool) {
        command.arg("-S").arg(escaped(&self.control().to_string_lossy()));
        // Neither terminal nor agent nor display: only bytes pass. A dead network is noticed within
        // a minute.
        command.args(["-T", "-a", "-x"]);
        for option in
            ["LogLevel=ERROR", "ConnectTimeout=10", "ServerAliveInterval=15", "RemoteCommand=none"]
        {
            command.args(["-o", option]);
        }
        if !asks {
            command.args(["-o", "BatchMode=yes"]);
        }
        if let Some(port) = self.machine.port {
            command.arg("-p").arg(port.to_string());
        }
        if let Some(user) = &self.machine.user {
            command.arg("-l").arg(user);
        }
        command.arg("--").arg(&self.machine.host);
    }

    /// How the user would log in by hand.
    fn command(&self) -> String {
        let SshAddress { user, host, port, .. } = &self.machine;
        let port = port.map_or_else(String::new, |port| format!("-p {port} "));
        let user = user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
        format!("`ssh {port}{user}{host}`")
    }

    /// The next step where nothing better is known.
    pub(super) fn by_hand(&self) -> String {
        format!("see whether {} logs in from here", self.command())
    }

    /// `ssh` could not be started at all.
    pub(super) fn not_started(&self, error: &io::Error) -> Advice {
        Advice { why: format!("ssh could not be started: {error}"), hint: self.by_hand() }
    }

    /// It ended before it was logged in.
    pub(super) fn refused(&self, code: Option<i32>) -> Advice {
        if code == Some(NO_SUCH_PROGRAM) {
            return Advice {
                why: "there is no program \"ssh\" on this machine".to_owned(),
                hint: "install the OpenSSH client".to_owned(),
            };
        }
        let said = ssh_messages::last(&read(&self.log()));
        let hint = ssh_messages::login_hint(&said, &self.machine, &self.command())
            .unwrap_or_else(|| self.by_hand());
        let why = if said.is_empty() {
            "ssh ended without a word".to_owned()
        } else {
            format!("ssh says: {said}")
        };
        Advice { why, hint }
    }

    /// It did not log in in time.
    pub(super) fn too_slow(&self, limit: Duration) -> Advice {
        Advice {
            why: format!("ssh did not log in within {} s", limit.as_secs()),
            hint: self.by_hand(),
        }
    }

    /// It was logged in, and is no more.
    pub(super) fn lost(&self) -> String {
        match ssh_messages::last(&read(&self.log())) {
            said if said.is_empty() => "ssh ended".to_owned(),
            said => format!("ssh ended, and says: {said}"),
        }
    }

    /// Logged in, but neither way led to an engine.
    pub(super) fn no_engine(&self) -> Advice {
        let socket = self.machine.socket.as_deref().unwrap_or(ENGINE_SOCKET);
        let said = ssh_messages::last(&read(&self.dial_log()));
        let why = if said.is_empty() {
            "which ends without a word".to_owned()
        } else {
            format!("which says: {said}")
        };
        Advice {
            why: format!(
                "logged in, but \"{socket}\" does not answer there, nor does `docker system dial-stdio`, {why}"
            ),
            hint: ssh_messages::engine_hint(&said).unwrap_or_else(|| {
                format!("see what `docker version` says there, after {}", self.command())
            }),
        }
    }
}

/// A program that no machine has: the shell ends with its code for that.
const NOWHERE: &str = "/nonexistent/ssh";

/// The `ssh` on the search path. Entries of it that are relative lead into the folder that spc was
/// started in, where a script or a container may have put a program of this name: they are left
/// out, as Docker's own client does.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
    found_in(&path).unwrap_or_else(|| NOWHERE.into())
}

fn found_in(path: &OsStr) -> Option<PathBuf> {
    let is_program = |file: &PathBuf| {
        file.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("ssh"))
        .find(is_program)
}

/// A shell that becomes the command it is given, beside a watcher that ends it when standard input
/// closes, which it does at the latest with spc, and then removes the folder it is given first.
///
/// Ctrl-C and the like go to all processes of a terminal, and spc needs the engine to clean up:
/// they are not for `ssh`. Where it asks, TERM is, because that makes it give the terminal back as
/// it was.
fn guard(asks: bool) -> String {
    let (ignored, end) =
        if asks { ("HUP INT QUIT", "TERM") } else { ("HUP INT QUIT TERM", "KILL") };
    format!(
        "trap '' {ignored}; exec 3<&0 </dev/null; \
         {{ PATH=/bin:/usr/bin; read -r _ <&3 || kill -{end} $$; rm -rf -- \"$0\"; }} >/dev/null 2>&1 & \
         exec \"$@\" 3<&-"
    )
}

/// A path as `ssh` expands it: `%` begins a variable.
fn escaped(path: &str) -> String {
    path.replace('%', "%%")
}

/// A path in a forward, whose parts are separated by colons.
fn forwardable(path: &str) -> String {
    escaped(path).replace('\\', "\\\\").replace(':', "\\:")
}

#[cfg(test)]
mod tests;
