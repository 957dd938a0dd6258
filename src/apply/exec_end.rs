//! Ends a cancelled command in a container. The engine can't do this, so another command in the
//! same container does.

use std::time::Duration;

use futures::FutureExt;

use super::VerbContext;
use crate::engine::EngineError;
use crate::engine::exec_end::{ExecEndError, StartedCommand, send};
use crate::engine::exec_processes::EndSignal;
use crate::model::event::Level;

/// The result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecEndOutcome {
    Ended,
    /// The command keeps running in its container, for this reason.
    GoesOn(String),
}

/// The time that a command gets to end after TERM.
const GRACE: Duration = Duration::from_secs(2);
/// The time until a killed command is known to have ended. While its output is open, the engine
/// waits 2 s.
const KILLED: Duration = Duration::from_secs(3);
/// The limit for everything together.
const LIMIT: Duration = Duration::from_secs(10);
/// The pause between two checks whether it has ended.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_millis(200);
/// The time that a process may need to appear after the engine has answered, and the pause between
/// two searches for it.
const STARTS: Duration = Duration::from_millis(100);
const LOOKS: usize = 5;
/// After this time spc reports what it waits for.
const TOLD_AFTER: Duration = Duration::from_millis(500);

/// Ends the processes of a command. Takes at most 10 s, whatever the engine does.
pub async fn end(ctx: &VerbContext, started: &StartedCommand) -> ExecEndOutcome {
    let attempt = async {
        ctx.host.sleep(TOLD_AFTER).await;
        ctx.log(
            Level::Info,
            format!("Ending the command in \"{}\", which was abandoned", started.name),
        );
        ctx.host.sleep(LIMIT.saturating_sub(TOLD_AFTER)).await;
    };
    futures::select_biased! {
        given_up = Box::pin(end_processes(ctx, started)).fuse() => given_up.unwrap_or_else(goes_on),
        () = Box::pin(attempt).fuse() => ExecEndOutcome::GoesOn("it did not end in time".to_owned()),
    }
}

async fn end_processes(
    ctx: &VerbContext,
    started: &StartedCommand,
) -> Result<ExecEndOutcome, ExecEndError> {
    let engine = &*ctx.engine;
    let mut found = 0;
    for _ in 0..LOOKS {
        found = send(engine, started, EndSignal::Term).await?;
        if found > 0 || has_ended(ctx, started, Duration::ZERO).await? {
            break;
        }
        // The engine answers before the process exists.
        ctx.host.sleep(STARTS).await;
    }
    if started.id.is_none() {
        ctx.host.sleep(STARTS).await;
    }
    let is_ended = has_ended(ctx, started, GRACE).await?;
    let left = send(engine, started, EndSignal::Kill).await?;
    if is_ended && left == 0 {
        return Ok(ExecEndOutcome::Ended);
    }
    let is_ended = has_ended(ctx, started, KILLED).await?;
    if is_ended && send(engine, started, EndSignal::Kill).await? == 0 {
        return Ok(ExecEndOutcome::Ended);
    }
    let why = if found + left == 0 {
        "neither its user nor root finds its process there: it changed its user, or its environment, as `env -i` does"
    } else {
        "it does not end when it is killed"
    };
    Ok(ExecEndOutcome::GoesOn(why.to_owned()))
}

/// The result if the command can't be ended.
fn goes_on(why: ExecEndError) -> ExecEndOutcome {
    match why {
        ExecEndError::NoShell => {
            ExecEndOutcome::GoesOn("the container has no /bin/sh that could end it".to_owned())
        }
        // The container was removed or has ended, with everything in it.
        ExecEndError::Engine(error)
            if error.is_not_found()
                || error.is_conflict() && error.message.contains("is not running") =>
        {
            ExecEndOutcome::Ended
        }
        ExecEndError::Engine(error) => ExecEndOutcome::GoesOn(error.message),
    }
}

/// Whether the command has ended, or ends within `patience`.
async fn has_ended(
    ctx: &VerbContext,
    started: &StartedCommand,
    patience: Duration,
) -> Result<bool, EngineError> {
    let begun = ctx.host.monotonic();
    let mut pause = FIRST_LOOK;
    loop {
        let is_running = match &started.id {
            Some(id) => ctx.engine.exec_inspect(id).await?.running,
            // Unknown.
            None => false,
        };
        let waited = ctx.host.monotonic().saturating_sub(begun);
        if !is_running || waited >= patience {
            return Ok(!is_running);
        }
        ctx.host.sleep(pause.min(patience.saturating_sub(waited))).await;
        pause = (pause * 2).min(LAST_LOOK);
    }
}
