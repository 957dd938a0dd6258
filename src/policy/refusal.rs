//! A rejected action, and the line that would allow it.

use super::settings::SETTINGS_FILE;
use crate::model::{Failure, Kind};

/// Who requests an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    Script,
    /// spc itself, without a request of a script.
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

/// An action that a script, or spc for a script, may not perform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct Refusal {
    /// The actor that may not perform it.
    pub who: Actor,
    /// The action: `read`, `run the host command`.
    pub what: String,
    /// The object of the action.
    pub value: String,
    /// The reason, if it is not obvious: `it is outside of the project`.
    pub because: Option<String>,
    /// The lines under `[allow]` in `spc.toml` that would allow it; empty if no line does.
    pub add: Vec<String>,
    /// The next step if no line allows it.
    pub help: Option<Box<str>>,
}

impl Refusal {
    /// The refusal of a script's request.
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

    /// The refusal of an action of spc itself.
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

    /// The next step: the lines that would allow it, if there are any.
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
