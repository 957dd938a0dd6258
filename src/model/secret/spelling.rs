//! The forms in which programs write a character: as it is, or escaped for the surrounding text.
//!
//! Each character of a secret may have any of these forms, also another form than its neighbour:
//! encoders leave some characters as they are, and disagree about which.

use super::super::visible::{is_hidden, visible_line};
use super::entities::entity_names;

/// The positions where forms of one character may end. If there are too many, it keeps the nearest
/// and the furthest.
///
/// Characters that escape themselves (a backslash, a quote) may end anywhere in a run of them:
/// `\\\\` is one, two or four characters. Such ends are stored as a range, however long the run is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EndPositions {
    /// First and last. A character that may end within the range may end at each position of it.
    at: [(usize, usize); 8],
    len: usize,
}

impl EndPositions {
    pub(super) fn of(at: usize) -> Self {
        let mut ends = Self::default();
        ends.add(at);
        ends
    }

    fn add(&mut self, end: usize) {
        self.add_range(end, end);
    }

    fn add_range(&mut self, first: usize, last: usize) {
        let is_known = self.at[..self.len].iter().any(|(from, to)| *from <= first && last <= *to);
        if is_known {
            return;
        }
        if self.len == self.at.len() {
            // A program escapes everything or nothing. Nothing ends nearest, everything ends
            // furthest.
            self.at.sort_unstable_by_key(|(_, last)| *last);
            let middle = self.at.len() / 2;
            self.at.copy_within(middle + 1.., middle);
            self.len -= 1;
        }
        self.at[self.len] = (first, last);
        self.len += 1;
    }

    /// Where `c` ends after each of these positions; `None` if it follows none of them.
    pub(super) fn after(&self, text: &[u8], c: char) -> Option<Self> {
        let mut next = Self::default();
        for (first, last) in &self.at[..self.len] {
            next.add_run(text, *first, *last, c);
            // The text after a run begins at its end or with the rest of the run. The length of the
            // rest carries no information.
            add_ends(text, *last, c, &mut next);
            if first < last {
                add_ends(text, last - 1, c, &mut next);
            }
        }
        (next.len > 0).then_some(next)
    }

    /// Adds the ends of a character that escapes itself, within a run of it.
    fn add_run(&mut self, text: &[u8], first: usize, last: usize, c: char) {
        let most = match c {
            '\\' => 8,
            '"' | '\'' => 2,
            _ => return,
        };
        let more =
            text[last..].iter().take(most).take_while(|byte| char::from(**byte) == c).count();
        if first < last && char::from(text[first]) == c {
            self.add_range(first + 1, last + more);
        } else if more > 0 {
            self.add_range(last + 1, last + more);
        }
    }

    /// The last position.
    pub(super) fn last(&self) -> Option<usize> {
        self.at[..self.len].iter().map(|(_, last)| *last).max()
    }
}

/// Adds the ends of the forms of `c` that begin at `at`.
fn add_ends(text: &[u8], at: usize, c: char, ends: &mut EndPositions) {
    let Some(&first) = text.get(at) else { return };
    let mut buffer = [0; 4];
    let plain = c.encode_utf8(&mut buffer).as_bytes();
    if text[at..].starts_with(plain) {
        ends.add(at + plain.len());
    }
    match first {
        b'%' => percent(text, at, c, plain, ends),
        b'=' => add(ends, bytes_of(text, at, plain, quoted_printable_byte)),
        b'&' => html(text, at, c, ends),
        b'\\' => backslash(text, at, c, plain, ends),
        b'+' if c == ' ' => ends.add(at + 1),
        b'\r' if c == '\n' && text.get(at + 1) == Some(&b'\n') => ends.add(at + 2),
        // In single quotes of a shell.
        b'\'' if c == '\'' => {
            for spelling in [&b"'\\''"[..], b"'\"'\"'"] {
                add(ends, text[at..].starts_with(spelling).then_some(at + spelling.len()));
            }
        }
        // The visible replacement of an invisible character.
        0xe2 | 0xef => {
            let sign = shown_as(c);
            let is_there = sign.is_some_and(|sign| {
                text[at..].starts_with(sign.encode_utf8(&mut [0; 4]).as_bytes())
            });
            add(ends, is_there.then_some(at + 3));
        }
        _ => {}
    }
}

/// The three-byte replacement of an invisible character.
fn shown_as(c: char) -> Option<char> {
    if is_hidden(c) { visible_line(c.encode_utf8(&mut [0; 4])).chars().next() } else { None }
}

/// The bytes with which a form of `c` may begin.
pub(super) fn first_bytes(c: char) -> Vec<u8> {
    let mut first = vec![c.encode_utf8(&mut [0; 4]).as_bytes()[0], b'%', b'=', b'&', b'\\'];
    match c {
        ' ' => first.push(b'+'),
        '\n' => first.extend([b'\r', 0xe2]),
        c => {
            first.extend(shown_as(c).map(|sign| sign.encode_utf8(&mut [0; 4]).as_bytes()[0]));
        }
    }
    first
}

/// `%2F`, `%2f`, encoded again (`%252F`), and `%u002F`.
fn percent(text: &[u8], at: usize, c: char, plain: &[u8], ends: &mut EndPositions) {
    if c == '%' {
        // The following text may look like another layer.
        let depth = text[at + 1..].chunks_exact(2).take(4).take_while(|two| *two == b"25").count();
        (1..=depth).for_each(|depth| ends.add(at + 1 + 2 * depth));
    } else {
        add(ends, bytes_of(text, at, plain, percent_byte));
    }
    let units = |text: &[u8], at: usize| {
        let at = after_percent(text, at)?;
        Some((
            hex(text, at + 1, 4)
                .filter(|_| text.get(at).is_some_and(|u| matches!(u, b'u' | b'U')))?,
            at + 5,
        ))
    };
    add(ends, utf16_of(text, at, c, units));
}

/// The position after `%` and any number of `25`.
fn after_percent(text: &[u8], at: usize) -> Option<usize> {
    let mut at = (text.get(at) == Some(&b'%')).then_some(at + 1)?;
    while text[at..].starts_with(b"25") {
        at += 2;
    }
    Some(at)
}

/// A byte in percent encoding, at any depth.
pub(super) fn percent_byte(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let at = after_percent(text, at)?;
    Some((hex(text, at, 2)?, at + 2))
}

/// A byte in quoted-printable text: `=2F`.
fn quoted_printable_byte(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let at = (text.get(at) == Some(&b'=')).then_some(at + 1)?;
    Some((hex(text, at, 2)?, at + 2))
}

/// `&lt;`, `&#60;`, `&#x3C;`, encoded again (`&amp;lt;`).
fn html(text: &[u8], at: usize, c: char, ends: &mut EndPositions) {
    let mut at = at + 1;
    loop {
        if let Some((code, end)) = numeric_entity(text, at)
            && code == u32::from(c)
        {
            ends.add(end);
        }
        for name in entity_names(c) {
            if text[at..].starts_with(name.as_bytes()) && text.get(at + name.len()) == Some(&b';') {
                ends.add(at + name.len() + 1);
            }
        }
        if !text[at..].starts_with(b"amp;") {
            return;
        }
        at += b"amp;".len();
    }
}

/// `#60;` or `#x3C;`, with any number of leading zeros, with or without the semicolon.
fn numeric_entity(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let mut at = (text.get(at) == Some(&b'#')).then_some(at + 1)?;
    let radix = if matches!(text.get(at), Some(b'x' | b'X')) { 16 } else { 10 };
    at += usize::from(radix == 16);
    let digits = text[at..].iter().take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let code = std::str::from_utf8(&text[at..at + digits])
        .ok()
        .and_then(|digits| u32::from_str_radix(digits, radix).ok())?;
    let end = at + digits;
    Some((code, end + usize::from(text.get(end) == Some(&b';'))))
}

/// `\/`, `\n`, `\u002f`, `\u{2f}`, `\U0000002f`, `\x2f`, `\057`; with more backslashes if the text
/// was escaped again.
fn backslash(text: &[u8], at: usize, c: char, plain: &[u8], ends: &mut EndPositions) {
    let count = backslashes(text, at);
    add(
        ends,
        bytes_of(text, at, plain, |text, at| {
            let at = after_backslashes(text, at)?;
            let is_hex = matches!(text.get(at), Some(b'x' | b'X'));
            if is_hex {
                Some((hex(text, at + 1, 2)?, at + 3))
            } else {
                Some((number(text, at, 3, 8)?, at + 3))
            }
        }),
    );
    add(
        ends,
        utf16_of(text, at, c, |text, at| {
            let at = after_backslashes(text, at)?;
            Some((hex(text, at + 1, 4).filter(|_| text.get(at) == Some(&b'u'))?, at + 5))
        }),
    );
    let after = at + count;
    let Some(&kind) = text.get(after) else { return };
    let scalar = match kind {
        b'x' => hex(text, after + 1, 2).map(|code| (code, after + 3)),
        b'U' => hex(text, after + 1, 8).map(|code| (code, after + 9)),
        b'u' if text.get(after + 1) == Some(&b'{') => {
            let digits = text[after + 2..]
                .iter()
                .take(8)
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            let end = after + 2 + digits;
            hex(text, after + 2, digits)
                .filter(|_| text.get(end) == Some(&b'}'))
                .map(|code| (code, end + 1))
        }
        _ => None,
    };
    if let Some((code, end)) = scalar
        && code == u32::from(c)
    {
        ends.add(end);
    }
    // A shell's `printf %q` or JSON puts a backslash before these.
    if !c.is_ascii_alphanumeric() && c != '\\' {
        add(ends, text[after..].starts_with(plain).then_some(after + plain.len()));
    }
    let named = match c {
        '\0' => b'0',
        '\u{7}' => b'a',
        '\u{8}' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\u{b}' => b'v',
        '\u{c}' => b'f',
        '\r' => b'r',
        '\u{1b}' => b'e',
        _ => return,
    };
    add(ends, (kind == named).then_some(after + 1));
}

/// The number of backslashes at `at`, up to the number that escapes a character six times. The
/// limit keeps the search linear in a text of backslashes.
fn backslashes(text: &[u8], at: usize) -> usize {
    text.iter().skip(at).take(64).take_while(|byte| **byte == b'\\').count()
}

fn after_backslashes(text: &[u8], at: usize) -> Option<usize> {
    let count = backslashes(text, at);
    (count > 0).then_some(at + count)
}

/// The end of all bytes of a character, each read by `read`.
fn bytes_of(
    text: &[u8],
    at: usize,
    plain: &[u8],
    read: impl Fn(&[u8], usize) -> Option<(u32, usize)>,
) -> Option<usize> {
    plain.iter().try_fold(at, |at, byte| {
        read(text, at).filter(|(code, _)| *code == u32::from(*byte)).map(|(_, end)| end)
    })
}

/// The end of the one or two UTF-16 units of a character.
fn utf16_of(
    text: &[u8],
    at: usize,
    c: char,
    read: impl Fn(&[u8], usize) -> Option<(u32, usize)>,
) -> Option<usize> {
    let mut buffer = [0; 2];
    c.encode_utf16(&mut buffer).iter().try_fold(at, |at, unit| {
        read(text, at).filter(|(code, _)| *code == u32::from(*unit)).map(|(_, end)| end)
    })
}

/// The number that has exactly this many hexadecimal digits.
pub(super) fn hex(text: &[u8], at: usize, digits: usize) -> Option<u32> {
    number(text, at, digits, 16)
}

fn number(text: &[u8], at: usize, digits: usize, radix: u32) -> Option<u32> {
    let digits = text.get(at..at + digits).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0, |number: u32, digit| {
        Some(number.checked_mul(radix)? + char::from(*digit).to_digit(radix)?)
    })
}

fn add(ends: &mut EndPositions, end: Option<usize>) {
    if let Some(end) = end {
        ends.add(end);
    }
}
