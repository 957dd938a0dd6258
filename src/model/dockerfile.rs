//! The text of a Dockerfile, cut into instructions as the builder cuts it.

mod doubtful;
mod downloads;
mod frontend;
mod labels;

pub use doubtful::{hides_server, possible_bases, possible_downloads, possible_frontends};
pub use downloads::{Download, downloads};
pub use frontend::{FRONTEND, SYNTAX_ARGUMENT, is_frontend_of_docker};
pub use labels::{ReservedLabel, reserved_label};

/// One instruction as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it begins, from 1.
    pub number: usize,
    /// Continued lines joined, comments between them left out; of a heredoc the line that opens
    /// it.
    pub text: String,
}

/// The instructions of a Dockerfile: comments, parser directives and the bodies of heredocs left
/// out.
pub fn lines(text: &str) -> Vec<Line> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let escape = escape(text);
    let mut all = Vec::new();
    let mut open: Option<Line> = None;
    let mut source = text.lines().enumerate();
    while let Some((at, line)) = source.next() {
        let shown = line.trim();
        if shown.is_empty() || shown.starts_with('#') {
            continue;
        }
        let mut instruction = open.take().unwrap_or(Line { number: at + 1, text: String::new() });
        // Only what an instruction begins with is no part of it.
        let part = if instruction.text.is_empty() { shown } else { line.trim_end() };
        if let Some(part) = part.strip_suffix(escape) {
            instruction.text += part;
            open = Some(instruction);
            continue;
        }
        instruction.text += part;
        for heredoc in heredocs(&instruction.text) {
            let ends = |line: &str| {
                if heredoc.tabs {
                    line.trim_start_matches('\t') == heredoc.end
                } else {
                    line == heredoc.end
                }
            };
            source.by_ref().find(|(_, line)| ends(line));
        }
        all.push(instruction);
    }
    all.extend(open);
    all
}

/// What continues a line: `# escape=` among the directives at the very beginning may change it.
fn escape(text: &str) -> char {
    if directive(text, "escape") == Some("`") { '`' } else { '\\' }
}

/// Whether the Dockerfile names the frontend that reads it (`# syntax=`), so that it is not the
/// builder's own.
pub fn has_own_frontend(text: &str) -> bool {
    directive(text, "syntax").is_some()
}

/// The value of a parser directive, which stands at the very beginning.
fn directive<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    let directives = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .lines()
        .map_while(|line| line.trim().strip_prefix('#')?.split_once('='));
    directives
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.trim())
        .next()
}

struct Heredoc {
    end: String,
    /// `<<-`: tabs before the end do not count.
    tabs: bool,
}

/// The heredocs that an instruction opens, in order: only those that copy or run can.
fn heredocs(line: &str) -> Vec<Heredoc> {
    let mut words = line.split_whitespace();
    let mut name = words.next().unwrap_or_default();
    if name.eq_ignore_ascii_case("ONBUILD") {
        name = words.next().unwrap_or_default();
    }
    if !["ADD", "COPY", "RUN"].iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Vec::new();
    }
    words.filter_map(heredoc).collect()
}

fn heredoc(word: &str) -> Option<Heredoc> {
    let rest = word.trim_start_matches(|digit: char| digit.is_ascii_digit()).strip_prefix("<<")?;
    let (tabs, end) = rest.strip_prefix('-').map_or((false, rest), |end| (true, end));
    let end: String = end.chars().filter(|character| !matches!(character, '"' | '\'')).collect();
    (!end.is_empty() && !end.contains('<')).then_some(Heredoc { end, tabs })
}

/// Bytes by which variables may lengthen a text: what is longer names nothing. Without a limit, few
/// lines that repeat each other would fill all memory.
const LONGEST: usize = 4 << 10;
/// Defaults of variables inside each other.
const DEPTH: usize = 16;

/// `text` with its variables filled in: `$NAME`, `${NAME}`, and with `:-`, `-`, `:+`, `+`, `:?` or
/// `?` and a word. Nothing where one has no value, is written in a way that is not known here, or
/// makes too long a text.
pub fn filled(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    fill(text, value, 0)
}

/// The value, if it is one that names something.
pub fn short(value: String) -> Option<String> {
    (value.len() <= LONGEST).then_some(value)
}

fn fill(text: &str, value: &dyn Fn(&str) -> Option<String>, depth: usize) -> Option<String> {
    if depth > DEPTH {
        return None;
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.find(['$', '\\']).map(|at| rest.split_at(at)) {
        out.push_str(before);
        rest = if let Some(escaped) = after.strip_prefix('\\') {
            // Only a dollar is escaped here: the rest is the instruction's own.
            let (middle, after) =
                escaped.strip_prefix('$').map_or(('\\', escaped), |after| ('$', after));
            out.push(middle);
            after
        } else {
            let after = after.strip_prefix('$').unwrap_or(after);
            let (middle, after) = variable(after, value, depth)?;
            out.push_str(&middle);
            after
        };
        if out.len() > text.len() + LONGEST {
            return None;
        }
    }
    out.push_str(rest);
    Some(out)
}

/// What a variable stands for, of which `after` is what follows the dollar; and what follows it.
fn variable<'t>(
    after: &'t str,
    value: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Option<(String, &'t str)> {
    if let Some(inside) = after.strip_prefix('{') {
        let (inside, after) = inside.split_at(closing(inside)?);
        return Some((expanded(inside, value, depth)?, after.strip_prefix('}')?));
    }
    let (name, after) = after.split_at(name_end(after));
    if name.is_empty() { Some(("$".to_owned(), after)) } else { Some((value(name)?, after)) }
}

fn name_end(text: &str) -> usize {
    text.find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .unwrap_or(text.len())
}

/// Where the brace that was opened before `text` is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// What stands between braces.
fn expanded(inside: &str, value: &dyn Fn(&str) -> Option<String>, depth: usize) -> Option<String> {
    let (name, rest) = inside.split_at(name_end(inside));
    let (is_strict, operator) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
    let found = value(name);
    let set = found.clone().filter(|value| !is_strict || !value.is_empty());
    let word = operator.get(1..).unwrap_or_default();
    match operator.chars().next() {
        None if rest.is_empty() && !name.is_empty() => found,
        Some('-') => set.map_or_else(|| fill(word, value, depth + 1), Some),
        Some('+') => {
            if set.is_some() {
                fill(word, value, depth + 1)
            } else {
                Some(String::new())
            }
        }
        Some('?') => set,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        lines(text).into_iter().map(|line| format!("{} {}", line.number, line.text)).collect()
    }

    #[test]
    fn continued_lines_are_joined_and_comments_left_out() {
        let text = "\u{feff}# syntax=docker/dockerfile:1\n\nFROM a\n  RUN one && \\  \n    # why\n\n    two\nENV A=1\\\n B=2\n";
        assert_eq!(texts(text), ["3 FROM a", "4 RUN one &&     two", "8 ENV A=1 B=2"]);
        assert_eq!(
            texts("# escape=`\nRUN a `\n  b\nRUN c \\\nUSER d"),
            ["2 RUN a   b", "4 RUN c \\", "5 USER d"]
        );
        assert_eq!(texts("RUN a \\"), ["1 RUN a "]);
    }

    #[test]
    fn a_frontend_is_named_at_the_very_beginning_only() {
        assert!(has_own_frontend("# escape=`\n# syntax = docker/dockerfile:1\nFROM a"));
        assert!(
            !has_own_frontend("FROM a\n# syntax=docker/dockerfile:1")
                && !has_own_frontend("# a note\n# syntax=x\nFROM a")
        );
    }

    #[test]
    fn the_body_of_a_heredoc_is_no_instruction() {
        let text = "FROM a\nRUN <<EOF\nFROM b\n# c\n EOF\nEOF\nCOPY --chmod=644 <<-\"one\" <<two /d/\nx\n\tone\ny\ntwo\nRUN 3<<E cat && echo $((1<<2)) <<<E\nE\nonbuild run <<E\nx\nE\nUSER d\nENV A=<<B\nUSER e";
        let expected = [
            "1 FROM a",
            "2 RUN <<EOF",
            "7 COPY --chmod=644 <<-\"one\" <<two /d/",
            "12 RUN 3<<E cat && echo $((1<<2)) <<<E",
            "14 onbuild run <<E",
            "17 USER d",
            "18 ENV A=<<B",
            "19 USER e",
        ];
        assert_eq!(texts(text), expected);
        assert_eq!(texts("RUN <<EOF\nnever closed"), ["1 RUN <<EOF"]);
    }

    #[test]
    fn variables_are_filled_in_and_what_is_not_known_is_not_guessed() {
        let value = |name: &str| match name {
            "A" => Some("1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let cases = [
            ("x$A-${A}y", Some("x1-1y")),
            ("${EMPTY:-d}${EMPTY-d}${NO-e}${NO:-${A}}", Some("de1")),
            ("${A:+set}${NO+set}${A:?why}", Some("set1")),
            (r"\$A $ a\b", Some(r"$A $ a\b")),
            ("$NO", None),
            ("${A#1}", None),
            ("${A", None),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text, &value).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_text_of_nothing_but_variables_is_filled_in_without_taking_all_memory() {
        let value =
            |name: &str| Some(if name == "LONG" { "x".repeat(1000) } else { "x".to_owned() });
        for many in ["\\", "$", "\\$", "$A", "${A}"] {
            assert!(
                filled(&many.repeat(1 << 20), &value).is_some_and(|text| !text.is_empty()),
                "{many}"
            );
        }
        assert_eq!(filled(&"$LONG".repeat(1 << 20), &value), None);
        let nested = |depth: usize| format!("{}x{}", "${B:+".repeat(depth), "}".repeat(depth));
        assert_eq!(filled(&nested(16), &value).as_deref(), Some("x"));
        assert_eq!(filled(&nested(1 << 20), &value), None);
    }
}
