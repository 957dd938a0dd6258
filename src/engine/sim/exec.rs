//! Commands run in containers, by callers and by health checks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::MODERN_API;
use super::containers::Phase;
use super::containers::lifecycle::KILLED;
use super::errors::{not_running, refusal, unreachable};
use super::process::{ExecAnswer, Script};
use super::state::{Shared, State};
use super::timetable::Purpose;
use crate::engine::{ExecInput, ExecRequest, ExecState, OutputChunk, OutputKind, Result};

type Output = UnboundedSender<Result<OutputChunk>>;

/// A command in a container.
pub(super) struct Exec {
    /// The container's id.
    pub container: String,
    pub command: Vec<String>,
    pub running: bool,
    pub exit_code: Option<i64>,
    tty: bool,
    /// Whether its end is settled: what comes on standard input no longer matters.
    answered: bool,
    output: Option<Output>,
}

impl State {
    /// Begins a command for a caller: its id, and what it will write.
    pub fn open_exec(&mut self, wanted: &str, request: &ExecRequest) -> Result<(String, UnboundedReceiver<Result<OutputChunk>>)> {
        let container = self.objects.find_container(wanted)?;
        match container.phase {
            Phase::Running => {}
            Phase::Restarting => {
                let words = format!("Container {} is restarting, wait until the container is running", container.id);
                return Err(refusal(409, words));
            }
            Phase::Created | Phase::Exited => return Err(not_running(&container.id)),
        }
        if request.command.is_empty() {
            return Err(refusal(400, "No exec command specified"));
        }
        let container = container.id.clone();
        let id = self.create_exec(&container, request);
        let (sender, receiver) = unbounded();
        if let Some(exec) = self.execs.get_mut(&id) {
            exec.output = Some(sender);
        }
        self.begin_exec(&container, &id, request);
        Ok((id, receiver))
    }

    /// The id of a new command, not begun yet.
    pub(super) fn create_exec(&mut self, container: &str, request: &ExecRequest) -> String {
        let id = self.ids.next();
        let exec = Exec {
            container: container.to_owned(),
            command: request.command.clone(),
            running: false,
            exit_code: None,
            tty: request.tty,
            answered: false,
            output: None,
        };
        self.execs.insert(id.clone(), exec);
        self.emit_container(container, &format!("exec_create: {}", spoken(&request.command)), &[("execID", &id)]);
        id
    }

    pub(super) fn begin_exec(&mut self, container: &str, id: &str, request: &ExecRequest) {
        if let Some(exec) = self.execs.get_mut(id) {
            exec.running = true;
        }
        self.emit_container(container, &format!("exec_start: {}", spoken(&request.command)), &[("execID", id)]);
    }

    /// A command has ended by itself or with its container.
    pub(super) fn end_exec(&mut self, id: &str, code: i64) {
        let Some(exec) = self.execs.get_mut(id).filter(|exec| exec.running) else { return };
        let container = exec.container.clone();
        self.forget_exec(id, code);
        self.emit_container(&container, "exec_die", &[("execID", id), ("exitCode", &code.to_string())]);
    }

    /// A command never ran: there is no event of its end.
    pub(super) fn forget_exec(&mut self, id: &str, code: i64) {
        if let Some(exec) = self.execs.get_mut(id) {
            exec.running = false;
            exec.exit_code = Some(code);
            exec.output = None;
        }
    }

    /// A container's process has ended, and all commands in it with it.
    pub(super) fn end_execs(&mut self, container: &str) {
        let running: Vec<String> =
            self.execs.iter().filter(|(_, exec)| exec.container == container && exec.running).map(|(id, _)| id.clone()).collect();
        for id in running {
            self.end_exec(&id, KILLED);
        }
    }

    /// Has a begun command answered by its container's process. `stdin`: all of it, none while it is open.
    pub(super) fn run_exec(&mut self, id: &str, request: ExecRequest, stdin: Option<Bytes>) -> Option<Script> {
        let exec = self.execs.get(id).filter(|exec| !exec.answered)?;
        let (container, id) = (exec.container.clone(), id.to_owned());
        self.script(&container, request, stdin, move |state, answer| state.answer_exec(&id, answer))
    }

    fn answer_exec(&mut self, id: &str, mut answer: ExecAnswer) {
        if let Some(exec) = self.execs.get_mut(id) {
            exec.answered = true;
        }
        // Newer engines tell "not found" from "not executable".
        if answer.unrunnable && self.api >= MODERN_API && String::from_utf8_lossy(&answer.stdout).contains("not found") {
            answer.code = 127;
        }
        for (after, kind, bytes) in std::mem::take(&mut answer.early) {
            let id = id.to_owned();
            self.after(after, Purpose::Once, move |state| {
                state.write_output(&id, kind, bytes);
                None
            });
        }
        let id = id.to_owned();
        self.after(answer.takes, Purpose::Once, move |state| {
            state.write_output(&id, OutputKind::Stdout, answer.stdout);
            state.write_output(&id, OutputKind::Stderr, answer.stderr);
            if answer.unrunnable {
                state.forget_exec(&id, answer.code);
            } else if !answer.runs_on {
                state.end_exec(&id, answer.code);
            }
            None
        });
    }

    fn write_output(&mut self, id: &str, kind: OutputKind, bytes: Bytes) {
        let Some(exec) = self.execs.get(id).filter(|exec| exec.running) else { return };
        let kind = if exec.tty { OutputKind::Stdout } else { kind };
        if let Some(output) = exec.output.as_ref().filter(|_| !bytes.is_empty()) {
            // Nobody may be reading any more; the command goes on all the same.
            let _ = output.unbounded_send(Ok(OutputChunk { kind, bytes }));
        }
    }

    /// Whether a command runs, and how it ended.
    pub fn exec_state(&self, id: &str) -> Result<ExecState> {
        let exec = self.execs.get(id).ok_or_else(|| refusal(404, format!("No such exec instance: {id}")))?;
        Ok(ExecState { running: exec.running, exit_code: exec.exit_code })
    }
}

/// A command as events name it: the program, a space, its arguments.
fn spoken(command: &[String]) -> String {
    let (program, arguments) = command.split_first().map_or(("", [].as_slice()), |(program, arguments)| (program, arguments));
    format!("{program} {}", arguments.join(" "))
}

/// Standard input of a command: what was written reaches the command when it is closed.
pub(super) struct SimInput {
    pub shared: Arc<Shared>,
    pub exec: String,
    /// The request, until standard input is closed.
    pub request: Option<ExecRequest>,
    pub written: BytesMut,
}

impl SimInput {
    fn end(&mut self) {
        let Some(request) = self.request.take() else { return };
        let (exec, stdin) = (self.exec.clone(), self.written.split().freeze());
        self.shared.with(|state| state.after(Duration::ZERO, Purpose::Once, move |state| state.run_exec(&exec, request, Some(stdin))));
    }
}

#[async_trait]
impl ExecInput for SimInput {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let running = self.shared.with(|state| state.execs.get(&self.exec).is_some_and(|exec| exec.running));
        if !running || self.request.is_none() {
            return Err(unreachable());
        }
        self.written.extend_from_slice(&bytes);
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        self.end();
        Ok(())
    }
}

impl Drop for SimInput {
    fn drop(&mut self) {
        self.end();
    }
}
