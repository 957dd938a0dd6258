//! Options that a project keeps from run to run: what it was last brought up with.

use std::collections::BTreeMap;

use rhai::Dynamic;

use super::args::Declared;
use super::context::Context;
use super::words;
use crate::apply::choices::{Choice, Choices};
use crate::model::Failure;
use crate::model::event::{Event, Level};

/// How an option is kept.
#[derive(Debug, Clone)]
pub(super) struct Keeping {
    /// The variable of `.env` that stands for the option.
    pub variable: String,
    /// Whether what is kept counts before the option's own default.
    pub reads: bool,
}

/// The options that `up` keeps for the runs after it.
pub(super) struct Kept<'a> {
    context: &'a Context,
    choices: Choices,
    process: BTreeMap<String, String>,
}

impl<'a> Kept<'a> {
    pub(super) fn of(context: &'a Context) -> Result<Self, Failure> {
        Ok(Self { context, choices: context.kept_choices()?, process: context.host.environment() })
    }

    /// What the project was last brought up with, unless something newer says otherwise: the process's own environment, or a
    /// `.env` that was changed since.
    pub(super) fn value(&self, key: &str, declared: &Declared, default: &Dynamic) -> Option<Dynamic> {
        let Keeping { variable, .. } = declared.kept.as_ref().filter(|keeping| keeping.reads)?;
        let choice = self.choices.get(key)?;
        if self.process.get(variable).is_some_and(|value| !value.is_empty()) || choice.described != self.described(variable) {
            return None;
        }
        // A word that is no choice any more is none.
        let value = words::typed(&words::option_name(key), declared, &choice.value).ok()?;
        if words::written(default) != choice.value {
            let option = words::option_name(key);
            let text = format!("--{option} is \"{}\", as the project was last brought up; --{option} says otherwise", choice.value);
            self.context.events.event(&Event::Log { level: Level::Info, text });
        }
        Some(value)
    }

    pub(super) fn choose(&self, key: &str, declared: &Declared, value: &Dynamic) {
        if let Some(Keeping { variable, .. }) = &declared.kept {
            self.context.choose(key, Choice { value: words::written(value), described: self.described(variable), project: None });
        }
    }

    fn described(&self, variable: &str) -> Option<String> {
        self.context.project.files.get(variable).map(|variable| variable.value.clone()).filter(|value| !value.is_empty())
    }
}
