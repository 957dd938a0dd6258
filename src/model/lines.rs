//! Splits chunks of output into lines.

use super::secret::Secrets;

/// A longer line is passed on in pieces, or cut off. So output without line ends can't fill the
/// memory.
pub const LONGEST_LINE: usize = 64 << 10;

/// spc reads this much more of a long line before it passes a piece on, so that it sees a secret at
/// the end of the piece as a whole.
const LOOK_AHEAD: usize = LONGEST_LINE / 2;

/// Splits a stream into lines, wherever its chunks end. Each stream (standard output, standard
/// error) has its own.
#[derive(Debug, Default)]
pub struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// Without any input yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a chunk and returns the lines that it completes, without their ends (LF or CRLF).
    /// Invalid UTF-8 becomes `�`. A very long line is returned in pieces that split none of
    /// `secrets`, so that each piece can be masked by itself.
    pub fn push(&mut self, chunk: &[u8], secrets: &Secrets) -> Vec<String> {
        let mut lines = Vec::new();
        for line in chunk.split_inclusive(|byte| *byte == b'\n') {
            for part in line.chunks(LONGEST_LINE) {
                self.unfinished.extend_from_slice(part);
                while self.unfinished.len() > LONGEST_LINE + LOOK_AHEAD {
                    lines.push(self.piece(secrets));
                }
            }
            if line.ends_with(b"\n") {
                lines.push(self.take());
            }
        }
        lines
    }

    /// The last line, if the stream ended in the middle of a line.
    pub fn finish(&mut self) -> Option<String> {
        (!self.unfinished.is_empty()).then(|| self.take())
    }

    /// The beginning of a line that is not complete.
    fn piece(&mut self, secrets: &Secrets) -> String {
        let end = whole_characters(&self.unfinished);
        let mut text = String::from_utf8_lossy(&self.unfinished[..end]).into_owned();
        let cut = match secrets.boundary(&text, LONGEST_LINE) {
            0 => text.floor_char_boundary(LONGEST_LINE),
            cut => cut,
        };
        let rest = text.split_off(cut).into_bytes();
        self.unfinished.splice(..end, rest);
        text
    }

    fn take(&mut self) -> String {
        text_of(&std::mem::take(&mut self.unfinished))
    }
}

/// The same for streams that may contain very long lines. A long line is cut off and ends with `…`.
#[derive(Debug, Default)]
pub struct ShortLines {
    unfinished: Vec<u8>,
    /// The beginning of the current line was already passed on.
    is_cut: bool,
}

impl ShortLines {
    /// Takes a chunk and returns the lines that it completes.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for line in chunk.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_cut {
                let room = LONGEST_LINE + 1 - self.unfinished.len();
                self.unfinished.extend_from_slice(&line[..line.len().min(room)]);
            }
            if self.unfinished.len() > LONGEST_LINE {
                let end = character_boundary(&self.unfinished, LONGEST_LINE);
                lines.push(text_of(&self.unfinished[..end]) + CUT);
                self.unfinished.clear();
                self.is_cut = true;
            }
            if line.ends_with(b"\n") && !std::mem::take(&mut self.is_cut) {
                lines.push(text_of(&std::mem::take(&mut self.unfinished)));
            }
        }
        lines
    }

    /// The last line, if the stream ended in the middle of a line.
    pub fn finish(&mut self) -> Option<String> {
        (!self.unfinished.is_empty()).then(|| text_of(&std::mem::take(&mut self.unfinished)))
    }
}

/// Marks that a text was cut off. [`Secrets::mask`] hides the part of a secret beside this mark.
pub const CUT: &str = "…";

/// A line without its line end.
fn text_of(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}

/// The beginning of the last character if its other bytes are still missing, else the end.
fn whole_characters(bytes: &[u8]) -> usize {
    let end = bytes.len();
    let first = (end.saturating_sub(3)..end).rev().find(|at| bytes[*at] & 0xc0 == 0xc0);
    first.filter(|first| bytes[*first].leading_ones() as usize > end - first).unwrap_or(end)
}

/// The last position up to `length` that is not inside a character.
fn character_boundary(bytes: &[u8], length: usize) -> usize {
    let is_inside = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (length.saturating_sub(3)..=length).rev().find(|at| !is_inside(at)).unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn none() -> Secrets {
        Secrets::new()
    }

    #[test]
    fn a_line_split_over_chunks_is_returned_once_and_whole() {
        let mut lines = Lines::new();
        assert_eq!(lines.push(b"one\r\ntw", &none()), ["one"]);
        assert_eq!(lines.push(b"o\n\nthr", &none()), ["two", ""]);
        assert_eq!(lines.finish().unwrap(), "thr");
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn endless_output_without_line_ends_comes_in_pieces() {
        for chunk in [1_000, 1_001, 1 << 20] {
            let mut lines = Lines::new();
            let text = "ö".repeat(500_000);
            let mut pieces: Vec<String> = text
                .as_bytes()
                .chunks(chunk)
                .flat_map(|chunk| lines.push(chunk, &none()))
                .collect();
            pieces.extend(lines.finish());
            assert!(
                pieces.len() > 10
                    && pieces.iter().all(|piece| piece.len() <= LONGEST_LINE + LOOK_AHEAD),
                "{}",
                pieces.len()
            );
            assert_eq!(pieces.concat(), text);
        }
    }

    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn no_piece_ends_inside_a_secret() {
        let secrets = Secrets::new();
        secrets.add("key", "token", "hunter2hunter2");
        for before in (LONGEST_LINE - 20..LONGEST_LINE + 4)
            .chain([2 * LONGEST_LINE - 7, LONGEST_LINE + LOOK_AHEAD - 5])
        {
            for chunk in [1_000, 1 << 20] {
                let mut lines = Lines::new();
                let line =
                    format!("{}hunter2hunter2{}\nnext\n", "x".repeat(before), "y".repeat(100_000));
                let pieces: Vec<String> = line
                    .as_bytes()
                    .chunks(chunk)
                    .flat_map(|chunk| lines.push(chunk, &secrets))
                    .collect();
                let shown: Vec<String> = pieces.iter().map(|piece| secrets.mask(piece)).collect();
                let expected =
                    format!("{}[secret key]{}next", "x".repeat(before), "y".repeat(100_000));
                assert!(shown.concat() == expected, "after {before} by {chunk}");
            }
        }
    }

    #[test]
    fn a_short_line_is_whole_and_a_long_one_ends_with_a_mark() {
        for chunk in [1, 999, 1 << 20] {
            let mut lines = ShortLines::default();
            let exact = "x".repeat(LONGEST_LINE - 1);
            let text = format!("one\r\n{exact}\n{exact}éé\nthree\nfour");
            let mut seen: Vec<String> =
                text.as_bytes().chunks(chunk).flat_map(|chunk| lines.push(chunk)).collect();
            seen.extend(lines.finish());
            assert!(seen == ["one", &exact, &format!("{exact}…"), "three", "four"], "by {chunk}");
        }
    }

    proptest! {
        #[test]
        fn the_cuts_make_no_difference(text in "[aö\n]{0,40}", cut in 0_usize..60) {
            let bytes = text.as_bytes();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let (mut lines, mut short) = (Lines::new(), ShortLines::default());
            let mut seen = lines.push(first, &none());
            seen.extend(lines.push(second, &none()));
            seen.extend(lines.finish());
            prop_assert_eq!(&seen, &text.lines().map(str::to_owned).collect::<Vec<_>>());
            let shortened: Vec<String> = [short.push(first), short.push(second), short.finish().into_iter().collect()].concat();
            prop_assert_eq!(shortened, seen);
        }
    }
}
