//! Evaluates lines one after another, for the prompt. Variables, functions, closures, imports and
//! constants stay defined.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rhai::{
    AST, Caches, Dynamic, Engine, EvalAltResult, FnAccess, GlobalRuntimeState, LexError, Module,
    ParseError, ParseErrorType, Position, Scope,
};

use super::engine;
use super::errors::{diagnose, without_place};
use super::library::{Constants, Library};
use super::names::Names;
use super::printer::Printer;
use super::statement_runner::OnValue;
use crate::api::Context;
use crate::model::diagnostic::Diagnostic;
use crate::model::{Failure, Kind};
use crate::value::error::refused;
use crate::value::rhai_messages::unmarked;

/// A session at the prompt. Use it only on a script thread: see [`super::on_script_thread`].
pub struct Session {
    library: Arc<Library>,
    engine: Engine,
    global: GlobalRuntimeState,
    scope: Scope<'static>,
    constants: Constants,
    /// The base of relative imports.
    folder: std::path::PathBuf,
    lines: usize,
}

impl Session {
    /// A session with imports relative to `folder`.
    pub fn new(context: &Arc<Context>, folder: &Path) -> Result<Self, Box<Diagnostic>> {
        let wrong = |error: crate::host::HostError| {
            Box::new(without_place(Failure::new(Kind::Failed, error.message)))
        };
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

    /// Evaluates one line, or several that belong together. Passes its value to `show`, unless it
    /// is `()`. The definitions of a failed line stay. The lines are sources with the names
    /// `repl:1`, `repl:2`, ….
    pub fn eval(&mut self, text: &str, show: &mut OnValue<'_>) -> Result<(), Box<Diagnostic>> {
        self.lines += 1;
        let name = format!("repl:{}", self.lines);
        let shown = self.evaluate(&name, text).and_then(|value| {
            if value.is_unit() {
                Ok(())
            } else {
                show(&Printer::new(&self.engine, &self.global), &value)
            }
        });
        shown.map_err(|error| Box::new(diagnose(&self.library, &self.engine, &name, &error)))
    }

    fn evaluate(&mut self, name: &str, text: &str) -> Result<Dynamic, Box<EvalAltResult>> {
        let path = self.folder.join(name);
        let unit = self.library.compile_in(
            &self.engine,
            &self.scope,
            name,
            Some(path),
            text.to_owned(),
            self.constants.clone(),
        )?;
        self.library.enter(&mut self.global, &unit);
        #[expect(deprecated, reason = "the only way to evaluate in a given state")]
        let result = self.engine.eval_statements_raw(
            &mut self.global,
            &mut Caches::new(),
            &mut self.scope,
            unit.ast.statements(),
        );
        match refused() {
            Some(failure) if result.is_ok() => Err(failure.into()),
            _ => result.map(Dynamic::flatten),
        }
    }

    /// Whether `text` is complete. A bracket, a string in backticks or an operator may be open.
    pub fn is_complete(&self, text: &str) -> bool {
        let Err(error) = self.engine.compile_with_scope(&self.scope, text) else { return true };
        let ParseError(kind, position) = error;
        match *kind {
            ParseErrorType::UnexpectedEOF => false,
            // A string in double quotes continues on the next line only after `\`; one in backticks
            // always does.
            ParseErrorType::BadInput(LexError::UnterminatedString) => {
                !(text.ends_with('\\') || text.matches('`').count() % 2 == 1)
            }
            _ => !is_past(position, text),
        }
    }

    /// The available functions, for completion and help.
    pub fn names(&self) -> Names {
        Names::all(&self.engine)
    }

    /// spc's own functions.
    pub fn host_names(&self) -> Names {
        Names::host(&self.engine)
    }

    /// The variables, the newest first: for completion.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &Dynamic)> {
        self.scope.iter_raw().map(|(name, _, value)| (name, value))
    }

    /// The functions that were defined at the prompt.
    pub fn functions(&self) -> Vec<String> {
        self.library.defined("").functions.into_iter().map(|(name, _)| name).collect()
    }

    /// The imports of earlier lines: the name, and the functions in it.
    pub fn imports(&self) -> BTreeMap<String, Vec<String>> {
        let functions = |module: &Module| {
            let functions = AST::new_from_module(module.clone());
            let public = functions.iter_fn_def().filter(|function| {
                function.access == FnAccess::Public && function.this_type.is_none()
            });
            public
                .map(|function| function.name.to_string())
                .filter(|name| unmarked(name) == name && !name.contains('$'))
                .collect()
        };
        self.global
            .iter_imports()
            .map(|(name, module)| (name.to_owned(), functions(module)))
            .collect()
    }
}

/// Whether a position is after the last character of a text.
fn is_past(position: Position, text: &str) -> bool {
    let Some(line) = position.line() else { return false };
    let lines: Vec<&str> = text.split('\n').collect();
    line > lines.len()
        || line == lines.len()
            && position.position().unwrap_or(0) > lines[line - 1].trim_end().chars().count()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Scripts, short};
    use super::super::run::on_script_thread;
    use super::*;
    use similar_asserts::assert_eq;

    /// The result of `work` in a session with these files.
    fn with_session<T: Send>(
        files: &[(&str, &str)],
        work: impl FnOnce(&mut Session) -> T + Send,
    ) -> T {
        let scripts = Scripts::new(files);
        let context = scripts.run.context.clone();
        on_script_thread(&context, || Ok(work(&mut Session::new(&context, Path::new("scripts"))?)))
            .unwrap()
    }

    fn answer(session: &mut Session, line: &str) -> String {
        let mut shown = "()".to_owned();
        let result = session.eval(line, &mut |printer, value| {
            shown = printer.text(value);
            Ok(())
        });
        result.map_or_else(|error| short(&error), |()| shown)
    }

    fn said(files: &[(&str, &str)], lines: &[&str]) -> Vec<String> {
        with_session(files, |session| lines.iter().map(|line| answer(session, line)).collect())
    }

    #[test]
    fn definitions_of_a_line_are_available_in_the_next() {
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
        assert_eq!(
            said(&files, &lines)[5..],
            [r#"[3, 4, "app 1", "app3", ["app2"]]"#, "()", "[100, 101]"]
        );
    }

    #[test]
    fn an_error_is_in_its_own_line_and_ends_nothing() {
        let files = [("app.rhai", "")];
        let lines = [
            "let apple = 1;",
            "fn f() { nonsense(1) }",
            "f()",
            "aple",
            "let c = ;",
            "if true { let inner = 1; throw \"no\"; }",
            "inner",
            "fn outer() { apple }",
            "outer()",
            "apple + 1",
        ];
        let expected = [
            "()",
            "()",
            "usage: There is no function nonsense(integer)\nat repl:2:1:10 nonsense\nin f called at repl:3:1:1",
            "usage: There is no variable \"aple\"\nat repl:4:1:1 aple\nhint: did you mean \"apple\"?",
            "usage: Unexpected \";\"\nat repl:5:1:9 ;",
            "failed: no\nat repl:6:1:26 throw",
            "usage: There is no variable \"inner\"\nat repl:7:1:1 inner",
            "()",
            "usage: There is no variable \"apple\"\nat repl:8:1:14 apple\nhint: functions see their parameters only: pass apple as one, or make it a const and write global::apple\nin outer called at repl:9:1:1",
            "2",
        ];
        assert_eq!(said(&files, &lines), expected);
    }

    #[test]
    fn a_text_is_complete_where_nothing_has_to_follow() {
        with_session(&[("app.rhai", "")], |session| {
            for whole in [
                "1",
                "let a = 1;",
                "fn f() { 1 }",
                "f(",
                "nonsense nonsense",
                "`a\nb`",
                "\"a",
                "let a = ;",
                "}",
                "",
                "// x",
                "a.b()",
            ] {
                assert!(session.is_complete(whole) != (whole == "f("), "{whole:?}");
            }
            for part in [
                "fn f() {",
                "fn f() {\n  1\n",
                "stack(\"x\", #{",
                "[1,\n2",
                "`a\nb",
                "1 +",
                "let a =",
                "\"a\\",
                "if x",
                "a.",
            ] {
                assert!(!session.is_complete(part), "{part:?}");
            }
        });
    }

    #[test]
    fn a_session_lists_its_variables_functions_and_imports() {
        let files = [("app.rhai", "fn name() { helper() }\nprivate fn helper() { 1 }")];
        with_session(&files, |session| {
            for line in ["let a = 1; let b = \"x\";", "fn f(x) { x }", "import \"app\" as app;"] {
                assert_eq!(answer(session, line), "()");
            }
            assert_eq!(session.variables().map(|(name, _)| name).collect::<Vec<_>>(), ["b", "a"]);
            assert!(session.functions().contains(&"f".to_owned()));
            assert_eq!(
                session.imports(),
                BTreeMap::from([("app".to_owned(), vec!["name".to_owned()])])
            );
        });
    }
}
