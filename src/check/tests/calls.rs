//! Functions, methods, imports, captured handles.

use super::{found, found_in, rules};
use similar_asserts::assert_eq;

#[test]
fn an_unknown_function_suggests_a_similar_name() {
    assert_eq!(
        found(
            "paralell([]);\nfs::raed(\"x\");\nfss::read(\"x\");\nlet f = || 1;\nf();\nread(\"x\");\nfn own(x) { x }\nonw(1);"
        ),
        [
            "1:1 unknown-function: There is no function \"paralell\" | did you mean \"parallel\"?",
            "2:5 unknown-function: There is no function \"fs::raed\" | did you mean \"read\"?",
            "3:1 unknown-module: There is no module \"fss\" | did you mean \"fs\"?",
            "5:1 unknown-function: There is no function \"f\" | to call the function in the variable, write f.call(…)",
            "6:1 unknown-function: There is no function \"read\" | write fs::read(…)",
            "8:1 unknown-function: There is no function \"onw\" | did you mean \"own\"?",
        ]
    );
}

#[test]
fn another_number_of_arguments_comes_with_the_forms_there_are() {
    assert_eq!(
        found(
            "fail(\"usage\");\nfs::read();\nfn own(x, y) { x + y }\nown(1);\nlet s = stack();\ns.up(1, 2, 3);\ns.exce(1);\ns.own(1, 2);"
        ),
        [
            "1:1 argument-count: \"fail\" is called with 1 argument | it takes fail(kind, message) or fail(kind, message, fields)",
            "2:5 argument-count: \"fs::read\" is called with no arguments | it takes fs::read(path)",
            "4:1 argument-count: \"own\" is called with 1 argument | it takes own(x, y)",
            "6:3 argument-count: \"up\" is called with 3 arguments | it takes .up() or .up(services) or .up(services, options)",
            "7:3 unknown-function: There is no method \"exce\" | did you mean \"exec\"?",
        ]
    );
}

#[test]
fn a_function_called_as_a_method_finds_its_first_argument_in_this() {
    assert_eq!(rules("fn add(y) { this + y }\nlet a = 1;\na.add(2);"), [] as [&str; 0]);
    assert_eq!(
        found(
            "fn sum(x, y, z) { x + y + z }\nlet a = 1;\na.sum(2, 3);\nduration(\"5s\").seconds();"
        ),
        [
            "3:3 unknown-function: There is no method \"sum\" | the function is called as sum(x, y, z)",
            "4:16 unknown-function: There is no method \"seconds\" | it is a field: write .seconds without ()",
        ]
    );
}

#[test]
fn functions_of_other_files_are_known_with_their_parameters() {
    let found = found_in(&[
        (
            "main.rhai",
            "import \"lib/a\" as a;\nimport \"std/dotenv\" as dotenv;\na::one(1); a::one(); a::two(); a::hidden(); a::b::deep(); a::b::deep(1);\ndotenv::set(1, 2); dotenv::quoted(1);\nduration(\"1s\").doubled();\ntwo();",
        ),
        (
            "lib/a.rhai",
            "import \"b\" as b;\nfn one(x) { x }\nprivate fn hidden() { b::deep(2) }\nfn duration.doubled() { this * 2 }\nfn three() { 3 }",
        ),
        ("lib/b.rhai", "fn deep(x) { x }"),
    ]);
    assert_eq!(
        found,
        [
            "main.rhai:3:15 argument-count: \"a::one\" is called with no arguments | it takes a::one(x)",
            "main.rhai:3:25 unknown-function: There is no function \"two\" in \"lib/a.rhai\"",
            "main.rhai:3:35 private-function: \"hidden\" is a private function of \"lib/a.rhai\" | leave out \"private\" there, or call a function that is not",
            "main.rhai:3:51 argument-count: \"a::b::deep\" is called with no arguments | it takes a::b::deep(x)",
            "main.rhai:4:9 argument-count: \"dotenv::set\" is called with 2 arguments | it takes dotenv::set(text, name, value)",
            "main.rhai:4:28 private-function: \"quoted\" is a private function of \"std/dotenv\" | leave out \"private\" there, or call a function that is not",
            "main.rhai:6:1 unknown-function: There is no function \"two\"",
        ]
    );
}

#[test]
fn a_closure_in_a_map_is_called_like_a_method() {
    assert_eq!(
        rules(
            "let m = #{ judge: |x| x };\nm.judge(1);\nlet n = #{};\nn.later = || 1;\nn.later();\nn[\"other\"] = || 1;\nn.other();"
        ),
        [] as [&str; 0]
    );
    assert_eq!(rules("let m = #{ judge: 5 };\nm.judge(1);"), ["2:3 unknown-function"]);
}

#[test]
fn an_invalid_import_is_reported() {
    let found = found_in(&[
        ("spc.toml", ""),
        (
            "a/main.rhai",
            "import \"hepler\" as h;\nimport \"helper.rhai\" as i;\nimport \"../../out\" as o;\nimport \"/etc/x\" as e;\nimport \"std/dotnev\" as d;\nh::f(); o::g();\nif true { import \"helper\" as late; }\nimport \"hel\" + \"per\" as made;",
        ),
        ("a/helper.rhai", ""),
    ]);
    assert_eq!(
        found,
        [
            "a/main.rhai:1:8 import: Could not import \"hepler\": there is no file \"a/hepler.rhai\" | did you mean \"helper\"?",
            "a/main.rhai:2:8 import: Could not import \"helper.rhai\": there is no file \"a/helper.rhai.rhai\" | remove the file extension: import \"helper\"",
            "a/main.rhai:3:8 import: Could not import \"../../out\": it is outside of the project's scripts | imports stay inside \".\"",
            "a/main.rhai:4:8 import: Could not import \"/etc/x\": the path is absolute | imports are relative to the importing file",
            "a/main.rhai:5:8 import: Could not import \"std/dotnev\": there is no such module in the standard library | did you mean \"std/dotenv\"?",
            "a/main.rhai:7:11 import: An import can't be inside a block or a function | move it to the top of the file",
            "a/main.rhai:8:14 import: The path of an import is not plain text | write import \"path\" as name;",
        ]
    );
}

#[test]
fn imports_in_a_circle_are_found_in_each_file_of_it() {
    let files = [
        ("a.rhai", "import \"b\" as b;"),
        ("b.rhai", "import \"c\" as c;"),
        ("c.rhai", "import \"a\" as a;"),
        ("d.rhai", "import \"a\" as a;\nimport \"d\" as d;"),
    ];
    let hint = "move what both need into a third file";
    assert_eq!(
        found_in(&files),
        [
            format!(
                "a.rhai:1:8 import: Imports go in a circle: a.rhai → b.rhai → c.rhai → a.rhai | {hint}"
            ),
            format!(
                "b.rhai:1:8 import: Imports go in a circle: b.rhai → c.rhai → a.rhai → b.rhai | {hint}"
            ),
            format!(
                "c.rhai:1:8 import: Imports go in a circle: c.rhai → a.rhai → b.rhai → c.rhai | {hint}"
            ),
            format!("d.rhai:2:8 import: Imports go in a circle: d.rhai → d.rhai | {hint}"),
        ]
    );
}

#[test]
fn a_function_of_spc_can_not_be_defined_again() {
    assert_eq!(
        found("fn attempt(f) { f }\nfn env(a) { a }\nfn attempt(a, b, c) { a }"),
        [
            "1:4 redefinition: \"attempt\" with 1 parameter is a function of spc and can't be defined again | give it another name",
            "2:4 redefinition: \"env\" with 1 parameter is a function of spc and can't be defined again | give it another name",
        ]
    );
}

#[test]
fn a_closure_that_uses_what_its_method_is_called_on_is_found() {
    assert_eq!(
        found(
            "let list = [1];\nlist.map(|x| list.len());\nlet o = #{ l: [1], n: 2 };\no.l.filter(|x| x > o.n);\nlet f = |x| list.len();\nlist.map(f);"
        ),
        [
            "2:6 captured-handle: The closure given to \"map\" uses \"list\", which the call has in use | a method holds \"list\" while it runs: call the function: map(list, …)",
            "4:5 captured-handle: The closure given to \"filter\" uses \"o\", which the call has in use | a method holds \"o\" while it runs: put what \"filter\" is called on in a variable of its own first",
            "6:6 captured-handle: The closure given to \"map\" uses \"list\", which the call has in use | a method holds \"list\" while it runs: call the function: map(list, …)",
        ]
    );
    let fine = "let list = [1]; let all = [];\nmap(list, |x| list.len());\nlist.map(|x| all.len());\nall.push(|| list.len());\n[list.len()].map(|x| list.len());\nlet copy = list;\ncopy.map(|list| list);\nattempt(|| list.len());";
    assert_eq!(rules(fine), [] as [&str; 0]);
}

#[test]
fn test_functions_are_known_only_in_tests_and_their_imports() {
    let found = found_in(&[
        ("up_test.rhai", "import \"given\" as given;\nimport \"both\" as both;\nrunbook(\"up\");"),
        ("given.rhai", "fn up() { runbook(\"up\") }"),
        ("both.rhai", "fn up() { runbook(\"up\") }"),
        ("up.rhai", "import \"both\" as both;\nrunbook(\"up\");"),
        ("tests/helper.rhai", "runbook(\"up\");"),
    ]);
    assert_eq!(
        found,
        [
            "both.rhai:1:11 unknown-function: There is no function \"runbook\"",
            "up.rhai:2:1 unknown-function: There is no function \"runbook\""
        ]
    );
}
