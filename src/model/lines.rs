//! Chunks of output → lines.

/// A line longer than this is passed on in pieces, so that output without line ends can't fill the memory.
pub const LONGEST_LINE: usize = 64 << 10;

/// A piece ends before a character that would be cut.
const SHORTEST_PIECE: usize = LONGEST_LINE - 3;

/// Whether a line is so long that it is a piece, and the next line goes on with it.
pub fn is_piece(line: &str) -> bool {
    line.len() >= SHORTEST_PIECE
}

/// Cuts a stream into lines, wherever its chunks were cut. One per stream: standard output and standard error apart.
#[derive(Debug, Default)]
pub struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// Nothing arrived yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a chunk; answers the lines it completes, without their ends (LF or CRLF). Bytes that are no UTF-8 become `�`.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(piece);
            let is_whole = piece.ends_with(b"\n");
            // A whole line is shorter than any piece, so that the two can be told apart.
            let longest = if is_whole { SHORTEST_PIECE } else { LONGEST_LINE };
            while self.unfinished.len() > longest {
                let end = self.unfinished.len() - usize::from(is_whole);
                lines.push(self.take(character_boundary(&self.unfinished, end.min(LONGEST_LINE))));
            }
            if is_whole {
                lines.push(self.take(self.unfinished.len()));
            }
        }
        lines
    }

    /// The last line, if the stream ended in the middle of it.
    pub fn finish(&mut self) -> Option<String> {
        (!self.unfinished.is_empty()).then(|| self.take(self.unfinished.len()))
    }

    fn take(&mut self, length: usize) -> String {
        let line: Vec<u8> = self.unfinished.drain(..length).collect();
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        String::from_utf8_lossy(line).into_owned()
    }
}

/// The last place at or before `length` that is not inside a character.
fn character_boundary(bytes: &[u8], length: usize) -> usize {
    let is_inside = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (length.saturating_sub(3)..=length).rev().find(|at| !is_inside(at)).unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_cut_over_chunks_arrives_once_and_whole() {
        let mut lines = Lines::new();
        assert_eq!(lines.push(b"one\r\ntw"), ["one"]);
        assert_eq!(lines.push(b"o\n\nthr"), ["two", ""]);
        assert_eq!(lines.finish().unwrap(), "thr");
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn endless_output_without_line_ends_comes_in_pieces() {
        let mut lines = Lines::new();
        let pieces = lines.push("ö".repeat(100_000).as_bytes());
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|piece| piece.chars().all(|c| c == 'ö')));
    }

    #[test]
    fn a_piece_and_a_whole_line_are_told_apart_by_their_length() {
        for length in LONGEST_LINE - 10..LONGEST_LINE + 10 {
            for chunk in [1000, 4096, 1 << 20] {
                let mut lines = Lines::new();
                let text = format!("{}\nnext\n", "x".repeat(length));
                let seen: Vec<String> = text.as_bytes().chunks(chunk).flat_map(|chunk| lines.push(chunk)).collect();
                let whole: Vec<String> = seen.split_inclusive(|line| !is_piece(line)).map(<[String]>::concat).collect();
                assert_eq!(whole, ["x".repeat(length), "next".to_owned()], "{length} bytes by {chunk}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_cuts_make_no_difference(text in "[aö\n]{0,40}", cut in 0_usize..60) {
            let bytes = text.as_bytes();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut lines = Lines::new();
            let mut seen = lines.push(first);
            seen.extend(lines.push(second));
            seen.extend(lines.finish());
            prop_assert_eq!(seen, text.lines().map(str::to_owned).collect::<Vec<_>>());
        }
    }
}
