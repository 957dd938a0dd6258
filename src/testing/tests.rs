use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use similar_asserts::assert_eq;

use super::process::End;
use super::world::{Subject, World};
use crate::engine::sim::When;
use crate::host::Host;
use crate::host::real::RealHost;
use crate::host::sim::conductor::SimConductor;
use crate::policy::CheckedPath;

/// The reference stack: the project that this is.
fn reference() -> Subject {
    let host = Arc::new(RealHost::new());
    let root = host.canonicalize(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    Subject::new(host, root.clone(), root.join("examples/spc"), [])
}

fn world() -> World {
    let secrets = ["POSTGRES_PASSWORD", "SECRET_KEY", "DJANGO_SUPERUSER_PASSWORD"];
    World::made(
        &reference(),
        SimConductor::new(1),
        1,
        |engine| engine,
        |host| secrets.iter().fold(host, |host, name| host.with_variable(name, "a-test's secret")),
    )
}

fn up(world: &World) -> super::Ran {
    world.run(&world.folder().join("scripts/up.rhai"), &[])
}

#[test]
fn the_reference_stack_comes_up_and_a_second_run_has_nothing_to_do() {
    let world = world();
    let first = up(&world);
    assert!(matches!(first.end, End::Done), "{:?}", first.end);
    assert!(first.took > Duration::from_secs(1));
    let running = world.engine.state().containers.iter().filter(|container| container.state == "running").count();
    assert_eq!(running, 8);
    let changes = world.engine.calls().iter().filter(|call| call.mutates).count();
    assert!(matches!(up(&world).end, End::Done));
    let before = world.engine.calls().len();
    assert!(matches!(up(&world).end, End::Done));
    assert_eq!(world.engine.calls()[before..].iter().filter(|call| call.mutates).map(|call| call.method).collect::<Vec<_>>(), [""; 0]);
    assert!(changes > 20);
    let kept = CheckedPath::trusted(reference().directory.join(".spc/options.json"));
    assert!(world.host.info(&kept).is_ok());
    assert!(RealHost::new().read(&kept).map_or(true, |real| real != world.host.read(&kept).unwrap()));
}

#[test]
fn a_killed_run_says_nothing_more_and_the_next_arrives() {
    for (call, when) in [(1, When::Before), (30, When::After), (60, When::Before)] {
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
        |info| Some((format!("{} {}", info.namespace, info.metadata.name), info.metadata.comments.join("\n"))),
        false,
    );
    functions.into_iter().filter(|(name, _)| name.contains(char::is_alphabetic)).collect()
}

#[test]
fn every_function_of_tests_says_what_it_does_with_an_example() {
    let silent: Vec<String> = documented().into_iter().filter(|(_, comment)| !comment.contains("```rhai")).map(|(name, _)| name).collect();
    assert_eq!(silent, [""; 0]);
}

#[test]
fn every_example_of_them_runs() {
    let mut text = String::new();
    let examples = documented().into_iter().flat_map(|(_, comment)| {
        let comment: String = comment.lines().map(|line| format!("{}\n", line.trim_start().trim_start_matches('/').trim_start())).collect();
        let parts = comment.split("```rhai\n").skip(1).map(|example| example.split("```").next().unwrap_or_default().to_owned());
        parts.collect::<Vec<_>>()
    });
    for (number, example) in examples.enumerate() {
        text.push_str(&format!("fn test_{number}() {{\n{example}}}\n"));
    }
    let sim = crate::host::sim::conductor::SimConductor::new(1);
    let host = crate::host::sim::SimHost::new(sim).with_file("/project/spc.toml", "").with_file("/project/a_test.rhai", text);
    let subject = Subject::new(Arc::new(host), "/project".into(), "/project".into(), []);
    let file = Path::new("/project/a_test.rhai");
    let tests = super::case::tests_of(&subject, file).unwrap();
    assert!(tests.len() > 30, "{} examples", tests.len());
    for test in tests {
        let outcome = super::case::run(&subject, file, &test, 1, super::world::Limits::default());
        let said = outcome.failure.map(|failure| format!("{} {:?}", failure.message, failure.place.map(|place| place.line)));
        assert_eq!(said, None, "{}", test.name);
    }
}
