//! Shortens messages of `ssh`, and of Docker's client at its other end, and adds the next step.

use crate::engine::docker::address::SshAddress;

/// The shell on the other machine prints this before Docker's client starts. It shows that the
/// session is open, and where the output of a login script ends.
pub(super) const BEGUN: &str = "spc-session-begun";

/// The number of lines that explain an error: the last ones.
const LINES: usize = 2;

/// The end of the messages, on one line and without control characters for a terminal.
pub(super) fn last(text: &str) -> String {
    let clean = |line: &str| {
        line.chars()
            .filter(|c| !c.is_control())
            .collect::<String>()
            .trim()
            .trim_start_matches("ssh: ")
            .trim_end_matches('.')
            .to_owned()
    };
    let lines: Vec<String> = text.lines().map(clean).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("; ")
}

/// The next step after a failed login; `command` is how the user logs in.
pub(super) fn login_hint(said: &str, machine: &SshAddress, command: &str) -> Option<String> {
    let said = said.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let known = match machine.port {
        Some(port) if port != 22 => format!("'[{}]:{port}'", machine.host),
        _ => machine.host.clone(),
    };
    if says(&["has changed"]) {
        Some(format!(
            "if that machine was reinstalled, remove its old key with `ssh-keygen -R {known}`, then confirm the new one with {command}"
        ))
    } else if says(&["host key verification failed"]) {
        Some(format!("log in once by hand to confirm that machine's key: {command}"))
    } else if says(&["permission denied", "too many authentication failures"]) {
        Some(format!(
            "{command} has to log in without a question: load the key with `ssh-add`, or bring it there with `ssh-copy-id`"
        ))
    } else if says(&["could not resolve"]) {
        Some("check the machine's name".to_owned())
    } else if says(&["connection refused"]) {
        Some("check that sshd runs there, and its port: ssh://user@host:port".to_owned())
    } else {
        None
    }
}

/// Whether the server refused the session itself, and not its command: the login has as many
/// sessions as the server allows.
pub(super) fn is_refused_session(said: &str) -> bool {
    let said = said.to_lowercase();
    ["session open refused", "session request failed", "administratively prohibited"]
        .iter()
        .any(|words| said.contains(words))
}

/// The next step if Docker's client on the other machine reached no engine.
pub(super) fn engine_hint(said: &str) -> Option<String> {
    let said = said.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if is_refused_session(&said) {
        Some("let its sshd forward sockets (AllowStreamLocalForwarding yes), or give a login sessions (MaxSessions)".to_owned())
    } else if says(&["permission denied"]) {
        Some("let that user open the socket there: `sudo usermod -aG docker <user>`".to_owned())
    } else if says(&["command not found", "docker: not found", "unknown command"]) {
        Some("install Docker there, or name the engine's socket: ssh://user@host/path/to/docker.sock".to_owned())
    } else if says(&[
        "cannot connect",
        "daemon running",
        "failed to open the raw stream connection",
    ]) {
        Some("start the Docker Engine there, or name its socket: ssh://user@host/path/to/docker.sock".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
