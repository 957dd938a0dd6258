//! Saved options after a failed run, on the simulated engine. `engine::saved_options` has the other
//! cases.

use crate::support::Spc;

const STACK: &str = r#"
fn options() { #{ tag: arg::text(env("TAG", "1"), "Release").kept("TAG") } }
fn describe(tag) { stack("shop", #{ services: #{ web: #{ image: `web:${tag}` } } }) }
"#;

const UP: &str =
    r#"import "s" as s; let o = args(s::options()); s::describe(o.tag).up(); print(o.tag);"#;

/// Brings up a release and fails afterwards. If the undo list has an entry, the former release is
/// brought up again.
const DEPLOY: &str = r#"
import "s" as s;
let o = args(s::options() + #{ ends: arg::one_of(["well", "undone", "committed", "open"], "well", "How it ends") });
guarded(s::describe(o.tag), "deploy", |g| {
    if o.ends != "open" { g.undo("bring release 1 up", || { s::describe("1").up(); }); }
    s::describe(o.tag).up();
    if o.ends == "committed" { g.commit(); }
    if o.ends != "well" { fail("failed", "the check of the release fails"); }
});
"#;

const TESTS: &str = r#"
fn after(ends) {
    runbook("up");
    runbook("deploy", ["--tag", "2", "--ends", ends]);
    runbook("up").printed[0]
}
fn test_a_release_that_stays_is_kept() {
    assert_eq(after("well"), "2");
}
fn test_a_release_that_was_undone_is_not_kept() {
    assert_eq(after("undone"), "1");
    assert_eq(sim::containers().map(|it| it.image), ["web:1"]);
}
fn test_a_release_that_stays_after_a_failure_is_kept() {
    assert_eq(after("committed"), "2");
}
fn test_a_release_that_nothing_undoes_is_kept() {
    assert_eq(after("open"), "2");
}
"#;

/// Killed in the middle of a deployment.
const CUT_OFF: &str = r#"
fn warnings(run) { run.logged.filter(|it| it.contains("was cut off")) }
fn test_what_was_cut_off_is_said_until_it_runs_to_its_end() {
    runbook("up");
    let calls = runbook("deploy", "--tag 2").calls;
    assert_eq(warnings(runbook("up")), []);
    sim::kill_at(calls / 2);
    assert(runbook("deploy", "--tag 3").killed);
    let said = warnings(runbook("up"));
    assert_eq(said.len(), 1);
    assert(said[0].contains("guarded \"deploy\" of \"spc run deploy.rhai\" was cut off"), said[0]);
    assert(said[0].contains("this was not undone: bring release 1 up; "), said[0]);
    assert_eq(warnings(runbook("up")).len(), 1);
    assert_eq(runbook("deploy", "--tag 3").error, ());
    assert_eq(warnings(runbook("up")), []);
}
"#;

/// Brings some services up, then the rest, which may fail.
const PARTS: &str = r#"
import "s" as s;
let o = args(s::options());
let shop = stack("shop", #{ services: #{ migrate: #{ image: `migrate:${o.tag}` }, web: #{ image: `web:${o.tag}` } } });
shop.up(["migrate"]);
shop.up();
shop.up(["web"]);
if o.tag == "3" { fail("failed", "after all of it is up") }
"#;

const PARTS_TESTS: &str = r#"
fn test_a_part_that_is_up_keeps_nothing_where_the_rest_fails() {
    runbook("parts");
    sim::process("web:2", #{ exits_after: "10ms", exit_code: 1 });
    assert_eq(runbook("parts", "--tag 2").error.kind, "unhealthy");
    assert_eq(runbook("up").printed[0], "1");
}
fn test_all_of_it_that_is_up_is_kept_whatever_comes_after() {
    runbook("parts");
    assert_eq(runbook("parts", "--tag 3").error.message, "after all of it is up");
    assert_eq(runbook("up").printed[0], "3");
}
fn test_a_part_is_kept_when_the_run_ends_well() {
    runbook("parts");
    assert_eq(runbook("part", "--tag 4").error, ());
    assert_eq(runbook("up").printed[0], "4");
}
"#;

const PART: &str = r#"import "s" as s; let o = args(s::options()); s::describe(o.tag).up(["web"]); s::describe(o.tag).up([]);"#;

/// Two entries in the undo list.
const TWICE: &str = r#"
import "s" as s;
guarded(s::describe("1"), "twice", |g| {
    g.undo("first", || { volume("first").create(); });
    g.undo("second", || { volume("second").create(); });
    fail("failed", "it fails")
});
"#;

const HALF_UNDONE: &str = r#"
fn test_what_was_undone_before_the_kill_is_not_left() {
    runbook("up");
    let seen = 0;
    for at in 1..60 {
        runbook("clean");
        sim::kill_at(at);
        if !runbook("twice").killed { break; }
        let there = sim::volumes().map(|it| it.name);
        let said = runbook("up").logged.filter(|it| it.contains("was cut off"));
        if there.contains("shop_second") && !there.contains("shop_first") {
            seen += 1;
            assert(said[0].contains("this was not undone: first; "), said[0]);
        }
    }
    assert(seen > 0);
}
"#;

const UNDO_FAILED: &str = r#"
fn test_a_failed_undo_is_reported_differently_from_an_interrupted_run() {
    runbook("up");
    assert_eq(runbook("broken").error.message, "the work fails");
    let said = runbook("up").logged.filter(|it| it.contains("guarded"));
    assert_eq(said.len(), 1);
    assert(said[0].starts_with("guarded \"broken\" of \"spc run broken.rhai\" failed (it began at "), said[0]);
    assert(said[0].contains("and this could not be undone: put it back; "), said[0]);
}
"#;

fn project() -> Spc {
    Spc::new()
        .file("spc.toml", "")
        .file("s.rhai", STACK)
        .file("up.rhai", UP)
        .file("deploy.rhai", DEPLOY)
        .args(["test", "--jobs", "1"])
}

#[test]
fn an_unfinished_guarded_function_is_reported() {
    let ended = project().file("cut_off_test.rhai", CUT_OFF).output();
    assert!(ended.code == 0 && ended.stdout.contains("1 test"), "{ended}");
}

#[test]
fn options_of_an_undone_guarded_function_are_not_saved() {
    let ended = project().file("kept_test.rhai", TESTS).output();
    assert!(ended.code == 0 && ended.stdout.contains("4 tests passed"), "{ended}");
}

#[test]
fn options_of_a_part_are_saved_when_the_run_succeeds() {
    let ended = project()
        .file("parts.rhai", PARTS)
        .file("part.rhai", PART)
        .file("parts_test.rhai", PARTS_TESTS)
        .output();
    assert!(ended.code == 0 && ended.stdout.contains("3 tests passed"), "{ended}");
}

#[test]
fn finished_undo_steps_are_not_reported_after_a_kill() {
    let clean = r#"for name in ["first", "second"] { if volume(name).exists() { volume(name).remove(); } }"#;
    let ended = project()
        .file("twice.rhai", TWICE)
        .file("clean.rhai", clean)
        .file("half_test.rhai", HALF_UNDONE)
        .output();
    assert!(ended.code == 0 && ended.stdout.contains("1 test"), "{ended}");
}

#[test]
fn a_failed_undo_is_reported() {
    let broken = r#"
import "s" as s;
guarded(s::describe("1"), "broken", |g| {
    g.undo("put it back", || { fail("failed", "the undo fails"); });
    fail("failed", "the work fails");
});
"#;
    let ended = project().file("broken.rhai", broken).file("undo_test.rhai", UNDO_FAILED).output();
    assert!(ended.code == 0 && ended.stdout.contains("1 test"), "{ended}");
}
