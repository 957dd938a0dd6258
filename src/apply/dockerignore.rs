//! `.dockerignore`: the paths of a build context that are not sent, by the rules of Docker's own
//! clients.
//!
//! A line is a pattern of Go's `filepath.Match` (`*`, `?`, `[a-c]`, `\` before a literal character)
//! for the whole path from the context's root, with two additions: `**` for any number of folders,
//! and `!` at the beginning for an exception. A pattern that matches a folder matches everything
//! below it. The last matching line decides.

use std::iter::Peekable;
use std::rc::Rc;
use std::str::Chars;

use regex_lite::Regex;

use crate::model::Failure;

/// The lines of a `.dockerignore`, in order.
#[derive(Debug, Default)]
pub struct Dockerignore {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    /// `!`: sent although an earlier line matches.
    exception: bool,
    pattern: Pattern,
    /// The pattern up to its first special character: every matching path begins with it.
    head: String,
    /// The number of names in a matching path; `None` if a part of the pattern also matches `/`.
    names: Option<usize>,
}

#[derive(Debug)]
enum Pattern {
    /// Without special characters.
    Exact(String),
    Regex(Regex),
}

/// The decision for a path: whether it is ignored, and the lines that matched, which its children
/// need.
#[derive(Debug, Clone, Default)]
pub struct IgnoreDecision {
    pub ignored: bool,
    /// For each line, whether it matched; empty for the root of the context.
    matched: Rc<[bool]>,
}

impl Dockerignore {
    /// Parses the content of the file `name`.
    pub fn parse(name: &str, content: &[u8]) -> Result<Self, Failure> {
        let content =
            String::from_utf8_lossy(content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content));
        let mut lines = Vec::new();
        for (index, line) in content.split('\n').enumerate() {
            // A comment begins in the first column: `  #x` is a pattern.
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let line = line.trim();
            lines.push(Line::parse(line).map_err(|reason| {
                Failure::usage(format!(
                    "Line {} of \"{name}\" is not a pattern: \"{line}\"",
                    index + 1
                ))
                .hint(format!(
                    "{reason}; to take a special character literally, put \"\\\" before it"
                ))
                .field("path", name)
            })?);
        }
        Ok(Self { lines })
    }

    /// Always sends `path`.
    pub(super) fn always_send(&mut self, path: &str) {
        self.lines.push(Line {
            exception: true,
            pattern: Pattern::Exact(path.to_owned()),
            head: path.to_owned(),
            names: Some(count_names(path)),
        });
    }

    /// Decides about `path`, which is relative to the context, with `/` between its names. `folder`
    /// is the decision about its folder.
    pub fn judge(&self, path: &str, folder: &IgnoreDecision) -> IgnoreDecision {
        let mut ignored = false;
        let mut matched = vec![false; self.lines.len()];
        for (index, line) in self.lines.iter().enumerate() {
            let of_folder = folder.matched.get(index).copied().unwrap_or(false);
            // Docker evaluates a line only if its result matters: an exception for an ignored path,
            // a pattern for one that is not ignored. The children of a folder don't inherit a line
            // that was not evaluated. This shortcut is visible, so spc does the same.
            matched[index] = of_folder || (line.exception == ignored && line.pattern.matches(path));
            if matched[index] {
                ignored = !line.exception;
            }
        }
        IgnoreDecision { ignored, matched: matched.into() }
    }

    /// Whether an exception might match something below `folder`, which is ignored itself.
    pub(super) fn may_send_below(&self, folder: &str) -> bool {
        let inside = format!("{folder}/");
        let depth = count_names(folder);
        self.lines.iter().any(|line| {
            line.exception
                && line.names.is_none_or(|names| names > depth)
                && (line.head.starts_with(&inside) || inside.starts_with(&line.head))
        })
    }
}

impl Line {
    fn parse(line: &str) -> Result<Self, &'static str> {
        const NO_PATTERN: &str = "\"!\" needs a pattern";
        let (mark, pattern) =
            line.strip_prefix('!').map_or(("", line), |pattern| ("!", pattern.trim()));
        if pattern.is_empty() {
            return Err(NO_PATTERN);
        }
        // Docker first splits a file into lines, then parses the lines, and cleans both times:
        // `/!a` is an exception, `!/` is no pattern.
        let line = clean(&format!("{mark}{}", clean(pattern).trim()));
        let (exception, pattern) =
            line.strip_prefix('!').map_or((false, line.as_str()), |pattern| (true, pattern));
        if pattern.is_empty() {
            return Err(NO_PATTERN);
        }
        let special = pattern.find(['*', '?', '[', '\\']);
        let head = pattern[..special.unwrap_or(pattern.len())].to_owned();
        let names =
            (!pattern.contains("**") && !pattern.contains('[')).then(|| count_names(pattern));
        let pattern = if special.is_some() {
            Pattern::Regex(translate(pattern)?)
        } else {
            Pattern::Exact(pattern.to_owned())
        };
        Ok(Self { exception, pattern, head, names })
    }
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == path,
            Self::Regex(regex) => regex.is_match(path),
        }
    }
}

fn count_names(path: &str) -> usize {
    path.split('/').count()
}

/// The shortest equal path, by the rules of Go's `filepath.Clean`, and without a leading `/`: lines
/// are relative to the context.
fn clean(pattern: &str) -> String {
    let rooted = pattern.starts_with('/');
    let mut names: Vec<&str> = Vec::new();
    for name in pattern.split('/') {
        match name {
            "" | "." => {}
            ".." if names.last().is_some_and(|last| *last != "..") => {
                names.pop();
            }
            ".." if rooted => {}
            name => names.push(name),
        }
    }
    match (names.is_empty(), rooted) {
        (true, true) => "/".to_owned(),
        (true, false) => ".".to_owned(),
        _ => names.join("/"),
    }
}

/// Translates the pattern to a regular expression, or returns why it is invalid.
///
/// Accepted patterns and their meaning are Docker's, with one exception: if Docker's translation
/// loses a meaning that Go documents (`^` at the start, an escaped letter, `*` or `?` inside a
/// class), spc uses Go's meaning.
fn translate(pattern: &str) -> Result<Regex, &'static str> {
    let mut regex = String::from("(?s)^");
    let mut rest = pattern.chars().peekable();
    if let Some(suffix) = pattern.strip_prefix("**")
        && !suffix.starts_with('/')
        && !suffix.contains(['*', '?', '[', ']', '\\'])
    {
        // `**name` matches any path with this end, but `**na*e` doesn't: this is the effect of
        // Docker's shortcut for plain suffixes.
        regex.push_str(".*");
        rest.nth(1);
    }
    while let Some(character) = rest.next() {
        match character {
            '*' if rest.next_if_eq(&'*').is_some() => {
                // `**/` may also match nothing, not even `/`.
                rest.next_if_eq(&'/');
                regex.push_str(if rest.peek().is_some() { "(.*/)?" } else { ".*" });
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '[' => class(&mut rest, &mut regex)?,
            '\\' => push_literal(&mut regex, rest.next().ok_or("it ends with \"\\\"")?),
            character => push_literal(&mut regex, character),
        }
    }
    regex.push('$');
    Regex::new(&regex).map_err(|_| "it is too long")
}

/// The rest of a character class after `[`.
fn class(rest: &mut Peekable<Chars<'_>>, regex: &mut String) -> Result<(), &'static str> {
    regex.push('[');
    if rest.next_if_eq(&'^').is_some() {
        regex.push('^');
    }
    loop {
        let low = class_member(rest)?;
        push_literal(regex, low);
        if rest.next_if_eq(&'-').is_some() {
            let high = class_member(rest)?;
            if high < low {
                return Err("a range between \"[\" and \"]\" ends before it begins");
            }
            regex.push('-');
            push_literal(regex, high);
        }
        if rest.next_if_eq(&']').is_some() {
            regex.push(']');
            return Ok(());
        }
    }
}

/// A character of a class. A class is never empty, so this is not the `]` that ends it.
fn class_member(rest: &mut Peekable<Chars<'_>>) -> Result<char, &'static str> {
    const UNFINISHED: &str = "a \"[\" is not closed";
    match rest.next().ok_or(UNFINISHED)? {
        '\\' => rest.next().ok_or(UNFINISHED),
        ']' | '-' => Err("write characters and ranges like \"a-z\" between \"[\" and \"]\""),
        member => Ok(member),
    }
}

/// Writes the character by its number, which needs no escape inside or outside a class.
fn push_literal(regex: &mut String, character: char) {
    regex.push_str(&format!("\\x{{{:X}}}", u32::from(character)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether `path` is ignored. Decides about its folders first, as a walk does.
    fn ignored(ignore: &Dockerignore, path: &str) -> bool {
        let mut judgement = IgnoreDecision::default();
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            judgement = ignore.judge(&path[..end], &judgement);
        }
        judgement.ignored
    }

    fn read(content: &str) -> Dockerignore {
        Dockerignore::parse(".dockerignore", content.as_bytes()).expect("a good .dockerignore")
    }

    fn assert_matches(pattern: &str, yes: &[&str], no: &[&str]) {
        for (paths, expected) in [(yes, true), (no, false)] {
            for path in paths {
                assert_eq!(ignored(&read(pattern), path), expected, "{pattern:?} on {path:?}");
            }
        }
    }

    #[test]
    fn a_pattern_matches_the_whole_path_from_the_root_and_all_below() {
        for (pattern, yes, no) in [
            ("docs", vec!["docs", "docs/a.md"], vec!["my/docs", "docs2", "doc"]),
            ("/docs/", vec!["docs", "docs/a.md"], vec!["my/docs"]),
            ("./a//b/../c", vec!["a/c"], vec!["a/b"]),
            ("/../a", vec!["a"], vec![]),
            ("*.pyc", vec!["a.pyc", ".pyc", "x.pyc/y"], vec!["a/b.pyc", "a.pyco"]),
            ("*/*.pyc", vec!["a/b.pyc"], vec!["b.pyc", "a/b/c.pyc"]),
            ("a?c", vec!["abc", "a字c"], vec!["ac", "a/c"]),
            ("a[b-d]e", vec!["ace"], vec!["aae", "ae"]),
            ("a[^b-d가-힣]e", vec!["aze", "a/e"], vec!["ace", "a나e"]),
            ("[!a]", vec!["!", "a"], vec!["b"]),
            (r"[\]\-x*?.]", vec!["]", "-", "x", "*", "?", "."], vec!["a", "\\"]),
            (r"\*\[\!\#\d", vec!["*[!#d"], vec!["a[!#d", "*[!#5"]),
            (r"\!keep", vec!["!keep"], vec!["keep"]),
            ("^a.(b)+{c}|$", vec!["^a.(b)+{c}|$"], vec!["a.(b)+{c}|$"]),
            ("^a*", vec!["^ab"], vec!["ab"]),
            ("a]*", vec!["a]b"], vec!["ab"]),
        ] {
            assert_matches(pattern, &yes, &no);
        }
    }

    #[test]
    fn two_stars_match_any_number_of_folders() {
        for (pattern, yes, no) in [
            ("**", vec!["a", "a/b/c"], vec![]),
            ("**/", vec!["a", "a/b/c"], vec![]),
            ("**/**", vec!["a", "a/b/c"], vec![]),
            ("**/x", vec!["x", "a/x", "a/b/x", "a/x/y"], vec!["ax", "x2"]),
            ("**/*.pyc", vec!["x.pyc", "a/b/x.pyc"], vec!["x.py"]),
            ("a/**", vec!["a/b", "a/b/c"], vec!["a", "b/a/c"]),
            ("a/**/b", vec!["a/b", "a/x/b", "a/x/y/b"], vec!["a/xb", "ab"]),
            ("a**b", vec!["ab", "ax/b", "a/x/b"], vec!["axb"]),
            ("a**", vec!["a", "ab", "a/b", "ab/c"], vec!["b"]),
            ("**b", vec!["b", "ab", "a/b", "a/xb"], vec!["ba"]),
            ("**b*", vec!["b", "bc", "a/bc"], vec!["ab"]),
            ("**/a/**", vec!["a/b", "x/a/b"], vec!["a", "xa/b"]),
        ] {
            assert_matches(pattern, &yes, &no);
        }
    }

    #[test]
    fn the_last_line_that_matches_decides() {
        let ignore = read("*\n!src\nsrc/*.log\n!src/keep.log");
        let sent = |path| !ignored(&ignore, path);
        assert!(!sent("a"));
        assert!(sent("src"));
        assert!(sent("src/main.py"));
        assert!(!sent("src/x.log"));
        assert!(sent("src/keep.log"));
        // An exception before the pattern has no effect.
        assert!(ignored(&read("!a\n*"), "a"));
        assert!(!ignored(&read("a\n!a/b"), "a/b/c"));
        assert!(ignored(&read("a\n!a/b"), "a/c"));
        assert!(!ignored(&read("a\n/!a"), "a"));
    }

    #[test]
    fn comments_blank_lines_spaces_crlf_and_a_byte_order_mark_are_no_patterns() {
        let ignore = read(
            "\u{feff}# comment\r\n\r\n  a.txt \t\r\n ! \tb.txt\r\n *.txt\r\n! b.txt\r\n # c\r\n",
        );
        assert!(ignored(&ignore, "a.txt"));
        assert!(ignored(&ignore, "c.txt"));
        assert!(!ignored(&ignore, "b.txt"));
        assert!(!ignored(&ignore, "# comment"));
        // A comment begins only in the first column.
        assert!(ignored(&ignore, "# c"));
    }

    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn a_line_that_is_no_pattern_is_named_with_its_reason() {
        for (line, reason) in [
            ("!", "needs a pattern"),
            ("!/", "needs a pattern"),
            ("a[", "not closed"),
            ("[^", "not closed"),
            (r"[a\", "not closed"),
            ("[]a]", "between"),
            ("[a-]", "between"),
            ("[-a]", "between"),
            ("[a-b-c]", "between"),
            ("[z-a]", "before it begins"),
            ("a\\", "ends with"),
        ] {
            let failure =
                Dockerignore::parse("my.dockerignore", format!("ok\n{line}\n").as_bytes())
                    .unwrap_err();
            assert_eq!(
                failure.message,
                format!("Line 2 of \"my.dockerignore\" is not a pattern: \"{line}\"")
            );
            assert!(
                failure.hint.as_ref().is_some_and(|hint| hint.contains(reason)),
                "{line}: {:?}",
                failure.hint
            );
        }
        let endless = "*".repeat(100_000) + "a";
        assert!(
            Dockerignore::parse(
                ".dockerignore",
                format!("{}{endless}", "?*".repeat(100_000)).as_bytes()
            )
            .is_err()
        );
    }

    #[test]
    fn dockerignore_never_excludes_required_files() {
        let mut ignore = read("**");
        ignore.always_send("docker/Dockerfile");
        assert!(!ignored(&ignore, "docker/Dockerfile"));
        assert!(ignored(&ignore, "docker/other"));
        assert!(ignore.may_send_below("docker"));
        assert!(!ignore.may_send_below("src"));
    }

    #[test]
    fn an_ignored_folder_is_entered_only_for_an_exception_below_it() {
        let ignore = read("node_modules\n.git\n!*.md\n!docs/*.txt");
        assert!(!ignore.may_send_below("node_modules"));
        assert!(!ignore.may_send_below(".git"));
        assert!(ignore.may_send_below("docs"));
        assert!(!ignore.may_send_below("docs/deep"));
        assert!(read("a\n!**/keep").may_send_below("a/b"));
        assert!(read("a\n![^x]keep").may_send_below("a"));
    }

    proptest! {
        #[test]
        fn no_content_and_no_path_makes_it_panic(content: Vec<u8>, path in ".{0,20}") {
            if let Ok(ignore) = Dockerignore::parse(".dockerignore", &content) {
                ignored(&ignore, &path);
                ignore.may_send_below(&path);
            }
        }

        #[test]
        fn nothing_likely_makes_it_panic_and_no_exception_is_missed(
            content in r"(!?[ab*?/\[\]^.\\-]{1,6}\n){1,5}",
            names in prop::collection::vec("[ab.]{1,2}", 2..4),
        ) {
            let Ok(ignore) = Dockerignore::parse(".dockerignore", content.as_bytes()) else { return Ok(()) };
            let path = names.join("/");
            for (end, _) in path.match_indices('/') {
                if ignored(&ignore, &path[..end]) && !ignored(&ignore, &path) {
                    prop_assert!(ignore.may_send_below(&path[..end]), "{content:?} sends {path:?}");
                }
            }
        }
    }
}
