//! Comments that are opened and never closed. Rhai treats the rest of the file as the comment, and
//! reports nothing.

use rhai::{Engine, Position};

use crate::model::{Failure, position};

/// The failure for an unclosed comment in `text`, and the position where the comment begins.
pub fn unclosed(text: &str) -> Option<(Failure, Position)> {
    let at = unclosed_at(text)?;
    let (line, column) = position::position(text, at);
    let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    let failure = Failure::usage("The comment is not closed: nothing after it is read")
        .hint("end it with \"*/\"");
    Some((failure, Position::new(short(line), short(column))))
}

fn unclosed_at(text: &str) -> Option<usize> {
    let (at, depth) = text.contains("/*").then(|| scan(text)).flatten()?;
    // If Rhai reads the text in another way than this scan, Rhai is right.
    let compiles = |text: &str| Engine::new_raw().compile(text).is_ok();
    (compiles(&format!("{text}\n{}", "*/".repeat(depth))) || !compiles(text)).then_some(at)
}

/// What is open at a position.
#[derive(PartialEq, Eq)]
enum OpenDelimiter {
    Brace,
    Backticks,
}

/// The start of the unclosed comment in which the text ends, and the number of comments that are
/// open there.
fn scan(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut open: Vec<OpenDelimiter> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let next = bytes.get(at + 1).copied();
        match bytes[at] {
            b'`' if open.last() == Some(&OpenDelimiter::Backticks) => drop(open.pop()),
            b'$' if open.last() == Some(&OpenDelimiter::Backticks) && next == Some(b'{') => {
                open.push(OpenDelimiter::Brace);
                at += 1;
            }
            _ if open.last() == Some(&OpenDelimiter::Backticks) => {}
            b'`' => open.push(OpenDelimiter::Backticks),
            b'{' => open.push(OpenDelimiter::Brace),
            b'}' => drop(open.pop()),
            quote @ (b'"' | b'\'') => at = end_of_quoted(bytes, at, quote)?,
            b'/' if next == Some(b'/') => at += text[at..].find('\n')?,
            b'/' if next == Some(b'*') => match end_of_comment(bytes, at + 2) {
                Ok(end) => at = end,
                Err(depth) => return Some((at, depth)),
            },
            _ => {}
        }
        at += 1;
    }
    None
}

/// The end of the string that starts at `start`.
fn end_of_quoted(bytes: &[u8], start: usize, quote: u8) -> Option<usize> {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at < bytes.len()).then_some(at)
}

/// The last byte of the comment with content from `start` on. Comments may be nested. If the text
/// ends inside the comment, returns the number of open comments.
fn end_of_comment(bytes: &[u8], start: usize) -> Result<usize, usize> {
    let (mut depth, mut at) = (1, start);
    while at + 1 < bytes.len() {
        match (bytes[at], bytes[at + 1]) {
            (b'/', b'*') => {
                depth += 1;
                at += 1;
            }
            (b'*', b'/') => {
                depth -= 1;
                at += 1;
                if depth == 0 {
                    return Ok(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_that_is_not_closed_is_found_where_it_begins() {
        for (text, place) in [
            ("let a = 1;\n  /* never\nclosed\nprint(a);\n", (2, 3)),
            ("if true {\n/* x\n}\n", (2, 1)),
            ("/* a /* b */ c", (1, 1)),
            ("/* */ let s = \"*/\"; /* x", (1, 21)),
            ("let s = `a ${ 1 /* x", (1, 17)),
        ] {
            let (_, found) = unclosed(text).expect(text);
            assert_eq!((found.line(), found.position()), (Some(place.0), Some(place.1)), "{text}");
        }
    }

    #[test]
    fn comment_signs_in_strings_and_comments_open_no_comment() {
        for text in [
            "/* a /* b */ c */ let a = 1;",
            "let s = \"/*\";",
            "let s = `/* ${ \"/*\" } /*`;",
            "let c = '\"'; // /*\nlet d = 1;",
            "// it's /* not one",
            "let s = #\"\\ /* \"#; let t = 1;",
            "let a = 4 / 2;",
        ] {
            assert!(unclosed(text).is_none(), "{text}");
        }
    }
}
