//! Reads answers from standard input.
//!
//! A blocked read can't be cancelled. So a thread waits until input is available or the question is
//! cancelled, and reads only in the first case. Text typed after a cancelled question is not lost,
//! and no read delays the end of the process.

use std::io::{self, IsTerminal, PipeReader};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::oneshot;

use super::error::failed;
use crate::host::memory::LARGEST_VALUE;
use crate::host::{HostError, HostErrorKind, Result, StandardStream};

pub(super) fn is_terminal(stream: StandardStream) -> bool {
    match stream {
        StandardStream::Stdin => io::stdin().is_terminal(),
        StandardStream::Stdout => io::stdout().is_terminal(),
        StandardStream::Stderr => io::stderr().is_terminal(),
    }
}

/// Bytes of one read.
const CHUNK: usize = 16 << 10;

type Descriptor = Arc<dyn AsFd + Send + Sync>;

/// A standard input.
pub(super) struct Input {
    descriptor: Descriptor,
    /// Input that was read but not requested yet: the lines after an answer from a pipe. Locked
    /// during a read.
    read_ahead: Arc<Mutex<Vec<u8>>>,
    /// Only one question at a time.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Amount {
    Line,
    All,
}

impl Input {
    pub(super) fn standard() -> Self {
        Self::of(Arc::new(io::stdin()))
    }

    fn of(descriptor: Descriptor) -> Self {
        Self { descriptor, read_ahead: Arc::default(), asking: tokio::sync::Mutex::default() }
    }

    pub(super) async fn ask(
        &self,
        question: &str,
        show: impl FnOnce(&str) + Send,
    ) -> Result<Option<String>> {
        let _turn = self.asking.lock().await;
        // Without a terminal, the answer may still come through a pipe.
        show(question);
        let line = self.read(Amount::Line).await?;
        if line.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()))
    }

    pub(super) async fn read_all(&self) -> Result<Bytes> {
        let _turn = self.asking.lock().await;
        Ok(self.read(Amount::All).await?.into())
    }

    async fn read(&self, amount: Amount) -> Result<Vec<u8>> {
        let could_not = |error: &io::Error| failed("read", Path::new("standard input"), error);
        let (withdrawn, asked) = io::pipe().map_err(|error| could_not(&error))?;
        let (reply, answer) = oneshot::channel();
        let (descriptor, read_ahead) = (self.descriptor.clone(), self.read_ahead.clone());
        let waiter = move || {
            let mut read_ahead = read_ahead.lock();
            let answer = wait(&*descriptor, &withdrawn, &mut read_ahead, amount);
            give(answer, reply, &mut read_ahead);
        };
        std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(waiter)
            .map_err(|error| could_not(&error))?;
        let answer = answer.await;
        // Closed here, or wherever this future is dropped: this cancels the question.
        drop(asked);
        match answer {
            Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
                let message = format!(
                    "Could not read standard input: it is larger than {} MiB",
                    LARGEST_VALUE >> 20
                );
                Err(HostError::new(HostErrorKind::TooLarge, message))
            }
            Ok(answer) => answer.map_err(|error| could_not(&error)),
            Err(_) => Err(HostError::new(
                HostErrorKind::Other,
                "Could not read standard input: its reader ended",
            )),
        }
    }
}

/// Passes an answer to the asker, or keeps it for the next one. After Ctrl-C, a terminal may
/// discard input that was already reported as available. Then a cancelled question waits in its
/// read, and takes the next line.
fn give(
    answer: io::Result<Vec<u8>>,
    reply: oneshot::Sender<io::Result<Vec<u8>>>,
    read_ahead: &mut Vec<u8>,
) {
    if let Err(Ok(unwanted)) = reply.send(answer) {
        read_ahead.splice(0..0, unwanted);
    }
}

/// Reads until there is enough, the input ends, or the question is cancelled.
fn wait(
    input: &dyn AsFd,
    withdrawn: &PipeReader,
    read_ahead: &mut Vec<u8>,
    amount: Amount,
) -> io::Result<Vec<u8>> {
    let mut buffer = [0; CHUNK];
    loop {
        if amount == Amount::Line
            && let Some(end) = read_ahead.iter().position(|byte| *byte == b'\n')
        {
            let rest = read_ahead.split_off(end + 1);
            return Ok(std::mem::replace(read_ahead, rest));
        }
        let mut watched = [
            PollFd::from_borrowed_fd(withdrawn.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(input.as_fd(), PollFlags::IN),
        ];
        match poll(&mut watched, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if !watched[0].revents().is_empty() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match rustix::io::read(input, &mut buffer) {
            Ok(0) => return Ok(std::mem::take(read_ahead)),
            Ok(_) if read_ahead.len() >= LARGEST_VALUE => {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            Ok(length) => read_ahead.extend_from_slice(&buffer[..length]),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use futures::FutureExt;

    struct Terminal {
        input: Input,
        keyboard: io::PipeWriter,
    }

    fn terminal() -> Terminal {
        let (input, keyboard) = io::pipe().unwrap();
        Terminal { input: Input::of(Arc::new(input)), keyboard }
    }

    #[tokio::test]
    async fn a_question_is_shown_and_its_answer_is_a_line() {
        let mut terminal = terminal();
        terminal.keyboard.write_all("já \r\n".as_bytes()).unwrap();
        let mut shown = String::new();
        assert_eq!(
            terminal
                .input
                .ask("Sure? ", |question| shown.push_str(question))
                .await
                .unwrap()
                .as_deref(),
            Some("já ")
        );
        assert_eq!(shown, "Sure? ");
    }

    #[tokio::test]
    async fn answers_through_a_pipe_are_taken_one_by_one_until_its_end() {
        let mut terminal = terminal();
        terminal.keyboard.write_all(b"one\n\nthree").unwrap();
        drop(terminal.keyboard);
        let mut answers = Vec::new();
        while let Some(answer) = terminal.input.ask("", |_| {}).await.unwrap() {
            answers.push(answer);
        }
        assert_eq!(answers, ["one", "", "three"]);
    }

    #[tokio::test]
    async fn the_rest_of_standard_input_is_read_to_its_end() {
        let mut terminal = terminal();
        terminal.keyboard.write_all(b"answer\nrest\n\xff").unwrap();
        drop(terminal.keyboard);
        assert_eq!(terminal.input.ask("", |_| {}).await.unwrap().as_deref(), Some("answer"));
        assert_eq!(&terminal.input.read_all().await.unwrap()[..], b"rest\n\xff");
    }

    #[tokio::test]
    async fn an_input_without_end_is_an_error_and_not_held() {
        let Terminal { input, mut keyboard } = terminal();
        let endless =
            std::thread::spawn(move || while keyboard.write_all(&vec![b'x'; 1 << 16]).is_ok() {});
        assert_eq!(
            input.read_all().await.unwrap_err().message,
            "Could not read standard input: it is larger than 64 MiB"
        );
        drop(input);
        endless.join().unwrap();
    }

    #[tokio::test]
    async fn a_withdrawn_question_takes_no_answer_from_the_next_one() {
        let mut terminal = terminal();
        assert!(terminal.input.ask("First? ", |_| {}).now_or_never().is_none());
        terminal.keyboard.write_all(b"second\n").unwrap();
        assert_eq!(
            terminal.input.ask("Second? ", |_| {}).await.unwrap().as_deref(),
            Some("second")
        );
    }

    #[test]
    fn an_answer_that_came_too_late_is_the_next_ones() {
        let mut read_ahead = b"second\n".to_vec();
        let (reply, asked) = oneshot::channel();
        drop(asked);
        give(Ok(b"first\n".to_vec()), reply, &mut read_ahead);
        assert_eq!(read_ahead, b"first\nsecond\n");
    }

    #[tokio::test]
    async fn a_cancelled_question_stops_reading() {
        let Terminal { input, mut keyboard } = terminal();
        assert!(input.ask("?", |_| {}).now_or_never().is_none());
        // The reader has ended when no other clone of the input exists.
        let Input { descriptor, .. } = input;
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while Arc::strong_count(&descriptor) > 1 {
            assert!(std::time::Instant::now() < deadline, "still reading");
            std::thread::yield_now();
        }
        keyboard.write_all(b"for somebody else\n").unwrap();
        let mut buffer = [0; 64];
        assert_eq!(rustix::io::read(&*descriptor, &mut buffer).unwrap(), 18);
    }

    #[tokio::test]
    async fn two_questions_at_once_are_asked_one_after_the_other() {
        let mut terminal = terminal();
        terminal.keyboard.write_all(b"a\nb\n").unwrap();
        let (a, b) =
            futures::join!(terminal.input.ask("1", |_| {}), terminal.input.ask("2", |_| {}));
        assert_eq!((a.unwrap().unwrap(), b.unwrap().unwrap()), ("a".to_owned(), "b".to_owned()));
    }
}
