//! Converts between bytes of a text and lines and columns.

/// Line and column of a byte of `text`. Both count from 1, and the column counts characters.
///
/// `offset` must be on the boundary of a character.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The byte of `text` at a line and column, as [`position`] returns them. Beyond the end of the
/// line or of the text, this end.
pub fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.clone().take(line.saturating_sub(1)).map(str::len).sum();
    let line = lines.clone().nth(line.saturating_sub(1)).unwrap_or_default();
    before + line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(byte, _)| byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_a_column_lead_back_to_the_byte() {
        let text = "a\r\néb\n\nend";
        for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let (line, column) = position(text, at);
            assert_eq!(offset(text, line, column), at, "{at}");
        }
        assert_eq!(offset(text, 9, 1), text.len());
    }

    #[test]
    fn a_byte_has_its_line_and_a_column_in_characters() {
        let text = "a\r\néb\n";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, text.find('b').unwrap()), (2, 2));
        assert_eq!(position(text, text.len()), (3, 1));
    }
}
