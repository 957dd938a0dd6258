//! Ports, addresses, names, volumes and subnets that move to another container within one `up`.

use bollard::models;
use proptest::prelude::*;

use super::*;
use crate::engine::sim::FaultEffect;
use crate::engine::{Engine, EngineErrorKind};

/// A machine whose image `bad:1` dies soon after its start.
fn prepared(seed: u64) -> Machine {
    machine_with(seed, |builder| {
        builder
            .image("plain:1", ImageSpec::command(&["run"]))
            .image("bad:1", ImageSpec::command(&["die"]))
            .process("run", Process::new().ready_after(millis(100)))
            .process("die", Process::new().exits_after(millis(50), 3))
    })
}

fn plain(more: Value) -> Value {
    let mut service = json!({"image": "plain:1"});
    service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    service
}

fn orphans() -> UpOptions {
    UpOptions { remove_orphans: true, ..UpOptions::default() }
}

/// The name, state and ports of each container.
fn there(machine: &Machine) -> Vec<String> {
    let state = machine.state();
    let mut lines: Vec<String> = state
        .containers
        .iter()
        .map(|it| format!("{} {} {}", it.name, it.state, it.ports.join(" ")).trim().to_owned())
        .collect();
    lines.sort();
    lines
}

#[test]
fn a_port_moves_to_a_new_service_and_back() {
    let machine = prepared(1);
    let first = json!({"services": {"web": plain(json!({"ports": ["8000:80"]}))}});
    let second = json!({"services": {"web": plain(json!({})), "proxy": plain(json!({"ports": ["8000:80"]}))}});
    machine.up(&first).unwrap();
    machine.up(&second).unwrap();
    assert_eq!(there(&machine), ["shop-proxy-1 running 8000->80/tcp", "shop-web-1 running"]);
    machine.up_with(&first, &orphans()).unwrap();
    assert_eq!(there(&machine), ["shop-web-1 running 8000->80/tcp"]);
}

#[test]
fn services_that_swapped_ports_both_serve_as_before_if_one_fails() {
    let of = |a: &str, b: &str, image: &str| {
        json!({"services": {
            "a": plain(json!({"ports": [a], "restart": "unless-stopped"})),
            "b": plain(json!({"ports": [b], "image": image, "stop_grace_period": "5s"})),
        }})
    };
    let machine = prepared(1);
    machine.up(&of("8001:80", "8002:80", "plain:1")).unwrap();
    let before = (
        there(&machine),
        machine.state().containers.iter().map(|it| it.id.clone()).collect::<BTreeSet<_>>(),
    );
    let failure = machine.up(&of("8002:80", "8001:80", "bad:1")).unwrap_err();
    assert_eq!(failure.kind, Kind::Unhealthy, "{failure}");
    let after = (
        there(&machine),
        machine.state().containers.iter().map(|it| it.id.clone()).collect::<BTreeSet<_>>(),
    );
    assert_eq!(after, before, "{:?}", machine.logged());
    assert!(
        machine.logged().contains(&"a, b: the previous container is running again".to_owned()),
        "{:?}",
        machine.logged()
    );
    machine.up(&of("8002:80", "8001:80", "plain:1")).unwrap();
    assert_eq!(there(&machine), ["shop-a-1 running 8002->80/tcp", "shop-b-1 running 8001->80/tcp"]);
}

/// Three services that rotate their ports. The old `c` stops slowly.
fn passed_round(of_each: [&str; 3], image: &str) -> Value {
    let [a, b, c] = of_each.map(|port| json!([format!("{port}:80")]));
    json!({"services": {
        "a": plain(json!({"ports": a})),
        "b": plain(json!({"ports": b, "image": image})),
        "c": {"image": "slow:1", "ports": c, "stop_grace_period": "10s"},
    }})
}

#[test]
fn a_container_that_exits_before_its_group_is_ready_rolls_back_the_group() {
    for restart in ["no", "always"] {
        let machine = machine_with(1, |builder| {
            let images = [("plain:1", "run"), ("slow:1", "slow"), ("late:1", "late")];
            let builder = images.into_iter().fold(builder, |builder, (image, run)| {
                builder.image(image, ImageSpec::command(&[run]))
            });
            builder
                .process("run", Process::new().ready_after(millis(100)))
                .process("slow", Process::new().stop_takes(Duration::from_secs(6)))
                .process("late", Process::new().exits_after(Duration::from_secs(1), 3))
        });
        let described = |of_each: [&str; 3], image: &str| {
            let mut described = passed_round(of_each, image);
            described["services"]["b"]["restart"] = restart.into();
            described
        };
        machine.up(&described(["8001", "8002", "8003"], "plain:1")).unwrap();
        let ids =
            || machine.state().containers.iter().map(|it| it.id.clone()).collect::<BTreeSet<_>>();
        let before = (there(&machine), ids());
        let failure = machine.up(&described(["8003", "8001", "8002"], "late:1")).unwrap_err();
        assert!(
            failure.message.starts_with("\"b\" was ready, then exited with code 3"),
            "{failure}"
        );
        assert_eq!((there(&machine), ids()), before, "{:?}", machine.logged());
        let said =
            failure.details.iter().find(|detail| detail.title == "after the failure").unwrap();
        assert_eq!(said.text, "a, b, c: the previous container is running again");
    }
}

#[test]
fn a_service_gets_its_volume_back_if_the_one_that_took_it_fails() {
    let of = |a: Value, b: Value, image: &str| {
        json!({
            "services": {"a": plain(json!({"volumes": a})), "b": plain(json!({"volumes": b, "image": image}))},
            "volumes": {"data": {}},
        })
    };
    let machine = prepared(1);
    machine.up(&of(json!(["data:/data"]), json!([]), "plain:1")).unwrap();
    let ids = || machine.state().containers.iter().map(|it| it.id.clone()).collect::<BTreeSet<_>>();
    let before = (there(&machine), ids());
    let failure = machine.up(&of(json!([]), json!(["data:/data"]), "bad:1")).unwrap_err();
    assert_eq!((there(&machine), ids()), before, "{failure} {:?}", machine.logged());
    machine.up(&of(json!([]), json!(["data:/data"]), "plain:1")).unwrap();
    one_writer_each(&machine.state());
}

fn on_network(network: &str, image: &str) -> Value {
    json!({
        "services": {"a": {"image": image, "networks": {network: {"aliases": ["site"], "ipv4_address": "10.7.0.9"}}}},
        "networks": {network: {"ipam": {"config": [{"subnet": "10.7.0.0/24"}]}, "labels": {"own": "label"}}},
    })
}

#[test]
fn a_renamed_network_keeps_its_subnet_and_is_restored_if_the_new_container_fails() {
    let machine = prepared(1);
    machine.up(&on_network("old", "plain:1")).unwrap();
    let id = machine.state().container("shop-a-1").unwrap().id.clone();
    let before = machine.footprint();
    machine.up(&on_network("fresh", "bad:1")).unwrap_err();
    assert_eq!(machine.footprint(), before, "{:?}", machine.logged());
    assert_eq!(machine.state().container("shop-a-1").unwrap().id, id);
    let calls = machine.calls();
    // The network was recreated with the same name and settings. A run changes nothing.
    machine.up(&on_network("old", "plain:1")).unwrap();
    assert!(
        machine.calls_from(calls).iter().all(|call| !call.mutates),
        "{:?}",
        machine.calls_from(calls)
    );
    machine.up(&on_network("fresh", "plain:1")).unwrap();
    assert!(
        machine.footprint().networks.contains("shop_fresh")
            && !machine.footprint().networks.contains("shop_old")
    );
}

/// Starts a container outside the project.
fn somebody(machine: &Machine, name: &str, port: Option<&str>) {
    use bollard::models;
    let binding =
        |port: &str| models::PortBinding { host_ip: None, host_port: Some(port.to_owned()) };
    let body = models::ContainerCreateBody {
        image: Some("plain:1".into()),
        exposed_ports: port.map(|_| vec!["80/tcp".into()]),
        host_config: port.map(|port| models::HostConfig {
            port_bindings: Some([("80/tcp".to_owned(), Some(vec![binding(port)]))].into()),
            ..models::HostConfig::default()
        }),
        ..models::ContainerCreateBody::default()
    };
    machine.run(async {
        machine.engine.container_create(name, None, body).await.unwrap();
        machine.engine.container_start(name).await.unwrap();
    });
}

#[test]
fn a_conflict_with_a_foreign_container_is_reported_before_any_change() {
    let machine = prepared(1);
    somebody(&machine, "holder", Some("9000"));
    let of = |more: Value| json!({"services": {"a": plain(more)}});
    machine.up(&of(json!({"ports": ["8000:80"]}))).unwrap();
    for (change, message, path) in [
        (
            json!({"ports": ["127.0.0.1:9000:80"]}),
            "The service \"a\" needs the host port 9000 on 127.0.0.1, which is taken by the container \"holder\"",
            "services.a.ports",
        ),
        (
            json!({"ports": ["8000:80"], "container_name": "holder"}),
            "The container name \"holder\" is taken by another container: neither spc nor Docker Compose created it. Its image is \"plain:1\", its state is running, and it was created at 2026-01-01T00:00:00Z",
            "services.a",
        ),
    ] {
        let calls = machine.calls();
        let failure = machine.up(&of(change)).unwrap_err();
        assert_eq!((failure.message.as_str(), failure.kind), (message, Kind::Conflict));
        assert_eq!(failure.path.unwrap().to_string(), path);
        assert!(
            machine.calls_from(calls).iter().all(|call| !call.mutates),
            "{:?}",
            machine.calls_from(calls)
        );
    }
}

#[test]
fn a_dynamic_address_that_a_service_keeps_is_refused_to_another() {
    let machine = prepared(1);
    let of = |more: Value| {
        let mut services = json!({"a": plain(json!({"networks": ["n"]}))});
        services.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"services": services, "networks": {"n": {"ipam": {"config": [{"subnet": "10.7.0.0/24"}]}}}})
    };
    machine.up(&of(json!({}))).unwrap();
    let failure = machine
        .up(&of(json!({"b": plain(json!({"networks": {"n": {"ipv4_address": "10.7.0.2"}}}))})))
        .unwrap_err();
    assert_eq!(
        failure.message,
        "The service \"b\" needs the address 10.7.0.2 on the network \"shop_n\", which is taken by the container \"shop-a-1\""
    );
    assert_eq!(failure.path.unwrap().to_string(), "services.b.networks.n.ipv4_address");
}

/// The random resources of a service.
#[derive(Debug, Clone)]
struct ServiceResources {
    port: usize,
    address: usize,
    name: usize,
    volume: usize,
    network: usize,
    level: usize,
    /// The earlier services that it depends on, as bits.
    needs: usize,
}

fn has() -> impl Strategy<Value = Option<ServiceResources>> {
    let some = (0..5usize, 0..3usize, 0..4usize, 0..4usize, 0..2usize, 0..2usize, 0..4usize)
        .prop_map(|(port, address, name, volume, network, level, needs)| ServiceResources {
            port,
            address,
            name,
            volume,
            network,
            level,
            needs,
        });
    prop::option::weighted(0.8, some)
}

/// A description of these services. `keys` selects the name of each of the two subnets.
fn described(services: &[Option<ServiceResources>], keys: (usize, usize)) -> Value {
    const SERVICES: [&str; 3] = ["a", "b", "c"];
    const NAMES: [Option<&str>; 4] = [None, Some("one"), Some("two"), Some("shop-a-1")];
    const PORTS: [Option<&str>; 5] = [
        None,
        Some("8001:80"),
        Some("8002:80"),
        Some("127.0.0.1:8001:80"),
        Some("127.0.0.1:8002:80"),
    ];
    const VOLUMES: [Option<&str>; 4] = [None, Some("data"), Some("more"), Some("rest")];
    let networks = [["n", "m"][keys.0], ["r", "s"][keys.1]];
    let there =
        || services.iter().enumerate().filter_map(|(number, has)| Some((number, has.as_ref()?)));
    // A later service doesn't get a resource that an earlier service has.
    let mut taken: BTreeSet<String> = there()
        .filter(|(_, has)| has.name == 0)
        .map(|(number, _)| format!("shop-{}-1", SERVICES[number]))
        .collect();
    let mut map = serde_json::Map::new();
    for (number, has) in there() {
        let network = networks[has.network];
        let address = format!("10.7.{}.{}", has.network, 100 + has.address);
        let attachment = if has.address > 0 && taken.insert(address.clone()) {
            json!({"ipv4_address": address})
        } else {
            json!({})
        };
        let port = PORTS[has.port]
            .filter(|port| taken.insert(port.trim_start_matches("127.0.0.1:").to_owned()));
        let mut service = plain(json!({
            "networks": {network: attachment},
            "ports": port.into_iter().collect::<Vec<_>>(),
            "environment": {"LEVEL": has.level},
        }));
        match NAMES[has.name] {
            Some(name) if taken.insert(name.to_owned()) => service["container_name"] = json!(name),
            _ => {}
        }
        if let Some(volume) =
            VOLUMES[has.volume].filter(|volume| taken.insert((*volume).to_owned()))
        {
            service["volumes"] = json!([format!("{volume}:/data")]);
        }
        if let Some(other) = (has.needs > 0)
            .then(|| has.needs - 1)
            .filter(|&other| other < number && services[other].is_some())
        {
            service["depends_on"] = json!({SERVICES[other]: {"condition": "service_healthy"}});
        }
        map.insert(SERVICES[number].to_owned(), service);
    }
    let pool =
        |subnet: usize| json!({"ipam": {"config": [{"subnet": format!("10.7.{subnet}.0/24")}]}});
    json!({"services": map, "networks": {networks[0]: pool(0), networks[1]: pool(1)}, "volumes": {"data": {}, "more": {}, "rest": {}}})
}

fn readable(description: &Value) -> bool {
    let options = ReadOptions { directory: Path::new(DIRECTORY), lookup: &|_| None };
    Project::read(PROJECT, description, &options).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn a_valid_description_can_follow_any_other_description(
        first in prop::collection::vec(has(), 3),
        second in prop::collection::vec(has(), 3),
        keys in (0..2usize, 0..2usize),
        later_keys in (0..2usize, 0..2usize),
        seed in any::<u64>(),
        faults in any::<bool>(),
    ) {
        let (first, second) = (described(&first, keys), described(&second, later_keys));
        prop_assume!(readable(&first) && readable(&second));
        prop_assume!(prepared(seed).up(&first).is_ok());
        let alone = prepared(seed);
        prop_assume!(alone.up(&second).is_ok());
        let machine = prepared(seed);
        machine.up(&first).unwrap();
        if faults {
            let refused = FaultEffect::FailBefore(crate::engine::EngineError::new(EngineErrorKind::Server, "out of order"));
            machine.engine.draw_faults(seed, 0.08, &[refused, FaultEffect::ReplyLost]);
            let _ = machine.up_with(&second, &orphans());
            machine.engine.clear_faults();
            machine.pass(secs(60));
        }
        let done = machine.up_with(&second, &orphans());
        prop_assert!(done.is_ok(), "{}\n{:#?}\n{:?}", done.unwrap_err(), there(&machine), machine.logged());
        let (changed, made) = (machine.footprint(), alone.footprint());
        prop_assert_eq!(changed.containers, made.containers, "changed into it or made anew is the same");
        one_writer_each(&machine.state());
        let calls = machine.calls();
        machine.up_with(&second, &orphans()).unwrap();
        prop_assert!(machine.calls_from(calls).iter().all(|call| !call.mutates), "a second up changes nothing");
    }
}

#[test]
fn an_address_that_a_service_names_is_not_given_to_another_one_first() {
    let on = |attachment: Value| json!({"image": "redis:1", "networks": {"n": attachment}});
    let description = json!({
        "services": {"a": on(json!({})), "b": on(json!({})), "z": on(json!({"ipv4_address": "10.7.0.2"}))},
        "networks": {"n": {"ipam": {"config": [{"subnet": "10.7.0.0/24"}]}}},
    });
    let machine = machine();
    machine.up(&description).unwrap();
    let verb = |verb| {
        machine.run(verbs::lifecycle(
            &machine.ctx(),
            PROJECT,
            &["a", "b", "z"].map(str::to_owned).into(),
            verb,
            None,
        ))
    };
    verb(verbs::Lifecycle::Stop).unwrap();
    machine.up(&description).unwrap();
    verb(verbs::Lifecycle::Restart).unwrap();
    verb(verbs::Lifecycle::Stop).unwrap();
    verb(verbs::Lifecycle::Start).unwrap();
    let address = |name: &str| machine.state().container(name).unwrap().networks["shop_n"].address;
    assert_eq!(address("shop-z-1"), Some("10.7.0.2".parse().unwrap()));

    // Only a part of the services, so the others can't be waited for.
    verb(verbs::Lifecycle::Stop).unwrap();
    let of = |services: &[&str], verb| {
        let services = services.iter().map(|&service| service.to_owned()).collect();
        machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, verb, None))
    };
    of(&["a"], verbs::Lifecycle::Start).unwrap();
    assert_eq!(address("shop-a-1"), Some("10.7.0.2".parse().unwrap()));
    for lifecycle in [verbs::Lifecycle::Start, verbs::Lifecycle::Restart] {
        let failure = of(&["z"], lifecycle).unwrap_err();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (
                Kind::Conflict,
                "The container \"shop-z-1\" needs the address 10.7.0.2 on the network \"shop_n\", which is taken by the container \"shop-a-1\""
            )
        );
        assert_eq!(
            failure.hint.unwrap(),
            "the engine gave it that address: `stop()`, then `start()` gives it to \"z\" first; for good, give the network \"n\" an \
             `ip_range` without the addresses that services name"
        );
    }
    verb(verbs::Lifecycle::Stop).unwrap();
    verb(verbs::Lifecycle::Start).unwrap();
    assert_eq!(address("shop-z-1"), Some("10.7.0.2".parse().unwrap()));
}

#[test]
fn a_start_says_where_the_engine_may_give_a_static_address_away() {
    let on = |attachment: Value| json!({"image": "redis:1", "networks": {"n": attachment}});
    let mut needing = on(json!({"ipv4_address": "10.7.0.2"}));
    needing["depends_on"] = json!(["a"]);
    let mut description = json!({
        "services": {"a": on(json!({})), "z": needing},
        "networks": {"n": {"ipam": {"config": [{"subnet": "10.7.0.0/24", "ip_range": "10.7.0.8/29"}]}}},
    });
    let machine = machine();
    machine.up(&description).unwrap();
    let of = |services: &[&str], verb| {
        let services = services.iter().map(|&service| service.to_owned()).collect();
        machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, verb, None))
    };
    let said = || {
        machine
            .logged()
            .into_iter()
            .filter(|text| text.contains("which is that one's"))
            .collect::<Vec<_>>()
    };
    // The services restart one after the other, so each one keeps its address.
    of(&["a", "z"], verbs::Lifecycle::Restart).unwrap();
    of(&["a", "z"], verbs::Lifecycle::Stop).unwrap();
    of(&["a", "z"], verbs::Lifecycle::Start).unwrap();
    assert_eq!(said(), Vec::<String>::new());

    machine.run(verbs::down(&machine.ctx(), PROJECT, DownOptions::default())).unwrap();
    description["networks"]["n"] = json!({"ipam": {"config": [{"subnet": "10.7.0.0/24"}]}});
    description["services"]["z"]["networks"]["n"] = json!({"ipv4_address": "10.7.0.3"});
    machine.up(&description).unwrap();
    of(&["z"], verbs::Lifecycle::Stop).unwrap();
    of(&["a"], verbs::Lifecycle::Restart).unwrap();
    assert_eq!(
        said(),
        [
            "shop-a-1 starts before shop-z-1, and the engine may give it 10.7.0.3, which is that one's: give the network \"n\" an `ip_range` \
          without the addresses that services name"
        ]
    );
}

#[test]
fn a_run_that_finds_an_address_taken_at_a_start_says_what_the_next_one_says() {
    let on =
        |more: Value| with(json!({"image": "redis:1", "networks": {"n": {}}}), "depends_on", more);
    let mut described = json!({
        "services": {"z": on(json!(["a"])), "a": on(json!({}))},
        "networks": {"n": {"ipam": {"config": [{"subnet": "10.7.0.0/24"}]}}},
    });
    described["services"]["z"]["networks"]["n"] = json!({"ipv4_address": "10.7.0.2"});
    let check = |machine: &Machine, described: &Value, first: Failure, holder: &str, hint: &str| {
        let message = format!(
            "The service \"z\" needs the address 10.7.0.2 on the network \"shop_n\", which is taken by the container \"{holder}\""
        );
        assert_eq!((first.kind, first.message.as_str()), (Kind::Conflict, message.as_str()));
        assert!(first.hint.as_deref().unwrap().starts_with(hint), "{:?}", first.hint);
        let second = machine.up(described).unwrap_err();
        assert_eq!(
            (second.message, second.hint, second.path),
            (first.message, first.hint, first.path)
        );
    };
    let given = machine();
    let first = given.up(&described).unwrap_err();
    check(
        &given,
        &described,
        first,
        "shop-a-1",
        "the engine gave it that address: give the network \"n\" an `ip_range`",
    );

    // A container outside the project takes the port while the service waits for its job.
    described["services"]["a"] = json!({"image": "job:1"});
    described["services"]["z"]["depends_on"] =
        json!({"a": {"condition": "service_completed_successfully"}});
    let taken = machine();
    taken.engine.set_process("migrate", Process::new().exits_after(secs(9), 0));
    let stranger = async {
        taken.host.sleep(secs(3)).await;
        let host = models::HostConfig {
            network_mode: Some("shop_n".to_owned()),
            ..models::HostConfig::default()
        };
        let body = models::ContainerCreateBody {
            image: Some("redis:1".into()),
            host_config: Some(host),
            ..Default::default()
        };
        taken.engine.container_create("stranger", None, body).await.unwrap();
        taken.engine.container_start("stranger").await.unwrap();
    };
    let ctx = taken.ctx();
    let first = taken.up_while(&ctx, &described, stranger).0.unwrap_err();
    check(
        &taken,
        &described,
        first,
        "stranger",
        "choose another address, or stop that container first",
    );
}
