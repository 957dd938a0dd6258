//! The syntax tree of a source, with the bodies of functions and closures.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rhai::{
    AST, ASTNode, Engine, Expr, FnAccess, FnPtr, Module, ParseError, Position, ScriptFuncDef, Stmt,
};

use crate::model::diagnostic::Source;
use crate::script::rules;
use crate::value::rhai_messages::is_closure;

/// A source that could be parsed.
pub struct ParsedSource {
    pub source: Arc<Source>,
    /// Canonical; `None` for the standard library.
    pub path: Option<PathBuf>,
    pub ast: AST,
    pub functions: Vec<Function>,
    /// By the names that Rhai gives them.
    pub closures: BTreeMap<String, Function>,
    /// The targets of its imports, by their names in the source; `None` if the target doesn't
    /// exist.
    pub imports: BTreeMap<String, Option<String>>,
}

/// A function or closure of a source.
pub struct Function {
    pub name: String,
    /// A closure's captured variables come first.
    pub parameters: Vec<String>,
    /// `duration` of `fn duration.doubled()`.
    pub this_type: Option<String>,
    pub is_private: bool,
    pub body: Vec<Stmt>,
    pub position: Position,
}

impl ParsedSource {
    /// Parses a source; its imports are not followed.
    pub fn parse(
        engine: &Engine,
        source: Arc<Source>,
        path: Option<PathBuf>,
    ) -> Result<Self, ParseError> {
        let ast = engine.compile(&source.text)?;
        let (mut functions, mut closures) = (Vec::new(), BTreeMap::new());
        for definition in ast.iter_fn_def() {
            let function = Function::of(definition, &source.text);
            if is_closure(&function.name) {
                closures.insert(function.name.clone(), function);
            } else {
                functions.push(function);
            }
        }
        functions.sort_by_key(|function| function.position);
        Ok(Self { source, path, ast, functions, closures, imports: BTreeMap::new() })
    }

    /// The closure in an expression, and the variables that it captures.
    pub fn closure<'a>(&'a self, expression: &'a Expr) -> Option<(&'a Function, &'a [Expr])> {
        match expression {
            Expr::DynamicConstant(value, _) => {
                let pointer = value.read_lock::<FnPtr>()?;
                self.closures.get(pointer.fn_name()).map(|closure| (closure, &[][..]))
            }
            // A block shares the captured variables and curries the function with them.
            Expr::Stmt(block) => match block.statements() {
                [Stmt::Share(_), Stmt::Expr(curried)] => match &**curried {
                    Expr::FnCall(call, _) => {
                        let (function, captured) = call.args.split_first()?;
                        self.closure(function).map(|(closure, _)| (closure, captured))
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }
}

impl Function {
    fn of(definition: &Arc<ScriptFuncDef>, text: &str) -> Self {
        Self {
            name: definition.name.to_string(),
            parameters: definition.params.iter().map(ToString::to_string).collect(),
            this_type: definition.this_type.as_ref().map(ToString::to_string),
            is_private: definition.access == FnAccess::Private,
            body: body(definition),
            position: rules::definition(text, definition)
                .unwrap_or(definition.body.start_position()),
        }
    }
}

/// The statements of a function: Rhai shows them only to a walk.
fn body(definition: &Arc<ScriptFuncDef>) -> Vec<Stmt> {
    let mut alone = Module::new();
    alone.set_script_fn(definition.clone());
    let mut statements = Vec::new();
    AST::new(std::iter::empty::<Stmt>(), alone).walk(&mut |path: &[ASTNode]| {
        if let [ASTNode::Stmt(statement)] = path {
            statements.push((*statement).clone());
        }
        true
    });
    statements
}
