//! Texts to compare: removes the indentation of expected texts, and the parts of real output that
//! differ from run to run.

use std::path::Path;

/// If the text starts with a newline: removes it, the common indentation, and a last line of
/// spaces. Returns any other text unchanged.
pub fn unindented(text: &str) -> String {
    let Some(text) = text.strip_prefix('\n') else { return text.to_owned() };
    let text = text.trim_end_matches(' ');
    let indentation = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let common =
        text.lines().filter(|line| !line.trim().is_empty()).map(indentation).min().unwrap_or(0);
    text.split_inclusive('\n').map(|line| line.get(common..).unwrap_or("\n")).collect()
}

/// The replacements in a run's output.
#[derive(Clone)]
pub struct Redactions(Vec<(String, &'static str)>);

impl Redactions {
    /// Replaces the paths of a run with folders in `root`.
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

    /// The output as text, with paths and times replaced.
    pub fn apply(&self, output: &[u8]) -> String {
        let text = std::str::from_utf8(output).expect("the output is UTF-8");
        let text =
            self.0.iter().fold(text.to_owned(), |text, (path, word)| text.replace(path, word));
        without_times(&text)
    }
}

/// Replaces the values of `"time"` fields in JSON.
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
fn an_indented_text_loses_its_common_indentation() {
    assert_eq!(unindented("\n    a\n      b\n\n    c\n    "), "a\n  b\n\nc\n");
    assert_eq!(unindented("  a\n"), "  a\n");
    assert_eq!(unindented("\n    "), "");
}
