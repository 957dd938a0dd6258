//! Ends a command in a container that spc gives up: what the engine can't do, a command in the same container does.

use std::time::Duration;

use futures::{FutureExt, StreamExt};

use super::Surroundings;
use crate::engine::exec_processes::{EndSignal, end_command};
use crate::engine::{EngineError, ExecRequest};
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
    let mut found = 0;
    for _ in 0..LOOKS {
        found = send(around, started, EndSignal::Term).await?;
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
    let left = send(around, started, EndSignal::Kill).await?;
    if is_ended && left == 0 {
        return Ok(GivenUp::Ended);
    }
    let is_ended = has_ended(around, started, KILLED).await?;
    if is_ended && send(around, started, EndSignal::Kill).await? == 0 {
        return Ok(GivenUp::Ended);
    }
    let why = if found + left == 0 { "its process can't be found: another user's, perhaps" } else { "it does not end when it is killed" };
    Ok(GivenUp::GoesOn(why.to_owned()))
}

/// Why a command can't be ended.
enum NotEnded {
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

/// Sends a signal to the command's processes; how many there were.
async fn send(around: &Surroundings, started: &Started, signal: EndSignal) -> Result<u64, NotEnded> {
    let request = ExecRequest { command: end_command(&started.mark, signal), user: started.user.clone(), ..ExecRequest::default() };
    let mut session = around.engine.exec_start(&started.container, &request).await?;
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
