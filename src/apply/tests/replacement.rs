//! Replacement of a container: the order of its steps, and the rollback.

use super::*;
use crate::engine::EngineError;
use crate::engine::EngineErrorKind;
use crate::engine::sim::{ExecAnswer, Fault, FaultEffect, FaultPoint};

/// A description of `db` with its volume.
pub(super) fn db(level: &str) -> Value {
    json!({
        "services": {"db": {"image": "db:1", "volumes": ["data:/data"], "healthcheck": check("pg_isready"), "restart": "unless-stopped", "environment": {"LEVEL": level}}},
        "volumes": {"data": {}},
    })
}

/// A worker that looks like a job, except that it does not end by itself.
pub(super) fn worker(level: &str) -> Value {
    json!({"services": {"redis": {"image": "redis:1", "environment": {"LEVEL": level}}}})
}

pub(super) fn web(level: &str, order: &str) -> Value {
    json!({"services": {"web": {
        "image": "web:1",
        "environment": {"LEVEL": level},
        "healthcheck": check("curl"),
        "restart": "always",
        "deploy": {"update_config": {"order": order}},
        "networks": {"front": {"aliases": ["site"]}, "back": {}},
    }}, "networks": {"front": {}, "back": {}}})
}

/// The variable `LEVEL` of a container.
pub(super) fn level(machine: &Machine, container: &str) -> String {
    let state = machine.state();
    let found = state.container(container).unwrap_or_else(|| panic!("there is no {container}"));
    assert_eq!(found.state, "running", "{container}");
    found.environment.iter().find_map(|entry| entry.strip_prefix("LEVEL=")).unwrap().to_owned()
}

pub(super) fn names(machine: &Machine) -> Vec<String> {
    machine.footprint().containers.into_keys().collect()
}

fn details(failure: &Failure) -> String {
    failure
        .details
        .iter()
        .map(|detail| format!("{}: {}", detail.title, detail.text))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A machine on which `description` has been running for some time.
pub(super) fn running(description: &Value) -> Machine {
    let machine = machine();
    machine.up(description).unwrap();
    machine.pass(secs(30));
    machine
}

#[test]
fn stop_first_proves_the_new_one_stops_the_old_one_and_removes_it_once_the_new_one_is_ready() {
    let machine = running(&db("1"));
    let (stamp, events) = (machine.state().volume("shop_data").unwrap().stamp, machine.events());
    machine.up(&db("2")).unwrap();
    let happened: Vec<_> = machine
        .happened_from(events)
        .into_iter()
        .filter(|line| !line.contains("spc-lock") && !line.contains("shop_data"))
        .collect();
    let wanted = [
        "create shop-db-1.new",
        "die shop-db-1",
        "stop shop-db-1",
        "start shop-db-1.new",
        "destroy shop-db-1",
        "rename shop-db-1",
    ];
    assert_eq!(happened, wanted);
    assert!(
        machine.when("destroy shop-db-1") > machine.when("start shop-db-1.new") + millis(700),
        "not before the new one is ready"
    );
    assert_eq!(
        (level(&machine, "shop-db-1").as_str(), machine.state().volume("shop_data").unwrap().stamp),
        ("2", stamp)
    );
    one_writer_each(&machine.state());
}

#[test]
fn a_new_one_that_does_not_get_ready_goes_and_the_old_one_serves_again() {
    for process in [
        Process::new().ready_after(secs(9000)),
        Process::new()
            .ready_after(secs(9000))
            .complains(millis(10), "bad configuration")
            .exits_after(millis(100), 3),
        Process::new().cannot_start("exec: \"postgres\": executable file not found in $PATH"),
        Process::new().on_exec(|_, _| Some(ExecAnswer::failure(127, "pg_isready: not found"))),
        Process::new().ready_after(secs(9000)).runs_out_of_memory_after(millis(100)),
    ] {
        let machine = running(&db("1"));
        machine.engine.set_process("shop-db-1.new", process);
        let before = machine.state();
        let failure = machine.up(&with(db("2"), "services.db.restart", "no")).unwrap_err();
        assert_eq!(failure.fields["service"], json!("db"), "{failure}");
        assert!(
            details(&failure)
                .ends_with("after the failure: db: the previous container is running again"),
            "{}",
            details(&failure)
        );
        assert_eq!(
            (names(&machine), level(&machine, "shop-db-1")),
            (vec!["shop-db-1".to_owned()], "1".to_owned())
        );
        assert_eq!(
            machine.state().container("shop-db-1").unwrap().id,
            before.container("shop-db-1").unwrap().id
        );
        assert!(!machine.footprint().locked);
        one_writer_each(&machine.state());
        let calls = machine.calls();
        machine.up(&db("1")).unwrap();
        assert!(machine.calls_from(calls).iter().all(|call| !call.mutates), "it is as it was");
    }
}

#[test]
fn the_failure_says_why_the_new_one_was_not_taken() {
    let machine = running(&db("1"));
    let process = Process::new()
        .ready_after(secs(9000))
        .complains(millis(10), "bad configuration")
        .exits_after(millis(100), 3);
    machine.engine.set_process("shop-db-1.new", process);
    let failure = machine.up(&with(db("2"), "services.db.restart", "no")).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Unhealthy, "\"db\" exited with code 3")
    );
    assert_eq!(failure.fields["code"], json!(3));
    let details = details(&failure);
    assert!(
        details.contains("last log lines: bad configuration")
            && details.contains("last probe, exit code 1"),
        "{details}"
    );
}

#[test]
fn a_new_one_that_can_not_be_made_leaves_the_old_one_running_all_the_time() {
    let machine = running(&db("1"));
    let refused = EngineError::new(EngineErrorKind::Server, "device or resource busy");
    machine.engine.fault(Fault {
        on: FaultPoint::method("container_create", 2),
        effect: FaultEffect::FailBefore(refused),
    });
    let failure = machine.up(&db("2")).unwrap_err();
    assert_eq!(
        failure.message,
        "Could not create the container \"shop-db-1.new\": device or resource busy"
    );
    assert!(machine.up(&with(db("2"), "services.db.image", "nowhere:1")).is_err());
    assert_eq!(
        (
            level(&machine, "shop-db-1").as_str(),
            machine.state().container("shop-db-1").unwrap().starts
        ),
        ("1", 1)
    );
    assert_eq!(names(&machine), ["shop-db-1"]);
}

#[test]
fn a_rollback_does_not_wait_for_a_container_that_was_not_stopped() {
    // The old container is broken, so somebody replaces it.
    let machine = machine();
    machine.up(&db("1")).unwrap();
    machine.engine.set_process("db", Process::new().ready_after(secs(9000)));
    machine
        .run(crate::engine::Engine::container_restart(
            &machine.engine,
            "shop-db-1",
            &crate::engine::StopRequest::default(),
        ))
        .unwrap();
    machine.pass(secs(60));
    let refused = EngineError::new(EngineErrorKind::Server, "device or resource busy");
    machine.engine.fault(Fault {
        on: FaultPoint::method("container_create", 2),
        effect: FaultEffect::FailBefore(refused),
    });
    let before = machine.executor.now();
    machine.up(&db("2")).unwrap_err();
    assert!(machine.executor.now() < before + secs(2));
}

#[test]
fn a_restored_container_has_its_old_networks() {
    let machine = running(&web("1", "stop-first"));
    let before = machine.footprint();
    machine.engine.set_process(
        "shop-web-1.new",
        Process::new().exits_after(millis(50), 1).ready_after(secs(9)),
    );
    let changed = with(web("2", "stop-first"), "services.web.restart", "no");
    let changed =
        with(with(changed, "networks.third", json!({})), "services.web.networks.third", json!({}));
    machine.up(&changed).unwrap_err();
    assert_eq!(machine.footprint().containers, before.containers);
}

#[test]
fn a_failed_replacement_leaves_no_volume_behind_and_takes_none_away() {
    let machine = machine_with(1, |builder| {
        builder.image("cached:1", ImageSpec::command(&["run"]).with_volume("/cache"))
    });
    let description = |level: &str, more: &str| json!({"services": {"web": {"image": "cached:1", "volumes": [more], "environment": {"LEVEL": level}, "healthcheck": check("curl")}}});
    machine.up(&description("1", "/cache")).unwrap();
    let before = machine.state().volumes;
    machine.engine.set_process(
        "shop-web-1.new",
        Process::new().exits_after(millis(50), 1).ready_after(secs(9)),
    );
    machine.up(&description("2", "/another")).unwrap_err();
    assert_eq!(
        machine.state().volumes.iter().map(|volume| &volume.name).collect::<Vec<_>>(),
        before.iter().map(|volume| &volume.name).collect::<Vec<_>>()
    );
    assert_eq!(level(&machine, "shop-web-1"), "1");
}

#[test]
fn a_failure_elsewhere_does_not_undo_a_healthy_replacement() {
    let machine = machine();
    let stack = |level: &str| {
        let service = |image: &str| json!({"image": image, "environment": {"LEVEL": level}, "healthcheck": check("ask")});
        json!({"services": {"db": service("db:1"), "web": service("web:1")}})
    };
    machine.up(&stack("1")).unwrap();
    machine.pass(secs(30));
    machine.engine.set_process(
        "shop-web-1.new",
        Process::new().exits_after(millis(10), 1).ready_after(secs(9)),
    );
    let failure = machine.up(&stack("2")).unwrap_err();
    assert_eq!(failure.fields["service"], json!("web"));
    assert_eq!(
        (level(&machine, "shop-db-1").as_str(), level(&machine, "shop-web-1").as_str()),
        ("2", "1")
    );
    assert_eq!(names(&machine), ["shop-db-1", "shop-web-1"]);
}

#[test]
fn a_condition_that_does_not_come_leaves_the_old_one_running() {
    let machine = running(&shop());
    machine.engine.set_process("migrate", Process::new().exits_after(millis(100), 2));
    let changed = with(
        with(shop(), "services.migrate.environment", json!({"TO": "2"})),
        "services.web.environment",
        json!({"WORKERS": "4"}),
    );
    let failure = machine.up(&changed).unwrap_err();
    assert_eq!(failure.message, "\"migrate\" exited with code 2");
    let web = machine.state().container("shop-web-1").unwrap().clone();
    assert_eq!((web.state, web.starts), ("running", 1), "never stopped");
    assert_eq!(names(&machine), ["shop-db-1", "shop-migrate-1", "shop-redis-1", "shop-web-1"]);
}

/// Runs `work` and observes the engine's state repeatedly at the same time.
pub(super) fn watched<T>(
    machine: &Machine,
    every: Duration,
    work: impl Future<Output = T>,
    mut look: impl FnMut(&EngineState),
) -> T {
    machine.run(async {
        let mut work = Box::pin(work).fuse();
        loop {
            futures::select_biased! {
                result = work => return result,
                () = machine.executor.sleep(every).fuse() => look(&machine.state()),
            }
        }
    })
}

#[test]
fn start_first_serves_without_a_gap_and_gives_the_alias_only_to_who_is_ready() {
    let machine = running(&web("1", "start-first"));
    machine.engine.keep_ready("web", 1);
    let started = machine.executor.now();
    let (ctx, changed) = (machine.ctx(), project(&web("2", "start-first")));
    let mut seen = BTreeSet::new();
    watched(&machine, millis(3), verbs::up(&ctx, &changed, &UpOptions::default()), |state| {
        let serving: Vec<_> = state
            .containers
            .iter()
            .filter(|container| container.state == "running")
            .filter(|container| {
                container
                    .networks
                    .values()
                    .any(|endpoint| endpoint.aliases.contains(&"web".to_owned()))
            })
            .map(|container| container.name.clone())
            .collect();
        assert!(!serving.is_empty(), "somebody answers to the name all the time");
        let first =
            machine.engine.event_trace().iter().any(|line| line.contains("start shop-web-1.new"));
        let ran = if first {
            machine.executor.now().saturating_sub(machine.when("start shop-web-1.new"))
        } else {
            Duration::ZERO
        };
        if ran < millis(300) {
            assert_eq!(serving, ["shop-web-1"], "not before it is ready");
        }
        seen.insert(serving);
    })
    .unwrap();
    assert!(seen.len() > 1 && machine.executor.now() > started);
    assert_eq!(
        (level(&machine, "shop-web-1").as_str(), names(&machine)),
        ("2", vec!["shop-web-1".to_owned()])
    );
    let networks = machine.state().container("shop-web-1").unwrap().networks.clone();
    assert_eq!(networks["shop_front"].aliases, ["web", "site"]);
    assert_eq!(networks["shop_back"].aliases, ["web"]);
}

#[test]
fn start_first_that_fails_never_touches_the_old_one() {
    let machine = running(&web("1", "start-first"));
    machine.engine.keep_ready("web", 1);
    machine.engine.set_process("shop-web-1.new", Process::new().ready_after(secs(9000)));
    let failure = machine.up(&web("2", "start-first")).unwrap_err();
    assert_eq!(failure.kind, Kind::Unhealthy);
    let web = machine.state().container("shop-web-1").unwrap().clone();
    assert_eq!((web.state, web.starts, names(&machine).len()), ("running", 1, 1));
    assert_eq!(web.networks["shop_front"].aliases, ["web", "site"]);
}

#[test]
fn start_first_is_refused_before_anything_is_touched_where_two_at_once_would_do_harm() {
    for (more, why) in [
        (
            json!({"volumes": ["data:/data"]}),
            "writes to the volume \"data\", which is not marked `\"x-spc-shared\": true`",
        ),
        (json!({"volumes": ["./data:/data"]}), "writes to the bind mount \"/project/data\""),
        (json!({"volumes": ["/data"]}), "writes to the anonymous volume at \"/data\""),
        (json!({"ports": ["8000:8000"]}), "has a fixed host port"),
        (json!({"networks": {"front": {"ipv4_address": "10.0.0.9"}}}), "has a static address"),
    ] {
        let mut description = web("1", "start-first");
        description["volumes"] = json!({"data": {}});
        description["services"]["web"]
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let options = ReadOptions { directory: Path::new(DIRECTORY), lookup: &|_| None };
        let refused = Project::read(PROJECT, &description, &options).unwrap_err();
        assert_eq!(
            refused.message,
            format!("\"start-first\" is not possible: the service \"web\" {why}")
        );
    }
}

#[test]
fn start_first_is_refused_where_the_image_has_a_volume() {
    let machine = machine_with(1, |builder| {
        builder.image("web:1", ImageSpec::command(&["serve"]).with_volume("/state"))
    });
    machine.up(&web("1", "start-first")).unwrap();
    let failure = machine.up(&web("2", "start-first")).unwrap_err();
    assert_eq!(
        failure.message,
        "\"start-first\" is not possible: the image of the service \"web\" has a volume at \"/state\""
    );
    assert_eq!(
        (
            level(&machine, "shop-web-1").as_str(),
            machine.state().container("shop-web-1").unwrap().starts
        ),
        ("1", 1)
    );
}

#[test]
fn the_containers_of_a_scaled_service_are_replaced_one_after_the_other() {
    let described = |level: &str| with(web(level, "stop-first"), "services.web.scale", 3);
    let machine = running(&described("1"));
    let (ctx, changed) = (machine.ctx(), project(&described("2")));
    watched(&machine, millis(3), verbs::up(&ctx, &changed, &UpOptions::default()), |state| {
        let running =
            state.containers.iter().filter(|container| container.state == "running").count();
        assert!(running >= 2, "{running} of three run");
    })
    .unwrap();
    for number in 1..=3 {
        assert_eq!(level(&machine, &format!("shop-web-{number}")), "2");
    }
}

/// A description in which `web` depends optionally on `redis`.
fn optional(condition: &str) -> Value {
    json!({"services": {
        "redis": {"image": "redis:1", "healthcheck": check("ping"), "restart": "no"},
        "web": {"image": "web:1", "depends_on": {"redis": {"condition": condition, "required": false}}},
    }})
}

#[test]
fn an_optional_dependency_may_fail_at_any_step() {
    let refused = || EngineError::new(EngineErrorKind::Server, "device or resource busy");
    for condition in ["service_healthy", "service_started"] {
        for (process, fault) in [
            (Process::new().ready_after(secs(9000)).exits_after(millis(100), 1), None),
            (Process::new().cannot_start("no"), None),
            (Process::new(), Some(FaultPoint::method("container_start", 1))),
            (Process::new(), Some(FaultPoint::method("image_pull", 1))),
        ] {
            let machine = machine_with(1, |builder| builder.process("redis", process));
            let mut description = optional(condition);
            if let Some(FaultPoint::Method(method, _)) = &fault
                && *method == crate::engine::Method::ImagePull
            {
                description = with(description, "services.redis.image", "nowhere:1");
            }
            if let Some(on) = fault {
                machine.engine.fault(Fault { on, effect: FaultEffect::FailBefore(refused()) });
            }
            machine
                .up(&description)
                .unwrap_or_else(|failure| panic!("{condition}: {failure} {:?}", failure.details));
            assert_eq!(machine.state().container("shop-web-1").unwrap().state, "running");
            assert!(
                machine
                    .logged()
                    .iter()
                    .any(|line| line.ends_with("not required, continuing without it")),
                "{:?}",
                machine.logged()
            );
        }
    }
}

#[test]
fn a_dependency_that_is_optional_for_only_one_service_fails_the_run() {
    let machine = machine_with(1, |builder| {
        builder.process("redis", Process::new().ready_after(secs(9)).exits_after(millis(100), 1))
    });
    let description = with(
        optional("service_healthy"),
        "services.other",
        json!({"image": "web:1", "depends_on": {"redis": {"condition": "service_healthy"}}}),
    );
    assert_eq!(machine.up(&description).unwrap_err().message, "\"redis\" exited with code 1");
}

#[test]
fn a_completed_job_runs_again_only_when_its_description_changes() {
    let machine = running(&shop());
    machine.up(&shop()).unwrap();
    assert_eq!(machine.state().container("shop-migrate-1").unwrap().starts, 1);
    let changed = with(shop(), "services.migrate.environment", json!({"TO": "2"}));
    machine.up(&changed).unwrap();
    let job = machine.state().container("shop-migrate-1").unwrap().clone();
    assert_eq!(
        (job.state, job.exit_code, job.starts, job.environment.as_slice()),
        ("exited", 0, 1, &["TO=2".to_owned()][..])
    );
    let events = machine.events();
    machine.up(&changed).unwrap();
    assert_eq!(machine.events(), events);
}

#[test]
fn a_failed_job_fails_the_run_and_runs_again_with_the_next() {
    let machine = machine_with(1, |builder| {
        builder.process(
            "migrate",
            Process::new().says(millis(5), "no such table").exits_after(millis(100), 2),
        )
    });
    let failure = machine.up(&shop()).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Unhealthy, "\"migrate\" exited with code 2")
    );
    assert!(details(&failure).contains("no such table"));
    assert_eq!(
        machine.state().container("shop-web-1").unwrap().state,
        "created",
        "who waits for it is not started"
    );
    machine.engine.set_process("migrate", Process::new().exits_after(millis(100), 0));
    machine.up(&shop()).unwrap();
    assert_eq!(machine.state().container("shop-migrate-1").unwrap().starts, 2);
}

#[test]
fn a_job_that_fails_after_a_change_leaves_the_one_before() {
    let machine = running(&shop());
    machine.engine.set_process("migrate", Process::new().exits_after(millis(100), 2));
    let changed = with(shop(), "services.migrate.environment", json!({"TO": "2"}));
    machine.up(&changed).unwrap_err();
    let job = machine.state().container("shop-migrate-1").unwrap().clone();
    assert_eq!((job.starts, job.exit_code, job.environment.len()), (1, 0, 0));
    machine.engine.set_process("migrate", Process::new().exits_after(millis(100), 0));
    machine.up(&changed).unwrap();
    assert_eq!(machine.state().container("shop-migrate-1").unwrap().environment, ["TO=2"]);
}

#[test]
fn anonymous_volumes_of_what_is_removed_are_named() {
    let machine = machine();
    let of = |scale: u32, has_other: bool| {
        let service =
            |scale: u32| json!({"image": "redis:1", "volumes": ["/scratch"], "scale": scale});
        let mut all = json!({"services": {"web": service(scale)}});
        if has_other {
            all["services"]["other"] = service(1);
        }
        all
    };
    machine.up(&of(2, true)).unwrap();
    machine
        .up_with(&of(1, false), &UpOptions { remove_orphans: true, ..UpOptions::default() })
        .unwrap();
    let state = machine.state();
    for name in ["shop-web-2", "shop-other-1"] {
        let logged = machine.logged();
        let said = logged
            .iter()
            .find(|line| line.starts_with(&format!("{name} is removed: 1 anonymous volume stays")))
            .unwrap();
        let volume = said.split("`docker volume rm ").nth(1).unwrap().split('`').next().unwrap();
        assert!(state.volume(volume).is_some(), "{said}");
    }
}
