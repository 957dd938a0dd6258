//! Parses the arguments of a runbook by its declarations.

use rhai::{Array, Dynamic, Map};

use super::declared_option::{Declarations, DeclaredOption, OptionKind};
use super::text::quoted;
use crate::model::Failure;
pub(super) use crate::model::help::option_name;
use crate::model::help::own_letter;
use crate::model::suggest::{did_you_mean, nearest};
use crate::model::time::parse_duration;
use crate::value::text::plain;

/// A value as it would be written on the command line.
pub(super) fn written(value: &Dynamic) -> String {
    match value.read_lock::<Array>() {
        Some(list) => list.iter().map(plain).collect::<Vec<_>>().join(","),
        None if value.is_unit() => String::new(),
        None => plain(value),
    }
}

/// The values of the arguments, by key.
pub(super) fn read(declarations: &Declarations, words: &[String]) -> Result<Map, Failure> {
    let mut reader = Reader { declarations, values: Map::new(), rest: Vec::new() };
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            reader.rest.extend(words.map(|word| Dynamic::from(word.clone())));
            break;
        }
        let Some(option) = word.strip_prefix("--") else {
            reader.word(word)?;
            continue;
        };
        let (name, given) = option
            .split_once('=')
            .map_or((option, None), |(name, value)| (name, Some(value.to_owned())));
        let (key, declared, negated) = reader.option(name)?;
        if let OptionKind::Flag = declared.takes {
            if given.is_some() {
                return Err(Failure::usage(format!("\"--{name}\" takes no value"))
                    .hint(format!("write --{name} or --no-{name}")));
            }
            reader.set(key, name, (!negated).into())?;
            continue;
        }
        let next = words.peek().copied();
        let value = given.or_else(|| words.next_if(|word| !word.starts_with("--")).cloned());
        let value = value.ok_or_else(|| needs_value(name, declared, next))?;
        reader.set(key, name, typed(name, declared, &value)?)?;
    }
    reader.finish()
}

struct Reader<'a> {
    declarations: &'a Declarations,
    values: Map,
    rest: Array,
}

impl<'a> Reader<'a> {
    /// The declaration of an option as written, and whether it is the `no-` form of a flag.
    fn option(&self, name: &str) -> Result<(&'a str, &'a DeclaredOption, bool), Failure> {
        let options = self
            .declarations
            .iter()
            .filter(|(_, declared)| !matches!(declared.takes, OptionKind::Rest));
        for (key, declared) in options {
            let own = option_name(key);
            if own == name {
                return Ok((key, declared, false));
            }
            if matches!(declared.takes, OptionKind::Flag)
                && name.strip_prefix("no-") == Some(own.as_str())
            {
                return Ok((key, declared, true));
            }
        }
        Err(self.unknown(&format!("--{name}")))
    }

    fn unknown(&self, word: &str) -> Failure {
        let failure = Failure::usage(format!("There is no option \"{word}\""));
        let options: Vec<String> = self
            .declarations
            .iter()
            .filter(|(_, declared)| !matches!(declared.takes, OptionKind::Rest))
            .map(|(key, _)| format!("--{}", option_name(key)))
            .collect();
        // A single letter is probably the beginning of a name.
        let begins = options.iter().find(|option| word.len() == 2 && option[1..].starts_with(word));
        let meant =
            begins.map(|option| format!("did you mean \"{option}\"?")).or_else(|| own_letter(word));
        match meant.or_else(|| did_you_mean(word, options.iter().map(String::as_str))) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// A word that is not an option.
    fn word(&mut self, word: &str) -> Result<(), Failure> {
        let number = word.parse::<f64>().is_ok();
        if word.starts_with('-') && word.len() > 1 && !number {
            return Err(self.unknown(word));
        }
        self.rest.push(word.into());
        Ok(())
    }

    fn set(&mut self, key: &str, name: &str, value: Dynamic) -> Result<(), Failure> {
        if let Some(mut list) =
            self.values.get_mut(key).and_then(rhai::Dynamic::write_lock::<Array>)
        {
            list.extend(value.cast::<Array>());
            return Ok(());
        }
        match self.values.insert(key.into(), value) {
            None => Ok(()),
            Some(_) => Err(Failure::usage(format!("\"--{name}\" is given twice"))),
        }
    }

    fn finish(mut self) -> Result<Map, Failure> {
        let Some(first) = self.rest.first() else { return Ok(self.values) };
        let rest = self
            .declarations
            .iter()
            .find(|(_, declared)| matches!(declared.takes, OptionKind::Rest));
        let Some((key, _)) = rest else {
            let failure =
                Failure::usage(format!("Unexpected argument {}", quoted(&first.to_string())));
            return Err(failure.hint("this runbook takes options only; --help shows them"));
        };
        self.values.insert(key.as_str().into(), self.rest.into());
        Ok(self.values)
    }
}

fn needs_value(name: &str, declared: &DeclaredOption, next: Option<&String>) -> Failure {
    let write = format!("write --{name} {}", declared.placeholder().unwrap_or_default());
    let hint = next.map_or_else(|| write.clone(), |next| format!("{write}, or --{name}={next}"));
    Failure::usage(format!("\"--{name}\" needs a value")).hint(hint)
}

/// The value of a word, with the type of the option's default.
pub(super) fn typed(name: &str, declared: &DeclaredOption, word: &str) -> Result<Dynamic, Failure> {
    let takes = |what: &str, part: &str| {
        Failure::usage(format!("\"--{name}\" takes {what}, not {}", quoted(part)))
    };
    match &declared.takes {
        OptionKind::Number if declared.default.is_int() => {
            word.parse::<i64>().map(Dynamic::from).map_err(|_| takes("an integer", word))
        }
        OptionKind::Number => match word.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number.into()),
            _ => Err(takes("a number", word)),
        },
        OptionKind::Duration => parse_duration(word)
            .map(Dynamic::from)
            .map_err(|wrong| Failure::usage(format!("\"--{name}\": {wrong}"))),
        OptionKind::OneOf(choices) if choices.iter().any(|choice| choice == word) => {
            Ok(word.into())
        }
        OptionKind::OneOf(choices) => Err(none_of(name, choices, word)),
        OptionKind::List => {
            let parts = word.split(',').map(str::trim).filter(|part| !part.is_empty());
            let first = declared
                .default
                .read_lock::<Array>()
                .and_then(|list| list.first().cloned())
                .unwrap_or_default();
            let element = |part: &str| {
                if first.is_int() {
                    part.parse::<i64>().map(Dynamic::from).map_err(|_| takes("integers", part))
                } else if first.is_float() {
                    part.parse::<f64>().map(Dynamic::from).map_err(|_| takes("numbers", part))
                } else {
                    Ok(part.into())
                }
            };
            parts.map(element).collect::<Result<Array, _>>().map(Dynamic::from)
        }
        OptionKind::Text | OptionKind::Flag | OptionKind::Rest => Ok(word.into()),
    }
}

fn none_of(name: &str, choices: &[String], word: &str) -> Failure {
    let failure = Failure::usage(format!(
        "\"--{name}\" is one of {}, not {}",
        choices.join(", "),
        quoted(word)
    ));
    let begun = || {
        choices
            .iter()
            .map(String::as_str)
            .find(|choice| !word.is_empty() && choice.starts_with(word))
    };
    match nearest(word, choices.iter().map(String::as_str)).or_else(begun) {
        Some(near) => failure.hint(format!("did you mean \"{near}\"?")),
        None => failure,
    }
}
