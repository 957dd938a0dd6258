//! Diagnostics: position, excerpt, trace, suggestion.

use super::super::fixture::{Scripts, error};
use similar_asserts::assert_eq;

#[test]
fn an_error_is_shown_at_its_line_and_column() {
    assert_eq!(
        error("let a = 1;\nprint(a + nothing_of_that_name(2));"),
        "usage: There is no function nothing_of_that_name(integer)\nat main.rhai:2:11 nothing_of_that_name"
    );
    assert_eq!(
        error("let a = 1;\n\n    a.b.c"),
        "usage: An integer has no field \"b\"\nat main.rhai:3:7 b"
    );
}

#[test]
fn a_trace_goes_through_functions() {
    let script =
        "fn inner(x) { x.len().nonsense() }\nfn outer(x) {\n    inner(x)\n}\nouter(\"a\");";
    let expected = "\
usage: There is no function nonsense(integer)
at main.rhai:1:23 nonsense
in inner called at main.rhai:3:5
in outer called at main.rhai:5:1";
    assert_eq!(error(script), expected);
}

#[test]
fn a_trace_goes_through_modules_and_closures() {
    let scripts = Scripts::new(&[
        (
            "main.rhai",
            "import \"lib/tools\" as tools;\nlet limit = 2;\ntools::each([1, 5], |n| {\n    if n > limit { throw `too much: ${n}`; }\n});",
        ),
        (
            "lib/tools.rhai",
            "import \"more\" as more;\nfn each(list, f) {\n    more::walk(list, f);\n}",
        ),
        ("lib/more.rhai", "fn walk(list, f) {\n    for item in list { f.call(item); }\n}"),
    ]);
    let expected = "\
failed: too much: 5
at main.rhai:4:20 throw
in closure called at lib/more.rhai:2:26
in walk called at lib/tools.rhai:3:11
in each called at main.rhai:3:8";
    assert_eq!(scripts.error(), expected);
}

#[test]
fn a_closure_given_to_a_host_function_is_one_frame() {
    let expected = "\
exec: no
at main.rhai:2:13 fail
in closure called at main.rhai:2:5";
    assert_eq!(
        error("let list = [1, 2];\nlist.map(|n| fail(\"exec\", \"no\"));"),
        expected.replace("2:13", "2:14").replace("2:5", "2:6")
    );
    assert_eq!(
        error("retry(1, || fail(\"exec\", \"no\"));"),
        "exec: no\nat main.rhai:1:13 fail\nin closure called at main.rhai:1:1"
    );
    assert_eq!(
        error("parallel([|| 1, || fail(\"exec\", \"no\")]);"),
        "exec: no\nat main.rhai:1:20 fail\nin closure called at main.rhai:1:1"
    );
}

#[test]
fn an_error_in_a_module_that_is_imported_is_in_the_module() {
    let scripts = Scripts::new(&[
        ("main.rhai", "import \"a\" as a;"),
        ("a.rhai", "import \"b\" as b;"),
        ("b.rhai", "let x = 1;\nlet y = = 2;"),
    ]);
    let expected = "\
usage: Unexpected \"=\"
at b.rhai:2:9 =
in import called at a.rhai:1:8
in import called at main.rhai:1:8";
    let said = scripts.error();
    assert_eq!(
        said.lines().skip(1).collect::<Vec<_>>(),
        expected.lines().skip(1).collect::<Vec<_>>(),
        "{said}"
    );
    let scripts =
        Scripts::new(&[("main.rhai", "import \"a\" as a;"), ("a.rhai", "fn f() { 1 / 0 }\nf();")]);
    let expected = "\
usage: Division by zero: 1 / 0
at a.rhai:1:12 /
in f called at a.rhai:2:1
in import called at main.rhai:1:8";
    assert_eq!(scripts.error(), expected);
}

#[test]
fn a_name_that_is_not_there_comes_with_the_nearest() {
    for (script, expected) in [
        (
            "let service = 1; print(servce);",
            "usage: There is no variable \"servce\"\nat main.rhai:1:24 servce\nhint: did you mean \"service\"?",
        ),
        (
            "paralel([]);",
            "usage: There is no function paralel(list)\nat main.rhai:1:1 paralel\nhint: did you mean \"parallel\"?",
        ),
        (
            "fn describe(o) { o } descrbe(1);",
            "usage: There is no function descrbe(integer)\nat main.rhai:1:22 descrbe\nhint: did you mean \"describe\"?",
        ),
        (
            "fail(\"exec\");",
            "usage: \"fail\" does not take (string)\nat main.rhai:1:1 fail\nhint: it takes fail(kind, message) or fail(kind, message, fields)",
        ),
        (
            "arg::flg(\"x\");",
            "usage: There is no function arg::flg(string)\nat main.rhai:1:6 flg\nhint: did you mean \"flag\"?",
        ),
        (
            "args::flag(\"x\");",
            "usage: There is no module \"args\"\nat main.rhai:1:1 args\nhint: did you mean \"arg\"?",
        ),
        ("args(#{}).taget;", "usage: The args has no field \"taget\"\nat main.rhai:1:11 taget"),
        (
            "let x = 1; fn f() { x } f();",
            "usage: There is no variable \"x\"\nat main.rhai:1:21 x\nhint: functions see their parameters only: pass x as one, or make it a const and write global::x",
        ),
    ] {
        assert_eq!(error(script), expected, "{script}");
    }
}

#[test]
fn a_wrong_key_is_shown_at_its_own_place() {
    let expected = "\
usage: The retry options have no \"dealy\"
at main.rhai:3:5 dealy
hint: did you mean \"delay\"?";
    assert_eq!(error("retry(#{\n    times: 2,\n    dealy: \"1s\",\n}, || 1);"), expected);
    let scripts = Scripts::new(&[
        (
            "main.rhai",
            "import \"settings\" as settings;\nlet o = settings::all();\nretry(o, || 1);",
        ),
        ("settings.rhai", "fn all() { #{ delay: \"1s\" } + #{ timeout: 30 } }"),
    ]);
    let expected = "\
usage: \"timeout\" of the retry options: 30 is not a duration
at settings.rhai:1:43 30
hint: add a unit: \"30s\" or \"30m\"
in retry called at main.rhai:3:1";
    assert_eq!(scripts.error(), expected);
}

#[test]
fn a_caught_error_thrown_again_is_the_same_error_at_the_new_place() {
    let script = "try { fail(\"conflict\", \"taken\", #{ hint: \"stop it\" }) }\ncatch (e) {\n    throw e;\n}";
    assert_eq!(error(script), "conflict: taken\nat main.rhai:3:5 throw\nhint: stop it");
    let script =
        "let tried = attempt(|| fail(\"lock\", \"held\"));\nif !tried.ok { throw tried.error; }";
    assert_eq!(error(script), "lock: held\nat main.rhai:2:16 throw");
}

#[test]
fn a_refusal_by_policy_is_shown_where_it_happened_though_the_script_catches_it() {
    let script =
        "fn inner() { fail(\"policy\", \"not allowed\") }\nfn outer() { inner() }\nouter();";
    let expected = "\
policy: not allowed
at main.rhai:1:14 fail
in inner called at main.rhai:2:14
in outer called at main.rhai:3:1";
    assert_eq!(error(script), expected);
    for script in [
        "try { fail(\"policy\", \"no\") } catch { print(\"on\"); }",
        "try { fail(\"policy\", \"no\") } catch { }",
    ] {
        assert!(error(script).starts_with("policy: no"));
    }
}

#[test]
fn a_host_function_is_not_defined_again() {
    let expected = "\
usage: \"attempt\" with 1 parameter is a function of spc and can't be defined again
at main.rhai:3:5 attempt
hint: give it another name";
    assert_eq!(error("let x = 1;\n/// Doc.\n fn attempt(f) {\n 1 }"), expected);
    assert_eq!(super::super::fixture::value("fn attempt(a, b) { a + b } attempt(1, 2)"), "3");
    let scripts =
        Scripts::new(&[("main.rhai", "import \"a\" as a;"), ("a.rhai", "fn record.keys() { 1 }")]);
    let expected = "\
usage: \"keys\" with no parameters is a function of spc and can't be defined again
at a.rhai:1:11 keys
hint: give it another name
in import called at main.rhai:1:8";
    assert_eq!(scripts.error(), expected);
}

#[test]
fn text_is_not_evaluated() {
    assert_eq!(
        error("eval(\"1\");"),
        "usage: \"eval\" is not available\nat main.rhai:1:1 eval\nhint: write a function or a closure"
    );
}
