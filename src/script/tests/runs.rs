//! Runbooks as files, and their help.

use super::super::fixture::{Scripts, short, value};
use super::super::run::{Outcome, Runbook, run};
use similar_asserts::assert_eq;

fn failed(scripts: &Scripts, name: &str) -> String {
    short(&scripts.outcome(name).unwrap_err())
}

#[test]
fn a_file_of_any_editor_is_read() {
    assert_eq!(value("\u{feff}let x = 1;\r\nx + 1\r\n"), "2");
    assert_eq!(value("#!/usr/bin/env -S spc run\n5"), "5");
    assert_eq!(value(""), "()");
    assert_eq!(value("// nothing but a comment"), "()");
    let crlf = super::super::fixture::error(
        "let a = 1;\r\nlet b = `x\r\ny`;\r\n  nonsense(b.lines().len());",
    );
    assert_eq!(crlf, "usage: There is no function nonsense(integer)\nat main.rhai:4:3 nonsense");
}

#[test]
fn a_missing_or_unreadable_runbook_is_reported_with_the_cause() {
    let scripts = Scripts::new(&[("up.rhai", ""), ("down.rhai", ""), ("lib/x.rhai", "")]);
    let host = &scripts.run.host;
    host.add_file("/project/scripts/latin.rhai", &b"let a = 1;\nlet b = \"\xe4\";"[..]);
    host.add_file("/project/scripts/closed.rhai", "");
    host.set_mode("/project/scripts/closed.rhai", 0);
    assert_eq!(
        failed(&scripts, "upp.rhai"),
        "usage: There is no runbook \"scripts/upp.rhai\"\nhint: did you mean \"scripts/up.rhai\"?"
    );
    assert_eq!(
        failed(&scripts, "up"),
        "usage: There is no runbook \"scripts/up\"\nhint: did you mean \"scripts/up.rhai\"?"
    );
    assert_eq!(
        failed(&scripts, "nowhere/up.rhai"),
        "usage: There is no runbook \"scripts/nowhere/up.rhai\"\nhint: there is no folder \"scripts/nowhere\""
    );
    assert_eq!(
        failed(&scripts, "zebra.rhai").lines().last().unwrap(),
        "hint: available: scripts/closed.rhai, scripts/down.rhai, scripts/latin.rhai, scripts/up.rhai"
    );
    assert_eq!(failed(&scripts, "lib"), "usage: Could not read \"scripts/lib\": it is a folder");
    assert_eq!(
        failed(&scripts, "latin.rhai"),
        "usage: Could not read \"scripts/latin.rhai\": line 2 is not UTF-8 text"
    );
    assert_eq!(
        failed(&scripts, "closed.rhai"),
        "usage: Could not read \"/project/scripts/closed.rhai\": permission denied"
    );
}

#[test]
fn help_shows_the_options_and_does_nothing() {
    let main = "//! Bring it up.\n//!\n//! All of it.\nimport \"app\" as app;\nlet o = args(app::options() + #{ build: arg::flag(\"Build first\") });\nprint(\"running\");";
    let files = [
        ("main.rhai", main),
        ("app.rhai", "fn options() { #{ tag: arg::text((), \"Release\") } }"),
    ];
    let scripts = Scripts::with_words(&files, &["--help"]);
    let Ok(Outcome::Help(help)) = scripts.outcome("main.rhai") else { panic!("no help") };
    assert_eq!(help.doc, "Bring it up.\n\nAll of it.");
    assert_eq!(help.command, "spc run test.rhai");
    assert_eq!(
        help.options.iter().map(|option| option.name.as_str()).collect::<Vec<_>>(),
        ["build", "tag"]
    );
    assert_eq!(scripts.run.printed(), Vec::<String>::new());
}

#[test]
fn help_of_a_runbook_without_options_runs_nothing_of_it() {
    let scripts =
        Scripts::with_words(&[("main.rhai", "//! Just do it.\nprint(\"running\");")], &["-h"]);
    let Ok(Outcome::Help(help)) = scripts.outcome("main.rhai") else { panic!("no help") };
    assert_eq!(
        (help.doc.as_str(), help.options.len(), scripts.run.printed().len()),
        ("Just do it.", 0, 0)
    );
}

#[test]
fn words_for_a_runbook_that_takes_none_are_refused_before_it_runs() {
    let scripts = Scripts::with_words(&[("main.rhai", "print(\"running\");")], &["db"]);
    let expected = "usage: scripts/main.rhai takes no arguments, but \"db\" is given\nhint: a runbook declares what it takes with args(#{ … })";
    assert_eq!(failed(&scripts, "main.rhai"), expected);
    assert_eq!(scripts.run.printed(), Vec::<String>::new());
}

#[test]
fn a_wrong_word_on_the_command_line_is_not_a_place_in_the_script() {
    let scripts = Scripts::with_words(
        &[("main.rhai", "args(#{ tag: arg::text((), \"Release\") });")],
        &["--tga", "v2"],
    );
    assert_eq!(
        failed(&scripts, "main.rhai"),
        "usage: There is no option \"--tga\"\nhint: did you mean \"--tag\"?"
    );
}

#[test]
fn a_text_is_run_as_if_it_were_a_file() {
    let scripts = Scripts::new(&[("app.rhai", "fn name() { \"app\" }")]);
    let runbook = Runbook::Text {
        path: "scripts/eval.rhai".into(),
        text: "import \"app\" as app; app::name()".into(),
    };
    let Ok(Outcome::Value(value)) = run(&scripts.run.context, &runbook) else { panic!("no value") };
    assert_eq!(value.into_string().unwrap(), "app");
}

#[test]
fn print_and_debug_are_events() {
    let scripts =
        Scripts::new(&[("main.rhai", "print(#{ a: [duration(\"90s\")] });\ndebug(\"x\");")]);
    scripts.value();
    let events: Vec<String> =
        scripts.run.events().iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    let expected = [
        r##"{"event":"print","text":"#{\"a\": [1m30s]}"}"##,
        r#"{"event":"log","level":"debug","text":"scripts/main.rhai:2: \"x\""}"#,
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_return_at_the_top_ends_a_runbook_well() {
    assert_eq!(value("if true { return 7; } 8"), "7");
}
