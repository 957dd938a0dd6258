//! Turns messages of a log, with the engine's times, into whole lines.
//!
//! The engine puts a time before each message. Without a terminal, each chunk is a message. The
//! messages of a terminal follow each other without a separator. So the time of the next message
//! may be in the middle of a line: after a part of [`LOG_PART`] bytes, or after the last output of
//! an earlier start that did not end with a line feed.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt};

use crate::engine::{EngineError, LOG_PART, OutputChunk, OutputKind, OutputStream};
use crate::model::lines::Lines;
use crate::model::secret::Secrets;

/// A line, and the time at which the engine got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedLine {
    pub time: DateTime<Utc>,
    pub kind: OutputKind,
    pub text: String,
}

/// Bytes of a time with nanoseconds, and the space after it.
const STAMP: usize = "2026-01-02T03:04:05.000000000Z ".len();

/// The time at the beginning of `bytes`.
fn stamp(bytes: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(bytes.get(..STAMP)?).ok()?.strip_suffix("Z ")?;
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    DateTime::parse_from_rfc3339(&format!("{text}Z")).ok().map(|time| time.to_utc())
}

/// Turns chunks into lines. Each stream of a log needs its own.
#[derive(Default)]
pub struct Reader {
    terminal: Option<Terminal>,
    time: DateTime<Utc>,
    /// Standard output and standard error, each with the time of its incomplete line.
    open: [(Lines, Option<DateTime<Utc>>); 2],
    /// The number of messages so far.
    messages: u64,
    /// The secrets that no piece of a long line may split.
    secrets: Arc<Secrets>,
}

impl Reader {
    /// A reader for the log of a container with or without a terminal.
    pub fn new(tty: bool, secrets: Arc<Secrets>) -> Self {
        Self { terminal: tty.then(Terminal::default), secrets, ..Self::default() }
    }

    /// The number of messages so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Takes a chunk and returns the lines that it completes.
    pub fn push(&mut self, chunk: &OutputChunk) -> Vec<TimedLine> {
        let mut lines = Vec::new();
        if let Some(mut terminal) = self.terminal.take() {
            terminal.buffer.extend_from_slice(&chunk.bytes);
            while let Some((time, text)) = terminal.next(false) {
                self.message(chunk.kind, time, &text, &mut lines);
            }
            self.terminal = Some(terminal);
            return lines;
        }
        match stamp(&chunk.bytes) {
            Some(time) => self.message(chunk.kind, Some(time), &chunk.bytes[STAMP..], &mut lines),
            None => self.message(chunk.kind, None, &chunk.bytes, &mut lines),
        }
        lines
    }

    /// At the end of the stream: the lines without a line feed.
    pub fn finish(&mut self) -> Vec<TimedLine> {
        let mut lines = Vec::new();
        if let Some(mut terminal) = self.terminal.take() {
            while let Some((time, text)) = terminal.next(true) {
                self.message(OutputKind::Stdout, time, &text, &mut lines);
            }
        }
        for kind in [OutputKind::Stdout, OutputKind::Stderr] {
            self.flush(kind, &mut lines);
        }
        lines
    }

    fn message(
        &mut self,
        kind: OutputKind,
        time: Option<DateTime<Utc>>,
        text: &[u8],
        lines: &mut Vec<TimedLine>,
    ) {
        let time = time.unwrap_or(self.time);
        self.time = time;
        self.messages += 1;
        // All parts of a line have the same time. Another time means that a process ended in the
        // middle of its last line.
        if self.open[slot(kind)].1.is_some_and(|open| open != time) {
            self.flush(kind, lines);
        }
        let (open, open_time) = &mut self.open[slot(kind)];
        lines.extend(open.push(text, &self.secrets).into_iter().map(|text| TimedLine {
            time,
            kind,
            text,
        }));
        *open_time = (!text.ends_with(b"\n")).then_some(time);
    }

    fn flush(&mut self, kind: OutputKind, lines: &mut Vec<TimedLine>) {
        let (open, open_time) = &mut self.open[slot(kind)];
        if let (Some(text), time) = (open.finish(), open_time.take()) {
            lines.push(TimedLine { time: time.unwrap_or(self.time), kind, text });
        }
    }
}

fn slot(kind: OutputKind) -> usize {
    usize::from(kind == OutputKind::Stderr)
}

/// The raw log of a terminal, split into messages.
#[derive(Debug, Default)]
struct Terminal {
    buffer: Vec<u8>,
}

impl Terminal {
    /// The next complete message, with its time if it has one of its own. At the end of the stream
    /// every message is complete.
    fn next(&mut self, at_end: bool) -> Option<(Option<DateTime<Utc>>, Vec<u8>)> {
        if self.buffer.is_empty() || self.buffer.len() < STAMP && !at_end {
            return None;
        }
        let time = stamp(&self.buffer);
        let begin = if time.is_some() { STAMP } else { 0 };
        let end = Self::end(time, &self.buffer[begin..], at_end)?;
        let text = self.buffer.drain(..begin + end).skip(begin).collect();
        Some((time, text))
    }

    /// The end of the message whose text begins at `body`.
    fn end(time: Option<DateTime<Utc>>, body: &[u8], at_end: bool) -> Option<usize> {
        let first = &body[..body.len().min(LOG_PART)];
        let end = match first.iter().position(|byte| *byte == b'\n') {
            Some(at) => at + 1,
            None if body.len() >= LOG_PART && stamp(&body[LOG_PART..]).is_some() => LOG_PART,
            // Enough bytes to see that no other message begins at the limit, or no more bytes will
            // come.
            None if at_end || body.len() >= LOG_PART + STAMP => body.len(),
            None => return None,
        };
        // If a program prints a time, this is earlier than the time at which the engine gets it.
        let begins_later =
            |at: &usize| stamp(&body[*at..end]).zip(time).is_some_and(|(inner, own)| inner > own);
        Some((1..end).find(begins_later).unwrap_or(end))
    }
}

/// The lines of a log that was requested with times. If the stream fails, the incomplete line is
/// dropped.
pub fn timed_lines(
    stream: OutputStream,
    tty: bool,
    secrets: Arc<Secrets>,
) -> impl Stream<Item = Result<TimedLine, EngineError>> + Send {
    let state = (stream, Reader::new(tty, secrets), VecDeque::new(), false);
    futures::stream::unfold(state, |(mut stream, mut reader, mut ready, mut ended)| async move {
        loop {
            if let Some(line) = ready.pop_front() {
                return Some((line, (stream, reader, ready, ended)));
            }
            if ended {
                return None;
            }
            match stream.next().await {
                Some(Ok(chunk)) => ready.extend(reader.push(&chunk).into_iter().map(Ok)),
                Some(Err(error)) => {
                    ended = true;
                    ready.push_back(Err(error));
                }
                None => {
                    ended = true;
                    ready.extend(reader.finish().into_iter().map(Ok));
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::SecondsFormat;

    fn at(nanos: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_nanos(1_800_000_000_000_000_000 + nanos)
    }

    fn message(nanos: i64, text: &str) -> Vec<u8> {
        format!("{} {text}", at(nanos).to_rfc3339_opts(SecondsFormat::Nanos, true)).into_bytes()
    }

    fn read(tty: bool, chunks: &[&[u8]]) -> Vec<(i64, String)> {
        let mut reader = Reader::new(tty, Arc::default());
        let chunk =
            |bytes: &[u8]| OutputChunk { kind: OutputKind::Stdout, bytes: bytes.to_vec().into() };
        let mut lines: Vec<TimedLine> =
            chunks.iter().flat_map(|bytes| reader.push(&chunk(bytes))).collect();
        lines.extend(reader.finish());
        lines
            .into_iter()
            .map(|line| ((line.time - at(0)).num_nanoseconds().unwrap(), line.text))
            .collect()
    }

    /// Two starts of a container that writes a line of 40,000 bytes, a short one, and last one
    /// without a line feed.
    fn log(end: &str) -> Vec<Vec<u8>> {
        let (part, rest) =
            ("x".repeat(LOG_PART), format!("{}{end}", "x".repeat(40_000 - 2 * LOG_PART)));
        let start = |from: i64| {
            let texts = [(0, part.as_str()), (0, &part), (0, &rest), (1, "short"), (2, "tail")];
            texts.map(|(nanos, text)| {
                message(
                    from + nanos,
                    &if text == "short" { format!("short{end}") } else { text.to_owned() },
                )
            })
        };
        start(0).into_iter().chain(start(1000)).collect()
    }

    fn expected() -> Vec<(i64, String)> {
        let start = |from| {
            [
                (from, "x".repeat(40_000)),
                (from + 1, "short".to_owned()),
                (from + 2, "tail".to_owned()),
            ]
        };
        start(0).into_iter().chain(start(1000)).collect()
    }

    #[test]
    fn parts_of_a_line_are_joined_and_a_last_line_without_a_line_feed_is_one() {
        let log = log("\n");
        let chunks: Vec<&[u8]> = log.iter().map(Vec::as_slice).collect();
        assert_eq!(read(false, &chunks), expected());
    }

    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn a_terminals_log_is_cut_into_the_same_lines_however_its_bytes_come() {
        let bytes = log("\r\n").concat();
        for size in [1, 7, 31, 1000, LOG_PART, 100_000] {
            let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
            assert_eq!(read(true, &chunks), expected(), "{size}");
        }
    }

    #[test]
    fn a_time_that_a_program_prints_is_part_of_its_line() {
        let earlier = at(-5).to_rfc3339_opts(SecondsFormat::Nanos, true);
        let line = format!("asked at {earlier} for it");
        for tty in [true, false] {
            assert_eq!(
                read(tty, &[&message(0, &format!("{line}\n")), &message(1, "next\n")]),
                [(0, line.clone()), (1, "next".into())]
            );
        }
    }

    #[test]
    fn the_parts_of_one_output_are_not_joined_with_the_other() {
        let mut reader = Reader::new(false, Arc::default());
        let mut chunk =
            |kind, bytes: Vec<u8>| reader.push(&OutputChunk { kind, bytes: bytes.into() });
        let part = "x".repeat(LOG_PART);
        assert_eq!(chunk(OutputKind::Stdout, message(0, &part)), []);
        assert_eq!(chunk(OutputKind::Stderr, message(5, "oops\n"))[0].text, "oops");
        assert_eq!(chunk(OutputKind::Stdout, message(0, "end\n"))[0].text, format!("{part}end"));
    }
}
