//! A running `spc` process: its output as it arrives, signals, answers to prompts, its end.

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

/// A running `spc` process. Dropping it kills the process.
pub struct RunningSpc {
    process: Pid,
    ended: Receiver<ExitStatus>,
    stdout: Output,
    stderr: Output,
    keyboard: Option<Keyboard>,
    /// The number of terminal bytes that earlier waits have consumed.
    seen: usize,
    redactions: Redactions,
    is_over: bool,
    /// Whether standard output is checked against `docs/json.md` when spc ends by itself.
    is_json: bool,
    _surroundings: (Option<FakeEngine>, TempDir),
}

impl RunningSpc {
    /// Types a line at the `spc repl` prompt. Waits for `answer` and for the next prompt. `answer`
    /// must not be a part of the line.
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
        // The command holds copies of the terminal's file descriptors. Dropping it closes them.
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

    /// Checks every line of standard output if spc writes JSON.
    pub(super) fn writing_json(mut self, is_json: bool) -> Self {
        self.is_json = is_json;
        self
    }

    /// Waits until standard output contains `text`.
    #[track_caller]
    pub fn until_stdout(&self, text: &str) {
        self.until(&self.stdout, text);
    }

    /// Waits until standard error contains `text`.
    #[track_caller]
    pub fn until_stderr(&self, text: &str) {
        self.until(&self.stderr, text);
    }

    #[track_caller]
    fn until(&self, output: &Output, text: &str) {
        assert!(output.until(text), "{text:?} did not come; what came:\n{}", self.so_far(0));
    }

    /// Sends SIGINT, like Ctrl-C.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.process, signal).unwrap();
    }

    /// Types a line at the terminal of [`super::Spc::asks`].
    pub fn types(&mut self, line: &str) {
        self.types_keys(&format!("{line}\n"));
    }

    /// Types keys at the terminal, without Enter.
    pub fn types_keys(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().expect("its standard input is a terminal");
        keyboard.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the terminal of [`super::Spc::at_terminal`] shows `text`, after the text of the
    /// previous wait.
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

    /// The terminal's output so far.
    pub fn shown(&self) -> String {
        self.so_far(0).stdout
    }

    /// Closes standard output after the next line, like `head`. Waits for that line.
    pub fn closes_stdout(&mut self) {
        self.is_json = false;
        self.stdout.close();
    }

    /// Waits until spc ends.
    #[track_caller]
    pub fn ends(self) -> SpcOutput {
        self.ends_within(DEADLINE)
    }

    /// Whether spc still runs after this time.
    pub fn goes_on_for(&mut self, time: Duration) -> bool {
        matches!(self.ended.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }

    /// Waits for its end, which has to come within this time.
    #[track_caller]
    pub fn ends_soon(&mut self, time: Duration) -> SpcOutput {
        self.end(time)
    }

    /// Waits until spc ends, then calls `look` before the temporary folders are removed.
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
                // The output is empty if the test has redirected standard output.
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

/// The output that has arrived from a pipe.
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
                    // Reading a terminal fails after the last process has closed it.
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

    /// Waits for the text. Returns whether it arrived before the end of the output and the
    /// deadline.
    fn until(&self, text: &str) -> bool {
        self.until_after(0, text).is_some()
    }

    /// Waits for the text after the first `seen` bytes. Returns the position of its end.
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

/// A pseudo-terminal for typing.
pub struct Keyboard {
    keys: File,
    /// The side of spc; `None` once only spc has it open.
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

    /// A reader of everything that spc writes to the terminal. Afterwards only spc has its side
    /// open, so the output ends when spc ends.
    fn screen(&mut self) -> File {
        self.terminal = None;
        self.keys.try_clone().unwrap()
    }
}

/// The user's side of a new pseudo-terminal. It is not the controlling terminal of the tests.
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
