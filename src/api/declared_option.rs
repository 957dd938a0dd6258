//! An option in the declaration of a runbook.

use rhai::{Dynamic, FnPtr};

use crate::model::Failure;
use crate::value::options::{duration_of, number};
use crate::value::text::plain;
use crate::value::type_names;

/// The kind of value that an option takes.
#[derive(Debug, Clone)]
pub(super) enum OptionKind {
    Text,
    Flag,
    /// All arguments that are not options.
    Rest,
    List,
    Number,
    Duration,
    OneOf(Vec<String>),
}

/// An option in the declaration of a runbook.
#[derive(Debug, Clone)]
pub(super) struct DeclaredOption {
    pub takes: OptionKind,
    /// A value, or a function that returns it.
    pub default: Dynamic,
    pub help: String,
    /// Whether `up` keeps the option for later runs.
    pub kept: Option<OptionPersistence>,
}

impl DeclaredOption {
    /// A declaration. If its default is already a value, its type is checked.
    pub(super) fn new(takes: OptionKind, default: Dynamic, help: &str) -> Result<Self, Failure> {
        let declared =
            Self { takes, default: default.flatten(), help: help.to_owned(), kept: None };
        if !declared.default.is::<FnPtr>() {
            let _ = declared.checked(declared.default.clone())?;
        }
        Ok(declared)
    }

    /// The default with the type of the option; `()` means none.
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
                "The default \"{}\" is not one of: {}",
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

    /// The placeholder for the value in the help; `None` for a flag.
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
    /// The variable in `.env` for the option.
    pub variable: String,
    /// Whether the kept value takes precedence over the option's own default.
    pub reads: bool,
}
