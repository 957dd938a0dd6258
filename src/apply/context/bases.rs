//! The images that a Dockerfile begins with and copies from.

use std::collections::{BTreeMap, BTreeSet};

/// What stands for no image at all.
const SCRATCH: &str = "scratch";

/// The images named in `text` that are no stages of it. Nothing where a name depends on what only the builder knows.
pub(super) fn of(text: &str, arguments: &BTreeMap<String, String>) -> Option<BTreeSet<String>> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut stages: Vec<Option<String>> = Vec::new();
    let mut images = BTreeSet::new();
    for line in lines(text) {
        let mut words = line.split_whitespace();
        let instruction = words.next().unwrap_or_default().to_ascii_uppercase();
        let words: Vec<&str> = words.collect();
        let named: Vec<String> = match instruction.as_str() {
            "ARG" if stages.is_empty() => {
                for word in words {
                    let (name, default) = word.split_once('=').unwrap_or((word, ""));
                    let value = arguments.get(name).cloned().unwrap_or_else(|| default.trim_matches(['"', '\'']).to_owned());
                    values.insert(name.to_owned(), value);
                }
                continue;
            }
            "FROM" => {
                let plain: Vec<&&str> = words.iter().filter(|word| !word.starts_with("--")).collect();
                let name = match plain.as_slice() {
                    [_, r#as, name, ..] if r#as.eq_ignore_ascii_case("as") => Some(name.to_ascii_lowercase()),
                    _ => None,
                };
                let from = filled(plain.first()?, &values)?;
                let known = stages.iter().flatten().any(|stage| *stage == from.to_ascii_lowercase());
                stages.push(name);
                if known { Vec::new() } else { vec![from] }
            }
            "COPY" | "ADD" | "RUN" => {
                words.iter().filter_map(|word| source(word)).map(|from| filled(from, &values)).collect::<Option<_>>()?
            }
            _ => continue,
        };
        let is_stage = |name: &String| {
            stages.iter().flatten().any(|stage| *stage == name.to_ascii_lowercase())
                || name.parse::<usize>().is_ok_and(|number| number < stages.len())
        };
        // The stage that was begun just now is not its own base.
        let is_from = instruction == "FROM";
        images.extend(named.into_iter().filter(|name| name != SCRATCH && (is_from || !is_stage(name))));
    }
    (!stages.is_empty()).then_some(images)
}

/// `--from=image`, or `from=image` among the options of a mount.
fn source(word: &str) -> Option<&str> {
    let options = word.strip_prefix("--mount=").map_or_else(|| word.strip_prefix("--"), Some)?;
    options.split(',').find_map(|option| option.strip_prefix("from="))
}

/// Lines with those that go on joined; without comments.
fn lines(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(part) = line.strip_suffix('\\') {
            open += part;
        } else {
            all.push(std::mem::take(&mut open) + line);
        }
    }
    all
}

/// `$NAME`, `${NAME}` and `${NAME:-default}` filled in; nothing for what has no value here.
fn filled(text: &str, values: &BTreeMap<String, String>) -> Option<String> {
    let Some((before, after)) = text.split_once('$') else { return Some(text.to_owned()) };
    let (name, default, rest) = if let Some((inside, rest)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) {
        let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
        (name, default, rest)
    } else {
        let end = after.find(|character: char| !character.is_ascii_alphanumeric() && character != '_').unwrap_or(after.len());
        (&after[..end], "", &after[end..])
    };
    let value = values.get(name).map(String::as_str).filter(|value| !value.is_empty()).unwrap_or(default);
    if value.is_empty() { None } else { Some(format!("{before}{value}{}", filled(rest, values)?)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(text: &str, arguments: &[(&str, &str)]) -> Option<Vec<String>> {
        let arguments = arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        of(text, &arguments).map(|found| found.into_iter().collect())
    }

    #[test]
    fn images_are_told_from_stages() {
        let text = "# syntax=x\nARG PYTHON=python:3 OTHER\nFROM ${PYTHON} AS base\nRUN a \\\n  b\nFROM base AS production\nCOPY --from=base /a /b\nCOPY --from=0 /a /b\nFROM --platform=linux/amd64 nginx:alpine\nCOPY --chown=1 --from=tool:1 /x /y\nRUN --mount=type=bind,from=mounted:1,target=/z true\nFROM scratch\n";
        assert_eq!(bases(text, &[]).unwrap(), ["mounted:1", "nginx:alpine", "python:3", "tool:1"]);
        assert_eq!(bases(text, &[("PYTHON", "python:4")]).unwrap()[2], "python:4");
    }

    #[test]
    fn a_name_that_only_the_builder_knows_is_not_guessed() {
        assert_eq!(bases("FROM base-$TARGETARCH\n", &[]), None);
        assert_eq!(bases("ARG A\nFROM $A\n", &[]), None);
        assert_eq!(bases("ARG A\nFROM ${A:-b:1}\n", &[]).unwrap(), ["b:1"]);
        assert_eq!(bases("", &[]), None);
    }
}
