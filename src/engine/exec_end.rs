//! Sends a signal to a command in a container: by another command there, as the engine itself
//! can't.

use futures::StreamExt;

use super::exec_processes::{EndSignal, end_command};
use super::{Engine, EngineError, ExecRequest};

/// A command that was started, or may have been.
#[derive(Clone)]
pub struct StartedCommand {
    /// The container, as the engine takes it.
    pub container: String,
    /// For messages: the service or container.
    pub name: String,
    /// What marks its processes: see [`super::exec_processes`].
    pub mark: String,
    /// Whom it runs as: only that user may look at its processes.
    pub user: Option<String>,
    /// Whether it has all capabilities: only who has them too may look at it.
    pub privileged: bool,
    /// The engine's id; none while the engine has not answered.
    pub id: Option<String>,
}

/// Why a command can't be ended.
pub enum ExecEndError {
    /// The container has no shell that could do it.
    NoShell,
    /// The engine did not let it be done.
    Engine(EngineError),
}

impl From<EngineError> for ExecEndError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// The user that may end what runs as root: a command becomes that by a program like `sudo`,
/// whoever began it.
const ROOT: &str = "0";

/// Sends a signal to the command's processes; how many there were. If its own user finds none, root
/// looks for them.
pub async fn send(
    engine: &dyn Engine,
    started: &StartedCommand,
    signal: EndSignal,
) -> Result<u64, ExecEndError> {
    let found = send_as(engine, started, started.user.clone(), signal).await?;
    if found > 0 || started.user.as_deref() == Some(ROOT) {
        return Ok(found);
    }
    // An engine that refuses that leaves what the command's own user found.
    Ok(send_as(engine, started, Some(ROOT.to_owned()), signal).await.unwrap_or(0))
}

async fn send_as(
    engine: &dyn Engine,
    started: &StartedCommand,
    user: Option<String>,
    signal: EndSignal,
) -> Result<u64, ExecEndError> {
    let mut session =
        engine.exec_start(&started.container, &request(started, user, signal)).await?;
    let mut said = Vec::new();
    // Its number is waited for, not its end: the engine tells that only after the end of what it
    // ended.
    while !said.ends_with(b"\n") {
        match session.output.next().await {
            Some(chunk) => said.extend_from_slice(&chunk?.bytes),
            None => break,
        }
    }
    String::from_utf8_lossy(&said).trim().parse().map_err(|_| ExecEndError::NoShell)
}

fn request(started: &StartedCommand, user: Option<String>, signal: EndSignal) -> ExecRequest {
    let command = end_command(&started.mark, signal);
    ExecRequest { command, user, privileged: started.privileged, ..ExecRequest::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_privileged_command_is_privileged_too_and_no_other_is() {
        for privileged in [true, false] {
            let mark = "SPC_EXEC=1".to_owned();
            let started = StartedCommand {
                container: "web".into(),
                name: "web".into(),
                mark,
                user: None,
                privileged,
                id: None,
            };
            let request = request(&started, Some(ROOT.to_owned()), EndSignal::Term);
            assert_eq!((request.privileged, request.user.as_deref()), (privileged, Some("0")));
        }
    }
}
