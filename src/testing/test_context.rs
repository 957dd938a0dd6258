//! The context of a test: its world, its settings for the next run, the reports of its runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rhai::NativeCallContext;

use super::stubs::Stubs;
use crate::api::Context;
use crate::api::task::may_wait;
use crate::engine::sim::CallSide;
use crate::host::sim::executor::Stop;
use crate::host::{FileKind, Host};
use crate::machine::{CompletedRun, End, World};
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{Event, Level};
use crate::model::failure::Detail;
use crate::model::secret::Secrets;
use crate::model::time::readable;
use crate::model::{Failure, Kind};
use crate::policy::CheckedPath;
use crate::script::engine::OPERATIONS;
use crate::script::resolver::EXTENSION;
use crate::script::run::missing;
use crate::script::{Library, Script};

/// The number of lines of a run in a failure.
const TAIL: usize = 20;

/// The number of runs in a failure: the last ones.
const SHOWN_RUNS: usize = 3;

/// The context of a test, which its functions find in the context of the run.
pub struct TestContext {
    pub world: World,
    pub stubs: Stubs,
    /// The folder of the test's file: the base of names of runbooks.
    folder: PathBuf,
    script: OnceLock<Weak<Script>>,
    orders: Mutex<NextRunFaults>,
    runs: Mutex<Vec<Detail>>,
    trouble: Mutex<Option<Box<Diagnostic>>>,
    /// Secrets that no run may print.
    secrets: Secrets,
}

/// When a run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKill {
    /// At its nth engine call, before or after the call takes effect.
    Call(u64, CallSide),
    /// At its first engine call after this time.
    After(Duration),
}

/// The settings for the next run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NextRunFaults {
    pub kill: Option<RunKill>,
    /// Press Ctrl-C after this time.
    pub interrupt: Option<Duration>,
}

impl TestContext {
    /// A context without any run.
    pub fn new(world: World, folder: PathBuf) -> Self {
        Self {
            world,
            stubs: Stubs::default(),
            folder,
            script: OnceLock::new(),
            orders: Mutex::default(),
            runs: Mutex::default(),
            trouble: Mutex::default(),
            secrets: Secrets::new(),
        }
    }

    /// The context of the test that calls a function.
    pub fn of(call: &NativeCallContext) -> Result<Arc<Self>, Failure> {
        let test_context = Context::of(call)?.extension::<Self>();
        test_context.ok_or_else(|| {
            Failure::usage("The function is called outside of a test").hint("`spc test` runs tests")
        })
    }

    /// The test's script, as long as it is running.
    pub fn script(&self) -> Option<Arc<Script>> {
        self.script.get().and_then(Weak::upgrade)
    }

    /// Sets the script.
    pub fn set_script(&self, script: &Arc<Script>) {
        let _ = self.script.set(Arc::downgrade(script));
    }

    /// Changes the settings for the next run.
    pub fn order(&self, change: impl FnOnce(&mut NextRunFaults)) {
        change(&mut self.orders.lock());
    }

    /// From now on no run may print this value, and it may be on the engine only where it is
    /// delivered.
    pub fn keep_secret(&self, name: &str, value: &str) {
        self.world.engine.keep_secret(name, value);
        // Its token is never used: the search is for the value.
        self.secrets.add(name, &format!("the value of {name}"), value);
    }

    /// Fails the test if a run printed a secret.
    fn watch(&self, ran: &CompletedRun) {
        let reported = match &ran.end {
            End::Failed(diagnostic) => format!(
                "{:?} {:?} {:?} {:?}",
                ran.events, diagnostic.message, diagnostic.hint, diagnostic.details
            ),
            _ => format!("{:?}", ran.events),
        };
        let masked = self.secrets.mask(&reported);
        if masked != reported {
            let at = masked.find("[secret").map_or("", |at| &masked[at..]);
            let name = at.split(']').next().unwrap_or_default().trim_start_matches("[secret ");
            let failure = Failure::new(
                Kind::Failed,
                format!("A run told the value of the secret \"{name}\""),
            );
            self.fail(crate::script::project_context::plain(failure));
        }
    }

    /// The failure of a test with an answer that nothing requested.
    pub fn slip(&self) -> Option<Box<Diagnostic>> {
        for (pattern, image, fits) in self.world.engine.builds_asked() {
            self.stubs.ask("sim::build", &pattern, &image, fits);
        }
        self.stubs.slip().map(crate::script::project_context::plain)
    }

    /// A path in a test: relative to the project's directory.
    pub fn path(&self, context: &Context, path: &str) -> PathBuf {
        context.project.directory.join(path)
    }

    /// Runs a runbook with the settings, which are used only once.
    pub fn run(&self, name: &str, words: &[String]) -> Result<CompletedRun, Failure> {
        may_wait()?;
        let path = self.runbook(name)?;
        let orders = std::mem::take(&mut *self.orders.lock());
        match orders.kill {
            Some(RunKill::Call(call, when)) => self.world.engine.crash_at(call, when),
            Some(RunKill::After(time)) => self.world.engine.crash_after(time),
            None => {}
        }
        let ran = self.world.run_until(&path, words, orders.interrupt);
        if orders.kill.is_some() {
            self.world.engine.recover();
        }
        self.watch(&ran);
        self.runs.lock().push(reported(name, words, &ran));
        match self.ending(&ran.end) {
            None => Ok(ran),
            Some(diagnostic) => {
                self.fail(diagnostic);
                Err(Failure::interrupted())
            }
        }
    }

    /// The file of a runbook: in the test's folder, unless a path is given.
    fn runbook(&self, name: &str) -> Result<PathBuf, Failure> {
        let ending = format!(".{EXTENSION}");
        let file =
            if name.ends_with(&ending) { name.to_owned() } else { format!("{name}{ending}") };
        let path = self.folder.join(&file);
        let host: Arc<dyn Host> = self.world.host.clone();
        match host.canonicalize(&path) {
            Ok(path)
                if host
                    .info(&CheckedPath::trusted(&path))
                    .is_ok_and(|info| info.kind == FileKind::File) =>
            {
                Ok(path)
            }
            _ => Err(missing(&Library::new(host, PathBuf::new()), &path)),
        }
    }

    /// Makes the test fail with this, whatever else happens; the first one counts.
    pub fn fail(&self, diagnostic: Box<Diagnostic>) {
        self.trouble.lock().get_or_insert(diagnostic);
    }

    /// The diagnostic from [`TestContext::fail`].
    pub fn trouble(&self) -> Option<Box<Diagnostic>> {
        self.trouble.lock().take()
    }

    /// The reports of the last runs, for a failed test.
    pub fn said(&self) -> Vec<Detail> {
        let runs = self.runs.lock();
        runs[runs.len().saturating_sub(SHOWN_RUNS)..].to_vec()
    }

    /// The failure of the test if it was cancelled, at the position at which `at` ended.
    pub fn stopped(&self, stop: Stop, at: Option<&Diagnostic>) -> Box<Diagnostic> {
        stopped(stop, &self.world.waits.now(), at)
    }

    /// Why the test has to end if something in it ended in this way: a limit was reached.
    pub fn ending(&self, end: &End) -> Option<Box<Diagnostic>> {
        let failed = if let End::Failed(diagnostic) = end { Some(diagnostic) } else { None };
        if let Some(stop) = self.world.executor.stop() {
            return Some(self.stopped(stop, failed.map(|diagnostic| &**diagnostic)));
        }
        failed.filter(|diagnostic| diagnostic.fields.contains_key(OPERATIONS)).cloned()
    }
}

/// `waits`: the current waits.
fn stopped(stop: Stop, waits: &[String], at: Option<&Diagnostic>) -> Box<Diagnostic> {
    let waited = if waits.is_empty() {
        String::new()
    } else {
        format!(": it waited for {}", waits.join(", and for "))
    };
    let failure = match stop {
        Stop::Stalled => Failure::new(
            Kind::Timeout,
            format!("The test waits for something that can't come{waited}"),
        ),
        Stop::TooLong(limit) => {
            let message =
                format!("The test ran for more than {} of virtual time{waited}", readable(limit));
            Failure::new(Kind::Timeout, message).hint(if waits.is_empty() {
                "if it may wait that long, raise the limit with --max-time"
            } else {
                "say with sim::process when that comes, as in #{ exits_after: \"1s\" } or #{ ready_after: \"1s\" }; if the test may wait that long, raise the limit with --max-time"
            })
        }
        Stop::TooManyCalls(limit) => Failure::new(
            Kind::Timeout,
            format!("The test made more than {limit} calls of the engine{waited}"),
        )
        .hint("if they are intended, raise the limit with --max-calls"),
    };
    let placed = crate::script::errors::without_place(failure);
    Box::new(match at {
        Some(at) => Diagnostic { place: at.place.clone(), trace: at.trace.clone(), ..placed },
        None => placed,
    })
}

/// The last lines of a run's report.
fn reported(name: &str, words: &[String], ran: &CompletedRun) -> Detail {
    let how = match &ran.end {
        End::Killed => "was killed".to_owned(),
        End::Done | End::Help(_) | End::Failed(_) => format!("ended with {}", ran.code()),
    };
    let mut lines: Vec<&str> = ran.events.iter().filter_map(line).flat_map(str::lines).collect();
    // The failure of a step is already among the lines.
    if let End::Failed(diagnostic) = &ran.end
        && let Some(message) = diagnostic.message.lines().next()
        && !lines.contains(&message)
    {
        lines.push(message);
    }
    let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
    let text = if tail.is_empty() { "(it printed nothing)".to_owned() } else { tail };
    let command = shell_words::join(std::iter::once(name).chain(words.iter().map(String::as_str)));
    Detail { title: format!("{command} {how} after {}", readable(ran.took)), text }
}

fn line(event: &Event) -> Option<&str> {
    match event {
        Event::Print { text }
        | Event::Output { text, .. }
        | Event::Waiting { text }
        | Event::Question { text } => Some(text),
        Event::Log { level, text } if *level != Level::Debug => Some(text),
        Event::StepFailed { message, .. } => Some(message),
        _ => None,
    }
}

/// The folder of a file.
pub fn folder_of(file: &Path) -> PathBuf {
    file.parent().map(Path::to_path_buf).unwrap_or_default()
}
