//! Questions, with and without a terminal.

use crate::support::Spc;

const RUNBOOK: &str = "print(confirm(\"Remove the volumes?\"));";

#[test]
fn a_question_without_a_terminal_names_the_option_that_answers() {
    for stdin in ["", "y\n"] {
        Spc::new()
            .stdin(stdin)
            .runbook(RUNBOOK)
            .code(2)
            .stderr(
                r#"
                error: "Remove the volumes?" can't be asked: standard input is not a terminal
                 --> scripts/a.rhai:1:7
                  |
                1 | print(confirm("Remove the volumes?"));
                  |       ^^^^^^^
                  |
                  = help: --yes answers every question with yes
                "#,
            )
            .run();
    }
}

#[test]
fn the_option_answers_and_says_what_it_answered() {
    for option in ["--yes", "-y"] {
        Spc::new()
            .args([option])
            .runbook(RUNBOOK)
            .stdout("true\n")
            .stderr("Remove the volumes? yes (--yes)\n")
            .run();
    }
}

#[test]
fn at_a_terminal_only_yes_is_yes() {
    for (answer, expected) in
        [("y", "true"), ("YES", "true"), ("n", "false"), ("", "false"), ("yesterday", "false")]
    {
        let mut run = Spc::new().asks().runbook(RUNBOOK).start();
        run.until_stderr("Remove the volumes? [y/N] ");
        run.types(answer);
        let ended = run.ends();
        assert_eq!((ended.code, ended.stdout), (0, format!("{expected}\n")), "{answer:?}");
    }
}

#[test]
fn an_interrupt_is_no_answer() {
    let run = Spc::new().asks().runbook(RUNBOOK).start();
    run.until_stderr("[y/N] ");
    run.interrupt();
    let ended = run.ends();
    assert_eq!((ended.code, ended.stdout.as_str()), (130, ""));
}
