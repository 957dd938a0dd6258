//! Services without a container: messages about them name the next step.

use crate::support::Spc;

const STACK: &str = r#"fn describe() { stack("shop", #{ services: #{ web: #{ image: "web:1" }, none: #{ image: "web:1", scale: 0 } } }) }"#;

const TESTS: &str = r#"
fn refused(service, hint) {
    let error = runbook("exec", ["--service", service]).error;
    assert_eq(error.message, `The service "${service}" is not running: ` + if hint.contains("scale") { "its scale is 0" } else { "it has no container" });
    assert_eq(error.hint, hint);
}
fn test_a_service_that_has_no_container_is_brought_up_or_scaled() {
    refused("web", "bring it up first: `.up([\"web\"])`, or `spc run` with the runbook that does");
    refused("none", "`.service(\"none\").scale(1)` gives it one");
    runbook("up");
    assert_eq(runbook("exec", ["--service", "web"]).error, ());
    runbook("zero");
    refused("web", "`.service(\"web\").scale(1)` gives it one");
}
"#;

#[test]
fn a_service_scaled_to_zero_differs_from_a_service_that_is_not_up() {
    let exec = r#"import "s" as s; let o = args(#{ service: arg::text("web", "Which") }); s::describe().service(o.service).exec("true");"#;
    let ended = Spc::new()
        .file("spc.toml", "")
        .file("s.rhai", STACK)
        .file("up.rhai", "import \"s\" as s; s::describe().up();")
        .file("zero.rhai", "import \"s\" as s; s::describe().service(\"web\").scale(0);")
        .file("exec.rhai", exec)
        .file("exec_test.rhai", TESTS)
        .args(["test", "--jobs", "1"])
        .output();
    assert!(ended.code == 0 && ended.stdout.contains("1 test"), "{ended}");
}
