//! The output of `spc run x.rhai --help`, as data; `ui` renders it.

/// The help of a runbook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Help {
    /// The command line: `spc run scripts/up.rhai`.
    pub command: String,
    /// The runbook's `//!` lines, without the marks.
    pub doc: String,
    pub options: Vec<HelpOption>,
    /// The positional arguments.
    pub arguments: Vec<HelpArgument>,
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HelpOption {
    /// Without dashes: `target`.
    pub name: String,
    /// The placeholder for the value: `TARGET`, `DURATION`; `None` for a flag.
    pub value: Option<String>,
    pub doc: String,
    /// In the form that a user would write.
    pub default: Option<String>,
    /// The only values allowed.
    pub choices: Vec<String>,
}

/// A positional argument.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HelpArgument {
    pub name: String,
    pub doc: String,
    pub default: Option<String>,
    /// Takes all remaining words.
    pub many: bool,
}

/// The option for a key, without its dashes: `_` becomes `-` on the command line.
pub fn option_name(key: &str) -> String {
    key.replace('_', "-")
}

/// The options that spc itself takes from a runbook's arguments, at any position; written as a
/// runbook would declare them. A runbook can't declare an option with such a name, because it would
/// never get it.
pub const OWN_OPTIONS: [&str; 11] = [
    "adopt",
    "all_steps",
    "exit_code",
    "help",
    "json",
    "quiet",
    "remove_orphans",
    "renew_anon_volumes",
    "verbose",
    "wait_lock",
    "yes",
];

/// spc's own options of one letter. They come before the runbook's name; after it, one-letter
/// options belong to the runbook.
const OWN_LETTERS: [(&str, Option<&str>); 6] = [
    ("-v", Some("--verbose")),
    ("-q", Some("--quiet")),
    ("-y", Some("--yes")),
    ("-C", None),
    ("-p", None),
    ("-H", None),
];

/// A hint if an argument after the runbook's name is one of spc's own one-letter options.
pub fn own_letter(word: &str) -> Option<String> {
    let (letter, long) = OWN_LETTERS.into_iter().find(|(letter, _)| *letter == word)?;
    let before = format!(
        "spc's own \"{letter}\" has to come before the runbook's name: spc run {letter} … RUNBOOK"
    );
    Some(long.map_or_else(|| before.clone(), |long| format!("{before}; after it write {long}")))
}

/// What spc uses the option for; `None` if a runbook can declare it. `key` is the declared name,
/// with `_` or `-`.
pub fn own_option(key: &str) -> Option<&'static str> {
    let key = key.replace('-', "_");
    OWN_OPTIONS.into_iter().find(|own| *own == key)
}
