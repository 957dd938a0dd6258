//! Standard output and standard error: whole lines, masked, coloured only where that is wanted.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::json_masking::masked_json;
use super::live_region::{LiveRegion, TerminalSize};
use super::output_queue::{OutputQueue, Target};
use crate::model::secret::Secrets;
use crate::model::visible::{escaped_json, visible_styled};

/// Something failed.
pub const FAILURE: Style = AnsiColor::BrightRed.on_default().bold();
/// Something may be wrong.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Something was done.
pub const SUCCESS: Style = AnsiColor::Green.on_default();
/// What a line is about.
pub const SUBJECT: Style = Style::new().bold();
/// Something is under way.
pub const MOTION: Style = AnsiColor::Cyan.on_default();
/// What may be overlooked.
pub const ASIDE: Style = Style::new().dimmed();

/// `text` in `style`; the terminal takes the style out again where there are no colours.
pub fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A place for lines.
pub struct Stream {
    pub writer: Box<dyn Write + Send>,
    pub colour: bool,
}

/// Both output streams of the process. What is printed here directly is masked; `ui`'s consumers of
/// events, which come masked, write by the methods `masked_…`. Lines of several threads never mix.
pub struct Terminal {
    streams: Mutex<Streams>,
    secrets: Arc<Secrets>,
    width: Option<usize>,
    /// Where standard error is a terminal that can be drawn on.
    screen: Option<Screen>,
    closed: CancellationToken,
    /// What is written to the process's own streams waits here.
    queue: Option<Arc<OutputQueue>>,
}

/// A terminal that can be drawn on.
pub struct Screen {
    /// Its size now.
    pub size: Box<dyn Fn() -> TerminalSize + Send + Sync>,
    /// Whether standard output may be the same one.
    pub shared: bool,
}

struct Streams {
    stdout: Stream,
    stderr: Stream,
    /// How standard output failed, other than by its reader having gone, until it was told.
    failure: Option<io::Error>,
    has_failed: bool,
    live_region: LiveRegion,
}

impl Terminal {
    /// The process's own streams. `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and `TERM` are
    /// respected.
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

    /// A terminal that writes elsewhere. `width`: columns, if lines should be fitted to them.
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

    /// The same with standard error a terminal that can be drawn on.
    #[must_use]
    pub fn drawing_on(mut self, screen: Option<Screen>) -> Self {
        self.screen = screen;
        self
    }

    /// The size of the terminal that standard error is, now; none where it is none.
    pub fn size(&self) -> Option<TerminalSize> {
        self.screen.as_ref().map(|screen| (screen.size)())
    }

    /// Shows these lines under all that is written, in the place of those shown before; each
    /// shorter than the terminal is wide. A terminal that is behind (stopped with Ctrl-S) shows
    /// them later, with the next ones.
    pub fn show(&self, lines: &[String]) {
        let mut streams = self.streams.lock();
        let colour = streams.stderr.colour;
        let lines = lines.iter().map(|line| self.masked(line, colour)).collect();
        self.draw(&mut streams, lines);
    }

    /// The same of masked lines.
    pub(super) fn masked_show(&self, lines: &[String]) {
        let mut streams = self.streams.lock();
        let lines = prepared_lines(lines, streams.stderr.colour);
        self.draw(&mut streams, lines);
    }

    /// The same, not now but with the next ones if another thread is just writing: this never
    /// waits.
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

    /// Takes away what is shown.
    pub fn clear(&self) {
        self.masked_leave(&[]);
    }

    /// Writes these masked lines where lines were shown, to stay.
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

    /// Leaves what is shown as it is, and the cursor under it: it is drawn no more. Nothing is done
    /// while another thread writes: for who has to leave at once, which waits for nothing.
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

    /// A signal came: from now on a reader that stands still holds nobody up, text that it doesn't
    /// take is dropped.
    pub fn hurry(&self) {
        if let Some(queue) = &self.queue {
            queue.hurry();
        }
    }

    /// What the signal was about is over: readers are waited for again.
    pub fn calm(&self) {
        if let Some(queue) = &self.queue {
            queue.calm();
        }
    }

    /// Whether text was dropped after a signal.
    pub fn has_lost_text(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.has_lost_text())
    }

    /// Waits until all that was printed is written: before something else writes to the terminal,
    /// or the process ends.
    pub fn flush(&self) {
        if let Some(queue) = &self.queue {
            queue.flush();
        }
    }

    /// The same, waiting but a moment: the process leaves at once.
    pub fn flush_briefly(&self) {
        if let Some(queue) = &self.queue {
            queue.flush_briefly();
        }
    }

    /// Writes a question as it is, without a line end.
    pub fn ask(&self, question: &str) {
        send(&mut self.streams.lock().stderr, &self.secrets.mask(question));
    }

    /// While a question stands at the terminal nothing is shown in its place.
    pub fn hold(&self) {
        let mut streams = self.streams.lock();
        let erasing = streams.live_region.hold(self.columns());
        send(&mut streams.stderr, &erasing);
    }

    /// The question is answered, or withdrawn: its line has no end yet then.
    pub fn release(&self, answered: bool) {
        let mut streams = self.streams.lock();
        let drawing = streams.live_region.release(answered, self.columns());
        send(&mut streams.stderr, &drawing);
    }

    fn columns(&self) -> usize {
        self.size().map_or(usize::MAX, |size| size.columns)
    }

    /// Columns of standard output, where it is a terminal.
    pub fn width(&self) -> Option<usize> {
        self.width
    }

    /// Whether standard output is coloured.
    pub fn has_colour(&self) -> bool {
        self.streams.lock().stdout.colour
    }

    /// What is hidden in everything that is written.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Writes `text` and a line end to standard output: results.
    pub fn out(&self, text: &str) {
        let mut streams = self.streams.lock();
        let text = self.masked(text, streams.stdout.colour);
        self.write_out(&mut streams, &text);
    }

    /// The same of a masked text.
    pub(super) fn masked_out(&self, text: &str) {
        let mut streams = self.streams.lock();
        let text = prepared(text, streams.stdout.colour);
        self.write_out(&mut streams, &text);
    }

    /// The same for a line of JSON: masked in its texts, and what nobody sees is written `\u…`.
    pub fn data(&self, json: &str) {
        self.masked_data(&masked_json(json, &self.secrets));
    }

    /// The same of a masked line.
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

    /// Writes `text` and a line end to standard error: progress and messages. A failure is of no
    /// consequence.
    pub fn err(&self, text: &str) {
        let mut streams = self.streams.lock();
        let text = self.masked(text, streams.stderr.colour);
        self.write_err(&mut streams, &text);
    }

    /// The same of a masked text.
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

    /// The same where the writing thread itself may hold the lock: then nothing is written. For who
    /// reports a panic.
    pub fn err_if_free(&self, text: &str) {
        if let Some(mut streams) = self.streams.try_lock() {
            let text = self.masked(text, streams.stderr.colour);
            self.write_err(&mut streams, &text);
        }
    }

    /// Cancelled when standard output takes no more, as in `spc logs | head`: what only prints
    /// should end.
    pub fn closed(&self) -> &CancellationToken {
        &self.closed
    }

    /// Waits until all that was printed is written. Why standard output failed (the disk is full),
    /// if it did and that was not told before; a reader that has gone is no failure.
    pub fn finish(&self) -> io::Result<()> {
        self.flush();
        let mut streams = self.streams.lock();
        let broken = self.queue.as_ref().and_then(|queue| queue.failure(Target::Stdout));
        if let Some(kind) = broken {
            self.note_failure(&mut streams, kind.into());
        }
        streams.failure.take().map_or(Ok(()), Err)
    }

    /// Standard output takes no more.
    fn note_failure(&self, streams: &mut Streams, error: io::Error) {
        if !streams.has_failed && error.kind() != io::ErrorKind::BrokenPipe {
            streams.failure = Some(error);
        }
        streams.has_failed = true;
        self.closed.cancel();
    }

    fn masked(&self, text: &str, colour: bool) -> String {
        let masked = prepared(&self.secrets.mask(text), colour);
        // Once more: a style may have stood inside of a value.
        if colour { masked } else { self.secrets.mask(&masked) }
    }
}

/// A masked text as it is written. Whoever writes has shown what is foreign. This holds where that
/// was forgotten: only colours come through, and only where they are wanted.
fn prepared(text: &str, colour: bool) -> String {
    let shown = visible_styled(text);
    if colour { shown.into_owned() } else { anstream::adapter::strip_str(&shown).to_string() }
}

fn prepared_lines(lines: &[String], colour: bool) -> Vec<String> {
    lines.iter().map(|line| prepared(line, colour)).collect()
}

/// Standard error: where nobody reads messages there is nobody to tell either.
fn send(stream: &mut Stream, text: &str) {
    if !text.is_empty() {
        let _ = stream.writer.write_all(text.as_bytes()).and_then(|()| stream.writer.flush());
    }
}

/// A terminal that doesn't know its size is taken for one of 80 columns and 24 rows.
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
    fn what_a_panic_says_is_masked_and_waits_for_no_lock() {
        let captured = CapturedTerminal::plain();
        captured.secrets.add("db_password", "token", "correct horse");
        captured.terminal.err_if_free("spc broke off: no \u{1b}[2J\"correct horse\"");
        let held = captured.terminal.streams.lock();
        captured.terminal.err_if_free("never");
        drop(held);
        assert_eq!(captured.stderr(), "spc broke off: no \u{241b}[2J\"[secret db_password]\"\n");
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
