//! A running spc: its lines as they arrive, signals, answers to its questions, its end.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::json_schema;
use super::text::Redactions;
use super::{DEADLINE, FakeEngine, SpcOutput};

/// A process of `spc`. Killed when dropped, if it has not ended.
pub struct RunningSpc {
    process: Pid,
    ended: Receiver<ExitStatus>,
    stdout: Output,
    stderr: Output,
    keyboard: Option<Keyboard>,
    /// How far its terminal was read.
    seen: usize,
    redactions: Redactions,
    is_over: bool,
    /// Its standard output is held to the guide once it ends by itself.
    is_json: bool,
    _surroundings: (Option<FakeEngine>, TempDir),
}

impl RunningSpc {
    /// Types a line at the prompt and waits for its value, which is not a part of the line, and for
    /// the next prompt.
    #[track_caller]
    pub fn says_at_prompt(&mut self, line: &str, answer: &str) {
        self.types_keys(&format!("{line}\r"));
        self.until_shown(&format!("\n{answer}"));
        self.until_shown("spc> ");
    }

    #[track_caller]
    pub(super) fn new(
        mut command: Command,
        mut keyboard: Option<Keyboard>,
        stdin: &[u8],
        redactions: Redactions,
        surroundings: (Option<FakeEngine>, TempDir),
    ) -> Self {
        let mut child = command.spawn().unwrap();
        // This also drops the ends of the terminal that are not the child's.
        drop(command);
        let process = Pid::from_child(&child);
        if let Some(mut pipe) = child.stdin.take() {
            let stdin = stdin.to_owned();
            // It is not an error if spc doesn't read its input.
            std::thread::spawn(move || drop(pipe.write_all(&stdin)));
        }
        let stdout = match (child.stdout.take(), &mut keyboard) {
            (Some(pipe), _) => Output::of(pipe),
            (None, Some(keyboard)) if child.stderr.is_none() => Output::of(keyboard.screen()),
            (None, _) => Output::default(),
        };
        let stderr = child.stderr.take().map_or_else(Output::default, Output::of);
        let (reported, ended) = channel();
        std::thread::spawn(move || reported.send(child.wait().unwrap()));
        Self {
            process,
            ended,
            stdout,
            stderr,
            keyboard,
            seen: 0,
            redactions,
            is_over: false,
            is_json: false,
            _surroundings: surroundings,
        }
    }

    /// Whether it was asked for JSON: every line is checked then.
    pub(super) fn writing_json(mut self, is_json: bool) -> Self {
        self.is_json = is_json;
        self
    }

    /// Waits until `text` is on its standard output.
    #[track_caller]
    pub fn until_stdout(&self, text: &str) {
        self.until(&self.stdout, text);
    }

    /// Waits until `text` is on its standard error.
    #[track_caller]
    pub fn until_stderr(&self, text: &str) {
        self.until(&self.stderr, text);
    }

    #[track_caller]
    fn until(&self, output: &Output, text: &str) {
        assert!(output.until(text), "{text:?} did not come; what came:\n{}", self.so_far(0));
    }

    /// Sends the signal of Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.process, signal).unwrap();
    }

    /// Types a line at its terminal: see [`super::Spc::asks`].
    pub fn types(&mut self, line: &str) {
        self.types_keys(&format!("{line}\n"));
    }

    /// Types keys at its terminal, and nothing after them.
    pub fn types_keys(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().expect("its standard input is a terminal");
        keyboard.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `text` is on its terminal, after the text of the last wait: see
    /// [`super::Spc::at_terminal`].
    #[track_caller]
    pub fn until_shown(&mut self, text: &str) {
        match self.stdout.until_after(self.seen, text) {
            Some(end) => self.seen = end,
            None => panic!(
                "{text:?} did not come after {} bytes; what came:\n{}",
                self.seen,
                self.so_far(0)
            ),
        }
    }

    /// The content of its terminal so far.
    pub fn shown(&self) -> String {
        self.so_far(0).stdout
    }

    /// Stops reading like `head`: after the next line nobody reads its standard output. It has to
    /// print one more line, or this waits for it.
    pub fn closes_stdout(&mut self) {
        self.is_json = false;
        self.stdout.close();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ends(self) -> SpcOutput {
        self.ends_within(DEADLINE)
    }

    /// Whether it is still running after that time.
    pub fn goes_on_for(&mut self, time: Duration) -> bool {
        matches!(self.ended.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }

    /// Waits for its end, which has to come within this time.
    #[track_caller]
    pub fn ends_soon(&mut self, time: Duration) -> SpcOutput {
        self.end(time)
    }

    /// Waits for its end, and looks at its files before its folders are removed.
    #[track_caller]
    pub fn ends_then<T>(mut self, look: impl FnOnce() -> T) -> (SpcOutput, T) {
        (self.end(DEADLINE), look())
    }

    /// Waits for its end, which has to come within this time.
    #[track_caller]
    pub fn ends_within(mut self, time: Duration) -> SpcOutput {
        self.end(time)
    }

    #[track_caller]
    fn end(&mut self, time: Duration) -> SpcOutput {
        match self.ended.recv_timeout(time) {
            Ok(status) => {
                self.is_over = true;
                self.stdout.finish();
                self.stderr.finish();
                let output = self.stdout.bytes();
                // Nothing came where a test took the stream away, or closed it.
                if self.is_json && !output.is_empty() {
                    json_schema::check_output(&String::from_utf8_lossy(&output));
                }
                self.so_far(status.code().unwrap_or_else(|| -status.signal().unwrap_or_default()))
            }
            Err(RecvTimeoutError::Timeout) => {
                panic!("it did not end within {time:?}; what it said:\n{}", self.so_far(0))
            }
            Err(RecvTimeoutError::Disconnected) => panic!("its end was lost"),
        }
    }

    fn so_far(&self, code: i32) -> SpcOutput {
        SpcOutput {
            code,
            stdout: self.redactions.apply(&self.stdout.bytes()),
            stderr: self.redactions.apply(&self.stderr.bytes()),
        }
    }
}

impl Drop for RunningSpc {
    fn drop(&mut self) {
        if !self.is_over && self.ended.try_recv().is_err() {
            let _ = kill_process(self.process, Signal::KILL);
        }
    }
}

/// The text from a pipe so far.
#[derive(Default)]
struct Output {
    seen: Arc<(Mutex<OutputState>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct OutputState {
    bytes: Vec<u8>,
    /// The reader stops at its next line.
    unwanted: bool,
    is_over: bool,
}

impl Output {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let seen: Arc<(Mutex<OutputState>, Condvar)> = Arc::default();
        let reader = std::thread::spawn({
            let seen = seen.clone();
            move || {
                let mut buffer = [0; 4096];
                loop {
                    // A terminal that no process has open returns an error.
                    let read = pipe.read(&mut buffer).unwrap_or(0);
                    let mut state = seen.0.lock().unwrap();
                    state.bytes.extend_from_slice(&buffer[..read]);
                    state.is_over = read == 0 || state.unwanted;
                    seen.1.notify_all();
                    if state.is_over {
                        return;
                    }
                }
            }
        });
        Self { seen, reader: Some(reader) }
    }

    /// Whether the text arrived before the end and the deadline.
    fn until(&self, text: &str) -> bool {
        self.until_after(0, text).is_some()
    }

    /// The end of the text that arrived after the first `seen` bytes.
    fn until_after(&self, seen: usize, text: &str) -> Option<usize> {
        let deadline = Instant::now() + DEADLINE;
        let found = |state: &OutputState| {
            let place = state.bytes[seen..]
                .windows(text.len())
                .position(|window| window == text.as_bytes())?;
            Some(seen + place + text.len())
        };
        let mut state = self.seen.0.lock().unwrap();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(end) = found(&state) {
                return Some(end);
            }
            if state.is_over || left.is_zero() {
                return None;
            }
            state = self.seen.1.wait_timeout(state, left).unwrap().0;
        }
    }

    fn close(&mut self) {
        self.seen.0.lock().unwrap().unwanted = true;
        self.finish();
    }

    /// Waits for the end of the pipe.
    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.seen.0.lock().unwrap().bytes.clone()
    }
}

/// The size of a terminal.
const WINDOW: rustix::termios::Winsize =
    rustix::termios::Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };

/// A terminal for typing.
pub struct Keyboard {
    keys: File,
    /// The end of spc; `None` once only spc has it.
    terminal: Option<OwnedFd>,
}

impl Keyboard {
    pub(super) fn new() -> Self {
        let keys = pseudo_terminal();
        let terminal = other_side(&keys);
        rustix::termios::tcsetwinsize(&terminal, WINDOW).unwrap();
        Self { keys: keys.into(), terminal: Some(terminal) }
    }

    pub(super) fn terminal(&self) -> OwnedFd {
        self.terminal.as_ref().unwrap().try_clone().unwrap()
    }

    /// Everything that spc writes to it, until its end; from now on only spc has the terminal.
    fn screen(&mut self) -> File {
        self.terminal = None;
        self.keys.try_clone().unwrap()
    }
}

/// A person's side of a new pseudo-terminal. It is not a controlling terminal: Ctrl-C at the test's
/// own terminal does not reach it.
pub(super) fn pseudo_terminal() -> OwnedFd {
    use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};
    let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&keys).unwrap();
    unlockpt(&keys).unwrap();
    keys
}

/// The side for programs.
pub(super) fn other_side(keys: &OwnedFd) -> OwnedFd {
    let name = rustix::pty::ptsname(keys, Vec::new()).unwrap();
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
    rustix::fs::open(name.as_c_str(), flags, rustix::fs::Mode::empty()).unwrap()
}
