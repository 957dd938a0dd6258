//! Values of log options that the engine always rejects, whatever its configuration.

use super::Logging;
use super::reader::Field;
use super::sizes::{self, DECIMAL, not_a_size, size};
use crate::model::Failure;
use crate::model::suggest::did_you_mean;

/// The form that a value must have.
enum ValueRule {
    /// A boolean.
    Truth,
    Words(&'static [&'static str]),
    /// A whole number in this range.
    Number(i64, i64),
    Size,
    /// A word of [`FACILITIES`], or its number.
    Facility,
    /// A Go template.
    Tag,
    /// `udp://host:port` or `tcp://host:port`.
    Gelf,
    Syslog,
    Fluentd,
}

/// Whether an empty text is a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EmptyText {
    Taken,
    Refused,
}

/// The options with known values, for Docker 20.10 and 28.5. [`log_options`] checks values that are
/// needed only there.
const FORMS: [(&str, ValueRule, EmptyText); 22] = [
    ("mode", ValueRule::Words(&["blocking", "non-blocking"]), EmptyText::Taken),
    ("max-size", ValueRule::Size, EmptyText::Refused),
    ("max-file", ValueRule::Number(i64::MIN, i64::MAX), EmptyText::Refused),
    ("compress", ValueRule::Truth, EmptyText::Refused),
    ("tag", ValueRule::Tag, EmptyText::Taken),
    ("cache-disabled", ValueRule::Truth, EmptyText::Taken),
    ("gelf-address", ValueRule::Gelf, EmptyText::Refused),
    ("gelf-compression-type", ValueRule::Words(&["gzip", "zlib", "none"]), EmptyText::Refused),
    ("gelf-compression-level", ValueRule::Number(-1, 9), EmptyText::Refused),
    ("gelf-tcp-max-reconnect", ValueRule::Number(0, i64::MAX), EmptyText::Refused),
    ("gelf-tcp-reconnect-delay", ValueRule::Number(0, i64::MAX), EmptyText::Refused),
    ("syslog-address", ValueRule::Syslog, EmptyText::Taken),
    ("syslog-facility", ValueRule::Facility, EmptyText::Taken),
    ("syslog-format", ValueRule::Words(&["rfc3164", "rfc5424", "rfc5424micro"]), EmptyText::Taken),
    ("fluentd-address", ValueRule::Fluentd, EmptyText::Taken),
    ("fluentd-async", ValueRule::Truth, EmptyText::Taken),
    ("fluentd-request-ack", ValueRule::Truth, EmptyText::Taken),
    ("fluentd-sub-second-precision", ValueRule::Truth, EmptyText::Taken),
    ("splunk-format", ValueRule::Words(&["inline", "json", "raw"]), EmptyText::Refused),
    ("splunk-gzip", ValueRule::Truth, EmptyText::Refused),
    ("splunk-insecureskipverify", ValueRule::Truth, EmptyText::Refused),
    ("awslogs-create-group", ValueRule::Truth, EmptyText::Taken),
];

/// The facilities of syslog, from number 0 on; there are 24 numbers.
const FACILITIES: [&str; 20] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// The attributes of a container that a tag can use.
const OF_A_CONTAINER: [&str; 20] = [
    "Command",
    "Config",
    "ContainerArgs",
    "ContainerCreated",
    "ContainerEntrypoint",
    "ContainerEnv",
    "ContainerID",
    "ContainerImageID",
    "ContainerImageName",
    "ContainerLabels",
    "ContainerName",
    "DaemonName",
    "FullID",
    "Hostname",
    "ID",
    "ImageFullID",
    "ImageID",
    "ImageName",
    "LogPath",
    "Name",
];

/// Options that a driver needs to start a container, unless the engine's own defaults set them.
pub(super) const REQUIRED: [(&str, &str); 4] = [
    ("gelf", "gelf-address"),
    ("awslogs", "awslogs-group"),
    ("splunk", "splunk-token"),
    ("splunk", "splunk-url"),
];

/// Rejects values that no built-in driver accepts.
pub(super) fn check(logging: &Logging, field: &Field<'_>) -> Result<(), Failure> {
    for (name, form, empty) in &FORMS {
        let Some(value) = logging.options.get(*name) else { continue };
        if let Some((reason, hint)) =
            fault(name, value, form).filter(|_| *empty == EmptyText::Refused || !value.is_empty())
        {
            return Err(field.fail_value(&["options", name], reason).hint(hint));
        }
    }
    let address = logging.options.get("gelf-address").map_or("", String::as_str);
    for (scheme, option, other) in
        [("tcp://", "gelf-compression-", "UDP"), ("udp://", "gelf-tcp-", "TCP")]
    {
        if let Some(option) = logging
            .options
            .keys()
            .find(|key| key.starts_with(option) && address.starts_with(scheme))
        {
            let message = format!(
                "\"{option}\" needs an address with {other}, but \"gelf-address\" is \"{address}\""
            );
            return Err(field
                .fail_below(&["options", option], message)
                .hint("remove it, or change the address"));
        }
    }
    Ok(())
}

/// The error in a value and the suggested fix.
fn fault(name: &str, value: &str, form: &ValueRule) -> Option<(String, String)> {
    let cant = |hint: String| Some((format!("\"{name}\" can't be \"{value}\""), hint));
    let word = |words: &[&str]| {
        cant(
            did_you_mean(value, words.iter().copied())
                .unwrap_or_else(|| format!("available: {}", words.join(", "))),
        )
    };
    match form {
        ValueRule::Truth if sizes::truth(value).is_none() => Some((
            format!("\"{name}\" has to be true or false, but it is \"{value}\""),
            "write \"true\" or \"false\"".to_owned(),
        )),
        ValueRule::Words(words) if !words.contains(&value) => word(words),
        ValueRule::Number(least, most)
            if !value.parse::<i64>().is_ok_and(|number| (*least..=*most).contains(&number)) =>
        {
            cant(match *most {
                i64::MAX if *least == i64::MIN => "write a whole number, like \"3\"".to_owned(),
                i64::MAX => format!("write a whole number from {least} on"),
                most => format!("write a whole number from {least} to {most}"),
            })
        }
        ValueRule::Size if size(value, DECIMAL).is_none() => {
            Some((not_a_size(value), sizes::SIZE.to_owned()))
        }
        ValueRule::Facility
            if !FACILITIES.contains(&value)
                && !value.parse::<i64>().is_ok_and(|number| (0..24).contains(&number)) =>
        {
            word(&FACILITIES)
        }
        ValueRule::Tag => tag_fault(value),
        ValueRule::Gelf => {
            let rest = value.strip_prefix("udp://").or_else(|| value.strip_prefix("tcp://"));
            let has_port =
                rest.is_some_and(|rest| port(rest.split('/').next().unwrap_or_default()).is_some());
            if has_port {
                None
            } else {
                cant("write it like \"udp://logs.example.com:12201\"".to_owned())
            }
        }
        ValueRule::Syslog
            if !["udp://", "tcp://", "tcp+tls://", "unix://", "unixgram://"]
                .iter()
                .any(|scheme| value.starts_with(scheme)) =>
        {
            cant("write it like \"udp://logs.example.com:514\"".to_owned())
        }
        ValueRule::Fluentd => {
            let host = value.strip_prefix("tcp://").unwrap_or(value);
            let is_wrong = !host.contains("://")
                && port(host).is_some_and(|port| port.parse::<u16>().is_err());
            if is_wrong {
                cant("write it like \"logs.example.com:24224\"".to_owned())
            } else {
                None
            }
        }
        _ => None,
    }
}

/// The port in `host:port`; an IPv6 address is in brackets.
fn port(text: &str) -> Option<&str> {
    let after = text.rsplit_once(']').map_or(text, |(_, after)| after);
    after.rsplit_once(':').map(|(_, port)| port)
}

/// A certain mistake in a template. Only the engine can check how functions are called.
fn tag_fault(template: &str) -> Option<(String, String)> {
    const LIKE: &str = "write it like \"{{.Name}}/{{.ID}}\"";
    let is_changed =
        ["range", "with", "define", "block", "template"].iter().any(|word| template.contains(word));
    let mut rest = template;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((action, next)) = after.split_once("}}") else {
            return Some((
                format!("The template \"{template}\" of \"tag\" has a \"{{{{\" that is not closed"),
                LIKE.to_owned(),
            ));
        };
        rest = next;
        let action = action.strip_prefix("- ").unwrap_or(action);
        let action = action.strip_suffix(" -").unwrap_or(action).trim();
        if action.is_empty() {
            return Some((
                format!(
                    "The template \"{template}\" of \"tag\" has nothing between \"{{{{\" and \"}}}}\""
                ),
                LIKE.to_owned(),
            ));
        }
        let Some(name) = action
            .strip_prefix('.')
            .filter(|name| !name.is_empty() && name.chars().all(char::is_alphanumeric))
        else {
            continue;
        };
        if !is_changed && !OF_A_CONTAINER.contains(&name) {
            let hint = did_you_mean(name, OF_A_CONTAINER)
                .unwrap_or_else(|| format!("available: {}", OF_A_CONTAINER.join(", ")));
            return Some((
                format!("\"tag\" asks for \"{{{{.{name}}}}}\", which no container has"),
                hint,
            ));
        }
    }
    None
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

    #[test]
    fn values_that_the_engine_refuses_are_refused_with_or_without_a_driver() {
        for (driver, option, value, message) in [
            (
                "gelf",
                "gelf-address",
                "",
                "\"gelf-address\" can't be \"\" (write it like \"udp://logs.example.com:12201\")",
            ),
            (
                "gelf",
                "gelf-address",
                "h:1",
                "\"gelf-address\" can't be \"h:1\" (write it like \"udp://logs.example.com:12201\")",
            ),
            (
                "gelf",
                "gelf-address",
                "udp://h",
                "\"gelf-address\" can't be \"udp://h\" (write it like \"udp://logs.example.com:12201\")",
            ),
            (
                "gelf",
                "gelf-address",
                "http://h:1",
                "\"gelf-address\" can't be \"http://h:1\" (write it like \"udp://logs.example.com:12201\")",
            ),
            (
                "gelf",
                "gelf-compression-level",
                "10",
                "\"gelf-compression-level\" can't be \"10\" (write a whole number from -1 to 9)",
            ),
            (
                "gelf",
                "gelf-tcp-max-reconnect",
                "-1",
                "\"gelf-tcp-max-reconnect\" can't be \"-1\" (write a whole number from 0 on)",
            ),
            (
                "gelf",
                "gelf-compression-type",
                "zip",
                "\"gelf-compression-type\" can't be \"zip\" (did you mean \"gzip\"?)",
            ),
            (
                "gelf",
                "cache-disabled",
                "x",
                "\"cache-disabled\" has to be true or false, but it is \"x\" (write \"true\" or \"false\")",
            ),
            (
                "syslog",
                "syslog-facility",
                "Daemon",
                "\"syslog-facility\" can't be \"Daemon\" (did you mean \"daemon\"?)",
            ),
            (
                "syslog",
                "syslog-address",
                "x",
                "\"syslog-address\" can't be \"x\" (write it like \"udp://logs.example.com:514\")",
            ),
            (
                "fluentd",
                "fluentd-address",
                "foo:x",
                "\"fluentd-address\" can't be \"foo:x\" (write it like \"logs.example.com:24224\")",
            ),
            (
                "json-file",
                "tag",
                "{{.Nam}}",
                "\"tag\" asks for \"{{.Nam}}\", which no container has (did you mean \"Name\"?)",
            ),
            (
                "syslog",
                "tag",
                "a{{.Name",
                "The template \"a{{.Name\" of \"tag\" has a \"{{\" that is not closed (write it like \"{{.Name}}/{{.ID}}\")",
            ),
            (
                "syslog",
                "tag",
                "{{ }}",
                "The template \"{{ }}\" of \"tag\" has nothing between \"{{\" and \"}}\" (write it like \"{{.Name}}/{{.ID}}\")",
            ),
        ] {
            let expected = Err(format!("options.{option}: {message}"));
            assert_eq!(
                read(json!({"driver": driver, "options": {option: value}})),
                expected,
                "{driver}"
            );
            assert_eq!(read(json!({"options": {option: value}})), expected);
        }
        for (option, value) in [
            ("syslog-facility", "24"),
            ("syslog-format", "x"),
            ("fluentd-async", "x"),
            ("splunk-format", ""),
            ("splunk-gzip", ""),
            ("max-size", "x"),
            ("max-file", "x"),
            ("compress", "x"),
            ("mode", "x"),
        ] {
            assert!(
                read(json!({"options": {option: value}}))
                    .unwrap_err()
                    .starts_with(&format!("options.{option}: ")),
                "{option}"
            );
        }
        for (address, option) in
            [("tcp://h:1", "gelf-compression-level"), ("udp://h:1", "gelf-tcp-max-reconnect")]
        {
            let failure =
                read(json!({"driver": "gelf", "options": {"gelf-address": address, option: "1"}}))
                    .unwrap_err();
            assert!(
                failure
                    .starts_with(&format!("options.{option}: \"{option}\" needs an address with ")),
                "{failure}"
            );
        }
    }

    #[test]
    fn values_that_the_engine_takes_are_taken() {
        for (driver, option, value) in [
            ("gelf", "gelf-address", "udp://h:1"),
            ("gelf", "gelf-address", "tcp://[::1]:12201/"),
            ("syslog", "syslog-facility", "local7"),
            ("syslog", "syslog-facility", "+23"),
            ("syslog", "syslog-facility", ""),
            ("syslog", "syslog-address", "unixgram:///dev/log"),
            ("syslog", "syslog-format", "rfc5424micro"),
            ("fluentd", "fluentd-address", "tcp://h:1"),
            ("fluentd", "fluentd-address", "unix:///x"),
            ("fluentd", "fluentd-address", "h"),
            ("fluentd", "fluentd-async", ""),
            (
                "json-file",
                "tag",
                "{{.Name}}/{{- .ID -}}/{{ .ImageFullID }}{{join .ContainerArgs \",\"}}{{.ContainerEnv}}",
            ),
            ("json-file", "tag", "{{range .ContainerEnv}}{{.}}{{end}}}}"),
            ("json-file", "tag", "{{with .Name}}{{.Other}}{{end}}"),
            ("json-file", "tag", ""),
            ("none", "tag", "x"),
        ] {
            assert_eq!(
                read(json!({"driver": driver, "options": {option: value}})),
                Ok(()),
                "{driver} {option} {value}"
            );
        }
        // The engine's default driver may be another one, and its default options may contain the
        // missing one.
        assert_eq!(read(json!({"driver": "gelf"})), Ok(()));
        assert_eq!(
            read(json!({"driver": "loki", "options": {"max-size": "x", "mode": "x"}})),
            Ok(())
        );
    }
}
