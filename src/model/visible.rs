//! Foreign text is data: control characters are shown, not sent.

use std::borrow::Cow;

/// `text` with every control character but line ends and tabs replaced by a sign for it: `␛[31m`.
///
/// Each character becomes exactly one, so columns stay what they are. Characters that turn the
/// direction of writing, and the 8-bit control characters, become `�`. Of a CRLF line end nothing is shown.
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, |c, next| match c {
        '\n' | '\t' => None,
        '\r' if next == Some('\n') => None,
        _ => sign(c),
    })
}

/// The same for what has to stay on one line: line ends and tabs are shown as well, `␊` and `␉`.
pub fn visible_line(text: &str) -> Cow<'_, str> {
    replaced(text, |c, _| sign(c))
}

fn replaced(text: &str, sign: impl Fn(char, Option<char>) -> Option<char>) -> Cow<'_, str> {
    let signs = || {
        let next = text.chars().skip(1).map(Some).chain(std::iter::once(None));
        text.chars().zip(next).map(|(c, next)| (c, sign(c, next)))
    };
    if signs().all(|(_, sign)| sign.is_none()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(signs().map(|(c, sign)| sign.unwrap_or(c)).collect())
}

/// The sign shown for a control character; nothing for any other character.
fn sign(c: char) -> Option<char> {
    match c {
        '\u{0}'..='\u{1f}' => char::from_u32(u32::from(c) + 0x2400),
        '\u{7f}' => Some('␡'),
        '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some('\u{fffd}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_bells_and_overwriting_are_shown() {
        assert_eq!(visible("\u{1b}[31mred\u{7}\rok\u{9b}2J"), "␛[31mred␇␍ok\u{fffd}2J");
    }

    #[test]
    fn letters_tabs_and_line_ends_stay() {
        let text = "größe\t5 µs\r\nنص\n";
        assert!(matches!(visible(text), Cow::Borrowed(_)));
        assert_eq!(visible_line("a\r\n\tb"), "a␍␊␉b");
    }

    #[test]
    fn what_turns_the_direction_of_writing_is_shown() {
        assert_eq!(visible("user\u{202e}nimda"), "user\u{fffd}nimda");
    }
}
