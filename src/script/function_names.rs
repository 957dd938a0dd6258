//! Makes function names unique in a run.
//!
//! Rhai 1.27 caches which function a name means, and does not clear the cache for a call into
//! another file. If two modules have a `private fn check(x)`, the second one would get the first
//! one's function. So the functions of a file, and the calls inside the file that mean them, get a
//! name with the file's mark. The plain name means the same function, for callers outside.
//! Positions, and so all messages, stay those of the text.

use std::cell::RefCell;
use std::collections::HashMap;

use rhai::{
    AST, ASTNode, Engine, Expr, FnCallExpr, Module, Position, Scope, ScriptFuncDef, Shared, Stmt,
    Token,
};

use super::rules::definition;
use crate::value::rhai_messages::{is_closure, marked};

/// The positions in the text at which a name is replaced during compilation.
type Renames = HashMap<Position, String>;

thread_local! {
    static RENAMES: RefCell<Renames> = RefCell::default();
}

/// Makes `engine` compile with other names.
pub fn prepare(engine: &mut Engine) {
    #[expect(
        deprecated,
        reason = "not deprecated, said to be volatile: there is no other way to a name's token"
    )]
    engine.on_parse_token(|token, position, _| {
        let name = RENAMES.with_borrow_mut(|renames| {
            if renames.is_empty() { None } else { renames.remove(&position) }
        });
        match (name, token) {
            (Some(name), Token::Identifier(_)) => Token::Identifier(Box::new(name.into())),
            (Some(name), Token::StringConstant(_)) => Token::StringConstant(Box::new(name.into())),
            (_, token) => token,
        }
    });
}

/// The same source with unique names for its functions; `file` is its number in the run.
///
/// The original text if there is nothing to rename, or if a name was not found in the text (which
/// has never occurred).
pub fn made_unique(engine: &Engine, scope: &Scope, ast: AST, text: &str, file: usize) -> AST {
    let renames = renames(&ast, text, file);
    if renames.is_empty() {
        return ast;
    }
    RENAMES.set(renames);
    let compiled = engine.compile_with_scope(scope, text);
    let left = RENAMES.take();
    let Ok(renamed) = compiled else { return ast };
    if !left.is_empty() {
        return ast;
    }
    let mut functions: Module = (**renamed.shared_lib()).clone();
    for function in ast.iter_fn_def().filter(|function| is_plain(function)) {
        let unique = renamed.iter_fn_def().find(|renamed| {
            renamed.name == marked(&function.name, file)
                && renamed.params.len() == function.params.len()
        });
        if let Some(unique) = unique {
            functions
                .set_script_fn(ScriptFuncDef { name: function.name.clone(), ..(**unique).clone() });
        }
    }
    AST::new(renamed.statements().iter().cloned(), Shared::new(functions))
}

fn is_plain(function: &ScriptFuncDef) -> bool {
    function.this_type.is_none() && !is_closure(&function.name)
}

/// The definitions of functions, their calls, and their names in `Fn("name")`.
fn renames(ast: &AST, text: &str, file: usize) -> Renames {
    let mut renames = Renames::new();
    let mut functions: Vec<(&str, usize)> = Vec::new();
    for function in ast.iter_fn_def().filter(|function| is_plain(function)) {
        if let Some(position) = definition(text, function) {
            functions.push((&function.name, function.params.len()));
            renames.insert(position, marked(&function.name, file));
        }
    }
    if functions.is_empty() {
        return renames;
    }
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(
            ASTNode::Expr(Expr::FnCall(call, position))
            | ASTNode::Stmt(Stmt::FnCall(call, position)),
        ) = path.last()
        {
            if !call.is_qualified()
                && !call.is_operator_call()
                && functions.contains(&(call.name.as_str(), call.args.len()))
            {
                renames.insert(*position, marked(&call.name, file));
            }
            if let Some((name, position)) = pointed(call)
                .filter(|(name, _)| functions.iter().any(|(function, _)| function == name))
            {
                renames.insert(position, marked(name, file));
            }
        }
        true
    });
    renames
}

/// The name in `Fn("name")` or `is_def_fn("name", 1)`.
fn pointed(call: &FnCallExpr) -> Option<(&str, Position)> {
    match call.args.first() {
        Some(Expr::StringConstant(name, position))
            if call.name == "Fn" || call.name == "is_def_fn" =>
        {
            Some((name.as_str(), *position))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(text: &str) -> (Engine, AST) {
        let mut engine = Engine::new();
        engine.set_optimization_level(rhai::OptimizationLevel::None);
        prepare(&mut engine);
        let ast = engine.compile(text).unwrap();
        let unique = made_unique(&engine, &Scope::new(), ast, text, 3);
        (engine, unique)
    }

    #[test]
    fn functions_are_there_under_both_names_and_calls_mean_the_unique_one() {
        let text = "fn f(x) { if x > 0 { f(x - 1) } else { g() } }\nprivate fn g() { switch f { _ => `${h::f(1)}` } }";
        let (_, ast) = compiled(&text.replace("switch f { _ => `${h::f(1)}` }", "`${f(0)}`"));
        let mut names: Vec<String> =
            ast.iter_fn_def().map(|function| function.name.to_string()).collect();
        names.sort_unstable();
        assert_eq!(names, ["f", &marked("f", 3), "g", &marked("g", 3)]);
        let mut called = Vec::new();
        ast.walk(&mut |path: &[ASTNode]| {
            if let Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) = path.last()
                && !call.is_operator_call()
            {
                called.push(call.name.to_string());
            }
            true
        });
        called.sort_unstable();
        called.dedup();
        assert_eq!(called, [marked("f", 3), marked("g", 3)]);
    }

    #[test]
    fn every_way_to_call_a_function_still_works() {
        let (engine, ast) = compiled(
            r#"
            fn twice(x) { x * 2 }
            fn twice(x, y) { x + y + twice(x) }
            fn add(y) { this + y }
            fn f(twice) { twice + twice(1) }
            let o = #{ twice: |x| x + 100 };
            let text = `a ${twice(2)} b ${[1].map(|x| twice(x))}`;
            let r = [twice(1), twice(1, 2), 5.add(6), f(10), o.twice(1), Fn("twice").call(4), [7].map(Fn("twice")), text];
            let i = 0;
            while i < twice(1) { i += twice(1); }
            switch twice(1) { 2 if twice(2) == 4 => r.push(twice(9)), _ => r.push(0) }
            for x in [twice(3)] { r.push(x); }
            try { throw twice(4); } catch (e) { r.push(twice(e)); }
            r.push(is_def_fn("twice", 1));
            r
        "#,
        );
        let list = engine.eval_ast::<rhai::Array>(&ast).unwrap();
        let shown = crate::value::text::literal(&list.into());
        assert_eq!(shown, r#"[2, 5, 11, 12, 101, 8, [14], "a 4 b [2]", 18, 6, 16, true]"#);
    }
}
