//! `docs/json.md` matches the output of commands. `support` checks every JSON output of a test
//! against the tables of that page. The tests here check that commands write everything in the
//! tables.

use std::time::Duration;

use similar_asserts::assert_eq;
use spc::model::event::{Event, StepStatus};
use spc::model::step::{ActionKind, Object, StepLabel};

use super::connection;
use super::step_events::{line_of, simulated_events};
use crate::support::json_schema::{self, Seen};
use crate::support::{Answer, Spc};

/// Exceptions: output of bugs in spc or of a run that is killed twice, and verbs in a plan, which
/// `engine::step_events` covers.
const RARE: [&str; 8] = [
    "shape call: project",
    "shape call: verb",
    "event finding: killed_again",
    "event finding: error",
    "shape violation",
    "shape violation: at_ms",
    "shape violation: call",
    "shape violation: what",
];

/// The events, shapes and fields in the output of a command. Checks each line.
#[track_caller]
fn written(spc: Spc) -> Seen {
    json_schema::check_output(&spc.args(["--json"]).output().stdout)
}

/// An engine with an exited container of the project `shop`.
fn of_shop(request: &str) -> Answer {
    let running = connection::of_shop(request);
    if request.starts_with("GET /containers/json") {
        running
            .with("\"running\"", "\"exited\"")
            .with("Up 2 minutes (healthy)", "Exited (3) 1 hour ago")
    } else {
        running
    }
}

/// A runbook that prints something and then fails in a function. The error has every possible
/// field.
const FAILS: &str = r#"
log::info("begun");
fn f() { sh(["sh", "-c", "echo said; echo wrong >&2; exit 3"]); }
f();
"#;

/// A runbook with unknown results, a handled error and the end of the plan.
const PLANNED: &str = r#"
attempt(|| http::get("http://localhost/").json());
let status = http::get("http://localhost/").json();
"#;

/// A runbook with an unknown result, followed by a policy error.
const REFUSED: &str =
    r#"if http::get("http://localhost/").ok { http::get("http://evil.example/"); }"#;

/// A runbook that finds a changed volume in its next run.
const NOT_AGAIN: &str =
    r#"let data = volume("data"); if data.exists() { data.remove(); } data.create();"#;

#[test]
fn each_event_and_each_field_in_the_guide_is_written_by_a_command() {
    let mut seen = Seen::new();
    let label = || StepLabel {
        step: Some(1),
        service: None,
        action: ActionKind::Pull,
        object: Object::image("web:1"),
        undo: false,
    };
    // These events need an interrupted or blocked run.
    let rare = [
        Event::Waiting { text: "for another run".to_owned() },
        Event::StepInterrupted { label: label() },
        Event::StepProgress { label: label(), standing: StepStatus::from("pulling") },
        Event::Unchanged { project: "shop".to_owned(), verb: "up".to_owned() },
        Event::Answer { text: "Sure?".to_owned(), answer: None },
    ];
    for line in simulated_events().into_iter().chain(rare.iter().map(line_of)) {
        json_schema::check_line(&line, &mut seen);
    }
    let project = || {
        Spc::new()
            .file("spc.toml", "[allow]\ncommands = [\"sh\"]\nnetwork = [\"localhost\"]\n")
            .file("scripts/fails.rhai", FAILS)
            .file("scripts/planned.rhai", PLANNED)
            .file("scripts/refused.rhai", REFUSED)
            .file("scripts/wrong.rhai", "let x = typo();")
            .file("tests/broken_test.rhai", "fn test_broken() {")
            .file("tests/up_test.rhai", "fn test_good() { }\nfn test_bad() { assert(false); }")
            .file("scripts/make.rhai", NOT_AGAIN)
    };
    for words in [
        &["run", "scripts/fails.rhai"][..],
        &["plan", "scripts/planned.rhai"],
        &["plan", "scripts/refused.rhai"],
        &["check"],
        &["test", "tests"],
        &["test", "--list", "tests/up_test.rhai"],
        &["test", "--crash-sweep", "scripts/make.rhai", "--recoveries", "0"],
        &["--surely-no-option"],
        &["--version"],
    ] {
        seen.append(&mut written(project().args(words)));
    }
    seen.append(&mut written(Spc::new().args(["repl"]).stdin("40 + 2")));
    seen.append(&mut written(Spc::new().engine(of_shop).args(["ps", "--project", "shop"])));
    let mut asked = Spc::new().asks().runbook("confirm(\"Sure?\");").args(["--json"]).start();
    asked.until_stdout("Sure?");
    asked.types("y");
    seen.append(&mut json_schema::check_output(&asked.ends().stdout));

    let missing: Vec<String> = json_schema::described()
        .into_iter()
        .filter(|one| !seen.contains(one) && !RARE.contains(&one.as_str()))
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "in docs/json.md, and written by nobody");
}

#[test]
fn a_mistake_in_the_arguments_and_help_are_lines_too() {
    Spc::new()
        .args(["--json", "ps", "--quie"])
        .code(2)
        .stdout(
            r#"
            {"time":"[time]","event":"end","ok":false,"code":2,"error":{"severity":"error","kind":"usage","message":"unexpected argument '--quie' found","hint":"tip: a similar argument exists: '--quiet'\nUsage: spc ps --quiet\nFor more information, try '--help'."}}
            "#,
        )
        .run();
    Spc::new()
        .args(["--version", "--json"])
        .stdout(concat!(
            r#"{"time":"[time]","event":"print","text":"spc "#,
            env!("CARGO_PKG_VERSION"),
            "\"}\n",
            r#"{"time":"[time]","event":"end","ok":true,"code":0}"#,
            "\n"
        ))
        .run();
}

#[test]
fn a_second_signal_says_how_the_run_ended() {
    let (engine, asked, _answer) = Answer::never_to("POST /networks/create");
    let run =
        Spc::new().engine(engine).runbook("network(\"front\").create();").args(["--json"]).start();
    asked.recv_timeout(crate::support::DEADLINE).unwrap();
    run.interrupt();
    run.until_stderr("press Ctrl-C again to exit now\n");
    run.interrupt();
    let ended = run.ends_within(Duration::from_secs(10));
    assert_eq!(ended.code, 130);
    assert!(
        ended.stdout.contains(r#""event":"end","ok":false,"code":130,"error":{"severity":"error","kind":"interrupted","#),
        "{ended}"
    );
}

#[test]
fn a_signal_to_a_command_that_only_looks_has_an_end() {
    for words in [&["ps", "--project", "shop"][..], &["plan", "-e", "network(\"front\").create();"]]
    {
        let (engine, asked, _answer) = Answer::never_to("GET /networks");
        let never = move |request: &str| {
            let request = request.split('?').next().unwrap_or_default();
            engine(request)
        };
        let run = Spc::new().engine(never).args(words).args(["--json"]).start();
        asked.recv_timeout(crate::support::DEADLINE).unwrap();
        run.interrupt();
        let ended = run.ends_within(Duration::from_secs(10));
        assert_eq!(ended.code, 130, "{words:?}: {ended}");
        assert!(
            ended.stdout.ends_with("}}\n") && ended.stdout.contains("\"kind\":\"interrupted\""),
            "{ended}"
        );
    }
}

#[test]
fn a_reader_that_has_gone_ends_a_run_without_a_fault() {
    let mut run =
        Spc::new().runbook("loop { print(\"a line\"); sleep(\"10ms\"); }").args(["--json"]).start();
    run.until_stdout("a line");
    run.closes_stdout();
    let ended = run.ends();
    assert_eq!((ended.code, ended.stderr.as_str()), (130, ""), "{ended}");
}
