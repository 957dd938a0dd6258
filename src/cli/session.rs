//! The implementations of the ports for one process (the real host, the engine), and its terminal.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;

use super::CommonOptions;
use super::forced_end::ForcedEnd;
use crate::api::context::{Connector, Context, RunContext};
use crate::api::logs::was_interrupted;
use crate::apply::records::new_run;
use crate::engine::Engine;
use crate::engine::docker::{ConnectOptions, connect, known_engines};
use crate::engine::dry_run::OnWait;
use crate::host::executor::{PANIC_HINT, broke_off, panic_message};
use crate::host::real::RealHost;
use crate::host::{Host, TaskExecutor};
use crate::journal::Journal;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{Event, Level, Sink};
use crate::model::masking::{Consumer, MaskingSink};
use crate::model::secret::Secrets;
use crate::model::{Failure, Kind};
use crate::script::project_context::{ProjectContext, RunOptions, plain};
use crate::ui::json_lines::JsonLines;
use crate::ui::live_progress::LiveProgress;
use crate::ui::progress::{Progress, Verbosity};
use crate::ui::{Terminal, diagnostics};

/// How long the thread for files is kept: longer than any run.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// The needs of every command.
pub struct Session {
    pub host: Arc<dyn Host>,
    pub terminal: Arc<Terminal>,
    pub secrets: Arc<Secrets>,
    lines: Arc<JsonLines>,
    forced_end: Arc<ForcedEnd>,
    json: bool,
    verbosity: Verbosity,
    /// The messages of panics that people have already read.
    reported_panics: Arc<Mutex<Vec<String>>>,
}

impl Session {
    /// The session of this process.
    pub fn new(common: &CommonOptions) -> Self {
        let secrets = Arc::new(Secrets::new());
        let terminal = Arc::new(Terminal::standard(secrets.clone()));
        let asked = terminal.clone();
        let reported_panics = report_panics(&terminal);
        let host: Arc<dyn Host> = Arc::new(RealHost::asking(move |question| asked.ask(question)));
        let clock = host.clone();
        let lines = Arc::new(JsonLines::new(terminal.clone(), Box::new(move || clock.now())));
        let to_programs = common.json.then(|| lines.clone());
        let forced_end = ForcedEnd::new(host.clone(), secrets.clone(), to_programs);
        Self {
            host,
            terminal,
            secrets,
            lines,
            forced_end: Arc::new(forced_end),
            json: common.json,
            verbosity: verbosity(common),
            reported_panics,
        }
    }

    /// A runtime whose one worker drives connections; scripts wait on threads of their own.
    pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
        let could_not = |error: &std::io::Error| {
            Failure::new(Kind::Failed, format!("Could not start: {error}"))
        };
        let no_threads = |_: std::io::Error| {
            Failure::new(Kind::Failed, "Could not start: the system can't create more threads")
                .hint("raise the limit on processes (ulimit -u, or that of the container)")
        };
        // tokio panics if the system can't start a thread. It needs a worker, and one thread for
        // files and names. So this checks before whether as many can be started.
        let wait = Arc::new(std::sync::OnceLock::<()>::new());
        let probe = || {
            let wait = wait.clone();
            std::thread::Builder::new().spawn(move || *wait.wait())
        };
        let probes = [probe(), probe()];
        let _ = wait.set(());
        for probe in probes {
            let _ = probe.map_err(no_threads)?.join();
        }
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        // The thread for files stays: without it tokio would panic, or wait for ever, if it needs a
        // thread and can't start one.
        let runtime = builder
            .worker_threads(1)
            .thread_keep_alive(FOREVER)
            .enable_all()
            .build()
            .map_err(|error| could_not(&error))?;
        drop(runtime.spawn_blocking(|| {}));
        Ok(runtime)
    }

    /// Shows the reports of a run.
    fn display(&self, handle: &tokio::runtime::Handle) -> Arc<dyn Consumer> {
        let host = self.host.clone();
        if self.json {
            self.lines.clone()
        } else if self.verbosity > Verbosity::Quiet && self.can_draw() {
            let live = Arc::new(LiveProgress::new(
                self.terminal.clone(),
                self.verbosity,
                Box::new(move || host.monotonic()),
            ));
            let (moving, host) = (live.clone(), self.host.clone());
            #[expect(
                clippy::disallowed_methods,
                reason = "only draws, and that on a real terminal: no run waits for it or learns of it"
            )]
            handle.spawn(async move { moving.animate(|time| host.sleep(time)).await });
            live
        } else {
            Arc::new(Progress::new(
                self.terminal.clone(),
                self.verbosity,
                Box::new(move || host.monotonic()),
            ))
        }
    }

    /// Whether standard error is a terminal that can move its cursor.
    fn can_draw(&self) -> bool {
        let knows = |name: String| !matches!(name.as_str(), "" | "dumb");
        self.terminal.size().is_some() && self.host.variable("TERM").is_some_and(knows)
    }

    /// Prints a text of spc like the output of a runbook: with `--json` it is an event.
    pub fn print(&self, text: &str) {
        if self.json {
            let text = anstream::adapter::strip_str(text).to_string();
            self.json_events().event(&Event::Print { text });
        } else {
            self.terminal.out(text);
        }
    }

    /// A message of spc for people: not with `--quiet` or `--json`.
    pub fn note(&self, text: &str) {
        if !self.json && self.verbosity > Verbosity::Quiet {
            self.terminal.err(text);
        }
    }

    /// Reports the result of a command to people and programs; with `--json` it becomes an event.
    pub fn inform(&self, text: &str) {
        if self.json {
            let text = text.to_owned();
            self.json_events().event(&Event::Log { level: Level::Info, text });
        } else {
            self.terminal.err(text);
        }
    }

    /// Receives what a plan waits for; with `--json` it becomes an event.
    pub fn waiting(&self) -> OnWait {
        let (terminal, events) = (self.terminal.clone(), self.json.then(|| self.json_events()));
        let is_quiet = self.verbosity == Verbosity::Quiet;
        Arc::new(move |text| match &events {
            Some(events) => events.event(&Event::Log { level: Level::Info, text: text.to_owned() }),
            None if is_quiet => {}
            None => terminal.err(text),
        })
    }

    /// JSON lines only: for events outside of a run.
    fn json_events(&self) -> MaskingSink {
        MaskingSink::new(self.secrets.clone(), [self.lines.clone() as Arc<dyn Consumer>])
    }

    /// The writer of JSON lines.
    pub fn json_lines(&self) -> &Arc<JsonLines> {
        &self.lines
    }

    /// The report if the process exits at once.
    pub fn forced_end(&self) -> Arc<ForcedEnd> {
        self.forced_end.clone()
    }

    /// Does the command's work. If spc itself panics, the command ends with this error, so that
    /// readers of the output don't wait for an end that never comes.
    pub fn attempt<T>(
        work: impl FnOnce() -> Result<T, Box<Diagnostic>>,
    ) -> Result<T, Box<Diagnostic>> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(plain(broke_off(&*panic))))
    }

    /// The same project. Requests of its scripts can't reach the engines that spc knows.
    pub fn keep_from_engines(
        &self,
        common: &CommonOptions,
        mut place: ProjectContext,
    ) -> ProjectContext {
        place.policy = place.policy.with_engines(known_engines(&*self.host, &common.engine()));
        place
    }

    /// The context of a run at `place`.
    pub fn context(
        &self,
        common: &CommonOptions,
        place: ProjectContext,
        handle: &tokio::runtime::Handle,
        options: RunOptions,
    ) -> Context {
        let place = self.keep_from_engines(common, place);
        let run = new_run(&*self.host);
        let journal = Arc::new(Journal::new(self.host.clone(), place.policy.clone(), run.clone()));
        self.forced_end.keep_in(journal.clone());
        let consumers: [Arc<dyn Consumer>; 3] =
            [self.display(handle), journal, self.forced_end.clone()];
        let events = Arc::new(MaskingSink::new(self.secrets.clone(), consumers));
        for warning in &place.warnings {
            events.event(&Event::Log { level: Level::Warning, text: warning.to_string() });
        }
        let settings =
            place.settings(RunOptions { assume_yes: options.assume_yes || common.yes, ..options });
        let connector = self.connector(common);
        let run = RunContext {
            host: self.host.clone(),
            executor: TaskExecutor::Real(handle.clone()),
            events,
            secrets: self.secrets.clone(),
            project: settings,
            policy: place.policy.with_adoption(options.adopt),
            id: run,
        };
        Context::new(run, connector).with_width(self.terminal.width())
    }

    /// Connects to the engine that the options name.
    pub fn connector(&self, common: &CommonOptions) -> Connector {
        let host = self.host.clone();
        let choice = common.engine();
        Box::new(move || {
            let options = ConnectOptions::from_host(&*host, &choice);
            let host = host.clone();
            async move {
                let engine: Arc<dyn Engine> =
                    Arc::new(connect(&options?).await?.with_credentials_of(host));
                Ok(engine)
            }
            .boxed()
        })
    }

    /// Whether events and results are JSON lines.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Reports the result. Returns the exit code.
    pub fn end(&self, result: Result<(), Box<Diagnostic>>) -> u8 {
        self.end_as(result, 0, true)
    }

    /// The same if everything was already reported, with a special exit code; `ok`: whether the
    /// command succeeded.
    pub fn end_with(&self, code: u8, ok: bool) -> u8 {
        self.end_as(Ok(()), code, ok)
    }

    fn end_as(&self, result: Result<(), Box<Diagnostic>>, well: u8, ok: bool) -> u8 {
        let code = result.as_ref().map_or_else(|diagnostic| diagnostic.exit_code(), |()| well);
        let written = self.terminal.finish();
        let gone = self.terminal.closed().is_cancelled();
        // It ended because the output has no reader. The reason is reported, unless the reader has
        // just gone. A followed log always ends by an interrupt.
        let is_end =
            |error: &Diagnostic| error.kind == Kind::Interrupted && (gone || was_interrupted());
        let error = result.err().filter(|error| !is_end(error));
        let code = if self.json {
            self.lines.end(code, ok && error.is_none() && well == code, error.as_deref())
        } else {
            let is_known = |error: &&Diagnostic| {
                error.place.is_none() && self.reported_panics.lock().contains(&error.message)
            };
            if let Some(diagnostic) = error.as_deref().filter(|error| !is_known(error)) {
                diagnostics::print(&self.terminal, diagnostic);
            }
            code
        };
        let code = match written.and(self.terminal.finish()) {
            Err(reason) => {
                self.terminal
                    .err(&format!("error: Could not write to standard output: {}", reason.kind()));
                if error.is_none() { 1 } else { code }
            }
            Ok(()) => code,
        };
        self.terminal.flush();
        // The work is done, but a signal came before all output was written.
        if code == 0 && self.terminal.has_lost_text() {
            Kind::Interrupted.exit_code()
        } else {
            code
        }
    }
}

/// The message of a panic may contain any value. So it is masked like all output, and control
/// characters in it are shown as text.
///
/// Returns the messages that were printed, to which the hook adds.
fn report_panics(terminal: &Arc<Terminal>) -> Arc<Mutex<Vec<String>>> {
    let terminal = terminal.clone();
    let panics: Arc<Mutex<Vec<String>>> = Arc::default();
    let reported = panics.clone();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic_message(panic.payload_as_str());
        let place = panic.location().map_or_else(String::new, |place| format!(" (at {place})"));
        let text = format!("error: {message}{place}\nhelp: {PANIC_HINT}");
        if terminal.err_if_free(&text) {
            reported.lock().push(message);
        }
    }));
    panics
}

fn verbosity(common: &CommonOptions) -> Verbosity {
    match (common.quiet, common.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    }
}

#[cfg(test)]
mod tests;
