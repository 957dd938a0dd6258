//! A script can't make spc crash.

use std::sync::Arc;

use similar_asserts::assert_eq;
use tokio_util::sync::CancellationToken;

use super::super::fixture::{Scripts, error, value};
use super::super::run::{Runbook, Script, on_script_thread};
use crate::api::Context;
use crate::api::context::{ProjectSettings, RunContext};
use crate::engine::{Engine, EngineError, EngineErrorKind};
use crate::host::TaskExecutor;
use crate::model::Kind;
use crate::model::event::{Event, Sink};

#[test]
fn deep_recursion_is_an_error() {
    assert!(
        error("fn f(n) { 1 + f(n + 1) }\nf(0);").starts_with("usage: Calls are nested too deeply")
    );
    assert!(
        error("let f = |f, n| f.call(f, n + 1);\nf.call(f, 0);")
            .starts_with("usage: Calls are nested too deeply")
    );
    assert!(error("fn f() { attempt(|| f()).value.x }\nf();").contains(""));
    assert!(
        error("fn f() { parallel([|| f()]) }\nf();")
            .starts_with("usage: Calls are nested too deeply")
    );
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn recursion_through_the_deepest_expressions_is_an_error() {
    let wraps = [
        ("(1 + ", ")"),
        ("[", "]"),
        ("#{ a: ", "}"),
        ("{", "}"),
        ("if true { ", " } else { 0 }"),
        ("[1].map(|x| ", ")"),
        ("type_of(", ")"),
        ("switch 1 { 1 => ", " }"),
        ("[0][", "]"),
        ("`${", "}`"),
    ];
    for (open, close) in wraps {
        let run = |depth: usize| {
            error(&format!("fn f() {{ {}f(){} }}\nf();", open.repeat(depth), close.repeat(depth)))
        };
        let said = (1..60)
            .rev()
            .map(run)
            .find(|said| !said.contains("The expression is nested too deeply"))
            .unwrap();
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
fn more_memory_than_a_run_may_hold_ends_it_and_is_not_caught() {
    for script in [
        "loop { }",
        "try { loop { } } catch { }",
        "attempt(|| { loop { } });",
        "parallel([|| { loop { } }]);",
    ] {
        let scripts = Scripts::new(&[("main.rhai", script)]);
        scripts.run.host.held.store(3 << 30, std::sync::atomic::Ordering::Relaxed);
        let said = scripts.error();
        assert!(
            said.starts_with("usage: The script uses too much memory: 3072 MiB of at most 1024"),
            "{script}: {said}"
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what is compared is how long loops really take")]
#[ignore = "slow: `make test` runs it"]
fn a_loop_that_fills_a_value_takes_linear_time() {
    let time = |script: &str, count: usize| {
        let started = std::time::Instant::now();
        value(&script.replace("COUNT", &count.to_string()));
        started.elapsed()
    };
    for script in [
        "let l = []; for i in 0..COUNT { l.push(i); } l.len()",
        "let l = []; for i in 0..COUNT { l += i; } l.len()",
        "let l = [[]]; for i in 0..COUNT { l[0].push(i); l.len(); } 1",
        "let l = []; while l.len() < COUNT { l.push(#{ n: l.len() }); } 1",
        "let m = #{}; for i in 0..COUNT { m[`k${i}`] = i; m.len(); } 1",
        "let s = \"\"; for i in 0..COUNT { s += \"x\"; } s.len()",
        "let m = #{ l: [] }; for i in 0..COUNT { m.l.push(i); m.n = i; } 1",
        "let m = #{}; for i in 0..COUNT { let x = #{}; x[`k${i}`] = i; m += x; } m.len()",
        "let m = #{}; for i in 0..COUNT { let x = #{}; x[`k${i}`] = i; m.mixin(x); m.fill_with(x); } m.len()",
    ] {
        // In quadratic time it would take 64 times as long in each attempt. A busy machine is only
        // sometimes slow.
        let mut ratios = (0..6).map(|_| {
            let few = time(script, 10_000).max(std::time::Duration::from_millis(20));
            time(script, 80_000).div_duration_f64(few)
        });
        assert!(ratios.any(|ratio| ratio < 28.0), "{script}");
    }
}

#[test]
fn a_value_nested_without_end_does_not_come_out() {
    let said = error("let a = []; for i in 0..1500 { a = [a]; } a");
    assert_eq!(said, "usage: The value of the script is nested more than 1000 deep");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_compiles_or_is_refused(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40)) {
        let run = crate::api::harness::Harness::new();
        let runbook = Runbook::Text { path: "x.rhai".into(), text: words.join(" ") };
        let _ = on_script_thread(&run.context, || Script::open(run.context.clone(), &runbook).map(|_| ()));
    }
}

const WORDS: &[&str] = &[
    "fn",
    "f",
    "g",
    "(",
    ")",
    "()",
    "{",
    "}",
    "x",
    ",",
    ";",
    "let",
    "=",
    "1",
    "\"f\"",
    "`a ${",
    "`",
    "|",
    "||",
    "import",
    "as",
    "Fn",
    ".",
    "::",
    "#{",
    ":",
    "[",
    "]",
    "+",
    "!",
    "if",
    "else",
    "for",
    "in",
    "while",
    "switch",
    "=>",
    "_",
    "return",
    "throw",
    "try",
    "catch",
    "const",
    "export",
    "private",
    "this",
    "global",
    "\n",
    "// fn f",
    "/// doc",
    "/* fn g(",
    "*/",
    "é",
    "f(x)",
    "fn f(x) { f(x) }",
    "is_def_fn(\"f\", 1)",
    "import \"a\" as a;",
];

#[test]
fn an_interrupt_ends_a_sleep_in_the_middle() {
    let scripts = Scripts::new(&[("main.rhai", "fn nap() { sleep(\"1h\") }\nnap();")]);
    let (sim, cancel) = (scripts.run.sim.clone(), scripts.run.context.cancel.clone());
    let _background = scripts.run.context.executor.spawn(async move {
        sim.sleep(std::time::Duration::from_secs(5)).await;
        cancel.cancel();
    });
    assert_eq!(
        scripts.error(),
        "interrupted: Interrupted\nat main.rhai:1:12 sleep\nin nap called at main.rhai:2:1"
    );
    assert_eq!(scripts.run.sim.now().as_secs(), 5);
}

#[test]
fn on_a_real_conductor_an_interrupt_ends_endless_loops_side_by_side() {
    struct CancelOnPrint(CancellationToken);
    impl Sink for CancelOnPrint {
        fn event(&self, _: &Event) {
            self.0.cancel();
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let run = crate::api::harness::Harness::new();
    let cancel = CancellationToken::new();
    let no_engine =
        || -> futures::future::BoxFuture<'static, Result<Arc<dyn Engine>, EngineError>> {
            Box::pin(async { Err(EngineError::new(EngineErrorKind::Unreachable, "none")) })
        };
    let events = Arc::new(CancelOnPrint(cancel.clone()));
    let executor = TaskExecutor::Real(runtime.handle().clone());
    let given = RunContext::new(run.host.clone(), executor, events, ProjectSettings::default());
    let mut context = Context::new(given, Box::new(no_engine));
    context.cancel = cancel;
    let text = "let sums = parallel([|| 1 + 1, || 2 + 2]);\nparallel([|| { loop {} }, || { print(sums); loop {} }]);".to_owned();
    let outcome =
        super::super::run(&Arc::new(context), &Runbook::Text { path: "x.rhai".into(), text });
    assert_eq!(outcome.unwrap_err().kind, Kind::Interrupted);
}

#[test]
fn an_interrupted_run_ends_at_once() {
    for script in [
        "loop { }",
        "sleep(\"1h\");",
        "fn f() { loop { } }\nf();",
        "parallel([|| { loop { } }, || sleep(\"1h\")]);",
    ] {
        let scripts = Scripts::new(&[("main.rhai", script)]);
        scripts.run.context.cancel.cancel();
        assert!(scripts.error().starts_with("interrupted: Interrupted"), "{script}");
    }
}
