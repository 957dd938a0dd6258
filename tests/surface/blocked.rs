//! Signals while the output of spc is blocked. Text may be lost, but the process always ends.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::{Answer, DEADLINE, FullPipe, RunningSpc, Spc, SpcOutput};

/// The time from a signal to the end of the process.
const SOON: Duration = Duration::from_secs(2);

/// A runbook that creates a file at its start and then runs `script`. The file replaces a message,
/// because the streams are blocked.
fn begun(script: &str) -> String {
    format!("fs::write(\"begun\", \"\");\n{script}")
}

/// Waits for this file.
fn until_begun(project: &Path) {
    let deadline = Instant::now() + DEADLINE;
    while !project.join("begun").exists() {
        assert!(Instant::now() < deadline, "it does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A run of `words` on the script. The named streams are blocked.
fn blocked(words: &[&str], script: &str, streams: &[&str]) -> (RunningSpc, FullPipe) {
    let pipe = FullPipe::new();
    let mut run = Spc::new()
        .file("spc.toml", "")
        .file("scripts/a.rhai", begun(script))
        .args(words.iter().copied());
    if streams.contains(&"stdout") {
        run = run.writes_to(pipe.end());
    }
    if streams.contains(&"stderr") {
        run = run.prints_to(pipe.end());
    }
    let project = run.project();
    let run = run.start();
    until_begun(&project);
    (run, pipe)
}

const FLOODS: [&str; 4] = [
    "loop { print(\"a line of output\"); }",
    "loop { log::info(\"a message\"); }",
    "loop { print(\"a line of output\"); log::warn(\"a message\"); }",
    "parallel([|| loop { print(\"a line of output\"); }, || loop { log::info(\"a message\"); }]);",
];

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_signal_ends_a_run_with_blocked_output() {
    let (out, err, both) = (&["stdout"][..], &["stderr"][..], &["stdout", "stderr"][..]);
    for (script, streams) in
        [(FLOODS[0], out), (FLOODS[1], err), (FLOODS[2], both), (FLOODS[3], both), (FLOODS[2], out)]
    {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            for words in [&["run", "scripts/a.rhai"][..], &["run", "--json", "scripts/a.rhai"]] {
                let (run, _pipe) = blocked(words, script, streams);
                run.signal(signal);
                let ended = run.ends_within(SOON);
                assert_eq!(
                    ended.code, 130,
                    "{words:?} {script}, {streams:?} blocked, {signal:?}: {ended}"
                );
            }
        }
    }
}

#[test]
fn a_signal_is_reported_on_the_stream_that_is_not_blocked() {
    let (run, _pipe) = blocked(&["run", "scripts/a.rhai"], FLOODS[0], &["stdout"]);
    run.signal(Signal::TERM);
    let SpcOutput { code, stderr, .. } = run.ends_within(SOON);
    assert_eq!(code, 130);
    assert!(
        stderr.starts_with(
            "interrupted: finishing the steps that have started; press Ctrl-C again to exit now\nerror: Interrupted\n"
        ),
        "{stderr}"
    );
}

#[test]
fn a_signal_ends_the_wait_for_the_last_text_to_be_read() {
    for words in [&["run", "scripts/a.rhai"][..], &["run", "--json", "scripts/a.rhai"]] {
        let (run, _pipe) = blocked(words, "print(\"done\");", &["stdout"]);
        run.signal(Signal::INT);
        assert_eq!(run.ends_within(SOON).code, 130, "its work is done, and not all of it told");
    }
}

#[test]
fn a_signal_ends_a_question_with_blocked_output() {
    let pipe = FullPipe::new();
    let run = Spc::new()
        .file("spc.toml", "")
        .runbook(&begun(
            "for i in 0..10_000 { log::info(\"a message\"); }\nprint(confirm(\"Sure?\"));",
        ))
        .asks()
        .prints_to(pipe.end());
    let project = run.project();
    let run = run.start();
    until_begun(&project);
    run.signal(Signal::INT);
    assert_eq!(run.ends_within(SOON).code, 130);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_second_signal_exits_immediately_with_blocked_output() {
    for (first, second) in [
        (Signal::INT, Signal::INT),
        (Signal::TERM, Signal::TERM),
        (Signal::INT, Signal::TERM),
        (Signal::HUP, Signal::INT),
    ] {
        let (engine, asked, _answer) = Answer::never_to("POST /networks/create");
        let pipe = FullPipe::new();
        let run = Spc::new()
            .engine(engine)
            .runbook("network(\"front\").create();")
            .writes_to(pipe.end())
            .prints_to(pipe.end())
            .start();
        asked.recv_timeout(DEADLINE).unwrap();
        run.signal(first);
        let mut run = still_running(run, Duration::from_millis(500), first);
        run.signal(second);
        assert_eq!(run.ends_soon(SOON).code, 130, "{first:?}, {second:?}");
    }
}

/// A first signal does not end the run for this time, because its engine does not answer.
fn still_running(mut run: RunningSpc, time: Duration, signal: Signal) -> RunningSpc {
    assert!(run.goes_on_for(time), "{signal:?} ended it");
    run
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_signal_ends_a_plan_and_piped_lines_with_blocked_output() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let pipe = FullPipe::new();
        let engine = |request: &str| match request {
            "GET /_ping" => Answer::of_api("1.41", "OK"),
            request if request.starts_with("GET /volumes") => {
                Answer::of_api("1.41", r#"{"Volumes":[]}"#)
            }
            _ => Answer::of_api("1.41", "[]"),
        };
        let run = Spc::new()
            .engine(engine)
            .file("a.rhai", "print(\"planned\");")
            .args(["plan", "a.rhai"])
            .writes_to(pipe.end());
        let mut run = run.start();
        // At its end, spc waits for the reader. Before that, any signal ends it.
        assert!(run.goes_on_for(Duration::from_millis(300)));
        run.signal(signal);
        assert_eq!(run.ends_soon(SOON).code, 130, "plan, {signal:?}");

        let run = Spc::new()
            .file("spc.toml", "")
            .args(["repl"])
            .stdin(&begun(FLOODS[0]))
            .writes_to(pipe.end());
        let project = run.project();
        let run = run.start();
        until_begun(&project);
        run.signal(signal);
        assert_eq!(run.ends_within(SOON).code, 130, "repl, {signal:?}");
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_terminal_that_was_stopped_holds_up_no_signal() {
    for signal in [Signal::TERM, Signal::HUP] {
        let run = Spc::new().env("TERM", "xterm").file("spc.toml", "").at_terminal();
        let project = run.project();
        let mut run =
            run.runbook("print(\"begun\");\nsleep(\"1s\");\nfs::write(\"begun\", \"\");\nloop { print(\"a line of output\"); }").start();
        run.until_shown("begun");
        // Ctrl-S.
        run.types_keys("\u{13}");
        until_begun(&project);
        run.signal(signal);
        assert_eq!(run.ends_soon(SOON).code, 130, "{signal:?}");
    }
}

/// Scripts with more output than a pipe can hold: many errors, many tests, endless loops.
fn with_much_to_say() -> Spc {
    let calls: String =
        (0..400).map(|number| format!("let a{number} = nope{number}();\n")).collect();
    let tests: String = (0..400)
        .map(|number| format!("fn test_{number}() {{ throw \"bad {number}\"; }}\n"))
        .collect();
    Spc::new()
        .file("spc.toml", "")
        .file("errors.rhai", calls)
        .file("many_test.rhai", tests)
        .file("endless_test.rhai", "fn test_endless() { loop { sleep(\"1s\"); } }\n")
        .file("endless.rhai", "loop { print(\"a line of output\"); log::warn(\"a message\"); }\n")
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_signal_ends_every_verb_with_blocked_output() {
    for words in [
        &["check", "errors.rhai"][..],
        &["check", "--json", "errors.rhai"],
        &["test", "many_test.rhai"],
        &["test", "--json", "many_test.rhai"],
        &["test", "--max-time", "100000h", "endless_test.rhai"],
        &["plan", "endless.rhai"],
        &["plan", "--json", "endless.rhai"],
    ] {
        // The first signal ends these commands, because they have nothing to finish.
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let pipe = FullPipe::new();
            let mut run = with_much_to_say()
                .args(words.iter().copied())
                .writes_to(pipe.end())
                .prints_to(pipe.end())
                .start();
            assert!(
                run.goes_on_for(Duration::from_millis(400)),
                "{words:?} waits for its reader, or goes on"
            );
            run.signal(signal);
            // The run ends in order, or by the signal itself if it has nothing to finish.
            let code = run.ends_soon(SOON).code;
            assert!(matches!(code, 130 | -1 | -2 | -15), "{words:?}, {signal:?}: {code}");
        }
    }
}
