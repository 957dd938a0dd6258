//! Words and signs of other languages where Rhai has its own: `elif`, `and`, `# comment`, `f"…"`;
//! and the semicolon that other languages don't need.

use rhai::ParseErrorType;

use super::delimiters::{Scan, last_word};
use crate::model::{Failure, position};

/// Finds syntax of another language at `at`. Returns the failure and its position. `error` is the
/// parser's error.
pub fn find(
    text: &str,
    scan: &Scan,
    error: &ParseErrorType,
    at: usize,
) -> Option<(Failure, usize)> {
    word(text, scan, error, at)
        .or_else(|| comment(text, at))
        .or_else(|| prefixed_text(text, at))
        .or_else(|| sign(text, at))
        .or_else(|| missing_semicolon(text, scan, error, at))
}

/// Words of other languages, and Rhai's own.
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

/// A word at the place of the error, or the last one before it in its line.
fn word(text: &str, scan: &Scan, error: &ParseErrorType, at: usize) -> Option<(Failure, usize)> {
    let here = &text[at..];
    let end = here.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(here.len());
    let mut candidates = vec![(&here[..end], at)];
    let code = code_end(text, scan, at);
    // An unknown variable is the mistake itself.
    if !matches!(error, ParseErrorType::VariableUndefined(_)) && !text[code..at].contains('\n') {
        let previous = last_word(&text[..code]);
        candidates.push((previous, code - previous.len()));
    }
    candidates.into_iter().find_map(|(word, place)| {
        let (_, own) = WORDS.iter().find(|(foreign, _)| *foreign == word)?;
        let failure = Failure::usage(format!("Rhai has no \"{word}\""));
        Some((failure.hint(format!("write \"{own}\"")), place))
    })
}

/// `# text`.
fn comment(text: &str, at: usize) -> Option<(Failure, usize)> {
    let begins_line = text[..at].rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
    let is_hash = text[at..].starts_with('#') && !text[at..].starts_with("#{");
    let is_comment = is_hash && (begins_line || text[at..].starts_with("# "));
    is_comment.then(|| {
        let failure = Failure::usage("A comment begins with \"//\", not with \"#\"");
        (failure.hint("write \"//\""), at)
    })
}

/// `f"…"`: a text that another language fills in.
fn prefixed_text(text: &str, at: usize) -> Option<(Failure, usize)> {
    let prefix = last_word(&text[..at]);
    (text[at..].starts_with('"') && ["f", "r", "b", "u"].contains(&prefix)).then(|| {
        let failure = Failure::usage(format!("Rhai has no strings of the form {prefix}\"…\""));
        let hint = if prefix == "f" {
            "remove the letter, and write backticks, which insert values: `… ${name} …`"
        } else {
            "remove the letter"
        };
        (failure.hint(hint), at - prefix.len())
    })
}

/// `===`, `a++`.
fn sign(text: &str, at: usize) -> Option<(Failure, usize)> {
    let signs = [("===", "=="), ("!==", "!="), ("++", "+= 1"), ("--", "-= 1")];
    let (sign, own) = signs.into_iter().find(|(sign, _)| text[at..].starts_with(sign))?;
    let failure = Failure::usage(format!("Rhai has no \"{sign}\""));
    Some((failure.hint(format!("write \"{own}\"")), at))
}

/// A missing semicolon. The parser reports the position of the next token.
fn missing_semicolon(
    text: &str,
    scan: &Scan,
    error: &ParseErrorType,
    at: usize,
) -> Option<(Failure, usize)> {
    let ParseErrorType::MissingToken(token, _) = error else { return None };
    let code = code_end(text, scan, at);
    if token != ";" || !text[code..at].contains('\n') || text[at..].trim().is_empty() {
        return None;
    }
    let (line, _) = position::position(text, code);
    let rest = text[code..at].split('\n').next().unwrap_or_default();
    let hint = if rest.trim().is_empty() {
        format!("write \";\" at the end of line {line}")
    } else {
        format!("write \";\" before the comment in line {line}")
    };
    Some((Failure::usage("A \";\" is missing here").hint(hint), code))
}

/// The end of the last code before `at`, without spaces and comments.
fn code_end(text: &str, scan: &Scan, at: usize) -> usize {
    let mut end = text[..at].trim_end().len();
    for comment in scan.comments.iter().rev() {
        if comment.start < end && end <= comment.end {
            end = text[..comment.start].trim_end().len();
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::super::common_mistakes::tests::found;

    #[test]
    fn words_and_signs_of_other_languages_lead_to_rhais_own() {
        for (text, expected) in [
            ("if a { f() } elif b { g() }", "1:14 Rhai has no \"elif\" | write \"else if\""),
            ("if a and b { f() }", "1:6 Rhai has no \"and\" | write \"&&\""),
            ("let c = a or b;", "1:11 Rhai has no \"or\" | write \"||\""),
            ("let c = not b;", "1:9 Rhai has no \"not\" | write \"!\""),
            ("def f() { 1 }", "1:1 Rhai has no \"def\" | write \"fn\""),
            ("function f() { 1 }", "1:1 Rhai has no \"function\" | write \"fn\""),
            ("# start\nf();", "1:1 A comment begins with \"//\", not with \"#\" | write \"//\""),
            ("f(); # start", "1:6 A comment begins with \"//\", not with \"#\" | write \"//\""),
            (
                "print(f\"{a}\");",
                "1:7 Rhai has no strings of the form f\"…\" | remove the letter, and write backticks, which insert values: `… ${name} …`",
            ),
            ("if a === b { f() }", "1:6 Rhai has no \"===\" | write \"==\""),
            ("let a = 1;\na++;", "2:2 Rhai has no \"++\" | write \"+= 1\""),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }

    #[test]
    fn a_missing_semicolon_is_found_at_the_end_of_its_code() {
        let expected = |place: &str, fix: &str, line: usize| {
            format!("{place} A \";\" is missing here | write \";\" {fix} line {line}")
        };
        let at_end = "at the end of";
        assert_eq!(found("let a = 1\nlet b = 2;"), expected("1:10", at_end, 1));
        assert_eq!(found("f()\n\n// about g\n// more\ng();"), expected("1:4", at_end, 1));
        assert_eq!(found("fn f() {\n    let a = [\n    ]\n    a\n}"), expected("3:6", at_end, 3));
        assert_eq!(found("let a = `x\n// y`\nf();"), expected("2:6", at_end, 2));
        let before = "before the comment in";
        assert_eq!(found("let a = 1 // one\nf();"), expected("1:10", before, 1));
        assert_eq!(found("let a = 1 /* one */\n// two\nf();"), expected("1:10", before, 1));
        assert_eq!(found("let a = 1 let b = 2;"), "none");
    }

    #[test]
    fn words_in_comments_and_in_other_lines_are_no_mistakes() {
        for (word, _) in super::WORDS {
            let semicolon = found(&format!("let a = \"x\"\n// it is {word}\nf();"));
            assert!(semicolon.contains("A \";\" is missing here"), "{word}: {semicolon}");
            for text in [
                format!("// {word}\nlet 1 = 2;"),
                format!("/* {word} */ let 1 = 2;"),
                format!("let a = \"{word}\"; let 1 = 2;"),
            ] {
                assert_eq!(found(&text), "none", "{text}");
            }
        }
    }
}
