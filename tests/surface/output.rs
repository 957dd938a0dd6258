//! Standard output and standard error: results, messages, colours, and closed readers.

use std::fs::OpenOptions;

use crate::support::Spc;

const TALK: &str = "print(\"a result\");\nlog::info(\"a message\");\nlog::warn(\"a warning\");\nlog::error(\"a failure\");\nlog::verbose(\"a detail\");";

#[test]
fn results_go_to_standard_output_and_messages_to_standard_error() {
    Spc::new()
        .runbook(TALK)
        .stdout("a result\n")
        .stderr("a message\nwarning: a warning\nerror: a failure\n")
        .run();
}

#[test]
fn quiet_leaves_results_and_errors() {
    for option in ["--quiet", "-q"] {
        Spc::new()
            .args([option])
            .runbook(TALK)
            .stdout("a result\n")
            .stderr("error: a failure\n")
            .run();
    }
}

#[test]
fn verbose_tells_details_too() {
    let reported = "a message\nwarning: a warning\nerror: a failure\ndebug: a detail\n";
    for option in ["--verbose", "-v"] {
        Spc::new().args([option]).runbook(TALK).stdout("a result\n").stderr(reported).run();
    }
    Spc::new().runbook(TALK).args(["--verbose"]).stdout("a result\n").stderr(reported).run();
    let both = Spc::new().args(["--verbose", "--quiet"]).runbook(TALK).output();
    assert!(both.code == 2 && both.stderr.contains("cannot be used with"), "{both}");
}

#[test]
fn colours_are_for_those_who_want_them() {
    let run = || Spc::new().runbook("log::warn(\"x\");\nfail(\"exec\", \"y\");");
    let coloured = run().env("CLICOLOR_FORCE", "1").output();
    assert!(
        coloured.stderr.contains("\u{1b}[") && !coloured.stdout.contains('\u{1b}'),
        "{coloured}"
    );
    for plain in [
        run(),
        run().env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1"),
        run().env("TERM", "xterm-256color"),
    ] {
        let plain = plain.output();
        assert_eq!(plain.code, 1);
        assert!(
            plain.stderr.contains("warning: x\n") && !plain.to_string().contains('\u{1b}'),
            "{plain}"
        );
    }
    let help =
        Spc::new().env("CLICOLOR_FORCE", "1").runbook("args(#{});").args(["--help"]).output();
    assert!(help.stdout.contains("\u{1b}[1mOptions:\u{1b}[0m"), "{help}");
}

#[test]
fn control_characters_are_shown_and_not_sent() {
    Spc::new()
        .runbook("print(\"\\x1b]0;title\\x07\");\nfail(\"exec\", \"\\x1b[2J gone\");")
        .stdout("␛]0;title␇\n")
        .code(1)
        .stderr(
            r#"
            error: ␛[2J gone
             --> scripts/a.rhai:2:1
              |
            2 | fail("exec", "\x1b[2J gone");
              | ^^^^
            "#,
        )
        .run();
}

#[test]
fn a_reader_that_goes_ends_the_run_without_a_word() {
    for script in ["loop { print(\"line\"); }", "for i in 0..1_000_000 { print(`line ${i}`); }"] {
        let mut run = Spc::new().runbook(script).start();
        run.until_stdout("line");
        run.closes_stdout();
        let ended = run.ends();
        assert_eq!((ended.code, ended.stderr.as_str()), (130, ""), "{script}");
    }
}

#[test]
fn output_that_can_not_be_written_is_reported() {
    for arguments in [&[][..], &["--json"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        Spc::new()
            .writes_to(full)
            .args(arguments)
            .runbook("print(\"a result\");")
            .code(1)
            .stderr("error: Could not write to standard output: no storage space\n")
            .run();
    }
}
