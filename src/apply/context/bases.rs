//! The images that a Dockerfile begins with and copies from.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::model::dockerfile::{filled, lines, short};

/// What stands for no image at all.
const SCRATCH: &str = "scratch";

/// The images named in `text` that are no stages of it. Nothing where a name depends on what only
/// the builder knows.
pub(super) fn of(text: &str, arguments: &BTreeMap<String, String>) -> Option<BTreeSet<String>> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut stages = 0_usize;
    let mut names: HashSet<String> = HashSet::new();
    let mut images = BTreeSet::new();
    // An empty name is none.
    let fill = |text: &str, values: &BTreeMap<String, String>| {
        filled(text, &|name| values.get(name).filter(|value| !value.is_empty()).cloned())
    };
    for line in lines(text) {
        let mut words = line.text.split_whitespace();
        let instruction = words.next().unwrap_or_default().to_ascii_uppercase();
        let words: Vec<&str> = words.collect();
        let named: Vec<String> = match instruction.as_str() {
            "ARG" if stages == 0 => {
                for word in words {
                    let (name, default) = word.split_once('=').unwrap_or((word, ""));
                    let value = arguments
                        .get(name)
                        .cloned()
                        .unwrap_or_else(|| default.trim_matches(['"', '\'']).to_owned());
                    if let Some(value) = short(value) {
                        values.insert(name.to_owned(), value);
                    }
                }
                continue;
            }
            "FROM" => {
                let plain: Vec<&&str> =
                    words.iter().filter(|word| !word.starts_with("--")).collect();
                let name = match plain.as_slice() {
                    [_, r#as, name, ..] if r#as.eq_ignore_ascii_case("as") => {
                        Some(name.to_ascii_lowercase())
                    }
                    _ => None,
                };
                let from = fill(plain.first()?, &values)?;
                let known = names.contains(&from.to_ascii_lowercase());
                stages += 1;
                names.extend(name);
                if known { Vec::new() } else { vec![from] }
            }
            "COPY" | "ADD" | "RUN" => words
                .iter()
                .filter_map(|word| source(word))
                .map(|from| fill(from, &values))
                .collect::<Option<_>>()?,
            _ => continue,
        };
        let is_stage = |name: &String| {
            names.contains(&name.to_ascii_lowercase())
                || name.parse::<usize>().is_ok_and(|number| number < stages)
        };
        // The stage that was begun just now is not its own base.
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
    fn images_are_told_from_stages() {
        let text = "# syntax=x\nARG PYTHON=python:3 OTHER\nFROM ${PYTHON} AS base\nRUN a \\\n  b\nFROM base AS production\nCOPY --from=base /a /b\nCOPY --from=0 /a /b\nFROM --platform=linux/amd64 nginx:alpine\nCOPY --chown=1 --from=tool:1 /x /y\nRUN --mount=type=bind,from=mounted:1,target=/z true\nFROM scratch\n";
        assert_eq!(bases(text, &[]).unwrap(), ["mounted:1", "nginx:alpine", "python:3", "tool:1"]);
        assert_eq!(bases(text, &[("PYTHON", "python:4")]).unwrap()[2], "python:4");
    }

    #[test]
    fn what_is_in_a_heredoc_names_no_image() {
        let text = "FROM a:1\nCOPY <<EOF /init.sql\nSELECT x\nFROM b\nEOF\nRUN --mount=type=cache,target=/c --mount=type=bind,from=c:1 <<EOF\nCOPY --from=d:1 /a /b\nEOF\n";
        assert_eq!(bases(text, &[]).unwrap(), ["a:1", "c:1"]);
    }

    #[test]
    fn a_name_that_only_the_builder_knows_is_not_guessed() {
        assert_eq!(bases("FROM base-$TARGETARCH\n", &[]), None);
        assert_eq!(bases("ARG A\nFROM $A\n", &[]), None);
        assert_eq!(bases("ARG A\nFROM ${A:-b:1}\n", &[]).unwrap(), ["b:1"]);
        assert_eq!(bases("", &[]), None);
    }
}
