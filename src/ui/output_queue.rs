//! The queue for standard output and standard error.
//!
//! Code that prints puts its text into the queue, and one thread per stream writes it. A reader
//! that stops reading (a pager, a stopped terminal, a hanging program) blocks only this thread, and
//! code that prints more than fits into the queue. It never delays the reaction to a signal: after
//! [`OutputQueue::hurry`], text that can't be written soon is dropped.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

/// The capacity per stream, in bytes. Code that prints more has to wait, so output of any size
/// needs only this much memory.
const CAPACITY: usize = 64 << 10;
/// The most bytes of one write.
const CHUNK: usize = 16 << 10;
/// After a signal, a stream that accepts nothing for this long is given up until it does.
const STALL: Duration = Duration::from_millis(100);

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Stdout,
    Stderr,
}

impl Target {
    const BOTH: [Self; 2] = [Self::Stdout, Self::Stderr];

    fn other(self) -> Self {
        match self {
            Self::Stdout => Self::Stderr,
            Self::Stderr => Self::Stdout,
        }
    }
}

type Descriptor = Box<dyn AsFd + Send + Sync>;

/// Text for both streams, in its original order. Both may be the same terminal or pipe, so text of
/// one stream never overtakes text of the other, unless the other stream is given up. The writing
/// threads end when this is dropped and the queue is empty.
pub struct OutputQueue {
    shared: Arc<SharedQueue>,
}

struct SharedQueue {
    state: Mutex<State>,
    /// Signals that there may be something to write to the stream.
    work: [Condvar; 2],
    /// Signals that something was written, that a stream broke, or that waiting should end.
    moved: Condvar,
    descriptors: [Descriptor; 2],
    /// Cancelled when standard output breaks.
    closed: CancellationToken,
}

#[derive(Default)]
struct State {
    /// Text, in its original order.
    pieces: VecDeque<(Target, Vec<u8>)>,
    streams: [Stream; 2],
    /// Counts written pieces.
    progress: u64,
    /// Whether a signal was received.
    is_hurried: bool,
    threads: Threads,
    is_over: bool,
}

/// Whether the writing threads exist.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Threads {
    /// Not started, because nothing was printed yet.
    #[default]
    NotNeeded,
    Running,
    /// Not started, because the system has no more threads.
    Unavailable,
}

#[derive(Default)]
struct Stream {
    /// Bytes in the queue and in the current write.
    waiting: usize,
    is_writing: bool,
    /// Whether it accepted nothing for [`STALL`] after a signal.
    is_stuck: bool,
    failure: Option<io::ErrorKind>,
    /// Whether text was dropped.
    has_lost: bool,
}

impl OutputQueue {
    /// The queue for the process's own streams. `closed` is cancelled when standard output accepts
    /// no more.
    pub fn standard(closed: CancellationToken) -> Self {
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()), closed)
    }

    fn new(stdout: Descriptor, stderr: Descriptor, closed: CancellationToken) -> Self {
        let shared = SharedQueue {
            state: Mutex::default(),
            work: [Condvar::new(), Condvar::new()],
            moved: Condvar::new(),
            descriptors: [stdout, stderr],
            closed,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Writes to one of the streams through the queue. Its `flush` does nothing: see
    /// [`OutputQueue::flush`].
    pub fn writer(self: &Arc<Self>, target: Target) -> impl io::Write + Send + use<> {
        Writer { queue: self.clone(), target }
    }

    /// Puts `bytes` into the queue; waits until they fit.
    ///
    /// # Errors
    /// The error that broke the stream, at this or an earlier text.
    pub fn push(&self, target: Target, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.shared.state.lock();
        if state.threads == Threads::NotNeeded {
            state.threads =
                if self.start_threads().is_ok() { Threads::Running } else { Threads::Unavailable };
        }
        if state.threads == Threads::Unavailable {
            drop(state);
            return self.shared.write_all(target, bytes).map_err(io::Error::from);
        }
        while state.streams[target as usize].failure.is_none()
            && state.streams[target as usize].waiting >= CAPACITY
        {
            let is_given_up;
            (state, is_given_up) = self.shared.wait(state, target);
            if is_given_up {
                state.streams[target as usize].has_lost = true;
                return Ok(());
            }
        }
        if let Some(kind) = state.streams[target as usize].failure {
            return Err(kind.into());
        }
        state.streams[target as usize].waiting += bytes.len();
        match state.pieces.back_mut() {
            Some((last, piece)) if *last == target => piece.extend_from_slice(bytes),
            _ => state.pieces.push_back((target, bytes.to_vec())),
        }
        self.shared.work[target as usize].notify_one();
        Ok(())
    }

    /// Waits until everything is written. After a signal, waits only for streams that accept text.
    pub fn flush(&self) {
        for target in Target::BOTH {
            let mut state = self.shared.state.lock();
            let mut is_given_up = false;
            while state.streams[target as usize].waiting > 0 && !is_given_up {
                (state, is_given_up) = self.shared.wait(state, target);
            }
            state.streams[target as usize].has_lost |= is_given_up;
        }
    }

    /// Waits a moment for everything to be written, before the process exits.
    pub fn flush_briefly(&self) {
        let is_waiting = |state: &mut State| {
            state.streams.iter().any(|stream| stream.waiting > 0 && !stream.is_stuck)
        };
        // Ignores the result, because a timeout changes nothing.
        self.shared.moved.wait_while_for(&mut self.shared.state.lock(), is_waiting, STALL);
    }

    /// From now on, stops waiting for a stream that accepts nothing.
    pub fn hurry(&self) {
        self.shared.state.lock().is_hurried = true;
        self.shared.moved.notify_all();
    }

    /// Ends [`OutputQueue::hurry`] after the signal was handled. Writes wait for readers again.
    pub fn calm(&self) {
        let mut state = self.shared.state.lock();
        state.is_hurried = false;
        state.streams.iter_mut().for_each(|stream| stream.is_stuck = false);
    }

    /// Whether so much text waits that the next drawing of the live display should be skipped.
    pub fn is_behind(&self, target: Target) -> bool {
        self.shared.state.lock().streams[target as usize].waiting > CAPACITY / 16
    }

    /// The error that broke a stream, if there is one.
    pub fn failure(&self, target: Target) -> Option<io::ErrorKind> {
        self.shared.state.lock().streams[target as usize].failure
    }

    /// Whether text was dropped after a signal, because the reader had stopped.
    pub fn has_lost_text(&self) -> bool {
        self.shared.state.lock().streams.iter().any(|stream| stream.has_lost)
    }

    fn start_threads(&self) -> io::Result<()> {
        for target in Target::BOTH {
            let shared = self.shared.clone();
            let name = if target == Target::Stdout { "stdout" } else { "stderr" };
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || shared.write_pieces(target))?;
        }
        Ok(())
    }
}

impl Drop for OutputQueue {
    fn drop(&mut self) {
        self.shared.state.lock().is_over = true;
        self.shared.wake_writers();
    }
}

struct Writer {
    queue: Arc<OutputQueue>,
    target: Target,
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.queue.push(self.target, bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl State {
    /// The next bytes for the stream's thread.
    fn take(&mut self, target: Target) -> Option<Vec<u8>> {
        let at = self.pieces.iter().position(|(of, _)| *of == target)?;
        let other = &self.streams[target.other() as usize];
        if (at > 0 || other.is_writing) && !other.is_stuck {
            return None;
        }
        let (_, piece) = self.pieces.remove(at)?;
        self.streams[target as usize].is_writing = true;
        Some(piece)
    }

    /// Gives up the streams with a pending write that accept nothing. Returns whether one of them
    /// was not given up before.
    fn give_up(&mut self) -> bool {
        let stuck = self.streams.iter_mut().filter(|stream| stream.is_writing && !stream.is_stuck);
        stuck.map(|stream| stream.is_stuck = true).count() > 0
    }
}

impl SharedQueue {
    fn wake_writers(&self) {
        for work in &self.work {
            work.notify_all();
        }
    }

    /// Waits until something was written. Returns whether the stream is given up.
    fn wait<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        target: Target,
    ) -> (MutexGuard<'a, State>, bool) {
        if !state.is_hurried {
            self.moved.wait(&mut state);
            return (state, false);
        }
        if state.streams[target as usize].is_stuck {
            return (state, true);
        }
        let before = state.progress;
        let timeout = self.moved.wait_for(&mut state, STALL);
        if timeout.timed_out() && state.progress == before && state.give_up() {
            // The other stream no longer has to wait for this one.
            self.wake_writers();
        }
        let is_stuck = state.streams[target as usize].is_stuck;
        (state, is_stuck)
    }

    /// The main loop of a stream's thread.
    fn write_pieces(&self, target: Target) {
        let mut state = self.state.lock();
        loop {
            let Some(piece) = state.take(target) else {
                if state.is_over {
                    return;
                }
                self.work[target as usize].wait(&mut state);
                continue;
            };
            drop(state);
            let written = self.write_all(target, &piece);
            if written.is_err() && target == Target::Stdout {
                self.closed.cancel();
            }
            state = self.state.lock();
            let stream = &mut state.streams[target as usize];
            stream.is_writing = false;
            if let Err(kind) = written {
                stream.failure = Some(kind);
                stream.waiting = 0;
                state.pieces.retain(|(of, _)| *of != target);
            }
            self.moved.notify_all();
            self.work[target.other() as usize].notify_all();
        }
    }

    fn write_all(&self, target: Target, bytes: &[u8]) -> Result<(), io::ErrorKind> {
        let descriptor = &*self.descriptors[target as usize];
        for mut chunk in bytes.chunks(CHUNK) {
            while !chunk.is_empty() {
                match rustix::io::write(descriptor, chunk) {
                    Ok(count) => {
                        chunk = &chunk[count..];
                        self.note_progress(target, count);
                    }
                    Err(Errno::INTR) => {}
                    // Another program made the shared terminal or pipe non-blocking.
                    Err(Errno::AGAIN) => {
                        let _ = poll(
                            &mut [PollFd::from_borrowed_fd(descriptor.as_fd(), PollFlags::OUT)],
                            None,
                        );
                    }
                    Err(error) => return Err(error.kind()),
                }
            }
        }
        Ok(())
    }

    fn note_progress(&self, target: Target, count: usize) {
        let mut state = self.state.lock();
        state.progress += 1;
        let stream = &mut state.streams[target as usize];
        stream.is_stuck = false;
        stream.waiting = stream.waiting.saturating_sub(count);
        self.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read};
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(20);
    const BYTES: usize = 1_000_000;

    struct Pipes {
        queue: Arc<OutputQueue>,
        closed: CancellationToken,
        stdout: PipeReader,
        stderr: PipeReader,
    }

    fn pipes() -> Pipes {
        let (stdout, to_stdout) = io::pipe().unwrap();
        let (stderr, to_stderr) = io::pipe().unwrap();
        let closed = CancellationToken::new();
        let queue =
            Arc::new(OutputQueue::new(Box::new(to_stdout), Box::new(to_stderr), closed.clone()));
        Pipes { queue, closed, stdout, stderr }
    }

    /// Both streams use one pipe.
    fn joined() -> (Arc<OutputQueue>, PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        let other = writer.try_clone().unwrap();
        (
            Arc::new(OutputQueue::new(Box::new(writer), Box::new(other), CancellationToken::new())),
            reader,
        )
    }

    /// Runs `work` on a new thread. Returns a receiver for its result.
    fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
        let (done, end) = channel();
        std::thread::Builder::new().spawn(move || done.send(work())).unwrap();
        end
    }

    /// Prints until a push fails or this much was pushed.
    fn flood(queue: &Arc<OutputQueue>, target: Target, bytes: usize) -> Receiver<io::Result<()>> {
        let queue = queue.clone();
        beside(move || (0..bytes / 1_000).try_for_each(|_| queue.push(target, &[b'x'; 1_000])))
    }

    /// Waits for a condition that becomes true soon.
    fn until(queue: &OutputQueue, is_so: impl Fn(&State) -> bool) {
        for _ in 0..20_000 {
            let mut state = queue.shared.state.lock();
            if is_so(&state) {
                return;
            }
            queue.shared.moved.wait_for(&mut state, Duration::from_millis(1));
        }
        panic!("it does not happen");
    }

    /// Waits until the stream accepts no more.
    fn until_full(queue: &OutputQueue, target: Target) {
        until(queue, |state| state.streams[target as usize].waiting >= CAPACITY);
    }

    #[test]
    fn text_of_both_streams_keeps_its_order_on_a_pipe_that_is_both() {
        let (queue, mut reader) = joined();
        let mut expected = String::new();
        for number in 0..2_000 {
            let text = format!("{number}\n");
            let target = if number % 3 == 0 { Target::Stderr } else { Target::Stdout };
            queue.push(target, text.as_bytes()).unwrap();
            expected.push_str(&text);
        }
        queue.flush();
        drop(queue);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, expected);
    }

    #[test]
    fn a_stopped_reader_blocks_printing_code_and_loses_no_text() {
        let Pipes { queue, mut stdout, .. } = pipes();
        let end = flood(&queue, Target::Stdout, BYTES);
        until_full(&queue, Target::Stdout);
        assert!(end.try_recv().is_err(), "more was taken than the queue holds");
        let read = beside(move || {
            let mut bytes = vec![0; BYTES];
            stdout.read_exact(&mut bytes).map(|()| bytes.iter().all(|byte| *byte == b'x'))
        });
        end.recv_timeout(DEADLINE).unwrap().unwrap();
        queue.flush();
        assert!(read.recv_timeout(DEADLINE).unwrap().unwrap());
        assert!(!queue.has_lost_text());
    }

    #[test]
    fn after_a_signal_printing_does_not_wait_for_a_stopped_reader() {
        let Pipes { queue, stdout, .. } = pipes();
        let end = flood(&queue, Target::Stdout, 10_000_000);
        until_full(&queue, Target::Stdout);
        queue.hurry();
        end.recv_timeout(DEADLINE).unwrap().unwrap();
        let queue_at_end = queue.clone();
        beside(move || queue_at_end.flush()).recv_timeout(DEADLINE).unwrap();
        assert!(queue.has_lost_text());
        drop(stdout);
    }

    #[test]
    fn a_signal_ends_a_wait_for_the_last_text_to_be_written() {
        let Pipes { queue, stderr, .. } = pipes();
        queue.push(Target::Stderr, &vec![b'x'; 100_000]).unwrap();
        let at_end = queue.clone();
        let end = beside(move || at_end.flush());
        until(&queue, |state| state.progress >= 3);
        assert!(end.try_recv().is_err());
        queue.hurry();
        end.recv_timeout(DEADLINE).unwrap();
        drop(stderr);
    }

    #[test]
    fn after_a_signal_standard_error_does_not_wait_for_standard_output() {
        let Pipes { queue, stdout, mut stderr, .. } = pipes();
        let end = flood(&queue, Target::Stdout, 1_000_000);
        until_full(&queue, Target::Stdout);
        queue.push(Target::Stderr, b"interrupted\n").unwrap();
        queue.hurry();
        let said = beside(move || {
            let mut bytes = [0; 12];
            stderr.read_exact(&mut bytes).map(|()| bytes)
        });
        assert_eq!(&said.recv_timeout(DEADLINE).unwrap().unwrap(), b"interrupted\n");
        end.recv_timeout(DEADLINE).unwrap().unwrap();
        drop(stdout);
    }

    #[test]
    fn after_a_signal_an_active_reader_loses_no_text() {
        let Pipes { queue, mut stdout, .. } = pipes();
        queue.hurry();
        let read = beside(move || {
            let mut bytes = Vec::new();
            stdout.read_to_end(&mut bytes).map(|_| bytes.len())
        });
        flood(&queue, Target::Stdout, 1_000_000).recv_timeout(DEADLINE).unwrap().unwrap();
        queue.flush();
        assert!(!queue.has_lost_text());
        drop(queue);
        assert_eq!(read.recv_timeout(DEADLINE).unwrap().unwrap(), 1_000_000);
    }

    #[test]
    fn a_closed_reader_ends_the_wait_and_is_reported() {
        let Pipes { queue, closed, stdout, .. } = pipes();
        let end = flood(&queue, Target::Stdout, 10_000_000);
        until_full(&queue, Target::Stdout);
        drop(stdout);
        assert_eq!(
            end.recv_timeout(DEADLINE).unwrap().unwrap_err().kind(),
            io::ErrorKind::BrokenPipe
        );
        queue.flush();
        assert!(closed.is_cancelled());
        assert_eq!(queue.failure(Target::Stdout), Some(io::ErrorKind::BrokenPipe));
        assert_eq!(queue.failure(Target::Stderr), None);
    }

    #[test]
    fn a_pipe_that_another_program_made_non_blocking_is_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let queue = Arc::new(OutputQueue::new(
            Box::new(writer),
            Box::new(io::stderr()),
            CancellationToken::new(),
        ));
        let end = flood(&queue, Target::Stdout, 1_000_000);
        until_full(&queue, Target::Stdout);
        let read = beside(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map(|_| bytes.len())
        });
        end.recv_timeout(DEADLINE).unwrap().unwrap();
        queue.flush();
        drop(queue);
        assert_eq!(read.recv_timeout(DEADLINE).unwrap().unwrap(), 1_000_000);
    }
}
