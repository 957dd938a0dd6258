//! The help of a runbook, printed by `spc run x.rhai --help`.

use unicode_width::UnicodeWidthStr;

use super::terminal::{SUBJECT, styled};
use crate::model::help::Help;
use crate::model::masking::Masked;
use crate::model::visible::{visible, visible_line};

/// The width of text if the terminal doesn't report one.
const WIDTH: usize = 100;
/// The description of a longer name is on the next line.
const LONGEST_NAME: usize = 30;

/// The help as text with styles, without a line end at its end; wrapped at `width` columns.
pub fn text(help: &Masked<Help>, width: Option<usize>) -> String {
    let width = width.unwrap_or(WIDTH).clamp(40, WIDTH);
    let mut parts = Vec::new();
    if !help.doc.trim().is_empty() {
        let lines = visible(help.doc.trim());
        let lines: Vec<_> = lines.lines().map(|line| doc_line(line, width)).collect();
        parts.push(lines.join("\n"));
    }
    parts.push(format!("{} {}", styled(SUBJECT, "Usage:"), usage(help)));
    let arguments: Vec<_> = help
        .arguments
        .iter()
        .map(|argument| {
            (
                argument_name(&argument.name, argument.many),
                description(&argument.doc, &[], argument.default.as_deref()),
            )
        })
        .collect();
    let options: Vec<_> = help
        .options
        .iter()
        .map(|option| {
            (
                option_name(&option.name, option.value.as_deref()),
                description(&option.doc, &option.choices, option.default.as_deref()),
            )
        })
        .chain([("--help".to_owned(), "Print this help".to_owned())])
        .collect();
    let column = arguments
        .iter()
        .chain(&options)
        .map(|(name, _)| name.width())
        .filter(|width| *width <= LONGEST_NAME)
        .max()
        .unwrap_or(0);
    for (title, rows) in [("Arguments:", arguments), ("Options:", options)] {
        if !rows.is_empty() {
            let rows: Vec<_> =
                rows.iter().map(|(name, text)| row(name, text, column, width)).collect();
            parts.push(format!("{}\n{}", styled(SUBJECT, title), rows.join("\n")));
        }
    }
    parts.extend(own_help(help).map(|command| format!("Options of spc itself: {command}")));
    parts.join("\n\n")
}

/// The command that prints spc's own options: `spc run --help`.
fn own_help(help: &Help) -> Option<String> {
    let verb = help.command.strip_prefix("spc ")?.split(' ').next()?;
    Some(format!("spc {verb} --help"))
}

/// A line of the runbook's comment, wrapped if it is too long, with its indentation.
fn doc_line(line: &str, width: usize) -> String {
    if line.width() <= width {
        return line.to_owned();
    }
    let indent = &line[..line.len() - line.trim_start().len()];
    let lines = wrapped(line, width.saturating_sub(indent.width()).max(20));
    lines.iter().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join("\n")
}

fn usage(help: &Help) -> String {
    let arguments = help
        .arguments
        .iter()
        .map(|argument| format!(" {}", argument_name(&argument.name, argument.many)));
    format!("{} [OPTIONS]{}", visible_line(&help.command), arguments.collect::<String>())
}

fn argument_name(name: &str, many: bool) -> String {
    format!("[{}]{}", visible_line(name).to_uppercase(), if many { "..." } else { "" })
}

fn option_name(name: &str, value: Option<&str>) -> String {
    match value {
        Some(value) => format!("--{} <{}>", visible_line(name), visible_line(value)),
        None => format!("--{}", visible_line(name)),
    }
}

fn description(doc: &str, choices: &[String], default: Option<&str>) -> String {
    let mut text = visible_line(doc.trim()).into_owned();
    if !choices.is_empty() {
        text.push_str(&format!(" (one of: {})", visible_line(&choices.join(", "))));
    }
    if let Some(default) = default.filter(|default| !default.is_empty()) {
        text.push_str(&format!(" [default: {}]", visible_line(default)));
    }
    text.trim_start().to_owned()
}

/// A name and its description beside it, wrapped in its own column. A name that is wider than
/// `column` has a line of its own.
pub fn row(name: &str, text: &str, column: usize, width: usize) -> String {
    let indent = column + 4;
    let lines = wrapped(text, width.saturating_sub(indent).max(20));
    let mut row = format!("  {name}");
    for (index, line) in lines.iter().enumerate() {
        if index == 0 && name.width() <= column {
            row.push_str(&" ".repeat(indent - 2 - name.width()));
        } else {
            row.push_str(&format!("\n{}", " ".repeat(indent)));
        }
        row.push_str(line);
    }
    row
}

/// `text` in lines of at most `width` columns; a longer word gets its own line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::help::{HelpArgument, HelpOption};
    use crate::model::secret::Secrets;
    use similar_asserts::assert_eq;

    fn up() -> Help {
        Help {
            command: "spc run scripts/up.rhai".to_owned(),
            doc: "Bring the stack up, ready.\n\nAll of it, or the named services.".to_owned(),
            options: vec![
                HelpOption {
                    name: "build".to_owned(),
                    doc: "Build images first".to_owned(),
                    ..HelpOption::default()
                },
                HelpOption {
                    name: "target".to_owned(),
                    value: Some("text".to_owned()),
                    doc: "Image stage".to_owned(),
                    default: Some("development".to_owned()),
                    choices: vec!["development".to_owned(), "production".to_owned()],
                },
            ],
            arguments: vec![HelpArgument {
                name: "services".to_owned(),
                doc: "Services".to_owned(),
                default: Some("all".to_owned()),
                many: true,
            }],
        }
    }

    fn masked(help: Help) -> Masked<Help> {
        let secrets = Secrets::new();
        secrets.add("key", "token", "correct horse battery staple");
        Masked::new(help, &secrets)
    }

    fn plain(help: Help, width: Option<usize>) -> String {
        anstream::adapter::strip_str(&text(&masked(help), width)).to_string()
    }

    #[test]
    fn the_help_has_doc_usage_arguments_and_options_in_one_column() {
        let expected = "\
Bring the stack up, ready.

All of it, or the named services.

Usage: spc run scripts/up.rhai [OPTIONS] [SERVICES]...

Arguments:
  [SERVICES]...    Services [default: all]

Options:
  --build          Build images first
  --target <text>  Image stage (one of: development, production) [default: development]
  --help           Print this help

Options of spc itself: spc run --help";
        assert_eq!(plain(up(), None), expected);
    }

    #[test]
    fn a_narrow_terminal_wraps_descriptions_in_their_column() {
        let expected = "\
  --target <text>  Image stage (one of:
                   development,
                   production) [default:
                   development]";
        assert!(plain(up(), Some(42)).contains(expected), "{}", plain(up(), Some(42)));
    }

    #[test]
    fn titles_are_bold_where_there_is_colour() {
        assert!(text(&masked(up()), None).contains("\u{1b}[1mOptions:\u{1b}[0m"));
    }

    #[test]
    fn a_runbook_that_says_nothing_still_has_its_usage() {
        let help = Help { command: "x.rhai".to_owned(), ..Help::default() };
        assert_eq!(
            plain(help, None),
            "Usage: x.rhai [OPTIONS]\n\nOptions:\n  --help  Print this help"
        );
    }

    #[test]
    fn a_secret_is_masked_before_its_text_is_wrapped() {
        let mut help = up();
        help.doc = "Log in to this old registry with correct horse battery staple".to_owned();
        help.options[0].doc = "The password is correct horse battery staple".to_owned();
        let text = plain(help, Some(42));
        assert!(!text.contains("correct") && !text.contains("staple"), "{text}");
        assert!(text.contains("Log in to this old registry with [secret\nkey]"), "{text}");
    }
}
