//! One run of a runbook as a process: it can be killed, and shares no memory with others.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;

use super::World;
use super::waits::WaitListener;
use crate::api::context::{Command, Connector, Context, RunContext};
use crate::apply::records::new_run;
use crate::engine::Engine;
use crate::host::{Host, TaskExecutor};
use crate::journal::Journal;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{Event, Level, Sink};
use crate::model::masking::{Consumer, Masked, MaskingSink};
use crate::script::project_context::{self, ProjectOptions, RunOptions};
use crate::script::{self, Outcome, Runbook};

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// At its last line.
    Done,
    /// Its help was requested.
    Help(String),
    Failed(Box<Diagnostic>),
    /// A fault of the engine killed it.
    Killed,
}

/// A completed run.
#[derive(Debug)]
pub struct CompletedRun {
    pub end: End,
    /// Its reports, in order, masked as on a terminal.
    pub events: Vec<Event>,
    /// Virtual time.
    pub took: Duration,
}

impl CompletedRun {
    /// The exit code; that of SIGKILL for a killed one.
    pub fn code(&self) -> u8 {
        match &self.end {
            End::Done | End::Help(_) => 0,
            End::Failed(diagnostic) => diagnostic.exit_code(),
            End::Killed => 137,
        }
    }

    /// The output of the runbook.
    pub fn printed(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(
                |event| if let Event::Print { text } = event { Some(text.as_str()) } else { None },
            )
            .collect()
    }
}

#[derive(Default)]
struct EventRecorder(Mutex<Vec<Event>>);

impl Consumer for EventRecorder {
    fn event(&self, event: &Masked<Event>) -> Result<(), String> {
        self.0.lock().push(Event::clone(event));
        Ok(())
    }
}

impl World {
    /// Runs the runbook at `path` with these arguments.
    pub fn run(&self, path: &Path, words: &[String]) -> CompletedRun {
        self.run_until(path, words, None)
    }

    /// The same; Ctrl-C is pressed after this time.
    pub fn run_until(
        &self,
        path: &Path,
        words: &[String],
        interrupt: Option<Duration>,
    ) -> CompletedRun {
        let seen = Arc::new(EventRecorder::default());
        let begun = self.executor.now();
        let ended = self.executor.process(|| self.process(path, words, interrupt, seen.clone()));
        let took = self.executor.now().saturating_sub(begun);
        let end = match ended.unwrap_or_else(|failure| Some(Err(project_context::plain(failure)))) {
            None => End::Killed,
            Some(Ok(Outcome::Value(_))) => End::Done,
            Some(Ok(Outcome::Help(help))) => End::Help(crate::ui::help::text(&help, None)),
            Some(Err(diagnostic)) => End::Failed(diagnostic),
        };
        let events = std::mem::take(&mut *seen.0.lock());
        CompletedRun { end, events, took }
    }

    fn process(
        &self,
        path: &Path,
        words: &[String],
        interrupt: Option<Duration>,
        seen: Arc<EventRecorder>,
    ) -> Result<Outcome, Box<Diagnostic>> {
        let path = self.host.canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let folder = path.parent().map_or_else(|| self.folder(), Path::to_path_buf);
        let place = project_context::find(&*self.host, &ProjectOptions::default(), &folder)?;
        let mut options = RunOptions::default();
        let words = options.take(words.to_vec()).map_err(project_context::plain)?;
        let context =
            self.context(&place, options, Command { name: named(&path), words, help: false }, seen);
        let _interrupt = interrupt.map(|after| {
            let (pause, token) = (self.host.sleep(after), context.cancel.clone());
            context.executor.spawn(async move {
                pause.await;
                token.cancel();
            })
        });
        let context = Arc::new(context);
        script::run(&context, &Runbook::File(path))
            .map_err(|diagnostic| Box::new(Masked::new(*diagnostic, &context.secrets).into_inner()))
    }

    /// The context of a run here.
    pub fn context(
        &self,
        place: &project_context::ProjectContext,
        options: RunOptions,
        command: Command,
        seen: Arc<dyn Consumer>,
    ) -> Context {
        let host: Arc<dyn Host> = self.host.clone();
        let run = new_run(&*host);
        let settings = place.settings(options);
        let listening = Arc::new(WaitListener { waits: self.waits.clone() });
        let journal = Arc::new(Journal::new(host.clone(), place.policy.clone(), run.clone()));
        let secrets = self.new_secrets();
        let consumers: [Arc<dyn Consumer>; 3] = [listening, seen, journal];
        let events = Arc::new(MaskingSink::new(secrets.clone(), consumers));
        for warning in &place.warnings {
            events.event(&Event::Log { level: Level::Warning, text: warning.to_string() });
        }
        let engine: Arc<dyn Engine> = self.engine.watched();
        let connector: Connector = Box::new(move || {
            let engine = engine.clone();
            async move { Ok(engine) }.boxed()
        });
        let run = RunContext {
            host,
            executor: TaskExecutor::Sim(self.executor.clone()),
            events,
            secrets,
            project: settings,
            policy: place.policy.clone().with_adoption(options.adopt),
            id: run,
        };
        let mut context = Context::new(run, connector)
            .with_command(command)
            .with_max_operations(self.limits.operations)
            .with_awaiting(self.waits.clone());
        context.cancel = self.executor.stalled().child_token();
        context
    }
}

fn named(path: &Path) -> String {
    format!("spc run {}", path.file_name().unwrap_or_default().to_string_lossy())
}
