//! Checks values of a service that the engine would accept and that would fail at the start.

use super::Service;
use super::reader::Field;
use crate::model::Failure;

/// The longest host name that Linux accepts, in bytes.
const LONGEST_HOSTNAME: usize = 64;

/// Rejects values that prevent every container from starting.
pub(super) fn check(service: &Service, field: &Field<'_>) -> Result<(), Failure> {
    if let Some(hostname) = &service.hostname {
        if hostname.len() > LONGEST_HOSTNAME {
            let message = format!(
                "The hostname \"{hostname}\" has {} bytes, and {LONGEST_HOSTNAME} are possible",
                hostname.len()
            );
            return Err(field.fail_below(&["hostname"], message).hint("choose a shorter one"));
        }
        if hostname.chars().any(char::is_control) {
            let message = format!(
                "The hostname \"{}\" has a control character in it",
                hostname.escape_debug()
            );
            return Err(field
                .fail_below(&["hostname"], message)
                .hint("use letters, digits, \"-\" and \".\""));
        }
    }
    nul(service, field)
}

/// These values reach the system as texts that end at a NUL, so they can't contain one.
fn nul(service: &Service, field: &Field<'_>) -> Result<(), Failure> {
    let words =
        |words: &Option<Vec<String>>| words.iter().flatten().any(|word| word.contains('\0'));
    let text = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains('\0'));
    let found = [
        ("command", words(&service.command)),
        ("entrypoint", words(&service.entrypoint)),
        (
            "environment",
            service
                .environment
                .iter()
                .any(|(key, value)| key.contains('\0') || value.contains('\0')),
        ),
        ("user", text(&service.user)),
        ("working_dir", text(&service.working_dir)),
        ("volumes", service.volumes.iter().any(|mount| mount.target.contains('\0'))),
    ];
    match found.iter().find(|(_, has)| *has) {
        Some((key, _)) => Err(field
            .fail_below(
                &[key],
                format!("\"{key}\" of the service \"{}\" has a NUL character in it", service.name),
            )
            .hint("remove it: no program accepts one")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::super::{Project, ReadOptions};

    fn read(more: Value) -> Result<(), String> {
        let mut service = json!({"image": "x"});
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let options = ReadOptions { directory: Path::new("/srv"), lookup: &|_| None };
        let read = Project::read("spc", &json!({"services": {"a": service}}), &options);
        read.map(drop)
            .map_err(|failure| format!("{} at {}", failure.message, failure.path.unwrap()))
    }

    #[test]
    fn values_that_prevent_a_start_are_rejected() {
        for (more, message) in [
            (
                json!({"hostname": "a\0b"}),
                "The hostname \"a\\0b\" has a control character in it at services.a.hostname",
            ),
            (
                json!({"environment": {"A": "x\0y"}}),
                "\"environment\" of the service \"a\" has a NUL character in it at services.a.environment",
            ),
            (
                json!({"command": ["echo", "\0"]}),
                "\"command\" of the service \"a\" has a NUL character in it at services.a.command",
            ),
            (
                json!({"ports": [{"target": 80, "host_ip": "here"}]}),
                "\"here\" is not an address of this machine at services.a.ports.0.host_ip",
            ),
        ] {
            assert_eq!(read(more).unwrap_err(), message);
        }
        let long = read(json!({"hostname": "a".repeat(65)})).unwrap_err();
        assert!(
            long.ends_with("has 65 bytes, and 64 are possible at services.a.hostname"),
            "{long}"
        );
        assert_eq!(read(json!({"hostname": "a".repeat(64)})), Ok(()));
    }

    #[test]
    fn an_option_that_the_engines_own_volume_driver_does_not_know_is_refused() {
        let read = |volume: Value| {
            let options = ReadOptions { directory: Path::new("/srv"), lookup: &|_| None };
            Project::read("spc", &json!({"services": {}, "volumes": {"v": volume}}), &options)
        };
        let failure = read(json!({"driver_opts": {"devise": "/x"}})).unwrap_err();
        assert_eq!(failure.message, "The volume driver \"local\" has no option \"devise\"");
        assert_eq!(failure.hint.unwrap(), "did you mean \"device\"?");
        assert_eq!(failure.path.unwrap().to_string(), "volumes.v.driver_opts.devise");
        assert!(read(json!({"driver": "other", "driver_opts": {"devise": "/x"}})).is_ok());
    }
}
