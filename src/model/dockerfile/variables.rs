//! Variables of a Dockerfile: the values that `ARG` and `ENV` set, and texts that contain
//! variables.

use std::collections::BTreeMap;

use super::syntax::{pairs, unquoted, words};

/// One variable of an `ARG`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    pub name: String,
    /// As written; [`filled`] adds the values of variables.
    pub default: Option<String>,
}

/// Parses the text after `ARG`. Newer builders accept several variables.
pub fn declared(rest: &str) -> Vec<Argument> {
    let argument = |word: &String| match word.split_once('=') {
        Some((name, default)) => {
            Argument { name: unquoted(name), default: Some(unquoted(default)) }
        }
        None => Argument { name: unquoted(word), default: None },
    };
    words(rest).iter().map(argument).collect()
}

/// The variables of a Dockerfile up to some instruction.
#[derive(Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// The value of the variable, if it is known.
    pub fn value(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// Adds the variables of an `ARG` or `ENV`. It skips values that are too long to name anything.
    /// `arguments` are the build arguments.
    pub fn declare(&mut self, name: &str, rest: &str, arguments: &BTreeMap<String, String>) {
        let value = |name: &str| self.value(name);
        let set: Vec<(String, String)> = match name {
            // If a name is declared twice, the last one counts. Across stages this finds too much
            // rather than too little.
            "ARG" => declared(rest)
                .into_iter()
                .filter_map(|Argument { name, default }| {
                    let default = default.and_then(|default| filled(&default, &value));
                    let value = arguments.get(&name).cloned().or(default)?;
                    Some((name, value))
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

/// The most bytes that variables may add to a text: a longer text names nothing. Without a limit, a
/// few lines that repeat each other would fill the memory.
const LONGEST: usize = 4 << 10;
/// How deep defaults may be nested.
const DEPTH: usize = 16;

/// `text` with the values of its variables: `$NAME`, `${NAME}`, and with `:-`, `-`, `:+`, `+`, `:?`
/// or `?` and a word. `None` if a variable has no value or an unknown form, or if the text becomes
/// too long.
pub fn filled(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    fill(text, value, 0)
}

/// The value, if it is short enough to name something.
pub(super) fn short(value: String) -> Option<String> {
    (value.len() <= LONGEST).then_some(value)
}

fn fill(text: &str, value: &dyn Fn(&str) -> Option<String>, depth: usize) -> Option<String> {
    if depth > DEPTH {
        return None;
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.find(['$', '\\']).map(|at| rest.split_at(at)) {
        out.push_str(before);
        rest = if let Some(escaped) = after.strip_prefix('\\') {
            // Only an escaped dollar is removed here. Other escapes belong to the instruction.
            let (middle, after) =
                escaped.strip_prefix('$').map_or(('\\', escaped), |after| ('$', after));
            out.push(middle);
            after
        } else {
            let after = after.strip_prefix('$').unwrap_or(after);
            let (middle, after) = variable(after, value, depth)?;
            out.push_str(&middle);
            after
        };
        if out.len() > text.len() + LONGEST {
            return None;
        }
    }
    out.push_str(rest);
    Some(out)
}

/// The value of a variable and the text after it; `after` is the text after the dollar.
fn variable<'t>(
    after: &'t str,
    value: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Option<(String, &'t str)> {
    if let Some(inside) = after.strip_prefix('{') {
        let (inside, after) = inside.split_at(closing(inside)?);
        return Some((expanded(inside, value, depth)?, after.strip_prefix('}')?));
    }
    let (name, after) = after.split_at(name_end(after));
    if name.is_empty() { Some(("$".to_owned(), after)) } else { Some((value(name)?, after)) }
}

fn name_end(text: &str) -> usize {
    text.find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .unwrap_or(text.len())
}

/// The position of the brace that closes the one opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The value of the text between braces.
fn expanded(inside: &str, value: &dyn Fn(&str) -> Option<String>, depth: usize) -> Option<String> {
    let (name, rest) = inside.split_at(name_end(inside));
    let (is_strict, operator) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
    let found = value(name);
    let set = found.clone().filter(|value| !is_strict || !value.is_empty());
    let word = operator.get(1..).unwrap_or_default();
    match operator.chars().next() {
        None if rest.is_empty() && !name.is_empty() => found,
        Some('-') => set.map_or_else(|| fill(word, value, depth + 1), Some),
        Some('+') => {
            if set.is_some() {
                fill(word, value, depth + 1)
            } else {
                Some(String::new())
            }
        }
        Some('?') => set,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use similar_asserts::assert_eq;

    use super::*;

    #[test]
    fn variables_are_filled_in_and_what_is_not_known_is_not_guessed() {
        let value = |name: &str| match name {
            "A" => Some("1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let cases = [
            ("x$A-${A}y", Some("x1-1y")),
            ("${EMPTY:-d}${EMPTY-d}${NO-e}${NO:-${A}}", Some("de1")),
            ("${A:+set}${NO+set}${A:?why}", Some("set1")),
            (r"\$A $ a\b", Some(r"$A $ a\b")),
            ("$NO", None),
            ("${A#1}", None),
            ("${A", None),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text, &value).as_deref(), expected, "{text}");
        }
    }

    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn a_text_of_nothing_but_variables_is_filled_in_without_taking_all_memory() {
        let value =
            |name: &str| Some(if name == "LONG" { "x".repeat(1000) } else { "x".to_owned() });
        for many in ["\\", "$", "\\$", "$A", "${A}"] {
            assert!(
                filled(&many.repeat(1 << 20), &value).is_some_and(|text| !text.is_empty()),
                "{many}"
            );
        }
        assert_eq!(filled(&"$LONG".repeat(1 << 20), &value), None);
        let nested = |depth: usize| format!("{}x{}", "${B:+".repeat(depth), "}".repeat(depth));
        assert_eq!(filled(&nested(16), &value).as_deref(), Some("x"));
        assert_eq!(filled(&nested(1 << 20), &value), None);
    }

    #[test]
    fn arguments_are_declared_in_each_form() {
        let all: Vec<(String, Option<String>)> = declared(r#"A B=1 "C"=x\ y D='a $B' E="b c"d F="#)
            .into_iter()
            .map(|argument| (argument.name, argument.default))
            .collect();
        let expected = [
            ("A", None),
            ("B", Some("1")),
            ("C", Some("x y")),
            ("D", Some(r"a \$B")),
            ("E", Some("b cd")),
            ("F", Some("")),
        ];
        let expected =
            expected.map(|(name, default)| (name.to_owned(), default.map(str::to_owned)));
        assert_eq!(all, expected);
        assert_eq!(declared(""), []);
    }
}
