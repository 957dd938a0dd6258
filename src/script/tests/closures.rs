//! Closures use the functions of their own file, wherever they are called.

use super::super::fixture::{Scripts, value};
use similar_asserts::assert_eq;

#[test]
fn a_closure_returned_from_a_module_works_also_through_another() {
    let scripts = Scripts::new(&[
        (
            "main.rhai",
            "import \"a\" as a; [a::adder(2).call(3), a::passed(2).call(3), [1, 2].map(a::adder(10))]",
        ),
        (
            "a.rhai",
            "import \"b\" as b;\nprivate fn plus(x, y) { x + y }\nfn adder(n) { |x| plus(x, n) }\nfn passed(n) { b::times(n) }",
        ),
        (
            "b.rhai",
            "const UNIT = 100;\nfn by(x, n) { x * n }\nfn times(n) { |x| by(x, n) * global::UNIT }",
        ),
    ]);
    assert_eq!(scripts.value(), "[5, 600, [11, 12]]");
}

#[test]
fn a_closure_calls_its_own_files_functions_not_those_of_where_it_is_called() {
    let scripts = Scripts::new(&[
        ("main.rhai", "import \"std/deploy\" as deploy;\nfn check(x) { `mine ${x}` }\nconst LIMIT = 7;\ndeploy::walk(|x| `${check(x)} ${global::LIMIT}`)"),
    ])
    .with_standard(&[
        ("deploy", "import \"std/proxy\" as proxy;\nconst LIMIT = 1;\nprivate fn check(x) { `deploy ${x}` }\nfn walk(f) { [check(1), f.call(2), proxy::walk(f), proxy::walk(|x| check(x))] }"),
        ("proxy", "private fn check(x) { `proxy ${x}` }\nfn walk(f) { [check(3), f.call(4)] }"),
    ]);
    assert_eq!(
        scripts.value(),
        r#"["deploy 1", "mine 2 7", ["proxy 3", "mine 4 7"], ["proxy 3", "deploy 4"]]"#
    );
}

#[test]
fn a_closure_sees_its_own_files_imports_also_under_a_name_used_elsewhere() {
    let scripts = Scripts::new(&[
        (
            "main.rhai",
            "import \"own\" as tools;\nimport \"other\" as other;\nother::walk(|| tools::name())",
        ),
        ("own.rhai", "fn name() { \"own\" }"),
        ("other.rhai", "import \"theirs\" as tools;\nfn walk(f) { [tools::name(), f.call()] }"),
        ("theirs.rhai", "fn name() { \"theirs\" }"),
    ]);
    assert_eq!(scripts.value(), r#"["theirs", "own"]"#);
}

#[test]
fn closures_of_a_module_work_while_it_is_loaded() {
    let scripts = Scripts::new(&[
        ("main.rhai", "import \"a\" as a;\n[a::DOUBLED, a::get()]"),
        (
            "a.rhai",
            "const BASE = 5;\nfn twice(x) { x * 2 }\nexport const DOUBLED = [1, 2].map(|x| twice(x));\nfn get() { [3].map(|x| twice(x) + global::BASE) }",
        ),
    ]);
    assert_eq!(scripts.value(), "[[2, 4], [11]]");
}

#[test]
fn constants_and_captured_variables_are_seen_by_closures() {
    assert_eq!(
        value(
            "const A = 1; let b = 2; fn f() { [3].map(|x| x + global::A) } [f(), [3].map(|x| x + b + global::A)]"
        ),
        "[[4], [6]]"
    );
}

#[test]
fn a_closure_may_take_fewer_arguments_than_are_offered() {
    let scripts = Scripts::new(&[
        (
            "main.rhai",
            "import \"a\" as a;\n[[5, 6].map(a::plain()), [5, 6].map(a::with_index()), attempt(|| a::plain().call(1, 2)).error.message]",
        ),
        ("a.rhai", "fn plain() { |x| x }\nfn with_index() { |x, i| `${i}:${x}` }"),
    ]);
    assert_eq!(
        scripts.value(),
        r#"[[5, 6], ["0:5", "1:6"], "The function does not take this number of arguments: 2"]"#
    );
}

#[test]
fn a_method_defined_in_a_module_is_called_on_a_value() {
    let scripts = Scripts::new(&[
        (
            "main.rhai",
            "import \"a\" as a;\nlet d = duration(\"90s\");\n[d.doubled(), d.doubled().seconds]",
        ),
        ("a.rhai", "fn duration.doubled() { this * 2 }"),
    ]);
    assert_eq!(scripts.value(), "[3m, 180.0]");
}

#[test]
fn closures_of_modules_run_in_parallel() {
    let scripts = Scripts::new(&[
        ("main.rhai", "import \"a\" as a;\nparallel([1, 2, 3].map(|n| a::job(n)))"),
        ("a.rhai", "private fn work(n) { sleep(n); n * 10 }\nfn job(n) { || work(n) }"),
    ]);
    assert_eq!(scripts.value(), "[10, 20, 30]");
    assert_eq!(scripts.run.sim.now().as_secs(), 3);
}
