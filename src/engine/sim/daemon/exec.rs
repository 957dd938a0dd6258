//! Commands in containers, of callers and of health checks.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::containers::lifecycle::KILLED;
use super::containers::{Container, Phase};
use super::errors::{not_running, refusal, unreachable};
use super::health::health_command;
use super::state::{SharedState, State};
use super::timetable::Purpose;
use crate::engine::exec_processes::{self, EndSignal};
use crate::engine::sim::MODERN_API;
use crate::engine::sim::behaviour::process::{ExecAnswer, Script};
use crate::engine::{ExecInput, ExecRequest, ExecState, OutputChunk, OutputKind, Result};

type Output = UnboundedSender<Result<OutputChunk>>;

/// The time that a command needs to end after a signal.
const END_TAKES: Duration = Duration::from_millis(5);
/// The exit code of a command that TERM ended.
const TERMINATED: i64 = 143;

/// A command in a container.
pub(in crate::engine::sim) struct Exec {
    /// The container's id.
    pub container: String,
    pub command: Vec<String>,
    pub running: bool,
    pub exit_code: Option<i64>,
    environment: Vec<String>,
    user: Option<String>,
    /// Only a kill ends it.
    is_deaf: bool,
    /// Whether the run that started it was killed, so that no run has to terminate it.
    is_excused: bool,
    tty: bool,
    /// Whether its end is decided: later standard input no longer matters.
    answered: bool,
    output: Option<Output>,
}

/// The user id 0.
const ROOT: &str = "0";

/// The user of a command: the requested one, else the container's user, else root. Only for root
/// are the name and the number known to be the same; a group is ignored.
fn user_of(asked: Option<&str>, of_container: Option<&str>) -> String {
    let given =
        [asked, of_container].into_iter().flatten().find(|user| !user.is_empty()).unwrap_or(ROOT);
    let user = given.split(':').next().unwrap_or(given);
    if user == "root" { ROOT.to_owned() } else { user.to_owned() }
}

impl State {
    /// Starts a command for a caller. Returns its id, and its future output.
    pub fn open_exec(
        &mut self,
        wanted: &str,
        request: &ExecRequest,
    ) -> Result<(String, UnboundedReceiver<Result<OutputChunk>>)> {
        let container = self.objects.find_container(wanted)?;
        match container.phase {
            Phase::Running => {}
            Phase::Restarting => {
                let words = format!(
                    "Container {} is restarting, wait until the container is running",
                    container.id
                );
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

    /// The id of a new command that is not started yet.
    pub(in crate::engine::sim) fn create_exec(
        &mut self,
        container: &str,
        request: &ExecRequest,
    ) -> String {
        let id = self.ids.next();
        let exec = Exec {
            container: container.to_owned(),
            command: request.command.clone(),
            running: false,
            exit_code: None,
            environment: request.environment.clone(),
            user: request.user.clone().filter(|user| !user.is_empty()),
            is_deaf: false,
            is_excused: false,
            tty: request.tty,
            answered: false,
            output: None,
        };
        self.execs.insert(id.clone(), exec);
        self.emit_container(
            container,
            &format!("exec_create: {}", spoken(&request.command)),
            &[("execID", &id)],
        );
        id
    }

    pub(in crate::engine::sim) fn begin_exec(
        &mut self,
        container: &str,
        id: &str,
        request: &ExecRequest,
    ) {
        if let Some(exec) = self.execs.get_mut(id) {
            exec.running = true;
        }
        self.emit_container(
            container,
            &format!("exec_start: {}", spoken(&request.command)),
            &[("execID", id)],
        );
    }

    /// A command has ended by itself or with its container.
    pub(in crate::engine::sim) fn end_exec(&mut self, id: &str, code: i64) {
        let Some(exec) = self.execs.get_mut(id).filter(|exec| exec.running) else { return };
        let container = exec.container.clone();
        self.forget_exec(id, code);
        self.emit_container(
            &container,
            "exec_die",
            &[("execID", id), ("exitCode", &code.to_string())],
        );
    }

    /// A command never ran, so its end has no event.
    pub(in crate::engine::sim) fn forget_exec(&mut self, id: &str, code: i64) {
        if let Some(exec) = self.execs.get_mut(id) {
            exec.running = false;
            exec.exit_code = Some(code);
            exec.output = None;
        }
    }

    /// A container's process has ended, and so have all commands in it.
    pub(in crate::engine::sim) fn end_execs(&mut self, container: &str) {
        let running: Vec<String> = self
            .execs
            .iter()
            .filter(|(_, exec)| exec.container == container && exec.running)
            .map(|(id, _)| id.clone())
            .collect();
        for id in running {
            self.end_exec(&id, KILLED);
        }
    }

    /// Passes a started command to its container's process. `stdin`: all of it, `None` while it is
    /// open.
    pub(in crate::engine::sim) fn run_exec(
        &mut self,
        id: &str,
        request: ExecRequest,
        stdin: Option<Bytes>,
    ) -> Option<Script> {
        let exec = self.execs.get(id).filter(|exec| !exec.answered)?;
        let (container, id) = (exec.container.clone(), id.to_owned());
        if let Some((mark, signal)) = exec_processes::parse(&request.command) {
            let answer = self.signal_execs(&container, mark, signal, request.user.as_deref());
            self.answer_exec(&id, answer);
            return None;
        }
        self.script(&container, request, stdin, move |state, answer| state.answer_exec(&id, answer))
    }

    /// The effect of a shell in the container that sends a signal to the processes with this mark,
    /// as far as its user may.
    fn signal_execs(
        &mut self,
        container: &str,
        mark: &str,
        signal: EndSignal,
        user: Option<&str>,
    ) -> ExecAnswer {
        if self.container(container).is_ok_and(|container| !container.process.has_shell) {
            return ExecAnswer::cannot_run(
                "exec: \"/bin/sh\": stat /bin/sh: no such file or directory",
            );
        }
        let is_marked = |exec: &Exec| {
            exec.running
                && exec.container == container
                && exec.environment.iter().any(|entry| entry == mark)
        };
        let of_container =
            self.container(container).ok().and_then(|container| container.config.user.clone());
        let who = |user: Option<&str>| user_of(user, of_container.as_deref());
        let is_own = |exec: &Exec| who(exec.user.as_deref()) == who(user);
        let found = self.execs.iter().filter(|(_, exec)| is_marked(exec) && is_own(exec));
        let found: Vec<(String, bool)> =
            found.map(|(id, exec)| (id.clone(), exec.is_deaf)).collect();
        let code = if signal == EndSignal::Kill { KILLED } else { TERMINATED };
        for (id, _) in found.iter().filter(|(_, is_deaf)| signal == EndSignal::Kill || !is_deaf) {
            let id = id.clone();
            self.after(END_TAKES, Purpose::Once, move |state| {
                state.end_exec(&id, code);
                None
            });
        }
        ExecAnswer::stdout(format!("{}\n", found.len()))
    }

    /// Running commands of spc with a dropped session, each with its container's name.
    pub(in crate::engine::sim) fn given_up_execs(&self) -> Vec<(String, String)> {
        let is_given_up = |exec: &&Exec| {
            let is_marked = exec.environment.iter().any(|entry| exec_processes::is_mark(entry));
            exec.running
                && is_marked
                && !exec.is_excused
                && exec.output.as_ref().is_some_and(Output::is_closed)
        };
        let given_up = self
            .execs
            .values()
            .filter(is_given_up)
            .filter_map(|exec| Some((exec, self.container(&exec.container).ok()?)));
        let is_endable = |(exec, container): &(&Exec, &Container)| {
            // A health check ends by itself.
            let is_check = health_command(&container.config).as_ref() == Some(&exec.command);
            container.process.has_shell && !is_check
        };
        given_up
            .filter(is_endable)
            .map(|(exec, container)| (exec.command.join(" "), container.name.clone()))
            .collect()
    }

    /// The run that started the commands was killed.
    pub(in crate::engine::sim) fn excuse_execs(&mut self) {
        self.execs.values_mut().for_each(|exec| exec.is_excused = true);
    }

    fn answer_exec(&mut self, id: &str, mut answer: ExecAnswer) {
        if let Some(exec) = self.execs.get_mut(id) {
            exec.answered = true;
            exec.is_deaf = answer.is_deaf;
            if let Some(user) = answer.becomes.take() {
                // Then neither the user that started it nor root may see it.
                exec.is_excused |= user != ROOT;
                exec.user = Some(user);
            }
        }
        // Newer engines distinguish "not found" from "not executable".
        if answer.unrunnable
            && self.api >= MODERN_API
            && String::from_utf8_lossy(&answer.stdout).contains("not found")
        {
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
            // Ignores a dropped session, because the command continues anyway.
            let _ = output.unbounded_send(Ok(OutputChunk { kind, bytes }));
        }
    }

    /// Whether a command is running, and how it ended.
    pub fn exec_state(&self, id: &str) -> Result<ExecState> {
        let exec = self
            .execs
            .get(id)
            .ok_or_else(|| refusal(404, format!("No such exec instance: {id}")))?;
        Ok(ExecState { running: exec.running, exit_code: exec.exit_code })
    }
}

/// A command in the form of events: the program, a space, its arguments.
fn spoken(command: &[String]) -> String {
    let (program, arguments) = command
        .split_first()
        .map_or(("", [].as_slice()), |(program, arguments)| (program, arguments));
    format!("{program} {}", arguments.join(" "))
}

/// The standard input of a command. The command gets it when it is closed.
pub(in crate::engine::sim) struct SimInput {
    pub shared: Arc<SharedState>,
    pub exec: String,
    /// The exec, until standard input is closed.
    pub request: Option<ExecRequest>,
    pub written: BytesMut,
}

impl SimInput {
    fn end(&mut self) {
        let Some(request) = self.request.take() else { return };
        let (exec, stdin) = (self.exec.clone(), self.written.split().freeze());
        self.shared.with(|state| {
            state.after(Duration::ZERO, Purpose::Once, move |state| {
                state.run_exec(&exec, request, Some(stdin))
            })
        });
    }
}

#[async_trait]
impl ExecInput for SimInput {
    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let running =
            self.shared.with(|state| state.execs.get(&self.exec).is_some_and(|exec| exec.running));
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
