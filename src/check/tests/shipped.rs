//! What is shipped is clean.

use super::{line, project, report};
use crate::script::standard::EMBEDDED;
use similar_asserts::assert_eq;

#[test]
fn every_module_of_the_standard_library_is_clean() {
    let names: Vec<(String, &str)> = EMBEDDED.iter().map(|(topic, text)| (format!("stdlib/{topic}.rhai"), *text)).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let all = report(&project(&files), &[]);
    assert_eq!(all.findings.iter().map(line).collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(all.files, EMBEDDED.len());
}
