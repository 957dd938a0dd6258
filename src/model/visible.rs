//! Makes invisible characters of outside text visible: control characters are shown as text and
//! never sent to the terminal.
//!
//! Code that writes text for people uses [`visible`] or [`visible_line`]; code that writes JSON
//! uses [`escaped_json`].

use std::borrow::Cow;

/// `text` with each invisible character replaced by a visible sign, except line ends and tabs:
/// `␛[31m`.
///
/// Each character becomes exactly one, so columns don't change. Control characters become their
/// pictures. 8-bit control characters, characters that change the writing direction, and characters
/// without a width (zero-width spaces, tags, variation selectors) become `�`. Characters that join
/// an emoji or shape letters of Arabic and Indic scripts stay if they do so. CRLF line ends stay as
/// they are.
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, |at| match at.c {
        '\n' | '\t' => None,
        '\r' if at.next == Some('\n') => None,
        _ => at.sign(),
    })
}

/// The same for text that has to stay on one line: line ends and tabs become `␊` and `␉`.
pub fn visible_line(text: &str) -> Cow<'_, str> {
    let sign = |at: &CharContext<'_>| at.sign();
    replaced(text, sign)
}

/// The same for styled text of spc itself: colours stay, other control sequences become visible.
pub fn visible_styled(text: &str) -> Cow<'_, str> {
    replaced(text, |at| match at.c {
        '\n' | '\t' => None,
        '\r' if at.next == Some('\n') => None,
        '\u{1b}' if is_style(at.rest) => None,
        _ => at.sign(),
    })
}

/// JSON text in which each invisible character is written as `\u…`. The JSON has the same meaning.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    // Outside of strings, JSON contains none of them.
    let hidden = |c: char| !matches!(c, '\n' | '\t' | '\r') && is_hidden(c);
    if !json.contains(hidden) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if hidden(c) {
            c.encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Whether a character is invisible, or has an effect where it is shown.
pub fn is_hidden(c: char) -> bool {
    c.is_control() || is_unseen(c)
}

/// Characters without a picture: they change the writing direction, have no width, or are for
/// programs only.
fn is_unseen(c: char) -> bool {
    matches!(c,
        // Soft hyphen, joiners and fillers that look empty.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}' | '\u{ffa0}'
        // Zero-width, directions, lines and paragraphs, invisible operators, shaping.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        // Joiners of hieroglyphs, a blank of shorthand, and the braille blank: as wide as a letter,
        // and empty.
        | '\u{13430}'..='\u{1345f}' | '\u{2800}'
        // Variation selectors, the byte order mark, interlinear annotations.
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        // Shorthand and musical control, tags, more variation selectors.
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A character and its surroundings.
struct CharContext<'t> {
    before: Option<char>,
    c: char,
    next: Option<char>,
    /// The text after the character.
    rest: &'t str,
}

impl CharContext<'_> {
    /// The sign that replaces the character; `None` for a visible character.
    fn sign(&self) -> Option<char> {
        match self.c {
            '\u{0}'..='\u{1f}' => char::from_u32(u32::from(self.c) + 0x2400),
            '\u{7f}' => Some('␡'),
            '\u{200c}' | '\u{200d}' | '\u{fe0f}' if self.is_at_work() => None,
            c if is_hidden(c) => Some('\u{fffd}'),
            _ => None,
        }
    }

    /// Whether a joiner or selector has its intended effect.
    fn is_at_work(&self) -> bool {
        let before = |is: fn(char) -> bool| self.before.is_some_and(is);
        let next = |is: fn(char) -> bool| self.next.is_some_and(is);
        match self.c {
            // After a digit only as part of a keycap.
            '\u{fe0f}' => {
                before(is_pictograph)
                    || before(|c| matches!(c, '0'..='9' | '#' | '*')) && next(|c| c == '\u{20e3}')
            }
            '\u{200d}' => {
                before(|c| is_pictograph(c) || c == '\u{fe0f}') && next(is_pictograph)
                    || before(is_shaped) && next(is_shaped)
            }
            _ => before(is_shaped) && next(is_shaped),
        }
    }
}

/// Emoji and their components. Letters are excluded: a joiner between letters would be invisible.
fn is_pictograph(c: char) -> bool {
    matches!(c, '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{20e3}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21ff}'
        | '\u{2300}'..='\u{23ff}' | '\u{24c2}' | '\u{25a0}'..='\u{27bf}' | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}'
        | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
}

/// Whether the shape of a letter depends on its neighbours: Arabic and related scripts, scripts of
/// India and its region.
fn is_shaped(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{8ff}' | '\u{900}'..='\u{dff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
        && !is_hidden(c)
}

/// Whether the text after an escape character is a style: `[1;31m`.
fn is_style(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix('[') else { return false };
    rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ';' | ':')).starts_with('m')
}

fn replaced(text: &str, sign: impl Fn(&CharContext<'_>) -> Option<char>) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let (mut before, mut changed) = (None, false);
    for (start, c) in text.char_indices() {
        let rest = &text[start + c.len_utf8()..];
        let sign = sign(&CharContext { before, c, next: rest.chars().next(), rest });
        changed |= sign.is_some();
        shown.push(sign.unwrap_or(c));
        before = Some(c);
    }
    if changed { Cow::Owned(shown) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
    fn invisible_and_bidirectional_characters_are_replaced() {
        for c in "\u{61c}\u{200b}\u{200e}\u{2028}\u{2029}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{ad}\u{fff9}\u{e0041}\u{e0100}\u{fe01}\u{3164}".chars() {
            assert_eq!(visible(&format!("user{c}nimda")), "user\u{fffd}nimda", "{c:?}");
        }
    }

    #[test]
    fn joiners_are_kept_between_emoji_and_letters_that_need_them() {
        for text in [
            "👩\u{200d}🚀",
            "❤\u{fe0f}\u{200d}🔥",
            "☎\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
        ] {
            assert_eq!(visible(text), text, "{text:?}");
        }
        assert_eq!(visible("ad\u{200d}min\u{200c}x a\u{fe0f}"), "ad\u{fffd}min\u{fffd}x a\u{fffd}");
        // An invisible character can turn one name into another that looks the same.
        for (text, shown) in [
            ("カ\u{200d}カ", "カ\u{fffd}カ"),
            ("1\u{fe0f}2", "1\u{fffd}2"),
            ("❤\u{fe0f}\u{fe0f}\u{200d}x", "❤\u{fe0f}\u{fffd}\u{fffd}x"),
            ("か\u{fe0f}", "か\u{fffd}"),
        ] {
            assert_eq!(visible(text), shown, "{text:?}");
        }
    }

    #[test]
    fn styled_text_keeps_only_style_sequences() {
        assert_eq!(
            visible_styled("\u{1b}[1;31mred\u{1b}[0m\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}1m"),
            "\u{1b}[1;31mred\u{1b}[0m␛[2J␛]0;x␇\u{fffd}1m"
        );
    }

    #[test]
    fn json_is_the_same_json_without_characters_that_are_not_seen() {
        let text = "\u{7f}\u{9b}31m \u{202e}\u{2028}\u{200b}\u{200d}\u{feff}\u{e0041} größe 👩";
        let json = serde_json::json!({ "text": text }).to_string();
        let escaped = escaped_json(&json);
        assert_eq!(
            escaped,
            r#"{"text":"\u007f\u009b31m \u202e\u2028\u200b\u200d\ufeff\udb40\udc41 größe 👩"}"#
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap()["text"], text);
    }

    proptest! {
        #[test]
        fn nothing_unseen_comes_through_whatever_it_is(text in any::<String>()) {
            let work = ['\u{200c}', '\u{200d}', '\u{fe0f}'];
            prop_assert!(!visible_line(&text).contains(|c: char| is_hidden(c) && !work.contains(&c)));
            prop_assert_eq!(visible_line(&text).chars().count(), text.chars().count());
            let json = serde_json::Value::from(text.as_str()).to_string();
            let escaped = escaped_json(&json);
            prop_assert!(!escaped.contains(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), text);
        }
    }
}
