//! One JSON object per line.

use crate::support::Spc;

fn json() -> Spc {
    Spc::new().args(["--json"])
}

#[test]
fn a_run_is_its_events_and_an_end() {
    json()
        .runbook("print(\"größe \\\"x\\\"\");\nlog::warn(\"slow\");\nprint([1, ()]);")
        .stdout(
            r#"
            {"time":"[time]","event":"print","text":"größe \"x\""}
            {"time":"[time]","event":"log","level":"warning","text":"slow"}
            {"time":"[time]","event":"print","text":"[1, ()]"}
            {"time":"[time]","event":"end","ok":true,"code":0}
            "#,
        )
        .run();
}

#[test]
fn the_end_has_the_error_with_its_place_calls_and_own_fields() {
    json()
        .runbook("fn f() {\n    fail(\"conflict\", \"taken\", #{ hint: \"stop it\", port: 80, code: \"own\" });\n}\nf();")
        .code(1)
        .stdout(
            r#"
            {"time":"[time]","event":"end","ok":false,"code":1,"error":{"severity":"error","kind":"conflict","message":"taken","hint":"stop it","place":{"file":"scripts/a.rhai","line":2,"column":5},"trace":[{"function":"f","file":"scripts/a.rhai","line":4,"column":1}],"code":"own","port":80}}
            "#,
        )
        .run();
}

#[test]
fn a_failure_before_the_runbook_also_writes_an_end_event() {
    json()
        .args(["run", "up.rhai"])
        .file("down.rhai", "")
        .code(2)
        .stdout(
            r#"
            {"time":"[time]","event":"end","ok":false,"code":2,"error":{"severity":"error","kind":"usage","message":"There is no runbook \"up.rhai\"","hint":"available: down.rhai"}}
            "#,
        )
        .run();
    json()
        .file("scripts/.env", "A B\n")
        .runbook("")
        .code(2)
        .stdout(
            r#"
            {"time":"[time]","event":"end","ok":false,"code":2,"error":{"severity":"error","kind":"usage","message":"A variable's name can't contain \" \"","hint":"write NAME=value, one to a line; a value that spans lines needs quotes","place":{"file":"scripts/.env","line":1,"column":2}}}
            "#,
        )
        .run();
}

#[test]
fn a_policy_error_and_an_unreachable_engine_have_different_kinds() {
    let refused = json().runbook("sh([\"git\"]);").output();
    assert_eq!((refused.code, refused.stderr.as_str()), (5, ""));
    assert!(
        refused.stdout.contains(
            r#""event":"end","ok":false,"code":5,"error":{"severity":"error","kind":"policy","#
        ),
        "{refused}"
    );
    let absent = json().args(["ps"]).output();
    assert_eq!((absent.code, absent.stderr.as_str()), (1, ""));
    assert!(
        absent.stdout.contains(
            r#""event":"end","ok":false,"code":1,"error":{"severity":"error","kind":"engine","#
        ),
        "{absent}"
    );
}

#[test]
fn help_is_an_event_and_no_plain_text() {
    json()
        .runbook("//! Do it.\nargs(#{});")
        .args(["--help"])
        .env("CLICOLOR_FORCE", "1")
        .stdout(
            r#"
            {"time":"[time]","event":"print","text":"Do it.\n\nUsage: spc run scripts/a.rhai [OPTIONS]\n\nOptions:\n  --help  Print this help\n\nOptions of spc itself: spc run --help"}
            {"time":"[time]","event":"end","ok":true,"code":0}
            "#,
        )
        .run();
}

#[test]
fn an_interrupt_is_the_end() {
    let run = json().runbook("print(\"begun\");\nsleep(\"1h\");").start();
    run.until_stdout("begun");
    run.interrupt();
    let ended = run.ends();
    let last = ended.stdout.lines().last().unwrap_or_default();
    assert_eq!(ended.code, 130);
    assert!(last.contains(r#""event":"end","ok":false,"code":130,"error":{"severity":"error","kind":"interrupted","#), "{ended}");
}
