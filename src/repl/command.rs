//! Commands of the prompt, which are not lines of a script.

/// A command of the prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// Help about everything, or about a name.
    Help(Option<&'a str>),
    Leave,
}

/// The command in a text, if it is one: `help`, `help NAME`, `help("NAME")`, `exit`, `quit`, each
/// also after a colon.
pub(super) fn command(text: &str) -> Option<Command<'_>> {
    let text = text.trim().trim_end_matches(';');
    let text = text.strip_prefix(':').unwrap_or(text);
    let bare = text.strip_suffix("()").unwrap_or(text);
    if matches!(bare, "exit" | "quit") {
        return Some(Command::Leave);
    }
    let about = bare.strip_prefix("help")?;
    if about.is_empty() {
        return Some(Command::Help(None));
    }
    let named = about.strip_prefix("(\"").and_then(|about| about.strip_suffix("\")"));
    let about = named.or_else(|| about.strip_prefix(' ').map(str::trim))?;
    about
        .chars()
        .all(|c| c == '_' || c == ':' || c == '.' || c.is_alphanumeric())
        .then_some(Command::Help(Some(about)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_commands_differ_from_code() {
        for (text, expected) in [
            ("help", Some(Command::Help(None))),
            (" :help ", Some(Command::Help(None))),
            ("help()", Some(Command::Help(None))),
            ("help stack", Some(Command::Help(Some("stack")))),
            ("help(\"fs::read\");", Some(Command::Help(Some("fs::read")))),
            ("exit", Some(Command::Leave)),
            ("quit();", Some(Command::Leave)),
            (":exit", Some(Command::Leave)),
            ("helper", None),
            ("help + 1", None),
            ("exits", None),
            ("let help = 1", None),
            ("q", None),
        ] {
            assert_eq!(command(text), expected, "{text}");
        }
    }
}
