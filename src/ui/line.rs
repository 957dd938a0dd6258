//! One line of styled text, shortened to the available columns or wrapped.

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::terminal::styled;
use crate::model::visible::visible_line;

/// Replaces the part that was cut off.
const CUT: &str = "…";

/// Pieces of text with their styles. Control characters are shown as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line(Vec<(Style, String)>);

impl Line {
    /// Appends `text` to the line.
    #[must_use]
    pub fn then(mut self, style: Style, text: &str) -> Self {
        if !text.is_empty() {
            self.0.push((style, visible_line(text).into_owned()));
        }
        self
    }

    /// The same, with `text` padded or shortened to exactly `columns`.
    #[must_use]
    pub fn column(self, style: Style, text: &str, columns: usize) -> Self {
        let text = cut(&visible_line(text), columns);
        let filled = format!("{text}{}", " ".repeat(columns - text.width()));
        self.then(style, &filled)
    }

    /// The text with its styles, of at most `columns`, without spaces at its end.
    pub fn fitted(&self, columns: usize) -> String {
        let mut pieces: Vec<(Style, String)> = Vec::new();
        let mut left = columns;
        for (index, (style, text)) in self.0.iter().enumerate() {
            let follows = self.0[index + 1..].iter().any(|(_, text)| !text.trim_end().is_empty());
            let width = text.width();
            if width < left || width == left && !follows {
                pieces.push((*style, text.clone()));
                left -= width;
            } else {
                // The next pieces are cut off as well, so the mark is needed even if this piece
                // would fit.
                let text = if width == left { format!("{text} ") } else { text.clone() };
                pieces.push((*style, cut(&text, left)));
                break;
            }
        }
        while let Some((_, last)) = pieces.last_mut() {
            last.truncate(last.trim_end().len());
            if !last.is_empty() {
                break;
            }
            pieces.pop();
        }
        shown(&pieces)
    }

    /// The text with its styles in lines of at most `columns`, broken between words; each line but
    /// the first is indented. A word that is longer than a line keeps its own line.
    pub fn wrapped(&self, columns: usize, indent: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let (mut line, mut width): (Vec<(Style, String)>, usize) = (Vec::new(), 0);
        for Word { gap, pieces } in self.words() {
            let own: usize = pieces.iter().map(|(_, text)| text.width()).sum();
            let is_first = lines.is_empty() && line.is_empty();
            let fits = width + gap + own <= columns;
            if !fits && width > 0 {
                lines.push(shown(&std::mem::take(&mut line)));
                width = 0;
            }
            let before = match (width, is_first) {
                (0, false) => indent,
                _ => gap,
            };
            for (index, (style, text)) in pieces.into_iter().enumerate() {
                let spaces = " ".repeat(if index == 0 { before } else { 0 });
                match line.last_mut() {
                    Some((last, known)) if *last == style => {
                        known.push_str(&format!("{spaces}{text}"))
                    }
                    _ if spaces.is_empty() => line.push((style, text)),
                    _ => line.extend([(Style::new(), spaces), (style, text)]),
                }
            }
            width += before + own;
        }
        if !line.is_empty() {
            lines.push(shown(&line));
        }
        lines
    }

    /// The words of the line with the spaces before them.
    fn words(&self) -> Vec<Word> {
        let mut words: Vec<Word> = Vec::new();
        let mut gap = 0;
        let mut ends = true;
        for (style, text) in &self.0 {
            for (index, part) in text.split(' ').enumerate() {
                if index > 0 {
                    gap += 1;
                    ends = true;
                }
                if part.is_empty() {
                    continue;
                }
                match words.last_mut() {
                    Some(word) if !ends => word.pieces.push((*style, part.to_owned())),
                    _ => words.push(Word {
                        gap: std::mem::take(&mut gap),
                        pieces: vec![(*style, part.to_owned())],
                    }),
                }
                ends = false;
            }
        }
        words
    }
}

/// A word with the spaces before it. Its pieces have different styles.
struct Word {
    gap: usize,
    pieces: Vec<(Style, String)>,
}

fn shown(pieces: &[(Style, String)]) -> String {
    let styled_piece = |(style, text): &(Style, String)| {
        if *style == Style::new() { text.clone() } else { styled(*style, text) }
    };
    pieces.iter().map(styled_piece).collect()
}

/// `text` if it has at most this many columns, else its beginning and `…`.
pub fn cut(text: &str, columns: usize) -> String {
    // Outside text may be long, and its far end is never visible. Characters without a width use no
    // columns.
    let end = text
        .char_indices()
        .nth(columns.saturating_mul(4).saturating_add(4))
        .map_or(text.len(), |(end, _)| end);
    let head = &text[..end];
    if end == text.len() && head.width() <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    // Widths of whole texts, not of characters: some are wider or narrower in combination.
    let ends = head.char_indices().map(|(start, c)| start + c.len_utf8());
    let kept = ends.take_while(|end| head[..*end].width() < columns).last().unwrap_or(0);
    format!("{}{CUT}", &head[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::terminal::{ASIDE, SUBJECT};
    use proptest::prelude::*;

    #[test]
    fn a_long_text_is_cut_at_its_display_width() {
        assert_eq!(cut("redis", 5), "redis");
        assert_eq!(cut("redis", 4), "red…");
        assert_eq!(cut("데이터베이스", 7), "데이터…");
        assert_eq!(cut("데이터베이스", 6), "데이…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn the_last_piece_that_fits_ends_with_the_sign_if_more_follows() {
        let line =
            Line::default().then(SUBJECT, "db").then(Style::new(), " is ").then(ASIDE, "ready");
        assert_eq!(line.fitted(80), "\u{1b}[1mdb\u{1b}[0m is \u{1b}[2mready\u{1b}[0m");
        assert_eq!(line.fitted(9), "\u{1b}[1mdb\u{1b}[0m is \u{1b}[2mre…\u{1b}[0m");
        assert_eq!(line.fitted(6), "\u{1b}[1mdb\u{1b}[0m is…");
        assert_eq!(line.fitted(2), "\u{1b}[1md…\u{1b}[0m");
    }

    #[test]
    fn blanks_at_the_end_are_left_out_and_control_characters_shown() {
        let line = Line::default().column(SUBJECT, "a\u{1b}[2J", 8).column(Style::new(), "", 9);
        assert_eq!(line.fitted(80), "\u{1b}[1ma␛[2J\u{1b}[0m");
    }

    #[test]
    fn a_long_line_is_wrapped_between_words_and_keeps_its_styles() {
        let line = Line::default()
            .then(Style::new(), "  ~ ")
            .then(SUBJECT, "backend web")
            .then(Style::new(), ":  image changed, ")
            .then(ASIDE, "a-word-that-is-too-long now");
        assert_eq!(
            line.wrapped(20, 4),
            [
                "  ~ \u{1b}[1mbackend web\u{1b}[0m:",
                "    image changed,",
                "    \u{1b}[2ma-word-that-is-too-long\u{1b}[0m",
                "    \u{1b}[2mnow\u{1b}[0m"
            ]
        );
        assert_eq!(line.wrapped(usize::MAX, 4), [line.fitted(usize::MAX)]);
        assert_eq!(Line::default().wrapped(20, 4), [""; 0]);
    }

    proptest! {
        #[test]
        fn a_wrapped_line_keeps_its_words_and_its_columns(words in "([a-z데]{1,9} {1,3}){0,12}", columns in 24_usize..50) {
            let lines = Line::default().then(Style::new(), &words).wrapped(columns, 4);
            prop_assert!(lines.iter().all(|line| line.width() <= columns));
            let all = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(all(&lines.join(" ")), all(&words));
        }

        #[test]
        fn no_line_is_wider_than_its_columns(text in ".{0,40}", more in ".{0,10}", columns in 0_usize..50) {
            let line = Line::default().then(Style::new(), &text).then(Style::new(), &more);
            prop_assert!(line.fitted(columns).width() <= columns);
            prop_assert!(cut(&visible_line(&text), columns).width() <= columns);
        }
    }
}
