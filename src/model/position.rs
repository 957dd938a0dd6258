//! Bytes of a text ↔ lines and columns.

/// Line and column of a byte of `text`, both from 1, the column in characters.
///
/// `offset` must lie on a character's boundary.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_has_its_line_and_a_column_in_characters() {
        let text = "a\r\néb\n";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, text.find('b').unwrap()), (2, 2));
        assert_eq!(position(text, text.len()), (3, 1));
    }
}
