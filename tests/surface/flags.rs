//! The user's command line overrides the script.

use crate::support::Spc;

const TESTS: &str = r#"
fn test_the_command_line_removes_orphans_that_the_script_would_keep() {
    runbook("up");
    runbook("part");
    assert_eq(sim::containers().len(), 2);
    runbook("part", ["--remove-orphans"]);
    assert_eq(sim::containers().map(|it| it.service), ["web"]);
}
"#;

#[test]
fn a_flag_of_spc_counts_before_the_options_of_the_script() {
    let ended = Spc::new()
        .file("spc.toml", "")
        .file("up.rhai", r#"stack("shop", #{ services: #{ web: #{ image: "web:1" }, old: #{ image: "web:1" } } }).up();"#)
        .file("part.rhai", r#"stack("shop", #{ services: #{ web: #{ image: "web:1" } } }).up((), #{ remove_orphans: false });"#)
        .file("flags_test.rhai", TESTS)
        .args(["test", "--jobs", "1"])
        .output();
    assert!(ended.code == 0 && ended.stdout.contains("1 test"), "{ended}");
}
