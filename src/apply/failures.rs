//! Turns errors of the engine into failures in the words of users.

use crate::engine::{EngineError, EngineErrorKind};
use crate::model::failure::sentence;
use crate::model::{Failure, Kind};

/// The next step if the engine's disk is full.
pub const FREE_SPACE: &str = "free some space: `docker system df` shows what uses it";

/// The next step if a crash of the engine prevents a container from starting.
const LEFT_OVER: &str = "a crash of the engine left something of the container's last run: remove it with `docker rm --force` (volumes stay) \
                         and bring it up again, or restart the Docker Engine";

/// The failure if no engine could be connected to. Such an error describes itself.
pub fn of_connecting(error: EngineError) -> Failure {
    // An address that is wrong as written is a mistake in the options: no engine was asked.
    let kind =
        if error.kind == EngineErrorKind::Invalid { Kind::Usage } else { kind_of(error.kind) };
    let failure = Failure::new(kind, sentence(&error.message));
    match error.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn kind_of(kind: EngineErrorKind) -> Kind {
    match kind {
        EngineErrorKind::NotFound => Kind::NotFound,
        EngineErrorKind::Conflict => Kind::Conflict,
        EngineErrorKind::Timeout => Kind::Timeout,
        EngineErrorKind::Refused => Kind::Policy,
        _ => Kind::Engine,
    }
}

/// The failure for an engine's error. `doing` is the action that failed, such as `create the
/// container "x"`.
pub fn of_engine(error: EngineError, doing: &str) -> Failure {
    let kind = kind_of(error.kind);
    let is_left_over = is_left_over(&error);
    let missing_folder = missing_folder(&error.message).map(str::to_owned);
    let failure = match error.kind {
        // These describe themselves, so the action adds nothing.
        EngineErrorKind::Unreachable
        | EngineErrorKind::PermissionDenied
        | EngineErrorKind::TooOld
        | EngineErrorKind::Refused => Failure::new(kind, sentence(&error.message)),
        _ => Failure::new(
            kind,
            format!("Could not {doing}: {}", error.message.trim_end_matches('.')),
        ),
    };
    match (error.hint, error.kind) {
        (Some(hint), _) => failure.hint(hint),
        (None, EngineErrorKind::NoSpace) => failure.hint(FREE_SPACE),
        (None, _) if is_left_over => failure.hint(LEFT_OVER),
        (None, _) if missing_folder.is_some() => failure.hint(format!(
            "create \"{}\" on the engine's machine, or change the volume's `device`",
            missing_folder.unwrap_or_default()
        )),
        _ => failure,
    }
}

/// The missing folder that a volume's options bind: `failed to mount local volume: mount
/// /srv/data:/var/lib/docker/…, flags: 0x1000: no such file or directory`.
fn missing_folder(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("failed to mount local volume: mount ")?;
    let (folder, rest) = rest.split_once(":/")?;
    (folder.starts_with('/') && rest.ends_with("no such file or directory")).then_some(folder)
}

/// The host port that was already in use, if this made the start fail.
pub fn taken_port(error: &EngineError) -> Option<u16> {
    let text = &error.message;
    let is_taken = text.contains("port is already allocated")
        || text.contains("address already in use")
        || text.contains("ports are not available");
    if !is_taken {
        return None;
    }
    // "Bind for 0.0.0.0:8000 failed", "listen tcp4 0.0.0.0:8000: bind": the last number after a
    // colon that is a port.
    let words = text.split(|c: char| c.is_whitespace() || c == '(' || c == ')');
    words
        .filter_map(|word| word.trim_end_matches([':', ',']).rsplit_once(':'))
        .filter_map(|(_, port)| port.parse().ok())
        .next_back()
}

/// Whether the call failed because the container is paused.
pub fn is_paused(error: &EngineError) -> bool {
    error.message.contains("paused") && error.message.contains("unpause")
}

/// Whether a start failed because the container's static address is in use. The similar message
/// about a port begins with a small letter.
pub fn is_taken_address(error: &EngineError) -> bool {
    error.message.contains("Address already in use")
}

/// The next step if a port is in use. `is_published`: a container of the engine publishes it.
/// `owner`: the process that listens, by the host's name for it.
///
/// After a crash the engine may leave two things of a container that is gone: the process that
/// forwards its port, and the engine's own record that the port is in use.
pub fn taken_port_hint(error: &EngineError, is_published: bool, owner: Option<&str>) -> String {
    let proxy = owner.and_then(|owner| owner.strip_prefix("docker-proxy (pid ")?.strip_suffix(')'));
    match proxy {
        _ if is_published => "stop the program that uses it, or publish another host port".to_owned(),
        // A container that is starting has its proxy before the engine lists it as running. So the
        // hint never suggests to kill one.
        Some(_) => {
            "no container of this engine publishes it yet: run it again, which names one that was just started; if there is none then and \
                    no other Docker Engine runs here, a crash of the engine left that process: restart the Docker Engine"
                .to_owned()
        }
        None if owner.is_none() && error.message.contains("port is already allocated") => {
            "no container publishes it: a crash of the engine left it marked as taken; restart the Docker Engine, or publish another host \
             port"
                .to_owned()
        }
        None if owner.is_none() => {
            "stop the program that uses it (`sudo ss -ltnp` shows it; a docker-proxy that no container belongs to was left by a \
                                    crash of the engine), or publish another host port"
                .to_owned()
        }
        None => "stop the program that uses it, or publish another host port".to_owned(),
    }
}

/// Whether a start failed because a crash of the engine left something of the container's last run.
/// runc, the shim and containerd have different messages for this.
fn is_left_over(error: &EngineError) -> bool {
    // runc before 1.1 and since 1.1; containerd.
    const WORDS: [&str; 3] = [
        "container with id exists",
        "container with given id already exists",
        "container already exists",
    ];
    let text = error.message.to_ascii_lowercase();
    let task = text.contains("task ") && text.contains("already exists");
    let shim = text.contains("shim") && text.contains("file exists");
    task || shim || WORDS.iter().any(|words| text.contains(words))
}

/// The exit code that a shell would return, if a start failed because the command can't be
/// executed.
pub fn not_executable(error: &EngineError) -> Option<i64> {
    let text = cause_of(&error.message);
    if !text.starts_with("exec: ") {
        return None;
    }
    if text.contains("executable file not found") || text.contains("no such file or directory") {
        Some(127)
    } else {
        text.contains("permission denied").then_some(126)
    }
}

/// The cause of a failed start without the layers of the runtime: `exec: "x": executable file not
/// found in $PATH`.
pub fn cause_of(message: &str) -> &str {
    let cause = message
        .rsplit_once("unable to start container process: ")
        .map_or(message, |(_, cause)| cause);
    cause.strip_suffix(": unknown").unwrap_or(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_command_differs_from_other_failed_starts() {
        const RUNTIME: &str = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: ";
        let code = |cause: &str| {
            not_executable(&EngineError::new(
                EngineErrorKind::Invalid,
                format!("{RUNTIME}{cause}: unknown"),
            ))
        };
        assert_eq!(code("exec: \"nginx\": executable file not found in $PATH"), Some(127));
        assert_eq!(code("exec: \"/nginx\": stat /nginx: no such file or directory"), Some(127));
        assert_eq!(code("exec: \"/etc\": permission denied"), Some(126));
        assert_eq!(code("error mounting \"/a\" to rootfs: no such file or directory"), None);
    }

    #[test]
    fn leftovers_of_an_engine_crash_differ_from_other_failed_starts() {
        let id = "521c55b1e6f463aabdce32d1478fbcfd21a41d0a4573534725abbe41437eda88";
        let is_left_over =
            |message: &str| is_left_over(&EngineError::new(EngineErrorKind::Server, message));
        for message in [
            format!("OCI runtime create failed: container with id exists: {id}: unknown"),
            "failed to create shim task: OCI runtime create failed: runc create failed: container with given ID already exists: unknown"
                .to_owned(),
            format!("task {id} already exists: unknown"),
            format!("failed to create task for container: task {id}: already exists"),
            format!(
                "failed to create shim: mkdir /run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/{id}: file exists: unknown"
            ),
            "container already exists".to_owned(),
        ] {
            assert!(is_left_over(&message), "{message}");
        }
        for message in [
            "OCI runtime create failed: runc create failed: unable to start container process: exec: \"x\": executable file not found in $PATH",
            "network with name shop_default already exists",
            "Conflict. The container name \"/shop-db-1\" is already in use by container \"0a1b\"",
        ] {
            assert!(!is_left_over(message), "{message}");
        }
    }

    #[test]
    fn a_missing_folder_of_a_volume_is_named_with_the_fix() {
        let message = "error while mounting volume '/var/lib/docker/volumes/n3_v/_data': failed to mount local volume: mount \
                       /tmp/n3/d:/var/lib/docker/volumes/n3_v/_data, flags: 0x1000: no such file or directory";
        let failure = of_engine(EngineError::new(EngineErrorKind::Server, message), "start it");
        assert_eq!(
            failure.hint.unwrap(),
            "create \"/tmp/n3/d\" on the engine's machine, or change the volume's `device`"
        );
        let message = message.replace("no such file or directory", "no such device");
        assert_eq!(
            of_engine(EngineError::new(EngineErrorKind::Server, message), "start it").hint,
            None
        );
    }

    #[test]
    fn a_port_left_allocated_by_an_engine_crash_is_reported_with_a_suggested_fix() {
        let allocated = EngineError::new(
            EngineErrorKind::Server,
            "Bind for 0.0.0.0:5432 failed: port is already allocated",
        );
        let listens = EngineError::new(
            EngineErrorKind::Server,
            "Error starting userland proxy: listen tcp4 0.0.0.0:5432: bind: address already in use",
        );
        let usual = "stop the program that uses it, or publish another host port";
        assert_eq!(taken_port_hint(&allocated, true, None), usual);
        assert_eq!(taken_port_hint(&listens, false, Some("nginx (pid 812)")), usual);
        let of_a_proxy = taken_port_hint(&listens, false, Some("docker-proxy (pid 812)"));
        assert!(
            of_a_proxy.contains("restart the Docker Engine") && !of_a_proxy.contains("kill"),
            "{of_a_proxy}"
        );
        assert!(taken_port_hint(&allocated, false, None).contains("restart the Docker Engine"));
        assert!(
            taken_port_hint(&listens, false, None)
                .contains("a docker-proxy that no container belongs to")
        );
    }

    #[test]
    fn a_taken_port_is_read_from_both_of_dockers_wordings() {
        let by_container = EngineError::new(
            EngineErrorKind::Server,
            "driver failed programming external connectivity on endpoint spc-db-1 (0a1b): Bind for 0.0.0.0:5432 failed: port is already allocated",
        );
        let by_process = EngineError::new(
            EngineErrorKind::Server,
            "driver failed programming external connectivity on endpoint x (0a): Error starting userland proxy: listen tcp4 0.0.0.0:8000: bind: address already in use",
        );
        assert_eq!(taken_port(&by_container), Some(5432));
        assert_eq!(taken_port(&by_process), Some(8000));
        assert_eq!(
            taken_port(&EngineError::new(EngineErrorKind::Server, "no such network: a:1")),
            None
        );
    }
}
