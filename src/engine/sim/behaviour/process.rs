//! The behaviour of processes in containers, as a test defines it.
//!
//! Nothing runs in a simulated container. A [`Process`] says when it is ready, when it exits, how
//! commands in it end, and how it reacts to a signal. The engine's own health probes are commands
//! too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::processes::{Names, SERVICE_LABEL, matches};
use super::requests::proxies::ProxyView;
use super::traffic::is_proxy;
use super::{celery, nginx};
use crate::engine::sim::daemon::containers::lifecycle::Exit;
use crate::engine::sim::daemon::state::{SharedState, State};
use crate::engine::sim::daemon::timetable::Purpose;
use crate::engine::sim::daemon::tree::Tree;
use crate::engine::{ExecRequest, OutputKind};

/// The duration of a command in a container, with the engine's share, as measured.
const COMMAND_TAKES: Duration = Duration::from_millis(33);

/// The time that a process needs to end after the signal.
const STOP_TAKES: Duration = Duration::from_millis(30);

/// Compose's label of a one-off container.
const ONE_OFF_LABEL: &str = "com.docker.compose.oneoff";

type ExecScript = Arc<dyn Fn(&ExecRequest, &mut ProcessView) -> Option<ExecAnswer> + Send + Sync>;

/// The resource usage of a running process.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine::sim) struct Usage {
    /// Bytes.
    pub memory: u64,
    /// The share of one CPU: 0.5 is half of its time.
    pub cpus: f64,
}

/// The behaviour of a container's main process, and of commands in the container.
#[derive(Clone)]
pub struct Process {
    pub(in crate::engine::sim) ready_after: Duration,
    /// The period in which it is not ready again.
    unready: Vec<(Duration, Duration)>,
    pub(in crate::engine::sim) exits_after: Option<(Duration, i64)>,
    pub(in crate::engine::sim) stop_takes: Duration,
    pub(in crate::engine::sim) stop_code: i64,
    pub(in crate::engine::sim) ignores_term: bool,
    /// Whether it ends without its requests.
    pub(in crate::engine::sim) drops_requests: bool,
    pub(in crate::engine::sim) killed_for_memory: bool,
    pub(in crate::engine::sim) cannot_start: Option<String>,
    /// Its output, with line feeds.
    pub(in crate::engine::sim) logs: Vec<(Duration, OutputKind, String)>,
    pub(in crate::engine::sim) writes: Vec<String>,
    /// Whether its image has a shell.
    pub(in crate::engine::sim) has_shell: bool,
    /// Its resource usage while it runs.
    pub(in crate::engine::sim) usage: Usage,
    exec: Option<ExecScript>,
    /// By a pattern for the command line; the newest match counts.
    answers: Vec<(String, ExecAnswer)>,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            ready_after: Duration::ZERO,
            unready: Vec::new(),
            exits_after: None,
            stop_takes: STOP_TAKES,
            stop_code: 0,
            ignores_term: false,
            drops_requests: false,
            killed_for_memory: false,
            cannot_start: None,
            logs: Vec::new(),
            writes: Vec::new(),
            has_shell: true,
            usage: Usage { memory: 8 << 20, cpus: 0.01 },
            exec: None,
            answers: Vec::new(),
        }
    }
}

impl Process {
    /// Ready at once, runs until it is stopped, then exits with 0; every command succeeds without
    /// output.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its health check fails until it has run for this long.
    #[must_use]
    pub fn ready_after(mut self, time: Duration) -> Self {
        self.ready_after = time;
        self
    }

    /// Its health check fails again from `from` until `to` after its start.
    #[must_use]
    pub fn unready_between(mut self, from: Duration, to: Duration) -> Self {
        self.unready.push((from, to));
        self
    }

    /// Exits by itself with `code` after this time.
    #[must_use]
    pub fn exits_after(mut self, time: Duration, code: i64) -> Self {
        self.exits_after = Some((time, code));
        self
    }

    /// Is killed for using too much memory after this time: exit code 137, `OOMKilled`.
    #[must_use]
    pub fn runs_out_of_memory_after(mut self, time: Duration) -> Self {
        self.killed_for_memory = true;
        self.exits_after(time, 137)
    }

    /// Uses this many bytes of memory, and this share of one CPU: 0.5 is half of its time.
    #[must_use]
    pub fn uses(mut self, memory: u64, cpus: f64) -> Self {
        self.usage = Usage { memory, cpus };
        self
    }

    /// Takes this long to end after the signal.
    #[must_use]
    pub fn stop_takes(mut self, time: Duration) -> Self {
        self.stop_takes = time;
        self
    }

    /// Exits with `code` after the signal.
    #[must_use]
    pub fn stop_code(mut self, code: i64) -> Self {
        self.stop_code = code;
        self
    }

    /// Ignores the signal: only a kill ends it.
    #[must_use]
    pub fn ignores_term(mut self) -> Self {
        self.ignores_term = true;
        self
    }

    /// After the signal it ends without finishing the requests of `Clients`.
    #[must_use]
    pub fn drops_requests(mut self) -> Self {
        self.drops_requests = true;
        self
    }

    /// Its start fails with the runtime's message `words`: `exec: "x": executable file not found in
    /// $PATH`.
    #[must_use]
    pub fn cannot_start(mut self, words: &str) -> Self {
        self.cannot_start = Some(words.to_owned());
        self
    }

    /// Writes a line to standard output after this time.
    #[must_use]
    pub fn says(mut self, after: Duration, line: &str) -> Self {
        self.logs.push((after, OutputKind::Stdout, format!("{line}\n")));
        self
    }

    /// Writes `text` unchanged to standard output after this time: a prompt has no line end.
    #[must_use]
    pub fn prints(mut self, after: Duration, text: &str) -> Self {
        self.logs.push((after, OutputKind::Stdout, text.to_owned()));
        self
    }

    /// Writes a line to standard error after this time.
    #[must_use]
    pub fn complains(mut self, after: Duration, line: &str) -> Self {
        self.logs.push((after, OutputKind::Stderr, format!("{line}\n")));
        self
    }

    /// Changes the volume mounted at `destination` whenever it starts.
    #[must_use]
    pub fn writes(mut self, destination: &str) -> Self {
        self.writes.push(destination.to_owned());
        self
    }

    /// Its image has no shell, so a cancelled command in it can't be ended.
    #[must_use]
    pub fn without_shell(mut self) -> Self {
        self.has_shell = false;
        self
    }

    /// Answers commands in the container. `None` leaves the answer to [`Process::answers`], and
    /// then to the default: the health check passes while it is ready, and everything else succeeds
    /// without output.
    #[must_use]
    pub fn on_exec(
        mut self,
        script: impl Fn(&ExecRequest, &mut ProcessView) -> Option<ExecAnswer> + Send + Sync + 'static,
    ) -> Self {
        self.exec = Some(Arc::new(script));
        self
    }

    /// The answer to commands that match `pattern` (`*` matches anything), compared as words joined
    /// by spaces. It also applies to the health check. The last match counts. [`Process::on_exec`]
    /// has priority.
    #[must_use]
    pub fn answers(mut self, pattern: &str, answer: ExecAnswer) -> Self {
        self.answers.push((pattern.to_owned(), answer));
        self
    }

    /// Whether it is ready after this time.
    pub(in crate::engine::sim) fn is_ready(&self, running_for: Duration) -> bool {
        running_for >= self.ready_after
            && self.unready.iter().all(|(from, to)| running_for < *from || running_for >= *to)
    }

    /// Whether anything will look into the container to answer this command.
    pub(in crate::engine::sim) fn looks(&self, request: &ExecRequest) -> bool {
        self.exec.is_some() || celery::may_answer(&request.command)
    }

    fn answer(&self, request: &ExecRequest, view: &mut ProcessView) -> ExecAnswer {
        if let Some(answer) = self.exec.as_ref().and_then(|script| script(request, view)) {
            return answer;
        }
        let command = request.command.join(" ");
        if let Some((_, answer)) =
            self.answers.iter().rev().find(|(pattern, _)| matches(pattern, &command))
        {
            return answer.clone();
        }
        if let Some(answer) = as_celery(request, view) {
            return answer;
        }
        if view.health_test.as_ref() == Some(&request.command) && !view.ready {
            return ExecAnswer::failure(1, "not ready\n");
        }
        request
            .simulated
            .as_ref()
            .map_or_else(ExecAnswer::default, |output| ExecAnswer::stdout(output.clone()))
    }
}

/// The result of a command in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecAnswer {
    pub stdout: Bytes,
    pub stderr: Bytes,
    pub code: i64,
    /// The virtual time that it takes, with the engine's share.
    pub takes: Duration,
    /// Its output before its end.
    pub(in crate::engine::sim) early: Vec<(Duration, OutputKind, Bytes)>,
    /// It does not end by itself.
    pub(in crate::engine::sim) runs_on: bool,
    /// It ignores the signal: only a kill ends it.
    pub(in crate::engine::sim) is_deaf: bool,
    /// The user that it becomes with a program such as `sudo`.
    pub(in crate::engine::sim) becomes: Option<String>,
    /// The runtime could not run it; `stdout` contains the runtime's message.
    pub(in crate::engine::sim) unrunnable: bool,
}

impl Default for ExecAnswer {
    /// Success without output.
    fn default() -> Self {
        Self {
            stdout: Bytes::new(),
            stderr: Bytes::new(),
            code: 0,
            takes: COMMAND_TAKES,
            early: Vec::new(),
            runs_on: false,
            is_deaf: false,
            becomes: None,
            unrunnable: false,
        }
    }
}

impl ExecAnswer {
    /// Success with this output.
    pub fn stdout(text: impl Into<Bytes>) -> Self {
        Self { stdout: text.into(), ..Self::default() }
    }

    /// Failure with this code and this text on standard error.
    pub fn failure(code: i64, stderr: impl Into<Bytes>) -> Self {
        Self { stderr: stderr.into(), code, ..Self::default() }
    }

    /// The runtime cannot run it: `exec: "x": executable file not found in $PATH`.
    pub fn cannot_run(words: &str) -> Self {
        let said = format!(
            "OCI runtime exec failed: exec failed: unable to start container process: {words}: unknown\r\n"
        );
        Self { stdout: said.into(), code: 126, unrunnable: true, ..Self::default() }
    }

    /// The same, after `time` of virtual time.
    #[must_use]
    pub fn taking(mut self, time: Duration) -> Self {
        self.takes = time;
        self
    }

    /// The same, but after that time it keeps running until its container ends.
    #[must_use]
    pub fn running_on(mut self) -> Self {
        self.runs_on = true;
        self
    }

    /// The same, and it ignores the signal to end.
    #[must_use]
    pub fn ignoring_term(mut self) -> Self {
        self.is_deaf = true;
        self
    }

    /// The same answer, but the command changes to this user (`0` is root), as with `sudo`.
    #[must_use]
    pub fn becoming(mut self, user: &str) -> Self {
        self.becomes = Some(user.to_owned());
        self
    }

    /// The same, and it writes `text` unchanged to standard output before.
    #[must_use]
    pub fn saying(mut self, after: Duration, text: impl Into<Bytes>) -> Self {
        self.early.push((after, OutputKind::Stdout, text.into()));
        self
    }

    /// The same, and it writes `text` unchanged to standard error before.
    #[must_use]
    pub fn complaining(mut self, after: Duration, text: impl Into<Bytes>) -> Self {
        self.early.push((after, OutputKind::Stderr, text.into()));
        self
    }
}

/// A volume for a process in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountedVolume {
    pub name: String,
    /// The identity of the volume: a recreated volume has another one.
    pub stamp: u64,
    /// How often its content was changed.
    pub writes: u64,
    /// Whether it is mounted writable.
    pub writable: bool,
}

/// The container as a scripted command can see and change it.
pub struct ProcessView {
    /// The container's name.
    pub name: String,
    /// The image by the requested name.
    pub image: String,
    pub hostname: String,
    /// Its entrypoint and command.
    pub command: String,
    pub labels: BTreeMap<String, String>,
    /// `KEY=value`.
    pub environment: Vec<String>,
    /// Virtual time since the start of the simulation.
    pub now: Duration,
    /// Virtual time since the container's last start.
    pub running_for: Duration,
    /// Whether it is ready now.
    pub ready: bool,
    /// How often the container was started.
    pub starts: u64,
    /// By their mount points.
    pub volumes: BTreeMap<String, MountedVolume>,
    /// Everything on standard input; `None` while it is open.
    pub(in crate::engine::sim) stdin: Option<Bytes>,
    pub(in crate::engine::sim) waits_for_input: bool,
    pub(in crate::engine::sim) health_test: Option<Vec<String>>,
    pub(in crate::engine::sim) files: Tree,
    pub(in crate::engine::sim) written: Vec<(String, Bytes)>,
    pub(in crate::engine::sim) changed: Vec<String>,
    pub(in crate::engine::sim) said: Vec<String>,
    /// Of a container of nginx.
    pub(in crate::engine::sim) proxy: ProxyView,
}

impl ProcessView {
    /// The Compose service the container belongs to.
    pub fn service(&self) -> Option<&str> {
        self.labels.get(SERVICE_LABEL).map(String::as_str)
    }

    /// The value of an environment variable of the container.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
    }

    /// Everything on standard input. While it is open, the current answer does not count: the
    /// command is asked again when it is closed.
    pub fn read_stdin(&mut self) -> Bytes {
        self.waits_for_input |= self.stdin.is_none();
        self.stdin.clone().unwrap_or_default()
    }

    /// The content of a file in the container.
    pub fn file(&self, path: &str) -> Option<Bytes> {
        self.files.file(path)
    }

    /// Writes a file in the container.
    pub fn write_file(&mut self, path: &str, content: impl Into<Bytes>) {
        let content = content.into();
        self.files.write(path, content.clone());
        self.written.push((path.to_owned(), content));
    }

    /// Changes the content of the volume mounted at `destination`.
    pub fn change_volume(&mut self, destination: &str) {
        if let Some(volume) = self.volumes.get_mut(destination) {
            volume.writes += 1;
        }
        self.changed.push(destination.to_owned());
    }

    /// Writes a line to the container's log.
    pub fn say(&mut self, line: &str) {
        self.said.push(line.to_owned());
    }
}

/// The handling of a command's answer.
pub(in crate::engine::sim) type OnExecAnswer = Box<dyn FnOnce(&mut State, ExecAnswer) + Send>;

/// A command for its container's process.
pub(in crate::engine::sim) struct Script {
    pub process: Arc<Process>,
    pub container: String,
    pub request: ExecRequest,
    pub view: ProcessView,
    pub then: OnExecAnswer,
}

impl Script {
    /// Asks the process outside the engine's lock, because it may use the engine.
    pub fn run(mut self, shared: &SharedState) {
        let answer = self.process.answer(&self.request, &mut self.view);
        if self.view.waits_for_input {
            return;
        }
        let mut state = shared.lock();
        state.apply(&self.container, self.view);
        (self.then)(&mut state, answer);
    }
}

impl nginx::Files for ProcessView {
    fn read(&self, path: &str) -> Option<String> {
        self.file(path).map(|content| String::from_utf8_lossy(&content).into_owned())
    }

    fn write(&mut self, path: &str, text: &str) {
        self.write_file(path, text.to_owned());
    }

    fn proxy(&mut self) -> &mut ProxyView {
        &mut self.proxy
    }
}

impl From<nginx::Answer> for ExecAnswer {
    fn from(answer: nginx::Answer) -> Self {
        Self {
            stdout: answer.stdout.into(),
            stderr: answer.stderr.into(),
            code: answer.code,
            ..Self::default()
        }
    }
}

fn as_nginx(request: &ExecRequest, view: &mut ProcessView) -> Option<ExecAnswer> {
    nginx::answer(&request.command, view).map(ExecAnswer::from)
}

fn as_celery(request: &ExecRequest, view: &mut ProcessView) -> Option<ExecAnswer> {
    if !celery::may_answer(&request.command) {
        return None;
    }
    let (command, hostname) = (view.command.clone(), view.hostname.clone());
    let worker = celery::Worker { command: &command, hostname: &hostname, starts: view.starts };
    if celery::is_note(&request.command) {
        let text = view.read_stdin();
        worker.tee(&request.command, &String::from_utf8_lossy(&text), view);
        return Some(ExecAnswer::default());
    }
    worker.answer(&request.command, view).map(ExecAnswer::from)
}

/// The duration of a job without a behaviour from the test.
const JOB_TAKES: Duration = Duration::from_secs(1);

impl State {
    /// The behaviour that a test gave a container; `None` if it gave none.
    fn given_process(&self, id: &str) -> Option<Arc<Process>> {
        let container = self.container(id).ok()?;
        self.processes.find(&Names::of(container))
    }

    /// The behaviour of a container that is started now. Without one from the test, a one-off
    /// container ends with code 0; any other runs until it is stopped.
    pub(in crate::engine::sim) fn process_of(&self, id: &str) -> Arc<Process> {
        let is_one_off = || {
            let label =
                self.container(id).ok().and_then(|container| container.labels.get(ONE_OFF_LABEL));
            label.is_some_and(|text| text.eq_ignore_ascii_case("true"))
        };
        let without = || {
            if is_one_off() {
                Arc::new(Process::new().exits_after(JOB_TAKES, 0))
            } else if self.container(id).is_ok_and(is_proxy) {
                Arc::new(Process::new().on_exec(as_nginx))
            } else {
                Arc::default()
            }
        };
        self.given_process(id).unwrap_or_else(without)
    }

    /// Something waits for the end of a container. Without a behaviour from the test, it ends soon,
    /// with code 0.
    pub(in crate::engine::sim) fn end_as_job(&mut self, wanted: &str) {
        let Ok(container) = self.objects.find_container(wanted) else { return };
        let (id, starts) = (container.id.clone(), container.starts);
        if self.given_process(&id).is_some() {
            return;
        }
        self.after(JOB_TAKES, Purpose::Once, move |state| {
            if state.runs(&id, starts) {
                state.exited(&id, Exit::code(0));
            }
            None
        });
    }
}
