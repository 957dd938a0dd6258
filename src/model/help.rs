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
