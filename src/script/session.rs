//! Lines evaluated one after the other, for the prompt: variables, functions, closures, imports and constants persist.

use std::path::Path;
use std::sync::Arc;

use rhai::{Caches, Dynamic, Engine, EvalAltResult, GlobalRuntimeState, Scope};

use super::engine;
use super::errors::{diagnose, without_place};
use super::library::{Constants, Library};
use crate::api::Context;
use crate::model::diagnostic::Diagnostic;
use crate::model::{Failure, Kind};
use crate::value::error::refused;

/// A session at the prompt. To be used on a script thread: see [`super::on_script_thread`].
pub struct Session {
    library: Arc<Library>,
    engine: Engine,
    global: GlobalRuntimeState,
    scope: Scope<'static>,
    constants: Constants,
    /// The folder that imports are relative to.
    folder: std::path::PathBuf,
    lines: usize,
}

impl Session {
    /// A session whose imports are relative to `folder`.
    pub fn new(context: &Arc<Context>, folder: &Path) -> Result<Self, Box<Diagnostic>> {
        let wrong = |error: crate::host::HostError| Box::new(without_place(Failure::new(Kind::Failed, error.message)));
        let here = context.host.current_folder().map_err(wrong)?;
        let folder = context.host.canonicalize(&here.join(folder)).map_err(wrong)?;
        let root = context.project.scripts.clone().unwrap_or_else(|| folder.clone());
        let library = Arc::new(Library::new(context.host.clone(), root));
        let mut engine = engine::build(context, &library);
        // The parser knows the variables of earlier lines, but not their imports.
        engine.set_strict_variables(false);
        let constants = Constants::default();
        let mut global = engine.new_global_runtime_state();
        global.constants = Some(constants.clone());
        Ok(Self { library, engine, global, scope: Scope::new(), constants, folder, lines: 0 })
    }

    /// The value of a line, or of several lines that belong together. What a failed one defined stays.
    pub fn eval(&mut self, text: &str) -> Result<Dynamic, Box<Diagnostic>> {
        self.lines += 1;
        let name = format!("line {}", self.lines);
        self.evaluate(&name, text).map_err(|error| Box::new(diagnose(&self.library, &self.engine, &name, &error)))
    }

    fn evaluate(&mut self, name: &str, text: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        let path = self.folder.join(name);
        let unit = self.library.compile_in(&self.engine, &self.scope, name, Some(path), text.to_owned(), self.constants.clone())?;
        self.library.enter(&mut self.global, &unit);
        #[expect(deprecated, reason = "the only way to evaluate in a given state")]
        let result = self.engine.eval_statements_raw(&mut self.global, &mut Caches::new(), &mut self.scope, unit.ast.statements());
        match refused() {
            Some(failure) if result.is_ok() => Err(failure.into()),
            _ => result.map(Dynamic::flatten),
        }
    }

    /// The engine: for completion and help.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The variables: for completion.
    pub fn scope(&self) -> &Scope<'static> {
        &self.scope
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Scripts, short};
    use super::super::run::on_script_thread;
    use super::*;
    use crate::value::text::plain;

    fn said(files: &[(&str, &str)], lines: &[&str]) -> Vec<String> {
        let scripts = Scripts::new(files);
        let context = scripts.run.context.clone();
        let said = on_script_thread(&context, || {
            let mut session = Session::new(&context, Path::new("scripts"))?;
            Ok(lines.iter().map(|line| session.eval(line).map_or_else(|error| short(&error), |value| plain(&value))).collect())
        });
        said.unwrap()
    }

    #[test]
    fn what_a_line_defines_is_there_in_the_next() {
        let files = [("app.rhai", "fn name() { \"app\" }\nfn maker() { |x| `${name()} ${x}` }")];
        let lines = [
            "let a = 1; const B = 2;",
            "fn f(x) { x + global::B }",
            "import \"app\" as app;",
            "let g = |x| f(x) + a; let made = app::maker();",
            "fn h() { app::name() + f(1) }",
            "[f(1), g.call(1), made.call(a), h(), [1].map(|x| app::name() + global::B)]",
            "fn f(x) { 100 }",
            "[f(1), g.call(1)]",
        ];
        assert_eq!(said(&files, &lines)[5..], [r#"[3, 4, "app 1", "app3", ["app2"]]"#, "()", "[100, 101]"]);
    }

    #[test]
    fn an_error_is_in_its_own_line_and_ends_nothing() {
        let files = [("app.rhai", "")];
        let lines = ["let a = 1;", "fn f() { nonsense(1) }", "f()", "b", "let c = ;", "a + 1"];
        let expected = [
            "()",
            "()",
            "usage: There is no function nonsense(integer)\nat line 2:1:10 nonsense\nin f called at line 3:1:1",
            "usage: There is no variable \"b\"\nat line 4:1:1 b",
            "usage: Unexpected \";\"\nat line 5:1:9 ;",
            "2",
        ];
        assert_eq!(said(&files, &lines), expected);
    }
}
