//! `spc plan`: runs the real runbook on a simulated engine that begins with the live engine's
//! state, on a host that is only read.
//!
//! - [`recorder`]: records what would be done, line by line
//! - [`arrange`]: the record in the order in which the runbook writes it
//! - [`invented_ids`]: steps in place of ids that the simulation invents
//! - [`host`]: what would be written, run or asked; the engine's counterpart is `engine::dry_run`

mod arrange;
mod host;
mod invented_ids;
mod recorder;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::FutureExt;

use self::host::DryRunHost;
use self::recorder::Recorder;
use crate::api::context::{Command, Connector, Context, RunContext, ScriptObserver};
use crate::apply::lock::TAKEN_OVER;
use crate::apply::records::new_run;
use crate::engine::Engine;
use crate::engine::EngineError;
use crate::engine::dry_run::{DryRunEngine, LiveEngine, OnWait, connecting};
use crate::engine::sim::Snapshot;
use crate::host::sim::executor::SimTaskExecutor;
use crate::host::sim::{Overlay, SimHost, epoch};
use crate::host::{Host, TaskExecutor, records_folder};
use crate::model::diagnostic::{Diagnostic, SourceSpan};
use crate::model::event::{Event, Level, Sink};
use crate::model::help::Help;
use crate::model::masking::Masked;
use crate::model::preview::{PlanEnd, Preview, RunbookLine};
use crate::model::secret::Secrets;
use crate::model::step::{ActionKind, ObjectKind};
use crate::model::{Failure, Kind};
use crate::script::project_context::{ProjectContext, RunOptions, plain};
use crate::script::{self, Outcome, Runbook};
use crate::value::record::Reader;

/// The seed of the simulation. Any value works; the same one always gives the same plan.
const SEED: u64 = 1;

/// If a runbook waits for this long, it waits for something that a plan can't know.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How often a plan is started again if objects that it begins with are removed meanwhile.
const ATTEMPTS: u32 = 6;
/// The pause before the first new attempt; each further pause is twice as long. The engine lists a
/// container that it is removing for a while, although an inspect no longer finds it.
const PAUSE: Duration = Duration::from_millis(100);

/// A plan request.
pub struct PlanRequest {
    /// Read, and never changed.
    pub host: Arc<dyn Host>,
    /// The task executor of the live engine.
    pub executor: TaskExecutor,
    /// The connection to it; made when the runbook first needs it.
    pub connector: Arc<Connector>,
    pub secrets: Arc<Secrets>,
    pub place: ProjectContext,
    pub options: RunOptions,
    pub command: Command,
    /// The number of columns for tables.
    pub width: Option<usize>,
    /// Called with what the plan waits for.
    pub on_wait: OnWait,
}

/// The result of a plan.
#[derive(Debug, Clone)]
pub enum PlanOutcome {
    Preview(Masked<Preview>),
    /// The plan up to the failure, which would end a run too.
    Failed(Masked<Preview>, Box<Diagnostic>),
    /// The help of the runbook was requested.
    Help(Masked<Help>),
}

/// Plans a runbook. If no plan can be shown, it fails as a run would, as far as that is known.
///
/// A plan begins with the state of the engine at one moment. If an object was removed by the time
/// the plan needs more information about it, for example because another run replaces containers,
/// the plan starts again.
pub fn plan(planning: &PlanRequest, runbook: &Runbook) -> Result<PlanOutcome, Box<Diagnostic>> {
    let mut gone = None;
    for number in 0..ATTEMPTS {
        if number > 0 {
            planning.executor.block_on_external(planning.host.sleep(PAUSE * 2_u32.pow(number - 1)));
        }
        let engine = Arc::default();
        let planned = attempt(planning, runbook, &engine);
        gone = engine.get().and_then(|engine| engine.gone());
        if gone.is_none() {
            return planned;
        }
    }
    let gone = gone.unwrap_or_default();
    let message = format!("The engine changed during the plan: {gone} was removed");
    let failure = Failure::new(Kind::Engine, message)
        .hint("plan again when the run that changes it has ended");
    Err(plain(failure))
}

/// Plans a runbook once. The engine is put into `engine` when the runbook first needs it.
fn attempt(
    planning: &PlanRequest,
    runbook: &Runbook,
    engine: &Arc<OnceLock<Arc<DryRunEngine>>>,
) -> Result<PlanOutcome, Box<Diagnostic>> {
    let PlanRequest {
        host: live_host,
        executor: live,
        connector,
        secrets,
        place,
        options,
        command,
        width,
        on_wait,
    } = planning;
    let now = (live_host.now() - epoch()).to_std().unwrap_or_default();
    // Shows parallel work in the order in which the runbook contains it.
    let sim = SimTaskExecutor::in_order(SEED, now);
    let recorder = Arc::new(Recorder::default());
    let folder = live_host.current_folder().unwrap_or_else(|_| PathBuf::from("/"));
    // The simulated host has only the files of the live host beneath it.
    let files =
        SimHost::bare(sim.clone()).over(Overlay::new(live_host.clone(), [PathBuf::from("/")]));
    let records = records_folder::folder(&**live_host, &place.policy)
        .map_err(|refusal| plain(refusal.into()))?;
    let host: Arc<dyn Host> =
        Arc::new(DryRunHost::new(live_host.clone(), files, recorder.clone(), &folder, records));
    let following = Arc::new(PlanListener { recorder: recorder.clone(), engine: engine.clone() });
    for warning in &place.warnings {
        recorder.add_note(&warning.to_string());
    }
    let live = LiveAccess {
        executor: live.clone(),
        host: live_host.clone(),
        runs_read_only: place.policy.read_only_execs(),
        say: on_wait.clone(),
    };
    let connector =
        snapshot_connector(connector.clone(), live, sim.clone(), recorder.clone(), engine.clone());
    let run = RunContext {
        id: new_run(&*host),
        host,
        executor: TaskExecutor::Sim(sim.clone()),
        events: following.clone(),
        secrets: secrets.clone(),
        project: place.settings(*options),
        policy: place.policy.clone().with_adoption(options.adopt),
    };
    let mut context = Context::new(run, connector)
        .with_command(command.clone())
        .with_width(*width)
        .with_watch(following);
    // The plan ends when nothing more can happen.
    context.cancel = sim.stalled().clone();
    let limit = {
        let (sim, cancel) = (sim.clone(), context.cancel.clone());
        TaskExecutor::Sim(sim.clone()).spawn(async move {
            sim.sleep(LONGEST).await;
            cancel.cancel();
        })
    };
    let result = script::run(&Arc::new(context), runbook);
    drop(limit);
    match result {
        Ok(Outcome::Help(help)) => Ok(PlanOutcome::Help(help)),
        Ok(Outcome::Value(_)) => Ok(PlanOutcome::Preview(recorder.finish(None, secrets))),
        Err(diagnostic) if sim.stalled().is_cancelled() => {
            let message = "it waits for something that a plan can't know".to_owned();
            let ends =
                PlanEnd { at: at(diagnostic.place.as_ref()), message, help: None, refused: false };
            Ok(PlanOutcome::Preview(recorder.finish(Some(ends), secrets)))
        }
        Err(diagnostic) if depends(&diagnostic, &recorder, sim.now() > now) => {
            let refused = diagnostic.kind == Kind::Policy;
            let help = helps_to_continue(diagnostic.kind)
                .then(|| recorder.advice())
                .flatten()
                .or_else(|| diagnostic.hint.clone());
            let ends = PlanEnd {
                at: at(diagnostic.place.as_ref()),
                message: diagnostic.message.clone(),
                help,
                refused,
            };
            Ok(PlanOutcome::Preview(recorder.finish(Some(ends), secrets)))
        }
        Err(diagnostic) => {
            let diagnostic = Box::new(recorder.without_invented(*diagnostic));
            let ends = PlanEnd {
                at: at(diagnostic.place.as_ref()),
                message: diagnostic.message.clone(),
                help: None,
                refused: false,
            };
            let preview = recorder.finish(Some(ends), secrets);
            if preview.items.is_empty() && preview.handled_errors.is_empty() {
                return Err(diagnostic);
            }
            Ok(PlanOutcome::Failed(preview, diagnostic))
        }
    }
}

/// Whether a failure depends on an unknown answer. With another answer it might not have occurred.
fn depends(diagnostic: &Diagnostic, recorder: &Recorder, time_passed: bool) -> bool {
    if recorder.is_certain(&diagnostic.message) {
        return false;
    }
    match diagnostic.kind {
        // In a plan only virtual time passes: on the live machine it might have been in time.
        Kind::Timeout => time_passed || recorder.has_assumed(),
        // If the runbook's own `assume` causes an error, it is the runbook's error.
        Kind::Usage => recorder.has_default(),
        Kind::Engine | Kind::Lock => false,
        _ => recorder.has_assumed(),
    }
}

/// Whether another answer would help. It doesn't for a refusal, which names the line that allows
/// it, or for a missing object.
fn helps_to_continue(kind: Kind) -> bool {
    matches!(kind, Kind::Usage | Kind::Failed | Kind::Exec | Kind::Timeout | Kind::Unhealthy)
}

fn at(place: Option<&SourceSpan>) -> Option<RunbookLine> {
    place.map(|place| RunbookLine { file: place.source.name.clone(), line: place.line })
}

/// How the live engine is asked.
#[derive(Clone)]
struct LiveAccess {
    executor: TaskExecutor,
    host: Arc<dyn Host>,
    runs_read_only: bool,
    say: OnWait,
}

/// Connects the plan's engine to the live one, and takes a snapshot of it.
fn snapshot_connector(
    connector: Arc<Connector>,
    live: LiveAccess,
    sim: Arc<SimTaskExecutor>,
    recorder: Arc<Recorder>,
    connected_engine: Arc<OnceLock<Arc<DryRunEngine>>>,
) -> Connector {
    Box::new(move || {
        let connected = connector();
        let planned = connecting(&live.executor, &*live.host, &live.say, async {
            let engine = connected.await?;
            let snapshot = Snapshot::take(&*engine).await?;
            Ok::<_, EngineError>((engine, snapshot))
        });
        let (live, sim, recorder, connected_engine) =
            (live.clone(), sim.clone(), recorder.clone(), connected_engine.clone());
        async move {
            let (engine, snapshot) = planned?;
            let LiveAccess { executor, host, runs_read_only, say } = live;
            let live = LiveEngine { engine, executor, host, runs_read_only, say };
            let planned = Arc::new(DryRunEngine::new(sim, live, recorder, snapshot));
            let planned = connected_engine.get_or_init(|| planned).clone();
            Ok(planned as Arc<dyn Engine>)
        }
        .boxed()
    })
}

/// Receives the events of the runbook's verbs, and its current line.
struct PlanListener {
    recorder: Arc<Recorder>,
    engine: Arc<OnceLock<Arc<DryRunEngine>>>,
}

impl Sink for PlanListener {
    fn event(&self, event: &Event) {
        match event {
            Event::Planned { verb, project, steps, .. } => {
                self.recorder.add_plan(verb, project, steps)
            }
            Event::VerbStarted { .. } => Recorder::set_executes_plan(true),
            Event::VerbDone { .. } => Recorder::set_executes_plan(false),
            // Containers of a plan do no work, so the plan assumes that a wait succeeds.
            Event::StepStarted { label, .. } => {
                if let (Some(engine), ObjectKind::Container) =
                    (self.engine.get(), label.object.kind)
                {
                    let container = &label.object.name;
                    match label.action {
                        ActionKind::WaitUntilCompleted => drop(engine.complete(container)),
                        ActionKind::WaitUntilReady => drop(engine.get_ready(container)),
                        _ => {}
                    }
                }
            }
            // Until then the plan has waited only in virtual time. The run with the lock is still
            // active, and was already named.
            Event::Waiting { text } if text.ends_with(TAKEN_OVER) => {}
            Event::Log { level: Level::Notice | Level::Warning | Level::Error, text }
            | Event::Waiting { text } => self.recorder.add_note(text),
            _ => {}
        }
    }
}

impl ScriptObserver for PlanListener {
    fn at(&self, source: &str, line: usize) {
        Recorder::set_line(source, line);
    }

    fn reader(self: Arc<Self>) -> Reader {
        self.recorder.reader()
    }

    fn awaits_end(&self, container: &str) {
        if let Some(name) = self.engine.get().and_then(|engine| engine.complete(container)) {
            self.recorder.assume_wait(&format!("the end of the container {name}"), "exit code 0");
        }
    }

    fn awaits_readiness(&self, container: &str) {
        if let Some(name) = self.engine.get().and_then(|engine| engine.get_ready(container)) {
            self.recorder.assume_wait(&format!("the container {name}"), "it becomes ready");
        }
    }

    fn answers(&self, assumed: &str) -> bool {
        Recorder::set_assumed(assumed)
    }

    fn unknown(&self, container: &str) -> Option<String> {
        self.engine.get()?.unknown(container)
    }

    fn assumes(&self, what: &str, assumed: &str) {
        self.recorder.assume_of_runbook(what, assumed);
    }

    fn fails(&self, message: &str) {
        self.recorder.fails(message);
    }

    fn handles_error(&self, at: Option<(&str, usize)>, what: &str, error: &str) {
        self.recorder.handles_error(at, what, error);
    }

    fn awaits_condition(&self) {
        self.recorder.assume_wait("the condition that this line waits for", "it becomes true");
    }

    fn repeats(&self, repeats: bool) -> bool {
        Recorder::set_repeats(repeats)
    }
}
