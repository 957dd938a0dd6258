//! Host commands.
//!
//! A command leads its own process group. So ending it also ends the processes that it started, and
//! Ctrl-C at the terminal reaches only spc. The command starts when its stream is first polled.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::runtime::Handle;
use tokio::time::{Sleep, sleep, timeout};

use super::error::{cause, kind};
use super::roots::Roots;
use crate::host::{CommandEvent, CommandRequest, HostError, Result};

/// The time between SIGTERM and SIGKILL, as for the stop of a container.
const GRACE: Duration = Duration::from_secs(10);

/// How long to wait for output after the end of a command, if a process that it left running still
/// holds the pipes.
const LAST_OUTPUT: Duration = Duration::from_millis(250);

/// Bytes of one chunk of output.
const CHUNK: usize = 16 << 10;

/// More than a pipe can hold.
const MOST_LEFT_OVER: usize = 1 << 20;

pub(super) fn spawn(
    roots: &Roots,
    request: &CommandRequest,
) -> Result<BoxStream<'static, Result<CommandEvent>>> {
    start(roots, request, GRACE)
}

fn start(
    roots: &Roots,
    request: &CommandRequest,
    grace: Duration,
) -> Result<BoxStream<'static, Result<CommandEvent>>> {
    let mut command = command(roots, request)?;
    let name = request.command.first().cloned().unwrap_or_default();
    let stdin = request.stdin.clone();
    let started = stream::once(async move {
        match command.spawn() {
            Ok(child) => ChildProcess::new(child, stdin, grace).events().boxed(),
            Err(error) => {
                let message = format!("Could not start \"{name}\": {}", cause(&error));
                stream::iter([Err(HostError::new(kind(&error), message))]).boxed()
            }
        }
    });
    Ok(started.flatten().boxed())
}

fn command(roots: &Roots, request: &CommandRequest) -> Result<Command> {
    request.check(|path| super::files::info(roots, path))?;
    // It was found and checked before, so no search path is used.
    let (Some(program), Some((name, arguments))) =
        (&request.program, request.command.split_first())
    else {
        return Err(request.no_program());
    };
    let mut command = Command::new(program);
    command
        .arg0(name)
        .args(arguments)
        .env_clear()
        .envs(&request.environment)
        .current_dir(&request.working_dir)
        .stdin(if request.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

/// A running command. If it is dropped before its exit was reported, it is ended.
struct ChildProcess {
    child: Option<Child>,
    group: Option<Pid>,
    /// Waits for the end of a dropped command, even if the dropping thread is outside of the
    /// runtime.
    runtime: Handle,
    grace: Duration,
    stdin: Option<BoxFuture<'static, ()>>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    exit: Option<ProcessExit>,
    /// Reported before anything else.
    last: VecDeque<CommandEvent>,
}

/// The command has ended; its pipes may still be open.
struct ProcessExit {
    code: i64,
    last_output: Pin<Box<Sleep>>,
}

impl ChildProcess {
    fn new(mut child: Child, stdin: Option<Bytes>, grace: Duration) -> Self {
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pipe = child.stdin.take();
        let stdin = stdin.zip(pipe).map(|(content, mut pipe)| -> BoxFuture<'static, ()> {
            // A command need not read its input to the end.
            Box::pin(async move { drop(pipe.write_all(&content).await) })
        });
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Self {
            child: Some(child),
            group,
            runtime: Handle::current(),
            grace,
            stdin,
            stdout,
            stderr,
            exit: None,
            last: VecDeque::new(),
        }
    }

    fn events(self) -> impl futures::Stream<Item = Result<CommandEvent>> + Send {
        stream::unfold(Some(self), |running| async move {
            let mut running = running?;
            let event = running.next().await;
            let ended = matches!(event, Ok(CommandEvent::Exit(_)) | Err(_));
            Some((event, if ended { None } else { Some(running) }))
        })
    }

    async fn next(&mut self) -> Result<CommandEvent> {
        loop {
            if let Some(event) = self.last.pop_front() {
                return Ok(event);
            }
            if let Some(exit) = &self.exit
                && self.stdout.is_none()
                && self.stderr.is_none()
            {
                return Ok(CommandEvent::Exit(exit.code));
            }
            tokio::select! {
                chunk = read(&mut self.stdout), if self.stdout.is_some() => match chunk {
                    Some(bytes) => return Ok(CommandEvent::Stdout(bytes)),
                    None => self.stdout = None,
                },
                chunk = read(&mut self.stderr), if self.stderr.is_some() => match chunk {
                    Some(bytes) => return Ok(CommandEvent::Stderr(bytes)),
                    None => self.stderr = None,
                },
                () = async { if let Some(stdin) = &mut self.stdin { stdin.await } }, if self.stdin.is_some() => self.stdin = None,
                status = wait(&mut self.child), if self.child.is_some() => {
                    self.child = None;
                    self.stdin = None;
                    let code = status.map(code).map_err(|error| HostError::new(kind(&error), format!("Could not wait for a command: {}", cause(&error))))?;
                    self.exit = Some(ProcessExit { code, last_output: Box::pin(sleep(LAST_OUTPUT)) });
                },
                () = async { if let Some(exit) = &mut self.exit { exit.last_output.as_mut().await } }, if self.exit.is_some() => self.take_left_over(),
            }
        }
    }

    /// Everything in the pipes now belongs to the command. Later output is not awaited.
    fn take_left_over(&mut self) {
        if let Some(pipe) = self.stdout.take() {
            self.last.extend(left_over(&pipe).map(CommandEvent::Stdout));
        }
        if let Some(pipe) = self.stderr.take() {
            self.last.extend(left_over(&pipe).map(CommandEvent::Stderr));
        }
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        let (Some(child), Some(group)) = (self.child.take(), self.group) else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let ending = TerminatedGroup { child, group };
        self.runtime.spawn(ending.within(self.grace));
    }
}

/// A process group that got TERM. It is killed when this is dropped, also together with the runtime
/// at spc's own end.
struct TerminatedGroup {
    child: Child,
    group: Pid,
}

impl TerminatedGroup {
    async fn within(mut self, grace: Duration) {
        const LOOK: Duration = Duration::from_millis(20);
        let gone = async {
            let _ = self.child.wait().await;
            // The processes that it started may still clean up.
            while test_kill_process_group(self.group).is_ok() {
                sleep(LOOK).await;
            }
        };
        let _ = timeout(grace, gone).await;
    }
}

impl Drop for TerminatedGroup {
    fn drop(&mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}

/// The next chunk; `None` at the end, or without a pipe.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>) -> Option<Bytes> {
    let mut buffer = BytesMut::with_capacity(CHUNK);
    match pipe.as_mut()?.read_buf(&mut buffer).await {
        Ok(length) if length > 0 => Some(buffer.freeze()),
        _ => None,
    }
}

/// The current content of a pipe.
fn left_over(pipe: &impl AsFd) -> Option<Bytes> {
    let mut all = Vec::new();
    let mut buffer = [0; CHUNK];
    while all.len() < MOST_LEFT_OVER {
        match rustix::io::read(pipe, &mut buffer) {
            Ok(length) if length > 0 => all.extend_from_slice(&buffer[..length]),
            Err(rustix::io::Errno::INTR) => {}
            _ => break,
        }
    }
    if all.is_empty() { None } else { Some(all.into()) }
}

async fn wait(child: &mut Option<Child>) -> std::io::Result<ExitStatus> {
    match child {
        Some(child) => child.wait().await,
        None => std::future::pending().await,
    }
}

fn code(status: ExitStatus) -> i64 {
    status.code().map_or_else(|| 128 + i64::from(status.signal().unwrap_or_default()), i64::from)
}

#[cfg(test)]
mod tests;
