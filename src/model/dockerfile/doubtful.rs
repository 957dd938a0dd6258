//! Effects that a Dockerfile may have with any builder.
//!
//! Builders disagree about three things: where an instruction begins (older ones know no heredocs,
//! and treat other lines as directives), what quotes and escapes are, and the value of a variable
//! (a base image's variables count too). If a wrong guess would open a hole, this module treats
//! each line of the file as the beginning of an instruction, and each variable as unknown.

use std::collections::BTreeSet;

use super::downloads::Download;
use super::syntax::instruction;

/// The prefixes of an address that a builder downloads from.
const SCHEMES: [&str; 2] = ["http://", "https://"];

/// The possible downloads of each `ADD` with any builder, as written, with variables.
pub fn possible_downloads(text: &str) -> Vec<Download> {
    let lines = lines(text);
    if !is_readable(&lines) {
        return vec![Download { line: 1, source: UNREAD.to_owned() }];
    }
    let words = instructions(&lines, "ADD")
        .into_iter()
        .flat_map(|(line, rest)| words(&rest).into_iter().map(move |word| (line, word)));
    words
        .filter(|(_, word)| may_be_address(word))
        .map(|(line, source)| Download { line, source })
        .collect()
}

/// The images that each `FROM` could begin with, as written. Empty for a file that
/// [`possible_downloads`] can't read.
pub fn possible_bases(text: &str) -> BTreeSet<String> {
    let lines = lines(text);
    if !is_readable(&lines) {
        return BTreeSet::new();
    }
    let first = |rest: String| words(&rest).into_iter().next();
    instructions(&lines, "FROM")
        .into_iter()
        .filter_map(|(_, rest)| first(rest))
        .filter(|image| image != "scratch")
        .collect()
}

/// The images that may read the Dockerfile instead of the builder, for each way to name one in the
/// file: `# syntax=`, `// syntax=`, and a Dockerfile that is JSON.
pub fn possible_frontends(text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_json = |text: &str| text.trim_start().starts_with('{');
    if is_json(text)
        || text.starts_with("#!") && text.split_once('\n').is_some_and(|(_, rest)| is_json(rest))
    {
        return vec!["{".to_owned()];
    }
    let named = text.lines().filter_map(|line| {
        let line = line.trim();
        let comment = line.strip_prefix('#').or_else(|| line.strip_prefix("//"))?;
        let (name, value) = comment.split_once('=')?;
        // The words after the image belong to the frontend.
        let image = value.split_whitespace().next()?;
        name.trim().eq_ignore_ascii_case("syntax").then(|| image.to_owned())
    });
    named.collect()
}

/// Whether a variable decides which server an address names, or whether the text is an address at
/// all.
pub fn hides_server(source: &str) -> bool {
    let (start, is_address) =
        source.split_once("://").map_or((0, false), |(scheme, _)| (scheme.len() + 3, true));
    let end = source[start..].find(['/', '?', '#']).map_or(source.len(), |end| start + end);
    match source[..end].find('$') {
        Some(at) if !is_address => {
            SCHEMES.iter().any(|scheme| scheme.starts_with(&source[..at].to_ascii_lowercase()))
        }
        found => found.is_some(),
    }
}

fn may_be_address(word: &str) -> bool {
    word.contains("://") || hides_server(word)
}

/// Bytes that are read in all. Each line counts as the beginning of an instruction, so a long
/// instruction is read again at each of its lines.
const MOST_READ: usize = 64 << 20;

/// Represents all downloads of a file that is too large for this analysis. No policy allows it.
const UNREAD: &str = "$(more than can be checked: too many lines continue others)";

fn lines(text: &str) -> Vec<&str> {
    text.strip_prefix('\u{feff}').unwrap_or(text).lines().map(str::trim).collect()
}

/// Blank lines and comments inside an instruction are not part of it.
fn is_left_out(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

/// Whether all instructions can be read from each of their lines within the limit.
fn is_readable(lines: &[&str]) -> bool {
    let (mut following, mut all) = (0_usize, 0_usize);
    for line in lines.iter().rev() {
        following = match line {
            line if is_left_out(line) => following + 1,
            line if line.ends_with(ESCAPES) => following + line.len(),
            line => line.len(),
        };
        all = all.saturating_add(following);
    }
    all <= MOST_READ
}

/// The instructions with this name, also after `ONBUILD`: the line number of the beginning (from
/// 1), and the text after the name.
fn instructions(lines: &[&str], wanted: &str) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    for at in (0..lines.len()).filter(|at| !is_left_out(lines[*at])) {
        let whole = joined(&lines[at..]);
        let (mut name, mut rest) = instruction(&whole);
        while name == "ONBUILD" {
            (name, rest) = instruction(rest);
        }
        if name == wanted {
            all.push((at + 1, rest.to_owned()));
        }
    }
    all
}

/// The characters that continue a line, for some builder.
const ESCAPES: [char; 2] = ['\\', '`'];

/// A line, joined with its continuation lines.
fn joined(lines: &[&str]) -> String {
    let mut whole = String::new();
    for line in lines.iter().filter(|line| !is_left_out(line)) {
        match line.strip_suffix(ESCAPES) {
            Some(part) => whole += part,
            None => return whole + *line,
        }
    }
    whole
}

/// The words of an instruction without flags, quotes, escapes and brackets, in any of its forms.
fn words(rest: &str) -> Vec<String> {
    let plain: String = decoded(rest)
        .chars()
        .filter(|character| !matches!(character, '"' | '\'' | '\\' | '`'))
        .collect();
    let words = plain.split(|character: char| character.is_whitespace() || character == ',');
    words
        .map(|word| word.trim_start_matches('['))
        .filter(|word| !word.is_empty() && !word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// Decodes `\u0068` as in JSON.
fn decoded(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..4)
            .and_then(|code| u32::from_str_radix(code, 16).ok())
            .and_then(char::from_u32);
        match code {
            Some(character) => {
                whole.push(character);
                whole += &part[4..];
            }
            None => whole += part,
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        possible_downloads(text)
            .into_iter()
            .map(|download| format!("{} {}", download.line, download.source))
            .collect()
    }

    #[test]
    fn a_download_is_found_whichever_builder_reads_the_file() {
        for (text, expected) in [
            ("ADD http://a/x /x", "1 http://a/x"),
            // A heredoc for new builders, two instructions for old ones.
            ("FROM b\nRUN true <<X\nADD http://a/x /x", "3 http://a/x"),
            ("# foo=1\n# escape=`\nFROM b\nENV A=x`\nADD http://a/x /x", "5 http://a/x"),
            ("# escape=`\nFROM b\nADD \\\"a\" http://a/x \"b\" /x/", "3 http://a/x"),
            ("ADD [\"\\u0068ttp://a/x\", \"/\\ud800\"]", "1 http://a/x"),
            ("ADD [\"http://[::1]:1/\",\"/x\"]", "1 http://[::1]:1/"),
            ("onbuild ONBUILD add --chmod=1 --checksum=x HTTP://a/x /x", "1 HTTP://a/x"),
            ("A\\\n# why\n\nDD htt`\np://a/x /x", "1 http://a/x"),
            ("ARG U=x\nADD ht${E}tp://a/x /x", "2 ht${E}tp://a/x"),
            ("ADD h${E} /x", "1 h${E}"),
            ("ADD $E /x", "1 $E"),
        ] {
            assert!(found(text).contains(&expected.to_owned()), "{text}: {:?}", found(text));
        }
        for text in ["ADD a/$V.tar /x", "COPY $V /x", "RUN curl http://a", "ADD app-${V}.tgz /x"] {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_file_of_lines_that_continue_each_other_without_end_is_not_read_and_nothing_it_downloads_is_allowed()
     {
        for line in ["ADD x \\\n", "\\\n", "FROM --x\\\n", "#\n"] {
            let text = format!("FROM a\n{}", line.repeat(100_000));
            let found = possible_downloads(&text);
            assert!(found.len() == 1 && hides_server(&found[0].source), "{line}: {found:?}");
            assert!(possible_bases(&text).is_empty(), "{line}");
        }
        let long =
            format!("FROM a\nRUN x \\\n{}  y\nADD http://a/x /x", "  package \\\n".repeat(1_500));
        assert_eq!(found(&long), ["1504 http://a/x"]);
    }

    #[test]
    fn a_variable_hides_a_server_only_where_it_decides_it() {
        for source in [
            "http://$A/x",
            "http://a$B",
            "ht$A",
            "$A",
            "$A/x",
            "https://a:${P}/",
            "HTTP$A",
            "x$A://b/",
            "http://a$B@c/",
        ] {
            assert!(hides_server(source), "{source}");
        }
        for source in ["http://a/$B", "http://a?$B", "http://a/", "app-$V", "src/$DIR", "./$A"] {
            assert!(!hides_server(source), "{source}");
        }
    }

    #[test]
    fn a_frontend_is_found_however_the_file_names_it() {
        for text in [
            "# syntax=a",
            "#Syntax = a\nFROM b",
            "//syntax=a",
            "FROM b\n# syntax=a",
            "\u{feff}# syntax=a",
            "{\"syntax\":\"a\"}",
            "#!/x\n{ }",
        ] {
            assert!(!possible_frontends(text).is_empty(), "{text}");
        }
        assert_eq!(possible_frontends("# syntax=a b\n# Syntax = c\nFROM b"), ["a", "c"]);
        assert_eq!(possible_frontends("# a syntax\n# x=syntax\nFROM b"), Vec::<String>::new());
    }

    #[test]
    fn every_base_is_found_also_one_in_a_heredoc() {
        let found =
            possible_bases("FROM --platform=a b AS c\nRUN true <<X\nFROM d\nX\nFROM scratch");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["b", "d"]);
    }
}
