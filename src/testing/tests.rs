use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use similar_asserts::assert_eq;

use crate::engine::sim::CallSide;
use crate::host::Host;
use crate::host::real::RealHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::machine::process::End;
use crate::machine::world::{Subject, World};
use crate::model::diagnostic::Diagnostic;
use crate::policy::CheckedPath;

/// The reference stack: the project of this repository.
fn reference() -> Subject {
    let host = Arc::new(RealHost::new());
    let root = host.canonicalize(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    Subject::new(host, root.clone(), root.join("examples/spc"), [])
}

fn world() -> World {
    let secrets = ["POSTGRES_PASSWORD", "SECRET_KEY", "DJANGO_SUPERUSER_PASSWORD"];
    World::made(
        &reference(),
        SimTaskExecutor::new(1),
        1,
        |engine| engine,
        |host| secrets.iter().fold(host, |host, name| host.with_variable(name, "a-test's secret")),
    )
}

fn up(world: &World) -> crate::machine::CompletedRun {
    world.run(&world.folder().join("scripts/up.rhai"), &[])
}

#[test]
fn the_reference_stack_comes_up_and_a_second_run_has_nothing_to_do() {
    let world = world();
    let first = up(&world);
    assert!(matches!(first.end, End::Done), "{:?}", first.end);
    assert!(first.took > Duration::from_secs(1));
    let running = world
        .engine
        .state()
        .containers
        .iter()
        .filter(|container| container.state == "running")
        .count();
    assert_eq!(running, 8);
    let changes = world.engine.calls().iter().filter(|call| call.mutates).count();
    assert!(matches!(up(&world).end, End::Done));
    let before = world.engine.calls().len();
    assert!(matches!(up(&world).end, End::Done));
    assert_eq!(
        world.engine.calls()[before..]
            .iter()
            .filter(|call| call.mutates)
            .map(|call| call.method)
            .collect::<Vec<_>>(),
        [""; 0]
    );
    assert!(changes > 20);
    let kept = CheckedPath::trusted(reference().directory.join(".spc/options.json"));
    assert!(world.host.info(&kept).is_ok());
    assert!(
        RealHost::new().read(&kept).map_or(true, |real| real != world.host.read(&kept).unwrap())
    );
}

#[test]
fn a_killed_run_prints_nothing_more_and_the_next_run_succeeds() {
    for (call, when) in [(1, CallSide::Before), (30, CallSide::After), (60, CallSide::Before)] {
        let world = world();
        world.engine.crash_at(call, when);
        let killed = up(&world);
        assert!(matches!(killed.end, End::Killed), "{:?}", killed.end);
        world.engine.recover();
        let again = up(&world);
        assert!(matches!(again.end, End::Done), "{:?}", again.end);
    }
}

/// Name and comments of every function that only tests have.
fn documented() -> Vec<(String, String)> {
    let mut engine = rhai::Engine::new_raw();
    super::functions::register(&mut engine);
    let functions = engine.collect_fn_metadata(
        None,
        |info| {
            Some((
                format!("{} {}", info.namespace, info.metadata.name),
                info.metadata.comments.join("\n"),
            ))
        },
        false,
    );
    functions.into_iter().filter(|(name, _)| name.contains(char::is_alphabetic)).collect()
}

#[test]
fn every_function_of_tests_says_what_it_does_with_an_example() {
    let silent: Vec<String> = documented()
        .into_iter()
        .filter(|(_, comment)| !comment.contains("```rhai"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(silent, [""; 0]);
}

#[test]
fn every_example_of_them_runs() {
    let mut text = String::new();
    let examples = documented().into_iter().flat_map(|(_, comment)| {
        let comment: String = comment
            .lines()
            .map(|line| format!("{}\n", line.trim_start().trim_start_matches('/').trim_start()))
            .collect();
        let parts = comment
            .split("```rhai\n")
            .skip(1)
            .map(|example| example.split("```").next().unwrap_or_default().to_owned());
        parts.collect::<Vec<_>>()
    });
    for (number, example) in examples.enumerate() {
        text.push_str(&format!("fn test_{number}() {{\n{example}}}\n"));
    }
    let sim = crate::host::sim::executor::SimTaskExecutor::new(1);
    let host = crate::host::sim::SimHost::new(sim)
        .with_file("/project/spc.toml", "")
        .with_file("/project/a_test.rhai", text);
    let subject = Subject::new(Arc::new(host), "/project".into(), "/project".into(), []);
    let file = Path::new("/project/a_test.rhai");
    let tests = super::case::tests_of(&subject, file).unwrap();
    assert!(tests.len() > 30, "{} examples", tests.len());
    for test in tests {
        let outcome =
            super::case::run(&subject, file, &test, 1, crate::machine::world::Limits::default());
        let said = outcome.failure.map(|failure| {
            format!("{} {:?}", failure.message, failure.place.map(|place| place.line))
        });
        assert_eq!(said, None, "{}", test.name);
    }
}

/// The failure of each test of a file: the message and the hint.
fn failures(runbook: &'static str, tests: &'static str) -> Vec<(String, String, String)> {
    failures_with(runbook, tests, &[])
}

/// A project with a runbook and a file of tests.
fn subject(runbook: &'static str, tests: &'static str, files: &[(&str, &'static str)]) -> Subject {
    let sim = crate::host::sim::executor::SimTaskExecutor::new(1);
    let host = crate::host::sim::SimHost::new(sim)
        .with_file("/project/spc.toml", "spc = \"0.1\"\n[allow]\ncommands = [\"git\"]\n")
        .with_file("/project/up.rhai", runbook)
        .with_file("/project/a_test.rhai", tests);
    let host = files
        .iter()
        .fold(host, |host, (name, text)| host.with_file(format!("/project/{name}"), *text));
    Subject::new(Arc::new(host), "/project".into(), "/project".into(), [])
}

/// The same with more files of the project.
fn failures_with(
    runbook: &'static str,
    tests: &'static str,
    files: &[(&str, &'static str)],
) -> Vec<(String, String, String)> {
    let subject = subject(runbook, tests, files);
    let file = Path::new("/project/a_test.rhai");
    let all = super::case::tests_of(&subject, file).unwrap().into_iter();
    all.map(|test| {
        let failure =
            super::case::run(&subject, file, &test, 1, crate::machine::world::Limits::default())
                .failure;
        let (message, hint) = failure
            .map(|it| (it.message.clone(), it.hint.clone().unwrap_or_default()))
            .unwrap_or_default();
        (test.name, message, hint)
    })
    .collect()
}

#[test]
fn a_pattern_that_nothing_fits_fails_the_test_where_something_was_asked_without_an_answer() {
    let runbook = "try { http::get(\"http://localhost:8000/health\") } catch {}\nimage(\"shop:1\").build(#{ context: \"app\" });";
    let tests = r#"
        fn test_1_slip() { sim::http("http://localhost:8000/helth", 503); runbook("up"); }
        fn test_2_build() { sim::build("shop:2", #{ fails_at: "RUN" }); runbook("up"); }
        fn test_3_right() {
            sim::http("GET http://localhost:*", 503);
            sim::http("http://localhost:9000/", 503);
            sim::build("shop:*", #{ step_takes: "1s" });
            runbook("up");
        }
        fn test_4_nothing_asked() { sim::command("git *", "x"); sim::http("http://localhost/", 200); }
    "#;
    let failed = failures_with(runbook, tests, &[("app/Dockerfile", "FROM scratch\n")]);
    let message = |call: &str| format!("Nothing that was asked is what {call} means");
    let expected = [
        (
            "test_1_slip",
            message("sim::http(\"http://localhost:8000/helth\")"),
            "did you mean \"GET http://localhost:8000/health\"?".to_owned(),
        ),
        ("test_2_build", message("sim::build(\"shop:2\")"), "did you mean \"shop:1\"?".to_owned()),
        ("test_3_right", String::new(), String::new()),
        ("test_4_nothing_asked", String::new(), String::new()),
    ];
    assert_eq!(failed, expected.map(|(name, message, hint)| (name.to_owned(), message, hint)));
}

#[test]
fn a_behaviour_of_containers_that_there_are_not_fails_the_test() {
    let runbook = "stack(\"shop\", #{ services: #{\n\
        backend: #{ image: \"shop:1\", command: [\"serve\", \"all\"] },\n\
        extra: #{ image: \"extra:1\", profiles: [\"more\"] },\n} }).up();\n";
    let tests = r#"
        fn test_1_slip() { sim::process("backnd", #{ logs: ["x"] }); runbook("up"); }
        fn test_2_nothing_like_it() { sim::process("q*", #{ logs: ["x"] }); runbook("up"); }
        fn test_3_late() { runbook("up"); sim::process("shop-backend-1", #{ logs: ["x"] }); runbook("up"); }
        fn test_4_by_every_name() {
            for name in ["backend", "shop-backend-1", "shop:*", "serve *", "shop-*"] { sim::process(name, #{ logs: ["x"] }); }
            runbook("up");
        }
        fn test_5_described_and_not_started() { sim::process("extra", #{ logs: ["x"] }); runbook("up"); }
        fn test_6_nothing_ran() { sim::process("any", #{ logs: ["x"] }); }
    "#;
    let failed = failures(runbook, tests);
    let message = |name: &str| {
        format!("No container that was started afterwards matches sim::process(\"{name}\")")
    };
    let expected = [
        ("test_1_slip", message("backnd"), "did you mean \"backend\"?".to_owned()),
        (
            "test_2_nothing_like_it",
            message("q*"),
            "available: backend, extra, extra:1, serve all, shop-backend-1, shop-extra-1, shop:1".to_owned(),
        ),
        (
            "test_3_late",
            message("shop-backend-1"),
            "it applies to containers that are started later: call it before the run that starts them".to_owned(),
        ),
        ("test_4_by_every_name", String::new(), String::new()),
        ("test_5_described_and_not_started", String::new(), String::new()),
        ("test_6_nothing_ran", String::new(), String::new()),
    ];
    assert_eq!(failed, expected.map(|(name, message, hint)| (name.to_owned(), message, hint)));
}

#[test]
fn a_failed_test_also_names_a_pattern_that_matches_nothing() {
    let runbook = "stack(\"shop\", #{ services: #{ web: #{ image: \"shop:1\" } } }).up();\n";
    let tests = "fn test_slow() { sim::process(\"wbe\", #{ ready_after: \"5m\" }); assert(runbook(\"up\").took > duration(\"5m\")); }\n";
    let failure = failure_of(runbook, tests);
    assert_eq!(failure.message, "The condition is false");
    let cause = failure.details.iter().find(|detail| detail.title == "the cause may be").unwrap();
    assert_eq!(
        cause.text,
        "No container that was started afterwards matches sim::process(\"wbe\")\ndid you mean \"web\"?"
    );
}

/// The failure of the only test.
fn failure_of(runbook: &'static str, tests: &'static str) -> Diagnostic {
    let subject = subject(runbook, tests, &[]);
    let file = Path::new("/project/a_test.rhai");
    let test = super::case::tests_of(&subject, file).unwrap().remove(0);
    let limits = crate::machine::world::Limits::default();
    (*super::case::run(&subject, file, &test, 1, limits).failure.unwrap()).clone()
}

#[test]
fn a_test_file_may_hold_only_the_set_up_of_a_crash_sweep() {
    let subject = subject("", "fn sweep() { sim::http(\"http://localhost/*\", 200); }\n", &[]);
    let tests = super::case::tests_of(&subject, Path::new("/project/a_test.rhai")).unwrap();
    assert!(tests.is_empty());
}

#[test]
fn an_unanswered_request_in_a_test_suggests_the_sim_function() {
    let tests = "fn test_http() { http::get(\"http://localhost:8000/x\"); }\nfn test_sh() { sh([\"git\", \"status\"]); }\n";
    let hints: Vec<String> = failures("", tests).into_iter().map(|(_, _, hint)| hint).collect();
    assert_eq!(
        hints,
        [
            "in a test, `sim::http(\"http://localhost:8000/x\", …)` defines the answer",
            "in a test, `sim::command(\"git *\", …)` defines its result",
        ]
    );
}
