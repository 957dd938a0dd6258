//! Finds brackets, strings and comments of a script without parsing it, so it also works for text
//! that is incomplete or can't be parsed.

use std::ops::Range;

/// A script, or the part of it before the cursor.
#[derive(Debug, Default)]
pub struct Scan {
    pub place: CursorContext,
    /// In the order of the opening brackets.
    pub brackets: Vec<Bracket>,
    /// Strings in double quotes, with the quotes.
    pub strings: Vec<Range<usize>>,
    /// With their signs; one that ends a line without the line end.
    pub comments: Vec<Range<usize>>,
}

/// A bracket in code, by its byte. The closing bracket may be of any kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bracket {
    pub open: usize,
    pub close: Option<usize>,
}

impl Scan {
    /// The bracket that is closed at `close`.
    pub fn opened_at(&self, close: usize) -> Option<usize> {
        self.brackets.iter().find(|it| it.close == Some(close)).map(|it| it.open)
    }
}

/// The context at the end of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CursorContext {
    #[default]
    Code,
    /// In a string in double quotes, which begins after the quote at this byte.
    Quoted(usize),
    /// In a comment or a string in backticks.
    Elsewhere,
}

/// Delimiters that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpenDelimiter {
    /// A bracket in code, by its index.
    Bracket(usize),
    /// `${` in a string in backticks.
    Inserted,
    Backticks,
}

/// Scans a text.
pub fn scan(text: &str) -> Scan {
    let mut scan = Scan::default();
    let mut open: Vec<OpenDelimiter> = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let next = bytes.get(at + 1).copied();
        let in_backticks = open.last() == Some(&OpenDelimiter::Backticks);
        match bytes[at] {
            b'`' if in_backticks => drop(open.pop()),
            b'$' if in_backticks && next == Some(b'{') => {
                open.push(OpenDelimiter::Inserted);
                at += 1;
            }
            _ if in_backticks => {}
            b'`' => open.push(OpenDelimiter::Backticks),
            quote @ (b'"' | b'\'') => match end_of_quoted(bytes, at) {
                Some(end) => {
                    if quote == b'"' {
                        scan.strings.push(at..end + 1);
                    }
                    at = end;
                }
                None => {
                    scan.place = if quote == b'"' {
                        CursorContext::Quoted(at)
                    } else {
                        CursorContext::Elsewhere
                    };
                    return scan;
                }
            },
            b'/' if matches!(next, Some(b'/' | b'*')) => {
                let ending = if next == Some(b'/') { "\n" } else { "*/" };
                match text[at + 2..].find(ending) {
                    Some(length) => {
                        let kept = if ending == "\n" { 0 } else { ending.len() };
                        scan.comments.push(at..at + 2 + length + kept);
                        at += 2 + length + ending.len() - 1;
                    }
                    None => {
                        scan.comments.push(at..text.len());
                        scan.place = CursorContext::Elsewhere;
                        return scan;
                    }
                }
            }
            b'(' | b'[' | b'{' => {
                open.push(OpenDelimiter::Bracket(scan.brackets.len()));
                scan.brackets.push(Bracket { open: at, close: None });
            }
            b')' | b']' | b'}' => {
                if let Some(OpenDelimiter::Bracket(which)) = open.pop() {
                    scan.brackets[which].close = Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    if open.last() == Some(&OpenDelimiter::Backticks) {
        scan.place = CursorContext::Elsewhere;
    }
    scan
}

/// The end of the string that starts at `start`, if it is closed.
fn end_of_quoted(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            byte if byte == bytes[start] => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The name at the end of a text.
pub fn last_word(text: &str) -> &str {
    let start = text.rfind(|c: char| c != '_' && !c.is_alphanumeric());
    let start = start.map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    &text[start..]
}

/// The function whose first argument, or a list as this argument, is incomplete at the end of a
/// text: `up` in `s.up(["a", `.
pub fn function_around(text: &str) -> Option<&str> {
    let mut before = text.trim_end();
    while let Some(rest) = before.strip_suffix(',') {
        before = rest.trim_end().strip_suffix('"')?;
        before = before[..before.rfind('"')?].trim_end();
    }
    let before = before.strip_suffix('[').unwrap_or(before).trim_end();
    let name = last_word(before.strip_suffix('(')?.trim_end());
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_context_differs_in_code_strings_and_comments() {
        for (text, place) in [
            ("", CursorContext::Code),
            ("f(1", CursorContext::Code),
            ("f(\"a", CursorContext::Quoted(2)),
            ("f(\"a\\\"b", CursorContext::Quoted(2)),
            ("f(\"a\", ", CursorContext::Code),
            ("`a ${x", CursorContext::Code),
            ("`a ${ #{ a: 1 } } b", CursorContext::Elsewhere),
            ("`a` + \"", CursorContext::Quoted(6)),
            ("// it's", CursorContext::Elsewhere),
            ("// it's\nx", CursorContext::Code),
            ("/* \"", CursorContext::Elsewhere),
            ("/* \" */ x", CursorContext::Code),
            ("'\"' + x", CursorContext::Code),
            ("größe(\"", CursorContext::Quoted(8)),
        ] {
            assert_eq!(scan(text).place, place, "{text}");
        }
    }

    #[test]
    fn brackets_find_their_beginning_past_those_in_texts() {
        let text = "a(b(\")\"), `${c(1)}`)";
        let scan = scan(text);
        assert_eq!(scan.opened_at(text.len() - 1), Some(1));
        assert_eq!(scan.opened_at(7), Some(3));
        assert_eq!(scan.strings.first(), Some(&(4..7)));
    }

    #[test]
    fn the_function_around_a_name_is_found() {
        for (text, function) in [
            ("service(", Some("service")),
            ("x.up([", Some("up")),
            ("x.up( [ \"a\" , \"b\",", Some("up")),
            ("x.exec(\"a\", ", Some("exec")),
            ("let x = ", None),
            ("[\"a\", ", None),
            ("(", None),
        ] {
            assert_eq!(function_around(text), function, "{text}");
        }
    }
}
