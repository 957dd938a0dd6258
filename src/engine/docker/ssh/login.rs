//! One login: the command line of `ssh`, its folder, its messages.

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

/// The default socket of the engine on the other machine.
const ENGINE_SOCKET: &str = "/var/run/docker.sock";

/// The default search path.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A shell's exit code for a missing program. `ssh` itself exits with 255.
const NO_SUCH_PROGRAM: i32 = 127;

/// A login to a machine.
#[derive(Clone)]
pub(super) struct Login {
    pub machine: SshAddress,
    /// Private. The guard removes it when the login has ended.
    pub folder: PathBuf,
    /// Whether `ssh` may ask at the terminal.
    pub asks: bool,
}

/// `ssh` and its guard.
pub(super) struct Ssh {
    pub child: Child,
    /// The guard ends the login when this is closed without a message, also if spc is killed.
    lifeline: ChildStdin,
}

impl Ssh {
    /// Tells the guard that `ssh` has ended by itself and must not be killed: another process may
    /// have its number by now.
    pub(super) async fn release(mut self) {
        let _ = self.lifeline.write_all(b"\n").await;
    }
}

impl Login {
    /// The local end of the forwarded socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("engine")
    }

    /// The socket for sessions that join this login.
    fn control(&self) -> PathBuf {
        self.folder.join("control")
    }

    /// The messages of `ssh` about the login.
    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The messages of the sessions of [`super::SshTransport::Dial`].
    pub(super) fn dial_log(&self) -> PathBuf {
        self.folder.join("dial-log")
    }

    /// Whether the login is complete and the socket exists, which `ssh` creates last.
    pub(super) fn is_done(&self) -> bool {
        is_there(&self.control())
    }

    /// Starts it, with a shell as guard.
    pub(super) fn start(&self, forwards: bool) -> io::Result<Ssh> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(guard(self.asks)).arg(&self.folder).arg(program());
        // If one of the user's own forwards fails because its port is in use, that does not matter
        // here.
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

    /// A session in which Docker's client on the other machine passes bytes on.
    pub(super) fn dial(&self) -> Command {
        let mut command = Command::new(program());
        // If the login accepts no more sessions, ssh would log in again. This option makes it fail
        // instead.
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
        // No terminal, agent or display, because only bytes are passed. A dead network is noticed
        // within a minute.
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

    /// The command with which the user would log in by hand.
    fn command(&self) -> String {
        let SshAddress { user, host, port, .. } = &self.machine;
        let port = port.map_or_else(String::new, |port| format!("-p {port} "));
        let user = user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
        format!("`ssh {port}{user}{host}`")
    }

    /// The next step if nothing better is known.
    pub(super) fn by_hand(&self) -> String {
        format!("see whether {} logs in from here", self.command())
    }

    /// `ssh` could not be started at all.
    pub(super) fn not_started(&self, error: &io::Error) -> Advice {
        Advice { why: format!("ssh could not be started: {error}"), hint: self.by_hand() }
    }

    /// It ended before the login was complete.
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
            "ssh ended without a message".to_owned()
        } else {
            format!("ssh says: {said}")
        };
        Advice { why, hint }
    }

    /// The login took too long.
    pub(super) fn too_slow(&self, limit: Duration) -> Advice {
        Advice {
            why: format!("ssh did not log in within {} s", limit.as_secs()),
            hint: self.by_hand(),
        }
    }

    /// The login was complete, and has ended.
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
            "which ends without a message".to_owned()
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

/// A program that never exists: the shell exits with its code for that.
const NOWHERE: &str = "/nonexistent/ssh";

/// The `ssh` in the search path. Relative entries are ignored, as by Docker's own client: they lead
/// into the folder in which spc was started, where a script or a container may have put a program
/// with this name.
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

/// A shell that becomes the given command. A watcher beside it ends the command when standard input
/// closes, at the latest when spc ends, and then removes the folder that is its first argument.
///
/// Ctrl-C reaches all processes of a terminal, but spc needs the engine to clean up, so `ssh` must
/// ignore it. If `ssh` asks a question, it does get TERM, because then it restores the terminal.
fn guard(asks: bool) -> String {
    let (ignored, end) =
        if asks { ("HUP INT QUIT", "TERM") } else { ("HUP INT QUIT TERM", "KILL") };
    format!(
        "trap '' {ignored}; exec 3<&0 </dev/null; \
         {{ PATH=/bin:/usr/bin; read -r _ <&3 || kill -{end} $$; rm -rf -- \"$0\"; }} >/dev/null 2>&1 & \
         exec \"$@\" 3<&-"
    )
}

/// A path for `ssh`, which treats `%` as the beginning of a variable.
fn escaped(path: &str) -> String {
    path.replace('%', "%%")
}

/// A path in a forward, where colons separate the parts.
fn forwardable(path: &str) -> String {
    escaped(path).replace('\\', "\\\\").replace(':', "\\:")
}

#[cfg(test)]
mod tests;
