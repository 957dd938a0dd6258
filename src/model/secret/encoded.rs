//! Finds a value inside base64 or hexadecimal text: its symbols, at any offset in the text, and
//! pieces of them where a line of such text is broken.

use std::collections::HashMap;

use super::spelling::{hex, percent_byte};

/// The kinds of encoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// Six bits per symbol; the common alphabet and the URL alphabet.
    Base64,
    /// Four bits per symbol, in upper and lower case.
    Hex,
}

impl Alphabet {
    const ALL: [Self; 2] = [Self::Base64, Self::Hex];

    const fn bits(self) -> usize {
        match self {
            Self::Base64 => 6,
            Self::Hex => 4,
        }
    }

    /// The symbols of 24 bits. Shorter pieces at the edge of a line are not searched.
    const fn shortest_piece(self) -> usize {
        24 / self.bits()
    }

    fn symbol(self, byte: u8) -> Option<u8> {
        match (self, byte) {
            (Self::Hex, _) => {
                char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
            }
            (Self::Base64, b'A'..=b'Z') => Some(byte - b'A'),
            (Self::Base64, b'a'..=b'z') => Some(byte - b'a' + 26),
            (Self::Base64, b'0'..=b'9') => Some(byte - b'0' + 52),
            (Self::Base64, b'+' | b'-') => Some(62),
            (Self::Base64, b'/' | b'_') => Some(63),
            (Self::Base64, _) => None,
        }
    }

    /// The bytes that represent a symbol.
    fn bytes_of(self, wanted: u8, mask: u8) -> impl Iterator<Item = u8> {
        (0..=u8::MAX)
            .filter(move |byte| self.symbol(*byte).is_some_and(|symbol| symbol & mask == wanted))
    }

    /// The beginning of the next symbol at or after `at`, after separators. `inside`: between the
    /// two symbols of one byte.
    fn skip(self, text: &[u8], mut at: usize, inside: bool) -> usize {
        /// A longer text is not a separator.
        const LONGEST: usize = 256;
        let begin = at;
        while at - begin < LONGEST {
            let rest = &text[at.min(text.len())..];
            let length = match self {
                _ if rest.starts_with(b"\r\n") => line_break(rest, 2),
                _ if rest.starts_with(b"\n") => line_break(rest, 1),
                // Line ends that are escaped or shown as visible signs.
                _ if rest.starts_with(b"\\n") || rest.starts_with(b"\\r") => 2,
                _ if rest.starts_with(b"%0A")
                    || rest.starts_with(b"%0D")
                    || rest.starts_with(b"%0a")
                    || rest.starts_with(b"%0d") =>
                {
                    3
                }
                _ if rest.starts_with("␊".as_bytes()) || rest.starts_with("␍".as_bytes()) => 3,
                // The mark of a shell and others for a line that continues.
                Self::Base64 if rest.starts_with(b"\\\n") || rest.starts_with(b"=\n") => 2,
                Self::Hex if !inside => match rest {
                    [b' ' | b':' | b'-' | b',' | b'\t' | b'_', ..] => 1,
                    [b'0' | b'\\', b'x' | b'X', ..] => 2,
                    _ => 0,
                },
                Self::Base64 | Self::Hex => 0,
            };
            if length == 0 {
                return at;
            }
            at += length;
        }
        at
    }

    /// The symbol at `at`, which may be escaped, and its end.
    fn read(self, text: &[u8], at: usize) -> Option<(u8, usize)> {
        let byte = *text.get(at)?;
        if let Some(symbol) = self.symbol(byte) {
            return Some((symbol, at + 1));
        }
        if self == Self::Hex {
            return None;
        }
        let (code, end) = match byte {
            b'%' => percent_byte(text, at)?,
            b'\\' if text.get(at + 1) == Some(&b'/') => (u32::from(b'/'), at + 2),
            b'\\' if text.get(at + 1) == Some(&b'u') => (hex(text, at + 2, 4)?, at + 6),
            b'&' if text[at..].starts_with(b"&#") => {
                let end = at + text[at..].iter().take(8).position(|byte| *byte == b';')?;
                let digits = std::str::from_utf8(&text[at + 2..end]).ok()?;
                let code = digits
                    .strip_prefix(['x', 'X'])
                    .map_or_else(|| digits.parse(), |digits| u32::from_str_radix(digits, 16));
                (code.ok()?, end + 1)
            }
            _ => return None,
        };
        // Only these two are ever escaped. An escaped letter would belong to the value's own
        // encoding.
        matches!(code, 0x2b | 0x2f)
            .then(|| u8::try_from(code).ok().and_then(|byte| self.symbol(byte)))
            .flatten()
            .map(|symbol| (symbol, end))
    }
}

/// A line end and the indentation of the next line.
fn line_break(rest: &[u8], length: usize) -> usize {
    length + rest[length..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// The symbols of one value that begins at a given bit of a symbol.
#[derive(Debug)]
pub(super) struct EncodedValue {
    alphabet: Alphabet,
    /// For each symbol, a mask of the bits that belong to the value, and these bits.
    symbols: Vec<(u8, u8)>,
    /// The number of symbols before the value, if it has to begin a whole number of groups after
    /// the start of its text. Only set for short values, which would otherwise be found by chance.
    aligned: Option<usize>,
}

impl EncodedValue {
    /// The value in every alphabet and at every offset.
    pub(super) fn all(value: &[u8]) -> Vec<Self> {
        /// From this many bytes on, other text does not contain these symbols by chance.
        const LONG: usize = 5;
        let base64 = (0..3).map(|offset| {
            let first = offset * 8 / 6;
            let symbols = symbols(value, offset, 6);
            Self {
                alphabet: Alphabet::Base64,
                symbols,
                aligned: (value.len() < LONG).then_some(first),
            }
        });
        let hex = Self { alphabet: Alphabet::Hex, symbols: symbols(value, 0, 4), aligned: None };
        base64.chain([hex]).collect()
    }

    /// The number of symbols before the first one that belongs to the value alone. The search uses
    /// that one and the next.
    fn lead(&self) -> usize {
        usize::from(!self.is_whole(0))
    }

    /// The pairs of bytes that the search uses; `None` as the second if it may be any byte.
    pub(super) fn beginnings(&self) -> Vec<(u8, Option<u8>)> {
        let bytes = |at: usize| {
            self.symbols
                .get(at)
                .map(|(mask, wanted)| self.alphabet.bytes_of(*wanted, *mask).collect::<Vec<u8>>())
        };
        let (first, second) =
            (bytes(self.lead()).unwrap_or_default(), bytes(self.lead() + 1).unwrap_or_default());
        let mut pairs: Vec<_> = first
            .iter()
            .flat_map(|first| second.iter().map(|second| (*first, Some(*second))))
            .collect();
        if self.alphabet == Alphabet::Base64 {
            // A line end or an escape may be between them, and the first may be escaped.
            let between = [b'\n', b'\r', b'\\', b'%', b'&', b'=', 0xe2];
            pairs.extend(
                first
                    .iter()
                    .flat_map(|first| between.iter().map(|between| (*first, Some(*between)))),
            );
            if first.iter().any(|byte| matches!(byte, b'+' | b'/')) {
                pairs.extend([b'%', b'\\', b'&'].map(|escape| (escape, None)));
            }
        }
        pairs
    }

    /// The range of the value, if the first symbol that belongs to it alone is at `at`.
    pub(super) fn find_at(&self, text: &[u8], at: usize) -> Option<(usize, usize)> {
        let is_hex = self.alphabet == Alphabet::Hex;
        let lead = self.lead();
        let mut end = at;
        for (index, (mask, wanted)) in self.symbols.iter().enumerate().skip(lead) {
            let is_inside = is_hex && index % 2 == 1;
            let is_next = text.get(end).is_some_and(|byte| self.alphabet.symbol(*byte).is_some());
            if index > lead && (!is_next || is_hex && !is_inside) {
                end = self.alphabet.skip(text, end, is_inside);
            }
            (_, end) =
                self.alphabet.read(text, end).filter(|(symbol, _)| symbol & mask == *wanted)?;
        }
        let start = if lead == 0 { at } else { self.lead_before(text, at)? };
        if self.aligned.is_some_and(|before| !is_aligned(text, start, before)) {
            return None;
        }
        // The padding gives the length of the value.
        let filling =
            text[end..].iter().take(2).take_while(|byte| !is_hex && **byte == b'=').count();
        Some((start, end + filling))
    }

    /// The position of the symbol that the value shares with the bytes before it.
    fn lead_before(&self, text: &[u8], at: usize) -> Option<usize> {
        let text = before_line_end(&text[..at]);
        let (mask, wanted) = self.symbols[0];
        let fits = |(symbol, end): (u8, usize)| symbol & mask == wanted && end == text.len();
        // It may be escaped, as `%2B`, `\\u002b` or `&#x2b;`.
        [1, 2, 3, 5, 6]
            .into_iter()
            .filter_map(|length| text.len().checked_sub(length))
            .find(|start| self.alphabet.read(text, *start).is_some_and(fits))
    }

    fn is_whole(&self, at: usize) -> bool {
        self.symbols
            .get(at)
            .is_some_and(|(mask, _)| mask.count_ones() as usize == self.alphabet.bits())
    }

    /// Whether the symbols of `run` equal those of the value from `from` on, up to the shorter end.
    fn fits(&self, run: &[u8], from: usize) -> bool {
        self.symbols[from..]
            .iter()
            .zip(run)
            .all(|((mask, wanted), symbol)| symbol & mask == *wanted)
    }
}

/// The bits of each symbol of a value that begins `offset` bytes into the encoded text. The bits of
/// its neighbours stay open.
fn symbols(value: &[u8], offset: usize, bits: usize) -> Vec<(u8, u8)> {
    let (begin, end) = (offset * 8, (offset + value.len()) * 8);
    let bit = |at: usize| (value[(at - begin) / 8] >> (7 - at % 8)) & 1;
    (begin / bits..end.div_ceil(bits))
        .map(|symbol| {
            (symbol * bits..(symbol + 1) * bits).fold((0, 0), |(mask, wanted), at| {
                let known = (begin..end).contains(&at);
                (mask << 1 | u8::from(known), wanted << 1 | if known { bit(at) } else { 0 })
            })
        })
        .collect()
}

/// Whether `before` symbols and a whole number of groups of four precede `start` in its text.
fn is_aligned(text: &[u8], start: usize, before: usize) -> bool {
    /// The search goes back at most this far.
    const FARTHEST: usize = 4096;
    let text = &text[start.saturating_sub(FARTHEST)..start];
    let mut rest = text;
    let mut count = 0;
    loop {
        rest = before_line_end(rest);
        match rest.split_last() {
            // These characters are in the alphabet, but are also common separators.
            Some((b'+' | b'/' | b'-' | b'_', _)) if count % 4 == before => return true,
            Some((byte, others)) if Alphabet::Base64.symbol(*byte).is_some() => {
                (rest, count) = (others, count + 1)
            }
            _ => return count % 4 == before,
        }
    }
}

/// The text before a line end that wraps encoded text, in each form of a line end; all of `text` if
/// there is none.
fn before_line_end(text: &[u8]) -> &[u8] {
    let ends: [&[u8]; 10] = [
        b"\n",
        b"\r",
        b"\\n",
        b"\\r",
        b"%0A",
        b"%0a",
        b"%0D",
        b"%0d",
        "␊".as_bytes(),
        "␍".as_bytes(),
    ];
    let mut rest = text.trim_ascii_end();
    if !text[rest.len()..].contains(&b'\n') {
        rest = text;
    }
    while let Some(before) = ends.iter().find_map(|end| rest.strip_suffix(*end)) {
        rest = before;
    }
    rest
}

/// Finds pieces of encoded values in lines. Encoded text is broken into lines, and the lines arrive
/// one by one.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// For each alphabet: 24 bits of whole symbols → the encodings that contain them, with
    /// positions.
    windows: [HashMap<u32, Vec<(EncodedId, usize)>>; 2],
    /// For each alphabet: which of the last bits of those 24 bits occur. Most text fails this quick
    /// check.
    known: [Vec<u64>; 2],
}

/// The number of these last bits.
const KNOWN_BITS: u32 = 15;

/// An encoding: the index of the value, and that of its encoding.
pub(super) type EncodedId = (usize, usize);

/// A piece that was found: the index of the value, and the range.
pub(super) type Piece = (usize, usize, usize);

impl Pieces {
    /// Adds pieces of these encodings, except short ones.
    pub(super) fn add(&mut self, value: usize, encodings: &[EncodedValue]) {
        for (number, encoded) in
            encodings.iter().enumerate().filter(|(_, encoded)| encoded.aligned.is_none())
        {
            let length = encoded.alphabet.shortest_piece();
            for (from, symbols) in encoded.symbols.windows(length).enumerate() {
                if (from..from + length).all(|at| encoded.is_whole(at)) {
                    let window = encoded.alphabet.window(symbols.iter().map(|(_, symbol)| *symbol));
                    self.windows[encoded.alphabet as usize]
                        .entry(window)
                        .or_default()
                        .push(((value, number), from));
                    let known = &mut self.known[encoded.alphabet as usize];
                    known.resize(1 << (KNOWN_BITS - 6), 0);
                    let bit = window & ((1 << KNOWN_BITS) - 1);
                    known[(bit / 64) as usize] |= 1 << (bit % 64);
                }
            }
        }
    }

    /// The pieces in a line that begins `offset` bytes into its text.
    pub(super) fn find<'e>(
        &self,
        line: &[u8],
        offset: usize,
        encoded: impl Fn(EncodedId) -> &'e EncodedValue,
        found: &mut Vec<Piece>,
    ) {
        for alphabet in Alphabet::ALL {
            let windows = &self.windows[alphabet as usize];
            let length = alphabet.shortest_piece();
            let is_symbol = |byte: &&u8| alphabet.symbol(**byte).is_some();
            let is_ending = |byte: &&u8| matches!(byte, b'\r' | b' ' | b'\t' | b'=' | b'\\');
            let begin = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let end = line.len() - line.iter().rev().take_while(is_ending).count();
            // A few symbols at both ends rule out most lines.
            let (head, tail) = (
                line.get(begin..begin + length),
                end.checked_sub(length).and_then(|from| line.get(from..end)),
            );
            let (begins, ends) = (
                head.is_some_and(|head| self.knows(alphabet, head)),
                tail.is_some_and(|tail| self.knows(alphabet, tail)),
            );
            let last_begin =
                |from: usize| end - line[from..end].iter().rev().take_while(is_symbol).count();
            // The last run may also begin with a piece, after other text.
            let last = if tail.is_some_and(|tail| tail.iter().all(|byte| is_symbol(&byte))) {
                last_begin(0)..end
            } else {
                end..end
            };
            let first = if begins {
                begin..begin + line[begin..].iter().take_while(is_symbol).count()
            } else {
                begin..begin
            };
            let starts = last.len() >= length
                && self.knows(alphabet, &line[last.start..last.start + length]);
            for (run, is_last, is_wanted) in [
                (first.clone(), first == last, begins),
                (last.clone(), true, (ends || starts) && first != last),
            ] {
                if !is_wanted || run.len() < length {
                    continue;
                }
                let symbols: Vec<u8> =
                    line[run.clone()].iter().filter_map(|byte| alphabet.symbol(*byte)).collect();
                let mut piece = |(value, _): EncodedId, from: usize, to: usize| {
                    found.push((value, offset + run.start + from, offset + run.start + to));
                };
                for (id, from) in alphabet.at(windows, &symbols, 0) {
                    if let Some(count) = encoded(*id).beginning(&symbols, *from, is_last) {
                        piece(*id, 0, count);
                    }
                }
                if is_last {
                    for (id, from) in alphabet.at(windows, &symbols, symbols.len() - length) {
                        if let Some(count) = encoded(*id).end(&symbols, *from) {
                            piece(*id, symbols.len() - count, symbols.len());
                        }
                    }
                }
            }
        }
    }

    /// Whether these 24 bits of symbols may belong to some value.
    fn knows(&self, alphabet: Alphabet, symbols: &[u8]) -> bool {
        let window = symbols.iter().try_fold(0, |window, byte| {
            Some(window << alphabet.bits() | u32::from(alphabet.symbol(*byte)?))
        });
        window.is_some_and(|window| {
            let bit = window & ((1 << KNOWN_BITS) - 1);
            self.known[alphabet as usize]
                .get((bit / 64) as usize)
                .is_some_and(|bits| bits & 1 << (bit % 64) != 0)
        })
    }
}

impl EncodedValue {
    /// The number of symbols at the beginning of a run that belong to the value from `from` on: its
    /// end, or its middle if the run is a whole line.
    fn beginning(&self, run: &[u8], from: usize, is_last: bool) -> Option<usize> {
        let rest = self.symbols.len() - from;
        let count = rest.min(run.len());
        let is_middle =
            is_last && count == run.len() && count >= 2 * self.alphabet.shortest_piece();
        ((count == rest || is_middle) && self.fits(run, from)).then_some(count)
    }

    /// The number of symbols at the end of a run that are the first ones of the value, if the last
    /// of them are those from `from` on.
    fn end(&self, run: &[u8], from: usize) -> Option<usize> {
        let count = from + self.alphabet.shortest_piece();
        (count <= run.len() && self.fits(&run[run.len() - count..], 0)).then_some(count)
    }
}

impl Alphabet {
    fn window(self, symbols: impl Iterator<Item = u8>) -> u32 {
        symbols.fold(0, |window, symbol| window << self.bits() | u32::from(symbol))
    }

    /// The encodings with the symbols that a run has at `from`.
    fn at<'w>(
        self,
        windows: &'w HashMap<u32, Vec<(EncodedId, usize)>>,
        run: &[u8],
        from: usize,
    ) -> &'w [(EncodedId, usize)] {
        let window = self.window(run[from..from + self.shortest_piece()].iter().copied());
        windows.get(&window).map_or(&[], Vec::as_slice)
    }
}
