//! Splits the text of a Dockerfile into instructions, as the builder does.

/// One instruction as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The line where it begins, from 1.
    pub number: usize,
    /// The joined lines, without comments between them. Of a heredoc only the line that opens it.
    pub text: String,
}

/// The instructions of a Dockerfile, without comments, parser directives and the bodies of
/// heredocs.
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
        // Leading spaces are dropped only at the beginning of an instruction.
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

/// The character that continues a line. A directive `# escape=` at the very beginning may change
/// it.
fn escape(text: &str) -> char {
    if directive(text, "escape") == Some("`") { '`' } else { '\\' }
}

/// Whether the Dockerfile names the frontend that reads it (`# syntax=`), so that the builder's own
/// does not.
pub fn has_own_frontend(text: &str) -> bool {
    directive(text, "syntax").is_some()
}

/// The value of a parser directive. Directives are at the very beginning of a file.
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
    /// `<<-`: tabs before the end mark are ignored.
    tabs: bool,
}

/// The heredocs that an instruction opens, in order. Only instructions that copy or run can open
/// one.
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
}
