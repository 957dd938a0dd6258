//! All shipped scripts pass the check.

use super::{line, project, report};
use crate::script::standard_library::EMBEDDED;
use similar_asserts::assert_eq;

#[test]
fn every_module_of_the_standard_library_is_clean() {
    let names: Vec<(String, &str)> =
        EMBEDDED.iter().map(|(topic, text)| (format!("stdlib/{topic}.rhai"), *text)).collect();
    let files: Vec<(&str, &str)> =
        names.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let all = report(&project(&files), &[]);
    assert_eq!(all.findings.iter().map(line).collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(all.files, EMBEDDED.len());
}

/// The examples in the comments of functions, each as a file.
fn examples() -> Vec<(String, String)> {
    let run = project(&[]);
    let engine = crate::script::engine::for_reading(&run.context, None);
    let names = crate::script::names::Names::host(&engine);
    let mut examples = Vec::new();
    for function in names.functions() {
        // The comment marks are already removed; `rhai,no_run` is a script too.
        for (index, block) in function.doc.split("```rhai").skip(1).enumerate() {
            let text = block.split("```").next().unwrap_or_default();
            let text = text.split_once('\n').map_or("", |(_, text)| text);
            let asserts = "fn assert(yes) { yes }\nfn assert_eq(a, b) { a == b }\n";
            examples.push((
                format!("{}-{}-{}-{index}.rhai", function.module, function.name, examples.len()),
                format!("{asserts}{text}"),
            ));
        }
    }
    examples
}

#[test]
fn every_example_of_the_documentation_is_clean() {
    let examples = examples();
    assert!(examples.len() > 40, "{}", examples.len());
    let files: Vec<(&str, &str)> =
        examples.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(
        report(&project(&files), &[]).findings.iter().map(line).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
}
