//! Words and signs of other languages where Rhai has its own: `elif`, `and`, `# comment`, `f"…"`; and
//! the semicolon that other languages don't need.

use rhai::ParseErrorType;

use super::delimiters::last_word;
use crate::model::{Failure, position};

/// What is written in another language's way at `at`, with its place; `error` is what the parser
/// says there.
pub fn find(text: &str, error: &ParseErrorType, at: usize) -> Option<(Failure, usize)> {
    word(text, at)
        .or_else(|| comment(text, at))
        .or_else(|| prefixed_text(text, at))
        .or_else(|| sign(text, at))
        .or_else(|| missing_semicolon(text, error, at))
}

/// The words that another one is written for here: at the place of the error, or the last before.
const WORDS: &[(&str, &str)] = &[
    ("elif", "else if"),
    ("elsif", "else if"),
    ("elseif", "else if"),
    ("and", "&&"),
    ("or", "||"),
    ("not", "!"),
    ("def", "fn"),
    ("func", "fn"),
    ("function", "fn"),
    ("var", "let"),
    ("foreach", "for"),
];

fn word(text: &str, at: usize) -> Option<(Failure, usize)> {
    let before = text[..at].trim_end();
    let previous = last_word(before);
    let here = &text[at..];
    let end = here.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(here.len());
    let candidates = [(&here[..end], at), (previous, before.len() - previous.len())];
    candidates.into_iter().find_map(|(word, place)| {
        let (_, own) = WORDS.iter().find(|(foreign, _)| *foreign == word)?;
        let failure = Failure::usage(format!("\"{word}\" is no word of Rhai"));
        Some((failure.hint(format!("write {own}")), place))
    })
}

/// `# text`.
fn comment(text: &str, at: usize) -> Option<(Failure, usize)> {
    let begins_line = text[..at].rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
    let is_hash = text[at..].starts_with('#') && !text[at..].starts_with("#{");
    let is_comment = is_hash && (begins_line || text[at..].starts_with("# "));
    is_comment.then(|| (Failure::usage("A comment begins with \"//\"").hint("write // for #"), at))
}

/// `f"…"`: a text that another language fills in.
fn prefixed_text(text: &str, at: usize) -> Option<(Failure, usize)> {
    let prefix = last_word(&text[..at]);
    (text[at..].starts_with('"') && ["f", "r", "b", "u"].contains(&prefix)).then(|| {
        let failure =
            Failure::usage(format!("A text has no letter such as \"{prefix}\" before it"));
        let hint = "write the text in backticks, which fill \"${…}\" in: `… ${name} …`";
        let failure = if prefix == "f" { failure.hint(hint) } else { failure.hint("remove it") };
        (failure, at - prefix.len())
    })
}

/// `===`, `a++`.
fn sign(text: &str, at: usize) -> Option<(Failure, usize)> {
    let signs = [("===", "=="), ("!==", "!="), ("++", "+= 1"), ("--", "-= 1"), ("<>", "!=")];
    let (sign, own) = signs.into_iter().find(|(sign, _)| text[at..].starts_with(sign))?;
    let failure = Failure::usage(format!("\"{sign}\" is no sign of Rhai"));
    Some((failure.hint(format!("write {own}")), at))
}

/// The parser names the place of what comes after it.
fn missing_semicolon(text: &str, error: &ParseErrorType, at: usize) -> Option<(Failure, usize)> {
    let ParseErrorType::MissingToken(token, _) = error else { return None };
    let before = code_end(&text[..at]);
    if token != ";" || !text[before..at].contains('\n') || text[at..].trim().is_empty() {
        return None;
    }
    let (line, _) = position::position(text, before);
    let failure = Failure::usage("A \";\" is missing at the end of this line")
        .hint(format!("write \";\" at the end of line {line}"));
    Some((failure, before))
}

/// Where the last code before ends: blanks and whole-line comments after it are none.
fn code_end(text: &str) -> usize {
    let mut end = text.trim_end().len();
    while let Some(start) = text[..end].rfind('\n').map(|at| at + 1) {
        if !text[start..end].trim_start().starts_with("//") {
            break;
        }
        end = text[..start].trim_end().len();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::super::common_mistakes::tests::found;

    #[test]
    fn words_and_signs_of_other_languages_lead_to_rhais_own() {
        for (text, expected) in [
            ("if a { f() } elif b { g() }", "1:14 \"elif\" is no word of Rhai | write else if"),
            ("if a and b { f() }", "1:6 \"and\" is no word of Rhai | write &&"),
            ("let c = a or b;", "1:11 \"or\" is no word of Rhai | write ||"),
            ("let c = not b;", "1:9 \"not\" is no word of Rhai | write !"),
            ("def f() { 1 }", "1:1 \"def\" is no word of Rhai | write fn"),
            ("function f() { 1 }", "1:1 \"function\" is no word of Rhai | write fn"),
            ("# start\nf();", "1:1 A comment begins with \"//\" | write // for #"),
            ("f(); # start", "1:6 A comment begins with \"//\" | write // for #"),
            (
                "print(f\"{a}\");",
                "1:7 A text has no letter such as \"f\" before it | write the text in backticks, which fill \"${…}\" in: `… ${name} …`",
            ),
            ("if a === b { f() }", "1:6 \"===\" is no sign of Rhai | write =="),
            ("let a = 1;\na++;", "2:2 \"++\" is no sign of Rhai | write += 1"),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_semicolon_is_found_at_the_end_of_its_line() {
        let expected = |place: &str, line: usize| {
            format!(
                "{place} A \";\" is missing at the end of this line | write \";\" at the end of line {line}"
            )
        };
        assert_eq!(found("let a = 1\nlet b = 2;"), expected("1:10", 1));
        assert_eq!(found("f()\n\n// about g\n// more\ng();"), expected("1:4", 1));
        assert_eq!(found("fn f() {\n    let a = [\n    ]\n    a\n}"), expected("3:6", 3));
        assert_eq!(found("let a = 1 let b = 2;"), "none");
    }
}
