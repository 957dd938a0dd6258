//! Two running containers never write to one volume, for any state of the engine.

use bollard::models;
use proptest::prelude::*;

use super::ownership::{adopt, compose_container, described};
use super::*;
use crate::engine::Engine;

/// A description with one service and its volume.
fn on_volume(service: &str, volume: &str) -> Value {
    let mut description = json!({
        "services": {"web": {"image": "web:1"}},
        "volumes": {"data": {"name": volume}},
    });
    description["services"][service] =
        json!({"image": "db:1", "volumes": ["data:/data"], "restart": "unless-stopped"});
    description
}

/// A running container without labels that mounts the volume.
fn stranger(machine: &Machine, name: &str, mount: &str) {
    let host =
        models::HostConfig { binds: Some(vec![mount.to_owned()]), ..models::HostConfig::default() };
    let body = models::ContainerCreateBody {
        image: Some("redis:1".into()),
        host_config: Some(host),
        ..Default::default()
    };
    machine.run(async {
        machine.engine.container_create(name, None, body).await.unwrap();
        machine.engine.container_start(name).await.unwrap();
    });
}

fn with_orphans_removed() -> UpOptions {
    UpOptions { remove_orphans: true, ..UpOptions::default() }
}

/// The events of containers, without those of the lock.
fn happened(machine: &Machine, from: usize) -> Vec<String> {
    machine.happened_from(from).into_iter().filter(|line| !line.contains("spc-lock")).collect()
}

#[test]
fn a_renamed_service_waits_until_the_old_one_is_gone_or_is_refused() {
    let machine = machine();
    machine.up(&on_volume("db", "shop_data")).unwrap();
    let events = machine.events();
    let renamed = on_volume("database", "shop_data");
    let failure = machine.up(&renamed).unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    let expected = "The service \"database\" would write to the volume \"shop_data\" beside the container \"shop-db-1\", which writes to it: \
                    spc created it for the service \"db\" of the project \"shop\", in \"/project\"";
    assert_eq!(failure.message, expected);
    assert_eq!(
        failure.hint.as_deref(),
        Some("--remove-orphans stops and removes that container first")
    );
    assert_eq!(happened(&machine, events), Vec::<String>::new());
    machine.up_with(&renamed, &with_orphans_removed()).unwrap();
    let happened = happened(&machine, events);
    assert!(
        happened.starts_with(&["die shop-db-1", "stop shop-db-1"].map(str::to_owned)),
        "{happened:?}"
    );
    let at = |line: &str| {
        happened.iter().position(|it| it == line).unwrap_or_else(|| panic!("{line}: {happened:?}"))
    };
    assert!(at("start shop-database-1") < at("destroy shop-db-1"), "{happened:?}");
    assert_eq!(machine.state().container("shop-database-1").unwrap().state, "running");
}

#[test]
fn a_volume_that_moves_to_another_service_is_released_before_it_is_used() {
    let machine = machine();
    let two = |of_a: Value, of_b: Value| {
        let service = |volumes: Value| json!({"image": "db:1", "volumes": volumes});
        json!({"services": {"a": service(of_a), "b": service(of_b)}, "volumes": {"x": {}, "y": {}}})
    };
    machine.up(&two(json!(["x:/data"]), json!([]))).unwrap();
    machine.up(&two(json!([]), json!(["x:/data"]))).unwrap();
    let log = machine.engine.event_trace().join("\n");
    assert!(log.rfind("die shop-a-1").unwrap() < log.find("start shop-b-1.new").unwrap(), "{log}");
    // Moves the volume back, this time in the order of the service names.
    machine.up(&two(json!(["x:/data"]), json!([]))).unwrap();
    machine.up(&two(json!(["x:/data"]), json!(["y:/data"]))).unwrap();
    // The services swap their volumes, so both stop before one of them starts.
    let events = machine.events();
    machine.up(&two(json!(["y:/data"]), json!(["x:/data"]))).unwrap();
    stopped_before_started(&machine.happened_from(events));
}

/// Asserts that all stops come before the first start, and that the stopped containers exist until
/// the last start.
fn stopped_before_started(happened: &[String]) {
    let at = |what: &str| -> Vec<usize> {
        let is_it = |line: &String| line.starts_with(what) && !line.contains("spc-lock");
        happened.iter().enumerate().filter(|(_, line)| is_it(line)).map(|(at, _)| at).collect()
    };
    let (died, started, destroyed) = (at("die "), at("start "), at("destroy "));
    assert!(
        died.len() > 1 && died.len() == started.len() && died.len() == destroyed.len(),
        "{happened:#?}"
    );
    assert!(
        died.iter().max() < started.iter().min() && started.iter().max() < destroyed.iter().min(),
        "{happened:#?}"
    );
}

#[test]
fn services_that_pass_their_volumes_round_are_all_stopped_before_one_starts() {
    let machine = machine();
    let three = |of_each: [&str; 3]| {
        let [a, b, c] =
            of_each.map(|volume| json!({"image": "db:1", "volumes": [format!("{volume}:/data")]}));
        json!({"services": {"a": a, "b": b, "c": c}, "volumes": {"x": {}, "y": {}, "z": {}}})
    };
    machine.up(&three(["x", "y", "z"])).unwrap();
    for round in [["y", "z", "x"], ["x", "y", "z"], ["z", "x", "y"]] {
        let events = machine.events();
        machine.up(&three(round)).unwrap();
        stopped_before_started(&machine.happened_from(events));
    }
}

#[test]
fn a_failed_hand_over_gives_the_volume_back() {
    for restart in ["no", "always"] {
        let described = |service: &str| {
            let mut described = on_volume(service, "shop_data");
            described["services"][service]["restart"] = restart.into();
            described
        };
        let machine = machine();
        machine.up(&described("db")).unwrap();
        let before = machine.state().container("shop-db-1").unwrap().id.clone();
        machine.engine.set_process("shop-database-1*", Process::new().exits_after(millis(50), 1));
        assert!(machine.up_with(&described("database"), &with_orphans_removed()).is_err());
        let state = machine.state();
        let names: Vec<&str> = state
            .containers
            .iter()
            .map(|it| it.name.as_str())
            .filter(|name| name.starts_with("shop-d"))
            .collect();
        assert_eq!(names, ["shop-db-1"], "{:?}", machine.logged());
        let db = state.container("shop-db-1").unwrap();
        assert_eq!((db.id.clone(), db.state), (before, "running"));
        machine.engine.set_process("shop-database-1*", Process::new());
        machine.up_with(&described("database"), &with_orphans_removed()).unwrap();
        assert!(machine.state().container("shop-db-1").is_none());
    }
}

#[test]
fn a_foreign_container_that_writes_to_the_volume_is_reported_and_kept() {
    let machine = machine();
    machine
        .run(machine.engine.volume_create(models::VolumeCreateRequest {
            name: Some("theirs".into()),
            ..Default::default()
        }))
        .unwrap();
    stranger(&machine, "backup", "theirs:/data");
    let mut external = on_volume("db", "theirs");
    external["volumes"]["data"]["external"] = true.into();
    let events = machine.events();
    let failure = machine.up(&external).unwrap_err();
    assert!(
        failure.message.ends_with("beside the container \"backup\", which writes to it: neither spc nor Docker Compose created it"),
        "{failure}"
    );
    assert!(!failure.hint.as_deref().unwrap().contains("rm"), "{failure:?}");
    assert_eq!(happened(&machine, events), Vec::<String>::new());
    machine
        .run(machine.engine.container_stop("backup", &crate::engine::StopRequest::default()))
        .unwrap();
    machine.up(&external).unwrap();
}

#[test]
fn a_reader_or_a_sharer_of_a_volume_is_not_a_second_writer() {
    let machine = machine();
    machine
        .run(machine.engine.volume_create(models::VolumeCreateRequest {
            name: Some("theirs".into()),
            ..Default::default()
        }))
        .unwrap();
    stranger(&machine, "reader", "theirs:/data:ro");
    let mut external = on_volume("db", "theirs");
    external["volumes"]["data"]["external"] = true.into();
    machine.up(&external).unwrap();
}

#[test]
fn two_entries_of_one_volume_are_one_volume() {
    let description = |shared: bool| {
        json!({
            "services": {"a": {"image": "db:1", "volumes": ["x:/data"]}, "b": {"image": "db:1", "volumes": ["y:/data"]}},
            "volumes": {"x": {"name": "one", "x-spc-shared": shared}, "y": {"name": "one", "x-spc-shared": true}},
        })
    };
    let options = ReadOptions { directory: Path::new(DIRECTORY), lookup: &|_| None };
    let failure = Project::read(PROJECT, &description(false), &options).unwrap_err();
    assert_eq!(failure.message, "2 containers would write to the volume \"x\" at once: a, b");
    Project::read(PROJECT, &description(true), &options).unwrap();
}

#[test]
fn a_stopped_container_is_not_started_beside_its_successor() {
    let machine = machine();
    machine.up(&on_volume("db", "shop_data")).unwrap();
    let all = |verb| {
        let services = BTreeSet::from(["db".to_owned(), "database".to_owned()]);
        machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, verb, None))
    };
    all(verbs::Lifecycle::Stop).unwrap();
    machine.up(&on_volume("database", "shop_data")).unwrap();
    for verb in [verbs::Lifecycle::Start, verbs::Lifecycle::Restart] {
        let failure = all(verb).unwrap_err();
        assert!(
            failure
                .message
                .starts_with("The service \"db\" would write to the volume \"shop_data\" beside"),
            "{failure}"
        );
    }
    let alone = machine
        .run(super::super::writers::check_start(&machine.ctx(), PROJECT, "shop-db-1"))
        .unwrap_err();
    assert!(
        alone.message.contains("\"shop_data\" beside the container \"shop-database-1\""),
        "{alone}"
    );
}

/// The leftovers of a `docker compose up` that was killed while it recreated the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LeftoverState {
    Absent,
    Created,
    Running,
    Stopped,
}

fn residue(machine: &Machine, name: &str, there: LeftoverState) {
    if there == LeftoverState::Absent {
        return;
    }
    machine.run(async {
        machine
            .engine
            .container_create(name, None, compose_container("db", "db:1", Some("shop_data:/data")))
            .await
            .unwrap();
        if there != LeftoverState::Created {
            machine.engine.container_start(name).await.unwrap();
        }
        if there == LeftoverState::Stopped {
            machine
                .engine
                .container_stop(name, &crate::engine::StopRequest::default())
                .await
                .unwrap();
        }
    });
}

fn one_database(machine: &Machine) {
    let state = machine.state();
    let of_db = |labels: &BTreeMap<String, String>| {
        labels.get(compose_label::SERVICE).is_some_and(|service| service == "db")
    };
    let left: Vec<_> = state
        .containers
        .iter()
        .filter(|it| of_db(&it.labels))
        .map(|it| (it.name.as_str(), it.state))
        .collect();
    assert_eq!(left, [("shop-db-1", "running")]);
    assert_eq!(state.volume("shop_data").unwrap().most_writers, 1);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn one_database_runs_after_adopting_what_a_killed_compose_left() {
    let all = [
        LeftoverState::Absent,
        LeftoverState::Created,
        LeftoverState::Running,
        LeftoverState::Stopped,
    ];
    for (old, new) in all
        .into_iter()
        .flat_map(|old| all.map(|new| (old, new)))
        .filter(|pair| *pair != (LeftoverState::Running, LeftoverState::Running))
    {
        let machine = machine();
        // The running one is created last, so two never ran at the same time.
        let mut left = [("shop-db-1", old), ("0a1b2c3d4e5f_shop-db-1", new)];
        left.sort_by_key(|(_, there)| *there == LeftoverState::Running);
        for (name, there) in left {
            residue(&machine, name, there);
        }
        let events = machine.events();
        let mut description = described();
        description["volumes"]["data"] = json!({ "external": true, "name": "shop_data" });
        if (old, new) == (LeftoverState::Absent, LeftoverState::Absent) {
            continue;
        }
        machine
            .up_with(&description, &adopt())
            .unwrap_or_else(|failure| panic!("{old:?} {new:?}: {failure}"));
        one_database(&machine);
        let happened = happened(&machine, events);
        let position = |line: &str| happened.iter().position(|it| it == line);
        for name in ["shop-db-1", "0a1b2c3d4e5f_shop-db-1"] {
            if let Some(died) = position(&format!("die {name}")) {
                assert!(died < position("start shop-db-1.new").unwrap(), "{happened:?}");
                assert!(
                    position(&format!("stop {name}")).is_some(),
                    "with its own signal: {happened:?}"
                );
            }
        }
        machine.up_with(&description, &adopt()).unwrap();
        one_database(&machine);
    }
}

#[test]
fn leftovers_of_a_killed_replacement_are_stopped_before_they_are_removed() {
    let machine = machine();
    machine.engine.allow_adoption();
    machine
        .run(machine.engine.volume_create(models::VolumeCreateRequest {
            name: Some("shop_data".into()),
            ..Default::default()
        }))
        .unwrap();
    let drawn = |name, number, writes, there| RandomWriter {
        name,
        number,
        by_spc: false,
        one_off: false,
        writes,
        there,
    };
    for left in [drawn(0, 2, false, 1), drawn(1, 1, true, 2)] {
        put(&machine, &left, &mut false);
    }
    let mut description = on_volume("db", "shop_data");
    description["volumes"]["data"]["external"] = true.into();
    machine.up_with(&description, &adopt()).unwrap();
    let happened = happened(&machine, 0);
    let position = |line: &str| {
        happened.iter().position(|it| it == line).unwrap_or_else(|| panic!("{line}: {happened:?}"))
    };
    assert!(position("stop shop-db-1.new") < position("destroy shop-db-1.new"), "{happened:?}");
}

/// A container on the engine before a run that may write to the volume.
#[derive(Debug, Clone)]
struct RandomWriter {
    name: usize,
    number: u32,
    by_spc: bool,
    one_off: bool,
    writes: bool,
    there: usize,
}

const NAMES: [&str; 7] = [
    "shop-db-1",
    "shop-db-1.new",
    "0a1b2c3d4e5f_shop-db-1",
    "shop-db-2",
    "mine",
    "shop-other-1",
    "shop-db-run-0a1b2c3d4e5f",
];

fn drawn() -> impl Strategy<Value = RandomWriter> {
    (
        0..NAMES.len(),
        1..3u32,
        any::<bool>(),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.8),
        1..4usize,
    )
        .prop_map(|(name, number, by_spc, one_off, writes, there)| RandomWriter {
            name,
            number,
            by_spc,
            one_off,
            writes,
            there,
        })
}

#[test]
fn a_renamed_service_of_docker_compose_is_led_on_by_adoption_with_orphans() {
    let machine = machine();
    machine.engine.allow_adoption();
    machine.run(async {
        machine
            .engine
            .volume_create(models::VolumeCreateRequest {
                name: Some("shop_data".into()),
                ..Default::default()
            })
            .await
            .unwrap();
        machine
            .engine
            .container_create(
                "shop-db-1",
                None,
                compose_container("db", "db:1", Some("shop_data:/data")),
            )
            .await
            .unwrap();
        machine.engine.container_start("shop-db-1").await.unwrap();
    });
    let mut described = on_volume("database", "shop_data");
    described["volumes"]["data"]["external"] = true.into();
    let up = |remove_orphans: bool| {
        machine
            .up_with(&described, &UpOptions { adopt: true, remove_orphans, ..UpOptions::default() })
    };
    let failure = up(false).unwrap_err();
    assert_eq!(
        failure.hint.as_deref(),
        Some("--adopt --remove-orphans stops and removes that container first"),
        "{failure}"
    );
    up(true).unwrap();
    assert!(
        machine.state().container("shop-db-1").is_none()
            && machine.state().container("shop-database-1").is_some()
    );
}

/// Creates the container. Only the first of several writers runs.
fn put(machine: &Machine, drawn: &RandomWriter, is_held: &mut bool) {
    let name = NAMES[drawn.name];
    let service = if name == "shop-other-1" { "other" } else { "db" };
    let mount = if drawn.writes { "shop_data:/data" } else { "shop_data:/data:ro" };
    let mut body = compose_container(service, "db:1", Some(mount));
    let labels = body.labels.get_or_insert_default();
    labels.insert(compose_label::CONTAINER_NUMBER.to_owned(), drawn.number.to_string());
    if drawn.one_off {
        labels.insert(compose_label::ONEOFF.to_owned(), "True".to_owned());
    }
    if drawn.by_spc {
        let own = [
            (label::PROJECT, PROJECT),
            (label::SERVICE, service),
            (label::FORMAT, "2"),
            (label::HASH, "0a"),
            (label::RUN, "r1"),
        ];
        labels.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
    machine.run(async {
        if machine.engine.container_create(name, None, body).await.is_err() {
            return;
        }
        let runs = drawn.there == 2 && !(*is_held && drawn.writes);
        if runs || drawn.there == 3 && !*is_held {
            machine.engine.container_start(name).await.unwrap();
            if drawn.there == 3 {
                machine
                    .engine
                    .container_stop(name, &crate::engine::StopRequest::default())
                    .await
                    .unwrap();
            }
        }
        *is_held |= runs && drawn.writes;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// The invariant is checked at each event, whether `up` succeeds, is rejected, fails, or is
    /// killed and run again.
    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn no_volume_ever_has_two_writers_for_any_initial_state(
        there in prop::collection::vec(drawn(), 0..5),
        orphans in any::<bool>(),
        renamed in any::<bool>(),
        fails in any::<bool>(),
        killed in prop::option::of(1..40u64),
        seed in any::<u64>(),
    ) {
        let machine = machine_with(seed, |builder| builder);
        machine.engine.allow_adoption();
        let mut is_held = false;
        machine.run(machine.engine.volume_create(models::VolumeCreateRequest { name: Some("shop_data".into()), ..Default::default() })).unwrap();
        for drawn in &there {
            put(&machine, drawn, &mut is_held);
        }
        let mut description = on_volume(if renamed { "other" } else { "db" }, "shop_data");
        description["volumes"]["data"]["external"] = true.into();
        let options = UpOptions { adopt: true, remove_orphans: orphans, ..UpOptions::default() };
        if fails {
            machine.engine.set_process("*.new", Process::new().exits_after(millis(50), 1));
        }
        if let Some(call) = killed {
            machine.engine.crash_at(call, crate::engine::sim::CallSide::After);
            let _ = machine.killed(verbs::up(&machine.ctx(), &project(&description), &options));
            machine.engine.recover();
            machine.pass(secs(40));
        }
        let _ = machine.up_with(&description, &options);
        let services = BTreeSet::from(["db".to_owned(), "other".to_owned()]);
        for verb in [verbs::Lifecycle::Start, verbs::Lifecycle::Restart, verbs::Lifecycle::Stop, verbs::Lifecycle::Start] {
            let _ = machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, verb, None));
        }
        let _ = machine.up_with(&description, &options);
        prop_assert_eq!(machine.engine.violations().iter().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    }
}

#[test]
fn the_later_of_two_projects_that_start_on_the_same_volume_is_stopped() {
    let description = json!({"services": {"a": {"image": "redis:1", "volumes": ["v:/d"]}}, "volumes": {"v": {"external": true, "name": "common"}}});
    for delay in [0, 20, 100, 300] {
        // This is the only case in which two containers may write for a moment, until spc notices
        // the later one.
        let machine = std::mem::ManuallyDrop::new(machine());
        let volume = models::VolumeCreateRequest {
            name: Some("common".into()),
            ..models::VolumeCreateRequest::default()
        };
        machine.run(machine.engine.volume_create(volume)).unwrap();
        let ctx = machine.ctx();
        let of = |name: &str| {
            let options = ReadOptions { directory: Path::new("/project"), lookup: &|_| None };
            Project::read(name, &description, &options).unwrap()
        };
        let (one, two) = (of("one"), of("two"));
        let options = UpOptions::default();
        let ended: Vec<Result<Outcome, Failure>> = machine.run(async {
            let later = async {
                machine.executor.sleep(millis(delay)).await;
                verbs::up(&ctx, &two, &options).await
            };
            let (one, two) = futures::future::join(verbs::up(&ctx, &one, &options), later).await;
            vec![one, two]
        });
        let refused: Vec<&Failure> =
            ended.iter().filter_map(|ended| ended.as_ref().err()).collect();
        assert_eq!(refused.len(), 1, "{delay}: {ended:?}");
        assert_eq!(refused[0].kind, Kind::Conflict, "{delay}");
        assert!(
            refused[0]
                .message
                .contains("would write to the volume \"common\" beside the container"),
            "{}",
            refused[0]
        );
        assert_eq!(
            machine
                .state()
                .containers
                .iter()
                .filter(|container| container.state == "running")
                .count(),
            1,
            "{delay}"
        );
        assert!(
            machine
                .engine
                .violations()
                .iter()
                .all(|found| found.to_string().contains("write to \"common\"")),
            "{delay}"
        );
    }
}

/// Two services that are never active at the same time, and a job that the database waits for. All
/// use the same volume.
fn taking_turns() -> Value {
    let on = |image: &str, more: Value| {
        let mut service = json!({"image": image, "volumes": ["data:/data"]});
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        service
    };
    let after = json!({"prepare": {"condition": "service_completed_successfully"}});
    json!({
        "services": {
            "prepare": on("job:1", json!({})),
            "dev": on("db:1", json!({"profiles": ["dev"], "depends_on": after})),
            "prod": on("db:1", json!({"profiles": ["prod"], "depends_on": after})),
        },
        "volumes": {"data": {}},
    })
}

#[test]
fn services_that_never_run_at_once_may_write_to_one_volume() {
    let machine = machine();
    let named = |names: &[&str]| {
        let services = Some(names.iter().map(|&name| name.to_owned()).collect());
        machine.up_with(&taking_turns(), &UpOptions { services, ..UpOptions::default() })
    };
    let only_writer = || assert_eq!(machine.state().volume("shop_data").unwrap().most_writers, 1);
    // Both services are named, so spc rejects this before any change.
    let failure = named(&["dev", "prod"]).unwrap_err();
    assert_eq!(
        failure.message,
        "2 containers would write to the volume \"data\" at once: dev, prod"
    );
    assert_eq!(machine.state().containers.len(), 0);

    named(&["dev"]).unwrap();
    let calls = machine.calls();
    named(&["dev"]).unwrap();
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
    only_writer();

    // The service is running, so neither the other service nor the job may run at the same time.
    let changed = with(taking_turns(), "services.prepare.environment", json!({"A": "1"}));
    for (description, service) in [(taking_turns(), "prod"), (changed, "prepare")] {
        let events = machine.events();
        let options =
            UpOptions { services: Some(vec![service.to_owned()]), ..UpOptions::default() };
        let failure = machine.up_with(&description, &options).unwrap_err();
        assert!(
            failure.message.contains(
                "would write to the volume \"shop_data\" beside the container \"shop-dev-1\""
            ),
            "{failure}"
        );
        assert_eq!(
            failure.hint.as_deref(),
            Some("stop the service \"dev\" first: `.stop([\"dev\"])`")
        );
        assert_eq!(happened(&machine, events), Vec::<String>::new());
    }
    let verb = |verb, names: &[&str]| {
        let services = names.iter().map(|&name| name.to_owned()).collect();
        machine.run(verbs::lifecycle_of(
            &machine.ctx(),
            PROJECT,
            &services,
            verbs::ServiceChoice::ByName,
            verb,
            None,
        ))
    };
    verb(verbs::Lifecycle::Stop, &["dev"]).unwrap();
    // The job runs again, and the database waits for its end.
    verb(verbs::Lifecycle::Start, &["prepare", "dev"]).unwrap();
    verb(verbs::Lifecycle::Stop, &["dev"]).unwrap();
    named(&["prod"]).unwrap();
    let failure = verb(verbs::Lifecycle::Start, &["dev", "prod"]).unwrap_err();
    assert!(failure.message.contains("beside the container \"shop-prod-1\""), "{failure}");
    only_writer();
}

#[test]
fn a_job_that_a_killed_run_left_at_work_is_waited_for_before_the_database_starts() {
    let machine = machine();
    machine.engine.set_process("migrate", Process::new().exits_after(secs(20), 0));
    let options = UpOptions { services: Some(vec!["dev".to_owned()]), ..UpOptions::default() };
    let ctx = machine.ctx();
    let interrupt = async {
        machine.host.sleep(secs(5)).await;
        ctx.cancel.cancel();
    };
    let described = project(&taking_turns());
    machine
        .run(async { futures::join!(verbs::up(&ctx, &described, &options), interrupt).0 })
        .unwrap_err();
    machine.up_with(&taking_turns(), &options).unwrap();
    assert_eq!(machine.state().volume("shop_data").unwrap().most_writers, 1);
    assert_eq!(machine.state().container("shop-dev-1").unwrap().state, "running");
}
