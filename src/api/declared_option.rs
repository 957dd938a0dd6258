//! An option as a runbook declares it.

use rhai::{Dynamic, FnPtr};

use crate::model::Failure;
use crate::value::options::{duration_of, number};
use crate::value::text::plain;
use crate::value::type_names;

/// What an option takes.
#[derive(Debug, Clone)]
pub(super) enum OptionKind {
    Text,
    Flag,
    /// All words that are no options.
    Rest,
    List,
    Number,
    Duration,
    OneOf(Vec<String>),
}

/// An option as the runbook declared it.
#[derive(Debug, Clone)]
pub(super) struct DeclaredOption {
    pub takes: OptionKind,
    /// A value, or a function that gives it.
    pub default: Dynamic,
    pub help: String,
    /// Whether `up` keeps the option for the runs after it.
    pub kept: Option<OptionPersistence>,
}

impl DeclaredOption {
    /// A declaration whose default, if it is a value already, is of the right type.
    pub(super) fn new(takes: OptionKind, default: Dynamic, help: &str) -> Result<Self, Failure> {
        let declared =
            Self { takes, default: default.flatten(), help: help.to_owned(), kept: None };
        if !declared.default.is::<FnPtr>() {
            let _ = declared.checked(declared.default.clone())?;
        }
        Ok(declared)
    }

    /// The default, of the type that the option gives; `()` stands for none.
    pub(super) fn checked(&self, default: Dynamic) -> Result<Dynamic, Failure> {
        if default.is_unit() {
            return Ok(default);
        }
        let wrong = |what: &str| {
            Failure::usage(format!(
                "{} takes {what} as its default, not {}",
                self.function(),
                type_names::a(&default)
            ))
        };
        match &self.takes {
            OptionKind::Text if default.is_string() => Ok(default),
            OptionKind::Text => Err(wrong("a string")),
            OptionKind::List if default.is_array() => Ok(default),
            OptionKind::List => Err(wrong("a list")),
            OptionKind::Number if number(&default).is_some() => Ok(default),
            OptionKind::Number => Err(wrong("a number")),
            OptionKind::Duration => duration_of(&default).map(Dynamic::from),
            OptionKind::OneOf(choices) if choices.contains(&plain(&default)) => {
                Ok(plain(&default).into())
            }
            OptionKind::OneOf(choices) => Err(Failure::usage(format!(
                "The default \"{}\" is none of: {}",
                plain(&default),
                choices.join(", ")
            ))),
            OptionKind::Flag | OptionKind::Rest => Ok(default),
        }
    }

    pub(super) fn function(&self) -> &'static str {
        match self.takes {
            OptionKind::Text => "arg::text",
            OptionKind::Flag => "arg::flag",
            OptionKind::Rest => "arg::rest",
            OptionKind::List => "arg::list",
            OptionKind::Number => "arg::number",
            OptionKind::Duration => "arg::duration",
            OptionKind::OneOf(_) => "arg::one_of",
        }
    }

    /// What stands for the value in the help; nothing for a flag.
    pub(super) fn placeholder(&self) -> Option<String> {
        let word = match self.takes {
            OptionKind::Flag | OptionKind::Rest => return None,
            OptionKind::Text => "TEXT",
            OptionKind::List => "LIST",
            OptionKind::Number => "NUMBER",
            OptionKind::Duration => "DURATION",
            OptionKind::OneOf(_) => "CHOICE",
        };
        Some(word.to_owned())
    }
}

/// The options of `args`, in the order of their names.
pub(super) type Declarations = Vec<(String, DeclaredOption)>;

/// How an option is kept.
#[derive(Debug, Clone)]
pub(super) struct OptionPersistence {
    /// The variable of `.env` that stands for the option.
    pub variable: String,
    /// Whether what is kept counts before the option's own default.
    pub reads: bool,
}
