//! Options of the engine's own log drivers, which the engine checks only when it creates or starts
//! a container.

use serde_json::Value;

use super::reader::Field;
use super::sizes::{BINARY, DECIMAL, SIZE, in_units, not_a_size, size, truth};
use super::{Logging, log_values};
use crate::model::Failure;
use crate::model::suggest::{did_you_mean, nearest};

/// Options of every driver: how messages reach it, and the local copy for `logs` if the driver
/// can't be read.
const OF_EVERY: [&str; 6] = [
    "mode",
    "max-buffer-size",
    "cache-disabled",
    "cache-max-size",
    "cache-max-file",
    "cache-compress",
];

/// Attributes that most drivers can add to each message.
const EXTRA: [&str; 5] = ["labels", "labels-regex", "env", "env-regex", "tag"];

/// A built-in driver of the engine.
struct Driver {
    name: &'static str,
    own: &'static [&'static str],
    /// Whether it accepts [`EXTRA`].
    has_extra: bool,
    /// Newer engines may know more options with this prefix.
    open: Option<&'static str>,
}

const DRIVERS: [Driver; 9] = [
    Driver {
        name: "json-file",
        own: &["max-size", "max-file", "compress"],
        has_extra: true,
        open: None,
    },
    Driver {
        name: "local",
        own: &["max-size", "max-file", "compress"],
        has_extra: false,
        open: None,
    },
    Driver { name: "syslog", own: &[], has_extra: true, open: Some("syslog-") },
    Driver { name: "journald", own: &[], has_extra: true, open: None },
    Driver { name: "gelf", own: &[], has_extra: true, open: Some("gelf-") },
    Driver { name: "fluentd", own: &[], has_extra: true, open: Some("fluentd-") },
    Driver { name: "awslogs", own: &[], has_extra: true, open: Some("awslogs-") },
    Driver { name: "splunk", own: &[], has_extra: true, open: Some("splunk-") },
    Driver { name: "gcplogs", own: &[], has_extra: true, open: Some("gcp-") },
];

impl Driver {
    fn options(&self) -> impl Iterator<Item = &'static str> + Clone {
        let extra: &'static [&'static str] = if self.has_extra { &EXTRA } else { &[] };
        self.own.iter().chain(extra).chain(&OF_EVERY).copied()
    }

    fn knows(&self, option: &str) -> bool {
        self.options().any(|known| known == option)
            || self.open.is_some_and(|beginning| option.starts_with(beginning))
    }
}

/// Whether the result depends on the engine's settings: its default driver and the default options
/// of that driver.
pub fn depends_on_engine(logging: &Logging) -> bool {
    match &logging.driver {
        Some(_) => missing(logging).is_some(),
        None => !logging.options.is_empty(),
    }
}

/// A required option of the driver that the description lacks.
fn missing(logging: &Logging) -> Option<&'static str> {
    let required =
        log_values::REQUIRED.iter().filter(|(driver, _)| logging.driver.as_deref() == Some(driver));
    required.map(|(_, option)| *option).find(|option| !logging.options.contains_key(*option))
}

/// Rejects options that an engine with this default driver rejects. The options belong to
/// `service`.
pub fn check_with_default(logging: &Logging, default: &str, service: &str) -> Result<(), Failure> {
    let field = Field::at(&Value::Null, &["services", service, "logging"]);
    match &logging.driver {
        Some(name) => match missing(logging).filter(|_| name != default) {
            Some(option) => Err(field
                .fail_below(
                    &["driver"],
                    format!("The log driver \"{name}\" needs the option \"{option}\""),
                )
                .hint(format!("add it under `options`: {option}"))),
            None => Ok(()),
        },
        None => {
            let Some(driver) = DRIVERS.iter().find(|driver| driver.name == default) else {
                return Ok(());
            };
            let Some(option) = logging.options.keys().find(|option| !driver.knows(option)) else {
                return Ok(());
            };
            let message = format!(
                "\"{default}\", the engine's default log driver, which \"{service}\" uses, has no option \"{option}\""
            );
            let of = DRIVERS
                .iter()
                .find(|driver| driver.knows(option))
                .map(|driver| format!("name the `driver`, like \"{}\"", driver.name));
            Err(field
                .fail_below(&["options", option], message)
                .hint(of.unwrap_or_else(|| "name the `driver` that has it".to_owned())))
        }
    }
}

/// Whether a built-in driver rejects the option.
pub fn is_unknown(driver: &str, option: &str) -> bool {
    DRIVERS.iter().any(|known| known.name == driver && !known.knows(option))
}

/// Rejects options that the engine would reject. Plugins have their own options, and so may the
/// engine's default driver if the description names none. In this case only misspelled options of
/// `json-file` are rejected.
pub(super) fn check(logging: &Logging, field: &Field<'_>) -> Result<(), Failure> {
    let wrong = |option: &str, message: String| field.fail_value(&["options", option], message);
    let Some(name) = logging.driver.as_deref() else {
        let slip = logging
            .options
            .keys()
            .find(|option| !DRIVERS.iter().any(|driver| driver.knows(option)));
        return match slip.and_then(|option| Some((option, nearest(option, DRIVERS[0].options())?)))
        {
            Some((option, near)) => Err(field
                .fail_below(
                    &["options", option],
                    format!("No log driver of the engine has an option \"{option}\""),
                )
                .hint(format!("did you mean \"{near}\"?"))),
            None => log_values::check(logging, field),
        };
    };
    let Some(driver) = DRIVERS.iter().find(|driver| driver.name == name) else { return Ok(()) };
    if let Some(option) = logging.options.keys().find(|option| !driver.knows(option)) {
        let failure = field.fail_below(
            &["options", option],
            format!("The log driver \"{name}\" has no option \"{option}\""),
        );
        return Err(failure.hint(did_you_mean(option, driver.options()).unwrap_or_default()));
    }
    log_values::check(logging, field)?;
    let option = |name: &str| logging.options.get(name).map(String::as_str);
    if let Some(size) = option("max-buffer-size") {
        if option("mode") != Some("non-blocking") {
            return Err(wrong(
                "max-buffer-size",
                format!(
                    "\"max-buffer-size\" is \"{size}\", but only mode \"non-blocking\" has a buffer"
                ),
            )
            .hint("add `mode: non-blocking`, or remove it"));
        }
        self::size(size, BINARY)
            .ok_or_else(|| wrong("max-buffer-size", not_a_size(size)).hint(SIZE))?;
    }
    if matches!(name, "json-file" | "local") {
        check_rotation(name, &option, &wrong)
    } else {
        Ok(())
    }
}

/// The size at which a log file is full, and the number of files.
fn check_rotation<'a>(
    driver: &str,
    option: &dyn Fn(&str) -> Option<&'a str>,
    wrong: &dyn Fn(&str, String) -> Failure,
) -> Result<(), Failure> {
    let is_json = driver == "json-file";
    if let Some(size) =
        option("max-size").filter(|size| is_json && self::size(size, DECIMAL) == Some(0))
    {
        return Err(wrong(
            "max-size",
            format!("\"max-size\" is \"{size}\", but a log file needs at least one byte"),
        )
        .hint(SIZE));
    }
    let least = i64::from(is_json);
    let files = match option("max-file") {
        Some(text) => match text.parse::<i64>().ok().filter(|number| *number >= least) {
            Some(number) => Some(number),
            None => {
                let message = format!(
                    "\"max-file\" has to be a whole number from {least} on, but it is \"{text}\""
                );
                return Err(wrong("max-file", message)
                    .hint("it is the number of log files that are kept, like \"3\""));
            }
        },
        None => None,
    };
    let compress = option("compress").and_then(truth);

    if is_json
        && compress == Some(true)
        && (files.is_none_or(|files| files < 2) || option("max-size").is_none())
    {
        return Err(wrong(
            "compress",
            "\"compress\" needs \"max-size\" and a \"max-file\" of 2 or more: only full log files are compressed".to_owned(),
        )
        .hint("add both, or remove it"));
    }
    if !is_json && compress != Some(false) && files.is_some_and(|files| files < 2) {
        let message = format!(
            "The log driver \"{driver}\" compresses full log files, and \"max-file\" leaves it none"
        );
        return Err(
            wrong("max-file", message).hint("keep 2 files or more, or add `compress: \"false\"`")
        );
    }
    Ok(())
}

/// The same options with canonical sizes, numbers and booleans. Options of plugins stay as they
/// are.
pub(super) fn canonical(logging: &Logging) -> Logging {
    let mut logging = logging.clone();
    if logging.driver.as_ref().is_some_and(|name| !DRIVERS.iter().any(|driver| driver.name == name))
    {
        return logging;
    }
    for (option, value) in &mut logging.options {
        let one_spelling = match option.as_str() {
            "max-size" | "cache-max-size" => {
                size(value, DECIMAL).map(|bytes| in_units(bytes, DECIMAL))
            }
            "max-buffer-size" => size(value, BINARY).map(|bytes| in_units(bytes, BINARY)),
            "max-file" | "cache-max-file" => {
                value.parse::<i64>().ok().map(|number| number.to_string())
            }
            "compress" | "cache-compress" | "cache-disabled" => {
                truth(value).map(|truth| truth.to_string())
            }
            _ => None,
        };
        if let Some(one_spelling) = one_spelling {
            *value = one_spelling;
        }
    }
    logging
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::super::{Project, ReadOptions};

    fn read(logging: Value) -> Result<(), String> {
        let options = ReadOptions { directory: Path::new("/srv"), lookup: &|_| None };
        let description = json!({"services": {"a": {"image": "x", "logging": logging}}});
        Project::read("spc", &description, &options).map(drop).map_err(|failure| {
            format!(
                "{}: {} ({})",
                failure.path.unwrap().keys[3..].join("."),
                failure.message,
                failure.hint.unwrap_or_default()
            )
        })
    }

    fn options(driver: &str, options: Value) -> Result<(), String> {
        read(json!({"driver": driver, "options": options}))
    }

    #[test]
    fn options_that_the_engines_own_drivers_do_not_have_are_refused() {
        for (driver, option, hint) in [
            ("json-file", "max-sizex", "did you mean \"max-size\"?"),
            ("json-file", "cache-max-sizex", "did you mean \"cache-max-size\"?"),
            ("journald", "tags", "did you mean \"tag\"?"),
            ("syslog", "tagg", "did you mean \"tag\"?"),
        ] {
            let expected = format!(
                "options.{option}: The log driver \"{driver}\" has no option \"{option}\" ({hint})"
            );
            assert_eq!(options(driver, json!({option: "1"})), Err(expected));
        }
        let listed = options("local", json!({"labels": "a"})).unwrap_err();
        assert!(listed.contains("The log driver \"local\" has no option \"labels\" (available: cache-compress, cache-disabled"), "{listed}");
        assert_eq!(
            read(json!({"options": {"max-sizex": "1"}})).unwrap_err(),
            "options.max-sizex: No log driver of the engine has an option \"max-sizex\" (did you mean \"max-size\"?)"
        );
    }

    #[test]
    fn options_of_plugins_of_newer_engines_and_of_no_driver_are_taken() {
        for (driver, option) in [
            ("loki", "loki-url"),
            ("fluentd", "fluentd-read-timeout"),
            ("awslogs", "awslogs-new"),
            ("none", "foo"),
            ("gcplogs", "gcp-project"),
        ] {
            assert_eq!(options(driver, json!({option: "1"})), Ok(()), "{driver} {option}");
        }
        assert_eq!(
            read(
                json!({"options": {"loki-url": "x", "gelf-address": "udp://x:1", "max-size": "1m"}})
            ),
            Ok(())
        );
    }

    #[test]
    fn values_are_those_that_the_engine_starts_a_container_with() {
        let file = |options: Value| self::options("json-file", options);
        for right in [
            json!({"max-size": "10m", "max-file": "3"}),
            json!({"max-size": "1.5m"}),
            json!({"max-size": "10 MB"}),
            json!({"max-size": "1kib"}),
            json!({"max-size": "1Ki"}),
            json!({"max-size": 1000, "max-file": 3, "compress": true}),
            json!({"max-file": "+3"}),
            json!({"mode": "non-blocking", "max-buffer-size": "1m"}),
            json!({"mode": ""}),
            json!({"compress": "f"}),
        ] {
            assert_eq!(file(right.clone()), Ok(()), "{right}");
        }
        for (wrong, at) in [
            (json!({"max-size": "x"}), "max-size"),
            (json!({"max-size": "0"}), "max-size"),
            (json!({"max-size": "0.5"}), "max-size"),
            (json!({"max-size": "-1"}), "max-size"),
            (json!({"max-size": ""}), "max-size"),
            (json!({"max-size": "1e3"}), "max-size"),
            (json!({"max-size": ".5m"}), "max-size"),
            (json!({"max-size": "5.m"}), "max-size"),
            (json!({"max-size": " 5m"}), "max-size"),
            (json!({"max-size": "10XB"}), "max-size"),
            (json!({"max-file": "0"}), "max-file"),
            (json!({"max-file": "x"}), "max-file"),
            (json!({"max-file": " 3"}), "max-file"),
            (json!({"compress": "yes"}), "compress"),
            (json!({"compress": "true"}), "compress"),
            (json!({"compress": "true", "max-size": "1k", "max-file": "1"}), "compress"),
            (json!({"mode": "x"}), "mode"),
            (json!({"max-buffer-size": "1m"}), "max-buffer-size"),
            (json!({"mode": "non-blocking", "max-buffer-size": "x"}), "max-buffer-size"),
        ] {
            assert!(
                file(wrong.clone()).unwrap_err().starts_with(&format!("options.{at}: ")),
                "{wrong}"
            );
        }
        let local = |options: Value| self::options("local", options);
        for right in [
            json!({"max-size": "0"}),
            json!({"max-file": "0", "compress": "false"}),
            json!({"max-file": "2"}),
        ] {
            assert_eq!(local(right.clone()), Ok(()), "{right}");
        }
        for wrong in [
            json!({"max-file": "1"}),
            json!({"max-file": "-1", "compress": "false"}),
            json!({"max-size": "x"}),
        ] {
            assert!(local(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
