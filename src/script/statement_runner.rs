//! Runs a source's statements one by one and reports each value: like a prompt, but for text that
//! is not typed.

use rhai::{
    ASTFlags, Caches, Dynamic, Engine, EvalAltResult, Expr, GlobalRuntimeState, Ident, Position,
    Scope, Stmt, StmtBlock,
};

use super::printer::Printer;
use crate::value::error::refused;

/// Receives the values that are not `()`.
pub type OnValue<'a> =
    dyn FnMut(&Printer<'_>, &Dynamic) -> Result<(), Box<EvalAltResult>> + Send + 'a;

/// Not a name of a script: names can't contain `$`.
const VALUE: &str = "value$";

/// Evaluates `statements`, up to a `return`. The value is always `()`, because all values are
/// reported.
pub fn evaluate(
    engine: &Engine,
    global: &mut GlobalRuntimeState,
    statements: &[Stmt],
    tell: &mut OnValue<'_>,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let (mut caches, mut scope) = (Caches::new(), Scope::new());
    for statement in statements {
        #[expect(deprecated, reason = "the only way to evaluate in a given state")]
        let ended = engine.eval_statements_raw(
            global,
            &mut caches,
            &mut scope,
            &keeping_value(statement),
        )?;
        if let Some(failure) = refused() {
            return Err(failure.into());
        }
        let came_through = scope.iter_raw().next().is_some_and(|(name, ..)| name == VALUE);
        let value =
            if came_through { scope.get(VALUE).cloned().unwrap_or_default() } else { ended };
        if came_through {
            scope.pop();
        }
        if !value.is_unit() {
            tell(&Printer::new(engine, global), &value)?;
        }
        if !came_through {
            // `return`.
            break;
        }
    }
    Ok(Dynamic::UNIT)
}

/// The statement, with its value in a variable: the variable exists unless the statement returned.
fn keeping_value(statement: &Stmt) -> Vec<Stmt> {
    let position = statement.position();
    let kept = |value| {
        Stmt::Var(
            Box::new((Ident { name: VALUE.into(), pos: position }, value, None)),
            ASTFlags::empty(),
            position,
        )
    };
    match statement {
        Stmt::Expr(value) => vec![kept((**value).clone())],
        Stmt::FnCall(call, position) => vec![kept(Expr::FnCall(call.clone(), *position))],
        Stmt::If(..) | Stmt::Switch(..) | Stmt::Block(_) => {
            vec![kept(Expr::Stmt(Box::new(StmtBlock::new(
                [statement.clone()],
                position,
                Position::NONE,
            ))))]
        }
        _ => vec![statement.clone(), kept(Expr::Unit(position))],
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Scripts, short};
    use super::super::run::{Runbook, run_reporting};
    use similar_asserts::assert_eq;

    /// The printed values of a text, then the failure.
    fn printed(text: &str) -> String {
        let scripts = Scripts::new(&[("app.rhai", "fn name() { \"app\" }")]);
        let mut printed = Vec::new();
        let runbook =
            Runbook::Code { name: "<stdin>".into(), folder: "scripts".into(), text: text.into() };
        let result = run_reporting(&scripts.run.context, &runbook, &mut |printer, value| {
            printed.push(printer.text(value));
            Ok(())
        });
        printed.extend(result.err().map(|error| short(&error)));
        printed.join("\n")
    }

    #[test]
    fn only_expression_statements_print_their_value() {
        assert_eq!(
            printed(
                "let a = 1; a + 1;\na += 5; fn f(x) { x * 2 }\nf(a); (); print(\"x\"); const B = 2; [B];"
            ),
            "2\n12\n[2]"
        );
        assert_eq!(
            printed(
                "if true { 5 } else { 6 }\nswitch 1 { 1 => \"one\", _ => () }\n{ let x = 7; x }"
            ),
            "5\none\n7"
        );
        assert_eq!(printed("for x in 0..3 { x }\nlet i = 0; while i < 2 { i += 1; }\ni"), "2");
        assert_eq!(
            printed("import \"app\" as app;\nlet g = |x| x + app::name();\ng.call(\"an \")"),
            "an app"
        );
        assert_eq!(printed(""), "");
    }

    #[test]
    fn a_variable_is_found_inside_blocks_and_next_to_shadowed_names() {
        assert_eq!(
            printed(
                "let a = 1; let b = 2;\nif a == 1 { let c = a + b; c }\nlet a = 10; a + b;\nlet f = || a; f.call();"
            ),
            "3\n12\n10"
        );
    }

    #[test]
    fn return_ends_it_with_its_value() {
        assert_eq!(printed("1; if true { return 2; } 3;"), "1\n2");
        assert_eq!(printed("1; return; 3;"), "1");
    }

    #[test]
    fn the_first_error_ends_it_and_has_its_own_line() {
        assert_eq!(
            printed("1;\n2;\nfail(\"exec\", \"no\");\n4;"),
            "1\n2\nexec: no\nat <stdin>:3:1 fail"
        );
        assert_eq!(
            printed("1;\nlet = 2;"),
            "usage: Expecting name of a variable\nat <stdin>:2:5 ="
        );
        assert_eq!(printed("1;\nb;"), "usage: There is no variable \"b\"\nat <stdin>:2:1 b");
    }

    #[test]
    fn a_caught_refusal_still_ends_it() {
        assert_eq!(
            printed("try { fail(\"interrupted\", \"no\"); } catch { }\n1;"),
            "interrupted: no\nat <stdin>:1:1 try"
        );
    }
}
