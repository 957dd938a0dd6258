//! What `spc run x.rhai --help` says, as data; `ui` renders it.

/// The help of a runbook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Help {
    /// As it is called: `spc run scripts/up.rhai`.
    pub command: String,
    /// The runbook's `//!` lines, without the marks.
    pub doc: String,
    pub options: Vec<HelpOption>,
    /// The words after the options.
    pub arguments: Vec<HelpArgument>,
}

/// One option.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HelpOption {
    /// Without dashes: `target`.
    pub name: String,
    /// What stands for the value: `TARGET`, `DURATION`; nothing for a flag.
    pub value: Option<String>,
    pub doc: String,
    /// As the user would write it.
    pub default: Option<String>,
    /// The only values allowed.
    pub choices: Vec<String>,
}

/// Words that are not options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HelpArgument {
    pub name: String,
    pub doc: String,
    pub default: Option<String>,
    /// Takes all words that are left.
    pub many: bool,
}

/// The options that spc itself takes out of a runbook's words, wherever they stand, as a runbook
/// would write their names. A runbook can't declare an option of these names: it would never see
/// it.
pub const OWN_OPTIONS: [&str; 9] = [
    "adopt",
    "exit_code",
    "help",
    "json",
    "quiet",
    "remove_orphans",
    "renew_anon_volumes",
    "verbose",
    "yes",
];

/// spc's own options of one letter. They stand before the runbook's name; after it they are the
/// runbook's.
const OWN_LETTERS: [(&str, Option<&str>); 6] = [
    ("-v", Some("--verbose")),
    ("-q", Some("--quiet")),
    ("-y", Some("--yes")),
    ("-C", None),
    ("-p", None),
    ("-H", None),
];

/// What to do with a word after a runbook's name that is one of spc's own options of one letter.
pub fn own_letter(word: &str) -> Option<String> {
    let (letter, long) = OWN_LETTERS.into_iter().find(|(letter, _)| *letter == word)?;
    let before = format!(
        "spc's own \"{letter}\" stands before the runbook's name: spc run {letter} … RUNBOOK"
    );
    Some(long.map_or_else(|| before.clone(), |long| format!("{before}; after it write {long}")))
}

/// What spc takes the option for; nothing if it is free for a runbook. `key`: as declared, with `_`
/// or `-`.
pub fn own_option(key: &str) -> Option<&'static str> {
    let key = key.replace('-', "_");
    OWN_OPTIONS.into_iter().find(|own| *own == key)
}
