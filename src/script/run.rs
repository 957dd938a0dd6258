//! A runbook, from its file to its value, its help or a diagnostic.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rhai::{Caches, Dynamic, Engine, EvalAltResult, GlobalRuntimeState, Scope};

use super::engine;
use super::errors::{diagnose, is_help, without_place};
use super::library::{Library, NAMES, Unit};
use super::names::Names;
use super::resolver::{read_source, scripts_in};
use super::standard_library::{EMBEDDED, Modules};
use super::statement_runner::{self, OnValue};
use crate::api::{Context, task};
use crate::host::executor::{Job, broke_off};
use crate::host::resolve::named;
use crate::host::{FileKind, HostErrorKind};
use crate::model::diagnostic::Diagnostic;
use crate::model::help::{Help, own_letter};
use crate::model::masking::Masked;
use crate::model::suggest::nearest;
use crate::model::{Failure, Kind};
use crate::policy::CheckedPath;
use crate::value::error::refused;

/// Deeper nested values are not returned: dropping them needs more stack than other threads have.
const VALUE_DEPTH: usize = 1_000;

/// The runbook to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runbook {
    /// A file, absolute or relative to the folder in which spc was started.
    File(PathBuf),
    /// A text in place of a file with this path, which need not exist: a test.
    Text { path: PathBuf, text: String },
    /// A text that is not in a file: `-e`, standard input. Its imports are relative to `folder`.
    Code { name: String, folder: PathBuf, text: String },
}

/// The result of a run that did not fail.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The value of the runbook's last statement.
    Value(Dynamic),
    /// `--help` was given, and nothing was done.
    Help(Masked<Help>),
}

/// Runs a runbook from start to end, on a new thread with the stack size that scripts need.
pub fn run(context: &Arc<Context>, runbook: &Runbook) -> Result<Outcome, Box<Diagnostic>> {
    on_script_thread(context, || Script::open(context.clone(), runbook)?.run())
}

/// The same, and reports the value of each statement that has one: for text that is piped to the
/// prompt.
pub fn run_reporting(
    context: &Arc<Context>,
    runbook: &Runbook,
    tell: &mut OnValue<'_>,
) -> Result<Outcome, Box<Diagnostic>> {
    on_script_thread(context, || Script::open(context.clone(), runbook)?.run_reporting(tell))
}

/// Runs `work` on a thread with the stack that scripts need, as a task under the run's cancel
/// token.
pub fn on_script_thread<T: Send>(
    context: &Arc<Context>,
    work: impl FnOnce() -> Result<T, Box<Diagnostic>> + Send,
) -> Result<T, Box<Diagnostic>> {
    let job: Job<'_, Result<T, Box<Diagnostic>>> = Box::new(move || {
        let _entered = task::enter(context.cancel.clone());
        work()
    });
    let ended = context
        .executor
        .tasks(vec![job])
        .map_err(|failure| Box::new(without_place(failure)))?
        .pop();
    ended
        .unwrap_or_else(|| Err(Box::new("no task")))
        .unwrap_or_else(|panic| Err(Box::new(without_place(broke_off(&*panic)))))
}

/// A compiled runbook. Use it only on a script thread: see [`on_script_thread`].
pub struct Script {
    pub(super) context: Arc<Context>,
    pub(super) library: Arc<Library>,
    pub(super) engine: Engine,
    pub(super) unit: Unit,
}

/// Differences between a special run and a usual one.
#[derive(Clone, Copy)]
pub struct Extensions {
    /// The modules of `std/…`.
    pub standard: Modules,
    /// Registers additional functions.
    pub extend: fn(&mut Engine),
    /// The functions of such an engine, determined once.
    pub names: &'static OnceLock<Names>,
}

impl Default for Extensions {
    fn default() -> Self {
        Self { standard: EMBEDDED, extend: |_| {}, names: &NAMES }
    }
}

impl Script {
    /// Reads and compiles a runbook and follows its imports. Evaluates nothing of it.
    pub fn open(context: Arc<Context>, runbook: &Runbook) -> Result<Self, Box<Diagnostic>> {
        Self::open_with(context, runbook, Extensions::default())
    }

    /// With other functions or another standard library, for tests.
    pub fn open_with(
        context: Arc<Context>,
        runbook: &Runbook,
        beside: Extensions,
    ) -> Result<Self, Box<Diagnostic>> {
        let (path, text) =
            read(&context, runbook).map_err(|failure| Box::new(without_place(failure)))?;
        let folder = || {
            path.parent().map(|folder| {
                context.host.canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf())
            })
        };
        let root = context.project.scripts.clone().or_else(folder).unwrap_or_default();
        let library =
            Arc::new(Library::with(context.host.clone(), root, beside.standard, beside.names));
        let mut engine = engine::build(&context, &library);
        (beside.extend)(&mut engine);
        let name = match runbook {
            Runbook::Code { name, .. } => name.clone(),
            Runbook::File(_) | Runbook::Text { .. } => library.shown(&path),
        };
        library.begin(&name);
        let unit = library
            .compile(&engine, &name, Some(path), text)
            .map_err(|error| Box::new(diagnose(&library, &engine, &name, &error)))?;
        Ok(Self { context, library, engine, unit })
    }

    /// Its engine, for the documentation of functions.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The sources of the runbook and its imports.
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// The compiled runbook.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// Its `//!` lines, without the marks.
    pub fn doc(&self) -> String {
        let lines = self.unit.doc.lines().map(|line| line.strip_prefix("//!").unwrap_or(line));
        lines
            .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Runs it; with `--help` only up to its call of `args`.
    pub fn run(&self) -> Result<Outcome, Box<Diagnostic>> {
        self.run_by(|global| {
            #[expect(deprecated, reason = "the only way to evaluate in a given state")]
            self.engine.eval_statements_raw(
                global,
                &mut Caches::new(),
                &mut Scope::new(),
                self.unit.ast.statements(),
            )
        })
    }

    /// Runs it and reports the value of each statement as soon as it has one.
    pub fn run_reporting(&self, tell: &mut OnValue<'_>) -> Result<Outcome, Box<Diagnostic>> {
        self.run_by(|global| {
            statement_runner::evaluate(&self.engine, global, self.unit.ast.statements(), tell)
        })
    }

    pub(super) fn run_by(
        &self,
        evaluate: impl FnOnce(&mut GlobalRuntimeState) -> Result<Dynamic, Box<EvalAltResult>>,
    ) -> Result<Outcome, Box<Diagnostic>> {
        let has_args = self.library.calls("args");
        let wants_help = self.context.command.wants_help();
        if wants_help && !has_args {
            return Ok(Outcome::Help(self.help()));
        }
        if let Some(word) = self.context.command.words.first().filter(|_| !has_args) {
            let failure = Failure::usage(format!(
                "{} takes no arguments, but \"{word}\" is given",
                self.unit.name
            ));
            let declares = || "a runbook declares what it takes with args(#{ … })".to_owned();
            return Err(Box::new(without_place(
                failure.hint(own_letter(word).unwrap_or_else(declares)),
            )));
        }
        match self.evaluate(evaluate) {
            Ok(_) if wants_help => Ok(Outcome::Help(self.help())),
            Ok(value) => Ok(Outcome::Value(value)),
            Err(error) if is_help(&error) => Ok(Outcome::Help(self.help())),
            Err(error) => {
                let diagnostic = diagnose(&self.library, &self.engine, &self.unit.name, &error);
                // A plan changes nothing.
                let after_changes =
                    self.context.watch.is_none() && self.context.script.changes.any();
                Err(Box::new(Diagnostic { after_changes, ..diagnostic }))
            }
        }
    }

    fn evaluate(
        &self,
        evaluate: impl FnOnce(&mut GlobalRuntimeState) -> Result<Dynamic, Box<EvalAltResult>>,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut global = self.library.state_for(&self.engine, &self.unit);
        let value = evaluate(&mut global)?.flatten();
        self.context.report_swallowed();
        // Even if the very last statement threw and caught it, it counts.
        if let Some(failure) = refused() {
            return Err(failure.into());
        }
        if is_deeper(&value, VALUE_DEPTH) {
            return Err(Failure::usage(format!(
                "The value of the script is nested more than {VALUE_DEPTH} deep"
            ))
            .into());
        }
        self.context.script.options.ended_well(&self.context.run);
        Ok(value)
    }

    fn help(&self) -> Masked<Help> {
        let help = self.context.script.help().cloned().unwrap_or_else(|| Help {
            command: self.context.command.name.clone(),
            ..Help::default()
        });
        // Before its lines are wrapped: a wrapped secret would no longer be found.
        Masked::new(Help { doc: self.doc(), ..help }, &self.context.secrets)
    }
}

/// The canonical path and the text of a runbook.
fn read(context: &Arc<Context>, runbook: &Runbook) -> Result<(PathBuf, String), Failure> {
    let library = Library::new(context.host.clone(), PathBuf::new());
    let here =
        context.host.current_folder().map_err(|error| Failure::new(Kind::Failed, error.message))?;
    match runbook {
        Runbook::Text { path, text } => {
            let path = here.join(path);
            Ok((context.host.canonicalize(&path).unwrap_or(path), text.clone()))
        }
        Runbook::Code { name, folder, text } => {
            let folder = here.join(folder);
            Ok((context.host.canonicalize(&folder).unwrap_or(folder).join(name), text.clone()))
        }
        Runbook::File(path) => {
            let path = here.join(path);
            match context.host.canonicalize(&path) {
                Ok(real) => {
                    read_source(&library, &CheckedPath::trusted(&real)).map(|text| (real, text))
                }
                Err(error) if error.kind == HostErrorKind::NotFound => {
                    Err(missing(&library, &path))
                }
                Err(error) => Err(Failure::usage(format!(
                    "Could not read \"{}\": {}",
                    library.shown(&path),
                    error.message
                ))),
            }
        }
    }
}

/// The failure for a missing runbook at `path`, with the most similar existing one.
pub fn missing(library: &Library, path: &Path) -> Failure {
    let failure =
        Failure::new(Kind::Usage, format!("There is no runbook \"{}\"", library.shown(path)));
    let Some(folder) = path.parent() else { return failure };
    if let Some(there) = in_scripts(library, folder, path) {
        return failure.hint(format!("did you mean \"{there}\"?"));
    }
    let place = named(&*library.host, folder);
    let is_folder = library.host.info(&place).is_ok_and(|info| info.kind == FileKind::Folder);
    if !is_folder {
        return failure.hint(format!("there is no folder \"{}\"", library.shown(folder)));
    }
    let scripts = scripts_in(&*library.host, &place);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let shown = |name: &str| library.shown(&folder.join(format!("{name}.rhai")));
    match nearest(&stem, scripts.iter().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean \"{}\"?", shown(near))),
        None if scripts.is_empty() => {
            failure.hint(format!("there are no runbooks in \"{}\"", library.shown(folder)))
        }
        None => failure.hint(format!(
            "available: {}",
            scripts.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", ")
        )),
    }
}

/// The runbook with this name in a folder `scripts`, where runbooks usually are.
fn in_scripts(library: &Library, folder: &Path, path: &Path) -> Option<String> {
    let scripts = folder.join("scripts");
    let name = Path::new(path.file_name()?).with_extension("rhai");
    let there = scripts_in(&*library.host, &named(&*library.host, &scripts));
    let stem = name.file_stem()?.to_string_lossy().into_owned();
    there.contains(&stem).then(|| library.shown(&scripts.join(name)))
}

/// Whether lists and maps are nested more deeply than `depth`.
fn is_deeper(value: &Dynamic, depth: usize) -> bool {
    let Some(left) = depth.checked_sub(1) else { return true };
    value
        .read_lock::<rhai::Array>()
        .is_some_and(|list| list.iter().any(|item| is_deeper(item, left)))
        || value
            .read_lock::<rhai::Map>()
            .is_some_and(|map| map.values().any(|item| is_deeper(item, left)))
}
