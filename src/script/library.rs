//! The sources of a run. Each is compiled once, and its closures use its own functions wherever
//! they are called.
//!
//! Rhai looks up the functions of a closure in the file that *calls* the closure. If a runbook
//! passes its closure to a module, the closure would use a private function of the module instead
//! of its own function with the same name. A closure that a module returns would not be found at
//! all. So before anything runs, the closures of every source are bound to their own file: to its
//! functions, imports and constants. They are in one module at the bottom of every call, where Rhai
//! looks for closures first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rhai::{
    AST, ASTNode, Engine, EvalAltResult, GlobalRuntimeState, Locked, Module, ParseError,
    ParseErrorType, Position, Scope, Shared, Stmt,
};

use super::function_names::made_unique;
use super::names::{DefinedNames, Names};
use super::open_comment;
use super::rules;
use super::standard_library::{self, Modules};
use crate::host::Host;
use crate::model::Failure;
use crate::model::diagnostic::{Source, SourceSpan};
use crate::value::error::throw;
use crate::value::rhai_messages::is_closure;
use crate::value::spans::Spans;

/// The import that makes a source's own constants available: see [`Library::bind_closures`].
pub const CONSTANTS: &str = "<constants>";

/// The constants of a source, in Rhai's form.
pub type Constants = Shared<Locked<BTreeMap<rhai::ImmutableString, rhai::Dynamic>>>;

/// A compiled source.
pub struct Unit {
    /// Its name in Rhai's errors.
    pub name: String,
    pub ast: AST,
    /// Its `//!` lines.
    pub doc: String,
    pub constants: Constants,
}

/// The sources of one run.
pub struct Library {
    pub host: Arc<dyn Host>,
    /// The folder that imports may not leave. Canonical.
    pub root: PathBuf,
    pub standard: Modules,
    /// The functions of the engine, determined once for all runs with the same ones.
    host_names: &'static OnceLock<Names>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sources: BTreeMap<String, LibrarySource>,
    places: Spans,
    closures: Shared<Module>,
    modules: BTreeMap<String, Shared<Module>>,
    /// Modules that are being imported, the outermost first.
    loading: Vec<String>,
    /// Constants for the next [`CONSTANTS`] import.
    pending: Option<Constants>,
}

/// What is known about a source.
struct LibrarySource {
    source: Arc<Source>,
    /// Canonical; `None` for the standard library.
    path: Option<PathBuf>,
    defined: DefinedNames,
    calls: Vec<String>,
}

impl Library {
    /// A library without sources. `root`: the folder that imports may not leave, canonical.
    pub fn new(host: Arc<dyn Host>, root: PathBuf) -> Self {
        Self::with(host, root, standard_library::EMBEDDED, &NAMES)
    }

    /// With another standard library, or for an engine with other functions: `names` is called once
    /// to get them.
    pub fn with(
        host: Arc<dyn Host>,
        root: PathBuf,
        standard: Modules,
        names: &'static OnceLock<Names>,
    ) -> Self {
        Self { host, root, standard, host_names: names, state: Mutex::default() }
    }

    /// Compiles a source and binds its closures. Its imports are followed; nothing else is
    /// evaluated.
    ///
    /// Errors have no source yet: it is `name`.
    pub fn compile(
        &self,
        engine: &Engine,
        name: &str,
        path: Option<PathBuf>,
        text: String,
    ) -> Result<Unit, Box<EvalAltResult>> {
        self.compile_in(engine, &Scope::new(), name, path, text, Constants::default())
    }

    /// Compiles a line of the prompt: a source that sees the variables of `scope` and adds to
    /// `constants`.
    pub fn compile_in(
        &self,
        engine: &Engine,
        scope: &Scope,
        name: &str,
        path: Option<PathBuf>,
        text: String,
        constants: Constants,
    ) -> Result<Unit, Box<EvalAltResult>> {
        let source = Arc::new(Source { name: name.to_owned(), text });
        let known = LibrarySource {
            source: source.clone(),
            path,
            defined: DefinedNames::default(),
            calls: Vec::new(),
        };
        self.state.lock().sources.insert(name.to_owned(), known);
        if let Some((failure, position)) = open_comment::unclosed(&source.text) {
            return Err(at(failure, position));
        }
        let ast = engine.compile_with_scope(scope, &source.text).map_err(|error| {
            self.learn_broken(&source);
            syntax_first(error, &source.text)
        })?;
        self.learn(&ast, &source);
        self.learn_variables(name, scope);
        let names = self.host_names.get_or_init(|| Names::host(engine));
        if let Some((failure, position)) = rules::broken(&ast, &source.text, names) {
            return Err(at(failure, position));
        }
        let doc = ast.doc().to_owned();
        let file = self.state.lock().sources.len();
        let mut ast = made_unique(engine, scope, ast, &source.text, file);
        ast.set_source(name);
        let unit = Unit { name: name.to_owned(), ast, doc, constants };
        self.bind_closures(engine, &unit)?;
        Ok(unit)
    }

    /// Evaluates a compiled source as a module.
    pub fn evaluate(
        &self,
        engine: &Engine,
        unit: &Unit,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        self.module(engine, unit, unit.ast.statements().iter()).map(Shared::new)
    }

    /// The state in which the statements of a compiled source run.
    pub fn state_for(&self, engine: &Engine, unit: &Unit) -> GlobalRuntimeState {
        let mut global = engine.new_global_runtime_state();
        global.constants = Some(unit.constants.clone());
        self.enter(&mut global, unit);
        global
    }

    /// Adds a source to a state in which others ran before.
    pub fn enter(&self, global: &mut GlobalRuntimeState, unit: &Unit) {
        let closures = self.state.lock().closures.clone();
        match global.lib.first_mut() {
            Some(first) => *first = closures,
            None => global.lib.push(closures),
        }
        global.lib.push(unit.ast.shared_lib().clone());
        global.source = Some(unit.name.as_str().into());
    }

    /// Registers the closures of a source, with the source's functions, imports and constants.
    fn bind_closures(&self, engine: &Engine, unit: &Unit) -> Result<(), Box<EvalAltResult>> {
        // A module with only the imports. Rhai makes them available to the module's functions and
        // closures.
        let bound = self.module(engine, unit, rules::imports(&unit.ast))?;
        let mut closures = AST::new_from_module(bound);
        closures.retain_functions(|_, _, name, _| is_closure(name));
        let mut state = self.state.lock();
        let mut all = (*state.closures).clone();
        all.fill_with(closures.shared_lib());
        state.closures = all.into();
        Ok(())
    }

    /// A module with a source's functions and the given statements, which are evaluated.
    fn module<'a>(
        &self,
        engine: &Engine,
        unit: &Unit,
        statements: impl Iterator<Item = &'a Stmt>,
    ) -> Result<Module, Box<EvalAltResult>> {
        let constants = engine.compile(format!("import \"{CONSTANTS}\" as constants;"))?;
        let statements = constants.statements().iter().cloned().chain(statements.cloned());
        let ast =
            AST::new_with_source(statements, unit.ast.shared_lib().clone(), unit.name.as_str());
        let mut global = engine.new_global_runtime_state();
        {
            let mut state = self.state.lock();
            global.lib.push(state.closures.clone());
            state.pending = Some(unit.constants.clone());
        }
        Module::eval_ast_as_new_raw(engine, &mut Scope::new(), &mut global, &ast)
    }

    /// The constants that [`Library::module`] needs; `None` if a script imports this name itself.
    pub fn take_constants(&self) -> Option<Constants> {
        self.state.lock().pending.take()
    }

    /// A module that was imported before.
    pub fn imported(&self, name: &str) -> Option<Shared<Module>> {
        self.state.lock().modules.get(name).cloned()
    }

    /// Loads a module. Fails if it is already being loaded: a cycle.
    pub fn import(
        &self,
        name: &str,
        load: impl FnOnce() -> Result<Shared<Module>, Box<EvalAltResult>>,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        {
            let mut state = self.state.lock();
            if let Some(start) = state.loading.iter().position(|loading| loading == name) {
                let circle: Vec<&str> =
                    state.loading[start..].iter().map(String::as_str).chain([name]).collect();
                return Err(Failure::usage(format!(
                    "Imports go in a circle: {}",
                    circle.join(" → ")
                ))
                .into());
            }
            state.loading.push(name.to_owned());
        }
        let module = load();
        let mut state = self.state.lock();
        state.loading.pop();
        if let Ok(module) = &module {
            state.modules.insert(name.to_owned(), module.clone());
        }
        module
    }

    /// Marks `name`, the runbook, as being loaded: importing it would be a cycle.
    pub fn begin(&self, name: &str) {
        self.state.lock().loading.push(name.to_owned());
    }

    /// The source with this name.
    pub fn source(&self, name: &str) -> Option<Arc<Source>> {
        self.state.lock().sources.get(name).map(|known| known.source.clone())
    }

    /// The file of the source with this name; `None` for the standard library.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.state.lock().sources.get(name).and_then(|known| known.path.clone())
    }

    /// Whether a source of the run calls a function with this name.
    pub fn calls(&self, function: &str) -> bool {
        self.state
            .lock()
            .sources
            .values()
            .any(|known| known.calls.iter().any(|call| call == function))
    }

    /// The definitions of a source; the functions of every source.
    pub fn defined(&self, name: &str) -> DefinedNames {
        let state = self.state.lock();
        let mut defined =
            state.sources.get(name).map(|known| known.defined.clone()).unwrap_or_default();
        defined.functions =
            state.sources.values().flat_map(|known| known.defined.functions.clone()).collect();
        defined
    }

    /// The position in a literal for a path of a description: see [`Spans::find`].
    pub fn find(
        &self,
        path: &[String],
        on_key: bool,
        near: Option<&SourceSpan>,
    ) -> Option<SourceSpan> {
        self.state.lock().places.find(path, on_key, near)
    }

    /// A file in the form that a user would write: relative to the folder in which spc was started.
    pub fn shown(&self, path: &Path) -> String {
        crate::host::resolve::shown(&*self.host, path)
    }

    fn learn(&self, ast: &AST, source: &Arc<Source>) {
        let (defined, calls) = (defined_in(ast), calls_in(ast));
        let mut state = self.state.lock();
        state.places.add(ast, source);
        if let Some(known) = state.sources.get_mut(&source.name) {
            known.defined = defined;
            known.calls = calls;
        }
    }

    /// The variables of earlier lines exist too.
    fn learn_variables(&self, source: &str, scope: &Scope) {
        if let Some(known) = self.state.lock().sources.get_mut(source) {
            known.defined.variables.extend(scope.iter_raw().map(|(name, ..)| name.to_owned()));
        }
    }

    /// Stores the functions of a source that only has undeclared variables, for suggestions.
    fn learn_broken(&self, source: &Arc<Source>) {
        if let Ok(ast) = Engine::new_raw().compile(&source.text) {
            self.learn(&ast, source);
        }
    }
}

fn at(failure: Failure, position: Position) -> Box<EvalAltResult> {
    let mut error = throw(failure);
    error.set_position(position);
    error
}

/// The error that a check would report. A syntax error anywhere comes before an unknown name.
fn syntax_first(error: ParseError, text: &str) -> ParseError {
    if !matches!(
        *error.0,
        ParseErrorType::VariableUndefined(_) | ParseErrorType::ModuleUndefined(_)
    ) {
        return error;
    }
    super::parsing::parsing().compile(text).err().unwrap_or(error)
}

fn defined_in(ast: &AST) -> DefinedNames {
    let mut defined = DefinedNames::default();
    for function in ast.iter_fn_def() {
        let parameters: Vec<String> = function.params.iter().map(ToString::to_string).collect();
        defined.variables.extend(parameters.clone());
        if !is_closure(&function.name) {
            defined.functions.push((function.name.to_string(), parameters));
        }
    }
    ast.walk(&mut |path: &[ASTNode]| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(variable, ..))) => {
                defined.variables.push(variable.0.name.to_string())
            }
            Some(ASTNode::Stmt(Stmt::For(each, _))) => {
                defined.variables.push(each.0.name.to_string())
            }
            Some(ASTNode::Stmt(Stmt::Import(import, _))) => {
                defined.modules.push(import.1.name.to_string())
            }
            _ => {}
        }
        true
    });
    defined
}

fn calls_in(ast: &AST) -> Vec<String> {
    let mut calls = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(
            ASTNode::Expr(rhai::Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)),
        ) = path.last()
        {
            calls.push(call.name.to_string());
        }
        true
    });
    calls
}

/// An error with the position of the import that led to it, inside `name`.
pub fn in_module(name: &str, error: Box<EvalAltResult>, position: Position) -> Box<EvalAltResult> {
    EvalAltResult::ErrorInModule(name.to_owned(), error, position).into()
}

/// The functions of a runbook's engine.
pub(super) static NAMES: OnceLock<Names> = OnceLock::new();
