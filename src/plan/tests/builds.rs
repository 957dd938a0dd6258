//! Images that a described stack builds, and the use of earlier ones.

use std::collections::BTreeSet;
use std::path::PathBuf;

use similar_asserts::assert_eq;

use super::{ROOT, changed, host, planned, planned_and_run, stack, text, try_plan, up, world};
use crate::engine::sim::{ImageSpec, SimEngine};
use crate::host::sim::executor::SimTaskExecutor;
use crate::machine::World;

const TOOL: &str = r#"tool: #{ build: ".", image: "local/tool:1", profiles: ["tools"] }"#;
const DOCKERFILE: (&str, &str) = ("Dockerfile", "FROM base:1\nCMD [\"serve\"]\n");

/// A machine with the image `base:1` and without a registry.
fn without_registry(files: &[(&str, &str)]) -> World {
    let executor = SimTaskExecutor::new(7);
    let host = host(&executor, files, "red");
    let engine = SimEngine::builder(executor.clone())
        .image("base:1", ImageSpec::command(&["serve"]))
        .build();
    World::of(executor, engine, host, 7)
}

/// The calls that made images, in order.
fn made(world: &World) -> Vec<String> {
    let calls = world.engine.calls();
    let made = calls.iter().filter(|call| ["image_build", "image_pull"].contains(&call.method));
    made.map(|call| format!("{} {}", call.method, call.target)).collect()
}

#[test]
fn a_one_off_container_of_an_image_that_a_described_stack_builds_builds_it_once() {
    // For any spelling of the name, any stack of the runbook, and active or inactive services.
    let other = "let other = stack(\"other\", #{ services: #{ web: #{ image: \"web:1\" } } });\n";
    for spelled in ["local/tool:1", "docker.io/local/tool:1"] {
        let run = format!(
            "{}{other}run(\"{spelled}\", [\"x\"]);\nrun(\"local/tool:1\", [\"y\"]);\n",
            stack(TOOL)
        );
        let world = world(&[("run.rhai", &run), DOCKERFILE]);
        let said = text(&planned(&world, "run.rhai"));
        assert_eq!(said.matches("build image local/tool:1").count(), 1, "{said}");
        assert!(
            !said.contains("pull image local/tool:1") && !said.contains("pull image docker.io"),
            "{said}"
        );
        let ran = world.run(&PathBuf::from(ROOT).join("run.rhai"), &[]);
        assert_eq!(ran.code(), 0, "{:?}", ran.end);
        assert_eq!(made(&world), ["image_pull base:1", "image_build local/tool:1"]);
        let state = world.engine.state();
        assert!(state.containers.is_empty(), "{:?}", state.containers);
    }
}

#[test]
fn an_image_that_no_stack_of_the_runbook_builds_is_pulled() {
    let run = format!("{}run(\"local/other:1\", [\"x\"]);\n", stack(TOOL));
    let world = world(&[("run.rhai", &run), DOCKERFILE]);
    let said = text(&planned(&world, "run.rhai"));
    assert!(said.contains("pull image local/other:1") && !said.contains("build image"), "{said}");
}

#[test]
fn a_missing_image_is_reported_with_the_service_that_builds_it() {
    let help = "the service \"tool\" of the stack \"shop\" builds it: call that stack's `build([\"tool\"])` first";
    let other = "let other = stack(\"other\", #{ services: #{ web: #{ image: \"local/tool:1\" } } });\nother.up();\n";
    for script in [
        other,
        "image(\"local/tool:1\").pull();\n",
        "image(\"local/tool:1\").id;\n",
        "image(\"docker.io/local/tool:1\").inspect();\n",
    ] {
        let world =
            without_registry(&[("run.rhai", &format!("{}{script}", stack(TOOL))), DOCKERFILE]);
        let ran = world.run(&PathBuf::from(ROOT).join("run.rhai"), &[]);
        assert_ne!(ran.code(), 0);
        assert!(
            format!("{:?}", ran.end).contains(&format!("{help:?}")[1..]),
            "{script}: {:?}",
            ran.end
        );
    }
    // A failed build names its service.
    let run = format!("{}run(\"local/tool:1\", [\"x\"]);\n", stack(TOOL));
    let world = without_registry(&[("run.rhai", &run), ("Dockerfile", "FROM gone:1\n")]);
    let ran = world.run(&PathBuf::from(ROOT).join("run.rhai"), &[]);
    assert!(
        ran.code() == 1
            && format!("{:?}", ran.end).contains("The build of \\\"local/tool:1\\\" failed"),
        "{:?}",
        ran.end
    );
}

#[test]
fn a_build_that_changed_since_is_noted() {
    let described = |build: &str| {
        up(&format!(r#"web: #{{ build: #{{ context: "app", {build} }}, image: "local/web:1" }}"#))
    };
    let two =
        ("app/Dockerfile", "FROM base:1 AS one\nCMD [\"one\"]\nFROM one AS two\nCMD [\"two\"]\n");
    let world = world(&[("up.rhai", &described("target: \"one\"")), two]);
    assert_eq!(world.run(&PathBuf::from(ROOT).join("up.rhai"), &[]).code(), 0);
    for (build, what) in
        [("target: \"two\"", "target"), ("target: \"one\", args: #{ A: 1 }", "arguments")]
    {
        let after = changed(&world, &[("up.rhai", &described(build)), two], "red");
        let expected = format!(
            "note: the description of the image \"local/web:1\" changed since it was built ({what}); \
             `build()` or `up(#{{ build: true }})` builds it again"
        );
        let said = text(&planned(&after, "up.rhai"));
        let lines: BTreeSet<&str> = said.lines().collect();
        assert_eq!(lines, BTreeSet::from(["nothing to do", &expected]));
    }
}

#[test]
fn an_anonymous_volume_kept_under_another_image_is_noted() {
    let described = |tag: &str, options: &str| {
        let service = format!(r#"web: #{{ image: "web:{tag}", volumes: ["/deps"] }}"#);
        format!("{}shop.up({options});\n", stack(&service))
    };
    let world = world(&[("up.rhai", &described("1", ""))]);
    planned_and_run(&world, "up.rhai");
    let after = changed(
        &world,
        &[
            ("up.rhai", &described("2", "")),
            ("renew.rhai", &described("2", "#{ renew_anonymous_volumes: true }")),
        ],
        "red",
    );
    let notes = |file: &str| {
        let said = text(&planned(&after, file));
        assert!(said.contains("1 to replace"), "{said}");
        said.lines()
            .filter(|line| line.starts_with("note: "))
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(
        notes("up.rhai"),
        "note: web: the image changed, and \"/deps\" still has the anonymous volume of the old container, now in shop-web-1; `up(#{ renew_anonymous_volumes: true })` or --renew-anon-volumes creates a new one"
    );
    let renewed = notes("renew.rhai");
    let expected = "note: web: the anonymous volume at \"/deps\" is a new one; the old one, \"";
    assert!(
        renewed.starts_with(expected) && renewed.ends_with("\", stays on the engine"),
        "{renewed}"
    );
    assert_eq!(renewed.lines().count(), 1, "{renewed}");
}

#[test]
fn two_builds_under_one_name_end_the_plan() {
    let built = |value: u8| {
        format!(r#"build: #{{ context: ".", args: #{{ A: {value} }} }}, image: "local/web:1""#)
    };
    let services = format!("a: #{{ {} }}, b: #{{ {} }}", built(1), built(2));
    let world = world(&[("up.rhai", &up(&services)), DOCKERFILE]);
    let said = try_plan(&world, "up.rhai")
        .map_or_else(|refused| format!("{refused:?}"), |preview| text(&preview));
    assert!(
        said.contains("build different images under one name")
            && said.replace('\\', "").contains("they differ in \"args\""),
        "{said}"
    );
}

#[test]
fn a_planned_undo_keeps_the_notes_of_earlier_steps() {
    let of = |image: &str| {
        format!(r#"stack("shop", #{{ services: #{{ web: #{{ image: "{image}" }} }} }})"#)
    };
    let release = |end: &str| {
        let (old, fresh) = (of("web:1"), of("new:2"));
        let work = format!("g.undo(\"go back\", || {{ old.up(); }});\n    fresh.up();\n    {end}");
        format!(
            "let old = {old};\nlet fresh = {fresh};\nattempt(|| guarded(fresh, \"release\", |g| {{\n    {work}\n}}));\n"
        )
    };
    let world = world(&[
        ("first.rhai", &up(r#"web: #{ image: "web:1" }"#)),
        ("good.rhai", &release("")),
        ("bad.rhai", &release("fail(\"failed\", \"no\");")),
    ]);
    planned_and_run(&world, "first.rhai");
    let marks = |file: &str| {
        text(&try_plan(&world, file).unwrap()).matches("its image is unknown until step 1").count()
    };
    assert_eq!((marks("good.rhai"), marks("bad.rhai")), (1, 1));
}
