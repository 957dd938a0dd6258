//! Runs commands in containers: an exec with its input, output and end.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};

use super::VerbContext;
use super::exec_end::{ExecEndOutcome, end};
use super::failures::{is_paused, of_engine};
use super::patience::spoken_of;
use super::running_commands::RunningCommand;
use crate::engine::exec_end::StartedCommand;
use crate::engine::{EngineErrorKind, ExecInput, ExecRequest, OutputKind, exec_processes};
use crate::host::memory::{CollectError, CollectedBytes, LARGEST_VALUE};
use crate::host::{FileSink, HostError};
use crate::model::event::Level;
use crate::model::time::readable;
use crate::model::{Failure, Kind};

/// Where an exec's standard input comes from.
pub enum Input {
    None,
    Bytes(Bytes),
    Stream(BoxStream<'static, std::io::Result<Bytes>>),
}

/// A command with its input and settings.
pub struct Exec<'a> {
    pub container: &'a str,
    /// For messages: the service or container.
    pub name: &'a str,
    pub request: ExecRequest,
    pub input: Input,
    /// Receives standard output instead of the result.
    pub output: Option<Box<dyn FileSink>>,
    pub timeout: Option<Duration>,
}

/// How a command ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecResult {
    pub code: i64,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub elapsed: Duration,
}

/// The state of a command.
enum ExecStage {
    /// It was not started, or it has ended.
    Over,
    /// spc asked the engine to start it, and has no answer yet.
    Starting,
    Started(String),
}

/// Runs a command to its end. If the output goes to a file, the file appears only if the command
/// ends with code 0.
///
/// If a command is cancelled (timeout, interrupt, output too large), it is also ended inside its
/// container.
pub async fn exec(ctx: &VerbContext, mut exec: Exec<'_>) -> Result<ExecResult, Failure> {
    let begun = ctx.host.monotonic();
    let timeout = exec.timeout;
    let timer = async {
        match timeout {
            Some(timeout) => ctx.host.sleep(timeout).await,
            None => futures::future::pending().await,
        }
    };
    let mut chance = [0; 8];
    ctx.host.random(&mut chance);
    let mark = exec_processes::mark(chance);
    exec.request.environment.push(mark.clone());
    let (container, name, user) =
        (exec.container.to_owned(), exec.name.to_owned(), exec.request.user.clone());
    let started = StartedCommand {
        container,
        name: name.clone(),
        mark,
        user,
        privileged: exec.request.privileged,
        id: None,
    };
    let (mut stage, mut is_late) = (ExecStage::Over, false);
    let command = shown(&exec.request.command);
    let running = RunningCommand::begin(ctx, started.clone());
    let result = {
        let say = |waited| {
            ctx.log(
                Level::Info,
                format!(
                    "waiting for the command {command} in \"{name}\": not done after {}",
                    readable(waited)
                ),
            );
        };
        let mut run =
            Box::pin(spoken_of(&*ctx.host, &say, run(ctx, exec, &running, &mut stage))).fuse();
        futures::select_biased! {
            result = run => result,
            () = ctx.cancel.cancelled().fuse() => Err(Failure::interrupted()),
            () = Box::pin(timer).fuse() => {
                is_late = true;
                let waited = readable(timeout.unwrap_or_default());
                Err(Failure::new(Kind::Timeout, format!("The command in \"{name}\" did not end within {waited}")))
            }
        }
    };
    let failure = match result {
        Ok(ended) => {
            running.over();
            return Ok(ExecResult { elapsed: ctx.host.monotonic().saturating_sub(begun), ..ended });
        }
        Err(failure) => failure,
    };
    let id = match stage {
        ExecStage::Over => {
            running.over();
            return Err(failure);
        }
        ExecStage::Starting => None,
        ExecStage::Started(id) => Some(id),
    };
    let given_up = end(ctx, &StartedCommand { id, ..started }).await;
    running.over();
    Err(match (given_up, is_late) {
        (ExecEndOutcome::Ended, true) => {
            failure.hint("spc ended it; set a longer `timeout`, or none")
        }
        (ExecEndOutcome::Ended, false) => failure,
        (ExecEndOutcome::GoesOn(why), true) => failure.hint(format!(
            "it is still running in the container ({why}): restart the container to end it"
        )),
        (ExecEndOutcome::GoesOn(why), false) => {
            let text = format!(
                "The command in \"{name}\" was abandoned and is still running in the container ({why})"
            );
            ctx.log(Level::Warning, format!("{text}; restart the container to end it"));
            failure
        }
    })
}

async fn run(
    ctx: &VerbContext,
    mut exec: Exec<'_>,
    running: &RunningCommand<'_>,
    stage: &mut ExecStage,
) -> Result<ExecResult, Failure> {
    let failed = |error| of_engine(error, &format!("run a command in \"{}\"", exec.name));
    exec.request.stdin = !matches!(exec.input, Input::None);
    *stage = ExecStage::Starting;
    let session = match ctx.engine.exec_start(exec.container, &exec.request).await {
        Ok(session) => session,
        Err(error) => {
            if is_paused(&error) {
                *stage = ExecStage::Over;
                return Err(Failure::paused(exec.name));
            }
            // Without an answer the command may still have been started. The engine of a plan
            // answers only at the end of the command.
            if !matches!(
                error.kind,
                EngineErrorKind::Unreachable | EngineErrorKind::Timeout | EngineErrorKind::Failed
            ) {
                *stage = ExecStage::Over;
            }
            return Err(failed(error));
        }
    };
    *stage = ExecStage::Started(session.id.clone());
    running.has_id(&session.id);
    let mut ended = ExecResult::default();
    let (mut stdout, mut stderr) = (CollectedBytes::default(), CollectedBytes::default());
    let mut output = session.output;
    let feed = feed(session.input, exec.input);
    let read = async {
        while let Some(chunk) = output.next().await {
            let chunk = chunk.map_err(failed)?;
            let kept = match (chunk.kind, &mut exec.output) {
                (OutputKind::Stdout, Some(file)) => {
                    file.write(chunk.bytes).await.map_err(of_host)?;
                    continue;
                }
                (OutputKind::Stdout, None) => &mut stdout,
                (OutputKind::Stderr, _) => &mut stderr,
            };
            kept.push(|| ctx.host.memory(), &chunk.bytes)
                .map_err(|full| too_large(full, &format!("The command in \"{}\"", exec.name)))?;
        }
        Ok::<(), Failure>(())
    };
    // A command may end without reading all its input, so the end of the output counts.
    let mut feed = Box::pin(feed).fuse();
    let mut read = Box::pin(read).fuse();
    loop {
        futures::select_biased! {
            result = read => {
                result?;
                break;
            }
            result = feed => result?,
        }
    }
    drop(read);
    (ended.stdout, ended.stderr) = (stdout.into_bytes(), stderr.into_bytes());
    let state = ctx.engine.exec_inspect(&session.id).await.map_err(failed)?;
    if !state.running {
        *stage = ExecStage::Over;
    }
    ended.code = state.exit_code.unwrap_or(-1);
    if let Some(file) = exec.output.take()
        && ended.code == 0
    {
        file.finish().await.map_err(of_host)?;
    }
    Ok(ended)
}

/// The command for messages: its beginning, in quotes.
pub(super) fn shown(command: &[String]) -> String {
    const MOST: usize = 60;
    let line = command.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("\"{}…\"", &line[..end]),
        None => format!("\"{line}\""),
    }
}

/// The failure for output that is too large to keep; the sentence begins with `what`.
pub(super) fn too_large(full: CollectError, what: &str) -> Failure {
    match full {
        CollectError::Run(error) => error.into(),
        CollectError::Value => {
            Failure::usage(format!("{what} writes more than {} MiB", LARGEST_VALUE >> 20))
                .hint("give `stdout: fs::file(\"…\")`, which streams it to a file")
        }
    }
}

async fn feed(input: Option<Box<dyn ExecInput>>, source: Input) -> Result<(), Failure> {
    let Some(mut input) = input else { return Ok(()) };
    let broken = |error| of_engine(error, "write to a command's standard input");
    match source {
        Input::None => {}
        Input::Bytes(bytes) => {
            if input.write(bytes).await.is_err() {
                return Ok(());
            }
        }
        Input::Stream(mut stream) => {
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(|error| {
                    Failure::new(Kind::Failed, format!("Could not read a command's input: {error}"))
                })?;
                // The command closed its input, which is not an error.
                if input.write(chunk).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    input.close().await.map_err(broken)
}

fn of_host(error: HostError) -> Failure {
    Failure::new(Kind::Failed, format!("A command's output was not written: {error}"))
}
