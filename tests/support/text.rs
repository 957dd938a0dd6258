//! Texts to compare: expected ones in the form of a test's source, and real ones without parts that
//! differ from run to run.

use std::path::Path;

/// A text that begins with a line end, without it, without the common indentation of its lines, and
/// without a last line of spaces; any other text unchanged.
pub fn unindented(text: &str) -> String {
    let Some(text) = text.strip_prefix('\n') else { return text.to_owned() };
    let text = text.trim_end_matches(' ');
    let indentation = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let common =
        text.lines().filter(|line| !line.trim().is_empty()).map(indentation).min().unwrap_or(0);
    text.split_inclusive('\n').map(|line| line.get(common..).unwrap_or("\n")).collect()
}

/// The parts of a run's output that are replaced.
#[derive(Clone)]
pub struct Redactions(Vec<(String, &'static str)>);

impl Redactions {
    /// The paths of a run with folders in `root`.
    pub fn of(root: &Path) -> Self {
        let canonical = root.canonicalize().unwrap();
        let mut all = Vec::new();
        for root in [root, &canonical] {
            for (folder, word) in [("project", "[project]"), ("home", "[home]")] {
                all.push((root.join(folder).display().to_string(), word));
            }
            all.push((root.display().to_string(), "[root]"));
        }
        Self(all)
    }

    /// The output as text, with replaced paths and times.
    pub fn apply(&self, output: &[u8]) -> String {
        let text = std::str::from_utf8(output).expect("the output is UTF-8");
        let text =
            self.0.iter().fold(text.to_owned(), |text, (path, word)| text.replace(path, word));
        without_times(&text)
    }
}

/// JSON's `"time"` fields without their values.
fn without_times(text: &str) -> String {
    const FIELD: &str = "\"time\":\"";
    let mut parts = text.split(FIELD);
    let mut redacted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (time, rest) = part.split_once('"').expect("a time in quotes");
        assert!(
            time.ends_with('Z') && time.len() == "2026-01-01T00:00:00.000Z".len(),
            "a time in UTC with milliseconds: {time}"
        );
        redacted.push_str(&format!("{FIELD}[time]\"{rest}"));
    }
    redacted
}

#[test]
fn an_indented_text_loses_what_all_its_lines_have() {
    assert_eq!(unindented("\n    a\n      b\n\n    c\n    "), "a\n  b\n\nc\n");
    assert_eq!(unindented("  a\n"), "  a\n");
    assert_eq!(unindented("\n    "), "");
}
