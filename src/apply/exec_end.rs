//! Ends a command in a container that spc gives up: what the engine can't do, a command in the same container does.

use std::time::Duration;

use futures::{FutureExt, StreamExt};

use super::Surroundings;
use crate::engine::exec_processes::{EndSignal, end_command};
use crate::engine::{Engine, EngineError, ExecRequest};
use crate::model::event::Level;

/// A command that was started, or may have been.
#[derive(Clone)]
pub struct Started {
    /// The container, as the engine takes it.
    pub container: String,
    /// For messages: the service or container.
    pub name: String,
    /// What marks its processes: see [`crate::engine::exec_processes`].
    pub mark: String,
    /// Whom it runs as: only that user may look at its processes.
    pub user: Option<String>,
    /// Whether it has all capabilities: only who has them too may look at it.
    pub privileged: bool,
    /// The engine's id; none while the engine has not answered.
    pub id: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenUp {
    Ended,
    /// It goes on in its container, and why.
    GoesOn(String),
}

/// How long it may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How long its end may take to be known once it was killed: as long as somebody has its output open, the engine waits 2 s.
const KILLED: Duration = Duration::from_secs(3);
/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two looks at whether it has ended.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_millis(200);
/// How long a process may take to be there once the engine has answered, and how often it is looked for.
const STARTS: Duration = Duration::from_millis(100);
const LOOKS: usize = 5;
/// After this time the user sees what spc waits for.
const TOLD_AFTER: Duration = Duration::from_millis(500);

/// Ends the processes of a command; at most 10 s, whatever the engine does.
pub async fn end(around: &Surroundings, started: &Started) -> GivenUp {
    let told = async {
        around.host.sleep(TOLD_AFTER).await;
        around.log(Level::Info, format!("Ending the command in \"{}\", which was given up", started.name));
        around.host.sleep(LIMIT.saturating_sub(TOLD_AFTER)).await;
    };
    futures::select_biased! {
        given_up = Box::pin(end_processes(around, started)).fuse() => given_up.unwrap_or_else(NotEnded::given_up),
        () = Box::pin(told).fuse() => GivenUp::GoesOn("it did not end in time".to_owned()),
    }
}

async fn end_processes(around: &Surroundings, started: &Started) -> Result<GivenUp, NotEnded> {
    let engine = &*around.engine;
    let mut found = 0;
    for _ in 0..LOOKS {
        found = send(engine, started, EndSignal::Term).await?;
        if found > 0 || has_ended(around, started, Duration::ZERO).await? {
            break;
        }
        // The engine answers before the process is there.
        around.host.sleep(STARTS).await;
    }
    if started.id.is_none() {
        around.host.sleep(STARTS).await;
    }
    let is_ended = has_ended(around, started, GRACE).await?;
    let left = send(engine, started, EndSignal::Kill).await?;
    if is_ended && left == 0 {
        return Ok(GivenUp::Ended);
    }
    let is_ended = has_ended(around, started, KILLED).await?;
    if is_ended && send(engine, started, EndSignal::Kill).await? == 0 {
        return Ok(GivenUp::Ended);
    }
    let why = if found + left == 0 {
        "neither its user nor root finds its process there: it changed its user"
    } else {
        "it does not end when it is killed"
    };
    Ok(GivenUp::GoesOn(why.to_owned()))
}

/// Why a command can't be ended.
pub(super) enum NotEnded {
    NoShell,
    Engine(EngineError),
}

impl From<EngineError> for NotEnded {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl NotEnded {
    /// What that means for the command.
    fn given_up(self) -> GivenUp {
        match self {
            Self::NoShell => GivenUp::GoesOn("the container has no /bin/sh that could end it".to_owned()),
            // The container was removed, or has ended, and everything in it.
            Self::Engine(error) if error.is_not_found() || error.is_conflict() && error.message.contains("is not running") => {
                GivenUp::Ended
            }
            Self::Engine(error) => GivenUp::GoesOn(error.message),
        }
    }
}

/// The user that may end what runs as root: a command becomes that by a program like `sudo`, whoever began it.
const ROOT: &str = "0";

/// Sends a signal to the command's processes; how many there were. If its own user finds none, root looks for them.
pub(super) async fn send(engine: &dyn Engine, started: &Started, signal: EndSignal) -> Result<u64, NotEnded> {
    let found = send_as(engine, started, started.user.clone(), signal).await?;
    if found > 0 || started.user.as_deref() == Some(ROOT) {
        return Ok(found);
    }
    // An engine that refuses that leaves what the command's own user found.
    Ok(send_as(engine, started, Some(ROOT.to_owned()), signal).await.unwrap_or(0))
}

async fn send_as(engine: &dyn Engine, started: &Started, user: Option<String>, signal: EndSignal) -> Result<u64, NotEnded> {
    let mut session = engine.exec_start(&started.container, &request(started, user, signal)).await?;
    let mut said = Vec::new();
    // Its number is waited for, not its end: the engine tells that only after the end of what it ended.
    while !said.ends_with(b"\n") {
        match session.output.next().await {
            Some(chunk) => said.extend_from_slice(&chunk?.bytes),
            None => break,
        }
    }
    String::from_utf8_lossy(&said).trim().parse().map_err(|_| NotEnded::NoShell)
}

fn request(started: &Started, user: Option<String>, signal: EndSignal) -> ExecRequest {
    let command = end_command(&started.mark, signal);
    ExecRequest { command, user, privileged: started.privileged, ..ExecRequest::default() }
}

/// Whether the command has ended, or does so within `patience`.
async fn has_ended(around: &Surroundings, started: &Started, patience: Duration) -> Result<bool, EngineError> {
    let begun = around.host.monotonic();
    let mut pause = FIRST_LOOK;
    loop {
        let is_running = match &started.id {
            Some(id) => around.engine.exec_inspect(id).await?.running,
            // Nothing tells.
            None => false,
        };
        let waited = around.host.monotonic().saturating_sub(begun);
        if !is_running || waited >= patience {
            return Ok(!is_running);
        }
        around.host.sleep(pause.min(patience.saturating_sub(waited))).await;
        pause = (pause * 2).min(LAST_LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_privileged_command_is_privileged_too_and_no_other_is() {
        for privileged in [true, false] {
            let mark = "SPC_EXEC=1".to_owned();
            let started = Started { container: "web".into(), name: "web".into(), mark, user: None, privileged, id: None };
            let request = request(&started, Some(ROOT.to_owned()), EndSignal::Term);
            assert_eq!((request.privileged, request.user.as_deref()), (privileged, Some("0")));
        }
    }
}
