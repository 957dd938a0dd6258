//! The files that imports can reach, and those that they can't.

use super::super::fixture::{Scripts, error};
use similar_asserts::assert_eq;

const MAIN: &str = "scripts/main.rhai";

#[test]
fn imports_are_relative_to_the_importing_file_and_each_module_is_loaded_once() {
    let scripts = Scripts::new(&[
        (
            "main.rhai",
            "import \"lib/a\" as a;\nimport \"lib/b\" as b;\nimport \"./lib/../lib/b\" as same;\n[a::name(), b::name(), same::name()]",
        ),
        ("lib/a.rhai", "import \"b\" as b;\nfn name() { `a, ${b::name()}` }"),
        ("lib/b.rhai", "print(\"loaded\");\nfn name() { \"b\" }"),
    ]);
    assert_eq!(scripts.value(), r#"["a, b", "b", "b"]"#);
    assert_eq!(scripts.run.printed(), ["loaded"]);
}

#[test]
fn nothing_outside_of_the_scripts_is_imported() {
    let scripts = |import: &str| {
        let scripts = Scripts::new(&[
            ("main.rhai", &format!("import \"{import}\" as x;")),
            ("in/here.rhai", ""),
        ]);
        let host = &scripts.run.host;
        host.add_file("/project/secret.rhai", "");
        host.add_file("/etc/other.rhai", "");
        host.add_symlink("/project/scripts/out.rhai", "../secret.rhai");
        host.add_symlink("/project/scripts/etc", "/etc");
        host.add_symlink("/project/scripts/fine.rhai", "in/here.rhai");
        scripts
    };
    for path in ["../secret", "in/../../secret", "out", "etc/other"] {
        let expected = format!(
            "usage: Could not import \"{path}\": it is outside of the project's scripts\nat main.rhai:1:8 \"{path}\"\nhint: imports stay inside \"scripts\""
        );
        assert_eq!(scripts(path).error(), expected);
    }
    let expected = "usage: Could not import \"/etc/other\": the path is absolute\nat main.rhai:1:8 \"/etc/other\"\nhint: imports are relative to the importing file";
    assert_eq!(scripts("/etc/other").error(), expected);
    scripts("fine").value();
}

#[test]
fn a_module_that_is_not_there_comes_with_the_nearest() {
    let said = |path: &str| {
        let main = format!("import \"{path}\" as x;");
        let scripts =
            Scripts::new(&[("main.rhai", &main), ("stack.rhai", ""), ("lib/ports.rhai", "")]);
        scripts
            .with_standard(&[("deploy", "")])
            .error()
            .lines()
            .filter(|line| !line.starts_with("at "))
            .collect::<Vec<_>>()
            .join(" | ")
    };
    assert_eq!(
        said("stak"),
        "usage: Could not import \"stak\": there is no file \"scripts/stak.rhai\" | hint: did you mean \"stack\"?"
    );
    assert_eq!(
        said("lib/prots"),
        "usage: Could not import \"lib/prots\": there is no file \"scripts/lib/prots.rhai\" | hint: did you mean \"lib/ports\"?"
    );
    assert_eq!(
        said("stack.rhai"),
        "usage: Could not import \"stack.rhai\": there is no file \"scripts/stack.rhai.rhai\" | hint: remove the file extension: import \"stack\""
    );
    assert_eq!(
        said("std/deplyo"),
        "usage: Could not import \"std/deplyo\": there is no such module in the standard library | hint: did you mean \"std/deploy\"?"
    );
    assert_eq!(said(""), "usage: Could not import \"\": it names no file");
    assert_eq!(
        said("<constants>").lines().next().unwrap(),
        "usage: Could not import \"<constants>\": there is no file \"scripts/<constants>.rhai\""
    );
}

#[test]
fn a_circle_of_imports_is_named_in_full() {
    let scripts = Scripts::new(&[
        ("main.rhai", "import \"a\" as a;"),
        ("a.rhai", "import \"b\" as b;"),
        ("b.rhai", "\nimport \"a\" as a;"),
    ]);
    let expected = "\
usage: Imports go in a circle: scripts/a.rhai → scripts/b.rhai → scripts/a.rhai
at b.rhai:2:8 \"a\"
in import called at a.rhai:1:8
in import called at main.rhai:1:8";
    assert_eq!(scripts.error(), expected);
    let own = Scripts::new(&[("main.rhai", "import \"main\" as main;")]).error();
    assert_eq!(
        own,
        format!("usage: Imports go in a circle: {MAIN} → {MAIN}\nat main.rhai:1:8 \"main\"")
    );
}

#[test]
fn imports_must_be_at_the_top_of_a_file_with_a_literal_path() {
    let expected = "usage: An import can't be inside a block or a function\nat main.rhai:1:10 import\nhint: move it to the top of the file";
    assert_eq!(error("fn f() { import \"a\" as a; a::b() }"), expected);
    assert!(
        error("if true { import \"a\" as a; }").starts_with("usage: An import can't be inside")
    );
    assert!(
        error("let f = || { import \"a\" as a; 1 };")
            .starts_with("usage: An import can't be inside")
    );
    let expected = "usage: The path of an import is not plain text\nat main.rhai:1:21 name\nhint: write import \"path\" as name;";
    assert_eq!(error("let name = \"a\"; import name as a;").replace("1:24", "1:21"), expected);
}

#[test]
fn a_module_of_the_standard_library_imports_only_from_it() {
    let scripts = Scripts::new(&[("main.rhai", "import \"std/a\" as a; a::f()")]);
    assert_eq!(
        scripts
            .with_standard(&[
                ("a", "import \"std/b\" as b; fn f() { b::f() }"),
                ("b", "fn f() { 5 }")
            ])
            .value(),
        "5"
    );
    let scripts = Scripts::new(&[("main.rhai", "import \"std/a\" as a; a::f()"), ("b.rhai", "")]);
    let expected = "\
usage: Could not import \"b\": modules of the standard library import only from it
at std/a:1:8 \"b\"
hint: write import \"std/b\"
in import called at main.rhai:1:8";
    assert_eq!(scripts.with_standard(&[("a", "import \"b\" as b;")]).error(), expected);
}

#[test]
fn a_function_that_the_module_has_not_is_named_with_the_nearest() {
    let scripts = Scripts::new(&[
        ("main.rhai", "import \"a\" as a;\na::descrbe(1);"),
        ("a.rhai", "fn describe(o) { o }"),
    ]);
    assert_eq!(
        scripts.error(),
        "usage: There is no function a::descrbe(integer)\nat main.rhai:2:4 descrbe\nhint: did you mean \"describe\"?"
    );
}
