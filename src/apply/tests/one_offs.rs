//! One-off containers: their dependencies, and the leftovers of killed runs.

use super::*;
use crate::apply::one_off::{self, OneOffSpec};
use crate::model::event::Level;

/// A one-off container of the service that runs `command`, or the service's own command if it is
/// empty.
pub(super) fn of<'a>(described: &'a Project, service: &str, command: &[&str]) -> OneOffSpec<'a> {
    let service = &described.services[service];
    OneOffSpec {
        image: &service.image,
        command: command.iter().map(|&word| word.to_owned()).collect(),
        environment: Vec::new(),
        user: None,
        working_dir: None,
        project: PROJECT,
        service: Some((described, service)),
        built_by: None,
        with_dependencies: true,
        timeout: None,
    }
}

/// A machine with two commands for one-offs: `tool` exits, `forever` doesn't.
fn machine() -> Machine {
    machine_with(1, |builder| {
        builder
            .image("tool:1", ImageSpec::command(&["tool"]))
            .process("tool", Process::new().says(millis(1), "done").exits_after(millis(10), 0))
            .process("forever", Process::new().writes("/data"))
    })
}

/// `tool`, which depends on the database and a job, with a network and a volume of its own.
fn tools() -> Value {
    let mut description = shop();
    description["services"]["tool"] = json!({
        "image": "tool:1",
        "profiles": ["tools"],
        "command": ["tool"],
        "networks": ["tools"],
        "volumes": ["cache:/cache"],
        "depends_on": {"migrate": {"condition": "service_completed_successfully"}},
    });
    description["networks"]["tools"] = json!({});
    description["volumes"]["cache"] = json!({});
    description
}

fn names(machine: &Machine) -> Vec<String> {
    machine
        .state()
        .containers
        .iter()
        .map(|container| format!("{} {}", container.name, container.state))
        .collect()
}

/// Leaves a one-off container of `service` behind, like a run that is killed a second after the
/// container's start. Returns its name.
fn leave_behind(machine: &Machine, description: &Value, service: &str) -> String {
    let described = project(description);
    let killed = machine.executor.process(|| {
        let one_off =
            OneOffSpec { with_dependencies: false, ..of(&described, service, &["forever"]) };
        let ctx = machine.ctx();
        machine.run(async {
            let run = one_off::run(&ctx, &one_off).fuse();
            futures::select_biased! {
                ended = Box::pin(run).fuse() => panic!("it goes on for ever: {ended:?}"),
                () = machine.executor.sleep(secs(1)).fuse() => {}
            }
            machine.executor.kill_here(SimTaskExecutor::current_process());
        });
    });
    assert!(killed.unwrap().is_none());
    let left = machine
        .state()
        .containers
        .iter()
        .find(|container| container.name.contains("-run-"))
        .map(|left| left.name.clone());
    left.expect("it was left behind")
}

fn warnings(machine: &Machine) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::Log { level: Level::Warning, text } => Some(text.clone()),
        _ => None,
    };
    machine.seen.0.lock().iter().filter_map(text).collect()
}

#[test]
fn a_one_off_in_a_fresh_project_makes_what_it_needs_and_nothing_else() {
    let machine = machine();
    let described = project(&tools());
    let ended = machine.run(one_off::run(&machine.ctx(), &of(&described, "tool", &[]))).unwrap();
    assert_eq!(
        (ended.code, String::from_utf8_lossy(&ended.stdout).as_ref()),
        (0, "done\n"),
        "its service's own command"
    );
    assert_eq!(
        names(&machine),
        ["shop-db-1 running", "shop-migrate-1 exited"],
        "neither redis nor web, and no lock"
    );
    let state = machine.state();
    let networks: Vec<&str> = state
        .networks
        .iter()
        .map(|network| network.name.as_str())
        .filter(|name| name.starts_with("shop"))
        .collect();
    let volumes: Vec<&str> = state.volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(
        (networks, volumes),
        (vec!["shop_default", "shop_tools"], vec!["shop_cache", "shop_data"])
    );
    let calls = machine.calls();
    machine.run(one_off::run(&machine.ctx(), &of(&described, "tool", &["tool"]))).unwrap();
    let again: Vec<&str> = machine
        .calls_from(calls)
        .iter()
        .filter(|call| call.mutates)
        .map(|call| call.method)
        .collect();
    // The one-off writes to a volume, so spc holds the project's lock from the last check to the
    // start.
    let lock = ["container_create", "container_upload"];
    let command = [
        "container_create",
        "container_start",
        "container_remove",
        "container_stop",
        "container_remove",
    ];
    assert_eq!(again, [&lock[..], &command[..]].concat(), "what is there is used");
    let before = machine.footprint();
    machine
        .up_with(&tools(), &UpOptions { services: Some(vec!["db".into()]), ..UpOptions::default() })
        .unwrap();
    assert_eq!(machine.footprint(), before, "and is as `up` makes it");
}

#[test]
fn a_one_off_without_dependencies_brings_no_service_up() {
    let machine = machine();
    let described = project(&tools());
    let one_off = OneOffSpec { with_dependencies: false, ..of(&described, "tool", &[]) };
    machine.run(one_off::run(&machine.ctx(), &one_off)).unwrap();
    assert_eq!(names(&machine), Vec::<String>::new());
    assert!(machine.footprint().networks.contains("shop_tools"));
}

#[test]
fn a_one_off_does_not_begin_where_what_it_depends_on_fails() {
    let machine = machine();
    machine.engine.set_process("shop-migrate-1", Process::new().exits_after(millis(10), 3));
    let described = project(&tools());
    let failure =
        machine.run(one_off::run(&machine.ctx(), &of(&described, "tool", &[]))).unwrap_err();
    assert_eq!(failure.message, "\"migrate\" exited with code 3");
    assert!(
        !machine.happened_from(0).iter().any(|line| line.contains("-run-")),
        "{:?}",
        machine.happened_from(0)
    );
    assert!(!machine.footprint().locked);
}

#[test]
fn a_one_off_can_do_without_what_its_service_does_not_require() {
    let machine = machine();
    let mut description = tools();
    let optional = json!({"redis": {"condition": "service_started", "required": false}});
    description["services"]["tool"]["depends_on"] = optional;
    let described = project(&description);
    machine.run(one_off::run(&machine.ctx(), &of(&described, "tool", &[]))).unwrap();
    assert_eq!(names(&machine), Vec::<String>::new());
}

#[test]
fn a_one_off_replaces_nothing_that_runs_and_starts_what_was_stopped() {
    let machine = machine();
    machine.up(&tools()).unwrap();
    let id = |name: &str| machine.state().container(name).unwrap().id.clone();
    let before = (id("shop-db-1"), id("shop-migrate-1"));
    let mut changed = with(tools(), "services.db.environment.LEVEL", "2");
    changed["services"]["migrate"]["environment"] = json!({"TO": "2"});
    machine.run(one_off::run(&machine.ctx(), &of(&project(&changed), "tool", &[]))).unwrap();
    assert_eq!((id("shop-db-1"), id("shop-migrate-1")), before);
    let db = BTreeSet::from(["db".to_owned()]);
    machine
        .run(verbs::lifecycle(&machine.ctx(), PROJECT, &db, verbs::Lifecycle::Stop, None))
        .unwrap();
    let mut other = tools();
    other["services"]["tool"]["depends_on"] = json!(["db"]);
    machine.run(one_off::run(&machine.ctx(), &of(&project(&other), "tool", &[]))).unwrap();
    assert_eq!(
        (id("shop-db-1"), machine.state().container("shop-db-1").unwrap().state),
        (before.0, "running")
    );
}

#[test]
fn a_one_off_does_not_conflict_with_the_name_port_and_address_of_its_service() {
    let machine = machine();
    let description = json!({
        "services": {"web": {
            "image": "web:1",
            "container_name": "the-web",
            "ports": ["8000:8000"],
            "networks": {"a": {"ipv4_address": "10.7.0.9"}, "b": {"ipv4_address": "10.8.0.9"}},
        }},
        "networks": {
            "a": {"ipam": {"config": [{"subnet": "10.7.0.0/24"}]}},
            "b": {"ipam": {"config": [{"subnet": "10.8.0.0/24"}]}},
        },
    });
    machine.up(&description).unwrap();
    assert_eq!(
        machine
            .run(one_off::run(&machine.ctx(), &of(&project(&description), "web", &["tool"])))
            .unwrap()
            .code,
        0
    );
    assert_eq!(names(&machine), ["the-web running"]);
}

type Verb<'a> = &'a dyn Fn(&Machine) -> Result<(), Failure>;

#[test]
#[ignore = "slow: `make test` runs it"]
fn every_verb_removes_the_one_off_containers_of_a_killed_run() {
    let web = BTreeSet::from(["web".to_owned()]);
    let lifecycle = |machine: &Machine, verb| {
        machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, &web, verb, None)).map(drop)
    };
    let verbs: [(&str, Verb<'_>); 8] = [
        ("up", &|machine| machine.up(&tools()).map(drop)),
        ("down", &|machine| machine.down(false).map(drop)),
        ("stop", &|machine| lifecycle(machine, verbs::Lifecycle::Stop)),
        ("start", &|machine| lifecycle(machine, verbs::Lifecycle::Start)),
        ("restart", &|machine| lifecycle(machine, verbs::Lifecycle::Restart)),
        ("remove", &|machine| lifecycle(machine, verbs::Lifecycle::Remove { volumes: false })),
        ("run of a service", &|machine| {
            machine
                .run(one_off::run(&machine.ctx(), &of(&project(&tools()), "redis", &["tool"])))
                .map(drop)
        }),
        ("run of an image", &|machine| {
            let described = project(&tools());
            let one_off =
                OneOffSpec { image: "tool:1", service: None, ..of(&described, "redis", &["tool"]) };
            let ended = machine.run(one_off::run(&machine.ctx(), &one_off));
            ended.map(drop)
        }),
    ];
    for (verb, work) in verbs {
        let machine = machine();
        machine.up(&tools()).unwrap();
        let left = leave_behind(&machine, &tools(), "web");
        let before = machine.events();
        work(&machine).unwrap();
        assert!(machine.state().container(&left).is_none(), "after {verb}: {:?}", names(&machine));
        assert!(machine.happened_from(before).contains(&format!("destroy {left}")), "{verb}");
        assert_eq!(
            warnings(&machine),
            Vec::<String>::new(),
            "{verb}: its steps say what is removed and why"
        );
        assert!(
            machine.reported().contains(&format!("\"name\":\"{left}\""))
                && machine.reported().contains("left by an interrupted run"),
            "{verb}"
        );
        assert!(!machine.footprint().locked, "{verb}");
    }
}

#[test]
fn leftover_one_offs_are_removed_before_their_service_starts() {
    for start in [false, true] {
        let machine = machine();
        machine.up(&shop()).unwrap();
        let db = BTreeSet::from(["db".to_owned()]);
        machine
            .run(verbs::lifecycle(&machine.ctx(), PROJECT, &db, verbs::Lifecycle::Stop, None))
            .unwrap();
        let left = leave_behind(&machine, &shop(), "db");
        let before = machine.events();
        if start {
            machine
                .run(verbs::lifecycle(&machine.ctx(), PROJECT, &db, verbs::Lifecycle::Start, None))
                .unwrap();
        } else {
            machine.up(&shop()).unwrap();
        }
        let happened = machine.happened_from(before);
        let at = |what: String| {
            happened
                .iter()
                .position(|line| *line == what)
                .unwrap_or_else(|| panic!("no {what}: {happened:?}"))
        };
        assert!(at(format!("destroy {left}")) < at("start shop-db-1".to_owned()), "{happened:?}");
        one_writer_each(&machine.state());
    }
}

#[test]
fn a_one_off_of_the_same_service_takes_the_place_of_one_that_a_killed_run_left() {
    let machine = machine();
    let left = leave_behind(&machine, &shop(), "db");
    machine.run(one_off::run(&machine.ctx(), &of(&project(&shop()), "db", &["tool"]))).unwrap();
    assert!(machine.state().container(&left).is_none());
    one_writer_each(&machine.state());
}

#[test]
fn an_address_that_the_container_of_a_killed_run_was_given_is_free_again() {
    let machine = machine();
    let on = |address: Option<&str>| {
        let attachment =
            address.map_or_else(|| json!({}), |address| json!({"ipv4_address": address}));
        json!({
            "services": {"web": {"image": "web:1", "networks": {"a": attachment}}},
            "networks": {"a": {"ipam": {"config": [{"subnet": "10.7.0.0/24"}]}}},
        })
    };
    let left = leave_behind(&machine, &on(None), "web");
    let address =
        machine.state().container(&left).unwrap().networks["shop_a"].address.unwrap().to_string();
    machine.up(&on(Some(&address))).unwrap();
    assert_eq!(names(&machine), ["shop-web-1 running"]);
}

#[test]
fn a_network_that_the_container_of_a_killed_run_is_on_can_be_renamed_with_its_subnet() {
    let machine = machine();
    let on = |name: &str| {
        let subnet = json!({"name": name, "ipam": {"config": [{"subnet": "10.7.0.0/24"}]}});
        json!({"services": {"web": {"image": "web:1", "networks": ["a"]}}, "networks": {"a": subnet}})
    };
    machine.up(&on("one")).unwrap();
    leave_behind(&machine, &on("one"), "web");
    machine.up(&on("two")).unwrap();
    assert_eq!(names(&machine), ["shop-web-1 running"]);
}

#[test]
fn a_one_off_of_a_live_run_is_kept_without_a_message() {
    let machine = machine();
    machine.up(&tools()).unwrap();
    let (described, ctx) = (project(&tools()), machine.ctx());
    let one_off = of(&described, "redis", &["forever"]);
    machine.run(async {
        let other = async {
            machine.executor.sleep(secs(1)).await;
            verbs::up(&machine.ctx(), &described, &UpOptions::default()).await.unwrap();
            let running = machine
                .state()
                .containers
                .iter()
                .filter(|container| container.name.contains("-run-"))
                .count();
            assert_eq!(running, 1);
            ctx.cancel.cancel();
        };
        let (ended, ()) =
            Box::pin(futures::future::join(one_off::run(&ctx, &one_off), other)).await;
        assert_eq!(ended.unwrap_err().kind, Kind::Interrupted);
    });
    assert_eq!(warnings(&machine), Vec::<String>::new());
    assert!(
        !names(&machine).iter().any(|name| name.contains("-run-")),
        "and its own run removes it"
    );
}

#[test]
fn a_one_off_of_another_machine_or_version_is_kept_and_reported() {
    let says = |left: &str| {
        format!(
            "the one-off container {left} is kept: spc can't tell from here whether its run still exists; `down` removes it"
        )
    };
    let mut machine = machine();
    machine.up(&shop()).unwrap();
    let left = leave_behind(&machine, &shop(), "web");
    machine.host = Arc::new(SimHost::new(machine.executor.clone()).with_boot("another"));
    for run in 1..3 {
        machine.up(&shop()).unwrap();
        let of_one_offs = warnings(&machine).into_iter().filter(|text| text.contains("one-off"));
        assert_eq!(of_one_offs.collect::<Vec<_>>(), vec![says(&left); run]);
    }
    assert!(machine.state().container(&left).is_some());
    machine.down(false).unwrap();
    assert!(machine.state().container(&left).is_none());

    let machine = self::machine();
    machine.up(&shop()).unwrap();
    let (described, ctx) = (project(&shop()), machine.ctx());
    let mut body = crate::apply::create::one_off(&ctx, &of(&described, "redis", &["forever"]));
    body.labels.as_mut().unwrap().insert(label::PROCESS.to_owned(), String::new());
    machine.run(ctx.engine.container_create("shop-redis-run-0a", None, body)).unwrap();
    machine.up(&shop()).unwrap();
    assert_eq!(warnings(&machine), [says("shop-redis-run-0a")]);
}

#[test]
fn a_one_off_creates_its_objects_under_the_lock_and_runs_without_it() {
    let machine = machine();
    let described = project(&tools());
    let ctx = machine.ctx();
    let one_off = of(&described, "tool", &["forever"]);
    let locked = |machine: &Machine| machine.state().container(&lock_container(PROJECT)).is_some();
    machine.run(async {
        let watch =
            async {
                let mut was_locked = false;
                while !machine.state().containers.iter().any(|container| {
                    container.name.contains("-run-") && container.state == "running"
                }) {
                    machine.executor.sleep(millis(10)).await;
                    was_locked |= locked(&machine);
                }
                assert!(was_locked, "while the database was brought up");
                machine.executor.sleep(millis(500)).await;
                assert!(!locked(&machine), "while the command runs");
                ctx.cancel.cancel();
            };
        futures::future::join(one_off::run(&ctx, &one_off), watch).await.0.unwrap_err();
    });
    let held = machine.run(crate::apply::lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap();
    let before = machine.executor.now();
    let reads = project(&with(tools(), "services.tool.volumes", json!(["cache:/cache:ro"])));
    machine.run(one_off::run(&machine.ctx(), &of(&reads, "tool", &[]))).unwrap();
    assert!(
        machine.executor.now() < before + secs(1),
        "where nothing is missing, another run's lock is not waited for"
    );
    let (failure, ()) = machine.run(async {
        let ctx = machine.ctx();
        let gives_up = async {
            machine.executor.sleep(secs(5)).await;
            ctx.cancel.cancel();
        };
        futures::future::join(one_off::run(&ctx, &of(&described, "tool", &[])), gives_up).await
    });
    assert_eq!(
        failure.unwrap_err().kind,
        Kind::Interrupted,
        "a second writer could be started meanwhile"
    );
    machine.run(held.release()).unwrap();
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn only_one_of_several_concurrent_containers_writes_to_a_volume() {
    let description = json!({
        "services": {"tool": {"image": "tool:1", "volumes": ["cache:/cache"]}},
        "volumes": {"cache": {}},
    });
    let described = project(&description);
    for delay in [0, 1, 10, 40, 100, 250, 600] {
        for first in ["up", "start", "run"] {
            let machine = machine();
            machine.engine.set_process("tool", Process::new().writes("/cache"));
            if first == "start" {
                machine.up(&description).unwrap();
                machine
                    .run(verbs::lifecycle(
                        &machine.ctx(),
                        PROJECT,
                        &["tool".to_owned()].into(),
                        verbs::Lifecycle::Stop,
                        None,
                    ))
                    .unwrap();
            }
            let ctx = machine.ctx();
            let (one, two) = machine.run(async {
                let one = async {
                    let services = BTreeSet::from(["tool".to_owned()]);
                    match first {
                        "up" => verbs::up(&ctx, &described, &UpOptions::default()).await.map(drop),
                        "start" => verbs::lifecycle(
                            &ctx,
                            PROJECT,
                            &services,
                            verbs::Lifecycle::Start,
                            None,
                        )
                        .await
                        .map(drop),
                        _ => one_off::run(
                            &ctx,
                            &OneOffSpec {
                                timeout: Some(secs(5)),
                                ..of(&described, "tool", &["forever"])
                            },
                        )
                        .await
                        .map(drop),
                    }
                };
                let two = async {
                    machine.executor.sleep(millis(delay)).await;
                    one_off::run(
                        &ctx,
                        &OneOffSpec {
                            timeout: Some(secs(5)),
                            ..of(&described, "tool", &["forever"])
                        },
                    )
                    .await
                    .map(drop)
                };
                Box::pin(futures::future::join(one, two)).await
            });
            let kinds: Vec<Option<Kind>> =
                [&one, &two].map(|ended| ended.as_ref().err().map(|failure| failure.kind)).into();
            let expected = if first == "run" { Kind::Timeout } else { Kind::Conflict };
            assert!(
                kinds.contains(&Some(Kind::Conflict)) && kinds.contains(&Some(expected))
                    || kinds.contains(&None),
                "{first} {delay}: {kinds:?}"
            );
            assert_ne!(kinds, [None, None], "{first} {delay}");
            one_writer_each(&machine.state());
        }
    }
}

#[test]
fn a_slow_one_off_is_reported_and_terminated_at_its_timeout() {
    let machine = machine();
    let description = tools();
    let described = project(&description);
    let one_off = OneOffSpec {
        with_dependencies: false,
        timeout: Some(secs(25)),
        ..of(&described, "tool", &["forever"])
    };
    let failure = machine.run(one_off::run(&machine.ctx(), &one_off)).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Timeout, "The one-off container of \"tool\" did not end within 25 s")
    );
    let said: Vec<String> = machine
        .logged()
        .into_iter()
        .filter(|line| line.starts_with("waiting for the command \"forever\""))
        .collect();
    assert_eq!(
        said.iter().map(|line| line.rsplit_once(": ").unwrap().1).collect::<Vec<_>>(),
        ["not done after 4 s", "not done after 8 s", "not done after 16 s"]
    );
    assert!(!names(&machine).iter().any(|name| name.contains("-run-")), "{:?}", names(&machine));
}
