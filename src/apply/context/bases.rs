//! The images that a Dockerfile begins with and copies from.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::model::dockerfile::{StageStart, Variables, filled, instruction, lines};

/// The name that means no image.
const SCRATCH: &str = "scratch";

/// The images in `text` that are not stages of it. `None` if a name depends on something that only
/// the builder knows.
pub(super) fn of(text: &str, arguments: &BTreeMap<String, String>) -> Option<BTreeSet<String>> {
    let mut variables = Variables::default();
    let mut stages = 0_usize;
    let mut names: HashSet<String> = HashSet::new();
    let mut images = BTreeSet::new();
    // An empty name means no image.
    let fill = |text: &str, variables: &Variables| {
        filled(text, &|name| variables.value(name).filter(|value| !value.is_empty()))
    };
    for line in lines(text) {
        let (instruction, rest) = instruction(&line.text);
        let named: Vec<String> = match instruction.as_str() {
            "ARG" if stages == 0 => {
                variables.declare(&instruction, rest, arguments);
                continue;
            }
            "FROM" => {
                let StageStart { image, name } = StageStart::parse(rest)?;
                let from = fill(image, &variables)?;
                let known = names.contains(&from.to_ascii_lowercase());
                stages += 1;
                names.extend(name);
                if known { Vec::new() } else { vec![from] }
            }
            "COPY" | "ADD" | "RUN" => rest
                .split_whitespace()
                .filter_map(source)
                .map(|from| fill(from, &variables))
                .collect::<Option<_>>()?,
            _ => continue,
        };
        let is_stage = |name: &String| {
            names.contains(&name.to_ascii_lowercase())
                || name.parse::<usize>().is_ok_and(|number| number < stages)
        };
        // The stage that just began is not its own base.
        let is_from = instruction == "FROM";
        images.extend(
            named.into_iter().filter(|name| name != SCRATCH && (is_from || !is_stage(name))),
        );
    }
    (stages > 0).then_some(images)
}

/// `--from=image`, or `from=image` among the options of a mount.
fn source(word: &str) -> Option<&str> {
    let options = word.strip_prefix("--mount=").map_or_else(|| word.strip_prefix("--"), Some)?;
    options.split(',').find_map(|option| option.strip_prefix("from="))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(text: &str, arguments: &[(&str, &str)]) -> Option<Vec<String>> {
        let arguments = arguments
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        of(text, &arguments).map(|found| found.into_iter().collect())
    }

    #[test]
    fn base_images_differ_from_build_stages() {
        let text = "# syntax=x\nARG PYTHON=python:3 OTHER\nFROM ${PYTHON} AS base\nRUN a \\\n  b\nFROM base AS production\nCOPY --from=base /a /b\nCOPY --from=0 /a /b\nFROM --platform=linux/amd64 nginx:alpine\nCOPY --chown=1 --from=tool:1 /x /y\nRUN --mount=type=bind,from=mounted:1,target=/z true\nFROM scratch\n";
        assert_eq!(bases(text, &[]).unwrap(), ["mounted:1", "nginx:alpine", "python:3", "tool:1"]);
        assert_eq!(bases(text, &[("PYTHON", "python:4")]).unwrap()[2], "python:4");
    }

    #[test]
    fn heredocs_contain_no_base_images() {
        let text = "FROM a:1\nCOPY <<EOF /init.sql\nSELECT x\nFROM b\nEOF\nRUN --mount=type=cache,target=/c --mount=type=bind,from=c:1 <<EOF\nCOPY --from=d:1 /a /b\nEOF\n";
        assert_eq!(bases(text, &[]).unwrap(), ["a:1", "c:1"]);
    }

    #[test]
    fn a_name_that_only_the_builder_knows_is_not_guessed() {
        assert_eq!(bases("FROM base-$TARGETARCH\n", &[]), None);
        assert_eq!(bases("ARG A\nFROM $A\n", &[]), None);
        assert_eq!(bases("ARG A\nFROM ${A:-b:1}\n", &[]).unwrap(), ["b:1"]);
        assert_eq!(bases("", &[]), None);
        assert_eq!(bases("FROM a b\n", &[]), None);
    }

    #[test]
    fn defaults_of_arguments_may_have_quotes_and_variables() {
        let text = "ARG VERSION=3 NAME=\"base\"\nARG BASE='of/'${NAME}:$VERSION\nFROM $BASE\n";
        assert_eq!(bases(text, &[]).unwrap(), ["of/base:3"]);
        assert_eq!(bases(text, &[("VERSION", "4")]).unwrap(), ["of/base:4"]);
        assert_eq!(bases("ARG BASE=a:$OTHER\nFROM $BASE\n", &[]), None);
    }
}
