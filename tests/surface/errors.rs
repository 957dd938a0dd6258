//! Errors of scripts: the excerpt, the caret, the call trace, the hint.

use crate::support::Spc;

#[test]
fn a_syntax_error_is_shown_where_it_is() {
    Spc::new()
        .runbook("let a = 1;\nlet b = ;\n")
        .code(2)
        .stderr(
            r#"
            error: Unexpected ";"
             --> scripts/a.rhai:2:9
              |
            2 | let b = ;
              |         ^
            "#,
        )
        .run();
    Spc::new()
        .runbook("if true {\n    print(1);\n")
        .code(2)
        .stderr(
            r#"
            error: Nothing closes this "{"
             --> scripts/a.rhai:1:9
              |
            1 | if true {
              |         ^
              |
              = help: write "}" at its end
            "#,
        )
        .run();
}

#[test]
fn a_name_that_nothing_has_comes_with_the_nearest() {
    Spc::new()
        .runbook("let service = \"db\";\nparalel([service]);")
        .code(2)
        .stderr(
            r#"
            error: There is no function paralel(list)
             --> scripts/a.rhai:2:1
              |
            2 | paralel([service]);
              | ^^^^^^^
              |
              = help: did you mean "parallel"?
            "#,
        )
        .run();
    Spc::new()
        .runbook("let service = \"db\";\nprint(servcie);")
        .code(2)
        .stderr(
            r#"
            error: There is no variable "servcie"
             --> scripts/a.rhai:2:7
              |
            2 | print(servcie);
              |       ^^^^^^^
              |
              = help: did you mean "service"?
            "#,
        )
        .run();
    Spc::new()
        .runbook("log::inof(\"up\");")
        .code(2)
        .stderr(
            r#"
            error: There is no function log::inof(string)
             --> scripts/a.rhai:1:6
              |
            1 | log::inof("up");
              |      ^^^^
              |
              = help: did you mean "info"?
            "#,
        )
        .run();
    Spc::new()
        .runbook("let tried = attempt(|| 5);\nprint(tried.vaule);")
        .code(2)
        .stderr(
            r#"
            error: The answer of attempt has no field "vaule"
             --> scripts/a.rhai:2:13
              |
            2 | print(tried.vaule);
              |             ^^^^^
              |
              = help: did you mean "value"?
            "#,
        )
        .run();
}

#[test]
fn wrong_arguments_are_named_by_their_types_with_what_is_taken() {
    Spc::new()
        .runbook("wait_until(5);")
        .code(2)
        .stderr(
            r#"
            error: "wait_until" does not take (integer)
             --> scripts/a.rhai:1:1
              |
            1 | wait_until(5);
              | ^^^^^^^^^^
              |
              = help: it takes wait_until(timeout, f)
            "#,
        )
        .run();
    Spc::new()
        .runbook("let x = \"5\" * [1];")
        .code(2)
        .stderr(
            r#"
            error: "*" does not work between a string and a list
             --> scripts/a.rhai:1:13
              |
            1 | let x = "5" * [1];
              |             ^
            "#,
        )
        .run();
}

#[test]
fn an_error_of_a_module_function_is_shown_at_its_call() {
    Spc::new()
        .runbook("fn read() {\n    json::parse(\"{\")\n}\nread();")
        .code(2)
        .stderr(
            r#"
            error: The text is not JSON: EOF while parsing an object at line 1 column 1
             --> scripts/a.rhai:2:11
              |
            2 |     json::parse("{")
              |           ^^^^^
              |
              = called from: scripts/a.rhai:4:1, in the call of "read"
            "#,
        )
        .run();
}

#[test]
fn the_calls_that_led_there_go_through_functions_modules_and_closures() {
    Spc::new()
        .file("scripts/lib/tools.rhai", "import \"more\" as more;\n\nfn each(list, f) {\n    more::walk(list, f)\n}\n")
        .file("scripts/lib/more.rhai", "fn walk(list, f) {\n    for item in list { f.call(item); }\n}\n")
        .runbook(
            "import \"lib/tools\" as tools;\nlet limit = 2;\nfn check(n, limit) {\n    if n > limit { throw `too much: ${n}`; }\n}\n\
             tools::each([1, 5], |n| {\n    check(n, limit)\n});",
        )
        .code(1)
        .stderr(
            r#"
            error: too much: 5
             --> scripts/a.rhai:4:20
              |
            4 |     if n > limit { throw `too much: ${n}`; }
              |                    ^^^^^
              |
              = called from: scripts/a.rhai:7:5, in the call of "check"
              = called from: scripts/lib/more.rhai:2:26, in the call of a closure (|| …)
              = called from: scripts/lib/tools.rhai:4:11, in the call of "walk"
              = called from: scripts/a.rhai:6:8, in the call of "each"
            "#,
        )
        .run();
}

#[test]
fn an_error_in_a_module_is_shown_in_the_module_with_the_import_that_led_there() {
    Spc::new()
        .file("scripts/stack.rhai", "fn describe() {\n    let x = 1\n    x\n}\n")
        .runbook("import \"stack\" as app;\nprint(app::describe());")
        .code(2)
        .stderr(
            r#"
            error: A ";" is missing here
             --> scripts/stack.rhai:2:14
              |
            2 |     let x = 1
              |              ^
              |
              = called from: scripts/a.rhai:1:8, in the call of "import"
              = help: write ";" at the end of line 2
            "#,
        )
        .run();
}

#[test]
fn endless_recursion_is_an_error_and_no_crash() {
    Spc::new()
        .runbook("fn f(n) { 1 + f(n + 1) }\nf(0);")
        .code(2)
        .stderr(
            r"
            error: Calls are nested too deeply
             --> scripts/a.rhai:2:1
              |
            2 | f(0);
              | ^
              |
              = help: does a function call itself without end?
            ",
        )
        .run();
}

#[test]
fn an_uncaught_error_ends_a_script_with_the_exit_code_of_its_kind() {
    Spc::new()
        .runbook("throw \"no worker answers\";")
        .code(1)
        .stderr(
            r#"
            error: no worker answers
             --> scripts/a.rhai:1:1
              |
            1 | throw "no worker answers";
              | ^^^^^
            "#,
        )
        .run();
    Spc::new()
        .runbook("throw #{ kind: \"usage\", message: \"No such queue\", hint: \"see the list\" };")
        .code(2)
        .stderr(
            r#"
            error: No such queue
             --> scripts/a.rhai:1:1
              |
            1 | throw #{ kind: "usage", message: "No such queue", hint: "see the list" };
              | ^^^^^
              |
              = help: see the list
            "#,
        )
        .run();
}

#[test]
fn each_kind_has_its_exit_code() {
    for (kind, code) in [
        ("failed", 1),
        ("exec", 1),
        ("not_found", 1),
        ("engine", 1),
        ("usage", 2),
        ("lock", 4),
        ("policy", 5),
        ("interrupted", 130),
    ] {
        let ended = Spc::new()
            .runbook(&format!("print(\"begun\");\nfail(\"{kind}\", \"so it ends\");"))
            .output();
        assert_eq!((ended.code, ended.stdout.as_str()), (code, "begun\n"), "{kind}");
        assert!(
            ended.stderr.starts_with("error: so it ends\n --> scripts/a.rhai:2:1\n"),
            "{kind}: {ended}"
        );
    }
}
