//! Labels in a Dockerfile that are reserved for spc.

use std::collections::BTreeMap;

use super::instructions::lines;
use super::syntax::{instruction, pairs, unquoted};
use super::variables::{Variables, filled};
use crate::model::names::is_reserved_label;

/// A reserved label that a Dockerfile sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservedLabel {
    /// The line where its instruction begins, from 1.
    pub line: usize,
    pub key: String,
}

/// The first reserved label that `LABEL` or `ONBUILD LABEL` sets. `arguments` are the build
/// arguments. A key that contains a variable without a known value is skipped; the build overwrites
/// such a label anyway.
pub fn reserved_label(text: &str, arguments: &BTreeMap<String, String>) -> Option<ReservedLabel> {
    let mut variables = Variables::default();
    for line in lines(text) {
        let (name, rest) = instruction(&line.text);
        let (name, rest) = if name == "ONBUILD" { instruction(rest) } else { (name, rest) };
        variables.declare(&name, rest, arguments);
        if name == "LABEL" {
            let keys = pairs(rest)
                .into_iter()
                .filter_map(|(key, _)| filled(&unquoted(&key), &|name| variables.value(name)));
            if let Some(key) = keys.into_iter().find(|key| is_reserved_label(key)) {
                return Some(ReservedLabel { line: line.number, key });
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<String> {
        let arguments = BTreeMap::from([("KEY".to_owned(), "dev.spc.project".to_owned())]);
        reserved_label(text, &arguments).map(|found| format!("{} {}", found.line, found.key))
    }

    #[test]
    fn a_reserved_label_is_found_however_it_is_written() {
        for line in [
            "LABEL dev.spc.project=shop",
            "label dev.spc.project shop",
            "LABEL \"dev.spc.project\"=shop",
            "LABEL 'dev.spc.project'=\"a b\"",
            "LABEL dev.sp\"c.pro\"ject=shop",
            "LABEL dev.s\\pc.project=shop",
            "LABEL a=\"b c\" d='e f' g=h\\ i dev.spc.project=shop",
            "LABEL a=b \\\n  # why\n  dev.spc.project=shop",
            "ONBUILD LABEL dev.spc.project=shop",
            "onbuild  label dev.spc.project=shop",
            "ARG KEY\nLABEL $KEY=shop",
            "ARG KEY=other\nLABEL ${KEY}=shop",
            "ARG PART=spc\nLABEL dev.${PART}.project=shop",
            "ARG PART=spc\nARG WHOLE=dev.${PART}.project\nLABEL \"${WHOLE}\"=shop",
            "ENV PART=spc\nLABEL dev.${PART}.project=shop",
            "LABEL dev.${NOTHING:-spc}.project=shop",
        ] {
            let number = line.lines().count() - if line.contains("# why") { 2 } else { 0 };
            assert_eq!(
                found(&format!("FROM base\n{line}\n")),
                Some(format!("{} dev.spc.project", number + 1)),
                "{line}"
            );
        }
        assert_eq!(
            found("FROM a\nLABEL com.docker.compose.project=shop").as_deref(),
            Some("2 com.docker.compose.project")
        );
    }

    #[test]
    fn other_labels_and_what_only_looks_like_one_are_left() {
        for text in [
            "FROM base\nLABEL org.opencontainers.image.source=dev.spc.project\n",
            "FROM base\nLABEL a=\"dev.spc.project=shop\"\n",
            "FROM base\nLABEL a dev.spc.project=shop\n",
            "FROM base\nLABEL a='\\' b=c\n",
            "FROM base\n# LABEL dev.spc.project=shop\n",
            "FROM base\nRUN <<EOF\nLABEL dev.spc.project=shop\nEOF\n",
            "FROM base\nENV dev.spc.project=shop\nRUN echo LABEL dev.spc.project=shop\n",
            "FROM base\nLABEL ${UNKNOWN}=shop dev.\\$KEY=a '$KEY'=b\n",
            "FROM base\nLABEL\n",
            "FROM base\nLABEL dev.spcx.project=shop\n",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
