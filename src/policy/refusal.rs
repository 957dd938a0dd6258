//! What a script may not do, and the line that would allow it.

use super::settings::SETTINGS_FILE;
use crate::model::{Failure, Kind};

/// Who wants to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    Script,
    /// spc by itself, not because a script asked for it.
    Spc,
}

impl Actor {
    fn subject(self) -> &'static str {
        match self {
            Self::Script => "A script",
            Self::Spc => "spc",
        }
    }
}

/// Something a script, or spc on its behalf, may not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct Refusal {
    /// Who may not do it.
    pub who: Actor,
    /// The action: `read`, `run the host command`.
    pub what: String,
    /// What it was to be done with.
    pub value: String,
    /// Where that isn't plain: `it is outside of the project`.
    pub because: Option<String>,
    /// The lines of `spc.toml` that allow it, under `[allow]`; none where nothing does.
    pub add: Vec<String>,
    /// The next step where no line allows it.
    pub help: Option<Box<str>>,
}

impl Refusal {
    /// A refusal of what a script asks for.
    pub(super) fn new(what: &str, value: impl Into<String>) -> Self {
        Self {
            who: Actor::Script,
            what: what.to_owned(),
            value: value.into(),
            because: None,
            add: Vec::new(),
            help: None,
        }
    }

    /// The same about what spc does by itself.
    pub(super) fn of_spc(what: &str, value: impl Into<String>) -> Self {
        Self { who: Actor::Spc, ..Self::new(what, value) }
    }

    pub(super) fn because(mut self, reason: impl Into<String>) -> Self {
        self.because = Some(reason.into());
        self
    }

    pub(super) fn help(mut self, step: impl Into<Box<str>>) -> Self {
        self.help = Some(step.into());
        self
    }

    pub(super) fn allowed_by(mut self, line: impl Into<String>) -> Self {
        self.add.push(line.into());
        self
    }

    /// Sentence case, no full stop.
    pub fn message(&self) -> String {
        let reason = self.because.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        format!("{} may not {} \"{}\"{reason}", self.who.subject(), self.what, self.value)
    }

    /// The next step: the lines that allow it, where some do.
    pub fn hint(&self) -> Option<String> {
        if self.add.is_empty() {
            return self.help.as_deref().map(str::to_owned);
        }
        let line = format!("write {} under [allow] in {SETTINGS_FILE}", self.add.join(" and "));
        Some(match &self.help {
            Some(help) => format!("{help}; to allow it, {line}"),
            None => format!("to allow it, {line}"),
        })
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let failure = Self::new(Kind::Policy, refusal.message());
        match refusal.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
