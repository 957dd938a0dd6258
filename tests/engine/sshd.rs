//! An SSH server on loopback for one test, and the machine's `ssh` client with its own keys and
//! configuration.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::project::free_port;
use super::spc::Spc;
use super::until::until;

const SSHD: &str = "/usr/sbin/sshd";

/// The server. Dropping it ends it.
pub struct Sshd {
    folder: TempDir,
    server: Child,
    port: u16,
}

impl Sshd {
    /// Starts a server with these additional options. The current user can log in with a key.
    pub fn new(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for key in ["host", "user", "stranger"] {
            run(Command::new("ssh-keygen").args([
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-f",
                &path(key),
            ]));
        }
        if rustix::process::geteuid().is_root() {
            // sshd needs this folder for privilege separation.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = free_port();
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n{}\n",
            path("host"),
            path("user.pub"),
            options.join("\n"),
        );
        fs::write(path("sshd_config"), settings).unwrap();
        let mut server = Command::new(SSHD);
        server
            .args(["-D", "-f", &path("sshd_config"), "-E", &path("log")])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let server = server.spawn().unwrap_or_else(|error| {
            panic!("these tests need \"{SSHD}\" (openssh-server): {error}")
        });
        let sshd = Self { folder, server, port };
        sshd.trust("host").log_in_with("user").write_client();
        until("sshd listens", Duration::from_secs(20), || {
            sshd.log().contains("Server listening").then_some(())
        });
        sshd
    }

    /// Makes the client expect this key as the server's host key.
    pub fn trust(&self, key: &str) -> &Self {
        let public = fs::read_to_string(self.path(&format!("{key}.pub"))).unwrap();
        fs::write(self.path("known_hosts"), format!("[127.0.0.1]:{} {public}", self.port)).unwrap();
        self
    }

    /// Removes all host keys that the client knows.
    pub fn trust_nobody(&self) -> &Self {
        fs::write(self.path("known_hosts"), "").unwrap();
        self
    }

    /// Makes the client log in with this key. The client asks before it accepts an unknown host
    /// key.
    pub fn log_in_with(&self, key: &str) -> &Self {
        let settings = format!(
            "IdentityFile {}\nIdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile {}\nStrictHostKeyChecking ask\n",
            self.path(key).display(),
            self.path("known_hosts").display(),
        );
        fs::write(self.path("ssh_config"), settings).unwrap();
        self
    }

    /// Creates a wrapper for `ssh` with `-F`. `ssh` itself ignores `HOME` and uses the home folder
    /// in `/etc/passwd`.
    fn write_client(&self) {
        let bin = self.path("bin");
        fs::create_dir(&bin).unwrap();
        let script = format!(
            "#!/bin/sh\nexec /usr/bin/ssh -F '{}' \"$@\"\n",
            self.path("ssh_config").display()
        );
        fs::write(bin.join("ssh"), script).unwrap();
        fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The value of `DOCKER_HOST` for the engine behind this server.
    pub fn docker_host(&self) -> String {
        let user = run(Command::new("id").arg("--user").arg("--name"));
        format!("ssh://{}@127.0.0.1:{}", user.trim(), self.port)
    }

    /// Directs a run to the engine behind this server.
    pub fn leads(&self, spc: Spc) -> Spc {
        // `left` looks for leftover sockets in this folder.
        fs::create_dir_all(self.path("tmp")).unwrap();
        spc.env("DOCKER_HOST", self.docker_host())
            .env("PATH", self.search_path())
            .env("TMPDIR", self.path("tmp"))
    }

    pub fn search_path(&self) -> OsString {
        let rest = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths([self.path("bin")].into_iter().chain(std::env::split_paths(&rest)))
            .unwrap()
    }

    /// The number of logins so far.
    pub fn logins(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    /// Ends every login from the server's side, as if the machine shut down.
    pub fn throw_out(&self) {
        let server = self.server.id().to_string();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            // `pid (name) state parent …`
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let is_login = stat
                .rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.split(' ').nth(1) == Some(&server));
            if let Some(id) = entry
                .file_name()
                .to_str()
                .and_then(|id| id.parse().ok())
                .and_then(Pid::from_raw)
                .filter(|_| is_login)
            {
                kill_process(id, Signal::KILL).unwrap();
            }
        }
    }

    /// What remains of the logins of earlier runs: socket folders, and processes that use them.
    pub fn left(&self) -> Vec<String> {
        let folder = self.path("tmp");
        let files = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path().display().to_string());
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(folder.to_str()?).then_some(line)
        });
        files.chain(processes).collect()
    }

    /// Waits until no login has left anything behind.
    pub fn until_nothing_is_left(&self) {
        until("nothing is left of the login", Duration::from_secs(20), || {
            self.left().is_empty().then_some(())
        });
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Runs a command. Panics if it fails. Returns its output.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
