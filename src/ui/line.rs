//! One line of styled text, shortened to the available columns.

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
        pieces
            .iter()
            .map(
                |(style, text)| {
                    if *style == Style::new() { text.clone() } else { styled(*style, text) }
                },
            )
            .collect()
    }
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

    proptest! {
        #[test]
        fn no_line_is_wider_than_its_columns(text in ".{0,40}", more in ".{0,10}", columns in 0_usize..50) {
            let line = Line::default().then(Style::new(), &text).then(Style::new(), &more);
            prop_assert!(line.fitted(columns).width() <= columns);
            prop_assert!(cut(&visible_line(&text), columns).width() <= columns);
        }
    }
}
