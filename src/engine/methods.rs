//! The port's calls by name, for what counts, limits and disturbs them.

use std::time::Duration;

/// How long the engine may take to begin its answer to a call that should be short.
pub const SHORT_CALL: Duration = Duration::from_mins(2);

/// How long it may take over a call that lasts as long as there are bytes to move or delete.
pub const LONG_CALL: Duration = Duration::from_mins(10);

/// The same for the archive of an image, which may have many gigabytes.
pub const IMPORT_CALL: Duration = Duration::from_hours(1);

/// Every method of [`Engine`](super::Engine) that asks the engine something.
pub const METHODS: [&str; 39] = [
    "version",
    "info",
    "events",
    "container_list",
    "container_inspect",
    "container_create",
    "container_start",
    "container_stop",
    "container_restart",
    "container_kill",
    "container_rename",
    "container_update",
    "container_remove",
    "container_wait",
    "container_logs",
    "container_top",
    "container_upload",
    "container_download",
    "exec_start",
    "exec_inspect",
    "image_list",
    "image_inspect",
    "image_registry_digest",
    "image_pull",
    "image_push",
    "image_build",
    "image_import",
    "image_tag",
    "image_remove",
    "network_list",
    "network_inspect",
    "network_create",
    "network_connect",
    "network_disconnect",
    "network_remove",
    "volume_list",
    "volume_inspect",
    "volume_create",
    "volume_remove",
];

/// Whether the method lists objects.
pub fn lists(method: &str) -> bool {
    method.ends_with("_list")
}

/// Whether the method answers with a stream.
pub fn streams(method: &str) -> bool {
    const STREAMING: [&str; 7] = [
        "events",
        "container_logs",
        "container_download",
        "exec_start",
        "image_pull",
        "image_push",
        "image_build",
    ];
    STREAMING.contains(&method)
}

/// How long the method is waited for; none if it lasts as long as what it waits for. A stop has a
/// limit too: the container's grace period and that of a short call. A pull, push or build is
/// watched by who reads what it reports.
pub fn limit(method: &str) -> Option<Duration> {
    const PATIENT: [&str; 6] = [
        "container_stop",
        "container_restart",
        "container_wait",
        "image_pull",
        "image_push",
        "image_build",
    ];
    const LONG: [&str; 4] =
        ["container_remove", "container_upload", "image_remove", "volume_remove"];
    match method {
        patient if PATIENT.contains(&patient) => None,
        "image_import" => Some(IMPORT_CALL),
        long if LONG.contains(&long) => Some(LONG_CALL),
        _ => Some(SHORT_CALL),
    }
}

/// Whether the method works on an engine whose disk is full: what reads, and what ends and removes,
/// which makes space. Docker makes networks and volumes and runs commands in containers as well; it
/// does not even rename a container.
pub fn works_without_space(method: &str) -> bool {
    const NEEDING: [&str; 13] = [
        "container_create",
        "container_start",
        "container_restart",
        "container_rename",
        "container_update",
        "container_upload",
        "image_pull",
        "image_build",
        "image_import",
        "image_tag",
        "image_remove",
        "network_connect",
        "network_disconnect",
    ];
    !NEEDING.contains(&method)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The port's source: what is asked of an engine is an `async fn` of the trait.
    fn trait_text() -> &'static str {
        include_str!("mod.rs").split_once("pub trait Engine").unwrap().1
    }

    fn declared() -> Vec<(&'static str, &'static str)> {
        let one = |text: &'static str| {
            let (name, rest) = text.split_once('(').unwrap();
            (name, rest.split_once(';').unwrap().0)
        };
        trait_text().split("async fn ").skip(1).map(one).collect()
    }

    #[test]
    fn the_list_has_every_method_of_the_port_in_its_order() {
        assert_eq!(declared().into_iter().map(|(name, _)| name).collect::<Vec<_>>(), METHODS);
    }

    #[test]
    fn what_ends_and_removes_needs_no_space() {
        let needing: Vec<&str> =
            METHODS.into_iter().filter(|method| !works_without_space(method)).collect();
        assert_eq!(needing.len(), 13, "each is a method of the port");
        for frees in [
            "container_stop",
            "container_kill",
            "container_remove",
            "network_remove",
            "volume_remove",
        ] {
            assert!(works_without_space(frees), "{frees}");
        }
    }

    #[test]
    fn what_streams_is_what_the_port_says_answers_with_a_stream() {
        for (name, signature) in declared() {
            let answer = signature.rsplit_once("->").unwrap().1;
            let streaming = ["BoxStream", "OutputStream", "EventStream", "ExecSession"]
                .iter()
                .any(|kind| answer.contains(kind));
            assert_eq!(streams(name), streaming, "{name}");
        }
    }
}
