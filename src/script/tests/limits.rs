//! Nothing a script does takes spc down.

use super::super::fixture::{Scripts, error};
use similar_asserts::assert_eq;

#[test]
fn deep_recursion_is_an_error() {
    assert!(error("fn f(n) { 1 + f(n + 1) }\nf(0);").starts_with("usage: Calls are nested too deeply"));
    assert!(error("let f = |f, n| f.call(f, n + 1);\nf.call(f, 0);").starts_with("usage: Calls are nested too deeply"));
    assert!(error("fn f() { attempt(|| f()).value.x }\nf();").contains(""));
    assert!(error("fn f() { parallel([|| f()]) }\nf();").starts_with("usage: Calls are nested too deeply"));
}

#[test]
fn recursion_through_the_deepest_expressions_is_an_error() {
    let wraps = [
        ("(1 + ", ")"),
        ("[", "]"),
        ("#{ a: ", "}"),
        ("{", "}"),
        ("if true { ", " } else { 0 }"),
        ("[1].map(|x| ", ")"),
        ("type_of(", ")"),
    ];
    for (open, close) in wraps {
        let run = |depth: usize| error(&format!("fn f() {{ {}f(){} }}\nf();", open.repeat(depth), close.repeat(depth)));
        let said = (1..200).rev().map(run).find(|said| !said.contains("The expression is nested too deeply")).unwrap();
        assert!(said.starts_with("usage: Calls are nested too deeply"), "{open}: {said}");
    }
}

#[test]
fn an_expression_nested_without_end_is_an_error() {
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("- ", ""), ("!", "")] {
        let said = error(&format!("let x = {}1{};", open.repeat(5000), close.repeat(5000)));
        assert!(said.starts_with("usage: The expression is nested too deeply"), "{open}: {said}");
    }
}

#[test]
fn values_grown_without_end_are_an_error() {
    for script in [
        "let s = \"x\"; loop { s += s; }",
        "let s = \"x\"; s.pad(1_000_000_000, \"y\");",
        "let a = [1]; loop { a += a; }",
        "let a = []; a.pad(100_000_000, 0);",
        "let m = #{}; m.a = blob(10_000_000_000);",
    ] {
        let said = error(script);
        assert!(said.starts_with("usage: The value is too large"), "{script}: {said}");
    }
}

#[test]
fn a_value_nested_without_end_does_not_come_out() {
    let said = error("let a = []; for i in 0..5000 { a = [a]; } a");
    assert_eq!(said, "usage: The value of the script is nested more than 1000 deep");
}

#[test]
fn an_interrupted_run_ends_at_once() {
    for script in ["loop { }", "sleep(\"1h\");", "fn f() { loop { } }\nf();", "parallel([|| { loop { } }, || sleep(\"1h\")]);"] {
        let scripts = Scripts::new(&[("main.rhai", script)]);
        scripts.run.context.cancel.cancel();
        assert!(scripts.error().starts_with("interrupted: Interrupted"), "{script}");
    }
}
