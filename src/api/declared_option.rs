//! An option as a runbook declares it.

use rhai::{Dynamic, FnPtr};

use crate::model::Failure;
use crate::value::options::{duration_of, number};
use crate::value::text::plain;
use crate::value::type_names;

/// What an option takes.
#[derive(Debug, Clone)]
pub(super) enum Takes {
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
pub(super) struct Declared {
    pub takes: Takes,
    /// A value, or a function that gives it.
    pub default: Dynamic,
    pub help: String,
    /// Whether `up` keeps the option for the runs after it.
    pub kept: Option<Keeping>,
}

impl Declared {
    /// A declaration whose default, if it is a value already, is of the right type.
    pub(super) fn new(takes: Takes, default: Dynamic, help: &str) -> Result<Self, Failure> {
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
            Takes::Text if default.is_string() => Ok(default),
            Takes::Text => Err(wrong("a string")),
            Takes::List if default.is_array() => Ok(default),
            Takes::List => Err(wrong("a list")),
            Takes::Number if number(&default).is_some() => Ok(default),
            Takes::Number => Err(wrong("a number")),
            Takes::Duration => duration_of(&default).map(Dynamic::from),
            Takes::OneOf(choices) if choices.contains(&plain(&default)) => {
                Ok(plain(&default).into())
            }
            Takes::OneOf(choices) => Err(Failure::usage(format!(
                "The default \"{}\" is none of: {}",
                plain(&default),
                choices.join(", ")
            ))),
            Takes::Flag | Takes::Rest => Ok(default),
        }
    }

    pub(super) fn function(&self) -> &'static str {
        match self.takes {
            Takes::Text => "arg::text",
            Takes::Flag => "arg::flag",
            Takes::Rest => "arg::rest",
            Takes::List => "arg::list",
            Takes::Number => "arg::number",
            Takes::Duration => "arg::duration",
            Takes::OneOf(_) => "arg::one_of",
        }
    }

    /// What stands for the value in the help; nothing for a flag.
    pub(super) fn placeholder(&self) -> Option<String> {
        let word = match self.takes {
            Takes::Flag | Takes::Rest => return None,
            Takes::Text => "TEXT",
            Takes::List => "LIST",
            Takes::Number => "NUMBER",
            Takes::Duration => "DURATION",
            Takes::OneOf(_) => "CHOICE",
        };
        Some(word.to_owned())
    }
}

/// The options of `args`, in the order of their names.
pub(super) type Declarations = Vec<(String, Declared)>;

/// How an option is kept.
#[derive(Debug, Clone)]
pub(super) struct Keeping {
    /// The variable of `.env` that stands for the option.
    pub variable: String,
    /// Whether what is kept counts before the option's own default.
    pub reads: bool,
}
