//! Exit code 2 promises that nothing was changed. A usage error after a change has the exit code of
//! a failure.

use similar_asserts::assert_eq;

use crate::support::Spc;

/// Mistakes that a run detects only when it reaches them.
const FAULTS: [&str; 7] = [
    "let list = [1]; list[5]",
    "let map = #{ a: () }; map.a.b",
    "let zero = 0; 1 / zero",
    "let text = \"x\"; text - 1",
    "duration(\"x\" + \"y\")",
    "fs::read(\"a\", 1)",
    "fail(\"usage\", \"wrong\")",
];

fn code(script: &str) -> i32 {
    let spc = Spc::new().file("there", "x").file("spc.toml", "[allow]\ncommands = [\"true\"]\n");
    let output = spc.runbook(script).output();
    output.code
}

#[test]
fn a_mistake_after_a_change_has_the_code_of_a_failure() {
    for fault in FAULTS {
        assert_eq!(code(&format!("{fault};")), 2, "{fault}");
        // Reading is no change, and neither is a failed change.
        let read = "fs::read(\"there\"); attempt(|| fs::write(\"there/below\", \"x\"));";
        assert_eq!(code(&format!("{read} {fault};")), 2, "{fault}");
        assert_eq!(code(&format!("fs::write(\"new\", \"x\"); {fault};")), 1, "{fault}");
    }
    for change in [
        "fs::append(\"new\", \"x\")",
        "fs::mkdir(\"folder\")",
        "fs::remove(\"there\")",
        "fs::rename(\"there\", \"moved\")",
        "fs::copy(\"there\", \"copied\")",
        "sh([\"true\"])",
    ] {
        assert_eq!(code(&format!("{change}; {};", FAULTS[0])), 1, "{change}");
    }
}

const STACK: &str = r#"
let o = args(#{ change: arg::text("", "What is done first") });
let shop = stack("shop", #{ services: #{ web: #{ image: "web:1" } } });
if o.change != "" { shop.up(); }
switch o.change {
    "exec" => shop.service("web").exec("true"),
    "volume" => volume("data").create(),
    "network" => network("net").create(),
    "kill" => container("shop-web-1").kill(),
    _ => (),
}
let list = [1];
list[5];
"#;

const TESTS: &str = r#"
fn test_the_code_tells_whether_something_was_changed() {
    sim::process("web", #{ exec: #{ "true": "" } });
    assert_eq(runbook("stack").code, 2);
    assert_eq(runbook("stack", ["--change", "up"]).code, 1);
    // The first run has already made the change.
    assert_eq(runbook("stack", ["--change", "up"]).code, 2);
    for change in ["exec", "volume", "network", "kill"] {
        assert_eq(runbook("stack", ["--change", change]).code, 1, change);
    }
}
"#;

#[test]
fn a_mistake_after_a_change_on_the_engine_has_the_code_of_a_failure() {
    let ended = Spc::new()
        .file("spc.toml", "")
        .file("stack.rhai", STACK)
        .file("stack_test.rhai", TESTS)
        .args(["test"])
        .output();
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
}
