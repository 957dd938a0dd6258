//! Labels in a Dockerfile that spc sets itself.

use std::collections::BTreeMap;

use super::{filled, lines, short};
use crate::model::names::is_reserved_label;

/// A reserved label that a Dockerfile sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservedLabel {
    /// The line its instruction begins at, from 1.
    pub line: usize,
    pub key: String,
}

/// The first reserved label that `LABEL` or `ONBUILD LABEL` sets. `arguments` are the build's; a
/// key with a variable that has no value here is not known, and the build overwrites the label of
/// such a key anyway.
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

/// The variables of a Dockerfile, up to an instruction.
#[derive(Default)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// Takes over what an `ARG` or `ENV` sets, but for what is too long to name anything.
    /// `arguments` are the build's.
    pub(super) fn declare(&mut self, name: &str, rest: &str, arguments: &BTreeMap<String, String>) {
        let value = |name: &str| self.value(name);
        let set: Vec<(String, String)> = match name {
            // Of a name that is declared twice the last one counts; across stages that finds too
            // much rather than too little.
            "ARG" => words(rest)
                .iter()
                .map(|word| {
                    word.split_once('=')
                        .map_or((word.as_str(), None), |(name, default)| (name, Some(default)))
                })
                .filter_map(|(name, default)| {
                    let default = default.and_then(|default| filled(&unquoted(default), &value));
                    Some((unquoted(name), arguments.get(name).cloned().or(default)?))
                })
                .collect(),
            "ENV" => pairs(rest)
                .into_iter()
                .filter_map(|(key, text)| Some((unquoted(&key), filled(&unquoted(&text), &value)?)))
                .collect(),
            _ => Vec::new(),
        };
        self.0.extend(set.into_iter().filter_map(|(name, text)| Some((name, short(text)?))));
    }
}

/// The name of an instruction in capitals, and what follows it.
pub(super) fn instruction(text: &str) -> (String, &str) {
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (name.to_ascii_uppercase(), rest.trim())
}

/// `KEY=value "KEY"="a value"`, or the old `KEY value`; quotes and escapes left in place.
fn pairs(rest: &str) -> Vec<(String, String)> {
    let words = words(rest);
    match words.first() {
        Some(first) if !first.contains('=') => {
            vec![(first.clone(), rest[first.len()..].trim().to_owned())]
        }
        _ => words
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    }
}

/// At spaces that are neither quoted nor escaped.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut is_escaped = false;
    for character in text.chars() {
        if quote.is_none() && !is_escaped && character.is_whitespace() {
            words.push(String::new());
            continue;
        }
        match (quote, character) {
            _ if is_escaped => {}
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
        is_escaped = !is_escaped && character == '\\' && quote != Some('\'');
        words.iter_mut().last().into_iter().for_each(|word| word.push(character));
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Without quotes, and without the backslashes that escape anything but a dollar: those are left to
/// [`filled`].
pub(super) fn unquoted(text: &str) -> String {
    let mut plain = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            // Nothing is filled in between single quotes.
            (Some('\''), '$') => plain.push_str("\\$"),
            (Some('\''), _) => plain.push(character),
            (_, '\\') => match characters.next() {
                Some('$') => plain.push_str("\\$"),
                Some(escaped) => plain.push(escaped),
                None => {}
            },
            _ => plain.push(character),
        }
    }
    plain
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
