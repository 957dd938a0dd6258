//! Chunks of output → lines.

/// A line longer than this is passed on in pieces, so that output without line ends can't fill the memory.
const LONGEST_LINE: usize = 64 << 10;

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
            if piece.ends_with(b"\n") {
                lines.push(self.take(self.unfinished.len()));
            }
            while self.unfinished.len() > LONGEST_LINE {
                lines.push(self.take(character_boundary(&self.unfinished, LONGEST_LINE)));
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
