//! Finds secrets in text in any encoding, and replaces them by their names.
//!
//! | spelling | for example | masked |
//! |---|---|---|
//! | as it is | `p/w d` | everywhere |
//! | percent-encoded, any case, again encoded, as a form, as `%uXXXX` | `p%2Fw%20d`, `p%252fw+d` | everywhere |
//! | HTML entities: by name, decimal, hexadecimal, encoded again | `p&#47;w&#x20;d`, `&amp;lt;` | everywhere |
//! | escapes of JSON, JavaScript, C, Python and shells | `p\/w d`, `p\u002fw\x20d`, `p\057w\ d`, `'\''` | everywhere |
//! | doubled quotes (SQL, CSV), quoted-printable | `""`, `=2F` | everywhere |
//! | hexadecimal, with and without separators | `702f772064`, `70:2F:77`, `0x70, 0x2f` | everywhere |
//! | base64, also for URLs, inside of longer text, wrapped | `cC93IGQ=`, `dXNlcjpwL3cgZA` | from five bytes on everywhere; shorter ones where they stand at the place that their encoding says |
//! | a line of wrapped base64 or hexadecimal that comes alone | | all but 3 and 5 symbols at most at the break |
//! | the beginning or end of a value where a text was cut off | `p/w…` | from three characters on |
//! | as spc itself writes it: with a capital at its beginning, in lower case, on one line | `P/w d` | everywhere |
//! | characters that nobody sees, as the sign that is shown for them | `p�w` | everywhere |
//!
//! A value of several lines is masked as a whole and line by line. The mask doesn't find values of
//! fewer than [`SHORTEST`] characters, and values that a program changed in another way (reversed,
//! all in upper case, encrypted, compressed, in pieces with other text between them).

use std::collections::{BTreeSet, HashMap};

use super::super::visible::is_hidden;
use super::cut::{ValueSuffixes, marks};
use super::encoded::{EncodedId, EncodedValue, Piece, Pieces};
use super::spelling::{EndPositions, first_bytes};
use super::variants::variants;

/// Shorter values are not masked: masking "1" would hide everything.
pub const SHORTEST: usize = 3;

/// The text that replaces a value or a token.
fn mark(name: &str) -> String {
    format!("{MARK_BEGIN}{name}]")
}

const MARK_BEGIN: &str = "[secret ";

/// The patterns that the mask finds.
#[derive(Debug, Default)]
pub(super) struct Mask {
    values: Vec<Value>,
    /// Bit `first << 8 | second`: whether some value may begin with these two bytes. Most text
    /// fails this quick check.
    pairs: Vec<u64>,
    by_pair: HashMap<(u8, u8), Vec<MatchStart>>,
    /// By the first byte alone, if the second may be any byte: escapes.
    by_first: Vec<Vec<MatchStart>>,
    pieces: Pieces,
    tails: ValueSuffixes,
    names: BTreeSet<String>,
}

#[derive(Debug)]
struct Value {
    name: String,
    characters: Vec<char>,
    encodings: Vec<EncodedValue>,
    /// Whether spc derived it from another value.
    is_variant: bool,
}

/// A form of a value that may begin here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MatchStart {
    Text(usize),
    Encoded(EncodedId),
}

/// A range of a text that is hidden.
struct MaskedRange {
    from: usize,
    to: usize,
    value: usize,
}

impl Mask {
    /// Adds a value, unless it is too short.
    pub(super) fn add(&mut self, name: &str, text: &str) {
        self.add_with(name, text, EncodedValue::all(text.as_bytes()), false);
        for variant in variants(text) {
            self.add_with(name, &variant, Vec::new(), true);
        }
    }

    /// Adds a token. Only spc knows tokens, so no other program can encode them.
    pub(super) fn add_token(&mut self, name: &str, token: &str) {
        self.add_with(name, token, Vec::new(), false);
    }

    fn add_with(&mut self, name: &str, text: &str, encodings: Vec<EncodedValue>, is_variant: bool) {
        self.names.insert(name.to_owned());
        let characters: Vec<char> = text.chars().collect();
        if characters.len() < SHORTEST
            || text.trim().is_empty()
            || self
                .values
                .iter()
                .any(|value| (is_variant || !value.is_variant) && value.characters == characters)
        {
            return;
        }
        let index = self.values.len();
        self.index(index, &characters, &encodings);
        self.pieces.add(index, &encodings);
        // A derived form has the same ends as its value, except for upper and lower case.
        if !is_variant {
            self.tails.add(index, &characters, SHORTEST);
        }
        self.values.push(Value { name: name.to_owned(), characters, encodings, is_variant });
    }

    fn index(&mut self, index: usize, characters: &[char], encodings: &[EncodedValue]) {
        self.pairs.resize(1 << 10, 0);
        self.by_first.resize_with(1 << 8, Vec::new);
        let mut buffer = [0; 4];
        let plain = characters[0].encode_utf8(&mut buffer).as_bytes();
        let second = if plain.len() > 1 { vec![plain[1]] } else { first_bytes(characters[1]) };
        for second in second {
            self.begins(MatchStart::Text(index), plain[0], Some(second));
        }
        // Escapes are rare in text without escapes, and in text with escapes any of them may belong
        // to the value. But "=" is common.
        for first in first_bytes(characters[0]).into_iter().filter(|first| *first != plain[0]) {
            if first != b'=' {
                self.begins(MatchStart::Text(index), first, None);
                continue;
            }
            for digits in [format!("{:02x}", plain[0]), format!("{:02X}", plain[0])] {
                self.begins(MatchStart::Text(index), first, digits.bytes().next());
            }
        }
        // Doubled or closed quotes, and escapes and signs that begin as the character itself.
        if matches!(characters[0], '\'' | '"' | '\\' | '%' | '&' | '=' | '+')
            || is_hidden(characters[0])
        {
            self.begins(MatchStart::Text(index), plain[0], None);
        }
        for (number, encoded) in encodings.iter().enumerate() {
            for (first, second) in encoded.beginnings() {
                self.begins(MatchStart::Encoded((index, number)), first, second);
            }
        }
    }

    fn begins(&mut self, what: MatchStart, first: u8, second: Option<u8>) {
        let mut allow = |second: u8| {
            let pair = usize::from(first) << 8 | usize::from(second);
            self.pairs[pair / 64] |= 1 << (pair % 64);
        };
        let known = match second {
            Some(second) => {
                allow(second);
                self.by_pair.entry((first, second)).or_default()
            }
            None => {
                (0..=u8::MAX).for_each(&mut allow);
                &mut self.by_first[usize::from(first)]
            }
        };
        if !known.contains(&what) {
            known.push(what);
        }
    }

    /// `text` with everything masked; `None` if there is nothing to mask.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        let hidden = self.find(text);
        if hidden.is_empty() {
            return None;
        }
        let mut masked = String::with_capacity(text.len());
        let mut end = 0;
        for MaskedRange { from, to, value } in hidden {
            if from >= end {
                masked.push_str(&text[end..from]);
            }
            masked.push_str(&mark(&self.values[value].name));
            end = to;
        }
        masked.push_str(&text[end..]);
        Some(masked)
    }

    /// The name of the first secret in `text`.
    pub(super) fn first_in(&self, text: &str) -> Option<&str> {
        self.find_whole(text.as_bytes())
            .first()
            .map(|hidden| self.values[hidden.value].name.as_str())
    }

    /// The last position up to `at` that is not inside a masked range or a character.
    pub(super) fn boundary(&self, text: &str, at: usize) -> usize {
        let at = text.floor_char_boundary(at);
        self.find(text).iter().rev().fold(at, |at, hidden| {
            if hidden.from < at && at < hidden.to { hidden.from } else { at }
        })
    }

    /// The ranges to hide, in order; each ends after those before it.
    fn find(&self, text: &str) -> Vec<MaskedRange> {
        let mut found = self.find_whole(text.as_bytes());
        if !self.values.is_empty() {
            self.add_parts(text.as_bytes(), &mut found);
        }
        found
    }

    /// The same without parts of values.
    fn find_whole(&self, bytes: &[u8]) -> Vec<MaskedRange> {
        let mut found: Vec<MaskedRange> = Vec::new();
        if self.values.is_empty() {
            return found;
        }
        let mut at = 0;
        while at + 1 < bytes.len() {
            let pair = usize::from(bytes[at]) << 8 | usize::from(bytes[at + 1]);
            if self.pairs[pair / 64] & 1 << (pair % 64) != 0
                && let Some(hidden) = self.longest_at(bytes, at)
            {
                let last = found.last();
                if last.is_none_or(|last| {
                    last.to < hidden.to && (last.to <= hidden.from || last.value != hidden.value)
                }) {
                    found.push(hidden);
                }
            }
            at += if bytes[at] == b'[' { self.mark_at(bytes, at).unwrap_or(1) } else { 1 };
        }
        found
    }

    fn longest_at(&self, text: &[u8], at: usize) -> Option<MaskedRange> {
        let by_pair = self.by_pair.get(&(text[at], text[at + 1])).map_or(&[][..], Vec::as_slice);
        let all = by_pair.iter().chain(&self.by_first[usize::from(text[at])]);
        let found = all.filter_map(|beginning| match beginning {
            MatchStart::Text(value) => Some(MaskedRange {
                from: at,
                to: self.values[*value].end_at(text, at)?,
                value: *value,
            }),
            MatchStart::Encoded(id) => {
                let (from, to) = self.encoded(*id).find_at(text, at)?;
                Some(MaskedRange { from, to, value: id.0 })
            }
        });
        // If several end together, a value itself counts, otherwise the first one.
        let rank = |hidden: &MaskedRange| (hidden.to, !self.values[hidden.value].is_variant);
        found.reduce(|longest, next| if rank(&next) > rank(&longest) { next } else { longest })
    }

    fn encoded(&self, (value, number): EncodedId) -> &EncodedValue {
        &self.values[value].encodings[number]
    }

    /// The length of a text that already replaces a secret: it contains a name, and nothing to
    /// mask.
    fn mark_at(&self, text: &[u8], at: usize) -> Option<usize> {
        let rest = text[at..].strip_prefix(MARK_BEGIN.as_bytes())?;
        let name =
            std::str::from_utf8(&rest[..rest.iter().position(|byte| *byte == b']')?]).ok()?;
        self.names.contains(name).then_some(MARK_BEGIN.len() + name.len() + 1)
    }

    /// Adds the parts of values at line breaks and beside marks of shortened text.
    fn add_parts(&self, text: &[u8], found: &mut Vec<MaskedRange>) {
        let marks = marks(text);
        let mut parts = Vec::new();
        let mut from = 0;
        let end = text.len()..text.len();
        for mark in marks.into_iter().chain(std::iter::once(end)) {
            let mut offset = from;
            for line in text[from..mark.start].split(|byte| *byte == b'\n') {
                self.pieces.find(line, offset, |id| self.encoded(id), &mut parts);
                offset += line.len() + 1;
            }
            if !mark.is_empty() {
                parts.extend(self.head_before(text, from, mark.start));
                parts.extend(self.tail_at(text, mark.end));
            }
            from = mark.end;
        }
        if parts.is_empty() {
            return;
        }
        found.extend(parts.into_iter().map(|(value, from, to)| MaskedRange { from, to, value }));
        found.sort_by_key(|hidden| (hidden.from, std::cmp::Reverse(hidden.to)));
        let mut end = 0;
        found.retain(|hidden| {
            let is_further = hidden.to > end;
            end = end.max(hidden.to);
            is_further
        });
    }

    /// The longest beginning of a value that ends at `to` and begins at or after `from`.
    fn head_before(&self, text: &[u8], from: usize, to: usize) -> Option<Piece> {
        let may_begin = |at: &usize| {
            let pair = usize::from(text[*at]) << 8 | usize::from(text[*at + 1]);
            self.pairs[pair / 64] & 1 << (pair % 64) != 0
        };
        (from..to.saturating_sub(1)).filter(may_begin).find_map(|at| {
            let by_pair =
                self.by_pair.get(&(text[at], text[at + 1])).map_or(&[][..], Vec::as_slice);
            by_pair.iter().chain(&self.by_first[usize::from(text[at])]).find_map(|beginning| {
                match beginning {
                    MatchStart::Text(value) => self.values[*value]
                        .begins_until(&text[..to], at)
                        .then_some((*value, at, to)),
                    MatchStart::Encoded(_) => None,
                }
            })
        })
    }

    /// The longest end of a value that begins at `at`.
    fn tail_at(&self, text: &[u8], at: usize) -> Option<Piece> {
        self.tails.at(text, at).iter().find_map(|(value, from)| {
            Some((*value, at, self.values[*value].end_from(*from, text, at)?))
        })
    }
}

impl Value {
    /// The end of the longest form that begins at `at`.
    fn end_at(&self, text: &[u8], at: usize) -> Option<usize> {
        self.end_from(0, text, at)
    }

    /// The same for the value's characters from `from` on.
    fn end_from(&self, from: usize, text: &[u8], at: usize) -> Option<usize> {
        let mut ends = EndPositions::of(at);
        for c in &self.characters[from..] {
            ends = ends.after(text, *c)?;
        }
        ends.last()
    }

    /// Whether `text` ends in the middle of the value that begins at `at`.
    fn begins_until(&self, text: &[u8], at: usize) -> bool {
        let mut ends = EndPositions::of(at);
        for (read, c) in self.characters.iter().enumerate() {
            if read >= SHORTEST && ends.last() == Some(text.len()) {
                return true;
            }
            match ends.after(text, *c) {
                Some(next) => ends = next,
                None => return false,
            }
        }
        false
    }
}
