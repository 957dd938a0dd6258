//! The real binary: run with nothing of this process's environment, watched, and held to how it
//! should end.

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

/// More than any run takes that is not told another limit.
const LIMIT: Duration = Duration::from_secs(120);

/// A run of `spc` to come.
#[must_use = "it begins with `ends` or `start`"]
pub struct Spc {
    command: Command,
    limit: Duration,
}

impl Spc {
    /// `spc` with these words, in `folder`. Without a terminal; of the environment only what it
    /// takes to reach the engine.
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

    /// Sits it at a terminal, which becomes its controlling one: Ctrl-C typed there interrupts it.
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

    /// The same, but for its standard output, which stays a pipe.
    pub fn on_screen(self, screen: &Screen) -> Self {
        let mut spc = self.at(screen);
        spc.command.stdout(Stdio::piped());
        spc
    }

    /// Runs it where it sees no other process, as in a container.
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

    /// Sends its standard error elsewhere: nothing of it is seen.
    pub fn prints_to(mut self, file: std::fs::File) -> Self {
        self.command.stderr(file);
        self
    }

    /// How long it may take.
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end, which must be `code`.
    pub fn ends(self, code: i32) -> SpcOutput {
        self.start().ends(code)
    }

    /// Begins it.
    pub fn start(mut self) -> RunningSpc {
        let begun = Instant::now();
        let mut child = self.command.spawn().unwrap_or_else(|error| panic!("spc starts: {error}"));
        let stdout = child.stdout.take().map_or_else(CapturedStream::default, CapturedStream::from);
        let stderr = child.stderr.take().map_or_else(CapturedStream::default, CapturedStream::from);
        RunningSpc { child, begun, limit: self.limit, stdout, stderr }
    }
}

/// A run under way; dropping it kills it.
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

    /// Waits until it has written `text` to standard error.
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

    /// Waits until it has written `text` to standard output.
    pub fn until_printed(&mut self, text: &str) {
        until(&format!("spc prints {text:?}"), self.limit, || {
            self.stdout.text().contains(text).then_some(())
        });
    }

    /// Kills it with no chance to tidy up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its end, whatever it is.
    pub fn end(mut self) -> SpcOutput {
        let (limit, begun) = (self.limit, self.begun);
        let status = until("spc ends", limit.saturating_sub(begun.elapsed()), || {
            self.child.try_wait().unwrap()
        });
        let took = begun.elapsed();
        SpcOutput { status, took, stdout: self.stdout.whole(), stderr: self.stderr.whole() }
    }

    /// Its end, which must be `code`.
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

/// A run that ended.
#[derive(Debug)]
pub struct SpcOutput {
    pub status: ExitStatus,
    pub took: Duration,
    pub stdout: String,
    pub stderr: String,
}

impl SpcOutput {
    /// Standard error must hold each of these.
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

    /// Standard error must hold none of these.
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

    /// Standard output must hold each of these.
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

/// What a child writes, read as it comes.
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
