//! Recognizes habits from other languages behind syntax errors. The parser only reports what it
//! expected, often at another position.

use rhai::{LexError, ParseErrorType, Position};

use super::delimiters::{Bracket, Scan, scan};
use super::foreign_syntax;
use crate::model::{Failure, position};

/// The mistake behind a syntax error of `text` at `position`, with its own position.
pub fn find(text: &str, error: &ParseErrorType, position: Position) -> Option<(Failure, Position)> {
    let at = position::offset(text, position.line()?, position.position().unwrap_or(1));
    if let ParseErrorType::BadInput(LexError::MalformedChar(content)) = error {
        return Some((single_quotes(content), position));
    }
    let scan = scan(text);
    let (failure, place) = quotes_in_quotes(text, &scan, at)
        .or_else(|| missing_hash(text, &scan, at))
        .or_else(|| unclosed(text, &scan, error, at))
        .or_else(|| foreign_syntax::find(text, &scan, error, at))?;
    Some((failure, place_of(text, place)))
}

fn place_of(text: &str, offset: usize) -> Position {
    let (line, column) = position::position(text, offset);
    let short = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    Position::new(short(line), short(column))
}

/// `'text'`: single quotes are for one character.
fn single_quotes(content: &str) -> Failure {
    Failure::usage(format!("Single quotes hold one character, not \"{content}\""))
        .hint(format!("write text in double quotes: {content:?}"))
}

/// `"… ${env("NAME")} …"`: the text ends at the inner quote.
fn quotes_in_quotes(text: &str, scan: &Scan, at: usize) -> Option<(Failure, usize)> {
    let string = scan.strings.iter().rev().find(|string| string.end <= at)?;
    let between = &text[string.end..at];
    let goes_on = text[string.end..].starts_with(|c: char| c == '_' || c.is_alphanumeric());
    let content = &text[string.clone()];
    let is_open = content.rfind("${").is_some_and(|start| !content[start..].contains('}'));
    (is_open && goes_on && !between.contains('\n')).then(|| {
        let failure = Failure::usage("The text ends at the quote inside of \"${…}\"");
        let hint = "write the text in backticks, which also fill \"${…}\" in: `… ${name(\"x\")} …`";
        (failure.hint(hint), string.start)
    })
}

/// `{ key: value }`: a map begins with `#{`.
fn missing_hash(text: &str, scan: &Scan, at: usize) -> Option<(Failure, usize)> {
    let around = |it: &&Bracket| it.open < at && it.close.is_none_or(|close| close >= at);
    let bracket = scan.brackets.iter().rev().find(around)?;
    let key = text[bracket.open..at].strip_prefix('{')?.trim();
    let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    let is_key = !key.is_empty() && !key.contains(['"', '\n', ' ', '(', ';']);
    let is_pair = text[at..].starts_with(':') && !text[at..].starts_with("::");
    (is_key && is_pair && !text[..bracket.open].ends_with('#')).then(|| {
        let failure = Failure::usage("A map begins with \"#{\", not with \"{\"");
        (failure.hint(format!("write #{{ {key}: … }}")), bracket.open)
    })
}

/// A bracket that nothing closes. If a closing bracket is indented like another line, it was
/// probably meant for another bracket.
fn unclosed(
    text: &str,
    scan: &Scan,
    error: &ParseErrorType,
    at: usize,
) -> Option<(Failure, usize)> {
    let is_end = text[at..].trim().is_empty();
    let wants_closing = match error {
        ParseErrorType::MissingToken(token, _) => ["}", "]", ")"].contains(&token.as_str()),
        ParseErrorType::UnexpectedEOF => true,
        _ => false,
    };
    let byte = |at: usize| text.as_bytes()[at];
    let is_closed = |it: &Bracket| {
        it.close.is_some_and(|close| {
            matches!((byte(it.open), byte(close)), (b'(', b')') | (b'[', b']') | (b'{', b'}'))
        })
    };
    let closes_another = scan.brackets.iter().any(|it| it.close == Some(at) && !is_closed(it));
    if !wants_closing && !is_end && !closes_another {
        return None;
    }
    let open = scan.brackets.iter().rev().filter(|it| it.open < at).find(|it| !is_closed(it))?;
    let lines = Lines::of(text);
    let indented_alike = scan.brackets.iter().filter_map(|it| {
        let close = it.close.filter(|close| it.open > open.open && lines.begins(*close))?;
        (lines.indent(close) < lines.indent(it.open)).then_some((it.open, close))
    });
    let by_indent = indented_alike.min_by_key(|(_, close)| *close);
    let (start, before) = match by_indent {
        Some((start, close)) => (start, Some(close)),
        // On one line the parser's own position is good enough.
        None if !is_end && !text[open.open..at].contains('\n') => return None,
        None => (open.open, open.close.or((!is_end).then_some(at))),
    };
    let opening = match byte(start) {
        b'(' => "(",
        b'[' => "[",
        _ if text[..start].ends_with('#') => "#{",
        _ => "{",
    };
    let closing = closing_of(byte(start)).to_string();
    // The others that are open there too, outwards to the one that the bracket at `before` closes.
    let outer: Vec<char> = before
        .filter(|_| by_indent.is_none())
        .map(|before| {
            let is_open = |it: &&Bracket| {
                it.open < start && !(is_closed(it) && it.close.is_some_and(|at| at < before))
            };
            let kinds =
                scan.brackets.iter().rev().filter(is_open).map(|it| closing_of(byte(it.open)));
            let kinds: Vec<char> = kinds.collect();
            let own = kinds.iter().position(|kind| *kind == char::from(byte(before)));
            kinds[..own.unwrap_or(0)].to_vec()
        })
        .unwrap_or_default();
    let missing: String = closing.chars().chain(outer.iter().copied()).collect();
    let open = match outer.len() {
        0 => String::new(),
        more => format!(": {} brackets are open there", more + 1),
    };
    let failure = Failure::usage(format!("Nothing closes this \"{opening}\""));
    let hint = match before {
        Some(before) => {
            let (line, _) = position::position(text, before);
            let next = char::from(byte(before));
            format!("write \"{missing}\" before the \"{next}\" in line {line}{open}")
        }
        None => format!("write \"{missing}\" at its end"),
    };
    Some((failure.hint(hint), start - (opening.len() - 1)))
}

/// The bracket that closes this one.
const fn closing_of(opening: u8) -> char {
    match opening {
        b'(' => ')',
        b'[' => ']',
        _ => '}',
    }
}

/// For each line, its beginning and its first character that is not a space.
struct Lines(Vec<(usize, usize)>);

impl Lines {
    fn of(text: &str) -> Self {
        let mut start = 0;
        let lines = text.split_inclusive('\n').map(|line| {
            let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
            let places = (start, start + blank);
            start += line.len();
            places
        });
        Self(lines.collect())
    }

    fn line(&self, at: usize) -> (usize, usize) {
        self.0[self.0.partition_point(|(start, _)| *start <= at).saturating_sub(1)]
    }

    /// The indentation of this byte's line.
    fn indent(&self, at: usize) -> usize {
        let (start, first) = self.line(at);
        first - start
    }

    /// Whether a line begins at this byte.
    fn begins(&self, at: usize) -> bool {
        self.line(at).1 == at
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn found(text: &str) -> String {
        let engine = rhai::Engine::new();
        let rhai::ParseError(kind, place) = engine.compile(text).unwrap_err();
        let place = if place.is_none() { place_of(text, text.trim_end().len()) } else { place };
        match find(text, &kind, place) {
            Some((failure, place)) => format!(
                "{}:{} {} | {}",
                place.line().unwrap(),
                place.position().unwrap(),
                failure.message,
                failure.hint.unwrap()
            ),
            None => "none".to_owned(),
        }
    }

    #[test]
    fn a_map_without_its_hash_is_found_where_it_begins() {
        for (text, expected) in [
            ("f(\"m\", { services: 1 });", "1:8 | write #{ services: … }"),
            ("let x = #{ a: { b: 1 } };", "1:15 | write #{ b: … }"),
            ("let x = { \"b\": 1 };", "1:9 | write #{ b: … }"),
            ("let x =\n    {\n        b: #{},\n    };", "2:5 | write #{ b: … }"),
        ] {
            let (place, hint) = expected.split_once(' ').unwrap();
            let expected = format!("{place} A map begins with \"#{{\", not with \"{{\" {hint}");
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn quotes_of_the_wrong_kind_lead_to_the_right_one() {
        assert_eq!(
            found("print('hello');"),
            "1:7 Single quotes hold one character, not \"hello\" | write text in double quotes: \"hello\""
        );
        let nested = "The text ends at the quote inside of \"${…}\" | write the text in backticks, which also fill \"${…}\" in: `… ${name(\"x\")} …`";
        assert_eq!(found("print(\"a: ${env(\"X\", \"y\")}\");"), format!("1:7 {nested}"));
        assert_eq!(found("let x = [\"${m[\"a\"]}\"];"), format!("1:10 {nested}"));
    }

    #[test]
    fn an_unclosed_bracket_is_reported_where_it_opens() {
        for (text, expected) in [
            (
                "f(#{\n    a: #{\n        b: #{ c: 1,\n    },\n});\ng();\n",
                "3:12 Nothing closes this \"#{\" | write \"}\" before the \"}\" in line 4",
            ),
            (
                "fn f() {\n    if true {\n        g(1);\n}\nf();\n",
                "2:13 Nothing closes this \"{\" | write \"}\" before the \"}\" in line 4",
            ),
            (
                "f(\"a\", #{ b: #{\n    c: #{ d: 1 },\n);\n",
                "1:14 Nothing closes this \"#{\" | write \"}}\" before the \")\" in line 3: 2 brackets are open there",
            ),
            ("fn f() {\n    1\n", "1:8 Nothing closes this \"{\" | write \"}\" at its end"),
            (
                "f(#{\n    a: 1\n    }\n});\nif b { c() }\nf(\n",
                "1:2 Nothing closes this \"(\" | write \")\" before the \"}\" in line 4",
            ),
            ("f(1, 2", "1:2 Nothing closes this \"(\" | write \")\" at its end"),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn other_errors_are_left_to_the_parser() {
        for text in ["let a = 1 let b = 2;", "let x = (1;\nf(y);", "if a = 1 { f() }", "let 1 = 2;"]
        {
            assert_eq!(found(text), "none", "{text}");
        }
    }
}
