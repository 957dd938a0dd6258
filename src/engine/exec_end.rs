//! Sends a signal to a command in a container. The engine can't do this, so another command in the
//! container does.

use futures::StreamExt;

use super::exec_processes::{EndSignal, end_command};
use super::{Engine, EngineError, ExecRequest};

/// A command that was started, or may have been.
#[derive(Clone)]
pub struct StartedCommand {
    /// The container, by name or id.
    pub container: String,
    /// For messages: the service or container.
    pub name: String,
    /// The mark of its processes: see [`super::exec_processes`].
    pub mark: String,
    /// Its user: only that user may see its processes.
    pub user: Option<String>,
    /// Whether it has all capabilities: only a process with the same ones may see it.
    pub privileged: bool,
    /// The engine's id; `None` until the engine has answered.
    pub id: Option<String>,
}

/// Why a command can't be ended.
pub enum ExecEndError {
    /// The container has no shell for it.
    NoShell,
    /// The engine did not allow it.
    Engine(EngineError),
}

impl From<EngineError> for ExecEndError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// The user that may kill processes of root. Any command can become root with a program such as
/// `sudo`.
const ROOT: &str = "0";

/// Sends a signal to the command's processes. Returns their number. If its own user finds none,
/// root searches for them.
pub async fn send(
    engine: &dyn Engine,
    started: &StartedCommand,
    signal: EndSignal,
) -> Result<u64, ExecEndError> {
    let found = send_as(engine, started, started.user.clone(), signal).await?;
    if found > 0 || started.user.as_deref() == Some(ROOT) {
        return Ok(found);
    }
    // If the engine refuses this, the result for the command's own user counts.
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
    // Reads only the number that the command prints. It doesn't wait for the command's end, which
    // the engine reports only after the ended processes are gone.
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
    fn only_terminating_a_privileged_command_uses_a_privileged_exec() {
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
