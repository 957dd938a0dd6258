//! The downloads that a Dockerfile causes.

use std::collections::BTreeMap;

use super::instructions::lines;
use super::syntax::{instruction, unquoted, words};
use super::variables::{Variables, filled};

/// The source of an `ADD` that is not a file of the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// The line where its instruction begins, from 1.
    pub line: usize,
    /// The source as the builder will read it. If it begins with a variable without a known value,
    /// the source as written.
    pub source: String,
}

/// The downloads of each `ADD` and `ONBUILD ADD`. `arguments` are the build arguments.
pub fn downloads(text: &str, arguments: &BTreeMap<String, String>) -> Vec<Download> {
    let mut variables = Variables::default();
    let mut all = Vec::new();
    for line in lines(text) {
        let (name, rest) = instruction(&line.text);
        let (name, rest) = if name == "ONBUILD" { instruction(rest) } else { (name, rest) };
        variables.declare(&name, rest, arguments);
        if name == "ADD" {
            let sources =
                sources(rest).into_iter().filter_map(|source| downloaded(&source, &variables));
            all.extend(sources.map(|source| Download { line: line.number, source }));
        }
    }
    all
}

/// The sources of an instruction: all words but the last, which is the target. Also in the form of
/// a JSON list.
fn sources(rest: &str) -> Vec<String> {
    let mut rest = rest;
    while let Some(flag) = rest.strip_prefix("--") {
        rest = flag.split_once(char::is_whitespace).map_or("", |(_, after)| after.trim_start());
    }
    let mut all = serde_json::from_str::<Vec<String>>(rest)
        .unwrap_or_else(|_| words(rest).iter().map(|word| unquoted(word)).collect());
    all.pop();
    all
}

/// A source with the values of its variables, if it is or may be an address.
fn downloaded(source: &str, variables: &Variables) -> Option<String> {
    // Variables of the path may be unknown.
    let value = |name: &str| Some(variables.value(name).unwrap_or_else(|| format!("${{{name}}}")));
    let source = filled(source, &value).unwrap_or_else(|| source.to_owned());
    let is_address = source.contains("://") || source.starts_with("git@");
    (is_address || source.starts_with('$')).then_some(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let arguments = BTreeMap::from([("HOST".to_owned(), "engine.example:1".to_owned())]);
        downloads(text, &arguments)
            .into_iter()
            .map(|download| format!("{} {}", download.line, download.source))
            .collect()
    }

    #[test]
    fn an_add_that_downloads_is_found_however_it_is_written() {
        for (text, url) in [
            ("ADD http://a/x /x", "http://a/x"),
            ("add --chown=1:1 --chmod=644 http://a/x /x", "http://a/x"),
            ("ADD local \"http://a/x\" /x", "http://a/x"),
            ("ADD [\"http://a/x\", \"/x\"]", "http://a/x"),
            ("ADD \\\n  http://a/x /x", "http://a/x"),
            ("ONBUILD ADD http://a/x /x", "http://a/x"),
            ("ARG HOST\nADD http://$HOST/x /x", "http://engine.example:1/x"),
            ("ENV U=http://a\nADD ${U}/x /x", "http://a/x"),
            ("ADD http://a/$UNKNOWN /x", "http://a/${UNKNOWN}"),
            ("ADD $UNKNOWN /x", "${UNKNOWN}"),
            ("ADD git://a/x /x", "git://a/x"),
        ] {
            let found = found(text);
            assert!(
                found.len() == 1 && found[0].ends_with(&format!(" {url}")),
                "{text}: {found:?}"
            );
        }
        for text in [
            "ADD x /x",
            "ADD a.tar /x/",
            "COPY http://a /x",
            "RUN curl http://a",
            "ENV DIR=src\nADD $DIR /x",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
