//! A service's health check, as described. The image supplies the missing values.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reader::Field;
use crate::model::Failure;

/// A `healthcheck:` map.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<HealthTest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_period: Option<Duration>,
    /// Needs API 1.44; not sent to an older engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<Duration>,
}

/// The command of the health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthTest {
    /// No check, not even that of the image: a running container is ready.
    None,
    /// An argument vector.
    Command(Vec<String>),
    /// A command line for the container's shell.
    Shell(String),
}

impl HealthTest {
    /// Docker's form: `["CMD-SHELL", "…"]`.
    pub fn to_engine(&self) -> Vec<String> {
        match self {
            Self::None => vec!["NONE".into()],
            Self::Command(words) => {
                std::iter::once("CMD".to_owned()).chain(words.iter().cloned()).collect()
            }
            Self::Shell(line) => vec!["CMD-SHELL".into(), line.clone()],
        }
    }

    /// From Docker's form; `None` means the check of the image.
    pub fn from_engine(words: &[String]) -> Option<Self> {
        match words.split_first()? {
            (first, _) if first == "NONE" => Some(Self::None),
            (first, rest) if first == "CMD" && !rest.is_empty() => {
                Some(Self::Command(rest.to_vec()))
            }
            (first, rest) if first == "CMD-SHELL" && !rest.is_empty() => {
                Some(Self::Shell(rest.join(" ")))
            }
            _ => None,
        }
    }

    /// Reads `test`: a string is a shell line; a list begins with `NONE`, `CMD` or `CMD-SHELL`.
    pub fn read(field: &Field<'_>) -> Result<Self, Failure> {
        if let Value::String(line) = field.value {
            return Ok(Self::Shell(line.clone()));
        }
        if !field.value.is_array() {
            return Err(field.wrong_type("a string or a list"));
        }
        let words: Vec<String> =
            field.list()?.iter().map(Field::scalar).collect::<Result<_, _>>()?;
        Self::from_engine(&words).ok_or_else(|| {
            field
                .fail(format!("\"{}\" has to begin with \"CMD\", \"CMD-SHELL\" or \"NONE\" and name a command", field.name()))
                .hint("a plain string runs in the container's shell")
        })
    }
}

impl Healthcheck {
    pub(super) fn read(field: &Field<'_>) -> Result<Self, Failure> {
        let mut map = field.map()?;
        let disable = map.read("disable", Field::bool)?.unwrap_or(false);
        let test = map
            .get("test")
            .filter(|field| field.value.as_array().is_none_or(|words| !words.is_empty()));
        let test = test.map(|field| HealthTest::read(&field)).transpose()?;
        let health = Self {
            test: if disable { Some(HealthTest::None) } else { test },
            interval: map.read("interval", Field::duration)?,
            timeout: map.read("timeout", Field::duration)?,
            retries: map.read("retries", |field| {
                u32::try_from(field.number()?).map_err(|_| field.fail("There are too many retries"))
            })?,
            start_period: map.read("start_period", Field::duration)?,
            start_interval: map.read("start_interval", Field::duration)?,
        };
        map.finish(&[])?;
        for (name, time) in [
            ("interval", health.interval),
            ("timeout", health.timeout),
            ("start_period", health.start_period),
            ("start_interval", health.start_interval),
        ] {
            if time.is_some_and(|time| !time.is_zero() && time < Duration::from_millis(1)) {
                let message = format!(
                    "\"{}.{name}\" is below a millisecond, which the engine rejects",
                    field.name()
                );
                return Err(field.fail_value(&[name], message).hint("write it like \"10s\""));
            }
        }
        Ok(health)
    }
}
