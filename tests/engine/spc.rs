//! Runs the real `spc` binary in a clean environment, watches its output and checks its exit code.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};

use super::until::until;
use crate::support::Screen;

/// The default time limit of a run.
const LIMIT: Duration = Duration::from_secs(120);

/// A builder for a run of `spc`.
#[must_use = "it begins with `ends` or `start`"]
pub struct Spc {
    command: Command,
    limit: Duration,
}

impl Spc {
    /// A run of `spc` with these arguments in `folder`, without a terminal. Of the environment it
    /// gets only `PATH` and `DOCKER_HOST`.
    pub fn new(folder: &Path, words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spc"));
        command.args(words).current_dir(folder).env_clear().env("HOME", folder);
        for name in ["PATH", "DOCKER_HOST"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, limit: LIMIT }
    }

    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.command.arg(word);
        self
    }

    pub fn args(mut self, words: &[&str]) -> Self {
        self.command.args(words);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives it a controlling terminal. So Ctrl-C at the terminal interrupts it.
    pub fn at(self, screen: &Screen) -> Self {
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(self.command.get_program()).args(self.command.get_args());
        command
            .current_dir(self.command.get_current_dir().unwrap())
            .env_clear()
            .env("TERM", "xterm-256color");
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(screen.terminal()).stdout(screen.terminal()).stderr(screen.terminal());
        Self { command, limit: self.limit }
    }

    /// Gives it a controlling terminal, but keeps standard output as a pipe.
    pub fn on_screen(self, screen: &Screen) -> Self {
        let mut spc = self.at(screen);
        spc.command.stdout(Stdio::piped());
        spc
    }

    /// Runs it in a new PID namespace. It sees no other process, as in a container.
    pub fn in_own_namespace(self) -> Self {
        let mut command = Command::new("unshare");
        command
            .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
            .arg(self.command.get_program())
            .args(self.command.get_args());
        command.current_dir(self.command.get_current_dir().unwrap()).env_clear();
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, limit: self.limit }
    }

    /// Redirects standard error to a file. The result doesn't contain it then.
    pub fn prints_to(mut self, file: std::fs::File) -> Self {
        self.command.stderr(file);
        self
    }

    /// Sets the time limit.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs spc to its end. Panics unless the exit code is `code`.
    pub fn ends(self, code: i32) -> SpcOutput {
        self.start().ends(code)
    }

    /// Starts spc without waiting for its end.
    pub fn start(mut self) -> RunningSpc {
        let begun = Instant::now();
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("spc starts: {error}"));
        let stdout = child.stdout.take().map_or_else(CapturedStream::default, CapturedStream::from);
        let stderr = child.stderr.take().map_or_else(CapturedStream::default, CapturedStream::from);
        RunningSpc { child, begun, limit: self.limit, stdout, stderr }
    }
}

/// A running `spc` process. Dropping it kills the process.
pub struct RunningSpc {
    child: Child,
    begun: Instant,
    limit: Duration,
    stdout: CapturedStream,
    stderr: CapturedStream,
}

impl RunningSpc {
    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until standard error contains `text`.
    pub fn until_reported(&mut self, text: &str) {
        until(&format!("spc says {text:?}"), self.limit, || {
            if self.stderr.text().contains(text) {
                return Some(());
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "spc ended ({ended:?}) without {text:?}:\n{}{}",
                self.stderr.text(),
                self.stdout.text()
            );
            None
        });
    }

    /// Waits until standard output contains `text`.
    pub fn until_printed(&mut self, text: &str) {
        until(&format!("spc prints {text:?}"), self.limit, || {
            self.stdout.text().contains(text).then_some(())
        });
    }

    /// Waits until a line of standard output contains all of these texts, or spc ends. Returns
    /// whether there is such a line.
    pub fn printed_before_its_end(&mut self, texts: &[&str]) -> bool {
        until(&format!("spc prints {texts:?} or ends"), self.limit, || {
            let ended = self.child.try_wait().unwrap().is_some();
            let contains = |line: &str| texts.iter().all(|text| line.contains(text));
            let printed = self.stdout.text().lines().any(contains);
            (printed || ended).then_some(printed)
        })
    }

    /// Kills spc with SIGKILL, so it can't clean up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until spc ends. Accepts any exit code.
    pub fn end(mut self) -> SpcOutput {
        let (limit, begun) = (self.limit, self.begun);
        let status = until("spc ends", limit.saturating_sub(begun.elapsed()), || {
            self.child.try_wait().unwrap()
        });
        let took = begun.elapsed();
        SpcOutput { status, took, stdout: self.stdout.whole(), stderr: self.stderr.whole() }
    }

    /// Waits until spc ends. Panics unless the exit code is `code`.
    pub fn ends(self, code: i32) -> SpcOutput {
        let ended = self.end();
        assert_eq!(
            ended.status.code(),
            Some(code),
            "spc ended another way:\n{}{}",
            ended.stderr,
            ended.stdout
        );
        ended
    }
}

impl Drop for RunningSpc {
    #[expect(clippy::print_stderr, reason = "a failed test shows what the run had said")]
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("spc said:\n{}{}", self.stderr.text(), self.stdout.text());
        }
    }
}

/// The result of a run.
#[derive(Debug)]
pub struct SpcOutput {
    pub status: ExitStatus,
    pub took: Duration,
    pub stdout: String,
    pub stderr: String,
}

impl SpcOutput {
    /// Asserts that standard error contains each of these texts.
    #[track_caller]
    pub fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stderr.contains(text),
                "spc did not say {text:?}:\n{}{}",
                self.stderr,
                self.stdout
            );
        }
        self
    }

    /// Asserts that standard error contains none of these texts.
    #[track_caller]
    pub fn does_not_print(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                !self.stderr.contains(text),
                "spc said {text:?}:\n{}{}",
                self.stderr,
                self.stdout
            );
        }
        self
    }

    /// Asserts that standard output contains each of these texts.
    #[track_caller]
    pub fn printed(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stdout.contains(text),
                "spc did not print {text:?}:\n{}{}",
                self.stderr,
                self.stdout
            );
        }
        self
    }
}

/// The output of a child process, read as it arrives.
#[derive(Default)]
struct CapturedStream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl CapturedStream {
    fn from(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let reader = std::thread::spawn({
            let text = text.clone();
            move || {
                let mut chunk = [0; 8192];
                while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                    text.lock().extend_from_slice(&chunk[..count]);
                }
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock()).into_owned()
    }

    fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.text()
    }
}
