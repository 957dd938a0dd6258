//! Ctrl-C, a lost terminal and similar events, at any moment of a runbook.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Answer, DEADLINE, Spc, SpcOutput};

/// The time from the signal to the end of the process.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Interrupts a runbook that has reported its start. Returns its end.
#[track_caller]
fn interrupted(script: &str, signal: Signal) -> SpcOutput {
    let run =
        Spc::new().runbook(&format!("print(\"begun\");\n{script}\nprint(\"went on\");")).start();
    run.until_stdout("begun\n");
    run.signal(signal);
    run.ends_within(AT_ONCE)
}

#[test]
fn an_interrupt_ends_any_script_within_a_second() {
    for script in [
        "loop { }",
        "fn f() { loop { } }\nf();",
        "sleep(\"1h\");",
        "parallel([|| sleep(\"1h\"), || { loop { } }, || sleep(\"2h\")]);",
        "retry(#{ times: 9, delay: \"1h\" }, || fail(\"exec\", \"no\"));",
        "wait_until(\"1h\", || false);",
        "attempt(|| sleep(\"1h\"));",
        "try { sleep(\"1h\"); } catch { }",
        "loop { try { sleep(\"1h\"); } catch { } }",
        "parallel([|| attempt(|| parallel([|| sleep(\"1h\")]))]);",
    ] {
        let ended = interrupted(script, Signal::INT);
        assert_eq!((ended.code, ended.stdout.as_str()), (130, "begun\n"), "{script}: {ended}");
        assert!(
            ended.stderr.contains("\nerror: Interrupted\n --> scripts/a.rhai:"),
            "{script}: {ended}"
        );
    }
}

#[test]
fn an_interrupt_reports_its_effect_and_the_position() {
    let expected = "\
interrupted: finishing the steps that have started; press Ctrl-C again to exit now
error: Interrupted
 --> scripts/a.rhai:2:1
  |
2 | sleep(\"1h\");
  | ^^^^^
";
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        assert_eq!(interrupted("sleep(\"1h\");", signal).stderr, expected);
    }
}

#[test]
fn a_host_command_ends_with_it() {
    let run = Spc::new()
        .file("spc.toml", "[allow]\ncommands = [\"sh\"]")
        .runbook("sh([\"sh\", \"-c\", \"echo begun; exec sleep 3600\"]);\nprint(\"went on\");")
        .start();
    run.until_stderr("begun\n");
    run.interrupt();
    let ended = run.ends_within(AT_ONCE);
    assert_eq!((ended.code, ended.stdout.as_str()), (130, ""), "{ended}");
}

#[test]
fn a_second_one_leaves_at_once_what_the_first_let_finish() {
    let (engine, asked, _answer) = Answer::never_to("POST /networks/create");
    let run = Spc::new()
        .engine(engine)
        .runbook("network(\"front\").create();\nprint(\"went on\");")
        .start();
    asked.recv_timeout(DEADLINE).unwrap();
    run.interrupt();
    run.until_stderr("press Ctrl-C again to exit now\n");
    run.interrupt();
    let ended = run.ends_within(AT_ONCE);
    assert_eq!((ended.code, ended.stdout.as_str()), (130, ""));
    assert_eq!(
        ended.stderr,
        "interrupted: finishing the steps that have started; press Ctrl-C again to exit now\n\
         exited before the started steps were finished or rolled back; the next run continues from there\n"
    );
}

#[test]
fn an_interrupt_of_the_scripts_own_is_one_too() {
    Spc::new()
        .runbook("try { fail(\"interrupted\", \"Nothing was removed\"); } catch { }\nprint(\"went on\");")
        .code(130)
        .stderr(
            r#"
            error: Nothing was removed
             --> scripts/a.rhai:2:1
              |
            2 | print("went on");
              | ^^^^^
            "#,
        )
        .run();
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_second_hang_up_is_the_first_ones_echo() {
    let (engine, asked, _answer) = Answer::never_to("POST /networks/create");
    let mut run = Spc::new().engine(engine).runbook("network(\"front\").create();").start();
    asked.recv_timeout(DEADLINE).unwrap();
    // A shell that loses its terminal passes on a signal that the system has already sent.
    for _ in 0..3 {
        run.signal(Signal::HUP);
        assert!(run.goes_on_for(Duration::from_millis(200)), "it finishes what was begun");
    }
    run.signal(Signal::TERM);
    assert_eq!(run.ends_soon(AT_ONCE).code, 130);
}

#[test]
fn a_run_that_was_started_to_outlive_its_terminal_does() {
    let nohup = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"];
    let mut run = Spc::new().under(&nohup).runbook("print(\"begun\");\nsleep(\"1h\");").start();
    run.until_stdout("begun\n");
    run.signal(Signal::HUP);
    assert!(run.goes_on_for(Duration::from_millis(300)));
    run.signal(Signal::TERM);
    assert_eq!(run.ends_soon(AT_ONCE).code, 130);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_signal_that_timeout_sends_twice_is_one() {
    for _ in 0..10 {
        let run = Spc::new().under(&["timeout", "--preserve-status", "0.3"]).args([
            "run",
            "-e",
            "sleep(\"1h\")",
        ]);
        let ended = run.output();
        assert_eq!(ended.code, 130, "{ended}");
        assert!(ended.stderr.contains("error: Interrupted"), "it ends in order: {ended}");
    }
}
