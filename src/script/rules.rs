//! Rules for sources, checked before they run.

use rhai::{AST, ASTNode, Expr, Position, ScriptFuncDef, Stmt};

use super::names::Names;
use crate::model::Failure;

/// The first rule that the source breaks, and the position.
pub fn broken(ast: &AST, text: &str, names: &Names) -> Option<(Failure, Position)> {
    misplaced_imports(ast).into_iter().chain(redefinitions(ast, text, names)).next()
}

/// The imports of a source, all at its top level: path and name.
pub fn imports(ast: &AST) -> impl Iterator<Item = &Stmt> {
    ast.statements().iter().filter(|statement| matches!(statement, Stmt::Import(..)))
}

/// Imports have to be at the top level, with a literal path. They are followed before anything
/// runs, and functions of the file see them wherever they are called.
pub fn misplaced_imports(ast: &AST) -> Vec<(Failure, Position)> {
    let mut found = Vec::new();
    ast.walk(&mut |path: &[ASTNode]| {
        let Some(ASTNode::Stmt(statement @ Stmt::Import(import, position))) = path.last() else {
            return true;
        };
        if !imports(ast).any(|top| std::ptr::eq(top, *statement)) {
            let failure = Failure::usage("An import can't be inside a block or a function");
            found.push((failure.hint("move it to the top of the file"), *position));
        } else if !matches!(import.0, Expr::StringConstant(..)) {
            let failure = Failure::usage("The path of an import is not plain text");
            found.push((failure.hint("write import \"path\" as name;"), import.0.start_position()));
        }
        true
    });
    found
}

/// The functions of a script that would silently replace spc's own, also for scripts that import
/// it.
pub fn redefinitions(ast: &AST, text: &str, names: &Names) -> Vec<(Failure, Position)> {
    let mut functions: Vec<&ScriptFuncDef> =
        ast.iter_fn_def().map(|function| &**function).collect();
    functions.sort_by_key(|function| function.body.start_position());
    let taken = functions.into_iter().filter(|function| {
        names.is_host_function(&function.name, function.this_type.as_deref(), function.params.len())
    });
    taken
        .map(|taken| {
            let count = match taken.params.len() {
                0 => "no parameters".to_owned(),
                1 => "1 parameter".to_owned(),
                more => format!("{more} parameters"),
            };
            let failure = Failure::usage(format!(
                "\"{}\" with {count} is a function of spc and can't be defined again",
                taken.name
            ));
            (
                failure.hint("give it another name"),
                definition(text, taken).unwrap_or(taken.body.start_position()),
            )
        })
        .collect()
}

/// The position of the function's name, before its body.
pub fn definition(text: &str, function: &ScriptFuncDef) -> Option<Position> {
    let body = function.body.start_position();
    let (line, column) = (body.line()?, body.position().unwrap_or(1));
    for (index, text) in text.lines().enumerate().take(line).collect::<Vec<_>>().into_iter().rev() {
        let shown: String =
            if index + 1 == line { text.chars().take(column).collect() } else { text.to_owned() };
        let named = shown.rmatch_indices(function.name.as_str()).find(|(start, _)| {
            let before = shown[..*start].trim_end();
            before.ends_with("fn") || before.ends_with('.')
        });
        if let Some((start, _)) = named {
            let column = shown[..start].chars().count() + 1;
            return Some(Position::new(u16_of(index + 1), u16_of(column)));
        }
    }
    None
}

fn u16_of(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
