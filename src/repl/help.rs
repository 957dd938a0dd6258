//! The help about functions, from their doc comments.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr;

use crate::model::suggest::nearest;
use crate::model::{Failure, Kind};
use crate::script::names::{Function, Names};
use crate::ui::help::row;
use crate::ui::terminal::{SUBJECT, styled};

/// The first lines of the help.
const HEAD: &str = "\
Type lines of a runbook, and spc prints their values. Functions, variables and imports stay defined.
Tab completes names, also those of services. Ctrl-C stops the running line; Ctrl-D or exit ends spc.
help NAME documents a function or a group of them: help exec, help stack.up, help fs.";

/// The group of functions without a prefix.
const FUNCTIONS: &str = "functions";

/// Groups that come first, in this order.
const FIRST: [&str; 7] = [FUNCTIONS, "stack", "service", "container", "volume", "network", "image"];

/// Types with two words in their names.
const WORDS: [(&str, &str); 3] =
    [("line", "log line"), ("logstream", "log stream"), ("secrettoken", "secret")];

/// Functions that only tests have.
const TESTS: [&str; 3] = ["sim", "runbook", "sweep"];

/// Names are padded to at most this width.
const COLUMN: usize = 14;

/// The width without a terminal.
const WIDTH: usize = 100;

/// Functions by group, by name.
pub struct Help {
    groups: BTreeMap<String, BTreeMap<String, Vec<Function>>>,
}

impl Help {
    /// For the host's functions.
    pub fn new(own: &Names) -> Self {
        let mut groups: BTreeMap<String, BTreeMap<String, Vec<Function>>> = BTreeMap::new();
        for function in own.functions() {
            let name = match function.field() {
                Some(field) => field,
                None if function.is_called() && !function.name.starts_with("to_") => &function.name,
                None => continue,
            };
            let group = match function.first() {
                _ if !function.module.is_empty() => format!("{}::", function.module),
                Some(word) if function.is_method && !word.is_empty() => WORDS
                    .iter()
                    .find(|(short, _)| *short == word)
                    .map_or(word, |(_, words)| words)
                    .to_owned(),
                _ => FUNCTIONS.to_owned(),
            };
            groups
                .entry(group)
                .or_default()
                .entry(name.to_owned())
                .or_default()
                .push(function.clone());
        }
        // The shortest form first: the others extend it.
        groups
            .values_mut()
            .flat_map(BTreeMap::values_mut)
            .for_each(|forms| forms.sort_by_key(|form| (form.count(), form.form())));
        Self { groups }
    }

    /// The groups in order of display: modules last.
    fn ordered(&self) -> Vec<(&String, &BTreeMap<String, Vec<Function>>)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        let rank = |group: &str| {
            FIRST
                .iter()
                .position(|first| *first == group)
                .unwrap_or(FIRST.len() + usize::from(group.ends_with("::")))
        };
        groups.sort_by_key(|(group, _)| rank(group));
        groups
    }

    /// The whole help, or that of a name, a group (`stack`, `fs`) or a name in it (`service.exec`,
    /// `fs::read`).
    pub fn text(&self, about: Option<&str>, width: Option<usize>) -> Result<String, Failure> {
        let width = width.unwrap_or(WIDTH);
        let Some(about) = about else {
            let groups = self
                .ordered()
                .into_iter()
                .map(|(group, functions)| overview(group, functions, width));
            return Ok(std::iter::once(HEAD.to_owned())
                .chain(groups)
                .collect::<Vec<_>>()
                .join("\n\n"));
        };
        let module = format!("{}::", about.trim_end_matches("::"));
        let mut parts: Vec<String> = self
            .named(about)
            .into_iter()
            .map(|(group, functions)| in_full(group, functions))
            .collect();
        let groups = self.groups.iter().filter(|(group, _)| **group == about || **group == module);
        parts.extend(groups.map(|(group, functions)| overview(group, functions, width)));
        if parts.is_empty() { Err(self.unknown(about)) } else { Ok(parts.join("\n\n")) }
    }

    /// The functions with this name, and their groups.
    fn named(&self, about: &str) -> Vec<(&str, &[Function])> {
        let (group, name) = match (about.rsplit_once("::"), about.rsplit_once('.')) {
            (Some((module, name)), _) => (Some(format!("{module}::")), name),
            // Also `fs.read`, in the form of handles' functions.
            (None, Some((word, name))) if self.groups.contains_key(&format!("{word}::")) => {
                (Some(format!("{word}::")), name)
            }
            (None, Some((word, name))) => (Some(word.to_owned()), name),
            (None, None) => (None, about),
        };
        let groups = self
            .ordered()
            .into_iter()
            .filter(|(known, _)| group.as_ref().is_none_or(|group| group == *known));
        groups
            .filter_map(|(group, functions)| {
                functions.get(name).map(|found| (group.as_str(), found.as_slice()))
            })
            .collect()
    }

    fn unknown(&self, about: &str) -> Failure {
        let failure = Failure::new(Kind::NotFound, format!("There is no help about \"{about}\""));
        let module = about.split(['.', ':']).next().unwrap_or(about);
        if TESTS.contains(&module) {
            let said = format!(
                "`{module}` is there in tests alone, where it sets up or looks at the simulated machine"
            );
            return failure.hint(format!("{said}: docs/testing.md describes it"));
        }
        let names: Vec<&str> = self
            .groups
            .iter()
            .flat_map(|(group, functions)| functions.keys().chain([group]))
            .map(String::as_str)
            .collect();
        failure.hint(nearest(about, names).map_or_else(
            || "`help` lists all functions".to_owned(),
            |near| format!("did you mean \"{near}\"?"),
        ))
    }
}

/// A group: each name with the first sentence of its comment.
fn overview(group: &str, functions: &BTreeMap<String, Vec<Function>>, width: usize) -> String {
    let column = functions
        .keys()
        .map(|name| name.width())
        .filter(|width| *width <= COLUMN)
        .max()
        .unwrap_or(0);
    let line = |(name, functions): (&String, &Vec<Function>)| {
        let said = functions.iter().map(|function| first_sentence(&function.doc));
        let said = said.into_iter().find(|said| !said.is_empty()).unwrap_or_default();
        row(name, &said, column, width)
    };
    let lines: Vec<String> = functions.iter().map(line).collect();
    format!("{}\n{}", styled(SUBJECT, group), lines.join("\n"))
}

/// The first sentence of a comment, in one line.
fn first_sentence(doc: &str) -> String {
    let paragraph: Vec<&str> =
        doc.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let text = paragraph.join(" ");
    match text.find(". ") {
        Some(end) => text[..=end].to_owned(),
        None => text,
    }
}

/// All forms of a function with their whole comments.
fn in_full(group: &str, functions: &[Function]) -> String {
    let form = |function: &Function| {
        let form = match function.field() {
            Some(field) => format!("{group}.{field}"),
            None if group.ends_with("::") => format!("{group}{}", function.form()),
            None if group == FUNCTIONS => function.form(),
            None => {
                let form = function.form();
                let (name, parameters) = form.split_once('(').unwrap_or((&form, ")"));
                format!(
                    "{group}.{name}({}",
                    parameters.split_once(", ").map_or(")", |(_, rest)| rest)
                )
            }
        };
        let doc: String = function
            .doc
            .lines()
            .filter(|line| !line.starts_with("```"))
            .map(|line| format!("\n  {line}"))
            .collect();
        format!(
            "{}{}",
            styled(SUBJECT, &form),
            doc.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>().trim_end()
        )
    };
    functions.iter().map(form).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::harness::Harness;
    use similar_asserts::assert_eq;

    fn help() -> Help {
        let mut engine = rhai::Engine::new();
        crate::api::register(&mut engine, &Harness::new().context);
        Help::new(&Names::host(&engine))
    }

    fn about(name: &str) -> String {
        anstream::adapter::strip_str(&help().text(Some(name), None).unwrap()).to_string()
    }

    #[test]
    fn everything_is_listed_in_its_group_with_a_line_that_fits() {
        let text = anstream::adapter::strip_str(&help().text(None, Some(72)).unwrap()).to_string();
        for group in ["functions", "stack", "service", "fs::", "log::"] {
            assert!(text.contains(&format!("\n\n{group}\n  ")), "{group}");
        }
        let functions = text.split("\n\nfunctions\n").nth(1).unwrap().split("\n\n").next().unwrap();
        assert!(
            functions.contains("\n  attempt ") && !functions.contains("\n  up "),
            "{functions}"
        );
        let order: Vec<usize> = ["functions", "stack", "log stream", "arg::"]
            .iter()
            .map(|group| text.find(&format!("\n\n{group}\n")).unwrap())
            .collect();
        assert!(order.is_sorted(), "{order:?}");
        let wide: Vec<&str> =
            text.lines().skip(HEAD.lines().count()).filter(|line| line.width() > 72).collect();
        assert_eq!(wide, [] as [&str; 0]);
        // Every listed function has a comment, beside it or in the next line, with its end.
        let lines: Vec<&str> = text.lines().collect();
        let is_alone = |line: &str| {
            line.starts_with("  ") && !line.starts_with("   ") && !line.trim().contains("  ")
        };
        let bare: Vec<&[&str]> = lines
            .windows(2)
            .filter(|pair| is_alone(pair[0]) && !pair[1].starts_with("   "))
            .collect();
        assert_eq!(bare, [] as [&[&str]; 0]);
        assert!(!lines.iter().any(|line| line.ends_with('…')), "{text}");
    }

    #[test]
    fn help_shows_every_overload_in_full() {
        let wait = about("service.wait");
        let expected = "\
service.wait(until)
  Wait until it is `\"ready\"` or `\"completed\"`, as long as its own check allows.

service.wait(until, timeout)
  Wait until it is `\"ready\"` or `\"completed\"`, at most `timeout`; throws `timeout`. A map has
  the options `timeout` and `assume`: a plan takes it to come in time, with `assume:
  false` not to.";
        assert_eq!(wait, expected);
        let stack = about("stack");
        assert!(
            stack.starts_with("stack()\n  The project at hand")
                && stack.contains("\n  let shop = stack(\"shop\"")
                && stack.contains("\nstack\n  "),
            "{stack}"
        );
        assert!(about("fs::read").starts_with("fs::read(path)\n  "), "{}", about("fs::read"));
        assert_eq!(about("fs.read"), about("fs::read"));
        assert!(about("fs").starts_with("fs::\n  "));
        assert!(
            about("service.state").starts_with("service.state\n  Docker's word"),
            "{}",
            about("service.state")
        );
    }

    #[test]
    fn an_unknown_name_comes_with_the_nearest() {
        let failure = help().text(Some("parralel"), None).unwrap_err();
        assert_eq!(
            (failure.message.as_str(), failure.hint.as_deref()),
            ("There is no help about \"parralel\"", Some("did you mean \"parallel\"?"))
        );
    }
}
