//! Compares plans with runs: each runbook is planned for a simulated machine, then run on it.

mod answers;
mod builds;
mod changes;
mod made_up;
mod meanwhile;
mod other_image;
mod read_only;
mod secrets;
mod side_by_side;
mod states;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use similar_asserts::assert_eq;

use super::{PlanOutcome, PlanRequest, plan};
use crate::api::context::Command;
use crate::engine::Engine;
use crate::engine::dry_run::OnWait;
use crate::engine::sim::{Call, SimEngine};
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::host::{Host, TaskExecutor};
use crate::machine::World;
use crate::model::diagnostic::Diagnostic;
use crate::model::plan_steps::PlanStep;
use crate::model::preview::{Preview, PreviewItem};
use crate::model::secret::Secrets;
use crate::model::step::{ActionKind, ObjectKind};
use crate::policy::CheckedPath;
use crate::script::Runbook;
use crate::script::project_context::{self, ProjectOptions, RunOptions};
use crate::ui;
use crate::ui::preview::Detail;

const ROOT: &str = "/project";
const WEB: &str = r#"web: #{ image: "web:1", environment: #{ COLOUR: env("COLOUR", "red") }, secrets: ["pw"], ports: ["8080:80"], volumes: ["data:/data"] }"#;

/// A machine and a project with these files.
fn world(files: &[(&str, &str)]) -> World {
    world_with(files, "red")
}

fn world_with(files: &[(&str, &str)], colour: &str) -> World {
    let executor = SimTaskExecutor::new(7);
    let host = host(&executor, files, colour);
    let engine = SimEngine::builder(executor.clone()).open_registry().build();
    World::of(executor, engine, host, 7)
}

fn host(executor: &Arc<SimTaskExecutor>, files: &[(&str, &str)], colour: &str) -> SimHost {
    let host = SimHost::new(executor.clone())
        .with_variable("COLOUR", colour)
        .with_variable("PW", "hunter2hunter2");
    let host =
        host.with_file(format!("{ROOT}/spc.toml"), "spc = \"0.1\"\n[allow]\ncommands = [\"*\"]\n");
    let host = host.with_file("/usr/bin/git", "").with_mode("/usr/bin/git", 0o755);
    files
        .iter()
        .fold(host, |host, (name, text)| host.with_file(format!("{ROOT}/{name}"), text.to_string()))
}

/// The same machine with other files, or another variable.
fn changed(world: &World, files: &[(&str, &str)], colour: &str) -> World {
    on_host(world, host(&world.executor, files, colour))
}

/// The same machine with another host that has the same records.
fn on_host(world: &World, host: SimHost) -> World {
    for file in ["state.json", "key.json"] {
        let path = CheckedPath::root_itself(ROOT).join(".spc/shop").join(file);
        if let Ok(content) = world.host.read(&path) {
            host.create_folder(&path.parent().unwrap()).unwrap();
            host.write(&path, &content, None).unwrap();
        }
    }
    World::of(world.executor.clone(), world.engine.clone(), host, world.seed)
}

fn stack(services: &str) -> String {
    format!(
        "const NOTHING = 0;\nlet shop = stack(\"shop\", #{{ volumes: #{{ data: #{{}} }}, secrets: #{{ pw: #{{ environment: \"PW\" }} }}, services: #{{ {services} }} }});\n"
    )
}

fn up(services: &str) -> String {
    stack(services) + "shop.up();\n"
}

fn try_plan(world: &World, file: &str) -> Result<Preview, Box<Diagnostic>> {
    match try_plan_saying(world, file, Arc::new(|_| {}))? {
        PlanOutcome::Preview(preview) => Ok(preview.into_inner()),
        PlanOutcome::Failed(_, diagnostic) => Err(diagnostic),
        PlanOutcome::Help(help) => panic!("{help:?}"),
    }
}

/// The result of the plan; `say` receives what it waits for.
fn try_plan_saying(world: &World, file: &str, say: OnWait) -> Result<PlanOutcome, Box<Diagnostic>> {
    let host: Arc<dyn Host> = world.host.clone();
    let place = project_context::find(&*host, &ProjectOptions::default(), Path::new(ROOT))?;
    let engine = world.engine.clone();
    let planning = PlanRequest {
        host,
        executor: TaskExecutor::Sim(world.executor.clone()),
        connector: Arc::new(Box::new(move || {
            let engine: Arc<dyn Engine> = Arc::new(engine.clone());
            async move { Ok(engine) }.boxed()
        })),
        secrets: Arc::new(Secrets::new()),
        place,
        options: RunOptions::default(),
        command: Command { name: "spc plan".to_owned(), words: Vec::new(), help: false },
        width: None,
        on_wait: say,
    };
    plan(&planning, &Runbook::File(PathBuf::from(ROOT).join(file)))
}

/// The plan; the machine is not changed.
fn planned(world: &World, file: &str) -> Preview {
    let calls = world.engine.calls().len();
    let before = (world.engine.state(), world.host.commands().len());
    let preview = try_plan(world, file).unwrap_or_else(|error| panic!("{error:?}"));
    let made: Vec<_> = world.engine.calls()[calls..]
        .iter()
        .filter(|call| call.mutates)
        .map(|call| call.method)
        .collect();
    assert_eq!(made, [""; 0], "nothing is changed");
    assert_eq!((world.engine.state(), world.host.commands().len()), before);
    preview
}

/// All steps of the plan.
fn text(preview: &Preview) -> String {
    shown(preview, Detail::AllSteps)
}

fn shown(preview: &Preview, detail: Detail) -> String {
    anstream::adapter::strip_str(&ui::preview::text(preview, detail, None)).to_string()
}

/// Plans and runs a runbook. Asserts that the run makes the planned changes in the same order.
fn planned_and_run(world: &World, file: &str) -> Preview {
    let preview = planned(world, file);
    let (calls, names) = (world.engine.calls().len(), names(world));
    let ran = world.run(&PathBuf::from(ROOT).join(file), &[]);
    assert_eq!(ran.code(), 0, "{:?}", ran.end);
    let created = names_of_events(world);
    let name = |target: &str| {
        names
            .get(target)
            .or_else(|| created.get(target))
            .cloned()
            .unwrap_or_else(|| target.to_owned())
    };
    let done: Vec<String> = world.engine.calls()[calls..]
        .iter()
        .filter_map(|call| described_call(call, &name))
        .collect();
    let steps: Vec<&PlanStep> = preview.steps().filter(|step| is_compared(step)).collect();
    let said = |step: &PlanStep| {
        format!(
            "{} {}",
            step.label.action,
            step.label.object.to_string().split(" to ").next().unwrap_or_default()
        )
    };
    let mut expected: Vec<String> = steps.iter().map(|step| said(step)).collect();
    let mut found = done.clone();
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "{}", text(&preview));
    for step in &steps {
        assert!(
            step.after.is_sorted_by(|one, next| one < next),
            "each step once, in order: {:?}",
            step.after
        );
        let at = |step: &PlanStep| done.iter().position(|line| *line == said(step)).unwrap();
        for before in steps.iter().filter(|before| step.after.contains(&before.number())) {
            assert!(at(before) < at(step), "{} before {}", said(before), said(step));
        }
    }
    preview
}

fn is_compared(step: &PlanStep) -> bool {
    step.changes
        && !matches!(
            step.label.action,
            ActionKind::DeliverConfigs | ActionKind::DeliverSecrets | ActionKind::WriteInto
        )
        && step.label.object.kind != ObjectKind::File
}

/// The current names by id.
fn names(world: &World) -> BTreeMap<String, String> {
    let state = world.engine.state();
    let networks = state.networks.iter().map(|network| (network.id.clone(), network.name.clone()));
    state
        .containers
        .iter()
        .map(|container| (container.id.clone(), container.name.clone()))
        .chain(networks)
        .collect()
}

/// The original names by id.
fn names_of_events(world: &World) -> BTreeMap<String, String> {
    let events = world.engine.past_events();
    let created = events.iter().rev().filter(|event| event.action.as_deref() == Some("create"));
    created
        .filter_map(|event| {
            Some((event.actor.clone()?.id?, event.actor.clone()?.attributes?.get("name")?.clone()))
        })
        .collect()
}

/// A call as a step of a plan; `None` for internal calls of spc.
fn described_call(call: &Call, name: &dyn Fn(&str) -> String) -> Option<String> {
    let (what, action) = call.method.split_once('_')?;
    let name = name(&call.target);
    let known = matches!(
        action,
        "create" | "start" | "stop" | "restart" | "rename" | "remove" | "pull" | "build"
    );
    (call.mutates && known && what != "exec" && !name.ends_with(".spc-lock"))
        .then(|| format!("{action} {what} {name}"))
}

#[test]
fn a_first_up_is_planned_with_what_waits_for_what() {
    let world = world(&[("up.rhai", &up(WEB))]);
    let expected = "\
up.rhai:3  up shop
  1  pull image web:1                   missing
  2  create network shop_default        missing
  3  create volume shop_data            missing
  4  create container shop-web-1        missing; its image is unknown until step 1; after 1, 2, 3
  5  deliver secrets to container shop-web-1  missing; after 4
  6  start container shop-web-1         missing; after 4, 5
  7  wait until ready container shop-web-1  missing; after 6
1 to pull, 3 to create";
    let preview = planned_and_run(&world, "up.rhai");
    assert_eq!(
        text(&preview).replace("  not", " not").split_whitespace().collect::<Vec<_>>(),
        expected.split_whitespace().collect::<Vec<_>>()
    );
    assert_eq!(text(&planned(&world, "up.rhai")), "nothing to do");
}

#[test]
fn a_changed_environment_is_named_and_no_value_is() {
    let world = world(&[("up.rhai", &up(WEB))]);
    planned_and_run(&world, "up.rhai");
    let world = changed(&world, &[("up.rhai", &up(WEB))], "blue");
    let preview = planned_and_run(&world, "up.rhai");
    let said = text(&preview);
    assert!(
        said.contains("create container shop-web-1.new")
            && said.contains("environment COLOUR changed"),
        "{said}"
    );
    assert!(!said.contains("blue") && !said.contains("hunter2"), "{said}");
    assert!(said.ends_with("1 to replace"), "{said}");
    assert!(preview.steps().all(|step| !step.cause.to_string().is_empty()), "{preview:?}");
}

#[test]
fn a_changed_config_is_named_and_its_content_is_not() {
    let script = r#"stack("shop", #{ configs: #{ "web.conf": #{ file: "web.conf" }, level: #{ content: "of a level" } }, services: #{
        web: #{ image: "web:1", configs: ["web.conf", #{ source: "level", target: "/etc/level", mode: 0o400 }] }, other: #{ image: "web:1" } } }).up();"#;
    let first = world(&[("up.rhai", script), ("web.conf", "first content")]);
    let said = text(&planned_and_run(&first, "up.rhai"));
    assert!(said.contains("deliver configs to container shop-web-1"), "{said}");
    let inside = |world: &World, path: &str| {
        world
            .engine
            .file("shop-web-1", path)
            .map(|content| String::from_utf8(content.to_vec()).unwrap())
    };
    assert_eq!(inside(&first, "/web.conf").unwrap(), "first content");
    assert_eq!(inside(&first, "/etc/level").unwrap(), "of a level");
    assert_eq!(text(&planned(&first, "up.rhai")), "nothing to do");
    let second = changed(&first, &[("up.rhai", script), ("web.conf", "second content")], "red");
    let said = text(&planned_and_run(&second, "up.rhai"));
    assert!(
        said.contains("config web.conf changed")
            && said.ends_with("1 to replace")
            && !said.contains("content"),
        "{said}"
    );
    assert_eq!(inside(&second, "/web.conf").unwrap(), "second content");
}

#[test]
fn the_image_of_a_planned_pull_is_unknown_until_its_step() {
    let pulling = stack(WEB) + "shop.pull();\nshop.up();\nprint(image(\"web:1\").inspect().Id);\n";
    let world = world(&[("up.rhai", &up(WEB)), ("pull.rhai", &pulling)]);
    planned_and_run(&world, "up.rhai");
    world
        .engine
        .publish(
            "web:1",
            &crate::engine::sim::ImageSpec::command(&["other"]),
            std::time::Duration::from_secs(1),
        )
        .unwrap();
    // A plan can't know whether the registry has another image now.
    let preview = planned(&world, "pull.rhai");
    let said = text(&preview);
    assert!(said.contains("pull image web:1"), "{said}");
    let only_if: Vec<usize> = preview
        .steps()
        .filter(|step| step.only_if.as_ref().is_some_and(|it| it.known_after == 1))
        .map(PlanStep::number)
        .collect();
    assert_eq!(only_if.len(), preview.steps().count() - 1, "{said}");
    assert!(said.contains("only if the image web:1 changes, unknown until step 1"), "{said}");
    planned_and_run(&world, "pull.rhai");
}

#[test]
fn a_service_that_is_gone_is_removed_only_when_asked_for() {
    let both = format!("{WEB}, other: #{{ image: \"other:1\" }}");
    let world = world(&[
        ("up.rhai", &up(&both)),
        ("less.rhai", &up(WEB)),
        ("clean.rhai", &(stack(WEB) + "shop.up((), #{ remove_orphans: true });")),
    ]);
    planned_and_run(&world, "up.rhai");
    let said = text(&planned(&world, "less.rhai"));
    assert_eq!(
        said,
        "note: shop-other-1 belongs to no described service; --remove-orphans removes it\nnothing to do"
    );
    let preview = planned_and_run(&world, "clean.rhai");
    assert!(text(&preview).ends_with("1 to remove"), "{}", text(&preview));
}

#[test]
fn scaling_up_and_down_again_is_planned_each_time() {
    let worker = r#"worker: #{ image: "worker:1" }"#;
    let scale = |count: u8| format!("{}shop.service(\"worker\").scale({count});\n", stack(worker));
    let world =
        world(&[("up.rhai", &up(worker)), ("three.rhai", &scale(3)), ("two.rhai", &scale(2))]);
    planned_and_run(&world, "up.rhai");
    assert!(text(&planned_and_run(&world, "three.rhai")).ends_with("2 to create"));
    let said = text(&planned_and_run(&world, "two.rhai"));
    assert!(
        said.contains("stop container shop-worker-3")
            && said.contains("scale is 2")
            && said.ends_with("1 to remove"),
        "{said}"
    );
}

#[test]
fn down_is_planned_and_a_second_one_has_nothing_to_do() {
    let world = world(&[
        ("up.rhai", &up(WEB)),
        (
            "down.rhai",
            "stack(\"shop\", #{ services: #{ web: #{ image: \"web:1\" } } }).down(#{ volumes: true });",
        ),
    ]);
    planned_and_run(&world, "up.rhai");
    assert!(text(&planned_and_run(&world, "down.rhai")).ends_with("3 to remove"));
    assert_eq!(text(&planned(&world, "down.rhai")), "nothing to do");
}

#[test]
fn an_unknown_result_is_marked_at_the_line_that_depends_on_it() {
    let code = "let asked = shop.service(\"web\").exec(\"date\", #{ check: false });\nprint(\"x\");\nif asked.ok {\n    fs::write(\"done\", \"x\");\n}\nsh([\"git\", \"tag\"]);\nif !confirm(\"Sure?\") { fail(\"failed\", \"no\"); }\n";
    let world = world(&[("up.rhai", &up(WEB)), ("ask.rhai", &(stack(WEB) + code))]);
    planned_and_run(&world, "up.rhai");
    let expected = "\
ask.rhai:3
  1  run command /bin/sh -c date in container shop-web-1  requested in line 3
ask.rhai:5: the steps below depend on the command \"/bin/sh -c date\" in the container shop-web-1 (step 1); assumed: exit code 0, no output
ask.rhai:6
  2  write file done                                      requested in line 6
ask.rhai:8
  3  run command git tag                                  requested in line 8
ask.rhai:9: the steps below depend on the question \"Sure?\"; assumed: yes
2 to run, 1 to write";
    assert_eq!(text(&planned(&world, "ask.rhai")), expected);
    assert!(world.host.info(&CheckedPath::trusted("/project/done")).is_err());
}

#[test]
fn a_plan_fails_where_a_program_is_missing_as_a_run_does() {
    let world = world(&[("a.rhai", "sh([\"git\", \"tag\"]);\nsh([\"gti\", \"tag\"]);\n")]);
    let failure = try_plan(&world, "a.rhai").unwrap_err();
    assert_eq!(
        failure.message,
        "Could not start \"gti\": there is no such program on this machine"
    );
    assert_eq!(failure.place.unwrap().line, 2);
}

#[test]
fn the_plan_ends_with_a_note_where_nothing_more_is_known() {
    let code = "let count = shop.service(\"web\").exec(\"wc\").int();\nshop.down();\n";
    let world = world(&[
        ("up.rhai", &up(WEB)),
        ("count.rhai", &(stack(WEB) + code)),
        ("wrong.rhai", &(stack(WEB) + "nonsense();\n")),
    ]);
    planned_and_run(&world, "up.rhai");
    let preview = planned(&world, "count.rhai");
    let said = text(&preview);
    assert!(said.contains("the plan ends at count.rhai:3: \"\" is not an integer"), "{said}");
    assert_eq!(
        try_plan(&world, "wrong.rhai").unwrap_err().message,
        "There is no function nonsense()"
    );
}

#[test]
fn a_job_that_is_waited_for_is_taken_to_end_well() {
    let services = r#"job: #{ image: "job:1" }, web: #{ image: "web:1", depends_on: #{ job: #{ condition: "service_completed_successfully" } } }"#;
    let world = world(&[("up.rhai", &up(services))]);
    let preview = planned(&world, "up.rhai");
    assert!(
        text(&preview).contains("wait until completed container shop-job-1"),
        "{}",
        text(&preview)
    );
    assert!(preview.ends.is_none());
}

#[test]
fn a_job_that_the_script_waits_for_is_assumed_to_complete() {
    let job = r#"job: #{ image: "job:1", restart: "no" }"#;
    let code =
        up(job) + "shop.service(\"job\").wait(\"completed\");\nfs::write(\"done\", \"x\");\n";
    let world = world(&[("up.rhai", &up(job)), ("wait.rhai", &code)]);
    let first = planned(&world, "wait.rhai");
    // The plan waits for a running job in the same way.
    planned_and_run(&world, "up.rhai");
    for (preview, step) in [(first, 4), (planned(&world, "wait.rhai"), 1)] {
        let said = text(&preview);
        assert!(
            said.contains("wait.rhai:4: the steps below depend on the end of the container shop-job-1; assumed: exit code 0"),
            "{said}"
        );
        assert!(preview.ends.is_none() && said.contains("write file done"), "{said}");
        assert!(preview.steps().count() >= step, "{said}");
    }
    // The result of an exited job is known.
    world.engine.end_process("shop-job-1", 0).unwrap();
    let wait = stack(job) + "shop.service(\"job\").wait(\"completed\");\n";
    let world = changed(&world, &[("wait.rhai", &wait)], "red");
    assert_eq!(text(&planned(&world, "wait.rhai")), "nothing to do");
}

/// A build from these lines, and a service with its image.
fn building(dockerfile: &str) -> World {
    let built = r#"web: #{ build: ".", image: "local/web:1" }"#;
    world(&[
        ("build.rhai", &(stack(built) + "shop.build();\nshop.up();\n")),
        ("Dockerfile", dockerfile),
    ])
}

#[test]
fn a_dockerfile_of_today_is_planned_and_built() {
    let world = building(
        "# syntax=docker/dockerfile:1\nARG V=1\nFROM base:$V AS one\nRUN --mount=type=cache,target=/c <<EOF\nNONSENSE x\nEOF\nFROM one\nCOPY --link --chmod=600 <<a /a\nFROM b\na\nONBUILD RUN x\nCMD [\"serve\"]\n",
    );
    let said = text(&planned_and_run(&world, "build.rhai"));
    assert!(said.contains("build image local/web:1") && !said.contains("note:"), "{said}");
}

#[test]
fn an_unparsed_dockerfile_gives_an_unknown_image_and_the_plan_continues() {
    for (line, why) in [
        ("FROM base:1\nFRESH x", "dockerfile parse error on line 2: unknown instruction: FRESH"),
        (
            "FROM base:${V#x}",
            "dockerfile parse error on line 1: the simulated builder can't tell what \"base:${V#x}\" stands for",
        ),
    ] {
        let world = building(line);
        let preview = planned(&world, "build.rhai");
        let said = text(&preview);
        assert!(
            said.contains(&format!(
                "note: a plan can't know what the build of the image local/web:1 makes: {why}"
            )),
            "{said}"
        );
        assert!(
            preview.ends.is_none()
                && said.contains("create container shop-web-1")
                && said.contains("unknown until step"),
            "{said}"
        );
        let ran = world.run(&PathBuf::from(ROOT).join("build.rhai"), &[]);
        assert_ne!(ran.code(), 0, "the simulated builder itself says what it can't do");
    }
}

#[test]
fn a_one_off_container_ends_and_what_it_prints_is_unknown() {
    let world =
        world(&[("run.rhai", "let out = run(\"tool:1\", [\"version\"]).stdout;\nprint(out);\n")]);
    let preview = planned(&world, "run.rhai");
    let said = text(&preview);
    assert!(
        said.contains("pull image tool:1") && said.contains("start container project-run-run-"),
        "{said}"
    );
    assert!(
        preview.items.iter().any(
            |item| matches!(item, PreviewItem::Assumption(it) if it.assumed.contains("code 0"))
        ),
        "{said}"
    );
}

#[test]
fn a_plan_says_what_a_one_off_container_of_a_service_needs() {
    let services = format!("{WEB}, tool: #{{ image: \"tool:1\", depends_on: [\"web\"] }}");
    let script = stack(&services) + "shop.service(\"tool\").run();\n";
    let world = world(&[("run.rhai", &script)]);
    let said = text(&planned(&world, "run.rhai"));
    for step in [
        "create network shop_default",
        "create volume shop_data",
        "start container shop-web-1",
        "start container shop-tool-run-",
    ] {
        assert!(said.contains(step), "{step}: {said}");
    }
}

#[test]
fn an_endless_wait_ends_the_plan() {
    let world = world(&[("wait.rhai", "loop { sleep(\"1h\"); }\n")]);
    let said = text(&planned(&world, "wait.rhai"));
    assert!(
        said.contains(
            "the plan ends at wait.rhai:1: it waits for something that a plan can't know"
        ),
        "{said}"
    );
}

/// This many services, each with a variable.
fn many(count: usize, level: u8) -> String {
    format!(
        "let services = #{{}};\nfor number in 1..={count} {{ services[`s${{number}}`] = #{{ image: `image:${{number % 20}}`, environment: #{{ LEVEL: \"{level}\" }} }}; }}\nstack(\"shop\", #{{ services: services }}).up();\n"
    )
}

#[test]
fn a_large_stack_costs_the_live_engine_as_many_calls_as_a_small_one() {
    let calls = |count: usize| {
        let world = world(&[("up.rhai", &many(count, 1)), ("less.rhai", &many(1, 1))]);
        assert_eq!(world.run(Path::new("/project/up.rhai"), &[]).code(), 0);
        let before = world.engine.calls().len();
        assert_eq!(text(&planned(&world, "up.rhai")), "nothing to do");
        world.engine.calls().len() - before
    };
    assert_eq!((calls(3), calls(60)), (4, 4));
}

#[test]
fn an_action_without_effect_is_not_a_step() {
    let again = "let web = shop.service(\"web\").containers()[0];\nweb.start();\nweb.stop();\nweb.stop();\n";
    let world = world(&[("up.rhai", &up(WEB)), ("again.rhai", &(stack(WEB) + again))]);
    assert_eq!(world.run(&PathBuf::from(ROOT).join("up.rhai"), &[]).code(), 0);
    let preview = planned(&world, "again.rhai");
    let said: Vec<String> = preview
        .steps()
        .map(|step| format!("{} {}", step.label.action, step.label.object))
        .collect();
    assert_eq!(said, ["stop container shop-web-1"]);
}

#[test]
fn a_build_is_planned_again_where_a_secret_of_it_changed() {
    let built = r#"web: #{ build: #{ context: "app", secrets: ["pw"] }, image: "local/web:1" }"#;
    let dockerfile = "FROM base:1\nRUN --mount=type=secret,id=pw,required make\n";
    let runbook = stack(built) + "shop.build();\n";
    let files = [("build.rhai", runbook.as_str()), ("app/Dockerfile", dockerfile)];
    let world = world(&files);
    let said = text(&planned_and_run(&world, "build.rhai"));
    assert!(
        said.contains("build image local/web:1")
            && !said.contains("hunter2")
            && !said.contains("note:"),
        "{said}"
    );
    assert_eq!(text(&planned_and_run(&world, "build.rhai")).trim(), "nothing to do");
    let other = on_host(
        &world,
        host(&world.executor, &files, "red").with_variable("PW", "another2another2"),
    );
    let said = text(&planned_and_run(&other, "build.rhai"));
    assert!(said.contains("build image local/web:1"), "{said}");
}
