//! Calls functions of a script from outside: tests, and closures with which a test answers for its
//! world.

use rhai::{
    Caches, Dynamic, Engine, EvalAltResult, Expr, FnAccess, FnPtr, GlobalRuntimeState,
    NativeCallContext, Position, Scope, Stmt,
};

use super::errors::diagnose;
use super::rules::definition;
use super::run::Script;
use crate::model::diagnostic::Diagnostic;
use crate::value::rhai_messages::unmarked;

/// A public function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    /// The line of its definition, from 1.
    pub line: usize,
}

impl Script {
    /// The script's own public functions without parameters, in the order of the text.
    pub fn entries(&self) -> Vec<Entry> {
        self.functions(|parameters| parameters == 0)
    }

    /// Those with parameters.
    pub fn with_parameters(&self) -> Vec<Entry> {
        self.functions(|parameters| parameters > 0)
    }

    fn functions(&self, takes: impl Fn(usize) -> bool) -> Vec<Entry> {
        let text = self
            .library
            .source(&self.unit.name)
            .map(|source| source.text.clone())
            .unwrap_or_default();
        let public = self.unit.ast.iter_fn_def().filter(|function| {
            function.access == FnAccess::Public
                && function.this_type.is_none()
                && takes(function.params.len())
                && !function.name.contains('$')
        });
        let plain = public.filter(|function| unmarked(&function.name) == function.name.as_str());
        let mut entries: Vec<Entry> = plain
            .map(|function| {
                let position =
                    definition(&text, function).unwrap_or(function.body.start_position());
                Entry { name: function.name.to_string(), line: position.line().unwrap_or(1) }
            })
            .collect();
        entries.sort_by_key(|entry| entry.line);
        entries
    }

    /// Runs the script's statements and then its function `name`, which has no parameters.
    pub fn call(&self, name: &str) -> Result<(), Box<Diagnostic>> {
        self.run_by(|global| {
            let _ = evaluate(&self.engine, global, self.unit.ast.statements())?;
            let call = self.engine.compile(format!("{name}()"))?;
            // This call is not in any source, so no trace leads to it.
            let placeless = |statement: &Stmt| match statement {
                Stmt::FnCall(call, _) => Stmt::FnCall(call.clone(), Position::NONE),
                Stmt::Expr(expression) => match &**expression {
                    Expr::FnCall(call, _) => Stmt::FnCall(call.clone(), Position::NONE),
                    _ => statement.clone(),
                },
                other => other.clone(),
            };
            evaluate(
                &self.engine,
                global,
                &call.statements().iter().map(placeless).collect::<Vec<_>>(),
            )
        })
        .map(drop)
    }

    /// Calls a closure of the script with `arguments`, on any thread. It must not wait for
    /// anything.
    pub fn answer(
        &self,
        function: &FnPtr,
        arguments: Vec<Dynamic>,
    ) -> Result<Dynamic, Box<Diagnostic>> {
        let global = self.library.state_for(&self.engine, &self.unit);
        let context = NativeCallContext::new_with_all_fields(
            &self.engine,
            "answer",
            Some(&self.unit.name),
            &global,
            Position::NONE,
        );
        let mut arguments = arguments;
        let answer = function.call_raw(&context, None, &mut arguments).map(Dynamic::flatten);
        answer.map_err(|error| {
            Box::new(diagnose(&self.library, &self.engine, &self.unit.name, &error))
        })
    }
}

fn evaluate(
    engine: &Engine,
    global: &mut GlobalRuntimeState,
    statements: &[Stmt],
) -> Result<Dynamic, Box<EvalAltResult>> {
    #[expect(deprecated, reason = "the only way to evaluate in a given state")]
    engine.eval_statements_raw(global, &mut Caches::new(), &mut Scope::new(), statements)
}
