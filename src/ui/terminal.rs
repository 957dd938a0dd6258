//! Standard output and standard error: whole lines, masked, with colours only if wanted.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::live_region::{LiveRegion, TerminalSize};
use super::output_queue::{OutputQueue, Target};
use crate::model::secret::Secrets;
use crate::model::visible::{escaped_json, visible, visible_styled};

/// A failure.
pub const FAILURE: Style = AnsiColor::BrightRed.on_default().bold();
/// A warning.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// A success.
pub const SUCCESS: Style = AnsiColor::Green.on_default();
/// The subject of a line.
pub const SUBJECT: Style = Style::new().bold();
/// Running work.
pub const MOTION: Style = AnsiColor::Cyan.on_default();
/// Secondary text.
pub const ASIDE: Style = Style::new().dimmed();

/// `text` in `style`; the terminal removes the style if it has no colours.
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A destination of lines.
pub struct Stream {
    pub writer: Box<dyn Write + Send>,
    pub colour: bool,
}

/// Both output streams of the process. Text that is printed here directly is masked. The consumers
/// of events in `ui` have masked events, and use the methods `masked_…`. Lines of several threads
/// never mix.
pub struct Terminal {
    streams: Mutex<Streams>,
    secrets: Arc<Secrets>,
    width: Option<usize>,
    /// Set if standard error is a terminal that can be drawn on.
    screen: Option<Screen>,
    closed: CancellationToken,
    /// The queue for the process's own streams.
    queue: Option<Arc<OutputQueue>>,
}

/// A terminal that can be drawn on.
pub struct Screen {
    /// Its size now.
    pub size: Box<dyn Fn() -> TerminalSize + Send + Sync>,
    /// Whether standard output may be the same terminal.
    pub shared: bool,
}

struct Streams {
    stdout: Stream,
    stderr: Stream,
    /// Why standard output failed, until it was reported. A reader that has gone does not count.
    failure: Option<io::Error>,
    has_failed: bool,
    live_region: LiveRegion,
}

impl Terminal {
    /// The process's own streams. Respects `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and `TERM`.
    pub fn standard(secrets: Arc<Secrets>) -> Self {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let screen = stderr
            .is_terminal()
            .then(|| Screen { size: Box::new(size_of_stderr), shared: stdout.is_terminal() });
        let width = if stdout.is_terminal() {
            terminal_size::terminal_size_of(&stdout)
                .map(|(width, _)| usize::from(width.0))
                .filter(|width| *width > 0)
        } else {
            None
        };
        let colour = |choice| choice != anstream::ColorChoice::Never;
        let stdout_colour = colour(anstream::AutoStream::choice(&stdout));
        let stderr_colour = colour(anstream::AutoStream::choice(&stderr));
        let closed = CancellationToken::new();
        let queue = Arc::new(OutputQueue::standard(closed.clone()));
        let terminal = Self::new(
            Stream { writer: Box::new(queue.writer(Target::Stdout)), colour: stdout_colour },
            Stream { writer: Box::new(queue.writer(Target::Stderr)), colour: stderr_colour },
            width,
            secrets,
        );
        Self { screen, closed, queue: Some(queue), ..terminal }
    }

    /// A terminal with another destination. `width`: the number of columns, if lines should be
    /// fitted to it.
    pub fn new(
        stdout: Stream,
        stderr: Stream,
        width: Option<usize>,
        secrets: Arc<Secrets>,
    ) -> Self {
        let streams = Mutex::new(Streams {
            stdout,
            stderr,
            failure: None,
            has_failed: false,
            live_region: LiveRegion::default(),
        });
        Self {
            streams,
            secrets,
            width,
            screen: None,
            closed: CancellationToken::new(),
            queue: None,
        }
    }

    /// The same, with a drawable terminal as standard error.
    #[must_use]
    pub fn drawing_on(mut self, screen: Option<Screen>) -> Self {
        self.screen = screen;
        self
    }

    /// The current size of the terminal of standard error; `None` if it is not a terminal.
    pub fn size(&self) -> Option<TerminalSize> {
        self.screen.as_ref().map(|screen| (screen.size)())
    }

    /// Shows these lines below all other output, in place of the former ones; each is shorter than
    /// the width of the terminal. A terminal that is behind (stopped with Ctrl-S) shows them later,
    /// with the next ones.
    pub fn show(&self, lines: &[String]) {
        let mut streams = self.streams.lock();
        let colour = streams.stderr.colour;
        let lines = lines.iter().map(|line| self.masked(line, colour)).collect();
        self.draw(&mut streams, lines);
    }

    /// The same for masked lines.
    pub(super) fn masked_show(&self, lines: &[String]) {
        let mut streams = self.streams.lock();
        let lines = prepared_lines(lines, streams.stderr.colour);
        self.draw(&mut streams, lines);
    }

    /// The same, but if another thread is just writing, the lines are shown with the next ones:
    /// this never waits.
    pub(super) fn masked_show_if_free(&self, lines: &[String]) {
        if let Some(mut streams) = self.streams.try_lock() {
            let lines = prepared_lines(lines, streams.stderr.colour);
            self.draw(&mut streams, lines);
        }
    }

    fn draw(&self, streams: &mut Streams, lines: Vec<String>) {
        streams.live_region.set(lines);
        if self.queue.as_ref().is_none_or(|queue| !queue.is_behind(Target::Stderr)) {
            let drawing = streams.live_region.draw(self.columns());
            send(&mut streams.stderr, &drawing);
        }
    }

    /// Removes the shown lines.
    pub fn clear(&self) {
        self.masked_leave(&[]);
    }

    /// Writes these masked lines in place of the shown ones, permanently.
    pub(super) fn masked_leave(&self, lines: &[String]) {
        let mut streams = self.streams.lock();
        let mut text = format!(
            "{}{}",
            streams.live_region.line_end(),
            streams.live_region.erase(self.columns())
        );
        streams.live_region.set(Vec::new());
        for line in lines {
            text.push_str(&prepared(line, streams.stderr.colour));
            text.push('\n');
        }
        send(&mut streams.stderr, &text);
    }

    /// Leaves the shown lines as they are, with the cursor below them; they are no longer updated.
    /// Does nothing if another thread is writing: this is for a process that exits at once and must
    /// not wait.
    pub fn keep_if_free(&self) {
        let Some(mut streams) = self.streams.try_lock() else { return };
        if self.queue.as_ref().is_some_and(|queue| queue.is_behind(Target::Stderr)) {
            return;
        }
        let drawing = format!(
            "{}{}",
            streams.live_region.line_end(),
            streams.live_region.draw(self.columns())
        );
        send(&mut streams.stderr, &drawing);
        streams.live_region = LiveRegion::default();
    }

    /// Call this after a signal. From now on a stopped reader blocks no thread, and text that it
    /// doesn't accept is dropped.
    pub fn hurry(&self) {
        if let Some(queue) = &self.queue {
            queue.hurry();
        }
    }

    /// The signal was handled: writes wait for readers again.
    pub fn calm(&self) {
        if let Some(queue) = &self.queue {
            queue.calm();
        }
    }

    /// Whether text was dropped after a signal.
    pub fn has_lost_text(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.has_lost_text())
    }

    /// Waits until all output is written: before another program writes to the terminal, or the
    /// process ends.
    pub fn flush(&self) {
        if let Some(queue) = &self.queue {
            queue.flush();
        }
    }

    /// The same, but waits only a moment, because the process exits at once.
    pub fn flush_briefly(&self) {
        if let Some(queue) = &self.queue {
            queue.flush_briefly();
        }
    }

    /// Writes a question without a line end. Names in it may be anybody's: control characters are
    /// shown, not sent.
    pub fn ask(&self, question: &str) {
        send(&mut self.streams.lock().stderr, &visible(&self.secrets.mask(question)));
    }

    /// While a question is shown, nothing else is drawn in its place.
    pub fn hold(&self) {
        let mut streams = self.streams.lock();
        let erasing = streams.live_region.hold(self.columns());
        send(&mut streams.stderr, &erasing);
    }

    /// The question was answered, or cancelled. In the second case its line has no end yet.
    pub fn release(&self, answered: bool) {
        let mut streams = self.streams.lock();
        let drawing = streams.live_region.release(answered, self.columns());
        send(&mut streams.stderr, &drawing);
    }

    fn columns(&self) -> usize {
        self.size().map_or(usize::MAX, |size| size.columns)
    }

    /// The number of columns of standard output, if it is a terminal.
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether standard output is coloured.
    pub fn has_colour(&self) -> bool {
        self.streams.lock().stdout.colour
    }

    /// The secrets that are masked in all output.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Writes `text` and a line end to standard output: results.
    pub fn out(&self, text: &str) {
        let mut streams = self.streams.lock();
        let text = self.masked(text, streams.stdout.colour);
        self.write_out(&mut streams, &text);
    }

    /// The same for a masked text.
    pub(super) fn masked_out(&self, text: &str) {
        let mut streams = self.streams.lock();
        let text = prepared(text, streams.stdout.colour);
        self.write_out(&mut streams, &text);
    }

    /// The same for a masked line of JSON. Invisible characters are escaped as `\u…`.
    pub(super) fn masked_data(&self, json: &str) {
        self.write_out(&mut self.streams.lock(), &escaped_json(json));
    }

    fn write_out(&self, streams: &mut Streams, text: &str) {
        if self.closed.is_cancelled() {
            return;
        }
        let above = self.screen.as_ref().is_some_and(|screen| screen.shared);
        if above {
            let clearing = format!(
                "{}{}",
                streams.live_region.line_end(),
                streams.live_region.erase(self.columns())
            );
            send(&mut streams.stderr, &clearing);
        }
        let written = write_line(&mut streams.stdout, text);
        if above {
            let drawing = streams.live_region.draw(self.columns());
            send(&mut streams.stderr, &drawing);
        }
        if let Err(error) = written {
            self.note_failure(streams, error);
        }
    }

    /// Writes `text` and a line end to standard error: progress and messages. Failures are ignored.
    pub fn err(&self, text: &str) {
        let mut streams = self.streams.lock();
        let text = self.masked(text, streams.stderr.colour);
        self.write_err(&mut streams, &text);
    }

    /// The same for a masked text.
    pub(super) fn masked_err(&self, text: &str) {
        let mut streams = self.streams.lock();
        let text = prepared(text, streams.stderr.colour);
        self.write_err(&mut streams, &text);
    }

    fn write_err(&self, streams: &mut Streams, text: &str) {
        let columns = self.columns();
        let (end, erasing, drawing) = (
            streams.live_region.line_end(),
            streams.live_region.erase(columns),
            streams.live_region.draw(columns),
        );
        send(&mut streams.stderr, &format!("{end}{erasing}{text}\n{drawing}"));
    }

    /// The same for code that may run while its own thread holds the lock; then nothing is written,
    /// and the result is false. For the report of a panic.
    pub fn err_if_free(&self, text: &str) -> bool {
        let Some(mut streams) = self.streams.try_lock() else { return false };
        let text = self.masked(text, streams.stderr.colour);
        self.write_err(&mut streams, &text);
        true
    }

    /// Cancelled when standard output accepts no more, as in `spc logs | head`: code that only
    /// prints should end.
    pub fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// Waits until all output is written. Returns why standard output failed (the disk is full),
    /// unless it was already reported. A reader that has gone is no failure.
    pub fn finish(&self) -> io::Result<()> {
        self.flush();
        let mut streams = self.streams.lock();
        let broken = self.queue.as_ref().and_then(|queue| queue.failure(Target::Stdout));
        if let Some(kind) = broken {
            self.note_failure(&mut streams, kind.into());
        }
        streams.failure.take().map_or(Ok(()), Err)
    }

    /// Records that standard output accepts no more text.
    fn note_failure(&self, streams: &mut Streams, error: io::Error) {
        if !streams.has_failed && error.kind() != io::ErrorKind::BrokenPipe {
            streams.failure = Some(error);
        }
        streams.has_failed = true;
        self.closed.cancel();
    }

    fn masked(&self, text: &str, colour: bool) -> String {
        let masked = prepared(&self.secrets.mask(text), colour);
        // Again, because a style may have been inside a value.
        if colour { masked } else { self.secrets.mask(&masked) }
    }
}

/// A masked text before it is written. Outside text should already be visible text here. If that
/// was forgotten, this still lets only colours through, and only if they are wanted.
fn prepared(text: &str, colour: bool) -> String {
    let shown = visible_styled(text);
    if colour { shown.into_owned() } else { anstream::adapter::strip_str(&shown).to_string() }
}

fn prepared_lines(lines: &[String], colour: bool) -> Vec<String> {
    lines.iter().map(|line| prepared(line, colour)).collect()
}

/// Writes to a stream. Ignores failures of standard error, because they can't be reported anywhere.
fn send(stream: &mut Stream, text: &str) {
    if !text.is_empty() {
        let _ = stream.writer.write_all(text.as_bytes()).and_then(|()| stream.writer.flush());
    }
}

/// A terminal that doesn't know its size counts as one with 80 columns and 24 rows.
fn size_of_stderr() -> TerminalSize {
    let known = terminal_size::terminal_size_of(io::stderr())
        .map(|(width, height)| (usize::from(width.0), usize::from(height.0)));
    let (columns, rows) =
        known.filter(|(columns, rows)| *columns > 0 && *rows > 0).unwrap_or((80, 24));
    TerminalSize { columns, rows }
}

fn write_line(stream: &mut Stream, text: &str) -> io::Result<()> {
    let mut line = Vec::with_capacity(text.len() + 1);
    line.extend_from_slice(text.as_bytes());
    line.push(b'\n');
    stream.writer.write_all(&line)?;
    stream.writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture::CapturedTerminal;
    use similar_asserts::assert_eq;

    /// A reader that has gone, or a full disk.
    struct BrokenStream(io::ErrorKind);

    impl Write for BrokenStream {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn broken(kind: io::ErrorKind) -> Terminal {
        let stream = |kind| Stream { writer: Box::new(BrokenStream(kind)), colour: false };
        Terminal::new(stream(kind), stream(kind), None, Arc::new(Secrets::new()))
    }

    #[test]
    fn styles_are_taken_out_where_there_is_no_colour() {
        let plain = CapturedTerminal::plain();
        plain.terminal.out(&styled(FAILURE, "failed"));
        assert_eq!(plain.stdout(), "failed\n");
        let coloured = CapturedTerminal::coloured();
        coloured.terminal.err(&styled(SUBJECT, "db"));
        assert_eq!(coloured.stderr(), "\u{1b}[1mdb\u{1b}[0m\n");
    }

    #[test]
    fn a_secret_is_masked_whoever_prints_it() {
        let captured = CapturedTerminal::plain();
        captured.secrets.add("db_password", "token", "correct horse");
        captured.terminal.out("the password is correct horse");
        captured.terminal.err("and again: correct horse");
        assert_eq!(captured.stdout(), "the password is [secret db_password]\n");
        assert_eq!(captured.stderr(), "and again: [secret db_password]\n");
    }

    #[test]
    fn a_panic_message_is_masked_and_waits_for_no_lock() {
        let captured = CapturedTerminal::plain();
        captured.secrets.add("db_password", "token", "correct horse");
        captured.terminal.err_if_free("spc panicked: no \u{1b}[2J\"correct horse\"");
        let held = captured.terminal.streams.lock();
        captured.terminal.err_if_free("never");
        drop(held);
        assert_eq!(captured.stderr(), "spc panicked: no \u{241b}[2J\"[secret db_password]\"\n");
    }

    #[test]
    fn a_reader_that_has_gone_is_a_quiet_end() {
        let terminal = broken(io::ErrorKind::BrokenPipe);
        terminal.out("one");
        terminal.out("two");
        terminal.err("three");
        assert!(terminal.closed().is_cancelled());
        assert!(terminal.finish().is_ok());
    }

    #[test]
    fn a_full_disk_is_reported() {
        let terminal = broken(io::ErrorKind::StorageFull);
        terminal.out("one");
        assert_eq!(terminal.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn lines_of_several_threads_never_mix() {
        let captured = CapturedTerminal::plain();
        std::thread::scope(|scope| {
            for name in ["a", "b", "c", "d"] {
                let terminal = &captured.terminal;
                scope.spawn(move || (0..200).for_each(|_| terminal.out(&name.repeat(50))));
            }
        });
        let text = captured.stdout();
        assert_eq!(text.lines().count(), 800);
        for line in text.lines() {
            assert_eq!(line, line[..1].repeat(50));
        }
    }
}
