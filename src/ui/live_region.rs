//! The live region: lines at the bottom of a terminal that are redrawn in place, below all other
//! output.
//!
//! Pure: it returns the text to send. The cursor always rests at the beginning of the row below the
//! lines and is never hidden, so the terminal stays usable however the process ends.

use unicode_width::UnicodeWidthStr;

/// Columns and rows of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    pub columns: usize,
    pub rows: usize,
}

/// Clears from the cursor to the end of the screen.
const CLEAR_BELOW: &str = "\u{1b}[J";
/// Clears the row of the cursor.
const CLEAR_ROW: &str = "\u{1b}[2K";

/// The lines to show, and those that are on the screen.
#[derive(Debug, Default)]
pub struct LiveRegion {
    lines: Vec<String>,
    /// The widths of the drawn lines.
    drawn: Vec<usize>,
    /// A question is shown in their place.
    held: bool,
    /// The question's line has no end yet.
    open: bool,
}

impl LiveRegion {
    /// Sets the lines for the next drawing: each shorter than the width of the terminal.
    pub fn set(&mut self, lines: Vec<String>) {
        self.lines = lines;
    }

    /// Removes the drawn lines; the cursor is then at the beginning of the first one.
    pub fn erase(&mut self, columns: usize) -> String {
        if self.drawn.is_empty() {
            return String::new();
        }
        let up = self.up(columns);
        self.drawn.clear();
        format!("{up}{CLEAR_BELOW}")
    }

    /// Draws the lines over those that were drawn before.
    pub fn draw(&mut self, columns: usize) -> String {
        if self.held || self.lines.is_empty() {
            return self.erase(columns);
        }
        let mut text = if self.drawn.is_empty() { String::new() } else { self.up(columns) };
        for line in &self.lines {
            text.push_str(&format!("{CLEAR_ROW}{line}\n"));
        }
        text.push_str(CLEAR_BELOW);
        self.drawn = self
            .lines
            .iter()
            .map(|line| anstream::adapter::strip_str(line).to_string().width())
            .collect();
        text
    }

    /// Leaves the place to a question. Returns the text to send.
    pub fn hold(&mut self, columns: usize) -> String {
        (self.held, self.open) = (true, true);
        self.erase(columns)
    }

    /// Takes the place back. `answered`: the answer has ended the question's line.
    pub fn release(&mut self, answered: bool, columns: usize) -> String {
        self.open &= !answered;
        self.held = false;
        format!("{}{}", self.line_end(), self.draw(columns))
    }

    /// Ends the line of a question before other text is written.
    pub fn line_end(&mut self) -> &'static str {
        if std::mem::take(&mut self.open) { "\n" } else { "" }
    }

    /// Moves to the beginning of the first drawn line. A terminal that has become narrower has
    /// wrapped longer lines.
    fn up(&self, columns: usize) -> String {
        let rows: usize =
            self.drawn.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum();
        format!("\r\u{1b}[{rows}A")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live_region(lines: &[&str]) -> LiveRegion {
        let mut live_region = LiveRegion::default();
        live_region.set(lines.iter().map(|line| (*line).to_owned()).collect());
        live_region
    }

    fn screen(text: &str, rows: u16, columns: u16) -> String {
        let mut terminal =
            vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        terminal.process(text.replace('\n', "\r\n").as_bytes());
        terminal.screen().contents()
    }

    #[test]
    fn lines_are_drawn_over_those_before_and_no_rest_of_them_stays() {
        let mut live_region = live_region(&["one is long", "two"]);
        let mut sent = format!("before\n{}", live_region.draw(20));
        live_region.set(vec!["1".to_owned()]);
        sent.push_str(&live_region.draw(20));
        assert_eq!(screen(&sent, 6, 20), "before\n1");
        sent.push_str(&live_region.erase(20));
        assert_eq!(screen(&sent, 6, 20), "before");
        assert_eq!(live_region.erase(20), "", "once is enough");
    }

    #[test]
    fn written_text_appears_above_the_live_region() {
        let mut live_region = live_region(&["a", "b"]);
        let mut sent = live_region.draw(20);
        for text in ["first\n", "second\n"] {
            sent.push_str(&format!("{}{text}{}", live_region.erase(20), live_region.draw(20)));
        }
        assert_eq!(screen(&sent, 6, 20), "first\nsecond\na\nb");
        assert_eq!(screen(&sent, 3, 20), "a\nb", "it scrolls as other text does");
    }

    #[test]
    fn a_question_has_the_place_for_itself() {
        let mut live_region = live_region(&["a"]);
        let mut sent = live_region.draw(20);
        sent.push_str(&live_region.hold(20));
        assert_eq!(screen(&sent, 3, 20), "");
        assert_eq!(live_region.draw(20), "");
        sent.push_str("Sure? y\n");
        sent.push_str(&live_region.release(true, 20));
        assert_eq!(screen(&sent, 3, 20), "Sure? y\na");
    }

    #[test]
    fn the_line_of_a_question_that_is_not_answered_is_ended_once() {
        let mut live_region = live_region(&["a"]);
        let mut sent = format!("{}{}Sure? ", live_region.draw(20), live_region.hold(20));
        for text in ["first\n", "second\n"] {
            sent.push_str(&format!("{}{text}", live_region.line_end()));
        }
        sent.push_str(&live_region.release(false, 20));
        assert_eq!(screen(&sent, 6, 20), "Sure? \nfirst\nsecond\na");
        let sent = format!("{}Sure? {}", live_region.hold(20), live_region.release(false, 20));
        assert_eq!(screen(&sent, 6, 20), "Sure? \na");
    }

    #[test]
    fn a_terminal_that_became_narrower_has_broken_the_lines() {
        let mut live_region = live_region(&["0123456789", "\u{1b}[1mab\u{1b}[0m", ""]);
        live_region.draw(20);
        assert_eq!(live_region.up(20), "\r\u{1b}[3A");
        assert_eq!(live_region.up(4), "\r\u{1b}[5A");
    }
}
